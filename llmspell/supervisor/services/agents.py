"""The agents' service: the script API's functions on agents and templates, and `ports.Agents`.

Thin: what an agent is and does is in `spells.agents`. Nothing here has an effect outside the run;
what an agent does are calls of its own, judged with the origin `agent:NAME`.
"""

from __future__ import annotations

from llmspell.errors import InvalidInput, LlmspellError, Missing
from llmspell.records import TYPE_CHECKING
from llmspell.spells.agents import handoff, inputs, settings, values
from llmspell.spells.agents.book import AgentBook
from llmspell.spells.agents.builtin_templates import BUILTIN, canonical
from llmspell.spells.agents.execution import Runner, Way, failure, passed_on
from llmspell.spells.agents.memory import checked_message
from llmspell.spells.agents.requests import PLAN_SCHEMA, REASON_SCHEMA, plan_prompt, reason_prompt
from llmspell.spells.agents.shown import config_of
from llmspell.spells.agents.templates import TemplateBook
from llmspell.spells.agents.turns import use
from llmspell.spells.agents.wrapped import as_tool, ask_wrapped, call_wrapped
from llmspell.spells.api.options import handle_id, normalise

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from llmspell.spells.agents.agent import Agent
    from llmspell.spells.ports import Host
    from llmspell.supervisor.services import Service
    from llmspell.supervisor.services.context import CallContext

    Args = dict[str, Any]

CHUNK_SECONDS = 30.0
"""Time a spell's function has for one piece of a streamed answer."""

SCHEMA_MAX = 65_536
"""Characters of a JSON Schema."""


class AgentService:
    """The agents of one session."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self.book = AgentBook(host)
        self.templates = TemplateBook(self.book)
        self._runner = Runner(host, self.book)
        self.table: Mapping[str, Service] = {
            **{
                f"agent.{name}": getattr(self, f"_{name}")
                for name in (
                    "create", "get", "list", "find", "execute_named", "template", "get_template",
                    "templates", "extend", "create_from_config", "chat", "chat_with_context",
                    "execute", "stream", "structured_output", "generate_with_tools", "plan",
                    "reason", "remember", "recall", "forget", "history", "add_to_history",
                    "clear_history", "get_state", "set_state", "clear_state", "save_state",
                    "restore_state", "add_tool", "remove_tool", "list_tools", "execute_tool",
                    "get_config", "update_config", "system_prompt", "set_system_prompt",
                    "register_hook", "unregister_hook", "initialize", "shutdown", "health",
                    "token_usage", "estimated_cost", "as_tool", "delegate_to", "handoff",
                    "call_tool",
                )
            },
            "template.create": self._create_of_template,
            "template.extend": self._extend_template,
            "template.get": self._get_template,
            "template.list": self._templates,
            "template.create_one": self._create_of_template,
            "template.extend_one": self._extend_template,
        }  # fmt: skip

    def close(self) -> None:
        """Lets every agent go."""
        for agent in list(self.book):
            self.book.shut_down(agent)

    # -- the port ------------------------------------------------------------------------------

    def find(self, name_or_id: str) -> str | None:
        """The id of an agent by id or name."""
        found = self.book.find(name_or_id)
        return None if found is None else found.id

    async def execute(
        self, name_or_id: str, given: Mapping[str, Any], *, origin: str
    ) -> dict[str, Any]:
        """Runs an agent for another service; a failed run says so in its output.

        Raises `Missing` 1001, and what ends the whole run.
        """
        return await self._executed(await self._found(name_or_id), dict(given), {})

    # -- making and finding --------------------------------------------------------------------

    async def _create(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        given = args["settings"]
        if handle_id(given, "template") is not None:
            return (await self.templates.create(given, {})).to_wire()
        template = given.get("template") or given.get("base_template")
        if template is not None:
            rest = {
                key: value
                for key, value in given.items()
                if key not in ("template", "base_template", "baseTemplate")
            }
            return (await self.templates.create(template, rest)).to_wire()
        return (await self.book.create(given)).to_wire()

    async def _found(self, given: Any) -> Agent:
        """The agent of a name, id or handle; a built-in template's name makes one (TPL-016)."""
        if (
            isinstance(given, str)
            and self.book.find(given) is None
            and (name := canonical(given)) in BUILTIN
        ):
            known = self.book.find(name)
            return known if known is not None else await self.templates.create(name, {"name": name})
        return self.book.get(given)

    async def _get(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        return (await self._found(args["agent"])).to_wire()

    def _list(self, ctx: CallContext, args: Args) -> list[dict[str, Any]]:
        return [agent.to_wire() for agent in self.book]

    def _find(self, ctx: CallContext, args: Args) -> list[dict[str, Any]]:
        given = values.items(args.get("capabilities"), "capabilities", 64)
        wanted = [values.text(word, "a capability", 256) for word in given]
        return [agent.to_wire() for agent in self.book.discover(args.get("query", ""), wanted)]

    # -- templates -----------------------------------------------------------------------------

    def _template(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        given = args.get("settings")
        if not given:
            return self._get_template(ctx, args)
        return self.templates.define(args["name"], given).to_wire()

    def _get_template(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        return self.templates.get(args["name"]).to_wire()

    def _templates(self, ctx: CallContext, args: Args) -> list[str]:
        return self.templates.names()

    def _extend(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        return self.templates.extend(args["template"], None, args["settings"]).to_wire()

    def _extend_template(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        name: Any = args.get("name")
        given: dict[str, Any] = args["settings"]
        if isinstance(name, dict):
            name, given = None, {**name, **given}
        base = args.get("template", args.get("id"))
        return self.templates.extend(base, name, given).to_wire()

    async def _create_of_template(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        base = args.get("template", args.get("id"))
        return (await self.templates.create(base, args["settings"])).to_wire()

    async def _create_from_config(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        return (await self.templates.create_from_config(args["settings"])).to_wire()

    # -- talking -------------------------------------------------------------------------------

    async def _chat(self, ctx: CallContext, args: Args) -> str:
        output = await self._run(args, args["message"], args["options"])
        return str(output["content"])

    async def _chat_with_context(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        return await self._run(args, args["message"], {"context": args["context"]})

    async def _execute(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        return await self._executed(self.book.get(args["id"]), args["input"], args["options"])

    async def _execute_named(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        agent = await self._found(args["agent"])
        return await self._runner.run(agent, inputs.asked(args["input"], args["options"]))

    async def _executed(
        self, agent: Agent, given: Any, options: Mapping[str, Any]
    ) -> dict[str, Any]:
        asked = inputs.asked(given, normalise(options))
        try:
            return await self._runner.run(agent, asked)
        except LlmspellError as error:
            if error.code == 6009:
                raise
            return failure(agent, error)

    async def _run(
        self, args: Args, given: Any, options: Mapping[str, Any], way: Way | None = None
    ) -> dict[str, Any]:
        asked = inputs.asked(given, normalise(options))
        return await self._runner.run(self.book.get(args["id"]), asked, way or Way())

    async def _stream(self, ctx: CallContext, args: Args) -> str:
        on_chunk, host = args["on_chunk"], self._host

        async def pass_on(piece: str) -> None:
            await host.invoke(on_chunk, [piece], seconds=CHUNK_SECONDS)

        output = await self._run(args, args["message"], args["options"], Way(on_chunk=pass_on))
        return str(output["content"])

    async def _structured_output(self, ctx: CallContext, args: Args) -> Any:
        return await self._structured(args, args["prompt"], args["schema"])

    async def _structured(self, args: Args, prompt: Any, schema: Mapping[str, Any]) -> Any:
        wanted = values.plain(dict(schema), "a schema", SCHEMA_MAX)
        output = await self._run(args, prompt, {}, Way(schema=wanted))
        structured = output.get("structured")
        if structured is None:
            raise LlmspellError(
                "the model's answer has not the form that was asked for",
                code=1009,
                kind="structured",
            )
        return structured

    async def _generate_with_tools(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        agent = self.book.get(args["id"])
        toolbox = agent.toolbox.copy()
        for item in args["tools"]:
            await self.book.add_tool(agent, toolbox, item)
        return await self._run(args, args["prompt"], {}, Way(toolbox=toolbox))

    async def _plan(self, ctx: CallContext, args: Args) -> Any:
        return await self._structured(args, plan_prompt(args["goal"]), PLAN_SCHEMA)

    async def _reason(self, ctx: CallContext, args: Args) -> Any:
        prompt = reason_prompt(args["question"], args.get("evidence"))
        return await self._structured(args, prompt, REASON_SCHEMA)

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

    async def _execute_tool(self, ctx: CallContext, args: Args) -> Any:
        agent = self.book.get(args["id"])
        tool = agent.toolbox.get(args["name"])
        if tool is None:
            raise Missing(f"{agent.name} has no tool {args['name'][:60]!r}", code=1008)
        if tool.kind == "tool" or ctx.origin != agent.origin:
            # It is the agent that acts, whoever asked it to.
            return await use(self._host, agent, tool, args["input"])
        self._judge(ctx, tool.name)
        return await call_wrapped(self._host, self.book, self._runner, agent, tool, args["input"])

    def _judge(self, ctx: CallContext, name: str) -> None:
        """The verdict on an agent or workflow that is a tool: by its name, and needing a model."""
        verdict = ctx.policy.tools.judge(name, frozenset({"model"}), "agent")
        ctx.judge(verdict, action="tool", target=name)

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

    def _shutdown(self, ctx: CallContext, args: Args) -> None:
        self.book.shut_down(self.book.get(args["id"]))

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

    def _as_tool(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        return as_tool(self.book.get(args["id"]), args["settings"])

    async def _call_tool(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        given = args["input"]
        if isinstance(given, str):
            given = {"message": given}
        agent = self.book.get(args["id"])
        self._judge(ctx, agent.name)
        return await ask_wrapped(self._runner, agent, given)

    async def _delegate_to(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        agent, other = self.book.get(args["id"]), await self._found(args["agent"])
        options = normalise(args["options"])
        context = {
            **values.table(options.get("context"), "context"),
            "delegated_by": agent.name,
        }
        return await self._executed(other, args["task"], {**options, "context": context})

    async def _handoff(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        agent, other = self.book.get(args["id"]), await self._found(args["agent"])
        if other is agent:
            raise InvalidInput("an agent can't hand over to itself", code=1004)
        options = normalise(args["options"])
        passing = handoff.read_filter(options.get("state_filter"), handoff.StateFilter())
        reason = options.get("reason")
        request = handoff.HandoffRequest(
            other.id, args["input"], reason if isinstance(reason, str) else "", passing
        )
        before = agent.memory.messages()
        last = next((one["content"] for one in reversed(before) if one["role"] == "user"), "")
        asked = passed_on(agent, other, request, inputs.Asked("", values.as_json(last)))
        output = await self._runner.run(other, asked)
        output["metadata"]["handoffs"] = [
            {"from": agent.name, "to": other.name, "reason": request.reason},
            *output["metadata"].get("handoffs", []),
        ]
        return output
