"""Images by URL: the provider fetches them, so their hosts must be granted to the run."""

from __future__ import annotations

from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from llmspell.spells.models.asking import Context


def judge_images(ctx: Context, request: Mapping[str, Any]) -> None:
    """Raises `Denied` for a host that the run may not reach itself."""
    for message in request["messages"]:
        if isinstance(message["content"], str):
            continue
        for part in message["content"]:
            if part["type"] == "image" and not part["url"].startswith("data:"):
                _judge_url(ctx, part["url"])


def _judge_url(ctx: Context, url: str) -> None:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise InvalidInput("llm: an image's url can't be read") from None
    if parts.username is not None or not host:
        raise InvalidInput("llm: an image's url has a host and no user name")
    verdict = ctx.policy.net.judge_host(parts.scheme, host, port)
    ctx.judge(verdict, action="connect", target=f"{parts.scheme}://{host}")
