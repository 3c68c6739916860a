"""What a hostile spell, model or state file can make of the script API: typed errors, soon."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.program import Program


def run(program: Program, source: str, *flags: str, suffix: str = ".lua", **options: Any) -> Any:
    (program.folder / "a.jsonl").unlink(missing_ok=True)
    return program.result(source, suffix, "--audit", "a.jsonl", *flags, **options)


ATTEMPT = """
local told = {}
local function attempt(name, act)
  local done, value = pcall(act)
  told[name] = done and "done" or value.code
end
"""

BOMBS = (
    ATTEMPT
    + """
local big, many, same, named = string.rep("x", 1000000), {}, {}, {}
for i = 1, 5000 do many[i], same[i], named[i] = "{{input.s}}!", "{{input.s}}", "{{s}}" end
local function step(given)
  given.name = "s"
  return function()
    return Workflow.sequential({name = "w", steps = {given}}):execute({s = big, l = {1, 2, 3, 4, 5,
      6, 7, 8, 9, 10}})
  end
end
local agent = Agent.create({name = "a", provider = "fake"})
attempt("texts", step({tool = "json_processor", input = {data = many}}))
attempt("references", step({tool = "json_processor", input = {data = same}}))
attempt("items", function()
  return Workflow.fan_out({name = "f", items = same, step = function() end}):execute({s = big})
end)
attempt("prompt", step({agent = agent,
  prompt = "{{#each input.l}}{{{ '{{input.s}}' and 0 }}}{{/each}}"}))
attempt("pipeline", function()
  local steps = {{tool = "json_processor", input = {data = same}}}
  return Tools.create_pipeline({steps = steps}):execute({s = big})
end)
attempt("collaboration", function()
  local session = Orchestrator.start_collaboration({"a"}, "sequential", {s = big:sub(1, 900000)})
  return session:execute({steps = {{agent = "a", action = "x", input = named}}})
end)
attempt("definitions", function()
  for i = 1, 40 do
    Workflow.sequential({name = "w" .. i, steps = {{name = "s", tool = "calculator",
      input = {x = big}}}})
  end
end)
attempt("pipelines", function()
  for i = 1, 40 do
    Tools.create_pipeline({steps = {{tool = "calculator", input = {x = big}}}})
  end
end)
attempt("pattern", function()
  Tools.create("p", {execute = function() end,
    input_schema = {type = "object", properties = {x = {pattern = "(a+)+$"}}}})
end)
attempt("reference", function()
  local both = {anyOf = {{["$ref"] = "#/$defs/a"}, {["$ref"] = "#/$defs/a"}}}
  return Tools.create("r", {execute = function() end,
    input_schema = {["$defs"] = {a = both}, ["$ref"] = "#/$defs/a"}}):execute({x = 1})
end)
return told
"""
)


def test_small_texts_that_mean_much_are_refused(program: Program) -> None:
    told = run(program, BOMBS)
    refused = dict.fromkeys(("texts", "references", "items", "prompt"), 3004)
    refused |= dict.fromkeys(("pipeline", "definitions", "pipelines", "reference"), 2002)
    refused |= {"collaboration": 2002, "pattern": 2010, "items": 2002}
    assert told["value"] == refused, told
    assert told["usage"]["wall"] < 30


CIRCLES = (
    ATTEMPT
    + """
local self = Tools.create("self", {execute = function(given)
  return Tools.execute("self", given)
end})
attempt("tool", function() return self:execute({}) end)
local asking = Agent.create({name = "me", provider = "fake", model = "mock-model"})
Tools.create("ask", {execute = function()
  return Workflow.sequential({name = "x", steps = {{name = "s", tool = "ask",
    input = {}}}}):execute({})
end})
attempt("tool and workflow", function() return Tools.execute("ask", {}) end)
attempt("agent", function()
  asking:add_tool(asking)
  return asking:execute("What is 15 + 27?")
end)
attempt("workflow", function()
  Workflow.sequential({name = "w", steps = {{name = "s", workflow = "w"}}}):execute({})
end)
attempt("wide workflow", function()
  local steps = {}
  for i = 1, 8 do steps[i] = {name = "s" .. i, workflow = "wide"} end
  Workflow.parallel({name = "wide", steps = steps}):execute({})
end)
attempt("two workflows", function()
  Workflow.sequential({name = "one", steps = {{name = "s", workflow = "two"}}})
  Workflow.sequential({name = "two", steps = {{name = "s", workflow = "one"}}}):execute({})
end)
local hooked = 0
Hooks.register("before_tool_execution", function()
  hooked = hooked + 1
  Tools.execute("uuid_generator", {})
end)
attempt("hook", function() return Tools.execute("uuid_generator", {}) end)
told.hooked = hooked < 100
return told
"""
)


def test_circles_of_tools_workflows_agents_and_hooks_end(program: Program) -> None:
    told = run(program, CIRCLES, "--profile", "medium")
    value = told["value"]
    assert value.pop("hook") == "done" and value.pop("hooked") is True, told
    assert value["tool"] == 4009 and value["agent"] in (1003, 1004), told
    assert set(value.values()) <= {1003, 1004, 3004, 3006, 4009}, told
    assert told["usage"]["calls"] < 2_000


SHARES = {
    "agents in a loop": """
local agent = Agent.create({name = "a", provider = "fake", model = "echo"})
Workflow.loop({name = "w", times = 50, body = {agent = agent, prompt = "hello"}}):execute({})
""",
    "agents that retry": """
local agent = Agent.create({name = "a", provider = "fake", model = "echo",
  error_strategy = {type = "retry", max_retries = 5, delay = 0}})
for i = 1, 50 do agent:chat("hello") end
""",
    "agents of agents": """
local agent = Agent.create({name = "a", provider = "fake", model = "echo"})
local other = Agent.create({name = "b", provider = "fake", model = "echo", tools = {agent}})
for i = 1, 50 do other:execute_tool("a", {message = "hello"}) end
""",
    "a collaboration": """
Agent.create({name = "a", provider = "fake", model = "echo"})
for i = 1, 50 do Orchestrator.run({"a"}, "hello", "sequential") end
""",
    "other spells": 'for i = 1, 50 do Spell.run_file("spell:ask.lua") end',
    "fallbacks": """
for i = 1, 50 do
  llm.complete({prompt = "hello", provider = "fake", model = "echo", fallback = {"fake/echo"}})
end
""",
}


@pytest.mark.parametrize("way", SHARES)
def test_every_way_to_a_model_is_charged_to_the_run(program: Program, way: str) -> None:
    ask = 'return llm.complete({provider = "fake", model = "echo", prompt = "hello"}).content'
    program.write("ask.lua", ask)
    caught = f"local done, e = pcall(function() {SHARES[way]} end)\nreturn {{done, e and e.code}}"
    told = run(program, caught, "--limit", "model_tokens=60")
    assert told["value"] in ([False, 6007], [False, 3004]), told
    assert 0 < told["usage"]["model_tokens"] <= 60


FORGED = """
const out = {}, seen = [];
Agent.create({name: "real", provider: "fake"});
await Workflow.sequential({name: "flow", steps: [{name: "s", run: () => 1}]});
const kinds = ["__proto__", "constructor", "prototype", "toString", "__defineGetter__", "agent"];
const echo = await Tools.create("echo", {execute: (given) => {
  seen.push(given.x !== null && given.x.handle === given.kind
    && ({}).polluted === undefined && typeof ({}).constructor === "function");
  return {result: Object.keys(given)};
}});
for (const kind of kinds) {
  const given = JSON.parse(JSON.stringify({kind, x: {handle: "KIND", id: "workflow-1"}})
    .replace("KIND", kind).replace("{", '{"__proto__": {"polluted": 1}, '));
  await echo.execute(given);
}
const attempt = async (name, act) => {
  try { await act(); out[name] = "done"; } catch (error) { out[name] = error.code; }
};
const agent = (id) => ({handle: "agent", id});
await attempt("other kind", () => Agent.execute(agent("workflow-1"), "hi"));
await attempt("no such", () => Agent.execute(agent("agent-999"), "hi"));
await attempt("no text", () => Agent.execute({handle: "agent", id: {}}, "hi"));
await attempt("as tool", () => Tools.configure({handle: "agent", id: "agent-1"}, {cache: true}));
await attempt("traversal", () => Tools.get("../calculator"));
await attempt("look-alike", () => Tools.execute("сalculator", {expression: "1"}));
await attempt("wide letters", () => Tools.execute("ｃalculator", {expression: "1"}));
await attempt("control", () => Tools.execute("calculator\\u0000", {expression: "1"}));
await attempt("look-alike tool", () => Tools.create("сalculator", {execute: () => 1}));
return {out, seen};
"""


@pytest.mark.parametrize("profile", ["medium", "high"])
def test_forged_handles_and_names_lead_nowhere(program: Program, profile: str) -> None:
    told = run(program, FORGED, "--profile", profile, "--allow-llm", "fake", suffix=".js")
    assert told["status"] == "done", told
    assert told["value"]["seen"] == [True] * 6, told
    out = told["value"]["out"]
    assert out.pop("as tool") in (2001, 2002)
    assert out.pop("no text") in (1001, 1004, 2002)
    assert out == {
        "other kind": 1001, "no such": 1001, "traversal": 2001, "look-alike": 2001,
        "wide letters": 2001, "control": 2001, "look-alike tool": 2005,
    }  # fmt: skip


SPOOFED = """
local got = {}
Events.subscribe("*", function(event) got[#got + 1] = event.source end)
for _, source in ipairs({"config", "error_handler", "agent:boss", "tool:calculator", "sensor"}) do
  Events.emit({type = "configuration_change", data = {}, source = source})
end
Events.flush()
return got
"""


def test_EVT_003_no_spell_speaks_for_a_service(program: Program) -> None:
    assert run(program, SPOOFED)["value"] == [
        "spell:config", "spell:error_handler", "spell:agent:boss", "spell:tool:calculator",
        "sensor",
    ]  # fmt: skip


def _stores(program: Program) -> list[Path]:
    return sorted((program.place.root / "state" / "llmspell" / "kept").glob("*.db"))


KEEP = """
if params.set then Storage.set("k", params.set, {scope = "spell"}) end
local done, value = pcall(Storage.get, "k", {scope = "spell"})
if done then return {value = value} end
return {code = value.code, kind = value.kind}
"""


def test_STO_kept_values_of_another_spell_or_another_hand(program: Program) -> None:
    before = set(_stores(program))

    def keep(name: str, *flags: str) -> Any:
        program.write(name, KEEP)
        return program("run", "--output", "json", *flags, name).json()["value"]

    assert keep("one/spell.lua", "--param", 'set="mine"') == {"value": "mine"}
    (mine,) = set(_stores(program)) - before
    assert keep("two/spell.lua") in ({}, []), "the same name elsewhere is another spell"
    keep("two/spell.lua", "--param", 'set="theirs"')
    (theirs,) = set(_stores(program)) - before - {mine}
    for end in ("-wal", "-shm"):
        Path(f"{theirs}{end}").unlink(missing_ok=True)
    shutil.copyfile(mine, theirs)
    assert keep("two/spell.lua").get("code") == 6002, "a store that another spell owns"
    theirs.write_bytes(b"SQLite format 3\0" + b"\xff" * 5_000)
    assert keep("two/spell.lua").get("code") == 6002
    theirs.write_bytes(b"no database")
    assert keep("two/spell.lua").get("code") == 6002
    assert keep("one/spell.lua") == {"value": "mine"}


CHECKPOINT = """
local ran = {}
local flow = Workflow.sequential({name = "w", config = {save_checkpoints = true}, steps = {
  {name = "one", run = function() ran[#ran + 1] = "one" return {n = 1} end},
  {name = "two", run = function() if params.breaks then error("power") end return 2 end}}})
if params.breaks then pcall(function() flow:execute({}) end) return "broken" end
local done, found = pcall(function() return flow:restore_from_checkpoint() end)
if not done then return {code = found.code} end
local result = flow:execute({})
return {found = found, ran = ran}
"""


def test_WF_014_a_checkpoint_that_was_changed_is_not_restored(program: Program) -> None:
    before = set(_stores(program))
    assert run(program, CHECKPOINT, "--param", "breaks=true")["value"] == "broken"
    (store,) = set(_stores(program)) - before
    with sqlite3.connect(store) as database:
        ((identity, value),) = database.execute("SELECT id, value FROM kept").fetchall()
        text = value if isinstance(value, str) else bytes(value).decode()
        assert '"n":1' in text
        changed = text.replace('"n":1', '"n":7')
        database.execute(
            "UPDATE kept SET value = ? WHERE id = ?",
            (changed if isinstance(value, str) else changed.encode(), identity),
        )
    database.close()
    assert run(program, CHECKPOINT)["value"] == {"code": 3008}


ASKED = """
local agent = Agent.create({name = "a", provider = "fake", model = "script",
  tools = {"calculator", {name = "own", execute = function(given) return {result = given} end}}})
local output = agent:execute("go")
local codes = {}
for index, call in ipairs(output.tool_calls) do
  codes[index] = call.success and "done" or call.error.code
end
return {codes, output.content}
"""


def test_what_a_hostile_model_asks_for_is_checked(program: Program) -> None:
    asked = [
        ("file_writer", {"path": "owned", "content": "x"}),
        ("Spell.run_file", {"path": "spell:spell.lua"}),
        ("__proto__", {}),
        ("handoff", {"target_agent_id": "a", "input": "x"}),
        ("agent_finder", {"query": ""}),
        *[("calculator", {"expression": "40 + 2"})] * 40,
    ]
    told = run_asked(program, asked)
    codes, content = told["value"]
    assert content == "done", told
    assert codes[:5] == [1008] * 5, told
    assert codes[5:32] == ["done"] * 27, "an honest call beside them is done"
    assert "done" not in codes[32:], "at most 32 of one answer"
    assert not (program.folder / "owned").exists()


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("calculator\n", {"expression": "1"}),
        ("", {}),
        ("own", {"x": json.loads("[" * 60 + "]" * 60)}),
        ("own", {"$callback": 1}),
        ("own", "no object"),
        ("own", [1]),
    ],
)
def test_a_call_that_is_none_fails_the_answer_closed(
    program: Program, name: str, given: Any
) -> None:
    told = run_asked(program, [("own", {"good": True}), (name, given)])
    codes, content = told["value"]
    assert content == "" or "done" not in codes[1:], told


def run_asked(program: Program, asked: list[tuple[str, Any]]) -> Any:
    calls = [{"name": name, "arguments": given} for name, given in asked]
    lines = [json.dumps({"tool_calls": calls}), json.dumps({"text": "done"})]
    turns = program.write("turns.jsonl", "\n".join(lines))
    return run(program, ASKED, env={"LLMSPELL_FAKE_SCRIPT": str(turns)})


FUNCTION = """
local secret = false
local reveal = Tools.create("reveal", {execute = function() secret = true return 1 end})
local kinds = {}
local own = Tools.create("own", {execute = function(given)
  for _, item in pairs(given.x or {}) do kinds[#kinds + 1] = type(item) end
  return 1
end})
local text = '{"y": {"$callback": ' .. params.number .. '}, "z": 1}'
local codes = {}
local function attempt(act)
  local done, value = pcall(act)
  codes[#codes + 1] = done and "done" or value.code
end
attempt(function()
  local steps = {{tool = "json_processor", input = {operation = "parse", json = text},
    output = "p"}, {tool = "own", input = {x = "{{p}}"}}}
  Tools.create_pipeline({steps = steps}):execute({})
end)
attempt(function()
  local steps = {{name = "p", tool = "json_processor", input = {operation = "parse", json = text},
    output = "p"}, {name = "o", tool = "own", input = {x = "{{p.result}}"}}}
  Workflow.sequential({name = "w", steps = steps}):execute({})
end)
return {codes, kinds, secret}
"""


def test_text_from_outside_never_becomes_a_function_of_the_spells(program: Program) -> None:
    for number in (1, 2):
        codes, kinds, secret = run(program, FUNCTION, "--param", f"number={number}")["value"]
        assert codes == [2009, 3004] and not kinds and secret is False
