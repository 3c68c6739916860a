"""The zygotes of one supervisor: started at first use, replaced when worn or dead, never shared
between tenants.

No zygote is waited for: while one boots, runs start by exec.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Final, NamedTuple

from llmspell.errors import LlmspellError
from llmspell.supervisor import worker
from llmspell.supervisor.crew import not_started

if TYPE_CHECKING:
    from llmspell.platform.forking import Zygote
    from llmspell.supervisor.worker import ZygoteKind

ZYGOTES_MAX: Final = 16
"""Zygotes of one supervisor; the one that was not needed for longest makes room."""

FORKS_MAX: Final = 1_000
"""Workers forked from one zygote, which share its address layout, before another takes over."""

REST_SECONDS: Final = 30.0
"""After a zygote died or would not start, the time until the next is tried."""


class Place(NamedTuple):
    """Whose zygote, and which: what two runs must have in common to share one."""

    tenant: str
    kind: ZygoteKind


class Nursery:
    """Zygotes by place. `watch` gets each new one, `forget` each that is about to be closed."""

    def __init__(self, watch: Callable[[Place, Zygote], None], forget: Callable[[Zygote], None]):
        self._watch = watch
        self._forget = forget
        self._zygotes: dict[Place, Zygote] = {}
        self._coming: dict[Place, Zygote] = {}
        """Booting; the first of a place, or the successor of one that is worn."""
        self._worn: list[Zygote] = []
        """Replaced, but with children that live: ending it would end them."""
        self._resting: dict[Place, tuple[float, str]] = {}

    def ready(self, place: Place) -> Zygote | None:
        """The zygote that can fork now, or None. Starts what is missing."""
        zygote = self._zygotes.pop(place, None)
        if zygote is not None:
            self._zygotes[place] = zygote  # the most recently used is last
        if zygote is None or zygote.forks >= FORKS_MAX:
            self._start(place)
        return zygote

    def is_coming(self, place: Place) -> bool:
        """Whether a zygote boots for this place."""
        return place in self._coming

    def why_not(self, place: Place) -> str:
        """Why `ready` gave None."""
        if place in self._resting:
            return self._resting[place][1]
        return "the zygote is still booting"

    def heard(self, place: Place, zygote: Zygote) -> bool:
        """Something came from a zygote. True when it has just become able to fork."""
        from llmspell.platform.forking import ZygoteGone

        try:
            if self._coming.get(place) is not zygote:
                zygote.take_answers()
                return False
            if not zygote.is_ready():
                return False
        except ZygoteGone as error:
            self.lost(place, zygote, error.message)
            return False
        del self._coming[place]
        self._resting.pop(place, None)
        self._retire(self._zygotes.pop(place, None))
        self._zygotes[place] = zygote
        while len(self._zygotes) > ZYGOTES_MAX:
            self._retire(self._zygotes.pop(next(iter(self._zygotes))))
        return True

    def lost(self, place: Place, zygote: Zygote, why: str) -> None:
        """A zygote is dead or useless: its children are gone, the next is tried after a rest."""
        for table in (self._zygotes, self._coming):
            if table.get(place) is zygote:
                del table[place]
        if zygote in self._worn:
            self._worn.remove(zygote)
        self._resting[place] = (monotonic() + REST_SECONDS, why)
        self._close(zygote)

    def sweep(self) -> None:
        """Ends the worn ones whose last child is gone."""
        for zygote in [zygote for zygote in self._worn if zygote.live <= 0]:
            self._worn.remove(zygote)
            self._close(zygote)

    def close(self) -> None:
        """Ends every zygote and every child that still lives."""
        for zygote in (*self._zygotes.values(), *self._coming.values(), *self._worn):
            self._close(zygote)
        self._zygotes.clear()
        self._coming.clear()
        self._worn.clear()

    def _start(self, place: Place) -> None:
        from llmspell.platform.forking import Zygote

        if place in self._coming or len(self._coming) >= ZYGOTES_MAX:
            return
        until, _ = self._resting.get(place, (0.0, ""))
        if monotonic() < until:
            return
        try:
            described = worker.describe_zygote(place.kind)
            zygote = Zygote(described.argv, described.preamble, described.pass_fds)
        except LlmspellError as error:
            self._resting[place] = (monotonic() + REST_SECONDS, error.message)
            return
        except OSError as error:
            # No descriptor, no memory: no reason to fail a run that can start by exec.
            self._resting[place] = (monotonic() + REST_SECONDS, not_started(error).message)
            return
        self._coming[place] = zygote
        self._watch(place, zygote)

    def _retire(self, zygote: Zygote | None) -> None:
        if zygote is not None:
            self._worn.append(zygote)
            self.sweep()

    def _close(self, zygote: Zygote) -> None:
        self._forget(zygote)
        zygote.close()
