"""S76 to S87: the older dialect (`llm`, `tools`, `workflow`, `util`, `env`, `params`)."""

from __future__ import annotations

from typing import Any, Final

from tests.seeds.case import Case, on_line
from tests.seeds.cases_first import javascript_tools, tools

_TOPIC: Final = "quantum computing breakthroughs 2025"
_SUMMARY: Final = "Error correction below the threshold. " * 8
_ASKED: Final = "Explain quantum computing in simple terms"
_QUANTUM: Final = f"Response: {_ASKED}"


def _researched(model: str, request: str) -> str:
    """The model asks for a search, sees its result and sums up."""
    return f"""
[[turn]]
tool_calls = [{{ name = "web_search", arguments = {{ query = "qubits" }} }}]
expect = {{ model = "{model}", user = "{request}", tools = ["web_search", "file_writer"] }}
[[turn]]
text = "{_SUMMARY}"
expect = {{ contains = ["You are a helpful research assistant", "qubits", "web_search"] }}
"""


def _saved(result: Any) -> None:
    value = result.value
    assert value["topic"] == "cold fusion" and value["status"] == "completed"
    assert value["summary"] == _SUMMARY[:200] + "..."


def _steps(result: Any) -> None:
    assert result.value["success"] is True
    said = {name: step["output"] for name, step in result.value["steps"].items()}
    assert said == {"research": "facts", "summarize": "in short", "report": "# Report"}


_THREE_STEPS: Final = """
[[turn]]
text = "facts"
expect = { user = "Research cold fusion and gather comprehensive information", model = "gpt-4" }
[[turn]]
text = "in short"
expect = { user = "Summarize these research findings: facts", model = "claude-3-opus" }
[[turn]]
text = "# Report"
expect.user = "Create a structured report from this summary: in short"
expect.tools = ["file_writer"]
"""

_TWO_FAILURES: Final = """
[[turn]]
error = "bad_request"
[[turn]]
error = "bad_request"
[[turn]]
text = "Models that learn."
expect = { user = "Explain machine learning", model = "gpt-4" }
"""

_CONFIGURED: Final = """
[[turn]]
text = "Set up."
expect = { user = "How are you set up?", contains = ["configured with", "gpt-3.5-turbo", "1000"] }
"""

CASES: Final = (
    Case(
        "S76",
        "runs",
        "an agent searches; its answer is written to a file",
        before=tools("web_search"),
        after='return fs.read("research_summary.md")',
        value=_SUMMARY,
        turns=_researched("claude-3-opus", f"Research {_TOPIC} and summarize findings"),
        grants=("read:.", "write:."),
    ),
    Case(
        "S77",
        "runs",
        "an agent searches; its answer is written to a file",
        before=javascript_tools("web_search"),
        after='return await fs.read("research_summary.md");',
        value=_SUMMARY,
        turns=_researched("claude-3-opus", f"Research {_TOPIC} and summarize findings"),
        grants=("read:.", "write:.", "llm:anthropic/*"),
        profile="high",
    ),
    Case("S78a", "runs", "one completion by `test-model`", value="Hello from test model"),
    Case("S78b", "runs", "one completion by `test-model`", value="Hello from test model"),
    Case(
        "S79",
        "runs",
        "one completion, shown with the tokens it used",
        after="return response.usage.total_tokens > 0 and response.content",
        value=_ASKED,
        output=(_QUANTUM, "Tokens used: "),
    ),
    Case(
        "S80",
        "runs",
        "one completion, shown with the tokens it used",
        after="return response.usage.total_tokens > 0 && response.content;",
        value=_ASKED,
        output=(_QUANTUM, "Tokens used: "),
        profile="high",
        grants=("llm:*",),
    ),
    Case(
        "S81",
        "runs",
        "research on the topic of the parameters, saved under it",
        before=tools("web_search"),
        check=_saved,
        params={"topic": "cold fusion"},
        files={"research/readme.txt": "reports"},
        turns=_researched("claude-3-opus", "Research cold fusion and summarize key findings"),
        output=("Research completed and saved!",),
        grants=("read:.", "write:."),
    ),
    Case(
        "S82",
        "runs",
        "research on the topic of the parameters, saved under it",
        before=javascript_tools("web_search"),
        check=_saved,
        params={"topic": "cold fusion"},
        files={"research/readme.txt": "reports"},
        turns=_researched("claude-3-opus", "Research cold fusion and summarize key findings"),
        output=("Research completed and saved!",),
        grants=("read:.", "write:."),
    ),
    Case(
        "S83",
        "runs",
        "three steps, each with an agent of its own",
        before=tools("web_search"),
        check=_steps,
        params={"topic": "cold fusion"},
        turns=_THREE_STEPS,
        output=("Workflow completed:", "- research: completed", "- report: completed"),
        grants=("write:.",),
    ),
    Case(
        "S84",
        "broken",
        "line 2: `const workflow = workflow.sequential(…)` reads the constant before it is set",
        code=4002,
        check=on_line(2),
    ),
    Case(
        "S85",
        "runs",
        "the third attempt succeeds after two refusals",
        before="""local waited = {}
local util = { sleep = function(milliseconds) waited[#waited + 1] = milliseconds end }""",
        after="return { result.content, waited }",
        value=["Models that learn.", [2000, 4000]],
        turns=_TWO_FAILURES,
        output=("Attempt 1 failed: ", "Attempt 2 failed: ", "Success: Models that learn."),
    ),
    Case(
        "S86",
        "runs",
        "the third attempt succeeds after two refusals",
        before="""const waited = [];
const util = { sleep: async (milliseconds) => { waited.push(milliseconds); } };""",
        after="return [result.content, waited];",
        value=["Models that learn.", [2000, 4000]],
        turns=_TWO_FAILURES,
        output=("Attempt 1 failed: ", "Attempt 2 failed: ", "Success: Models that learn."),
    ),
    Case(
        "S87",
        "runs",
        "an agent set up from the environment and the parameters",
        value={"config": {"model": "gpt-3.5-turbo", "temperature": 0.7, "max_tokens": 1000}},
        params={"query": "How are you set up?"},
        turns=_CONFIGURED,
        remark="`run` gives text, as S76 and S81 use it; so `response.content` is nil here",
    ),
)
