"""S43 to S54: agent templates, as they are made, customised and extended."""

from __future__ import annotations

from typing import Any, Final

from tests.seeds.case import Case
from tests.seeds.cases_first import javascript_tools, tools

_MERGED: Final = """
const market = await MarketAnalyst.create({ provider: "fake", model: "echo" });
const kept = await market.getConfig();
return [(await MarketAnalyst).tools, kept.analysisFramework, kept.domainKnowledge.frameworks,
        kept.temperature, (await TechnicalAnalyst).capabilities, (await TechnicalAnalyst).base,
        await market.chat("hello"), kept.tools];"""

_EXPERTS: Final = """
local health = HealthcareExpert.create({ provider = "fake", model = "echo" })
local kept = health:get_config()
return {
  name = health.name, tools = kept.tools, prompt = kept.system_prompt,
  steps = #kept.workflows.domain_analysis.steps, was = kept.workflows.comprehensive_research ~= nil,
  expertise = kept.domain_expertise, answer = health:chat("hello"),
  finance = FinanceExpert.create({ provider = "fake" }):get_config(),
  plain = Agent.template("research_specialist").tools,
}"""


def _buddy(result: Any) -> None:
    answer, prompt, names = result.value
    assert answer == "hello"
    assert prompt.startswith("You are research_buddy, a academic_friendly assistant.")
    assert "Your traits: analytical, thorough, supportive\n" in prompt
    assert "Use emojis appropriately" in prompt and "Avoid" not in prompt, "the template's own"
    assert "Keep responses detailed length" in prompt and "Always be analytical and" in prompt
    assert names == [
        "web_search",
        "calculator",
        "date_time_handler",
        "academic_searcher",
        "text_summarizer",
    ]


def _researcher(result: Any) -> None:
    config, answer = result.value
    prompt = config["system_prompt"]
    assert "- web, reports, news research\n" in prompt
    assert "- moderate, deep analysis\n" in prompt and "- BUSINESS citation format\n" in prompt
    assert "- Revenue and growth projections" in prompt, "the additions"
    assert config["tools"] == ["web_search", "data_visualizer"]
    assert len(config["missing_tools"]) == 4
    assert (config["temperature"], config["max_tokens"]) == (0.3, 2000)
    assert config["specialization"] == "market_analysis" and answer == "hello"


def _writers(result: Any) -> None:
    technical, social, answers = result.value
    assert "- api_documentation\n" in technical["system_prompt"]
    assert "blog_posts" not in technical["system_prompt"]
    assert "- Troubleshooting guides" in technical["system_prompt"]
    assert "- Twitter: Concise" in social["system_prompt"]
    assert "Troubleshooting" not in social["system_prompt"], "each has its own"
    assert social["platform_configs"]["twitter"]["max_length"] == 280
    assert technical["temperature"] == 0.8 and technical["tools"] == [
        "web_search",
        "text_manipulator",
        "template_processor",
    ]
    assert answers == ["a guide", "a post"]


def _experts(result: Any) -> None:
    value = result.value
    assert value["name"] == "healthcare_expert" and value["answer"] == "hello"
    assert value["tools"] == ["web_search", "academic_searcher", "pubmed_search"]
    assert "clinical_research\n- medical_devices" in value["prompt"]
    assert value["prompt"].startswith("You are a research specialist"), "the template's prompt too"
    assert (value["steps"], value["was"]) == (4, True)
    assert value["expertise"][0] == "clinical_research"
    assert value["finance"]["name"] == "finance_expert"
    assert "When analyzing finance topics" in value["finance"]["system_prompt"]
    assert "pubmed_search" not in value["plain"], "the built-in template stays as it was"


CASES: Final = (
    Case(
        "S43",
        "runs",
        "a template's prompt is filled for the agent made of it",
        before=tools("web_search", "academic_searcher", "text_summarizer"),
        after="""local names = {}
for _, tool in ipairs(myAssistant:list_tools()) do names[#names + 1] = tool.name end
return { myAssistant:chat("hello"), myAssistant:system_prompt(), names }""",
        check=_buddy,
    ),
    Case(
        "S44",
        "runs",
        "expressions in a template's prompt; lists replaced, tools and prompt added to",
        before=javascript_tools("web_search", "data_visualizer"),
        after='return [await marketResearcher.getConfig(), await marketResearcher.chat("hello")];',
        check=_researcher,
    ),
    Case("S45", "broken", "TypeScript: line 1, `interface`", code=6001),
    Case(
        "S46",
        "runs",
        "two agents of one template, each with prompt and settings of its own",
        before=tools("web_search"),
        after="""return { TechnicalWriter:get_config(), SocialMediaManager:get_config(),
  { TechnicalWriter:chat("a guide"), SocialMediaManager:chat("a post") } }""",
        check=_writers,
    ),
    Case(
        "S47",
        "runs",
        "two templates made of one",
        before=javascript_tools("statistical_analyzer", "web_search"),
        after=_MERGED,
        value=[
            [
                "statistical_analyzer",
                "data_visualizer",
                "text_summarizer",
                "web_search",
                "financial_data_api",
            ],
            {
                "methodology": "structured",
                "confidence_reporting": True,
                "citation_required": True,
            },
            ["porter_five_forces", "swot", "pestle"],
            0.2,
            ["structured_analysis", "technical_analysis"],
            "base_analyst",
            "hello",
            ["statistical_analyzer", "web_search"],
        ],
    ),
    Case(
        "S48",
        "runs",
        "a template changed by its fields makes agents that have the changes",
        before=tools("web_search", "academic_searcher", "pubmed_search"),
        after=_EXPERTS,
        check=_experts,
    ),
)
