"""Masks a stream: a key that comes in pieces is as secret as one that comes whole."""

from __future__ import annotations

from llmspell.supervisor.masking import Masker


class StreamVeil:
    """Holds back what may be the beginning of a secret until more has come."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._held = ""

    def pass_on(self, piece: str) -> str:
        """What of the text so far may be shown."""
        text = self._masker.mask_text(self._held + piece)
        keep = self._masker.beginning_at_end(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def rest(self) -> str:
        """What was held back to the end: no secret, or it would have been masked."""
        held, self._held = self._held, ""
        return self._masker.mask_text(held)
