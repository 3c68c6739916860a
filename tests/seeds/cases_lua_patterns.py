"""S19 to S21: coroutines, tables and workflows in Lua."""

from __future__ import annotations

import json
from typing import Any, Final

from tests.seeds.case import Case
from tests.seeds.cases_first import agents, tools


def _research(result: Any) -> None:
    value = result.value
    assert value["research"]["sources"] == ["a", "b", "c"]
    assert value["report"]["content"] == "the report"
    metadata = value["metadata"]
    assert (metadata["sources_count"], metadata["analysis_confidence"]) == (3, 0.85)
    assert metadata["generation_time"] > 1_700_000_000


def _analyzed(result: Any) -> None:
    answer, failed = result.value["answer"], result.value["failed"]
    assert (answer["success"], answer["content"]) == (True, "rising")
    (call,) = answer["tool_calls"]
    assert call["name"] == "custom_analyzer" and call["result"]["result"] == "rising"
    assert call["result"]["metadata"] == {"analysis_type": "trend_analysis", "data_points": 3}
    assert (failed["success"], failed["error"]) == (False, "refused")
    (heard,) = result.value["heard"]
    assert heard["query"] == "qubits", "the agent's hook emits an event"
    config = result.value["config"]
    assert (config["temperature"], config["max_tokens"], config["timeout"]) == (0.3, 4000, 120)
    assert config["max_concurrent_tools"] == 3 and config["memory"]["max_entries"] == 100
    assert config["tools"][-1] == "custom_analyzer" and len(config["tools"]) == 5


def _workflows(result: Any) -> None:
    document, views = result.value["document"], result.value["views"]
    assert document["status"] == "completed"
    assert document["structure_analysis"]["chapters"] == 4
    assert document["summary"] == "a summary"
    quality = document["quality_score"]
    assert (quality["score"], quality["of"], quality["chapters"]) == (0.9, 1200, 4)
    assert views["status"] == "partial", "one of four failed, three are needed"
    output = views["output"]
    assert sorted(output["perspectives"]) == [
        "business_analysis",
        "technical_analysis",
        "user_impact_analysis",
    ]
    assert abs(output["confidence_score"] - 0.8) < 1e-9
    assert output["consensus_points"] == ["of 3"] and output["divergent_views"] == ["cost"]
    assert result.value["deep"] == "the long way"
    assert result.value["quick"] == "the short way"
    assert result.value["short_document"]["steps"]["analyze_structure"]["status"] == "skipped"


def turns(*said: tuple[str, str]) -> str:
    """A script of the fake's for any order: what the conversation holds, and the answer."""
    each = (
        f"[[turn]]\ntext = {json.dumps(text)}\nexpect = {{ contains = {json.dumps(holds)} }}\n"
        for holds, text in said
    )
    return 'order = "any"\n' + "".join(each)


_COROUTINE: Final = """
[[turn]]
text = '{"sources": ["a", "b", "c"], "summary": "qubits"}'
expect = { contains = "quantum computing breakthroughs 2025" }
[[turn]]
text = '{"confidence": 0.85, "trend": "up"}'
expect = { contains = ["trend_analysis", "qubits"] }
[[turn]]
text = "the report"
expect = { contains = ["executive_summary", "qubits", "up"] }
"""

_TABLES: Final = """
[[turn]]
[[turn.tool_calls]]
name = "custom_analyzer"
arguments = { data = [1, 2, 3], analysis_type = "trend_analysis" }
[turn.expect]
tools = ["web_search", "scholarly_search", "custom_analyzer"]
contains = "comprehensive research specialist"
[[turn]]
text = "rising"
expect = { contains = ['"rising"', '"data_points": 3'] }
[[turn]]
error = { kind = "content_filter", message = "refused" }
"""

CASES: Final = (
    Case(
        "S19",
        "runs",
        "three agents in one coroutine, each given what the one before answered",
        before=agents("research_agent", "analysis_agent", "writer_agent"),
        after="return result",
        check=_research,
        turns=_COROUTINE,
        output=("Sources analyzed:\t3", "Confidence score:\t0.85"),
        profile="high",
        grants=("llm:fake",),
    ),
    Case(
        "S20",
        "runs",
        "an agent with limits, memory, hooks and a tool of its own, which it uses",
        before=tools("web_search", "scholarly_search", "pdf_analyzer", "citation_formatter")
        + """
local heard = {}
Events.subscribe("research_complete", function(event) heard[#heard + 1] = event.data end)
function analyze_trends(data) return "rising" end""",
        after="""local answer = research_agent:execute({ query = "qubits" })
local failed = research_agent:execute({ query = "again" })
return { answer = answer, failed = failed, heard = heard, config = research_agent:get_config() }""",
        turns=_TABLES,
        check=_analyzed,
        remark="its `on_error` raises before it recovers; its `after_execution` expects an output",
    ),
    Case(
        "S21",
        "runs",
        "a sequence with a condition, four views of which one fails, both ways of a choice",
        before=agents(
            "document_analyzer",
            "summarizer",
            "technical_analyst",
            "business_analyst",
            "ux_analyst",
            "risk_analyst",
            "deep_analyzer",
            "expert_reviewer",
            "detailed_summarizer",
            "basic_analyzer",
            "quick_summarizer",
        )
        + """
Tools.create("pdf_extractor", { description = "a stand-in", execute = function(input)
    assert(input.extract_images and input.extract_tables)
    return { text = string.rep("t", input.file_path == "long.pdf" and 1200 or 12) }
end })
Tools.create("quality_validator", { description = "a stand-in", execute = function(input)
    local chapters = input.structure and input.structure.chapters
    return { score = 0.9, of = #input.original.text, chapters = chapters }
end })
function find_consensus(views)
    local count = 0
    for _ in pairs(views) do count = count + 1 end
    return { "of " .. count }
end
function find_divergence(views) return { "cost" } end
function estimate_complexity(text) return 0.8 end""",
        after="""return {
    document = sequential_workflow:execute({ document_path = "long.pdf" }),
    short_document = sequential_workflow:execute({ document_path = "short.pdf" }),
    views = parallel_workflow:execute({ content = "a plan" }),
    deep = conditional_workflow:execute({ content = string.rep("w", 5001) }).output,
    quick = conditional_workflow:execute({ content = "www" }).output,
}""",
        check=_workflows,
        turns=turns(
            ("comprehensive", '{"chapters": 4}'),
            ("medium", "a summary"),
            ("medium", "a short summary"),
            ('"technical"', '{"confidence": 0.9, "finding": "feasible"}'),
            ('"business"', '{"confidence": 0.7, "finding": "pays"}'),
            ('"user_experience"', '{"confidence": 0.8, "finding": "likes it"}'),
            ("wwwww", "deep"),
            ("deep", "reviewed"),
            ("reviewed", "the long way"),
            ("www", "basic"),
            ("basic", "the short way"),
        )
        + """[[turn]]
error = { kind = "content_filter", message = "no view on risks" }
expect = { contains = "risk_assessment" }
""",
    ),
)
