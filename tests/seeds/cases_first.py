"""S01 to S18: the spells of the first chapters."""

from __future__ import annotations

from typing import Any, Final

from tests.seeds.case import Case, on_line


def agents(*names: str) -> str:
    """Lua that makes agents which say what they are told."""
    made = (
        f'Agent.create({{name = "{name}", provider = "fake", model = "echo"}})' for name in names
    )
    return "\n".join(made)


def javascript_agents(*names: str) -> str:
    """The same in JavaScript."""
    made = (
        f'await globalThis.Agent.create({{name: "{name}", provider: "fake", model: "echo"}});'
        for name in names
    )
    return "\n".join(made)


def tools(*names: str) -> str:
    """Lua that makes tools of these names, which say what they got."""
    return "\n".join(
        f'Tools.create("{name}", {{description = "a stand-in", execute = function(input) '
        f'return {{ tool = "{name}", input = input }} end}})'
        for name in names
    )


def javascript_tools(*names: str) -> str:
    """The same in JavaScript."""
    return "\n".join(
        f'await globalThis.Tools.create("{name}", {{description: "a stand-in", '
        f'execute: (input) => ({{ tool: "{name}", input }})}});'
        for name in names
    )


def _contains(text: object, part: str) -> None:
    assert isinstance(text, str) and part in text, text


def _asked(result: Any) -> None:
    assert result.value["content"] == 'AI safety trends\n\n{"max_sources": 10}'
    assert result.value["success"] is True
    assert result.value["metadata"]["agent_name"] == "research_agent"


def _asked_in_javascript(result: Any) -> None:
    assert result.value["content"] == 'AI safety trends\n\n{"maxSources": 10}'
    assert result.value["success"] is True


def _conversation(result: Any) -> None:
    roles = [message["role"] for message in result.value]
    assert roles == ["user", "assistant"] * 3
    assert result.value[0]["content"] == "What's the weather like in San Francisco today?"
    assert result.value[3]["content"] == "What's 15% of 250?", "the fake says what it is told"


def _three(result: Any) -> None:
    assert result.value["success"] is True
    assert sorted(result.value["tasks"]) == [
        "Task: gather data",
        "Task: generate report",
        "Task: process data",
    ]


def _failed(result: Any) -> None:
    _contains(result.output.replace("\t", " "), "Error: there is no agent")
    _contains(result.output.replace("\t", " "), "Suggestions: ")
    assert "agent1" in result.output


_RESEARCH: Final = """
order = "any"
[[turn]]
text = '{"sources": ["insight-source", "b", "c"]}'
expect = { contains = "Task: gather sources" }
[[turn]]
text = '{"insights": ["first insight", "y"]}'
expect = { contains = ["Task: analyze patterns", "insight-source"] }
[[turn]]
text = '{"word_count": 250, "content": "# Report"}'
expect = { contains = ["Task: write report", "insight-source", "first insight"] }
"""

_TASKS: Final = """
{ success = outcome.success, tasks = (function()
    local found = {}
    for _, step in pairs(outcome.steps) do found[#found + 1] = step.output end
    return found
end)() }"""

CASES: Final = (
    Case("S01", "broken", 'line 57: `"name": value` in a Lua table', code=4001, check=on_line(57)),
    Case(
        "S02",
        "runs",
        "three agents side by side",
        before=agents("researcher", "analyzer", "writer"),
        after=f"local outcome = workflow:execute({{}})\nreturn {_TASKS}",
        check=_three,
    ),
    Case(
        "S03",
        "runs",
        "three agents side by side",
        before=javascript_agents("researcher", "analyzer", "writer"),
        after="""const outcome = await workflow.execute({});
const tasks = Object.values(outcome.steps).map((step) => step.output);
return { success: outcome.success, tasks };""",
        check=_three,
    ),
    Case(
        "S04",
        "runs",
        "a registered agent gets its input as a whole",
        before=agents("research_agent"),
        after="return result",
        check=_asked,
        profile="high",
        grants=("llm:*",),
    ),
    Case(
        "S05",
        "runs",
        "a registered agent gets its input as a whole",
        before=javascript_agents("research_agent"),
        after="return result;",
        check=_asked_in_javascript,
    ),
    Case(
        "S06",
        "runs",
        "a registered agent gets its input as a whole",
        before='await Agent.create(name="research_agent", provider="fake", model="echo")',
        after="result",
        check=_asked,
    ),
    Case(
        "S07",
        "runs",
        "three turns of one conversation",
        before=tools("web_search"),
        after="return assistant:conversation_history()",
        check=_conversation,
        output=("Assistant:", "San Francisco"),
        profile="high",
        grants=("read:.", "llm:openai", "tool:*"),
    ),
    Case(
        "S08",
        "runs",
        "a research workflow in three steps, whose report is written",
        before=javascript_tools(
            "scholarly_search",
            "pdf_analyzer",
            "citation_formatter",
            "statistical_analysis",
            "visualization",
            "trend_detector",
            "document_formatter",
            "grammar_checker",
            "readability_analyzer",
        ),
        after="""const written = () => fs.exists("research_report.md");
for (let i = 0; i < 200 && !(await written()); i++) await Async.sleep(20);
return await fs.read("research_report.md");""",
        value="# Report",
        turns=_RESEARCH,
        output=("Sources analyzed: 3", "Key insights: 2", "Report length: 250 words"),
        grants=("read:.", "write:."),
    ),
    Case(
        "S09", "broken", "line 36: `yield` is no statement of Lua's", code=4001, check=on_line(36)
    ),
    Case(
        "S10",
        "runs",
        "the injected API under the module's name",
        after="return analysis_result",
        value="Analyze the following user data and provide insights: "
        "... some data from the application ...",
        output=("AI Analysis:",),
    ),
    Case(
        "S11",
        "waits",
        "express and a port to listen on: library mode inside Node",
        code=4008,
        check=on_line(3),
    ),
    Case(
        "S12",
        "runs",
        "an agent is asked",
        after="return result",
        value="What are the latest developments in quantum computing?",
        profile="high",
        grants=("llm:*",),
    ),
    Case(
        "S13",
        "runs",
        "an agent is asked",
        after="return result;",
        value="What are the latest developments in quantum computing?",
    ),
    Case(
        "S14",
        "runs",
        "an agent is asked",
        after="result",
        value="What are the latest developments in quantum computing?",
        profile="high",
        grants=("llm:*",),
    ),
    Case(
        "S15",
        "broken",
        "line 3: `yield x` is no coroutine.yield but two statements, so the second agent gets nil",
        before='local input = "start"\n' + agents("agent1", "agent2"),
        code=2002,
        check=lambda result: _contains(str(result.error), "agent.execute: input is missing"),
        remark="written with coroutine.yield the same runs (S19)",
    ),
    Case(
        "S16",
        "runs",
        "one agent's answer goes to the next",
        before='const input = "start";\n' + javascript_agents("agent1", "agent2"),
        after="return result.content;",
        value="start",
    ),
    Case(
        "S17",
        "runs",
        "the error of an agent that is not there is taken apart",
        before='local input = "start"',
        after="return success",
        check=_failed,
    ),
    Case(
        "S18",
        "runs",
        "the error of an agent that is not there is taken apart",
        before='const input = "start";',
        check=_failed,
    ),
)
