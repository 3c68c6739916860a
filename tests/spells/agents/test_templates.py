"""Templates: the built-in ones, inheritance, customization, prompts (TPL-*, API-047 … 052)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llmspell.channel.jsontext import Callback
from llmspell.errors import InvalidInput, Missing
from llmspell.spells.agents.builtin_templates import ALIASES, BUILTIN
from llmspell.spells.agents.prompts import rendered
from tests.spells.agents.kit import Desk

MINIMUMS = {
    "research_agent": 4,
    "chat_agent": 3,
    "code_assistant": 5,
    "data_analyst": 4,
    "customer_service": 4,
    "api_integration": 4,
}


@pytest.mark.parametrize("name", [*BUILTIN, *ALIASES])
def test_every_built_in_template_makes_an_agent(name: str) -> None:
    async def go() -> None:
        desk = Desk()
        agent = await desk.templates.create(name, {"provider": "fake"})
        canonical = ALIASES.get(name, name)
        assert agent.settings.type == canonical
        assert len(agent.settings.capabilities) >= MINIMUMS.get(canonical, 1)
        assert "{{" not in agent.settings.system_prompt and agent.settings.system_prompt
        assert not [note for _, note in desk.host.notes if "prompt template" in note]
        wanted = list(desk.templates.get(name).config.get("tools", []))
        assert agent.missing_tools == [tool for tool in wanted if tool != "agent_finder"]

    asyncio.run(go())


def test_TPL_017_what_is_made_of_a_template_can_strictly_more() -> None:
    desk = Desk()
    base = desk.templates.get("research_agent")
    market = desk.templates.extend(
        "research_agent",
        None,
        {"specialization": "market_analysis", "additional_tools": ["market_data_api"],
         "enhanced_prompts": {"system_addition": "Mind the market."}},
    )  # fmt: skip
    assert market.name == "market_research_agent" and market.base == "research_agent"
    assert set(market.capabilities()) > set(base.capabilities())
    assert market.config["tools"] == [*base.config["tools"], "market_data_api"]
    tech = desk.templates.extend("market_research_agent", None, {"domain": "technology_sector"})
    assert set(tech.capabilities()) > set(market.capabilities())
    assert tech.config["prompt_additions"] == ["Mind the market."]
    plain = desk.templates.extend("chat_agent", "plain", {})
    assert set(plain.capabilities()) > set(desk.templates.get("chat_agent").capabilities())
    assert desk.templates.get("research_agent").config == base.config, "the base stays"


def test_a_new_template_and_what_differs_is_laid_on_it_deeply() -> None:
    async def go() -> None:
        desk = Desk(calculator=lambda given: 1, web=lambda given: 1)
        desk.templates.define(
            "helper",
            {
                "name": "first",
                "base_config": {"temperature": 0.7},
                "personality": {"traits": ["a", "b"], "style": "dry"},
                "system_prompt_template": "{{name}}: {{#each personality.traits}}{{this}}"
                "{{#unless @last}}, {{/unless}}{{/each}}; {{personality.style}}",
                "tools": ["calculator"],
            },
        )
        agent = await desk.templates.create(
            "helper",
            {
                "name": "buddy",
                "personality": {"traits": ["x"]},
                "additional_tools": ["web"],
                "custom_prompt_additions": "And more.",
            },
        )
        assert agent.settings.system_prompt == "buddy: x; dry\n\nAnd more."
        assert agent.toolbox.names() == ["calculator", "web"]
        assert (agent.settings.temperature, agent.settings.type) == (0.7, "helper")
        assert desk.host.notes == [], "a template's own options are no mistakes"

    asyncio.run(go())


def test_S45_an_option_reaches_the_table_that_has_it() -> None:
    async def go() -> None:
        agent = await Desk().templates.create(
            "code_specialist", {"languages": ["lua"], "frameworks": ["busted"]}
        )
        assert "Languages: lua\n" in agent.settings.system_prompt
        assert "Frameworks: busted" in agent.settings.system_prompt

    asyncio.run(go())


def test_a_prompt_replaces_a_prompt_template() -> None:
    async def go() -> None:
        agent = await Desk().templates.create("chat_agent", {"system_prompt": "Custom prompt"})
        assert agent.settings.system_prompt == "Custom prompt"

    asyncio.run(go())


def test_TPL_015_create_from_config() -> None:
    async def go() -> None:
        desk = Desk(web_search=lambda given: 1)
        agent = await desk.templates.create_from_config(
            {
                "base_template": "research_agent",
                "customizations": {
                    "domain_expertise": "healthcare",
                    "data_sources": ["pubmed", "clinical_trials"],
                    "compliance_mode": "HIPAA",
                    "tool_overrides": {"web_search": {"n": 3}},
                    "output_requirements": {"citation_style": "AMA", "peer_review_check": True},
                },
            }
        )
        prompt = agent.settings.system_prompt
        for part in ("healthcare", "pubmed, clinical_trials", "HIPAA", "citation_style = AMA"):
            assert part in prompt
        assert "healthcare" in agent.settings.capabilities
        assert agent.settings.tool_overrides == {"web_search": {"n": 3}}
        with pytest.raises(InvalidInput):
            await desk.templates.create_from_config({"customizations": {}})

    asyncio.run(go())


def test_S48_what_a_spell_changed_in_a_template_object_counts() -> None:
    async def go() -> None:
        desk = Desk()
        handle = desk.templates.get("research_specialist").to_wire()
        handle["tools"] = [*handle["tools"], "pubmed_search"]
        handle["system_prompt_template"] += "\n\nDomain: health"
        handle["name"] = "health_expert"
        agent = await desk.templates.create(handle, {})
        assert agent.name == "health_expert" and "pubmed_search" in agent.missing_tools
        assert agent.settings.system_prompt.endswith("Domain: health")

    asyncio.run(go())


def test_S48_functions_stay_where_a_spell_changed_something_else() -> None:
    async def go() -> None:
        desk = Desk()
        tool = {"name": "t", "execute": Callback(3)}
        steps = {"steps": [{"name": "a", "input": Callback(4)}]}
        desk.templates.define("own", {"tools": [tool], "workflows": {"w": steps}, "limits": {}})
        handle = desk.templates.get("own").to_wire()
        assert desk.templates.get(handle) == desk.templates.get("own"), "nothing was changed"
        assert desk.templates.get({**handle, "limits": []}) == desk.templates.get("own")
        handle["workflows"] = {**handle["workflows"], "more": {"steps": []}}
        handle["tone"] = "calm"
        changed = desk.templates.get(handle).config
        assert changed["workflows"] == {"w": steps, "more": {"steps": []}}
        assert (changed["tools"], changed["tone"]) == ([tool], "calm")

    asyncio.run(go())


def test_S53_a_config_spread_into_a_new_template() -> None:
    desk = Desk()
    config = desk.templates.get("data_analyst").to_wire()["config"]
    made = desk.templates.define(
        "custom_data_analyst",
        {**config, "systemPrompt": "Mine.", "capabilities": ["medical_research"]},
    )
    assert made.config["system_prompt"] == "Mine."
    assert "medical_research" in made.capabilities()


def test_functions_in_a_template_are_not_handed_back() -> None:
    steps = {"steps": [{"name": "a", "input": Callback(3)}]}
    made = Desk().templates.define("t", {"workflows": {"w": steps}})
    assert made.to_wire()["config"]["workflows"] == {"w": {"steps": [{"name": "a"}]}}


def test_unknown_templates_are_1001() -> None:
    with pytest.raises(Missing) as missing:
        Desk().templates.get("nope")
    assert missing.value.code == 1001 and "chat_agent" in str(missing.value.hint)


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{a.b}} {{list.0}}", "c x"),
        ("{{researchCapabilities.analysisDepth.join(', ')}}", "deep, wide"),
        ('{{ researchCapabilities.analysisDepth.join(" / ") }}', "deep / wide"),
        ("{{a.b.toUpperCase()}}", "C"),
        ("{{#if yes}}y{{else}}n{{/if}}{{#unless yes}}u{{/unless}}", "y"),
        ("{{#each list}}{{this}}{{#unless @last}}-{{/unless}}{{/each}}", "x-y"),
        ("{{missing}}", ""),
        ("{{items.map(x => x + 1)}}", "{{items.map(x => x + 1)}}"),
        ("no tags", "no tags"),
    ],
)
def test_API_052_prompt_templates(template: str, text: str) -> None:
    known: dict[str, Any] = {
        "a": {"b": "c"},
        "list": ["x", "y"],
        "yes": True,
        "research_capabilities": {"analysis_depth": ["deep", "wide"]},
    }
    host: Any = Desk().host
    assert rendered(host, template, known) == text


@pytest.mark.parametrize("template", ["{{#if x}}", "{{/each}}", "{{" * 40_000])
def test_a_wrong_template_is_1010_and_ends_soon(template: str) -> None:
    host: Any = Desk().host
    with pytest.raises(InvalidInput) as wrong:
        rendered(host, template, {"list": list(range(1000))})
    assert wrong.value.code == 1010


def test_a_hostile_template_is_bounded() -> None:
    host: Any = Desk().host
    nested = "{{#each l}}" * 10 + "x" + "{{/each}}" * 10
    with pytest.raises(InvalidInput) as wrong:
        rendered(host, nested, {"l": list(range(1000))})
    assert wrong.value.code == 1010


def test_X17_a_prompt_template_of_an_agent_s_own() -> None:
    async def go() -> None:
        agent = await Desk().agent(name="a", prompt_template="I am {{name}}.")
        assert agent.settings.system_prompt == "I am a."

    asyncio.run(go())
