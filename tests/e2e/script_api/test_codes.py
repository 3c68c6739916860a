"""The numeric codes: all 60 exist, and a spell meets each in the situation it stands for."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import pytest

from llmspell.errors import CODES
from tests.e2e.program import Program


def test_COD_001_to_060_exist_with_a_name_and_a_meaning() -> None:
    wanted = [base + index for base in range(1000, 7000, 1000) for index in range(1, 11)]
    assert sorted(CODES) == wanted and len(wanted) == 60
    assert all(code.number == number and code.name for number, code in CODES.items())
    assert len({code.meaning for code in CODES.values()}) == 60


class Case(NamedTuple):
    """What a Lua spell does, the code it must meet, and what its run needs for that."""

    code: int
    act: str
    kind: str = ""
    rule: str = ""
    flags: tuple[str, ...] = ()
    before: str = ""
    policy: str = ""
    turns: str = ""


CATCH: Final = """
{before}
local function caught(act)
  local ok, error = pcall(act)
  if ok then return {{ code = 0 }} end
  return {{ code = error.code, kind = error.kind, rule = error.rule, hint = error.hint,
    parsed = ErrorHandler.parse_error(error).type }}
end
return {{ {acts} }}
"""
HOOK: Final = "Hooks.register('{}', {{ name = '{}', {} = {{ '{}' }}, handler = function() end }}) "
TURN: Final = '[[turn]]\nerror = {{ kind = "{}", message = "told" }}\n'
ASK: Final = "llm.complete({ provider = 'fake', prompt = 'x', retries = 0 })"
SLOW_HOOK: Final = """Hooks.register("before_tool_execution", { timeout = "50ms",
  on_failure = "stop", handler = function() Async.sleep(5000) end })"""
BAD_HOOK: Final = """Hooks.register("before_tool_execution", {
  on_failure = "stop", handler = function() error("x") end })"""
CALCULATE: Final = "Tools.execute('calculator', { expression = '1' })"

CASES: Final = {
    "no agent": Case(1001, "Agent.get('nobody')", "not_found"),
    "an agent that was shut down": Case(
        1003, "local a = Agent.create({ provider = 'fake' }) a:shutdown() a:chat('x')"
    ),
    "a wrong setting of an agent": Case(1004, "Agent.create({ max_iterations = -1 })"),
    "no tool": Case(2001, "Tools.execute('hammer', {})", "not_found"),
    "a wrong argument": Case(2002, "fs.read({})", "validation"),
    "no message for an agent": Case(
        2002, "Agent.create({ provider = 'fake' }):chat(nil)", "validation"
    ),
    "a tool that fails": Case(
        2003, "Tools.create('bad', { execute = function() error('x') end }):execute({})"
    ),
    "a denied tool": Case(
        2006, CALCULATE, "denied", "medium.tools.denied",
        policy='extends = "medium"\n[tools]\ndeny = ["calculator"]\n',
    ),
    "a tool that is too slow": Case(
        2008,
        "Tools.create('slow', { timeout = '50ms', execute = function() Async.sleep(5000) end })"
        ":execute({})",
        "timeout",
    ),
    "no workflow": Case(3001, "Workflow.get('none')", "not_found"),
    "a workflow without steps": Case(3002, "Workflow.sequential({ { name = 'a' } })"),
    "a step that fails": Case(
        3004, "Workflow.sequential({ { run = function() error('x') end } }):execute()"
    ),
    "steps in a circle": Case(
        3006,
        "Workflow.parallel({ steps = { { name = 'a', depends_on = { 'b' }, run = print },"
        " { name = 'b', depends_on = { 'a' }, run = print } } }):execute()",
    ),
    "a workflow that is too slow": Case(
        3007,
        "Workflow.sequential({ timeout = '50ms', steps = { { run = function()"
        " Async.sleep(5000) end } } }):execute()",
        "timeout",
    ),
    "a workflow that does not run": Case(
        3008, "Workflow.sequential({ { run = print } }):pause()"
    ),
    "results that can't be merged": Case(
        3010,
        "Workflow.parallel({ merge_strategy = 'vote', steps = { { run = function() return"
        " { 1 } end }, { run = function() return { 2 } end } } }):execute()",
        "merge_failed",
    ),
    "a denied path": Case(4008, "fs.read('/etc/shadow')", "denied", "medium.files.read"),
    "a denied host": Case(4008, "http.get('http://example.com/')", "denied", "medium.net"),
    "a denied module": Case(4008, "require('socket')", "denied", "medium.modules"),
    "a denied model": Case(
        4008, ASK, "denied", "medium.models.denied",
        policy='extends = "medium"\n[models]\ndeny = ["fake/*"]\n',
    ),
    "loosening": Case(
        4008, "Config.set('limits.calls', 1000000)", "denied", "config.tighten-only"
    ),
    "too many events": Case(
        4009, "for n = 1, 20 do Events.emit_sync('x', {}) end", "limit", "limit.events",
        ("--limit", "events=10"),
    ),
    "no hook": Case(5001, "Hooks.enable('nothing')", "not_found"),
    "a hook that fails": Case(5002, CALCULATE, before=BAD_HOOK),
    "a hook that is too slow": Case(5003, CALCULATE, "timeout", before=SLOW_HOOK),
    "a priority out of range": Case(
        5004, "Hooks.register('p', { priority = 1001, handler = print })"
    ),
    "an event with a wrong name": Case(5005, "Events.emit_sync('', {})"),
    "a hundred subscribers and one": Case(
        5006, "for n = 1, 101 do Events.subscribe('x', print) end"
    ),
    "hooks in a circle": Case(
        5009,
        HOOK.format("p1", "a", "dependencies", "b") + HOOK.format("p1", "b", "dependencies", "a"),
    ),
    "hooks that exclude each other": Case(
        5010, HOOK.format("p2", "a", "conflicts", "b") + HOOK.format("p2", "b", "conflicts", "a")
    ),
    "no provider and no default": Case(6001, "llm.complete({ prompt = 'x' })", "configuration"),
    "a transaction that expected otherwise": Case(
        6002, "Storage.transaction({ { op = 'check', key = 'x', value = 1 } })"
    ),
    "a provider that is out of reach": Case(6003, ASK, turns=TURN.format("network")),
    "a key that is wrong": Case(6004, ASK, turns=TURN.format("authentication")),
    "too many requests": Case(6006, ASK, "rate_limit", turns=TURN.format("rate_limit")),
    "too many calls of a tool": Case(
        6006,
        "local t = Tools.create('t', { rate_limit = 2, execute = function() return 1 end })"
        " for n = 1, 3 do t:execute({}) end",
    ),
    "a budget of tokens": Case(
        6007, "llm.complete({ provider = 'fake', prompt = string.rep('x', 400) })", "limit",
        "limit.model_tokens", ("--limit", "model_tokens=50"),
    ),
    "a budget of money": Case(
        6007, ASK + ASK, "limit", "limit.model_cost", ("--limit", "model_cost=0.01"),
        turns='[[turn]]\ntext = "a"\ncost = 0.02\n',
    ),
    "a provider that is not there": Case(6008, ASK, turns=TURN.format("unavailable")),
}  # fmt: skip


TOGETHER: Final = [
    name for name, case in CASES.items() if not (case.flags or case.before or case.policy)
    and not case.turns
]  # fmt: skip
"""Cases that need no run of their own."""


def caught(program: Program, *names: str) -> dict[str, Any]:
    """What the spell caught in each case; they share all that the first one asks for."""
    first, flags, env = CASES[names[0]], [*CASES[names[0]].flags], {}
    if first.policy:
        program.write("policy.toml", first.policy)
        flags += ["--policy", "policy.toml"]
    if first.turns:
        env["LLMSPELL_FAKE_SCRIPT"] = str(program.write("turns.toml", first.turns))
    acts = (f'["{name}"] = caught(function() {CASES[name].act} end)' for name in names)
    source = CATCH.format(before=first.before, acts=",\n".join(acts))
    found = program.result(source, ".lua", *flags, env=env)
    assert found["value"] is not None, found
    value: dict[str, Any] = found["value"]
    return value


def check(case: Case, value: dict[str, Any]) -> None:
    kind = value.get("kind")
    assert (value["code"], kind) == (case.code, case.kind or kind), value
    assert value.get("rule", "").startswith(case.rule), value
    if kind == "validation":
        assert value["parsed"] == "validation_error"


def test_COD_what_a_spell_meets_under_medium(program: Program) -> None:
    found = caught(program, *TOGETHER)
    for name in TOGETHER:
        check(CASES[name], found[name])
    assert "providers.default" in found["no provider and no default"]["hint"]
    assert found["a denied path"]["hint"] == "to allow it: --allow-read /etc/shadow"


@pytest.mark.parametrize("name", [name for name in CASES if name not in TOGETHER])
def test_COD_what_a_spell_meets(program: Program, name: str) -> None:
    check(CASES[name], caught(program, name)[name])


ENDS: Final = {
    "syntax": (4001, "", "", "x = ("),
    "runtime": (4002, "", "", "error('x')"),
    "wall": (4004, "limit.wall", "wall=700ms", "while true do end"),
    "memory": (
        4005, "", "memory=64MiB", "local t = {} for n = 1, 1e9 do t[n] = ('x'):rep(1e6) .. n end",
    ),
    "calls": (4009, "limit.calls", "calls=3", "for n = 1, 9 do fs.exists('x') end"),
    "output": (4009, "limit.output", "output=2KiB", "for n = 1, 999 do print('xxxxxxxx') end"),
}  # fmt: skip


@pytest.mark.parametrize("name", ENDS)
def test_COD_a_run_ends_with(program: Program, name: str) -> None:
    code, rule, limit, source = ENDS[name]
    flags = ("--limit", limit) if limit else ()
    found = program.result(source, ".lua", *flags)
    assert found["exit"] != 0 and found["error"]["code"] == code, found
    assert found["error"].get("rule", "").startswith(rule)
