"""S25 and S26: promises, classes and generators in JavaScript."""

from __future__ import annotations

from typing import Any, Final

from tests.seeds.case import Case
from tests.seeds.cases_first import javascript_agents


def _researched(result: Any) -> None:
    value = result.value
    assert value["topic"] == "qubits" and value["synthesis"]["data"]["points"] == [1, 2]
    drawn = value["visualizations"]["result"]["drawn"]
    assert drawn == [["trend", "correlation", "distribution"], 2]
    metadata = value["metadata"]
    assert metadata["totalSources"] == 3 and abs(metadata["confidenceScore"] - 0.8) < 1e-9


def _streamed(result: Any) -> None:
    value = result.value
    assert (value["instead"], value["heard"]) == ("instead", ["Operation timeout"])
    assert value["handlers"] == 1 and value["other"] == 'Analyze "tea" for phase: validation'
    assert "Based on initial research: S" in value["prompt"]


_ANSWERS: Final = {
    "arxiv": '{"sources": ["a", "b"], "confidence": 0.9}',
    "last_30_days": '{"sources": ["c"], "confidence": 0.8}',
    "riskAssessment": '{"confidence": 0.7}',
    "comprehensive_report": '{"points": [1, 2]}',
}

CASES: Final = (
    Case(
        "S25",
        "runs",
        "three agents at once, a fourth that joins them, a picture",
        before=javascript_agents(
            "academic_researcher", "news_analyst", "market_analyst", "synthesis_expert"
        )
        + """
await globalThis.Tools.create("data_visualizer", { description: "a stand-in",
  execute: (input) => ({ drawn: [input.chartTypes, input.data.points.length] }) });""",
        after='return await comprehensiveResearch("qubits");',
        check=_researched,
        turns='order = "any"\n'
        + 2
        * "".join(
            f"[[turn]]\ntext = '{text}'\nexpect = {{ contains = \"{holds}\" }}\n"
            for holds, text in _ANSWERS.items()
        ),
        output=("Research complete!", "Analyzed 3 sources", "Confidence: 0.80"),
        profile="high",
        grants=("llm:fake", "tool:data_visualizer"),
    ),
    Case(
        "S26",
        "runs",
        "five phases streamed by an async generator, one of which fails and is passed over",
        before="""
Object.prototype.setupEventHandling = function () { this.eventHandlers.set("any", () => {}); };
Object.prototype.getAgentForPhase = function (phase) {
  if (phase === "cross_reference") throw new Error("nobody is there for it");
  const names = { initial_research: "researcher", synthesis: "synthesizer" };
  return this.agents.get(names[phase] ?? "analyzer");
};
Object.prototype.shouldContinueOnError = (phase) => phase === "cross_reference";""",
        after="""const heard = [];
const instead = await workflow.executeWithErrorBoundary(
  () => Async.sleep(20_000),
  { timeout: 20, onError: (error) => heard.push(error.message), fallback: async () => "instead" });
return { instead, heard, handlers: workflow.eventHandlers.size,
  prompt: workflow.generatePrompt("deep_analysis", "tea", { initialResearch: { summary: "S" } }),
  other: workflow.generatePrompt("validation", "tea") };""",
        check=_streamed,
        turns="".join(
            f'[[turn]]\ntext = \'{{"summary": "{summary}"}}\'\n'
            f'expect = {{ model = "{model}", contains = "blockchain scalability solutions" }}\n'
            for summary, model in (
                ("found", "claude-3-sonnet"),
                ("understood", "gpt-4"),
                ("joined", "claude-3-opus"),
                ("checked", "gpt-4"),
            )
        ),
        output=(
            "Phase initial_research: 20% - starting",
            "initial_research complete: found",
            "deep_analysis complete: understood",
            "cross_reference failed: nobody is there for it",
            "synthesis complete: joined",
            "Phase validation: 100% - complete",
            "validation complete: checked",
            "Attempting fallback operation...",
        ),
        remark="three methods that it calls but does not have are the test's",
    ),
)
