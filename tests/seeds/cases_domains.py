"""S49 to S56: templates for domains, a handoff, and a report asked for every morning."""

from __future__ import annotations

from typing import Any, Final

from tests.seeds.case import Case
from tests.seeds.cases_first import javascript_tools, tools


def _told(name: str, answer: str) -> str:
    """Lua that makes an agent of a template and gives its settings and an answer."""
    return f"""
local made = {name}.create({{ provider = "fake", model = "echo" }})
return {{ made:get_config(), made:chat("{answer}") }}"""


def _data(result: Any) -> None:
    config, answer = result.value
    assert config["system_prompt"].startswith("You are a skilled data analyst who helps users")
    assert config["tools"] == ["data_loader", "chart_generator"] and answer == "rows"
    assert config["capabilities"][-1] == "insight_extraction"
    assert config["output_format"] == "structured_analysis"


def _service(result: Any) -> None:
    config, answer = result.value
    assert config["system_prompt"].startswith("You are a helpful customer service representative")
    assert config["tools"] == ["ticket_creation"] and len(config["missing_tools"]) == 3
    assert config["personality"]["patience_threshold"] == "extended"
    assert config["workflows"] == ["issue_triage", "resolution_tracking"] and answer == "help"


def _api(result: Any) -> None:
    config, answer = result.value
    assert config["system_prompt"].startswith("You specialize in API testing")
    assert config["tools"] == ["http_client", "json_validator"], "one of them is built in"
    assert "webhook_handling" in config["specializations"] and answer == "a call"


def _market(result: Any) -> None:
    config, name, base, first, second = result.value
    assert (name, base) == ("technology_market_research_agent", "market_research_agent")
    assert "Focus specifically on market trends" in config["system_prompt"], "the middle one's"
    assert config["tools"] == ["trend_detector", "patent_analyzer"], "of both"
    assert config["domain"] == "technology_sector"
    assert first[-1] == "market_analysis" and second == [*first, "technology_sector"]


def _custom(result: Any) -> None:
    name, config, answer = result.value
    assert name == "custom_research_agent" and answer == "cod"
    assert config["system_prompt"].startswith("A research_agent for fish.")
    assert config["tools"][0] == "trend_detector" and config["capabilities"] == ["fish"]
    assert config["context_memory"] == 32_000, "of the template that was spread"


def _healthcare(result: Any) -> None:
    config, answer = result.value
    assert "Data sources: pubmed, clinical_trials, medical_journals" in config["system_prompt"]
    assert "Output: citation_style = AMA" in config["system_prompt"]
    assert config["compliance_mode"] == "HIPAA" and "healthcare" in config["capabilities"]
    assert config["tool_overrides"]["web_search"]["provider"] == "specialized_medical_search"
    assert config["tools"] == ["web_search"] and answer == "flu"


_FACTORY: Final = """
Object.assign(CustomAgentFactory, {
  selectToolsForRequirements: (wanted) => wanted.tools,
  generatePromptFor: (base, wanted) => `A ${base} for ${wanted.topic}.`,
  mapCapabilities: (wanted) => [wanted.topic],
});
const wanted = { topic: "fish", tools: ["trend_detector"] };
const template = await CustomAgentFactory.createSpecializedAgent("research_agent", wanted);
const made = await template.create({ provider: "fake", model: "echo" });
return [template.templateName, await made.getConfig(), await made.chat("cod")];"""

_DELEGATED: Final = """
[[turn]]
expect = { contains = ["master orchestrator", "src/main.rs"], tools = ["agent_finder"] }
[[turn.tool_calls]]
name = "agent_finder"
arguments = { query = "code quality" }
[[turn]]
expect = { contains = ["agent_finder", "code_reviewer"] }
text = '{"action": "handoff", "target": "code_reviewer", "input": "review src/main.rs"}'
[[turn]]
expect = { contains = ["You review code.", "review src/main.rs"] }
text = "main.rs: two findings"
"""

_SPECIALISTS: Final = """
Agent.create({ name = "code_reviewer", description = "analyzing code quality",
  system_prompt = "You review code.", provider = "fake", model = "script" })
Agent.create({ name = "database_expert", description = "database queries",
  provider = "fake", model = "script" })
"""

CASES: Final = (
    Case(
        "S49",
        "runs",
        "an agent of the template",
        before=tools("data_loader", "chart_generator"),
        after=_told("DataAnalyst", "rows"),
        check=_data,
    ),
    Case(
        "S50",
        "runs",
        "an agent of the template",
        before=javascript_tools("ticket_creation"),
        after="""
const made = await CustomerServiceAgent.create({ provider: "fake", model: "echo" });
return [await made.getConfig(), await made.chat("help")];""",
        check=_service,
        profile="high",
        grants=("llm:*",),
    ),
    Case(
        "S51",
        "runs",
        "an agent of the template",
        before=tools("json_validator"),
        after=_told("APIAgent", "a call"),
        check=_api,
    ),
    Case(
        "S52",
        "runs",
        "a template of a template, found by the name that the first got of itself",
        before=tools("trend_detector", "patent_analyzer"),
        after="""
local made = TechMarketAnalyst.create({ provider = "fake", model = "echo" })
return { made:get_config(), TechMarketAnalyst.template_name, TechMarketAnalyst.base,
  MarketResearchAgent.capabilities, TechMarketAnalyst.capabilities }""",
        check=_market,
    ),
    Case(
        "S53",
        "runs",
        "a template made at run time of another's settings",
        before=javascript_tools("trend_detector"),
        after=_FACTORY,
        check=_custom,
        remark="the three functions it calls stand in no seed; the test has them",
    ),
    Case(
        "S54",
        "runs",
        "an agent of a configuration",
        before=tools("web_search"),
        after='return { HealthcareResearcher:get_config(), HealthcareResearcher:chat("flu") }',
        check=_healthcare,
    ),
    Case(
        "S55",
        "runs",
        "the orchestrator looks for a specialist and hands the request over",
        before=_SPECIALISTS,
        after="return { tostring(result), Agent.get('code_reviewer'):history()[2].content }",
        value=["main.rs: two findings", "main.rs: two findings"],
        turns=_DELEGATED,
    ),
    Case(
        "S56",
        "runs",
        "asks for a workflow every morning; the host runs what a run asked for",
        after="""
local job = Scheduler.list()[1]
return { job.status, job:get_status(), report_workflow:execute({}).success, #Scheduler.list() }""",
        value=[
            "requested",
            {
                "name": "daily_market_report",
                "status": "requested",
                "trigger": {"type": "cron", "schedule": "0 8 * * *"},
                "action": {
                    "type": "workflow",
                    "workflow": "workflow-1",
                    "input": {"report_date": "{{now()}}"},
                },
            },
            True,
            1,
        ],
        remark="`{...}` stands for the steps: in Lua it is the arguments, of which there are none",
    ),
)
