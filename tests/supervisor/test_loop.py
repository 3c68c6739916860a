"""Which loop ours run on."""

from __future__ import annotations

import asyncio
import sys

import pytest

from llmspell.supervisor.drivers.loop import run_loop


async def name() -> str:
    return type(asyncio.get_running_loop()).__module__


def test_a_long_lived_loop_is_the_fastest_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("uvloop")
    assert run_loop(name()) == "uvloop"
    assert run_loop(name(), brief=True).startswith("asyncio")
    monkeypatch.setitem(sys.modules, "uvloop", None)
    assert run_loop(name()).startswith("asyncio")


async def fails() -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("brief", [True, False])
def test_what_it_raises_is_raised(brief: bool) -> None:
    with pytest.raises(ZeroDivisionError):
        run_loop(fails(), brief=brief)
