"""How calls of models fail: a kind each, with its code and whether another try makes sense."""

from __future__ import annotations

from llmspell.errors import OperationFailed
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

CODES: Final[Mapping[str, int]] = {
    "rate_limit": 6006,
    "authentication": 6004,
    "authorization": 6005,
    "network": 6003,
    "unavailable": 6008,
    "timeout": 1009,
    "bad_request": 1009,
    "model_not_found": 1009,
    "context_length": 1009,
    "content_filter": 1009,
    "malformed": 1009,
    "structured": 1009,
    "script": 1009,
    "replay": 1009,
    "cancelled": 1009,
    "no_key": 6001,
    "failed": 1009,
}
"""Kinds of failures; a model's own are 1009, what lies around it has the system's codes."""

AGAIN: Final = frozenset({"rate_limit", "unavailable", "network"})
"""Kinds that another try may mend (LLM-010)."""

ELSEWHERE: Final = AGAIN | {
    "timeout", "authentication", "authorization", "model_not_found", "no_key", "malformed"
}  # fmt: skip
"""Kinds for which the next provider of a fallback is asked; a request that is wrong stays wrong."""

RETRY_AFTER_MAX: Final = 86_400.0


class ModelFailure(OperationFailed):
    """A call of a model that failed. `retry_after`: seconds the provider wants us to wait."""

    default_code = 1009

    def __init__(
        self,
        kind: str,
        message: str,
        *,
        retry_after: float | None = None,
        hint: str | None = None,
    ) -> None:
        known = kind if kind in CODES else "failed"
        super().__init__(
            message, code=CODES[known], kind=known, hint=hint, recoverable=known in AGAIN
        )
        self.retry_after = retry_after

    def to_fields(self) -> dict[str, Any]:
        """As it crosses from the provider process."""
        fields: dict[str, Any] = {"kind": self.kind, "message": self.message}
        if self.retry_after is not None:
            fields["retry_after"] = self.retry_after
        if self.hint is not None:
            fields["hint"] = self.hint
        return fields


def from_fields(fields: Mapping[str, Any]) -> ModelFailure:
    """The failure that a provider, or a script, tells of; unknown kinds are `failed`."""
    after = fields.get("retry_after")
    seconds = None
    if isinstance(after, (int, float)) and not isinstance(after, bool):
        seconds = float(after) if 0 <= after <= RETRY_AFTER_MAX else None
    hint = fields.get("hint")
    return ModelFailure(
        str(fields.get("kind", "failed")),
        str(fields.get("message", "the model call failed")),
        retry_after=seconds,
        hint=hint if isinstance(hint, str) else None,
    )
