"""A model that was not granted is not reached, whichever way a spell goes (NW-60).

The provider is configured and has a key; a server on loopback would see every request. Each way
has its control: the same spell with the grant is allowed, and arrives where litellm is installed.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator

import pytest

from tests.adversarial.proof import Control
from tests.e2e.program import Place, Program
from tests.supervisor.providers.modelserver import ModelServer

WAYS = {
    "complete": 'llm.complete({prompt = "x", provider = "openai", model = "ok"})',
    "by its whole name": 'llm.complete({prompt = "x", model = "openai/ok"})',
    "by both names": 'llm.complete({prompt="x", provider="openai", model="openai/ok"})',
    "by default": 'llm.complete({prompt = "x"})',
    "stream": 'llm.stream({prompt = "x", provider = "openai"}, function() end)',
    "embed": 'llm.embed({texts = {"x"}, provider = "openai", model = "emb"})',
    "as one that suits": 'llm.complete({prompt = "x", provider = "auto"})',
    "as a fallback": 'llm.complete({prompt="x", provider="fake", fallback={"openai"}})',
    "by an agent": 'Agent.create({name="a", provider="openai", model="ok"}):chat("x")',
    "by an agent in a workflow": "local a = "
    'Agent.create({name="a", provider="openai", model="ok"}) '
    'Workflow.sequential({name="w", steps={{name="s", agent=a, input={text="x"}}}}):execute({})',
    "by a hook": 'Hooks.register("before_llm_call", function(ctx) return {action="modify", '
    'context={provider="openai", model="ok"}} end) llm.complete({prompt="x", provider="fake"})',
    "by a hook that redirects": 'Hooks.register("before_llm_call", function(ctx) '
    'return {action="redirect", context={provider="openai", model="ok"}} end) '
    'llm.complete({prompt="x", provider="fake"})',
}


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    server = ModelServer()
    yield server
    server.close()


def environ(program: Program, server: ModelServer) -> dict[str, str]:
    text = (
        '[providers]\ndefault = "openai"\n[providers.openai]\n'
        f'base_url = "http://127.0.0.1:{server.port}/v1"\napi_key_env = "ADVERSARIAL_KEY"\n'
        'model = "ok"\ncost_per_token = 0\nretries = 0\n'
    )
    path = program.write("user/llmspell.toml", text)
    return {"LLMSPELL_CONFIG_PATH": str(path), "ADVERSARIAL_KEY": "sk-adversarial-0123456789"}


def attempts(ways: list[str]) -> str:
    """A spell that tries them one after the other and says how each ended."""
    tries = "\n".join(
        f'do local ok, e = pcall(function() {WAYS[way]} end) told["{way}"] = ok and 0 or e.code end'
        for way in ways
    )
    return f"local told = {{}}\n{tries}\nreturn told"


PLAIN = [way for way in WAYS if "hook" not in way and way != "as a fallback"]
CODES = {
    **dict.fromkeys(WAYS, 4008),
    # Of none that is allowed none is chosen, and a fallback's denial leaves the first failure.
    "as one that suits": 6001,
    "as a fallback": 6008,
}


@pytest.fixture(scope="module")
def way_is_free(
    place: Place, tmp_path_factory: pytest.TempPathFactory, server: ModelServer
) -> bool:
    """With the grant each of these is allowed, and refused to none."""
    program = Program(place, tmp_path_factory.mktemp("granted"))
    trail = program.folder / "audit.jsonl"
    flags = ("--profile", "high", "--allow-llm", "fake", "--allow-llm", "openai")
    spell, env = attempts([*PLAIN, "by a hook"]), environ(program, server)
    result = program.result(spell, ".lua", *flags, "--audit", str(trail), env=env)
    records = [json.loads(line) for line in trail.read_text().splitlines()]
    models = [each for each in records if each.get("action") == "model"]
    asked = [each for each in models if each["target"].startswith("openai/")]
    return len(asked) >= 8 and all(each["allowed"] for each in models) and not result["denials"]


@pytest.mark.parametrize(
    "ways",
    [PLAIN, ["as a fallback"], ["by a hook"], ["by a hook that redirects"]],
    ids=lambda ways: ways[0],
)
@pytest.mark.profile("high")
def test_NW_60_a_model_that_was_not_granted_is_not_reached(
    program: Program, server: ModelServer, control: Control, way_is_free: bool, ways: list[str]
) -> None:
    trail = program.folder / "audit.jsonl"
    asked = len(server.requests)
    flags = ("--profile", "high", "--allow-llm", "fake", "--audit", str(trail))
    env = environ(program, server)
    if ways == ["as a fallback"]:
        script = program.write("script.toml", '[[turn]]\nerror = "unavailable"\n')
        env["LLMSPELL_FAKE_SCRIPT"] = str(script)
    result = program.result(attempts(ways), ".lua", *flags, env=env)
    assert len(server.requests) == asked, "nobody was asked"
    assert result["value"] == {way: CODES[way] for way in ways}, result["stderr"]
    records = [json.loads(line) for line in trail.read_text().splitlines()]
    assert not any(each["event"] == "model" for each in records)
    denied = [each for each in records if each.get("action") == "model" and not each["allowed"]]
    assert len(denied) == len([way for way in ways if way != "as one that suits"])
    assert all(each["target"].startswith("openai/") for each in denied)
    assert {each["target"] for each in result["denials"]} == {each["target"] for each in denied}
    control(way_is_free)


@pytest.mark.skipif(importlib.util.find_spec("litellm") is None, reason="needs the extra llm")
def test_with_the_grant_every_way_leads_there(program: Program, server: ModelServer) -> None:
    server.counts.clear()
    ways = [*PLAIN, "by a hook"]
    flags = ("--profile", "high", "--allow-llm", "openai", "--allow-llm", "fake")
    result = program.result(attempts(ways), ".lua", *flags, env=environ(program, server))
    assert result["value"] == dict.fromkeys(ways, 0), result["stderr"]
    assert server.counts["ok"] == 9 and server.counts["emb"] == 1
