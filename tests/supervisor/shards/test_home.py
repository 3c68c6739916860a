"""What of the shards needs no process."""

from __future__ import annotations

import asyncio
import sys

import pytest

import llmspell
from llmspell.errors import UsageError


def test_without_the_extra_package_shards_are_refused_in_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "multiprocessing_logging", None)

    async def enter() -> None:
        async with llmspell.Supervisor(shards=2):
            pass

    with pytest.raises(UsageError) as refused:
        asyncio.run(enter())
    assert refused.value.hint == "pip install llmspell[shards]"


@pytest.mark.parametrize("shards", [0, -1, 257, 1.5, True, "2"])
def test_so_many_shards_there_are_not(shards: int) -> None:
    with pytest.raises(UsageError):
        llmspell.Supervisor(shards=shards)


@pytest.mark.parametrize("bounds", [{"in_flight": 0}, {"waiting": -1}, {"wait": 0}])
def test_a_supervisor_has_finite_bounds(bounds: dict[str, int]) -> None:
    with pytest.raises(UsageError):
        llmspell.Supervisor(**bounds)  # type: ignore[arg-type]
    llmspell.Supervisor(in_flight=1, waiting=0, wait=0.1)
