"""The agents' service: the script API's functions on agents and templates, and `ports.Agents`.

Thin: what an agent is and does is in `spells.agents`. Nothing here has an effect outside the run;
what an agent does are calls of its own, judged with the origin `agent:NAME`.
"""

from __future__ import annotations

from llmspell.errors import InvalidInput, LlmspellError, Missing
from llmspell.records import TYPE_CHECKING
from llmspell.spells.agents import handoff, inputs, values
from llmspell.spells.agents.book import AgentBook
from llmspell.spells.agents.builtin_templates import BUILTIN, canonical
from llmspell.spells.agents.execution import Runner, Way, failure, passed_on
from llmspell.spells.agents.learning import feedback_text, lesson_prompt
from llmspell.spells.agents.requests import (
    PLAN_SCHEMA,
    REASON_SCHEMA,
    SOLUTION_SCHEMA,
    definitions,
    plan_prompt,
    reason_prompt,
    solution_prompt,
)
from llmspell.spells.agents.streaming import Stream
from llmspell.spells.agents.templates import TemplateBook
from llmspell.spells.agents.turns import found_agents, use
from llmspell.spells.agents.wrapped import as_tool, ask_wrapped, call_wrapped
from llmspell.spells.api.options import handle_id, normalise
from llmspell.supervisor.services.agent_keeping import AgentKeeping

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from llmspell.spells.agents.agent import Agent
    from llmspell.spells.ports import Host
    from llmspell.supervisor.services import Service
    from llmspell.supervisor.services.context import CallContext

    Args = dict[str, Any]

_BASE_KEYS = ("template", "base_template", "baseTemplate", "base", "name")
"""Where a table of settings alone names its template; the first that is there counts."""

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
            **AgentKeeping(host, self.book).table,
            "agent.create": self._create,
            "agent.get": self._get,
            "agent.list": self._list,
            "agent.find": self._find,
            "agent.execute_named": self._execute_named,
            "agent.template": self._template,
            "agent.get_template": self._get_template,
            "agent.templates": self._templates,
            "agent.extend": self._extend,
            "agent.create_from_config": self._create_from_config,
            "agent.chat": self._chat,
            "agent.chat_with_context": self._chat_with_context,
            "agent.execute": self._execute,
            "agent.stream": self._stream,
            "agent.structured_output": self._structured_output,
            "agent.generate_with_tools": self._generate_with_tools,
            "agent.function_calling": self._function_calling,
            "agent.plan": self._plan,
            "agent.reason": self._reason,
            "agent.solve_problem": self._solve_problem,
            "agent.learn_from_feedback": self._learn_from_feedback,
            "agent.execute_tool": self._execute_tool,
            "agent.as_tool": self._as_tool,
            "agent.delegate_to": self._delegate_to,
            "agent.handoff": self._handoff,
            "agent.call_tool": self._call_tool,
            "agent.create_finder": self._create_finder,
            "agent.run_finder": self._run_finder,
            "template.create": self._create_of_template,
            "template.extend": self._extend_template,
            "template.get": self._get_template,
            "template.list": self._templates,
            "template.create_one": self._create_of_template,
            "template.extend_one": self._extend_template,
        }

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
        query = args.get("query", "")
        if isinstance(query, dict):
            args = {**args, **query}
            query = query.get("query", "")
        elif isinstance(query, list):
            args, query = {**args, "capabilities": query}, ""
        given = values.items(args.get("capabilities"), "capabilities", 64)
        wanted = [values.text(word, "a capability", 256) for word in given]
        words = values.text(query, "query", 1024)
        return [agent.to_wire() for agent in self.book.discover(words, wanted)]

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
        return self.templates.extend(_base(args), name, given).to_wire()

    async def _create_of_template(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        base, changes = _base(args), args["settings"]
        if isinstance(base, dict) and handle_id(base, "template") is None:
            # Template.create({template = …, …}); where nothing else says so, the name is the
            # template's (000:5628-5646).
            changes = {**base, **changes}
            key = next((one for one in _BASE_KEYS if one in changes), None)
            base = None if key is None else changes.pop(key)
            if base is None:
                raise InvalidInput(
                    "Template.create needs a template", hint="say which: {template = NAME, …}"
                )
        return (await self.templates.create(base, changes)).to_wire()

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

        output = await self._run(
            args, args["message"], args["options"], Way(stream=Stream(pass_on))
        )
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

    async def _function_calling(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        way = Way(functions=definitions(self._host, args["functions"]))
        output = await self._run(args, args["input"], {}, way)
        calls = [
            {"name": one["name"], "arguments": one["arguments"]} for one in output["tool_calls"]
        ]
        return {"function_calls": calls, "content": output["content"]}

    async def _plan(self, ctx: CallContext, args: Args) -> Any:
        return await self._structured(args, plan_prompt(args["goal"]), PLAN_SCHEMA)

    async def _reason(self, ctx: CallContext, args: Args) -> Any:
        prompt = reason_prompt(args["question"], args.get("evidence"))
        return await self._structured(args, prompt, REASON_SCHEMA)

    async def _solve_problem(self, ctx: CallContext, args: Args) -> Any:
        return await self._structured(args, solution_prompt(args["problem"]), SOLUTION_SCHEMA)

    async def _learn_from_feedback(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        agent = self.book.get(args["id"])
        agent.lessons.check()
        lesson = feedback_text(args["feedback"])
        if agent.settings.learning.reflect:
            lesson = str((await self._run(args, lesson_prompt(lesson), {}))["content"])
        return {"learned": agent.lessons.add(lesson), "lessons": agent.lessons.snapshot()}

    # -- agents for agents ---------------------------------------------------------------------

    async def _execute_tool(self, ctx: CallContext, args: Args) -> Any:
        agent = self.book.get(args["id"])
        tool = agent.toolbox.get(args["name"])
        if tool is None:
            raise Missing(f"{agent.name} has no tool {args['name'][:60]!r}", code=1008)
        if tool.kind == "tool" or ctx.origin != agent.origin:
            # It is the agent that acts, whoever asked it to.
            return await use(self._host, agent, tool, args["input"])
        self._judge(ctx, tool.name, of_agent=tool.kind != "inline")
        if tool.kind == "inline":
            return await self._host.tools.execute(tool.target, args["input"], origin=agent.origin)
        return await call_wrapped(self._host, self.book, self._runner, agent, tool, args["input"])

    def _judge(self, ctx: CallContext, name: str, *, of_agent: bool = True) -> None:
        """The verdict on what is a tool of agents only, by the name that it has for them.

        An agent, or a workflow, that is a tool needs a model.
        """
        needs = frozenset({"model"}) if of_agent else frozenset()
        verdict = ctx.policy.tools.judge(name, needs, "agent" if of_agent else "")
        ctx.judge(verdict, action="tool", target=name)

    def _as_tool(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        return as_tool(self.book.get(args["id"]), args["settings"])

    async def _call_tool(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        given = args["input"]
        if isinstance(given, str):
            given = {"message": given}
        agent = self.book.get(args["id"])
        self._judge(ctx, agent.name)
        return await ask_wrapped(self._runner, agent, given)

    def _create_finder(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        return {"handle": "agent_finder", "id": handoff.FINDER, "name": handoff.FINDER}

    def _run_finder(self, ctx: CallContext, args: Args) -> list[dict[str, Any]]:
        return found_agents(self.book, args["input"], None)

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


def _base(args: Args) -> Any:
    """The template that a call means; a method's object with what the spell changed in it."""
    given, identity = args.get("template"), args.get("id")
    if identity is not None and handle_id(given, "template") != identity:
        return identity
    return given
