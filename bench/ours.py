"""llmspell as the benchmarks use it: supervisors that stay open on one event loop.

The ways to a worker: by `exec` every time, `forked` from a zygote, or a `spare` that already waits.
What this version of llmspell does not have yet is left out, with the reason.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import llmspell
from bench.rounds import Unavailable

T = TypeVar("T")

LANGUAGES: Final = ("lua", "javascript", "python")
PROFILES: Final = ("medium", "high")
WAYS: Final[Mapping[str, Mapping[str, Any]]] = {
    "exec": {"zygotes": False, "spares": 0},
    "forked": {"zygotes": True, "spares": 0},
    "spare": {"zygotes": True, "spares": 8},
}
"""What `Supervisor` is told for each way."""

CROWD: Final[Mapping[str, Any]] = {"in_flight": 512, "waiting": 512}
"""Bounds of admission, where this version has them: above what any benchmark has at once."""

SETTLING: Final = 0.02
"""Seconds in which a spare gets ready that was ordered when the one before it was taken."""

DOES: Final = "confined by the kernel, policy and budget on every call, audited"
ROOMY: Final = {"calls": "100000000", "wall": "600s", "cpu": "600s", "transfer": "8GiB"}
"""Limits that a long measurement does not reach; each is still counted and checked."""

SHORT: Final = {"lua": "Lua", "javascript": "JS", "python": "Python"}


def name_of(language: str, profile: str, way: str = "") -> str:
    """A row's name: `llmspell high Lua (forked)`."""
    return f"llmspell {profile} {SHORT[language]}" + (f" ({way})" if way else "")


class Ours:
    """Supervisors of each way on one event loop of their own, opened at first use."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._open: dict[str, llmspell.Supervisor] = {}

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Runs a coroutine on the loop."""
        return self._runner.run(work)

    def supervisor(self, way: str) -> llmspell.Supervisor:
        """The open supervisor of a way. Raises `Unavailable`."""
        if way not in self._open:
            made = llmspell.Supervisor(**_told(way))
            self.run(made.__aenter__())
            self._open[way] = made
        return self._open[way]

    async def ready(
        self,
        way: str,
        spell: llmspell.Spell,
        profile: str,
        limits: Mapping[str, str] | None = None,
    ) -> None:
        """Lets zygotes and spares come up, where this way has any.

        Raises `Unavailable` where such runs would start by exec after all.
        """
        if way == "exec":
            return
        warm: Any = getattr(self._open[way], "warm", None)
        if warm is None:
            raise Unavailable("this llmspell's Supervisor has no warm")
        if not await warm(spell, profile=profile, limits=limits):
            raise Unavailable("no zygote comes up here for such runs")
        if way == "spare":
            await asyncio.sleep(SETTLING)

    def close(self, way: str) -> None:
        """Ends one way's supervisor and everything it has running."""
        made = self._open.pop(way, None)
        if made is not None:
            self.run(made.__aexit__(None, None, None))

    def close_all(self) -> None:
        """Ends everything."""
        for way in list(self._open):
            self.close(way)
        self._runner.close()


@contextmanager
def ours() -> Iterator[Ours]:
    """llmspell for the length of a benchmark."""
    made = Ours()
    try:
        yield made
    finally:
        made.close_all()


def _told(way: str) -> dict[str, Any]:
    known = inspect.signature(llmspell.Supervisor).parameters
    wanted = WAYS[way]
    missing = [name for name in wanted if name not in known]
    if missing and way != "exec":
        raise Unavailable(f"this llmspell's Supervisor has no {' and no '.join(missing)}")
    wanted = {**wanted, **CROWD}
    return {name: value for name, value in wanted.items() if name in known}


def came_by(result: llmspell.Result, way: str) -> None:
    """Checks by the run's own record that its worker came this way. Raises `Unavailable`."""
    wanted = {"exec": None, "forked": "fork", "spare": "spare"}[way]
    if wanted is None or result.audit_path is None:
        return
    for line in Path(result.audit_path).read_text("utf-8").splitlines():
        record = json.loads(line)
        if record["event"] == "worker_start":
            found = record["details"]
            if found.get("start") == wanted:
                return
            raise Unavailable(f"the worker came by {found.get('start')}: {found.get('reason', '')}")
    raise Unavailable("the audit does not say how the worker came")


def value_of(result: llmspell.Result) -> Any:
    """The value of a run that ended well. Raises `Unavailable` for any other end."""
    if not result.ok:
        said = result.error.message if result.error is not None else result.reason
        raise Unavailable(f"the run ended as {result.status.value}: {said}")
    return result.value


def spell(language: str, source: str) -> llmspell.Spell:
    """A spell without a file."""
    return llmspell.Spell.from_source(source, language=language)
