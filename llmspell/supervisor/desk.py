"""What a session offers to its own services: `spells.ports.Host`, over broker and channel.

A service that acts for an agent or a workflow comes by here and so takes every step of the broker
that a call of the spell's own would take. Used from the asyncio driver's tasks only.
"""

from __future__ import annotations

from contextvars import ContextVar
from time import monotonic

from llmspell.channel.framing import FrameError
from llmspell.channel.jsontext import Malformed
from llmspell.channel.messages import Log
from llmspell.errors import (
    InvalidInput,
    LimitExceeded,
    LlmspellError,
    OperationFailed,
    from_wire,
)
from llmspell.records import TYPE_CHECKING
from llmspell.spells.ports import DEPTH_MAX
from llmspell.supervisor import ending
from llmspell.supervisor.peers import MAIN

if TYPE_CHECKING:
    from asyncio import Future
    from collections.abc import Mapping, Sequence
    from typing import Any

    from llmspell.channel.jsontext import Callback, Place
    from llmspell.policies.budget import Budget
    from llmspell.policies.policy import Policy
    from llmspell.spells.ports import Agents, Events, Hooks, Models, State, Tools, Workflows
    from llmspell.supervisor.broker import CallContext
    from llmspell.supervisor.services import Services
    from llmspell.supervisor.services.storage import Storage
    from llmspell.supervisor.session import Session


_depth: ContextVar[int] = ContextVar("depth", default=0)
"""How deep agents, tools and workflows have called each other, in each task."""


def _expire(future: Future[Any]) -> None:
    if not future.done():
        future.set_exception(TimeoutError())


class Desk:
    """One run's `Host`."""

    def __init__(self, session: Session, services: Services) -> None:
        self._session = session
        self._services = services
        self.plan = session.plan

    @property
    def session(self) -> str:
        """The session's id."""
        return self.plan.session

    @property
    def running(self) -> Session:
        """The session itself: for the services that tighten it or run others under it."""
        return self._session

    @property
    def engine(self) -> str:
        """The spell's language."""
        return self.plan.spell.engine

    @property
    def spell_name(self) -> str:
        """The spell's name, as it is shown."""
        return self.plan.spell.name

    @property
    def spell_path(self) -> str | None:
        """The spell's file, or None for one given as text."""
        return self.plan.spell.path

    @property
    def tenant(self) -> str | None:
        """Whom the run is for; None on a user's own machine."""
        return self.plan.tenant

    @property
    def policy(self) -> Policy:
        """The run's policy."""
        return self.plan.broker.policy

    @property
    def budget(self) -> Budget:
        """What is left of the run's limits."""
        return self.plan.budget

    # -- the other services --------------------------------------------------------------------

    @property
    def hooks(self) -> Hooks:
        """The run's hook points."""
        service: Hooks = self._services.service("hooks")
        return service

    @property
    def events(self) -> Events:
        """The run's event bus."""
        service: Events = self._services.service("events")
        return service

    @property
    def models(self) -> Models:
        """The run's models."""
        service: Models = self._services.service("llm")
        return service

    @property
    def tools(self) -> Tools:
        """The run's tools, the spell's own among them."""
        service: Tools = self._services.service("tools")
        return service

    @property
    def agents(self) -> Agents:
        """The run's agents."""
        service: Agents = self._services.service("agent")
        return service

    @property
    def workflows(self) -> Workflows:
        """The run's workflows."""
        service: Workflows = self._services.service("workflow")
        return service

    @property
    def state(self) -> State:
        """The run's kept values."""
        service: State = self._services.service("storage")
        return service

    @property
    def run_values(self) -> Storage:
        """The memory behind the scope `run`."""
        return self._services.storage

    # -- acts ----------------------------------------------------------------------------------

    def now(self) -> float:
        """Monotonic seconds."""
        return monotonic()

    async def call(self, method: str, args: Mapping[str, Any], *, origin: str) -> Any:
        """A brokered call of a service's own; see `Host.call`."""
        session, broker = self._session, self.plan.broker
        depth = self._enter()
        try:
            try:
                broker.count(method)
            except LimitExceeded as error:
                session.stop(ending.by_error(error))
                session.wake()
                raise
            try:
                found, context, checked = broker.admit(method, args, origin, None)
                value = found.perform(context, checked)
                if hasattr(value, "__await__"):
                    value = await value
                return broker.conclude(found, context, value)
            except LlmspellError as error:
                broker.failed(method, origin, error)
                raise
        finally:
            _depth.reset(depth)

    async def invoke(
        self,
        function: Callback,
        args: Sequence[Any],
        *,
        seconds: float | None = None,
        functions: Sequence[Place] = (),
    ) -> Any:
        """Calls a function of the spell's; see `Host.invoke`."""
        import asyncio

        session = self._session
        loop = asyncio.get_running_loop()
        future: Future[Any] = loop.create_future()

        def done(value: Any, error: dict[str, Any] | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(from_wire(error))

        try:
            number = session.invoke(MAIN, function, list(args), done, functions)
        except (Malformed, FrameError) as error:
            raise InvalidInput(f"what the function is given can't be carried: {error}") from None
        session.wake()
        # Not `wait_for`: it costs every call of a spell's function another turn of the loop.
        timer = None if seconds is None else loop.call_later(seconds, _expire, future)
        try:
            return await future
        except (TimeoutError, asyncio.CancelledError) as ended:
            session.take_back(MAIN, number)
            session.wake()
            if isinstance(ended, asyncio.CancelledError):
                raise
            raise OperationFailed(
                f"a function of the spell's did not answer within {seconds:g} s",
                kind="timeout",
            ) from None
        finally:
            if timer is not None:
                timer.cancel()

    async def bench(self, context: CallContext, name: str, given: Mapping[str, Any]) -> Any:
        """Runs a built-in tool in a tool worker, after its verdict in `context`."""
        import asyncio

        session = self._session
        future: Future[Any] = asyncio.get_running_loop().create_future()

        def answer(outcome: Any) -> None:
            if future.done():
                return
            if isinstance(outcome, LlmspellError):
                future.set_exception(outcome)
            else:
                future.set_result(outcome)

        session.toolbench.execute(context, {"name": name, "input": dict(given)}, answer)
        session.wake()
        try:
            return await future
        except asyncio.CancelledError:
            session.toolbench.withdraw(answer)
            raise

    def note(self, level: str, message: str, fields: Mapping[str, Any] | None = None) -> None:
        """A log record of a service's."""
        session = self._session
        session.remark(Log(level, message, dict(fields or {})))
        session.wake()

    def record(self, event: str, fields: Mapping[str, Any]) -> None:
        """An audit record."""
        self.plan.audit.record(event, fields)

    def mask(self, value: Any) -> Any:
        """The value without any secret this process knows."""
        return self.plan.mask(value)

    # -- inside --------------------------------------------------------------------------------

    def _enter(self) -> Any:
        depth = _depth.get()
        if depth >= DEPTH_MAX:
            raise LimitExceeded(
                "depth", f"agents, tools and workflows call each other over {DEPTH_MAX} deep"
            )
        return _depth.set(depth + 1)
