"""A denied tool, file, host or model by the script API's less trodden ways; beside the twins.

`test_tools`, `test_models` and `test_nested` hold the plain ways. The tool here writes a file, so
that what did not happen can be seen from outside.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.adversarial import script_api_spells as spells
from tests.e2e.program import Program


def run(program: Program, source: str, *flags: str, suffix: str = ".lua", **options: Any) -> Any:
    """The result of a spell; its records are in `a.jsonl`."""
    (program.folder / "a.jsonl").unlink(missing_ok=True)
    return program.result(source, suffix, "--audit", "a.jsonl", *flags, **options)


def records(program: Program) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (program.folder / "a.jsonl").read_text().splitlines()]


def attempts(program: Program, out: Path, *flags: str) -> tuple[dict[str, str], set[str]]:
    """What each way came to in the spell's eyes, and the files that are there."""
    turns = program.write("turns.toml", spells.turns())
    program.write("elsewhere.js", spells.ELSEWHERE)
    flags = (*flags, "--allow-write", "out", f"--param=ways={json.dumps(spells.WAYS)}")
    told = run(program, spells.ATTACK, *flags, env={"LLMSPELL_FAKE_SCRIPT": str(turns)})
    assert told["status"] == "done", told
    return told["value"], {path.name for path in out.iterdir()}


def test_COD_2006_a_denied_tool_is_out_of_reach_by_other_ways(program: Program) -> None:
    out = program.folder / "out"
    out.mkdir()
    program.write("no.toml", spells.POLICY)
    came_to, files = attempts(program, out, "--policy", "no.toml")
    assert files == set(), "no way leads to the effect"
    assert came_to == {way: "done" if way in spells.TOLD else "2006" for way in spells.WAYS}
    asked = [item for item in records(program) if item.get("target") == "file_writer"]
    assert len(asked) == len(spells.WAYS)
    for item in asked:
        assert (item["allowed"], item["code"]) == (False, 2006)
        assert item["rule"].endswith("tools.denied")
    assert program("audit", "verify", "a.jsonl").code == 0
    came_to, files = attempts(program, out, "--profile", "medium")
    assert files == set(spells.WAYS), "every way is one where the tool is allowed"
    assert set(came_to.values()) == {"done"}


TIGHTENED = """
Tools.configure("calculator", {cache = true})
local hook = Hooks.register("before_tool_execution", Hooks.create_cache({ttl = "60s"}))
Hooks.register("after_tool_execution", hook)
local sum = {expression = "40 + 2"}
local before = Tools.execute("calculator", sum).result
local again = Tools.execute("calculator", sum).metadata
Config.configure_security({denied_tools = {"calculator"}})
local done, refused = pcall(Tools.execute, "calculator", sum)
return {before = before, kept = again.cached or again.skipped, done = done,
  code = refused.code, rule = refused.rule}
"""


def test_a_kept_result_is_judged_by_the_rules_of_now(program: Program) -> None:
    told = run(program, TIGHTENED)
    assert told["value"] == {
        "before": 42, "kept": True, "done": False, "code": 2006, "rule": "config.tools.denied",
    }  # fmt: skip


FILES = """
local outside, told = params.outside, {}
local function attempt(way, act)
  local done, value = pcall(act)
  told[way] = done and value or {value.code, value.rule}
end
local function flow(tool, input)
  return Workflow.sequential({name = "w", steps = {{name = "s", tool = tool, input = input}}})
end
attempt("tool", function() return Tools.execute("file_reader", {path = outside}).result end)
attempt("workflow", function()
  return flow("file_reader", {path = "{{input.p}}"}):execute({p = outside}).steps.s.output.result
end)
attempt("pipeline", function()
  local steps = {{tool = "file_reader", input = {path = "{{input.p}}"}}}
  return Tools.create_pipeline({steps = steps}):execute({p = outside}).result
end)
attempt("hook", function()
  local hook = Hooks.register("before_tool_execution", function(context)
    return {input = {path = outside}}
  end)
  local done, value = pcall(Tools.execute, "file_reader", {path = "spell:spell.lua"})
  Hooks.unregister("before_tool_execution", hook)
  if not done then error(value, 0) end
  return value.result
end)
attempt("step_file", function()
  return Workflow.sequential({name = "w", steps = {{name = "s", spell = outside}}}):execute({})
end)
attempt("agent", function()
  local agent = Agent.create({name = "a", provider = "fake", model = "script",
    tools = {"file_reader"}})
  local call = agent:execute("read it").tool_calls[1]
  if not call.success then error(call.error, 0) end
  return call.result.result
end)
attempt("recovery", function()
  local outcome = ErrorHandler.attempt_recovery("x",
    {type = "fallback", tool = "file_reader", input = {path = outside}})
  if not outcome.success then error(outcome.error, 0) end
  return outcome.result.result
end)
return told
"""


def test_COD_4008_a_file_that_was_not_granted_is_not_read_for_anybody(program: Program) -> None:
    outside = program.folder.parent / "outside.lua"
    outside.write_text("return 'secret words'")
    call = json.dumps({"name": "file_reader", "arguments": {"path": str(outside)}})
    lines = [f'{{"tool_calls": [{call}]}}', '{"text": "done"}']
    turns = program.write("turns.jsonl", "\n".join(lines))
    env = {"LLMSPELL_FAKE_SCRIPT": str(turns)}
    param = f"--param=outside={json.dumps(str(outside))}"
    told = run(program, FILES, param, env=env)
    assert "secret words" not in json.dumps(told), told
    assert len(told["value"]) == 7
    for way, (code, rule) in told["value"].items():
        assert (code, rule) == (4008, "medium.files.read"), (way, told["value"])
    refused = [item for item in records(program) if item.get("allowed") is False]
    assert len(refused) == 7 and {item["rule"] for item in refused} == {"medium.files.read"}
    told = run(program, FILES, param, "--allow-read", str(outside), env=env)
    assert all("secret words" in json.dumps(value) for value in told["value"].values()), told
