"""`orchestrator.*`: collaborations of agents; the engine is in `spells/orchestration`."""

from __future__ import annotations

from llmspell.errors import InvalidInput, from_wire
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.options import handle_id

if TYPE_CHECKING:
    from typing import Any

    from llmspell.spells.orchestration.engine import Orchestra
    from llmspell.spells.orchestration.model import Collaboration
    from llmspell.spells.ports import Host
    from llmspell.supervisor.services.context import Args, CallContext


class OrchestrationService:
    """The collaborations of one run as brokered functions."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._made: Orchestra | None = None
        self.table = {
            "orchestrator.register_agent": self.register_agent,
            "orchestrator.start": self.start,
            "orchestrator.get": self.get,
            "orchestrator.execute": self.execute,
            "orchestrator.run": self.run,
            "orchestrator.status": self.status,
            "orchestrator.execute_in": self.execute_in,
            "orchestrator.messages": self.messages,
            "orchestrator.share": self.share,
            "orchestrator.delegate": self.delegate,
            "orchestrator.negotiate": self.negotiate,
            "orchestrator.vote": self.vote,
            "orchestrator.adapt": self.adapt,
            "orchestrator.handle_failure": self.handle_failure,
            "orchestrator.generate": self.generate,
        }

    def close(self) -> None:
        """Holds nothing that must be let go."""

    def register_agent(self, ctx: CallContext, args: Args) -> None:
        """Another name for an agent."""
        self._orchestra.register(args["name"], args["agent"])

    def start(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """A session."""
        return _handle(self._started(args))

    def get(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """A session by its id."""
        return _handle(self._orchestra.session(args["session"]))

    async def execute(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """Runs a workflow of agents in a session."""
        return await self._orchestra.execute(self._session(args), args["workflow"])

    async def execute_in(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """The same for a session given as an object, or by its id (ORC-002)."""
        given = handle_id(args["session"], "collaboration") or args["session"]
        if not isinstance(given, str):
            raise InvalidInput("execute_collaborative_workflow needs a collaboration")
        return await self._orchestra.execute(self._orchestra.session(given), args["workflow"])

    async def run(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """A session for one workflow."""
        return await self._orchestra.execute(self._started(args), args["workflow"])

    def status(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """State, participants and what they share."""
        return self._session(args).tell()

    def messages(self, ctx: CallContext, args: Args) -> list[dict[str, Any]]:
        """Questions and answers, oldest first."""
        history = self._session(args).history
        return list(history[-args["limit"] :])

    def share(self, ctx: CallContext, args: Args) -> None:
        """Adds to what all participants are told."""
        self._session(args).share(args["context"])

    async def delegate(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """One task for one agent."""
        return await self._orchestra.delegate(
            self._session(args), args["agent"], args["task"], args.get("sender")
        )

    async def negotiate(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """Bids for a task."""
        return await self._orchestra.negotiate(self._session(args), args["task"], args["options"])

    async def vote(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """A vote on texts."""
        return await self._orchestra.vote(
            self._session(args), args["question"], args["choices"], args["options"]
        )

    def adapt(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """The change that conditions ask for."""
        session = self._session(args)
        return self._orchestra.adapt(session, args["workflow"], args["conditions"])

    def handle_failure(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """What would be done about an agent's failure."""
        from llmspell.spells.recovery.parsing import parse_error

        error = from_wire(parse_error(args["error"]))
        return self._orchestra.failure(self._session(args), args["agent"], error)

    def generate(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """A workflow for requirements."""
        return self._orchestra.generate(args["requirements"], args["agents"])

    @property
    def _orchestra(self) -> Orchestra:
        if self._made is None:
            from llmspell.spells.orchestration.engine import Orchestra

            self._made = Orchestra(self._host)
        return self._made

    def _started(self, args: Args) -> Collaboration:
        return self._orchestra.start(
            args["agents"], args["strategy"], args["context"], args["options"]
        )

    def _session(self, args: Args) -> Collaboration:
        return self._orchestra.session(args["id"])


def _handle(session: Collaboration) -> dict[str, Any]:
    return {
        "handle": "collaboration",
        "id": session.id,
        "name": session.id,
        "session_id": session.id,
        "strategy": session.strategy,
        "participants": [one.name for one in session.participants],
    }
