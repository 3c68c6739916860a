"""Our own event loops: uvloop where it is installed. A loop of the user's is the user's choice."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

Value = TypeVar("Value")


def run_loop(main: Coroutine[Any, Any, Value], *, brief: bool = False) -> Value:
    """Runs `main` on a new loop to its end; returns its value, raises what it raises.

    `brief`: the loop is for what is left of one run. Importing uvloop takes 6 ms, the saving of
    some four hundred calls (bench/crowd.py), so asyncio's own loop does it.
    """
    import asyncio

    if not brief:
        try:
            import uvloop
        except ImportError:
            pass
        else:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                return runner.run(main)
    return asyncio.run(main)
