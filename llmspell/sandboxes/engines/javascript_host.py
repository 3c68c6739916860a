"""JavaScript by QuickJS-NG. Only text, numbers, booleans and null cross to and from Python."""

from __future__ import annotations

import os
import resource
import time

from _quickjs import Context  # type: ignore[import-not-found]

from llmspell.sandboxes.engines.host import OUT_OF_MEMORY
from llmspell.sandboxes.engines.rejections import report_rejections
from llmspell.sandboxes.engines.wire import Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, Final

STACK_BYTES: Final = 1 << 20
"""The engine's own stack bound: an eighth of the process's stack, so it is met first."""

PRELUDE_LINE: Final = 200_000
"""The binding takes no file name, so the prelude is moved to lines that no spell reaches; its
frames can then be told from the spell's."""

_RANDOM_NUMBERS: Final = 64

_MEMORY_LIMITS: Final = (resource.RLIMIT_AS, resource.RLIMIT_DATA)

_OPEN_HOST: Final = """(function () {
  const take = (name) => { const value = globalThis[name]; delete globalThis[name]; return value; };
  const evaluate = eval, random = take("__random"), runJobs = take("__run_jobs");
  // The binding can't convert a string that the engine still holds in pieces; a slice is whole.
  const whole = Function.prototype.call.bind(String.prototype.slice), send = take("__send");
  let pool = "", listener = () => {};
  globalThis.__rejected = (promise, reason, handled) => listener(promise, reason, handled);
  // The engine's generator starts from the clock, which a spell could predict. The pool is filled
  // at its first use: before a zygote forks nobody draws.
  Math.random = function random_() {
    if (pool === "") pool = random(%d);
    const value = Number("0x" + pool.slice(0, 13)) / 2 ** 52;
    pool = pool.slice(13);
    return value;
  };
  Object.defineProperty(Math.random, "name", { value: "random" });
  globalThis.__host = {
    send: (text) => send(whole(text, 0)), recv: take("__recv"), clock: take("__clock"), random,
    compile: (source, name) => evaluate(source), run_jobs: () => runJobs(),
    on_rejection: (action) => { listener = action }, out_of_memory: take("__out_of_memory"),
    compiled_name: "<input>", prelude_line: %d,
  };
})()"""


class JavaScriptHost:
    """One QuickJS context and the prelude's text."""

    __slots__ = ("_context", "_near_limit", "_prelude", "_tracker", "_wire")

    def __init__(self, wire: Wire, prelude: str, modules: list[str] | None) -> None:
        self._wire = wire
        # Read now; confined, they can't be.
        self._near_limit = _half_of(resource.getrlimit(kind)[0] for kind in _MEMORY_LIMITS)
        with open(prelude, encoding="utf-8") as file:
            self._prelude = "\n" * PRELUDE_LINE + file.read()
        context = Context()
        context.set_max_stack_size(STACK_BYTES)
        for name, action in (
            ("__send", self._send),
            ("__recv", self._recv),
            ("__clock", _clock),
            ("__random", _random),
            ("__run_jobs", self._run_jobs),
            ("__out_of_memory", self._was_near_limit),
        ):
            context.add_callable(name, action)
        context.eval("\n" * PRELUDE_LINE + _OPEN_HOST % (13 * _RANDOM_NUMBERS, PRELUDE_LINE))
        self._tracker = report_rejections(context, "__rejected")
        context.eval("delete globalThis.__rejected")
        self._context = context

    def renew(self, limit: Callable[[int], int | None]) -> None:
        """Takes the limits of this child's plan for the zygote's own."""
        self._near_limit = _half_of(
            bound
            for kind in _MEMORY_LIMITS
            for bound in (resource.getrlimit(kind)[0], limit(kind))
            if bound is not None
        )

    def run(self) -> None:
        """Evaluates the prelude; an error that even it could not report is a lack of memory."""
        try:
            self._context.eval(self._prelude)
        except Exception:
            self._wire.send(OUT_OF_MEMORY)

    # The binding does not survive an exception from a callable in every place: none is raised.

    def _send(self, text: str) -> bool:
        try:
            self._wire.send(text.encode("utf-8"))
        except Exception:
            return False
        return True

    def _recv(self, timeout_ms: float | None = None) -> str | bool | None:
        try:
            frame = self._wire.recv(timeout_ms)
            return None if frame is None else frame.decode("utf-8")
        except Exception:
            return False

    def _was_near_limit(self) -> bool:
        """Whether the process was ever near its limit.

        Only then is a thrown null the engine's own: it throws one when small allocations fail, and
        those are memory that was written to.
        """
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        return self._near_limit is not None and peak > self._near_limit

    def _run_jobs(self) -> bool:
        try:
            while self._context.execute_pending_job():
                pass
        except Exception:
            return False
        return True


def _clock(kind: Any) -> float:
    return (time.monotonic() if kind == 1 else time.time()) * 1000


def _random(digits: Any) -> str:
    """`digits` random hexadecimal digits."""
    count = int(digits)
    return os.urandom(count // 2 + 1).hex()[:count]


def _half_of(limits: Iterable[int]) -> float | None:
    bounds = [limit for limit in limits if limit != resource.RLIM_INFINITY]
    return min(bounds) / 2 if bounds else None
