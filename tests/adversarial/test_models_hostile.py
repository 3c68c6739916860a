"""NW: a model that was turned, or that obeys what it read, gets no further than its spell may.

The model is the built-in scripted one; what it says is `tests/attackers/model.py`'s. Its calls go
the way of every tool call: a denial is told to it, recorded with the agent's name, and has no
effect. The allowed calls among them, and a run without the denial, are the controls.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.adversarial.proof import Control
from tests.attackers import model
from tests.attackers.model import Call, answers_with
from tests.e2e.program import SUFFIXES, Place, Program

AGENT = {
    "lua": """
local got = {}
local note = { name = "note", description = "notes",
  input_schema = { type = "object", additionalProperties = true },
  execute = function(input)
    for key, value in pairs(input) do got[#got + 1] = key end
    return { result = "noted" }
  end }
Agent.create({ name = "other", provider = "fake", model = "script", tools = { {
  name = "others_tool", description = "o", execute = function() got[#got + 1] = "OTHER" end } } })
local tools = { note }
for _, name in ipairs(params.tools) do tools[#tools + 1] = name end
local agent = Agent.create({ name = "victim", provider = "fake", model = "script",
  tools = tools, max_iterations = params.iterations })
local all, out = {}, nil
for i = 1, params.times do
  out = agent:execute("go")
  all[i] = out.success and 0 or out.error_info.code
end
table.sort(got)
return { success = out.success, error = out.error_info, content = out.content:sub(1, 100),
  calls = out.tool_calls, got = got, all = all, clean = ({}).polluted == nil and #out.content }
""",
    "javascript": """
const got = [];
const note = { name: "note", description: "notes",
  inputSchema: { type: "object", additionalProperties: true },
  execute: async (input) => { got.push(...Object.keys(input)); return { result: "noted" }; } };
await Agent.create({ name: "other", provider: "fake", model: "script", tools: [{
  name: "others_tool", description: "o", execute: async () => { got.push("OTHER"); } }] });
const agent = await Agent.create({ name: "victim", provider: "fake", model: "script",
  tools: [note, ...params.tools], maxIterations: params.iterations });
const all = [];
let out;
for (let i = 0; i < params.times; i++) {
  out = await agent.execute("go");
  all.push(out.success ? 0 : (out.errorInfo ?? out.error_info).code);
}
return { success: out.success, error: out.errorInfo ?? out.error_info,
  content: out.content.slice(0, 100), calls: out.toolCalls ?? out.tool_calls, got: got.sort(), all,
  clean: ({}).polluted === undefined && out.content.length };
""",
    "python": """
got = []
def noted(given):
    got.extend(given)
    return {"result": "noted"}
note = {"name": "note", "description": "notes", "execute": noted,
    "input_schema": {"type": "object", "additionalProperties": True}}
await Agent.create({"name": "other", "provider": "fake", "model": "script", "tools": [{
    "name": "others_tool", "description": "o", "execute": lambda given: got.append("OTHER")}]})
agent = await Agent.create({"name": "victim", "provider": "fake", "model": "script",
    "tools": [note, *params["tools"]], "max_iterations": params["iterations"]})
out = await agent.execute("go")
result = {"success": out["success"], "error": out.get("error_info"),
    "content": out["content"][:100], "calls": out["tool_calls"], "got": sorted(got),
    "clean": not hasattr(object, "polluted") and len(out["content"])}
""",
}
POLICY = 'extends = "{}"\n[tools]\ndeny = [{}]\n'
WAYS = (("medium", "lua"), ("medium", "python"), ("high", "javascript"))


class Told(NamedTuple):
    """What came of a conversation."""

    result: dict[str, Any]
    value: dict[str, Any]
    decisions: list[dict[str, Any]]


class Talks:
    """Conversations of a module: each is held once."""

    def __init__(self, place: Place, folder: Path) -> None:
        self.program = Program(place, folder)
        self.hostile = cache(self._hostile)
        self.allowed = cache(self._allowed)

    def talk(
        self,
        profile: str,
        language: str,
        turns: list[dict[str, Any]],
        *flags: str,
        deny: tuple[str, ...] = model.FORBIDDEN_TOOLS,
        iterations: int = 10,
        times: int = 1,
    ) -> Told:
        program = self.program
        program.folder.mkdir(exist_ok=True)
        program.write("data/in.txt", model.INJECTION)
        program.write("../outside.txt", "secret outside")
        audit = program.folder / "a.jsonl"
        audit.unlink(missing_ok=True)
        denied = ", ".join(json.dumps(name) for name in deny)
        program.write("policy.toml", POLICY.format(profile, denied))
        env = {"LLMSPELL_FAKE_SCRIPT": str(program.write("turns.jsonl", model.script(turns)))}
        given = ("--param", f"tools={json.dumps(model.TOOLS)}", "--audit", str(audit))
        result = program.result(
            AGENT[language], SUFFIXES[language], "--policy", "policy.toml",
            *("--allow-llm", "fake/*", "--allow-read", "data", "--allow-write", "data"),
            *("--allow-net", "http://exact.test", "--param", f"iterations={iterations}"),
            *("--param", f"times={times}"),
            *given, *flags, env=env,
        )  # fmt: skip
        records = [json.loads(line) for line in audit.read_text().splitlines()]
        decisions = [each for each in records if each["event"] == "decision"]
        return Told(result, result["value"] or {}, decisions)

    def _allowed(self) -> bool:
        write = Call("file_writer", {"path": "data/fine.txt", "content": "x"}, None)
        turns = [answers_with(write), {"text": "done"}]
        told = self.talk("high", "lua", turns, deny=())
        written = self.program.folder / "data/fine.txt"
        return bool(told.value["calls"][0]["success"]) and written.read_text() == "x"

    def _hostile(self, profile: str, language: str) -> Told:
        expect = {"contains": model.OBEYED}
        calls = model.CRAFTED + model.PROTOTYPES
        turns = [
            answers_with(Call("file_reader", {"path": "data/in.txt"}, None)),
            answers_with(*model.FORBIDDEN, expect=expect),
            answers_with(*calls),
            {"text": "done"},
        ]
        return self.talk(profile, language, turns)


@pytest.fixture(scope="module")
def talks(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Talks:
    return Talks(place, tmp_path_factory.mktemp("talks") / "work")


@pytest.fixture(autouse=True)
def nothing_was_done(talks: Talks) -> Iterator[None]:
    """Whatever a model says: no file of its making, and the one outside stays unread."""
    yield
    left = {path.name for path in talks.program.folder.rglob("*") if "own" in path.name}
    assert not left


def ways(*chosen: tuple[str, str]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(("profile", "language"), chosen)


def expected(call: Call, told: dict[str, Any]) -> bool:
    code = None if told["success"] else told["error"]["code"]
    return (told["name"], code) == (call.name, call.code)


@ways(*WAYS)
def test_NW_61_a_tool_that_is_denied_or_not_the_agents(
    talks: Talks, control: Control, profile: str, language: str
) -> None:
    told = talks.hostile(profile, language)
    calls = told.value["calls"][1 : 1 + len(model.FORBIDDEN)]
    for call, one in zip(model.FORBIDDEN, calls, strict=True):
        assert expected(call, one), (call, one)
    denied = [one for one in calls if one["error"]["code"] == model.DENIED_TOOL]
    rule = f"{profile}.tools.denied"
    assert {one["error"]["rule"] for one in denied} == {rule}
    records = [each for each in told.decisions if each["target"] == "file_writer"]
    assert [
        (each["origin"], each["action"], each["rule"], each["code"], each["allowed"])
        for each in records
    ] == [("agent:victim", "tool", rule, model.DENIED_TOOL, False)] * len(denied)
    assert len(denied) == 2 and "OTHER" not in told.value["got"]
    # Where nobody denies it, the same call writes.
    control(talks.allowed())


@ways(*WAYS)
def test_NW_62_crafted_arguments(
    talks: Talks, control: Control, profile: str, language: str
) -> None:
    told = talks.hostile(profile, language)
    start = 1 + len(model.FORBIDDEN)
    calls = told.value["calls"][start : start + len(model.CRAFTED)]
    for call, one in zip(model.CRAFTED, calls, strict=True):
        assert expected(call, one), (call, one)
    refused = [one for one in calls if not one["success"] and one["error"]["code"] == model.DENIED]
    records = [
        each
        for each in told.decisions
        if not each["allowed"] and each["origin"].startswith("tool:") and each["code"] == 4008
    ]
    assert sorted(each["rule"] for each in records) == sorted(
        one["error"]["rule"] for one in refused
    )
    assert len(records) == 5
    # To the spell's own function strange keys are keys.
    assert told.value["clean"] == 4 and "__proto__" in told.value["got"]
    works = [one["success"] for one in calls if one.get("arguments") == {"path": "data/in.txt"}]
    control(works == [True] and "noted" in json.dumps(told.value["calls"]))


@ways(("medium", "javascript"))
def test_NW_62_answers_that_no_model_gives(
    talks: Talks, control: Control, profile: str, language: str
) -> None:
    """Malformed calls spoil the whole answer, also the good call beside them."""
    good = Call("note", {"beside": 1}, None)
    turns = [answers_with(good, call) for call in model.MALFORMED]
    twin = answers_with(Call("note", '{"alone": 1}', None))
    told = talks.talk(profile, language, [*turns, twin, {"text": "done"}], times=len(turns) + 1)
    *spoilt, last = told.value["all"]
    assert spoilt == [model.MALFORMED_REPLY] * len(turns)
    asked = [each for each in told.decisions if each["action"] == "model"]
    assert len(asked) == len(turns) + 2 and all(each["allowed"] for each in asked)
    control((last, told.value["got"]) == (0, ["alone"]))


@ways(*WAYS)
def test_NW_66_instructions_in_what_a_tool_gives(
    talks: Talks, control: Control, profile: str, language: str
) -> None:
    """The model was given them and obeyed; nothing that it did then was done."""
    told = talks.hostile(profile, language)
    first, *obeying = told.value["calls"]
    assert model.OBEYED in json.dumps(first["result"]), "the script goes on only if it was read"
    sends = [call for call in obeying if "evil.test/?" in str(call.get("arguments"))]
    assert [call["error"]["rule"] for call in sends] == [f"{profile}.net.host"]
    writes = [call for call in obeying if call["name"] == "file_writer"]
    assert len(writes) == 2 and not any(call["success"] for call in writes)
    control(first["success"] and told.value["content"] == "done")


@ways(("medium", "lua"))
def test_NW_67_a_model_that_never_ends(
    talks: Talks, control: Control, profile: str, language: str
) -> None:
    again = answers_with(Call("note", {"a": 1}, None))
    told = talks.talk(profile, language, [again] * 50, iterations=5)
    assert told.value["error"]["code"] == 1003, told.value
    assert told.value["error"]["kind"] == "max_iterations" and len(told.value["got"]) == 5
    # However many turns the agent may take, the run's budget for models ends it.
    told = talks.talk(
        profile, language, [again] * 500, "--limit", "model_tokens=3000", iterations=100
    )
    assert told.value["error"]["kind"] == "limit", told.value
    assert 1 <= len(told.value["got"]) < 60
    control(talks.hostile(profile, language).value["content"] == "done")


@ways(("high", "lua"))
def test_NW_67_a_model_that_says_too_much_at_a_time(
    talks: Talks, control: Control, profile: str, language: str
) -> None:
    many = answers_with(*[Call("note", {"a": 1}, None)] * 40)
    told = talks.talk(profile, language, [many] * 10, "--limit", "calls=60", iterations=100)
    assert (told.result["status"], told.result["reason"]) == ("limit", "calls"), told.result
    told = talks.talk(profile, language, [many, {"text": "x" * 500_000}])
    assert told.value["error"]["rule"] == "limit.model_tokens", told.value
    assert told.value["content"] == ""
    told = talks.talk(profile, language, [many, {"text": "done"}])
    done = [call for call in told.value["calls"] if call["success"]]
    assert (len(done), len(told.value["calls"]), len(told.value["got"])) == (32, 40, 32)
    control(told.value["success"] and told.value["content"] == "done")
