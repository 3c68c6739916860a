"""What every provider can do (LLM-001); who implements it is `fake`, a cassette or a process."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import Any

    OnChunk = Callable[[str], Awaitable[None]]


class ModelInfo(NamedTuple):
    """What is known of a model. Prices in US dollars a token; None: not known."""

    context_length: int | None = None
    output_max: int | None = None
    input_price: float | None = None
    output_price: float | None = None
    tools: bool = False
    vision: bool = False
    structured: bool = False
    streaming: bool = True


class Provider(Protocol):
    """One provider. Requests are checked ones (`requests.check_request`) with their model set.

    All of them raise `ModelFailure`; cancelling the task ends the request at the provider's, too.
    """

    async def complete(
        self, request: Mapping[str, Any], seconds: float, on_chunk: OnChunk | None
    ) -> dict[str, Any]:
        """`{content, tool_calls, usage, cost, finish_reason, structured?}`; text as it comes goes
        to `on_chunk`, where one is given."""

    async def embed(self, model: str, texts: list[str], seconds: float) -> dict[str, Any]:
        """`{vectors, usage, cost}`."""

    async def count_tokens(self, model: str, text: str) -> int:
        """Tokens of a text, as near as can be told without asking the model."""

    async def info(self, model: str) -> ModelInfo:
        """What is known of a model."""
