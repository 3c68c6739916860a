"""Spells as objects: running another spell's file."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.model import Module
from llmspell.spells.api.nested_ import RUN_FILE

if TYPE_CHECKING:
    from typing import Final

MODULE: Final = Module("spell", ("Spell",), "Spells.", (RUN_FILE,))
