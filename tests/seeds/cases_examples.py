"""S57 to S61: the phases' first spells and the three long examples."""

from __future__ import annotations

from typing import Any, Final

from tests.seeds.case import Case, on_line
from tests.seeds.cases_first import javascript_tools, tools

_FETCHED: Final = """
[[turn]]
tool_calls = [{ name = "http_client", arguments = { url = "https://api.example.com" } }]
expect.tools = ["http_client", "file_reader"]
expect.contains = ["Fetch data from https://api.example.com", "test_123"]
[[turn]]
text = "The page holds 42 rows."
expect.contains = "42 rows of the stand-in"
"""

_RESEARCHED: Final = """
[[turn]]
text = "Executors poll futures."
expect.contains = ["research", "Rust async patterns"]
expect.tools = ["web_search", "document_analyzer"]
[[turn]]
text = "# Rust async patterns"
expect.contains = ["write report", "Executors poll futures.", "markdown"]
expect.tools = ["template_processor", "grammar_checker"]
"""

_CONTENT: Final = """
[[turn]]
text = '{"sources": ["the async book"], "facts": ["futures are lazy"]}'
expect.contains = ["Research comprehensive information about: Rust", "intermediate developers"]
expect.tools = ["web_search", "document_reader", "fact_checker"]
[[turn]]
text = '{"content": "# Futures", "word_count": 3200}'
expect.contains = ["Create comprehensive technical content", "futures are lazy", "markdown"]
expect.tools = ["template_processor", "plagiarism_checker"]
[[turn]]
text = '{"readability_score": 61, "accuracy_score": 0.97, "metrics": {"overall_score": 0.93}}'
expect.contains = ["Review content for accuracy", "# Futures", "the async book"]
"""

_METRICS: Final = """
[[turn]]
text = '{"rows": 30, "confidence_scores": {"trend_change": 0.4}}'
expect.contains = ["Collect and analyze revenue, user_acquisition, churn_rate", "last_30_days"]
expect.tools = ["database_connector", "csv_processor", "json_processor", "statistical_analysis"]
[[turn]]
text = '{"charts": ["revenue.svg"]}'
expect.contains = ["Create comprehensive visualizations", "trend_change"]
[[turn]]
text = '{"content": "Churn fell.", "insights": ["churn is down"]}'
expect.contains = ["Generate executive summary", "revenue.svg"]
expect.tools = ["document_generator", "email_sender"]
"""

_CLASSES: Final = """
local function class(name)
    return { new = function(settings)
        settings.name, settings.provider = name, "fake"
        return Agent.new(settings)
    end }
end
ResearchAgent, WriterAgent, ReviewerAgent = class("research"), class("write"), class("review")
local function tool_class(name)
    return { new = function() return Tools.get(name) end }
end
TemplateEngine, GrammarChecker = tool_class("template_processor"), tool_class("grammar_checker")
StyleChecker, PlagiarismChecker = tool_class("style_checker"), tool_class("plagiarism_checker")
ReadabilityAnalyzer = tool_class("readability_analyzer")
AccuracyChecker, SEOAnalyzer = tool_class("accuracy_checker"), tool_class("seo_analyzer")
"""

_JAVASCRIPT_CLASSES: Final = """
const agentClass = (name) => class {
    constructor(settings) {
        return new Agent({ ...settings, name, provider: "fake" });
    }
};
"""


def _report(result: Any) -> None:
    assert result.value["success"] is True
    assert result.value["outputs"]["final_report"] == "# Rust async patterns", result.value


def _content(result: Any) -> None:
    value = result.value
    assert value["content"] == "# Futures"
    about = value["metadata"]
    assert about["word_count"] == 3200 and about["sources"] == ["the async book"]
    assert about["readability_score"] == 61 and about["fact_check_score"] == 0.97
    assert len(about["created_at"]) == 20 and about["created_at"].endswith("Z")


def _metrics(result: Any) -> None:
    value, executed = result.value
    assert value["visualizations"] == ["revenue.svg"] and value["report"] == "Churn fell."
    assert value["analysis"]["rows"] == 30
    assert value["metadata"]["key_insights"] == ["churn is down"]
    assert value["metadata"]["confidence_scores"] == {"trend_change": 0.4}
    assert executed == 1


CASES: Final = (
    Case(
        "S57",
        "runs",
        "an agent with tools by their classes; what lies outside is answered by a stand-in",
        before="""Tools.create("stand_in", {
    description = "a stand-in", execute = function() return "42 rows of the stand-in" end,
})
Hooks.register("before_tool_execution", function(context)
    if context.tool_name == "http_client" then
        return { action = "redirect", target = "stand_in" }
    end
end)""",
        after="return result.output",
        value="The page holds 42 rows.",
        turns=_FETCHED,
        output=("Result:", "The page holds 42 rows."),
    ),
    Case(
        "S58",
        "runs",
        "a workflow of two agents of fixture classes",
        before=javascript_tools("web_search", "document_analyzer", "grammar_checker")
        + _JAVASCRIPT_CLASSES
        + """
const ResearchAgent = agentClass("research"), WriterAgent = agentClass("write");
const DocumentAnalyzer = Tools.get("document_analyzer");
const TemplateEngine = Tools.get("template_processor");
const GrammarChecker = Tools.get("grammar_checker");
""",
        after="return report;",
        check=_report,
        turns=_RESEARCHED,
    ),
    Case(
        "S59",
        "runs",
        "research, writing and review by three agents of fixture classes",
        before=tools(
            "web_search",
            "document_reader",
            "fact_checker",
            "grammar_checker",
            "style_checker",
            "plagiarism_checker",
            "readability_analyzer",
            "accuracy_checker",
            "seo_analyzer",
        )
        + _CLASSES,
        after="return result",
        check=_content,
        turns=_CONTENT,
        output=("Content created successfully!", "Quality score:", "0.93"),
        profile="high",
        grants=("llm:*",),
    ),
    Case(
        "S60",
        "runs",
        "data, charts and report by agents of fixture classes; its hook is registered",
        before=javascript_tools(
            "database_connector",
            "statistical_analysis",
            "chart_generator",
            "table_formatter",
            "infographic",
            "document_generator",
            "email_sender",
        )
        + _JAVASCRIPT_CLASSES
        + """
const DataAgent = agentClass("data"), VisualizationAgent = agentClass("show");
const ReportAgent = agentClass("report");
const TemplateEngine = { new: () => Tools.get("template_processor") };
""",
        after="""await workflow.scheduleRegularAnalysis("weekly");
const outcome = await Hooks.execute("scheduled_analysis", { timeframe: "t", metrics: [] });
return [result, outcome.hooks_executed];""",
        check=_metrics,
        turns=_METRICS,
        output=("Analysis completed successfully!", "Key insights:", "churn is down"),
        remark="in its hook `this` is not the workflow, so its call fails, which is logged",
    ),
    Case("S61", "broken", "line 31: `[…]` is no table of Lua's", code=4001, check=on_line(31)),
)
