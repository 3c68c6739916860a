"""The tool workers of one run: one tool call at a time in each, started at first need.

One at a time makes identity exact (whatever the worker asks for is asked by that tool, with no
more rights than it declared) and lets the deadline of one call end nothing but that call.
"""

from __future__ import annotations

from llmspell.channel.framing import FrameError
from llmspell.channel.jsontext import Callback, Malformed, holds_callback
from llmspell.errors import InvalidInput, LimitExceeded, LlmspellError, OperationFailed, from_wire
from llmspell.policies.breaker import CircuitBreaker
from llmspell.policies.rate import RateLimiter
from llmspell.records import TYPE_CHECKING
from llmspell.supervisor.effects import StartTools
from llmspell.supervisor.peers import Peer, ToolJob
from llmspell.supervisor.result import Status

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from llmspell.supervisor.broker import CallContext
    from llmspell.supervisor.ending import Ending
    from llmspell.supervisor.session import Session

TOOL_WORKERS_MAX: Final = 4
"""Tool workers of one run; further tool calls wait for one."""

BREAKDOWNS_MAX: Final = 5
"""Breakdowns of one tool in a row after which it rests: each costs a process and a time-out."""

REST_SECONDS: Final = 60.0

EXECUTE: Final = Callback(0)
"""The one function a tool worker offers: run the named tool on this input."""


class Toolbench:
    """Queue and workers. Holds no process: it asks for effects like the rest of the core."""

    __slots__ = ("_idle", "_queue", "_session", "_starting", "breakers", "rates")

    def __init__(self, session: Session) -> None:
        self._session = session
        self._queue: list[ToolJob] = []
        self._idle: list[Peer] = []
        self._starting: list[Peer] = []
        lineage = session.plan.lineage
        self.rates: dict[str, RateLimiter] = {} if lineage is None else lineage.tree.rates
        self.breakers: dict[str, CircuitBreaker] = {} if lineage is None else lineage.tree.breakers

    def needs(self, peer: Peer) -> frozenset[str]:
        """What the tool at work in this worker declared; nothing when none is at work."""
        return frozenset() if peer.job is None else peer.job.needs

    def execute(
        self, context: CallContext, args: dict[str, Any], answer: Callable[[Any], None]
    ) -> None:
        """Takes a `tools.execute` call: verdict, then a worker or the queue.

        `answer` gets the outcome, a value or an `LlmspellError`, once; a refusal is raised here.
        """
        from llmspell.tools import registry

        tool = registry.entry(args["name"])
        verdict = context.policy.tools.judge(tool.name, tool.needs, tool.category)
        context.judge(verdict, action="tool", target=tool.name)
        self._check_rate(tool.name, tool.calls_per_minute)
        self._check_breaker(tool.name)
        job = ToolJob(tool.name, tool.needs, args["input"], tool.seconds, answer)
        self._queue.append(job)
        self._assign()

    def withdraw(self, answer: Callable[[Any], None]) -> None:
        """Nobody waits for this call any more: one that has not begun never does.

        Else calls that are taken back would pile up here, with their inputs, beyond every bound
        on calls under way.
        """
        self._queue = [job for job in self._queue if job.answer is not answer]

    def _check_rate(self, tool: str, per_minute: int | None) -> None:
        if per_minute is None:
            return
        now = self._session.now
        limiter = self.rates.get(tool)
        if limiter is None:
            limiter = self.rates[tool] = RateLimiter.per_minute(per_minute, per_minute, now)
        if not limiter.take(now):
            raise LimitExceeded(
                "tool_rate",
                f"the tool {tool} takes {per_minute} calls a minute",
                hint=f"wait {limiter.wait(now):.0f} s",
            )

    def _check_breaker(self, tool: str) -> None:
        breaker = self.breakers.get(tool)
        if breaker is not None and not breaker.allow(self._session.now):
            raise OperationFailed(
                f"the tool {tool} broke down {BREAKDOWNS_MAX} times in a row and rests",
                code=2007,
                kind="unavailable",
                rule="tool.breaker",
                hint=f"try again in {REST_SECONDS:g} s",
            )

    def _broke_down(self, job: ToolJob) -> None:
        breaker = self.breakers.get(job.tool)
        if breaker is None:
            breaker = CircuitBreaker(BREAKDOWNS_MAX, job.seconds + 1, REST_SECONDS)
            self.breakers[job.tool] = breaker
        breaker.failed(self._session.now)

    def ready(self, peer: Peer) -> None:
        """A tool worker said hello."""
        self._starting.remove(peer)
        self._idle.append(peer)
        self._assign()

    def check_deadline(self, peer: Peer, now: float) -> None:
        """Ends a tool worker whose call takes too long; the call gets a typed time-out."""
        job = peer.job
        if job is not None and job.deadline is not None and now >= job.deadline:
            peer.job = None
            self._session.end_peer(peer)
            self._broke_down(job)
            error = OperationFailed(
                f"the tool {job.tool} did not end within {job.seconds:g} s",
                code=2008,
                kind="timeout",
                rule="tool.seconds",
            )
            job.answer(error)
            self._assign()

    def lost(self, peer: Peer, how: Ending) -> None:
        """A tool worker is gone; its call fails, the run goes on."""
        if peer in self._starting:
            self._starting.remove(peer)
            failure = how.error or OperationFailed("the tool worker could not start")
            waiting, self._queue = self._queue, []
            for unstarted in waiting:
                unstarted.answer(failure)
        if peer in self._idle:
            self._idle.remove(peer)
        job = peer.job
        peer.job = None
        self._session.end_peer(peer)
        if job is not None:
            self._broke_down(job)
            job.answer(_loss(job, how))
        self._assign()

    def _assign(self) -> None:
        while self._queue and self._idle:
            self._hand_over(self._idle.pop(), self._queue.pop(0))
        alive = sum(1 for peer in self._session.tool_peers() if not peer.ending)
        if len(self._queue) > len(self._starting) and alive < TOOL_WORKERS_MAX:
            peer = self._session.add_peer()
            self._starting.append(peer)
            self._session.effects.append(StartTools(peer.number))

    def _hand_over(self, peer: Peer, job: ToolJob) -> None:
        peer.job = job
        peer.origin = f"tool:{job.tool}"
        job.deadline = self._session.now + job.seconds

        def done(value: Any, error: dict[str, Any] | None) -> None:
            if peer.job is not job:
                return
            peer.job = None
            peer.origin = "tools"
            breaker = self.breakers.get(job.tool)
            if breaker is not None:
                breaker.succeeded(self._session.now)
            if error is not None:
                job.answer(from_wire(error))
            elif holds_callback(value):
                # A tool has no functions to give: data that it read, which some other tool would
                # get as a function of the spell's.
                job.answer(_no_data(job))
            else:
                job.answer(value)
            if not peer.ending:
                self._idle.append(peer)
            self._assign()

        try:
            self._session.invoke(peer.number, EXECUTE, [job.tool, job.args], done)
        except (Malformed, FrameError) as error:
            peer.job = None
            self._idle.append(peer)
            job.answer(InvalidInput(f"the input can't be carried: {error}"))


def _no_data(job: ToolJob) -> LlmspellError:
    return OperationFailed(
        f"the tool {job.tool} answered an object with the only key $callback, which means "
        "something else on the channel",
        code=2009,
        kind="output",
    )


def _loss(job: ToolJob, how: Ending) -> LlmspellError:
    if how.status is Status.LIMIT:
        return LimitExceeded(how.reason, f"the tool {job.tool} reached its {how.reason} limit")
    return OperationFailed(
        f"the tool {job.tool} broke down ({how.reason}); the call was not repeated",
        kind="tool_lost",
    )
