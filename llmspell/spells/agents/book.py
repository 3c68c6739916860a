"""The agents of one run: making, finding, and what their tools are (CON-018, API-045 … 047)."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from llmspell.channel.jsontext import Callback
from llmspell.errors import InvalidInput, LimitExceeded, LlmspellError, Missing, OperationFailed
from llmspell.spells.agents import handoff, settings, values
from llmspell.spells.agents.agent import Agent
from llmspell.spells.agents.toolbox import (
    MESSAGE_SCHEMA,
    WORKFLOW_SCHEMA,
    AgentTool,
    Toolbox,
    shown_name,
)
from llmspell.spells.api.class_tools import OLD_NAMES
from llmspell.spells.api.options import handle_id, normalise
from llmspell.spells.events import names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmspell.spells.agents.settings import Settings
    from llmspell.spells.ports import Host

AGENTS_MAX: Final = 128
"""Agents of one run; those that were shut down don't count."""

ENDED_MAX: Final = 1_024
"""Agents that were shut down whose ids are still told apart from wrong ones."""

STATE_KEY: Final = "agent_state:"
"""Where an agent's state is kept (STO-007), followed by its name."""


class AgentBook:
    """Every agent of a run by id and name."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._agents: dict[str, Agent] = {}
        self._ended: dict[str, str] = {}
        self._inline: dict[str, Callback] = {}
        self._made = 0

    def __iter__(self) -> Any:
        return iter(self._agents.values())

    def find(self, name_or_id: str) -> Agent | None:
        """An agent by id, else the newest of that name."""
        found = self._agents.get(name_or_id)
        if found is None:
            for agent in reversed(self._agents.values()):
                if agent.name == name_or_id:
                    return agent
        return found

    def get(self, given: Any) -> Agent:
        """The agent of a name, an id or a handle. Raises `Missing` 1001."""
        wanted = handle_id(given, "agent") or handle_id(given, "agent_tool") or given
        found = self.find(wanted) if isinstance(wanted, str) else None
        if found is None and isinstance(wanted, str) and wanted in self._ended:
            raise OperationFailed(
                f"the agent {self._ended[wanted]} was shut down", code=1003, kind="state"
            )
        if found is None:
            shown = str(wanted)[:60] if isinstance(wanted, str) else "that"
            names = ", ".join(sorted({agent.name for agent in self._agents.values()})[:20])
            raise Missing(
                f"there is no agent {shown!r}",
                code=1001,
                hint=f"there are {names}" if names else "make one with Agent.create first",
            )
        return found

    def discover(self, query: str, capabilities: list[str]) -> list[Agent]:
        """Agents with all these capabilities, best fit of the words first."""
        words = query.lower().replace("_", " ").split()
        scored = []
        for agent in self._agents.values():
            own = {word.lower() for word in agent.settings.capabilities}
            if not all(word.lower() in own for word in capabilities):
                continue
            text = " ".join((agent.name, agent.settings.description, agent.settings.type, *own))
            text = text.lower().replace("_", " ")
            score = sum(word in text for word in words)
            if score or not words:
                scored.append((-score, agent))
        scored.sort(key=lambda pair: pair[0])
        return [agent for _, agent in scored]

    async def create(
        self,
        given: Mapping[str, Any],
        *,
        template: str | None = None,
        missing_ok: bool = False,
    ) -> Agent:
        """A new agent of merged or unmerged settings.

        `missing_ok`: tools that don't exist are left out with a warning, as for templates.
        Raises `InvalidInput` 1004, `Missing` 1008, `LimitExceeded`.
        """
        self._check_room()
        with values.naming("Agent.create"):
            agent = await self._made_of(given, template, missing_ok)
        read = agent.settings
        if read.unknown:
            listed = ", ".join(read.unknown[:20])
            self.host.note("warn", f"Agent.create: {listed}: kept, but nothing uses it")
        if read.memory.persistence:
            await self.load(agent)
        self._check_room()
        self._agents[agent.id] = agent
        self.host.events.emit(
            names.AGENT_CREATED, {"agent_id": agent.id, "agent": agent.name}, agent.origin
        )
        return agent

    def _check_room(self) -> None:
        if len(self._agents) >= AGENTS_MAX:
            raise LimitExceeded(
                "agents",
                f"a run has at most {AGENTS_MAX} agents at a time",
                hint="shutdown() lets one go",
            )

    async def _made_of(
        self, given: Mapping[str, Any], template: str | None, missing_ok: bool
    ) -> Agent:
        raw = settings.merged(given)
        number = self._made + 1
        read = settings.read(raw, f"agent_{number}", self.host.engine, free=template is not None)
        self._add_template(read)
        agent = Agent(f"agent-{number}", self.host.session, read, self.host.now())
        agent.template = template
        self._made = number
        self.set_hooks(agent, read.hooks)
        await self._equip(agent, read, missing_ok)
        return agent

    async def update(self, agent: Agent, changes: Mapping[str, Any]) -> None:
        """Changes settings; limits can only become tighter. Raises as `create`, and `Denied`."""
        with values.naming("agent.update_config"):
            await self._updated(agent, changes)

    async def _updated(self, agent: Agent, changes: Mapping[str, Any]) -> None:
        changed = settings.merged(changes)
        raw = {**agent.settings.raw, **changed}
        if "system_prompt_template" in changed and "system_prompt" not in changed:
            raw.pop("system_prompt", None)
        read = settings.read(raw, agent.name, self.host.engine, free=True)
        self._add_template(read)
        settings.check_tighter(agent.settings.limits, read.limits)
        before = agent.settings
        if "tools" in changed or "handoffs" in changed:
            await self._equip(agent, read, missing_ok=False)
        if "hooks" in changed:
            self.set_hooks(agent, read.hooks)
        agent.settings = read
        agent.memory.configure(read.memory)
        agent.lessons.configure(read.learning)
        if read.limits != before.limits or read.strategy.breaker != before.strategy.breaker:
            agent.limit(self.host.now())

    def _add_template(self, read: Settings) -> None:
        """A `prompt_template` of an agent's own becomes part of its prompt (X17)."""
        if read.prompt_template is not None:
            from llmspell.spells.agents.prompts import rendered

            text = rendered(self.host, read.prompt_template, read.raw)
            read.system_prompt = "\n\n".join(part for part in (read.system_prompt, text) if part)
            read.raw["system_prompt"] = read.system_prompt
            del read.raw["system_prompt_template"]

    def set_hooks(self, agent: Agent, given: Mapping[str, list[Any]]) -> None:
        """Makes these the agent's own hooks, checked. Raises `InvalidInput`."""
        prepared = {
            point: self.host.hooks.prepare(hooks, f"Agent hooks.{point}")
            for point, hooks in given.items()
            if hooks and point != "on_error"
        }
        agent.error_handlers = settings.error_handlers(given.get("on_error", []))
        agent.hooks, agent.given_hooks = prepared, {key: list(one) for key, one in given.items()}

    async def end(self, agent: Agent) -> None:
        """Ends an agent, and with it the tools that only its settings held."""
        self.shut_down(agent)
        for name in agent.own_tools:
            self._inline.pop(name, None)
            await self.host.call("tools.unregister", {"tool": name}, origin=agent.origin)

    def shut_down(self, agent: Agent) -> None:
        """Ends an agent; its place is free."""
        agent.is_shut_down = True
        agent.memory.clear()
        agent.facts.clear()
        if self._agents.pop(agent.id, None) is not None:
            self._ended[agent.id] = agent.name
            if len(self._ended) > ENDED_MAX:
                del self._ended[next(iter(self._ended))]

    # -- tools ---------------------------------------------------------------------------------

    async def _equip(self, agent: Agent, read: Settings, missing_ok: bool) -> None:
        toolbox, missing = Toolbox(), []
        for item in read.tools:
            try:
                await self.add_tool(agent, toolbox, item)
            except Missing:
                if not missing_ok:
                    raise
                missing.append(_name_of(item))
        if missing:
            self.host.note(
                "warn", f"the agent {read.name} goes without {', '.join(missing)}: no such tool"
            )
        agent.specialists = [self._specialist(item, read) for item in read.handoffs]
        agent.toolbox, agent.missing_tools = toolbox, missing

    async def add_tool(self, agent: Agent, toolbox: Toolbox, item: Any) -> None:
        """Adds a tool given by name, handle, or as a table with its function (API-039).

        Raises `Missing` 1008, `InvalidInput` 1004, `OperationFailed` 1003 for a circle of agents.
        """
        if len(toolbox) >= settings.TOOLS_MAX:
            raise LimitExceeded("agent_tools", f"an agent has at most {settings.TOOLS_MAX} tools")
        if _name_of(item) == handoff.FINDER:
            toolbox.finds_agents = True
            return
        toolbox.add(await self._tool(agent, item))

    async def _tool(self, agent: Agent, item: Any) -> AgentTool:
        for kind in ("agent", "agent_tool"):
            if handle_id(item, kind) is not None:
                return self._agent_tool(agent, self.get(item), item if kind != "agent" else {})
        workflow = handle_id(item, "workflow")
        if workflow is not None:
            name = values.text(item.get("name") or workflow, "a workflow's name", 128)
            about = f"Runs the workflow {name}."
            return AgentTool("workflow", name, workflow, shown_name(name), about, WORKFLOW_SCHEMA)
        name = _name_of(item)
        function = item.get("execute") if isinstance(item, dict) else None
        if isinstance(function, Callback):
            return await self._inline_tool(agent, name, function, item)
        return self._described(name)

    def _described(self, name: str) -> AgentTool:
        try:
            about = self.host.tools.describe(name)
        except Missing as error:
            if name in OLD_NAMES:
                return self._described(OLD_NAMES[name])
            raise Missing(
                f"there is no tool {name[:60]!r} for the agent", code=1008, hint=error.hint
            ) from None
        parameters = about.get("parameters", about.get("input_schema"))
        if not isinstance(parameters, dict):
            parameters = {"type": "object", "properties": {}}
        description = str(about.get("description") or name)
        return AgentTool("tool", name, name, shown_name(name), description, parameters)

    async def _inline_tool(
        self, agent: Agent, name: str, function: Callback, item: dict[str, Any]
    ) -> AgentTool:
        """A function given in the settings becomes a tool of the run, judged like all.

        Another function of the same name gets a name of its own in the run; the model, and the
        verdict, know it by the name it was given.
        """
        taken = set(self.host.tools.names())
        if self._inline.get(name) == function:
            return self._described(name)
        if name in taken and name not in self._inline and not _is_built_in(name):
            # An object that the spell registered as a tool already.
            return self._described(name)
        target = name
        if name in self._inline:
            target = next(free for free in (f"{name}_{n}" for n in count(2)) if free not in taken)
        given = {**normalise(item), "name": target}
        await self.host.call("tools.create", {"name": target, "config": given}, origin=agent.origin)
        self._inline[target] = function
        agent.own_tools.append(target)
        tool = self._described(target)
        if target == name:
            return tool
        return replace(tool, kind="inline", name=name, shown=shown_name(name))

    def _agent_tool(self, owner: Agent, inner: Agent, named: Mapping[str, Any]) -> AgentTool:
        circle = self.circle(owner, inner)
        if circle:
            raise recursion(circle)
        name = named.get("name") or inner.name
        about = named.get("description") or inner.settings.description
        return AgentTool(
            "agent",
            values.text(name, "a tool's name", 128),
            inner.id,
            shown_name(name),
            values.text(about or f"Asks the agent {inner.name}.", "a tool's description", 4_096),
            MESSAGE_SCHEMA,
        )

    def circle(self, owner: Agent, inner: Agent) -> list[str]:
        """The names on the way from `inner` back to `owner` through their tools, if there is."""
        trail: list[tuple[Agent, list[str]]] = [(inner, [owner.name, inner.name])]
        seen: set[str] = set()
        while trail:
            agent, names = trail.pop()
            if agent is owner:
                return names
            if agent.id in seen:
                continue
            seen.add(agent.id)
            for tool in agent.toolbox:
                follower = self._agents.get(tool.target) if tool.kind == "agent" else None
                if follower is not None:
                    trail.append((follower, [*names, follower.name]))
        return []

    def _specialist(self, item: Any, read: Settings) -> handoff.Specialist:
        default = handoff.read_filter(read.handoff_filter, handoff.StateFilter())
        if isinstance(item, str):
            known = self.find(item)
            about = known.settings.description if known is not None else ""
            return handoff.Specialist(item, about, default)
        table = values.table(item, "a specialist")
        target = table if "handle" in table else table.get("agent", table.get("name"))
        own = self.get(target) if isinstance(target, dict) else None
        name = own.id if own is not None else values.text(target, "a specialist's agent", 128)
        if own is not None and self.find(own.name) is own:
            name = own.name
        about = table.get("description") or (own.settings.description if own is not None else "")
        passing = table.get("state_filter") if "handle" not in table else None
        return handoff.Specialist(
            name,
            values.text(about, "a specialist's description", 4_096),
            handoff.read_filter(passing, default),
        )

    # -- kept state ----------------------------------------------------------------------------

    async def save(self, agent: Agent) -> dict[str, Any]:
        """Keeps the agent for later runs of this spell; what was kept (API-041)."""
        snapshot = agent.snapshot()
        await self.host.state.set("spell", STATE_KEY + agent.name, snapshot)
        return snapshot

    async def load(self, agent: Agent) -> bool:
        """Brings back what was kept; False when there is nothing."""
        snapshot = await self.host.state.get("spell", STATE_KEY + agent.name)
        if snapshot is None:
            return False
        agent.restore(snapshot)
        return True


def _is_built_in(name: str) -> bool:
    from llmspell.tools import registry

    try:
        return registry.entry(name).name == name
    except LlmspellError:
        return False


def recursion(names: list[str]) -> LlmspellError:
    """The error for agents that are each other's tools in a circle (TRT-028)."""
    return OperationFailed(
        f"agents call each other in a circle: {' → '.join(names[:20])}",
        code=1003,
        kind="recursion",
        hint="an agent that is a tool must not reach itself",
    )


def _name_of(item: Any) -> str:
    if isinstance(item, str):
        return values.text(item, "a tool's name", 128)
    if isinstance(item, dict):
        identity = handle_id(item, "tool")
        name = item.get("name") or identity
        if isinstance(name, str):
            return values.text(name, "a tool's name", 128)
    raise InvalidInput(
        "a tool is a name, what Tools.get or Tools.create gave, an agent, a workflow, or a table "
        "with name and execute",
        code=1004,
    )
