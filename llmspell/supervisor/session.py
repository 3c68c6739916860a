"""One run of one spell, sans-IO: bytes, exits and time in; effects out (`effects`).

Both drivers feed the same methods; none of them waits. Nothing is opened or written here but by
services that need no waiting, which act within `receive` where the driver lets them
(`acts_inline`), and by the audit. Time is monotonic seconds, given by the caller.
"""

from __future__ import annotations

from types import CoroutineType

from llmspell.channel import messages
from llmspell.channel.bounds import INVOKES_MAX, OUTBOX_MAX, OUTSTANDING_MAX
from llmspell.channel.framing import FrameError
from llmspell.channel.jsontext import Callback, Malformed, Place
from llmspell.channel.states import Role, State
from llmspell.errors import (
    InternalError,
    LimitExceeded,
    LlmspellError,
    WorkerViolation,
    from_wire,
)
from llmspell.records import TYPE_CHECKING
from llmspell.supervisor import conclusion, ending
from llmspell.supervisor.effects import Abandon, Await, Effect, End, Finish, Perform, Send, joined
from llmspell.supervisor.peers import MAIN, Backlog, OnReturn, Peer, Pending, asleep, unheard
from llmspell.supervisor.printed import Printed
from llmspell.supervisor.result import Isolation, Result
from llmspell.supervisor.toolbench import Toolbench

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from llmspell.platform import ExitStatus
    from llmspell.supervisor.audit.log import AuditLog
    from llmspell.supervisor.broker import CallContext, Method
    from llmspell.supervisor.plan import SessionPlan

START_SECONDS: Final = 30.0
"""Time a worker may take until its hello; a loaded machine needs one, an honest one 50 ms."""

CLOSE_SECONDS: Final = 0.25
"""Time between a worker's channel closing and its exit before it is killed (IP-18)."""


class Session:
    """The core of a run. `result` is set when `Finish` is among the effects.

    A driver that sets `acts_inline` spares each call a round through the effects: services that
    need no waiting act within `receive`, and what is to be sent is under `sends`, by worker. It
    calls `backlog.resume` while messages are held there.
    """

    def __init__(self, plan: SessionPlan, now: float) -> None:
        self.plan = plan
        self.policy = plan.policy
        self.audit: AuditLog = plan.audit
        self.broker = plan.broker
        self.result: Result | None = None
        self.effects: list[Effect] = []
        self.acts_inline = False
        self.sends: list[tuple[int, bytes]] = []
        self.wake: Callable[[], None] = asleep
        self._deadline: float | None = None
        self._deadline_known = False
        self.begun = now
        self.now = now
        self._peers: dict[int, Peer] = {MAIN: Peer(MAIN, Role.SPELL, now + START_SECONDS)}
        self.backlog = Backlog(self, self._peers)
        self._performing: dict[int, Pending] = {}
        self._next_token = 1
        self.printed = Printed(plan)
        self._cpu = 0.0
        self._peak = 0
        self._end: ending.Ending | None = None
        self._isolation = Isolation(self.policy.profile, "none")
        self._isolation_known = False
        self.wall_deadline = ending.deadline(now, self.policy.limits.wall)
        self.toolbench = Toolbench(self)
        if plan.services is not None:
            plan.services.session = self
        self.audit.record("session_start", plan.start_record())
        for override in self.policy.overrides:
            self.audit.record("override", override._asdict())

    # -- what drivers tell ---------------------------------------------------------------------

    def receive(self, number: int, data: bytes, now: float) -> int:
        """Bytes from a worker; how many more the frame under way lacks (0 when none is)."""
        self.now = now
        peer = self._peers[number]
        if peer.ending or self._end is not None:
            return 0
        try:
            call = peer.connection.receive_call(data, now)
            if call is not None:
                if not self.backlog.holds(peer, call):
                    self._call(peer, call)
                return 0
            self._deadline_known = False
            for message in peer.connection.receive(data, now):
                if not self.backlog.holds(peer, message):
                    self.handle(peer, message)
                if self._end is not None or peer.ending:
                    return 0
            return peer.connection.wanted()
        except Exception as error:
            self.broke(peer, error)
        return 0

    def broke(self, peer: Peer, error: Exception) -> None:
        """What ends the run closed: a violation, a record that can't be kept, our own mistake."""
        if isinstance(error, WorkerViolation):
            self._violated(peer, error)
        else:
            self.stop(ending.internal(ending.known(error, "the session")))

    def closed(self, number: int, now: float) -> None:
        """A worker's channel came to its end."""
        self._deadline_known = False
        self.now = now
        peer = self._peers[number]
        peer.closed = True
        if not peer.exited and not peer.ending:
            peer.close_deadline = now + CLOSE_SECONDS

    def exited(self, number: int, status: ExitStatus, now: float) -> None:
        """A worker is reaped; all it ever wrote was given to `receive` before."""
        self._deadline_known = False
        self.now = now
        peer = self._peers[number]
        peer.exited = True
        peer.start_deadline = peer.close_deadline = None
        self._cpu += status.cpu_seconds
        self._peak = max(self._peak, status.max_rss_bytes)
        self.backlog.resume()
        if not peer.ending:
            if number == MAIN:
                self.stop(ending.by_exit(status, self.policy.limits, self._isolation_known))
            else:
                self.toolbench.lost(peer, ending.by_exit(status, self.policy.limits, True))
        self._conclude()

    def start_failed(self, number: int, error: LlmspellError, now: float) -> None:
        """A worker could not be started."""
        self._deadline_known = False
        self.now = now
        peer = self._peers[number]
        peer.exited = True
        peer.start_deadline = None
        if number == MAIN:
            self.stop(ending.not_started(error))
        else:
            self.toolbench.lost(peer, ending.by_error(error))
        self._conclude()

    def performed(self, token: int, value: Any, now: float) -> None:
        """A service function ended well."""
        self.now = now
        pending = self._performing.pop(token, None)
        if pending is None or self._end is not None:
            return
        try:
            value = self.broker.conclude(pending.method, pending.context, value)
        except LlmspellError as error:
            self._refuse(pending.peer, pending.call, pending.method.name, pending.origin, error)
            return
        self._reply(pending.peer, pending.call, value)

    def not_performed(self, token: int, error: LlmspellError, now: float) -> None:
        """A service function raised."""
        self.now = now
        pending = self._performing.pop(token, None)
        if pending is None or self._end is not None:
            return
        self._refuse(pending.peer, pending.call, pending.method.name, pending.origin, error)

    def outbox(self, number: int, size: int) -> None:
        """How many bytes wait for a worker; one that does not read is ended (IP-16)."""
        peer = self._peers[number]
        peer.waiting = size
        if size > OUTBOX_MAX and self._end is None:
            self._violated(peer, WorkerViolation("the worker does not read", rule="channel"))

    def tick(self, now: float) -> None:
        """Looks at every deadline that has come."""
        self._deadline_known = False
        self.now = now
        if self._end is not None:
            return
        if self.wall_deadline is not None and now >= self.wall_deadline:
            self.stop(ending.limit("wall", self.policy.limits.wall))
            return
        for peer in list(self._peers.values()):
            if peer.exited or peer.ending:
                continue
            try:
                peer.connection.check_time(now)
            except WorkerViolation as error:
                self._violated(peer, error)
                continue
            if peer.start_deadline is not None and now >= peer.start_deadline:
                late = InternalError(f"the worker did not start within {START_SECONDS:g} s")
                self._lost(peer, ending.by_error(late))
            elif peer.close_deadline is not None and now >= peer.close_deadline:
                violation = WorkerViolation("the worker closed its channel", rule="channel")
                self._violated(peer, violation)
            else:
                self.toolbench.check_deadline(peer, now)

    def next_deadline(self) -> float | None:
        """The earliest moment at which `tick` has something to do."""
        if self._deadline_known:
            return self._deadline
        # A run that ended only waits for its workers' exits: no deadline is about it any more.
        earliest = None if self._end is not None else self.wall_deadline
        for peer in self._peers.values():
            if self._end is None and not peer.exited and not peer.ending:
                moment = peer.next_deadline()
                if moment is not None and (earliest is None or moment < earliest):
                    earliest = moment
        self._deadline, self._deadline_known = earliest, True
        return earliest

    @property
    def deadline_moved(self) -> bool:
        """Whether `next_deadline` may say something else than it last did."""
        return not self._deadline_known

    def interrupt(self, reason: str) -> None:
        """The user, or the awaiting task, wants the run to end now."""
        self.stop(ending.killed(reason))

    def invoke(
        self, number: int, callback: Callback, args: list[Any], done: OnReturn, *functions: Place
    ) -> int:
        """Calls a function of a worker's own; `done` gets its value or its error. Its number.
        `functions` are further ones of that worker's, by their places in `args`.
        """
        peer = self._peers[number]
        if len(peer.invokes) >= INVOKES_MAX:
            raise LimitExceeded("invokes", f"over {INVOKES_MAX} callbacks are under way")
        invoke, data = peer.connection.invoke(callback.number, args, functions)
        peer.invokes[invoke] = done
        self._deadline_known = False
        self._send(number, data)
        return invoke

    def take_back(self, number: int, invoke: int) -> None:
        """Takes an invoke back; its answer, if one still comes, is heard by nobody."""
        peer = self._peers[number]
        if invoke in peer.invokes and not peer.ending:
            peer.invokes[invoke] = unheard
            self._send(number, peer.connection.cancel(invoke))

    def remark(self, record: messages.Log) -> None:
        """A log record of a service's, counted and masked like the spell's own."""
        self._show(self.printed.note(record))

    def take_effects(self) -> list[Effect]:
        """The effects since the last call, in the order in which they must happen."""
        taken = self.effects
        self.effects = []
        self.backlog.to_perform = 0
        return taken

    def take_sends(self) -> list[tuple[int, bytes]]:
        """What is to be written since the last call, one item a worker."""
        taken = self.sends
        self.sends = []
        self.backlog.unsent = 0
        return taken if len(taken) == 1 else joined(taken)

    # -- what the tool bench uses --------------------------------------------------------------

    def add_peer(self) -> Peer:
        """Another worker, for tools."""
        number = len(self._peers)
        peer = Peer(number, Role.TOOLS, self.now + START_SECONDS)
        self._peers[number] = peer
        self._deadline_known = False
        return peer

    def tool_peers(self) -> list[Peer]:
        """Every tool worker of the run, also those that ended."""
        return [peer for peer in self._peers.values() if peer.number != MAIN]

    def ended_peers(self) -> frozenset[int]:
        """Workers that are reaped already."""
        return frozenset(number for number, peer in self._peers.items() if peer.exited)

    def _answering(self, peer: Peer, call: int) -> Callable[[Any], None]:
        """What replies to a `tools.execute` of a worker's; its outcome is a value or an error."""

        def answer(outcome: Any) -> None:
            if isinstance(outcome, LlmspellError):
                self._refuse(peer.number, call, "tools.execute", peer.origin, outcome)
            else:
                self._reply(peer.number, call, self.plan.mask(outcome))

        return answer

    def end_peer(self, peer: Peer) -> None:
        """Kills one worker; calls of its own are dropped."""
        if not peer.ending:
            peer.ending = True
            self.backlog.drop(peer)
            if not peer.exited:
                self.effects.append(End(peer.number))
            for token, pending in list(self._performing.items()):
                if pending.peer == peer.number:
                    del self._performing[token]
                    self.effects.append(Abandon(token))

    # -- messages ------------------------------------------------------------------------------

    def handle(self, peer: Peer, message: messages.Message) -> None:
        """Does what one message asks for, in its turn."""
        if isinstance(message, messages.Call):
            self._call(peer, message)
        elif isinstance(message, messages.Output):
            self._show(self.printed.print(message))
        elif isinstance(message, messages.Log):
            self._show(self.printed.note(message))
        elif isinstance(message, messages.Returned):
            done = peer.invokes.pop(message.id, None)
            if done is None:
                raise WorkerViolation("the worker answered what was not asked", rule="channel")
            done(message.value, message.error)
        elif isinstance(message, messages.Cancel):
            self._cancel(peer, message.id)
        elif isinstance(message, messages.Hello):
            self._hello(peer, message)
        elif isinstance(message, messages.Done):
            self.stop(ending.done(message.value, self.plan.services))
        elif isinstance(message, messages.Failed):
            error = from_wire(message.error)
            self.stop(ending.failed(error, self.broker.denials, self.policy.limits))

    def _hello(self, peer: Peer, message: messages.Hello) -> None:
        peer.start_deadline = None
        peer.ready = True
        isolation, refusal = self.plan.judge_isolation(peer.connection.role, message)
        if peer.number == MAIN:
            self._isolation = isolation
            self._isolation_known = True
            self.audit.record("isolation", isolation._asdict())
        if refusal is not None:
            self._lost(peer, ending.by_error(refusal))
            return
        if peer.number == MAIN:
            self._send(MAIN, peer.connection.run(self.plan.run_fields()))
        else:
            self.toolbench.ready(peer)

    def _call(self, peer: Peer, message: messages.Call) -> None:
        number, name = message.id, message.method
        needs = None if peer.number == MAIN else self.toolbench.needs(peer)
        try:
            self.broker.count(name)
            if len(peer.calls) >= OUTSTANDING_MAX:
                raise LimitExceeded(
                    "outstanding", f"over {OUTSTANDING_MAX} calls are under way: wait for some"
                )
            method, context, args = self.broker.admit(name, message.args, peer.origin, needs)
            if name == "tools.execute" and not self.plan.intercepts(args["name"]):
                answer = peer.calls[number] = self._answering(peer, number)
                self.toolbench.execute(context, args, answer)
                return
        except LlmspellError as refused:
            self._refuse(peer.number, number, name, peer.origin, refused)
            if isinstance(refused, LimitExceeded) and refused.limit == "calls":
                self.stop(ending.by_error(refused))
            return
        if self.acts_inline and not self.effects:
            self._act(peer, number, method, context, args)
            return
        token = self._await(peer, number, method, context)
        self.effects.append(Perform(token, method.perform, context, args))
        if self.acts_inline:
            self.backlog.to_perform += 1

    def _act(
        self, peer: Peer, call: int, method: Method, context: CallContext, args: dict[str, Any]
    ) -> None:
        """Performs a call here and now, but for the part of it that must be waited for."""
        try:
            value = method.perform(context, args)
            if type(value) is CoroutineType:
                self.effects.append(Await(self._await(peer, call, method, context), value))
                return
            value = self.broker.conclude(method, context, value)
        except Exception as error:
            self._refuse(peer.number, call, method.name, peer.origin, ending.known(error))
        else:
            self._give(peer, call, value)

    def _await(self, peer: Peer, call: int, method: Method, context: CallContext) -> int:
        token = self._next_token
        self._next_token += 1
        peer.calls[call] = token
        self._performing[token] = Pending(peer.number, call, method, context, peer.origin)
        return token

    def _cancel(self, peer: Peer, call: int) -> None:
        token = peer.calls.pop(call, None)
        if callable(token):
            self.toolbench.withdraw(token)
        elif token is not None and self._performing.pop(token, None) is not None:
            self.effects.append(Abandon(token))

    def _show(self, effect: Effect | None) -> None:
        if effect is not None:
            self.effects.append(effect)
        if self.printed.over:
            self.stop(ending.limit("output", self.policy.limits.output))

    # -- answers -------------------------------------------------------------------------------

    def _send(self, number: int, data: bytes) -> None:
        peer = self._peers[number]
        if peer.ending or peer.exited:
            return
        if self.acts_inline:
            self.sends.append((number, data))
            self.backlog.unsent += len(data)
        else:
            self.effects.append(Send(number, data))

    def _reply(self, number: int, call: int, value: Any) -> None:
        peer = self._peers[number]
        if call in peer.calls:
            del peer.calls[call]
            self._give(peer, call, value)

    def _give(self, peer: Peer, call: int, value: Any) -> None:
        try:
            data = peer.connection.reply(call, value)
        except (Malformed, FrameError) as error:
            too_large = LimitExceeded("message", f"the answer can't be carried: {error}")
            self._refuse(peer.number, call, "reply", peer.origin, too_large)
            return
        self._send(peer.number, data)

    def _refuse(
        self, number: int, call: int, method: str, origin: str, error: LlmspellError
    ) -> None:
        peer = self._peers[number]
        peer.calls.pop(call, None)
        try:
            wire = self.broker.failed(method, origin, error)
        except LlmspellError as failure:
            self.stop(ending.internal(failure))
            return
        self._send(number, peer.connection.refuse(call, wire))

    # -- ends ----------------------------------------------------------------------------------

    def _violated(self, peer: Peer, error: WorkerViolation) -> None:
        peer.connection.state = State.ENDED
        self.stop(ending.by_error(error))

    def _lost(self, peer: Peer, how: ending.Ending) -> None:
        if peer.number == MAIN:
            self.stop(how)
        else:
            self.toolbench.lost(peer, how)

    def stop(self, how: ending.Ending) -> None:
        """Ends the run this way; the first end counts. Every worker is killed at once."""
        if self._end is not None:
            return
        self._end = how
        self._deadline_known = False
        for token in self._performing:
            self.effects.append(Abandon(token))
        self._performing.clear()
        for peer in self._peers.values():
            self.end_peer(peer)

    def _conclude(self) -> None:
        if self._end is None or self.result is not None:
            return
        if any(not peer.exited for peer in self._peers.values()):
            return
        usage = conclusion.usage(
            self.plan,
            wall=self.now - self.begun,
            cpu=self._cpu,
            peak_memory=self._peak,
            output=self.printed.size,
        )
        output = self.printed.kept()
        self.result = conclusion.result(self.plan, self._end, usage, self._isolation, output)
        self.effects.append(Finish())
