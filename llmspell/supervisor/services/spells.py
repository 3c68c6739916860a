"""`spell.*`: created spells, cast over the workflows (API-028 … API-030), and spells' files."""

from __future__ import annotations

from llmspell.errors import LimitExceeded, Missing
from llmspell.records import TYPE_CHECKING, NamedTuple
from llmspell.spells.api.options import handle_id
from llmspell.spells.plain import Room
from llmspell.spells.workflows.model import NAME_MAX
from llmspell.spells.workflows.options import Options, mapping, wrong
from llmspell.spells.workflows.strategies import read_strategy

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final

    from llmspell.policies.policy import Policy
    from llmspell.spells.ports import Host
    from llmspell.supervisor.services.context import Args, CallContext
    from llmspell.supervisor.services.nested import NestedRuns

SPELLS_MAX: Final = 256
"""Spells that one run may create."""

_WITHOUT_EFFECT: Final = ("memory_limit", "max_memory")
"""Bounds that a running spell can't move: the profile's limit is what holds."""


class Made(NamedTuple):
    """One created spell."""

    id: str
    name: str
    description: str
    workflow: str
    options: dict[str, Any]


class SpellService:
    """The wire calls `spell.*` of one run."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._spells: dict[str, Made] = {}
        self._nested: NestedRuns | None = None
        self._room = Room("the spells that a run creates come to")
        self.table: dict[str, Callable[[CallContext, Args], Any]] = {
            "spell.create": self._create,
            "spell.cast": self._cast,
            "spell.get_config": self._config,
            "spell.run_file": self.run_file,
        }
        for kind in ("retry", "fallback", "cascade"):
            self.table[f"spell.strategy_{kind}"] = self._strategy(kind)

    def close(self) -> None:
        """Forgets every spell, and ends the files that are still under way. Idempotent."""
        self._spells.clear()
        if self._nested is not None:
            self._nested.close()

    def narrow(self, policy: Policy) -> None:
        """The run was tightened: so are the files that are under way."""
        if self._nested is not None:
            self._nested.narrow(policy)

    def end_records(self) -> None:
        """Writes the ends of the files that are still under way; the run's own end follows."""
        if self._nested is not None:
            self._nested.end_records()

    async def run_file(self, context: CallContext, args: Args) -> dict[str, Any]:
        """Runs another spell's file in a worker of its own."""
        if self._nested is None:
            from llmspell.supervisor.services.nested import NestedRuns

            # A nested session needs the whole desk: the plan of the run it belongs to.
            desk: Any = self._host
            self._nested = NestedRuns(desk)
        return await self._nested.run_file(context, args)

    async def _create(self, context: CallContext, args: Args) -> dict[str, Any]:
        if len(self._spells) >= SPELLS_MAX:
            raise LimitExceeded("spells", f"a run creates at most {SPELLS_MAX} spells")
        self._room.take(args["config"])
        options = Options(args["config"], "Spell.create", self._host.engine)
        identity = f"spell-{len(self._spells) + 1}"
        name = options.text("name", maximum=NAME_MAX) or identity
        options.where = f"spell {name}"
        strategy = options.take("error_strategy", "error_handling")
        if strategy is not None:
            read_strategy(strategy, options.where, self._host.engine)
        resources = mapping(options.take("resources"), options.where, "resources")
        workflow = await self._workflow(options, name)
        overlay = {"resources": resources} if resources else {}
        if strategy is not None:
            overlay["error_strategy"] = strategy
        idle = [key for key in _WITHOUT_EFFECT if key in resources]
        if idle:
            self._host.note(
                "warn", f"spell {name}: {', '.join(idle)} has no effect; the profile's limit holds"
            )
        made = Made(identity, name, options.text("description"), workflow, overlay)
        self._spells[identity] = made
        return {"handle": "spell", "id": identity, "name": name, "description": made.description}

    async def _workflow(self, options: Options, name: str) -> str:
        given = options.take("workflow")
        if given is None and options.take("steps") is not None:
            given = {"name": name, "steps": options.take("steps")}
        if given is None:
            raise wrong(options.where, "it needs a workflow")
        if isinstance(given, (list, dict)) and handle_id(given, "workflow") is None:
            made = await self._host.call(
                "workflow.create", {"definition": given}, origin=f"spell:{name}"
            )
            identity: str = made["id"]
            return identity
        wanted = handle_id(given, "workflow") or given
        found = self._host.workflows.find(wanted) if isinstance(wanted, str) else None
        if found is None:
            raise Missing(f"spell {name}: there is no such workflow", code=3001, kind="not_found")
        return found

    async def _cast(self, context: CallContext, args: Args) -> Any:
        made = self._named(args["id"])
        call = {"id": made.workflow, "options": made.options}
        if "input" in args:
            call["input"] = args["input"]
        return await self._host.call("workflow.execute", call, origin=f"spell:{made.name}")

    def _config(self, context: CallContext, args: Args) -> dict[str, Any]:
        made = self._named(args["id"])
        return {
            "name": made.name,
            "description": made.description,
            "workflow": made.workflow,
            **made.options,
        }

    def _strategy(self, kind: str) -> Callable[[CallContext, Args], dict[str, Any]]:
        def make(context: CallContext, args: Args) -> dict[str, Any]:
            strategy = {**args["config"], "type": kind}
            read_strategy(strategy, f"ErrorStrategy.{kind}", self._host.engine)
            return strategy

        return make

    def _named(self, identity: str) -> Made:
        made = self._spells.get(identity)
        if made is None:
            raise Missing(f"there is no spell {identity}", code=3001, kind="not_found")
        return made
