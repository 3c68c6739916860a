"""The tools' service: the registry as a spell sees it, its own tools, pipelines (API-053 … 069).

A plain call of a built-in tool never comes here: the session hands it to the tool bench as long as
`intercepts` says no.
"""

from __future__ import annotations

from llmspell.channel import jsontext
from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING, Protocol
from llmspell.spells.api.options import handle_id
from llmspell.spells.ports import Host
from llmspell.spells.tools.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from llmspell.spells.tools.execution import Execution
    from llmspell.spells.tools.pipelines import Pipelines
    from llmspell.supervisor.services import Service
    from llmspell.supervisor.services.context import Args, CallContext


class BenchHost(Host, Protocol):
    """What one run gives the tools' service: built-in tools run in the session's tool workers."""

    async def bench(self, context: Any, name: str, given: Mapping[str, Any]) -> Any:
        """Runs a built-in tool, after a verdict of its own."""


class ToolService:
    """`ports.Tools`, and the functions of the API's `Tools`."""

    def __init__(self, host: BenchHost) -> None:
        self._host = host
        self._registry = Registry(host)
        self._execution: Execution | None = None
        self._pipelines: Pipelines | None = None
        registry = self._registry
        self.table: Mapping[str, Service] = {
            "tools.list": self._list,
            "tools.get": lambda ctx, args: self._handle(args["name"]),
            "tools.search": lambda ctx, args: [_object(x) for x in registry.search(args["query"])],
            "tools.by_category": lambda ctx, args: [
                _object(line) for line in registry.by_category(args["category"])
            ],
            "tools.discover": self._discover,
            "tools.execute": self._execute,
            "tools.create": self._create,
            "tools.register": self._register,
            "tools.unregister": lambda ctx, args: registry.remove(named(args["tool"])),
            "tools.configure": self._configure,
            "tools.get_stats": lambda ctx, args: registry.stats(),
            "tools.create_pipeline": lambda ctx, args: self.pipelines.create(args["config"]),
            "tools.pipeline_execute": lambda ctx, args: self.pipelines.execute(
                args["id"], args.get("input"), ctx.origin
            ),
            "tools.pipeline_steps": lambda ctx, args: self.pipelines.steps(args["id"]),
            "tools.output_schema": lambda ctx, args: self.describe(args["id"])["output_schema"],
            "tools.examples": lambda ctx, args: self.describe(args["id"]).get("examples", []),
            "tools.metadata": self._metadata,
            "tools.can_chain_with": self._can_chain,
            "tools.chain_with": self._chain,
            "tools.function_definition": self._definition,
            "tools.parse_call": self._parse,
        }

    def close(self) -> None:
        """Nothing is held open."""

    # -- the port ------------------------------------------------------------------------------

    def intercepts(self, name: str) -> bool:
        """Whether calls of this tool have to come by here (sync, cheap)."""
        return self._registry.intercepts(name)

    def describe(self, name: str) -> dict[str, Any]:
        """Everything needed to call a tool. Raises `Missing` 2001."""
        described = self._registry.describe(name)
        described.setdefault("output_schema", None)
        return described

    def names(self) -> Sequence[str]:
        """Every tool of the run, sorted."""
        return self._registry.names()

    async def execute(self, name: str, given: Mapping[str, Any], *, origin: str) -> Any:
        """A brokered call of a tool for a service."""
        args = {"name": name, "input": dict(given)}
        return await self._host.call("tools.execute", args, origin=origin)

    # -- calls ---------------------------------------------------------------------------------

    async def _execute(self, ctx: CallContext, args: Args) -> Any:
        from llmspell.spells.tools.execution import Execution, Request

        if self._execution is None:
            self._execution = Execution(self._host, self._registry, self._host.bench)
        return await self._execution.run(ctx, Request(args["name"], args["input"]))

    @property
    def pipelines(self) -> Pipelines:
        """The run's pipelines."""
        if self._pipelines is None:
            from llmspell.spells.tools.pipelines import Pipelines

            self._pipelines = Pipelines(self._host)
        return self._pipelines

    def _list(self, ctx: CallContext, args: Args) -> list[dict[str, Any]]:
        category = args.get("category")
        registry = self._registry
        lines = registry.all() if category is None else registry.by_category(category)
        return [_object(line) for line in lines]

    def _discover(self, ctx: CallContext, args: Args) -> list[dict[str, Any]]:
        words = args.get("capabilities") or []
        if not all(isinstance(word, str) for word in words):
            raise InvalidInput("tools.discover: capabilities must be a list of words")
        least = args.get("min_version", "0")
        return [
            _object(line) for line in self._registry.discover(words, args.get("category"), least)
        ]

    def _handle(self, name: str) -> dict[str, Any]:
        return _object(self.describe(name))

    # -- the spell's own -----------------------------------------------------------------------

    def _create(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        tool = self._registry.create(args.get("name"), args.get("config"), "tools.create")
        self._announce(tool.name)
        return self._handle(tool.name)

    def _register(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """Registers an object with name and execute; a tool that is there already stays."""
        given = args["tool"]
        name = handle_id(given, "tool")
        if name is not None and self._registry.script(name) is not None:
            return self._handle(name)
        tool = self._registry.create(None, given, "tools.register")
        self._announce(tool.name)
        return self._handle(tool.name)

    def _announce(self, name: str) -> None:
        self._host.events.emit("tool_registered", {"tool_name": name}, f"tool:{name}")

    def _configure(self, ctx: CallContext, args: Args) -> bool:
        self._registry.configure(named(args["tool"]), args.get("config"), "tools.configure")
        return True

    # -- methods of a tool ---------------------------------------------------------------------

    def _metadata(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        described = self.describe(args["id"])
        wanted = (
            *("name", "description", "category", "version", "capabilities", "input_schema"),
            *("output_schema", "examples", "security_level", "required_permissions", "limits"),
            "metadata",
        )
        found = {name: described[name] for name in wanted if name in described}
        return {**found, "performance": self._registry.guard(described["name"]).stats()}

    def _can_chain(self, ctx: CallContext, args: Args) -> bool:
        from llmspell.spells.tools.chaining import can_chain

        return can_chain(self.describe(args["id"]), self.describe(named(args["other"])))

    async def _chain(self, ctx: CallContext, args: Args) -> Any:
        """Runs this tool, then the other on its result; both are brokered calls."""
        from llmspell.spells.tools.chaining import as_input

        other = self.describe(named(args["other"]))
        first = await self.execute(args["id"], args["input"], origin=ctx.origin)
        result = first.get("result") if isinstance(first, dict) else first
        return await self.execute(other["name"], as_input(result, other), origin=ctx.origin)

    def _definition(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        described = self.describe(args["id"])
        return {
            "name": described["name"],
            "description": described["description"],
            "parameters": described["input_schema"],
        }

    def _parse(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """The input that a model's function call means."""
        call = args["function_call"]
        inner = call.get("function")
        if isinstance(inner, dict):
            call = inner
        if call.get("name") not in (None, args["id"]):
            raise InvalidInput(f"the call is of {str(call['name'])[:64]}, not of {args['id']}")
        given = call.get("arguments", call.get("parameters", {}))
        if isinstance(given, str):
            try:
                given = jsontext.decode(given.encode("utf-8", "replace") or b"{}")
            except jsontext.Malformed as error:
                raise InvalidInput(f"the call's arguments are no JSON: {error}") from None
        if given is None or given == []:
            given = {}
        if not isinstance(given, dict):
            raise InvalidInput("the call's arguments are no object")
        own = self._registry.script(args["id"])
        checked: dict[str, Any] = given if own is None else own.check_input(given, "arguments")
        return checked


def named(given: Any) -> str:
    """The name of a tool given by name, or as the object it is. Raises `InvalidInput`."""
    if isinstance(given, dict):
        given = handle_id(given, "tool") or given.get("name")
    if not isinstance(given, str):
        raise InvalidInput("a tool is given by its name, or as an object that Tools gave")
    return given


def _object(described: dict[str, Any]) -> dict[str, Any]:
    return {"handle": "tool", "id": described["name"], **described}
