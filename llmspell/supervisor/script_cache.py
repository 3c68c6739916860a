"""What a spell's source alone tells, kept from one run to the next (inventory ENG-021).

Only our own reading of the text is kept, never code that an engine compiled: that comes out of a
worker which has read untrusted text, so it would be untrusted bytes in every later worker.
"""

from __future__ import annotations

from llmspell.digests import sha256
from llmspell.errors import UsageError
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Final

    from llmspell.spells.spell import Spell

SIZE: Final = 100
"""Scripts kept where the host names no other number (the seed's `script_cache_size`)."""

SOURCE_MOST: Final = 16 << 20
"""Characters of source kept in all: a hundred spells of the largest size would be 100 MiB."""


class Script:
    """One source, with what was derived from it so far. A pure function of source and engine."""

    __slots__ = ("_digest", "_engine", "_needs", "_source")

    def __init__(self, source: str, engine: str) -> None:
        self._source = source
        self._engine = engine
        self._digest: str | None = None
        self._needs: tuple[str, ...] | None = None

    @classmethod
    def of(cls, spell: Spell) -> Script:
        """A spell's script, kept nowhere."""
        return cls(spell.source, spell.engine)

    @property
    def digest(self) -> str:
        """The source's sha256 in hexadecimal, as the audit names it."""
        if self._digest is None:
            self._digest = sha256(self._source.encode("utf-8"))
        return self._digest

    @property
    def needs(self) -> tuple[str, ...]:
        """The safe modules that a Python source names; empty for the other engines."""
        if self._needs is None:
            from llmspell.sandboxes.engines.safe_modules import named_in

            self._needs = named_in(self._source) if self._engine == "python" else ()
        return self._needs


class Counts(NamedTuple):
    """How a cache did so far; `characters` of source are held now."""

    hits: int
    misses: int
    scripts: int
    characters: int


class ScriptCache:
    """The scripts used last: at most `size`, and at most 16 Mi characters of source. 0 is off.

    The key is the source itself, not a digest: nothing can be made to collide with it. One cache
    belongs to one supervisor and its thread. Raises `UsageError` for a size below 0.
    """

    def __init__(self, size: int = SIZE) -> None:
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise UsageError(f"script_cache_size is a number of scripts from 0, not {size!r}")
        self.size = size
        self._kept: dict[tuple[str, str], Script] = {}
        self._characters = 0
        self._hits = 0
        self._misses = 0

    def script(self, spell: Spell) -> Script:
        """The spell's script, from the cache where it is there."""
        key = (spell.engine, spell.source)
        kept = self._kept.pop(key, None)
        if kept is not None:
            self._kept[key] = kept  # the last used are the last
            self._hits += 1
            return kept
        self._misses += 1
        made = Script.of(spell)
        if self.size and len(spell.source) <= SOURCE_MOST:
            self._kept[key] = made
            self._characters += len(spell.source)
            while len(self._kept) > self.size or self._characters > SOURCE_MOST:
                oldest = next(iter(self._kept))
                del self._kept[oldest]
                self._characters -= len(oldest[1])
        return made

    def counts(self) -> Counts:
        """What it holds and how often it helped."""
        return Counts(self._hits, self._misses, len(self._kept), self._characters)
