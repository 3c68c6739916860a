"""Models from a spell: fake, mock, scripts, budgets, cassettes, a real one behind its process."""

from __future__ import annotations

import base64
import importlib.util
import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest

from tests.e2e.program import LANGUAGES, SUFFIXES, Program
from tests.supervisor.providers.modelserver import TEXT, ModelServer

COMPLETE = {
    "lua": 'return llm.complete({model="%s", messages={{role="user", content="%s"}}%s})',
    "javascript": 'return await llm.complete({model:"%s", '
    'messages:[{role:"user", content:"%s"}]%s})',
    "python": 'result = await llm.complete(model="%s", '
    'messages=[{"role":"user", "content":"%s"}]%s)',
}
SAFE = {
    "lua": "local ok, e = pcall(function() %s end) if ok then return e end "
    "return {code=e.code, kind=e.kind, rule=e.rule}",
    "javascript": "try { %s } catch (e) { return {code:e.code, kind:e.kind, rule:e.rule} }",
    "python": "try:\n    %s\nexcept Exception as e:\n"
    "    result = {'code': e.code, 'kind': e.kind, 'rule': e.rule}",
}
KEY = "sk-EndToEnd+Secret/Key=0123456789"


def complete(language: str, model: str, content: str, more: str = "") -> str:
    return COMPLETE[language] % (model, content, more)


def config(program: Program, text: str) -> dict[str, str]:
    return {"LLMSPELL_CONFIG_PATH": str(program.write("user/llmspell.toml", text))}


@pytest.mark.parametrize(
    ("language", "profile"), [*((each, "medium") for each in LANGUAGES), ("lua", "high")]
)
def test_API_016_a_spell_asks_a_model(program: Program, language: str, profile: str) -> None:
    source = complete(language, "test-model", "Hello")
    result = program.result(source, SUFFIXES[language], "--profile", profile, "--allow-llm", "fake")
    value = result["value"]
    assert (value["content"], value["provider"]) == ("Hello from test model", "fake")
    assert value["usage"]["total_tokens"] == result["usage"]["model_tokens"] > 0
    assert result["usage"]["model_cost"] == 0


@pytest.mark.parametrize("language", LANGUAGES)
def test_SL_a_model_that_was_not_granted_is_denied_and_recorded(
    program: Program, language: str
) -> None:
    trail = program.folder / "audit.jsonl"
    source = SAFE[language] % complete(language, "openai/gpt-4", "x", _NO_FALLBACK[language])
    env = {"LLMSPELL_DEVELOPMENT__MOCK_LLM_RESPONSES": "true"}
    flags = ("--profile", "high", "--audit", str(trail))
    result = program.result(source, SUFFIXES[language], *flags, env=env)
    assert result["value"]["code"] == 4008 and result["value"]["rule"].startswith("high.models")
    (denial,) = result["denials"]
    assert (denial["action"], denial["target"]) == ("model", "openai/gpt-4")
    assert denial["hint"] == "to allow it: --allow-llm openai/gpt-4"
    records = [json.loads(line) for line in trail.read_text().splitlines()]
    assert any(each.get("target") == "openai/gpt-4" and not each["allowed"] for each in records)
    assert not any(each["event"] == "model" for each in records), "nobody was asked"
    trail.unlink()
    allowed = program.result(
        source, SUFFIXES[language], *flags, "--allow-llm", "openai/gpt-4", env=env
    )
    assert allowed["value"]["content"] == "x", "the control"


_NO_FALLBACK = {"lua": ", fallback={}", "javascript": ", fallback:[]", "python": ", fallback=[]"}


def test_no_provider_and_no_default_is_6001(program: Program) -> None:
    language = "lua"
    source = SAFE[language] % complete(language, "gpt-4", "x")
    assert program.result(source, SUFFIXES[language])["value"]["code"] == 6001


def test_CFG_033_mocking_sends_every_provider_to_fake(program: Program) -> None:
    language = "lua"
    env = config(program, "[development]\nmock_llm_responses = true\n")
    result = program.result(complete(language, "gpt-4", "offline"), SUFFIXES[language], env=env)
    assert (result["value"]["content"], result["value"]["model"]) == ("offline", "gpt-4")


STREAM = {
    "lua": 'local heard = {}\nlocal r = llm.stream({prompt="a b c", provider="fake"}, '
    "function(piece) heard[#heard + 1] = piece end)\nreturn {heard, r.content}",
    "javascript": 'const heard = [];\nconst r = await llm.stream({prompt:"a b c", '
    'provider:"fake"}, (piece) => { heard.push(piece) });\nreturn [heard, r.content]',
    "python": 'heard = []\nr = await llm.stream({"prompt": "a b c", "provider": "fake"}, '
    'heard.append)\nresult = [heard, r["content"]]',
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_LLM_014_a_spell_hears_a_stream(program: Program, language: str) -> None:
    result = program.result(STREAM[language], SUFFIXES[language])
    assert result["value"] == [["a ", "b ", "c"], "a b c"]


@pytest.mark.parametrize("language", ["lua", "python"])
def test_LLM_011_a_budget_that_runs_out_is_6007_with_its_kind(
    program: Program, language: str
) -> None:
    source = SAFE[language] % complete(language, "echo", "x" * 400)
    flags = ("--limit", "model_tokens=100")
    value = program.result(source, SUFFIXES[language], *flags)["value"]
    assert (value["code"], value["rule"]) == (6007, "limit.model_tokens")
    assert "content" in program.result(source, SUFFIXES[language])["value"], "the control"


def test_a_script_that_is_not_over_fails_the_run(program: Program) -> None:
    script = '[[turn]]\ntext = "one"\n[[turn]]\ntext = "two"\n'
    env = {"LLMSPELL_FAKE_SCRIPT": str(program.write("script.toml", script))}
    twice = 'local q = {prompt="x", provider="fake"}\n'
    done = program.run(twice + "llm.complete(q) return llm.complete(q).content", ".lua", env=env)
    assert (done.code, done.out.strip()) == (0, "two") or done.code == 0
    early = program.run(twice + "return llm.complete(q).content", ".lua", env=env)
    assert early.code == 1 and "1 of 2 turns" in early.err
    late = program.run(twice + "for i = 1, 3 do llm.complete(q) end", ".lua", env=env)
    assert late.code == 1 and "turns are over" in late.err


def test_a_spell_does_not_choose_the_script(program: Program) -> None:
    program.write("script.toml", '[[turn]]\ntext = "mine"\n')
    source = 'return llm.complete({prompt="x", provider="fake", script="script.toml"}).content'
    ended = program.run(source, ".lua")
    assert "mine" not in ended.out and "script is not known" in ended.err


HOOKED = """
Hooks.register("before_llm_call", function(ctx)
  if ctx.prompt == "skip" then return {action = "skip", value = "instead"} end
  if ctx.prompt == "stop" then return {action = "cancel", reason = "not now"} end
  return {action = "modify", context = {prompt = "new " .. ctx.prompt}}
end)
local function ask(prompt) return llm.complete({prompt = prompt, provider = "fake"}).content end
local ok, e = pcall(ask, "stop")
return {ask("skip"), ask("words"), e.code, e.kind}
"""


def test_hooks_around_a_call_rewrite_skip_and_cancel_it(program: Program) -> None:
    result = program.result(HOOKED, ".lua")
    assert result["value"] == ["instead", "new words", 1009, "cancelled"], result["error"]


PARITY = {
    "lua": 'local r = llm.complete({prompt="What is 15 + 27?", provider="mock", '
    'model="mock-model", tools={"calculator"}})\n'
    "local n = llm.count_tokens('hello world')\n"
    'local e = llm.embed({texts={"a b", "a b"}, provider="fake"})\n'
    "return {r.tool_calls[1].arguments.expression, n, #e.vectors, "
    "e.vectors[1][1] == e.vectors[2][1], llm.models()[1]}",
    "javascript": 'const r = await llm.complete({prompt:"What is 15 + 27?", provider:"mock", '
    'model:"mock-model", tools:["calculator"]});\n'
    "const n = await llm.countTokens('hello world');\n"
    'const e = await llm.embed({texts: ["a b", "a b"], provider: "fake"});\n'
    "const calls = r.toolCalls ?? r.tool_calls;\n"
    "return [calls[0].arguments.expression, n, e.vectors.length, "
    "e.vectors[0][0] === e.vectors[1][0], (await llm.models())[0]]",
    "python": 'r = await llm.complete(prompt="What is 15 + 27?", provider="mock", '
    'model="mock-model", tools=["calculator"])\n'
    'n = await llm.count_tokens("hello world")\n'
    'e = await llm.embed(["a b", "a b"], provider="fake")\n'
    'result = [r["tool_calls"][0]["arguments"]["expression"], n, len(e["vectors"]), '
    'e["vectors"][0] == e["vectors"][1], (await llm.models())[0]]',
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_three_languages_say_the_same(program: Program, language: str) -> None:
    result = program.result(PARITY[language], SUFFIXES[language])
    assert result["value"] == ["15 + 27", 3, 2, True, "fake/echo"], result["stderr"]


IMPORTS = """
import sys
from llmspell.cli import main
code = main(["run", "spell.lua"])
heavy = {{"litellm", "httpx", "httpcore", "openai", "llmspell.supervisor.providers.remote",
         "llmspell.llm.litellm_adapter"}} & set(sys.modules)
assert not heavy, heavy
models = {{name for name in sys.modules if name.startswith("llmspell.llm")}}
assert bool(models) is {expected}, models
raise SystemExit(code)
"""


@pytest.mark.parametrize(
    ("source", "expected"),
    [("return 1", False), ('return llm.complete{prompt="x", provider="fake"}.content', True)],
)
def test_a_run_without_a_real_model_imports_no_client(
    program: Program, source: str, expected: bool
) -> None:
    import subprocess
    import sys

    program.write("spell.lua", source)
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS.format(expected=expected)],
        cwd=program.folder,
        env=program.place.environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


# -- a real provider -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    server = ModelServer()
    yield server
    server.close()


def real(program: Program, server: ModelServer, top: str = "") -> dict[str, str]:
    base = f"http://127.0.0.1:{server.port}"
    return {
        "E2E_KEY": KEY,
        **config(
            program,
            f'[providers]\ndefault = "openai"\n{top}\n'
            f'[providers.openai]\nbase_url = "{base}/v1"\napi_key = "${{E2E_KEY}}"\n'
            'cost_per_token = 0.00001\nmodel = "ok"\nretries = 0\n'
            f'[providers.anthropic]\nbase_url = "{base}"\napi_key_env = "E2E_KEY"\n'
            'cost_per_token = 0.00002\nmodel = "ok"\nretries = 0\n',
        ),
    }


ADVERSARIAL = """
local told = {}
local function keep(value) told[#told + 1] = JSON.encode(value) end
for _, provider in ipairs({"openai", "anthropic"}) do
  keep(llm.complete({provider = provider, model = "echo-key", prompt = "x"}))
  local ok, e = pcall(llm.complete, {provider = provider, model = "echo-key-error", prompt = "x"})
  keep({e.message, e.hint or "", tostring(e)})
  keep(llm.stream({provider = provider, model = "echo-key", prompt = "x"}, keep))
end
keep(llm.providers())
keep(llm.models())
keep(llm.info({model = "openai/ok"}))
for name, value in pairs(env) do keep(value) end
log.info("told", {what = table.concat(told)})
print(table.concat(told))
error("failing with " .. table.concat(told))
"""


@pytest.mark.skipif(importlib.util.find_spec("litellm") is None, reason="needs the extra llm")
def test_LLM_018_no_key_is_seen_by_worker_error_log_audit_or_cassette(
    program: Program, server: ModelServer
) -> None:
    trail = program.folder / "audit.jsonl"
    cassette = program.folder / "cassette.jsonl"
    env = real(program, server, f'record = "{cassette}"')
    ended = program.run(ADVERSARIAL, ".lua", "--audit", str(trail), env=env)
    seen = ended.out + ended.err + trail.read_text() + cassette.read_text()
    assert ended.out.count("key=") >= 6, "the server did echo"
    for form in (
        KEY,
        KEY[3:],
        base64.b64encode(KEY.encode()).decode(),
        base64.b64encode(f"user:{KEY}".encode()).decode()[8:40],
        quote(KEY, safe=""),
        KEY.encode().hex(),
    ):
        assert form not in seen


@pytest.mark.skipif(importlib.util.find_spec("litellm") is None, reason="needs the extra llm")
def test_record_and_replay_without_a_provider_process(
    program: Program, server: ModelServer
) -> None:
    cassette = program.folder / "cassette.jsonl"
    source = 'return llm.complete({prompt="record me", max_tokens=9}).content'
    recorded = program.result(source, ".lua", env=real(program, server, f'record = "{cassette}"'))
    assert recorded["value"] == TEXT and recorded["usage"]["model_cost"] == 0.00025
    asked = len(server.requests)
    replayed = program.result(source, ".lua", env=real(program, server, f'replay = "{cassette}"'))
    assert replayed["value"] == TEXT and replayed["usage"]["model_cost"] == 0
    assert len(server.requests) == asked, "nobody was asked"
    other = program.run(
        source.replace("record me", "another"),
        ".lua",
        env=real(program, server, f'replay = "{cassette}"'),
    )
    assert other.code == 1 and "holds no answer" in other.err


def test_a_projects_file_can_not_lead_a_key_elsewhere(
    program: Program, server: ModelServer
) -> None:
    program.write("llmspell.toml", '[providers.openai]\nbase_url = "https://evil.example"\n')
    ended = program.run(
        'return llm.complete({prompt="x"}).content', ".lua", env=real(program, server)
    )
    assert ended.code != 0 and "can't stand in a project's file" in ended.err
