"""What an agent keeps and how it is set up: memory, state, tools, settings, life."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.agents import settings, values
from llmspell.spells.agents.memory import checked_message
from llmspell.spells.agents.shown import config_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from llmspell.spells.agents.book import AgentBook
    from llmspell.spells.ports import Host
    from llmspell.supervisor.services import Service
    from llmspell.supervisor.services.context import CallContext

    Args = dict[str, Any]


class AgentKeeping:
    """The functions of the class agent that ask no model."""

    def __init__(self, host: Host, book: AgentBook) -> None:
        self._host = host
        self.book = book
        self.table: Mapping[str, Service] = {
            "agent.remember": self._remember,
            "agent.recall": self._recall,
            "agent.forget": self._forget,
            "agent.history": self._history,
            "agent.add_to_history": self._add_to_history,
            "agent.clear_history": self._clear_history,
            "agent.learning_config": self._learning_config,
            "agent.clear_lessons": self._clear_lessons,
            "agent.get_state": self._get_state,
            "agent.set_state": self._set_state,
            "agent.clear_state": self._clear_state,
            "agent.save_state": self._save_state,
            "agent.restore_state": self._restore_state,
            "agent.add_tool": self._add_tool,
            "agent.remove_tool": self._remove_tool,
            "agent.list_tools": self._list_tools,
            "agent.get_config": self._get_config,
            "agent.update_config": self._update_config,
            "agent.system_prompt": self._system_prompt,
            "agent.set_system_prompt": self._set_system_prompt,
            "agent.register_hook": self._register_hook,
            "agent.unregister_hook": self._unregister_hook,
            "agent.initialize": self._initialize,
            "agent.shutdown": self._shutdown,
            "agent.health": self._health,
            "agent.token_usage": self._token_usage,
            "agent.estimated_cost": self._estimated_cost,
        }

    # -- memory and state ----------------------------------------------------------------------

    def _remember(self, ctx: CallContext, args: Args) -> None:
        self.book.get(args["id"]).facts.remember(args["key"], args["value"])

    def _recall(self, ctx: CallContext, args: Args) -> Any:
        return self.book.get(args["id"]).facts.recall(args["key"])

    def _forget(self, ctx: CallContext, args: Args) -> bool:
        return self.book.get(args["id"]).facts.forget(args["key"])

    def _history(self, ctx: CallContext, args: Args) -> list[dict[str, Any]]:
        return self.book.get(args["id"]).memory.messages()

    def _add_to_history(self, ctx: CallContext, args: Args) -> None:
        message = args["message"]
        if isinstance(message, str):
            message = {"role": args.get("role", "user"), "content": message}
        self.book.get(args["id"]).memory.add([checked_message(message)])

    def _clear_history(self, ctx: CallContext, args: Args) -> None:
        self.book.get(args["id"]).memory.clear()

    def _learning_config(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        return self.book.get(args["id"]).lessons.to_wire()

    def _clear_lessons(self, ctx: CallContext, args: Args) -> None:
        self.book.get(args["id"]).lessons.clear()

    def _get_state(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        return self.book.get(args["id"]).get_state()

    def _set_state(self, ctx: CallContext, args: Args) -> None:
        self.book.get(args["id"]).set_state(args["state"])

    def _clear_state(self, ctx: CallContext, args: Args) -> None:
        self.book.get(args["id"]).set_state({"iteration_count": 0})

    async def _save_state(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        return await self.book.save(self.book.get(args["id"]))

    async def _restore_state(self, ctx: CallContext, args: Args) -> bool:
        agent, snapshot = self.book.get(args["id"]), args.get("snapshot")
        if snapshot is None:
            return await self.book.load(agent)
        agent.restore(snapshot)
        return True

    # -- tools and settings --------------------------------------------------------------------

    async def _add_tool(self, ctx: CallContext, args: Args) -> None:
        agent = self.book.get(args["id"])
        await self.book.add_tool(agent, agent.toolbox, args["tool"])

    def _remove_tool(self, ctx: CallContext, args: Args) -> bool:
        return self.book.get(args["id"]).toolbox.remove(args["name"])

    def _list_tools(self, ctx: CallContext, args: Args) -> list[dict[str, Any]]:
        return [tool.to_wire() for tool in self.book.get(args["id"]).toolbox]

    def _get_config(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        return config_of(self.book.get(args["id"]), self._host.engine)

    async def _update_config(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        agent = self.book.get(args["id"])
        await self.book.update(agent, args["settings"])
        return config_of(agent, self._host.engine)

    def _system_prompt(self, ctx: CallContext, args: Args) -> str:
        return self.book.get(args["id"]).settings.system_prompt

    def _set_system_prompt(self, ctx: CallContext, args: Args) -> None:
        agent = self.book.get(args["id"])
        text = values.text(args["prompt"], "a system prompt", settings.PROMPT_MAX)
        agent.settings.system_prompt = text
        agent.settings.raw["system_prompt"] = text

    def _register_hook(self, ctx: CallContext, args: Args) -> None:
        agent = self.book.get(args["id"])
        point = settings.hook_point(args["point"])
        given = {**agent.given_hooks}
        given[point] = [*given.get(point, []), args["hook"]]
        self.book.set_hooks(agent, given)

    def _unregister_hook(self, ctx: CallContext, args: Args) -> bool:
        agent, name = self.book.get(args["id"]), args["name"]
        point = settings.POINTS.get(name)
        kept = {
            key: [
                hook
                for hook in hooks
                if key != point and not (isinstance(hook, dict) and hook.get("name") == name)
            ]
            for key, hooks in agent.given_hooks.items()
        }
        found = kept != agent.given_hooks
        self.book.set_hooks(agent, kept)
        return found

    # -- life ----------------------------------------------------------------------------------

    def _initialize(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        return self.book.get(args["id"]).health(self._host.now())

    async def _shutdown(self, ctx: CallContext, args: Args) -> None:
        await self.book.end(self.book.get(args["id"]))

    def _health(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        found = self.book.find(args["id"])
        if found is None:
            return {"status": "shut_down", "healthy": False, "agent_id": args["id"]}
        return found.health(self._host.now())

    def _token_usage(self, ctx: CallContext, args: Args) -> dict[str, int]:
        agent = self.book.get(args["id"])
        return {**agent.usage, "requests": agent.requests}

    def _estimated_cost(self, ctx: CallContext, args: Args) -> float:
        return self.book.get(args["id"]).cost
