"""From flags to what the supervisor takes: policy choices, parameters."""

from __future__ import annotations

import sys

from llmspell.cli.terminal import LONE, escaped_json
from llmspell.errors import UsageError
from llmspell.records import TYPE_CHECKING
from llmspell.supervisor.options import RunOptions

if TYPE_CHECKING:
    from typing import Any, Final

    from llmspell.cli.flags import Chosen

KINDS: Final = ("read", "write", "net", "tool", "llm", "env", "state", "module")


def pairs(values: list[str], flag: str) -> dict[str, str]:
    """`NAME=VALUE` flags as a mapping. Raises `UsageError` naming the flag."""
    found: dict[str, str] = {}
    for value in values:
        name, equals, rest = value.partition("=")
        if not equals or not name:
            raise UsageError(f"{flag} takes NAME=VALUE, not {value!r}")
        if name in found:
            raise UsageError(f"{flag} {name} is given twice")
        found[name] = rest
    return found


def parameter(text: str) -> Any:
    """A parameter's value: JSON where it is JSON, else the text itself."""
    from llmspell.channel.jsontext import Malformed, decode

    try:
        return decode(text.encode("utf-8"))
    except Malformed:
        return text
    except UnicodeEncodeError:
        raise UsageError("a parameter is not UTF-8 text") from None


def options(chosen: Chosen) -> RunOptions:
    """The policy flags, and those of `run` where the command has them."""
    grants = tuple((kind, value) for kind in KINDS for value in getattr(chosen, f"allow_{kind}"))
    params = pairs(getattr(chosen, "param", []), "--param")
    return RunOptions(
        profile=chosen.profile,
        policy_file=chosen.policy,
        grants=grants,
        grant_requested=chosen.grant_requested,
        limits=pairs(chosen.limit, "--limit"),
        allow_degraded=chosen.allow_degraded,
        params={name: parameter(value) for name, value in params.items()},
        args=tuple(chosen.extra),
        audit=getattr(chosen, "audit", None),
    )


def print_json(value: Any) -> None:
    """One JSON document on stdout; on a terminal nothing in it moves, hides or forges."""
    import json

    text = json.dumps(value, indent=2, ensure_ascii=False, default=_bytes)
    print(escaped_json(text) if sys.stdout.isatty() else escaped_json(text, LONE))


def _bytes(value: object) -> Any:
    if isinstance(value, (bytes, bytearray)):
        import base64

        return {"$bytes": base64.b64encode(value).decode("ascii")}
    raise TypeError(f"{type(value).__name__} is not JSON")
