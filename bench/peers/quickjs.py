"""quickjs-rs: QuickJS as wasm inside the host's own process."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

from bench.peers import package

NAME = "quickjs-rs"
DOES = "JavaScript as wasm in the host's own process; no process boundary, no policy, no audit"


class QuickJs:
    """A runtime; each request gets a context of its own."""

    def __init__(self) -> None:
        self._runtime: Any = package("quickjs_rs").Runtime()
        self._runtime.__enter__()

    def close(self) -> None:
        """Ends the runtime."""
        self._runtime.__exit__(None, None, None)

    def result_ms(self) -> float:
        """A context, one line run, its result."""
        begun = time.perf_counter()
        with self._runtime.new_context() as context:
            value = context.eval("1")
            spent = time.perf_counter() - begun
        assert value == 1
        return spent * 1000

    def first_statement_ms(self) -> float:
        """From the new context until its first statement has called a function of the host's."""
        came: list[float] = []
        begun = time.perf_counter()
        with self._runtime.new_context() as context:
            context.register("f", lambda: came.append(time.perf_counter()))
            context.eval("f()")
        return (came[0] - begun) * 1000

    def call_us(self, calls: int) -> list[float]:
        """Each round trip of a call to a host function that gives null."""
        came: list[float] = []
        with self._runtime.new_context() as context:
            context.register("f", lambda key: came.append(time.perf_counter()))
            context.eval(f"for (let i = 0; i < {calls + 1}; i++) f('k'); 0")
        return [(b - a) * 1e6 for a, b in pairwise(came)]

    def payload_ms(self, size: int, times: int) -> list[float]:
        """So many characters to a host function, and the same back."""
        came: list[float] = []

        def give(text: str) -> str:
            came.append(time.perf_counter())
            return text

        with self._runtime.new_context() as context:
            context.register("f", give)
            context.eval(
                f"let s = 'x'.repeat({size}); for (let i = 0; i < {times + 1}; i++) s = f(s); 0"
            )
        return [(b - a) * 1000 for a, b in pairwise(came)]

    def script_ms(self, source: str) -> float:
        """One script in a context of its own."""
        with self._runtime.new_context() as context:
            begun = time.perf_counter()
            context.eval(source)
            return (time.perf_counter() - begun) * 1000
