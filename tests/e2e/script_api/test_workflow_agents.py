"""Agents as the steps of workflows and cast spells, with the fake model's echo (S01, S83)."""

from __future__ import annotations

import pytest

from tests.e2e.program import LANGUAGES, Program
from tests.e2e.script_api.test_workflows import value_of

RESEARCH = {
    "lua": """
for _, name in ipairs({ "Academic", "General", "Synthesis" }) do
  Agent.create({ name = name, provider = "fake", model = "echo" })
end
local spell = Spell.create({
  name = "research",
  workflow = Workflow.sequential({
    { name = "research_phase", type = "parallel", output = "research_data", agents = {
      { agent = "Academic", query = "{{input.topic}} papers" },
      { agent = "News", query = "{{input.topic}} news" } } },
    { name = "synthesis_phase", agent = "Synthesis", output = "final_report",
      input = "{{research_data.Academic}}, {{research_data.News}}", action = "write_report" },
  }),
  error_strategy = ErrorStrategy.cascade({ retry_count = 0, fallback_agents = { News = "General" },
    circuit_breaker = { failure_threshold = 5, reset_timeout = 60 } }),
  resources = { max_parallel_agents = 3, timeout_per_phase = 300 },
})
local result = spell:cast({ topic = "AI" })
return { data = result.research_data, report = result.final_report, status = result.status }
""",
    "javascript": """
for (const name of ["Academic", "General", "Synthesis"]) {
  await Agent.create({ name, provider: "fake", model: "echo" });
}
const spell = await Spell.create({
  name: "research",
  workflow: Workflow.sequential([
    { name: "research_phase", type: "parallel", output: "research_data", agents: [
      { agent: "Academic", query: "{{input.topic}} papers" },
      { agent: "News", query: "{{input.topic}} news" }] },
    { name: "synthesis_phase", agent: "Synthesis", output: "final_report",
      input: "{{research_data.Academic}}, {{research_data.News}}", action: "write_report" },
  ]),
  errorStrategy: await ErrorStrategy.cascade({ retryCount: 0, fallbackAgents: { News: "General" },
    circuitBreaker: { failureThreshold: 5, resetTimeout: 60000 } }),
  resources: { maxParallelAgents: 3, timeoutPerPhase: 300000 },
});
const result = await spell.cast({ topic: "AI" });
return { data: result.research_data, report: result.final_report, status: result.status };
""",
    "python": """
for name in ("Academic", "General", "Synthesis"):
    Agent(name=name, provider="fake", model="echo")
spell = Spell(
    name="research",
    workflow=Workflow.sequential([
        {"name": "research_phase", "type": "parallel", "output": "research_data", "agents": [
            {"agent": "Academic", "query": "{{input.topic}} papers"},
            {"agent": "News", "query": "{{input.topic}} news"}]},
        {"name": "synthesis_phase", "agent": "Synthesis", "output": "final_report",
         "input": "{{research_data.Academic}}, {{research_data.News}}", "action": "write_report"},
    ]),
    error_strategy=await ErrorStrategy.cascade(
        retry_count=0, fallback_agents={"News": "General"},
        circuit_breaker={"failure_threshold": 5, "reset_timeout": 60}),
    resources={"max_parallel_agents": 3, "timeout_per_phase": 300},
)
result = await spell.cast({"topic": "AI"})
{"data": result["research_data"], "report": result["final_report"], "status": result["status"]}
""",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_S01_a_spell_of_agents_with_a_stand_in(program: Program, language: str) -> None:
    assert value_of(program, RESEARCH[language], language, "--profile", "medium") == {
        "data": {"Academic": "AI papers", "News": "AI news"},
        "report": "Task: write report\n\nAI papers, AI news",
        "status": "completed",
    }
