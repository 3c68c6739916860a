"""What the three languages must have in common across runs: one begins, another goes on."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from tests.e2e.program import SUFFIXES, Program

FLOW: Final = {
    "lua": """
local ran = {}
local function step(name, act)
  return { name = name, output = name .. "_out", run = function(context)
    ran[#ran + 1] = name
    return act(context)
  end }
end
local flow = Workflow.sequential({ name = "handed on", steps = {
  step("one", function(context) return { n = context.input.n, words = { "grün", "blau" } } end),
  { name = "two", tool = "calculator", input = { expression = "{{one_out.n}} * 6" },
    output = "two_out" },
  step("three", function(context)
    if not params.checkpoint then error("the power failed") end
    return context.two_out.result + #context.one_out.words
  end),
} })
if params.checkpoint then
  local found = flow:restore_from_checkpoint(params.checkpoint)
  local result = flow:execute()
  return { found = found, ran = ran, three = result.three_out, one = result.one_out,
    resumed = result.metadata.resumed }
end
local ok, problem = pcall(function() flow:execute({ n = 7 }) end)
return { ran = ran, code = problem.code, checkpoint = flow:save_checkpoint() }
""",
    "javascript": """
const ran = [];
const step = (name, act) => ({ name, output: name + "_out", run: (context) => {
  ran.push(name);
  return act(context);
} });
const flow = new Workflow.Sequential({ name: "handed on", steps: [
  step("one", (context) => ({ n: context.input.n, words: ["grün", "blau"] })),
  { name: "two", tool: "calculator", input: { expression: "{{one_out.n}} * 6" },
    output: "two_out" },
  step("three", (context) => {
    if (!params.checkpoint) throw new Error("the power failed");
    return context.two_out.result + context.one_out.words.length;
  }),
] });
if (params.checkpoint) {
  const found = await flow.restoreFromCheckpoint(params.checkpoint);
  const result = await flow.execute();
  return { found, ran, three: result.three_out, one: result.one_out,
    resumed: result.metadata.resumed };
}
let code;
try { await flow.execute({ n: 7 }); } catch (error) { code = error.code; }
return { ran, code, checkpoint: await flow.saveCheckpoint() };
""",
    "python": """
ran = []

def step(name, act):
    def run(context):
        ran.append(name)
        return act(context)
    return {"name": name, "output": name + "_out", "run": run}

def three(context):
    if "checkpoint" not in params:
        raise RuntimeError("the power failed")
    return context["two_out"]["result"] + len(context["one_out"]["words"])

flow = Workflow.Sequential(name="handed on", steps=[
    step("one", lambda context: {"n": context["input"]["n"], "words": ["grün", "blau"]}),
    {"name": "two", "tool": "calculator", "input": {"expression": "{{one_out.n}} * 6"},
     "output": "two_out"},
    step("three", three),
])
if "checkpoint" in params:
    found = await flow.restore_from_checkpoint(params["checkpoint"])
    done = await flow.execute()
    result = {"found": found, "ran": ran, "three": done["three_out"], "one": done["one_out"],
              "resumed": done["metadata"]["resumed"]}
else:
    try:
        await flow.execute({"n": 7})
    except LLMSpellError as error:
        code = error.code
    result = {"ran": ran, "code": code, "checkpoint": await flow.save_checkpoint()}
""",
}

HANDED_ON: Final = {
    "found": True,
    "ran": ["three"],
    "three": 44,
    "one": {"n": 7, "words": ["grün", "blau"]},
    "resumed": True,
}


@pytest.mark.parametrize(
    ("first", "then", "profile"),
    [
        ("lua", "javascript", "medium"),
        ("javascript", "python", "medium"),
        ("python", "lua", "medium"),
        ("javascript", "lua", "high"),
        ("python", "javascript", "high"),
        ("lua", "python", "high"),
    ],
)
def test_WF_014_a_checkpoint_of_one_language_goes_on_in_another(
    program: Program, first: str, then: str, profile: str
) -> None:
    begun = program.result(FLOW[first], SUFFIXES[first], "--profile", profile)["value"]
    assert (begun["ran"], begun["code"]) == (["one", "three"], 3004)
    given = f"checkpoint={json.dumps(begun['checkpoint'])}"
    ended = program.result(FLOW[then], SUFFIXES[then], "--profile", profile, "--param", given)
    assert ended["value"] == HANDED_ON, ended


def test_WF_014_a_checkpoint_that_somebody_changed_is_refused(program: Program) -> None:
    begun = program.result(FLOW["lua"], ".lua")["value"]
    changed: dict[str, Any] = begun["checkpoint"]
    changed["records"]["one"]["output"]["n"] = 8
    ended = program.result(FLOW["lua"], ".lua", "--param", f"checkpoint={json.dumps(changed)}")
    assert ended["error"]["code"] == 3008, ended


STOPS: Final = {
    "lua": """
local heard = 0
Events.subscribe("x", { priority = 90, handler = function() return params.word end })
Events.subscribe("x", function() heard = heard + 1 end)
return { Events.emit_sync("x", {}).stopped, heard }
""",
    "javascript": """
let heard = 0;
await Events.subscribe("x", { priority: 90, handler: () => params.word });
await Events.subscribe("x", () => { heard++; });
return [(await Events.emitSync("x", {})).stopped, heard];
""",
    "python": """
heard = []
await Events.subscribe("x", {"priority": 90, "handler": lambda event: params["word"]})
await Events.subscribe("x", lambda event: heard.append(1))
[(await Events.emit_sync("x", {}))["stopped"], len(heard)]
""",
}


@pytest.mark.parametrize("language", SUFFIXES)
@pytest.mark.parametrize(("word", "stops"), [("StopPropagation", True), ("Continue", False)])
def test_EVT_001_a_handler_stops_an_event_by_the_seeds_word(
    program: Program, language: str, word: str, stops: bool
) -> None:
    found = program.result(STOPS[language], SUFFIXES[language], "--param", f'word="{word}"')
    assert found["value"] == [stops, 0 if stops else 1], found
