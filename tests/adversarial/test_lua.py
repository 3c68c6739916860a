"""LU: what Lua offers an attacker, native and in the guest, exec'ed and forked."""

from __future__ import annotations

from typing import Any

import lupa.lua54
import pytest

from tests.adversarial.batches import EXEC, ONE_WAY_EACH, WAYS, Batches, Case
from tests.adversarial.proof import Control

TRY = """
local told = {}
for name, code in pairs(params.codes) do
  local act, why = load(code)
  local ok, e = pcall(act or error, why)
  local code = type(e) == "table" and rawget(e, "code") or nil
  if type(e) == "table" and not ok then code = e.code end
  told[name] = {ok, ok and type(e) or tostring(code or e), ok and "" or tostring(code and e.rule)}
end
return told
"""
ABSENT = {
    "LU_02": [
        "return debug.getregistry()",
        "debug.sethook(function() end, '', 1)",
        "return debug.getinfo(1)",
        "return debug.setmetatable('', {})",
        "return debug.getupvalue(load, 1)",
    ],
    "LU_03": [
        "return os.execute('exit 0')",
        "return io.open('/etc/passwd'):read(5)",
        "return os.tmpname()",
        "os.remove('/tmp/never-there')",
        "return loadfile('/etc/passwd')",
    ],
    "LU_04": [
        "return package.loadlib('libc.so.6', '*')",
        "return package.searchers[3]",
        "return package.searchpath('x', '/tmp/?.lua')",
    ],
}
"""What all work where the whole of Lua is there, at `none`."""
NEVER = [
    "return io.popen('id'):read('a')",
    "return dofile('/etc/passwd')",
    "return require('socket')",
    "return string.dump(print)",
    "return python.eval('1')",
    "return os.setlocale('C')()",
]
"""Refused with the others; at `none` they are there and fail for reasons of their own."""


def attempts() -> dict[str, Any]:
    codes = [code for group in ABSENT.values() for code in group] + NEVER
    return {"codes": {code: code for code in codes}}


@pytest.mark.parametrize(("profile", "start"), WAYS)
@pytest.mark.parametrize("group", ABSENT)
def test_LU_02_LU_03_LU_04_what_leads_out_is_refused_by_name(
    batches: Batches, control: Control, group: str, profile: str, start: str
) -> None:
    told = batches.at(runs, profile, start)["try"]
    everything = {"name": "try", "language": "lua", "profile": "none", "source": TRY}
    whole = batches.results([everything | {"params": attempts()}], EXEC)["try"]["value"]
    control(all(whole[code][0] for code in ABSENT[group]))
    asked = {(item["target"], item["rule"]) for item in told["refused"]}
    for code in ABSENT[group]:
        done, why, rule = told["value"][code]
        file = profile == "low" and ("io.open" in code or "os.remove" in code)
        if file:
            # The names are there at `low`; what they do is asked of the broker.
            assert ("/etc/passwd", "low.files.read") in asked
            assert ("/tmp/never-there", "low.files.write") in asked
            assert not done or why == "nil"
            continue
        assert (done, why, rule) == (False, "4008", f"{profile}.modules"), (code, told["value"])
    for code in NEVER:
        assert told["value"][code][0] is False, (code, told["value"])
    names = {target for target, rule in asked if rule == f"{profile}.modules"}
    assert {"debug.getregistry", "os.execute", "package.loadlib", "loadfile", "socket"} <= names
    assert all(item["code"] == 4008 for item in told["refused"])


def byte_code(altered: bool) -> str:
    """Byte code of a real function, as a Lua literal; what it is altered in is an instruction."""
    runtime = lupa.lua54.LuaRuntime(encoding=None)
    code = bytearray(runtime.eval(b"string.dump(function() return 7 end)"))
    assert runtime.eval(b"function(code) return load(code)() end")(bytes(code)) == 7
    if altered:
        code[-40] ^= 0x7F
    return '"' + "".join(f"\\{byte:03d}" for byte in code) + '"'


LOADS = """
local code = %s
local function given() local once = code code = nil return once end
local told = {}
local kept = code
for i, load_it in ipairs({
  function() return load(kept) end,
  function() return load(kept, "x", "b") end,
  function() return load(kept, "x", "bt", {}) end,
  function() return load(given, "x", "bt") end,
}) do
  local made, why = load_it()
  told[i] = {made == nil, tostring(why):find("binary", 1, true) ~= nil}
end
return {told, string.dump == nil, load("return 7")(), load("return 7", "x", "t")()}
"""


@pytest.mark.parametrize(("profile", "start"), WAYS)
@pytest.mark.parametrize("altered", [False, True])
def test_LU_01_byte_code_is_not_loaded(
    batches: Batches, control: Control, altered: bool, profile: str, start: str
) -> None:
    name = "altered" if altered else "plain"
    told, no_dump, text, as_text = batches.at(runs, profile, start)[name]["value"]
    # `byte_code` ran the very bytes in a Lua that takes them; text is taken here as well.
    control(text == as_text == 7)
    assert told == [[True, True]] * 4, told
    assert no_dump is True


WALK = """
local seen, found = {}, {}
local function visit(value, path)
  if type(value) == "userdata" then found[#found + 1] = path return end
  if type(value) ~= "table" or seen[value] then return end
  seen[value] = true
  for key, item in pairs(value) do visit(key, path) visit(item, path .. "." .. tostring(key)) end
  visit(getmetatable(value), path .. "()")
end
visit(_G, "_G")
visit(getmetatable(""), "text")
visit(select(2, pcall(fs.read, "/etc/passwd")), "error")
local names = {}
for _, name in ipairs({"eval", "builtins", "as_attrgetter"}) do
  names[#names + 1] = type(python) == "table" and type(python[name]) or "absent"
end
local ok, e = pcall(function() return fs.read.__globals__ end)
return {found, names, ok}
"""


@pytest.mark.parametrize(("profile", "start"), WAYS)
def test_LU_09_no_python_object_crosses(
    batches: Batches, control: Control, profile: str, start: str
) -> None:
    # What lupa gives where nothing is taken away: a function of the host's, and all behind it.
    runtime = lupa.lua54.LuaRuntime()
    runtime.globals()["lent"] = runs
    control(runtime.eval("lent.__globals__") is runs.__globals__)
    found, names, indexed = batches.at(runs, profile, start)["walk"]["value"]
    assert (found, names, indexed) == ([], ["absent"] * 3, False)


SPOIL = """
local told = {}
for _, attempt in ipairs({
  function() fs.read = print end, function() rawset(fs, "read", print) end,
  function() setmetatable(fs, {}) end, function() getmetatable("").__index = {} end,
  function() setmetatable("", {}) end, function() JSON.null.x = 1 end,
}) do told[#told + 1] = (pcall(attempt)) end
for _, t in ipairs({string, table, math, coroutine, os, utf8}) do
  for k in pairs(t) do pcall(rawset, t, k, function() error("replaced") end) end
end
local kept = {fs = 1, _G = 1, pcall = 1, Storage = 1, rawset = 1}
for k in pairs(_G) do
  if not kept[k] then pcall(rawset, _G, k, nil) end
end
_G.left_behind = "by another"
local ok, e = pcall(fs.read, "/etc/shadow")
Storage.set("k", {1, 2})
return {told, ok, e.kind, e.rule, Storage.get("k")[2]}
"""
FRESH = """
return {left_behind == nil, ("x"):rep(2), type(string.format), math.max(1, 2),
  select(2, pcall(fs.read, "/etc/shadow")).kind, ("x").rep == string.rep}
"""


@pytest.mark.parametrize(("profile", "start"), WAYS)
def test_LU_08_neither_the_api_nor_the_next_spell_uses_what_a_spell_replaced(
    batches: Batches, control: Control, profile: str, start: str
) -> None:
    told = batches.at(runs, profile, start)
    changed, read, kind, rule, stored = told["spoil"]["value"]
    control(stored == 2)
    assert changed == [False] * 6
    assert (read, kind, rule) == (False, "denied", f"{profile}.files.read")
    assert {"target": "/etc/shadow", "rule": rule, "code": 4008, "action": "read"} in told["spoil"][
        "refused"
    ]
    assert told["next"]["value"] == [True, "xx", "function", 2, "denied", True], told["next"]


TYPED = [
    Case("LU_11_repeat", "return ('x'):rep(1e9):rep(1e9)", "return ('x'):rep(9):rep(9)"),
    Case("LU_11_width", "return string.format('%99999d', 1)", "return string.format('%99d', 1)"),
    Case(
        "LU_11_concat", "return table.concat({}, ',', 1, 1e9)", "return table.concat({1, 2}, ',')"
    ),
    Case("LU_11_unpack", "return table.unpack({}, 1, 1e8)", "return table.unpack({1, 2}, 1, 2)"),
    Case("LU_11_pack", "return string.pack('i17', 1)", "return string.pack('i8', 1)"),
    Case(
        "LU_11_sort",
        "table.sort({3, 1, 2, 5, 4, 9, 8, 7}, function() return true end) error('x')",
        "table.sort({3, 1, 2}, function(a, b) return a < b end)",
    ),
    Case("LU_11_message", "error(('x'):rep(10000000))", "pcall(error, ('x'):rep(10000))"),
    Case(
        "RS_21_recursion",
        "local function f() return f() + 1 end return f()",
        "local function f(n) return n == 0 and 0 or f(n - 1) + 1 end return f(100)",
    ),
    Case(
        "RS_21_nested_source",
        "return load('return ' .. ('('):rep(100000))()",
        "return load('return ' .. ('('):rep(50) .. '1' .. (')'):rep(50))()",
    ),
    Case(
        "RS_21_nested_literal",
        "return load('return {' .. ('{'):rep(10000) .. ('}'):rep(10000) .. '}')()",
        "return load('return {' .. ('{'):rep(50) .. ('}'):rep(50) .. '}')()",
    ),
    Case("IP_27_cycle", "local t = {} t[1] = t return t", "local t = {} t[1] = {} return t"),
    Case(
        "IP_27_depth",
        "local t = {} local r = t for i = 1, 100000 do t[1] = {} t = t[1] end return r",
        "local t = {} local r = t for i = 1, 10 do t[1] = {} t = t[1] end return r",
    ),
    Case("IP_27_function", "return function() end", "return {1}"),
]
HANGING = [
    Case("LU_06_pattern", "return (('a'):rep(3000)):find('.-.-.-.-b')"),
    Case("LU_06_frontier", "return (('a'):rep(3000)):find('%f[a].-.-.-.-%f[b]b')"),
    Case("LU_06_captures", "return (('a'):rep(3000)):find(('(.-)'):rep(20) .. 'b')"),
    Case("LU_07_pcall", "while true do pcall(error) end"),
    Case("LU_07_coroutine", "coroutine.wrap(function() while true do pcall(error) end end)()"),
    Case(
        "LU_07_finalizer",
        "setmetatable({}, {__gc = function() while true do end end}) collectgarbage() error('x')",
    ),
    Case(
        "LU_07_index",
        "return setmetatable({}, {__index = function() while true do end end}).x",
    ),
    Case(
        "LU_07_told_error",
        "error(setmetatable({}, {__tostring = function() while true do end end}))",
    ),
]
TWINS = """
local told = {}
for name, code in pairs(params.twins) do told[name] = (pcall(load(code))) end
return told
"""
WALL = 0.3
LIMITS = {"wall": 9, "memory": "128MiB"}


def runs(profile: str, start: str) -> list[dict[str, Any]]:
    """Everything that Lua attacks with; what looks for traces of the others comes last."""
    found: list[dict[str, Any]] = [
        {"name": "try", "source": TRY, "params": attempts()},
        {"name": "spoil", "source": SPOIL},
        {"name": "plain", "source": LOADS % byte_code(False)},
        {"name": "altered", "source": LOADS % byte_code(True)},
        {"name": "walk", "source": WALK},
        {"name": "twins", "source": TWINS, "params": {"twins": {c.name: c.twin for c in TYPED}}},
        *({"name": case.name, "source": case.attack} for case in TYPED),
    ]
    if (profile, start) in ONE_WAY_EACH:
        quick = {**LIMITS, "wall": WALL}
        mark: dict[str, Any] = {"reach": "begun", "limits": quick}
        found += [{"name": c.name, "source": f"print('begun') {c.attack}", **mark} for c in HANGING]
        found.append({"name": "twin", "source": "print('begun') return 7", **mark})
    found.append({"name": "next", "source": FRESH})
    return [{"language": "lua", "limits": LIMITS, **run} for run in found]


@pytest.mark.parametrize(
    ("case", "profile", "start"),
    [
        pytest.param(case, profile, start, id=f"{case.name}-{profile}-{start}")
        for profile, start in WAYS
        for case in TYPED
        # What other tables speak of is shown at the profiles at which they claim it.
        if profile != "low" or case.name.startswith("LU")
    ],
)
def test_ends_typed(
    batches: Batches, control: Control, case: Case, profile: str, start: str
) -> None:
    told = batches.at(runs, profile, start)
    control(told["twins"]["value"][case.name] is True)
    result = told[case.name]
    assert result["exit"] in (1, 2, 4) and result["status"] in ("spell_error", "limit"), result
    assert result["reason"] != "wall" and result["error"]["code"] >= 1000
    assert len(result["error"]["message"]) <= 4096


@pytest.mark.parametrize(("profile", "start"), ONE_WAY_EACH)
@pytest.mark.parametrize("case", HANGING, ids=lambda case: case.name)
def test_ends_at_the_wall(
    batches: Batches, control: Control, case: Case, profile: str, start: str
) -> None:
    told = batches.at(runs, profile, start)
    result = told[case.name]
    control(told["twin"]["value"] == 7 and result["output"].startswith("begun\n"))
    assert (result["status"], result["reason"], result["exit"]) == ("limit", "wall", 4), result
    assert (result["error"]["code"], result["error"]["rule"]) == (4004, "limit.wall")
    assert result["limits"]["wall"] <= result["usage"]["wall"] < result["limits"]["wall"] + 3
