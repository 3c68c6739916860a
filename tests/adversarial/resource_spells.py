"""Spells that want more than they may have, each with a twin that wants as much as it may."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from tests.e2e import spells

LUA, JAVASCRIPT, PYTHON = "lua", "javascript", "python"


class Greed(NamedTuple):
    """One attack; how it must end, and the same act of a size that is allowed."""

    case: str
    language: str
    source: str
    twin: str
    ends: tuple[str, str]
    """Status and reason; ("", "") for an end of the spell's own that the test looks at."""
    limits: dict[str, Any]
    files: Mapping[str, str] = MappingProxyType({})
    grants: tuple[str, ...] = ()
    reach: str = ""
    """What it prints before it begins: a busy machine may end a run before."""


WALL: Final = 0.4
SOON: Final = {"wall": WALL}
LONG: Final = {"wall": 20}
MEMORY: Final = {"wall": 20, "memory": "128MiB"}
OUTPUT: Final = {"wall": 20, "output": "100KiB"}
OVER_WALL: Final = ("limit", "wall")
OVER_MEMORY: Final = ("limit", "memory")
OVER_OUTPUT: Final = ("limit", "output")
OVER_CALLS: Final = ("limit", "calls")
TYPED: Final = ("", "")

_BOTH_STREAMS = {
    LUA: "local s = ('x'):rep(1000) for i = 1, {0} do print(s) log.error(s) end",
    JAVASCRIPT: (
        "const s = 'x'.repeat(1000); for (let i = 0; i < {0}; i++) {{"
        " console.log(s); console.error(s) }}"
    ),
    PYTHON: "s = 'x' * 1000\nfor n in range({0}):\n    print(s)\n    console.error(s)",
}
_ONE_LINE = {
    LUA: "print(('x'):rep({0}))",
    JAVASCRIPT: "console.log('x'.repeat({0}))",
    PYTHON: "print('x' * {0}, end='')",
}
_SLEEP = {
    LUA: "Async.sleep({0}) return true",
    JAVASCRIPT: "await Async.sleep({0}); return true",
    PYTHON: "await Async.sleep({0})\nresult = True",
}
_CALLS = {
    LUA: "for i = 1, {0} do pcall(Storage.exists, 'k') end return true",
    JAVASCRIPT: (
        "for (let i = 0; i < {0}; i++) {{ try {{ await Storage.exists('k') }} catch (e) {{}} }}"
        " return true"
    ),
    PYTHON: (
        "for n in range({0}):\n    try:\n        await Storage.exists('k')\n"
        "    except Exception:\n        pass\nresult = True"
    ),
}
_DEEP = {
    LUA: "local function f(n) return n == 0 and 0 or 1 + f(n - 1) end return f({0})",
    JAVASCRIPT: "const f = (n) => n === 0 ? 0 : 1 + f(n - 1); return f({0})",
    PYTHON: "def f(n):\n    return 0 if n == 0 else 1 + f(n - 1)\nresult = f({0})",
}
_DEEP_SOURCE = {
    LUA: "return load('return ' .. ('('):rep({0}) .. '1' .. (')'):rep({0}))()",
    JAVASCRIPT: "return eval('('.repeat({0}) + '1' + ')'.repeat({0}))",
    PYTHON: "result = eval('(' * {0} + '1' + ')' * {0})",
}
_LARGE_SOURCE = {
    LUA: "return #assert(load('return {{' .. ('0,'):rep({0}) .. '}}'))()",
    JAVASCRIPT: "return eval('[' + '0,'.repeat({0}) + ']').length",
    PYTHON: "result = len(eval('[' + '0,' * {0} + ']'))",
}
_WIDE = {
    LUA: "return #string.rep(string.rep('x', {0}), {0})",
    JAVASCRIPT: "return 'x'.padEnd({0}).repeat({0}).length",
    PYTHON: "result = len(('x'.ljust({0})) * {0})",
}
_MESSAGE = {
    LUA: "error(('x'):rep({0}))",
    JAVASCRIPT: "throw new Error('x'.repeat({0}))",
    PYTHON: "raise ValueError('x' * {0})",
}
_AFTERWARDS = {
    LUA: "setmetatable({{}}, {{__gc = function() {0} end}}) return 'value'",
    JAVASCRIPT: "Promise.resolve().then(() => {{}}).then(() => {{ {0} }}); return 'value'",
    PYTHON: "class Late:\n    def __del__(self):\n        {0}\nlate = Late()\nresult = 'value'",
}
_FOREVER = {LUA: "while true do end", JAVASCRIPT: "for (;;);", PYTHON: "while True: pass"}
_NOTHING = {LUA: "", JAVASCRIPT: "", PYTHON: "pass"}
_NESTED = "for i = 1, {0} do Spell.run_file('spell:child.lua') end return true"
_CHILD = {"child.lua": "for i = 1, 10 do Storage.exists('k') end"}
_DEVICE = """
local ok, failure = pcall(fs.read, {0})
return ok and 'read' or failure.kind
"""
_PATTERN = """
return Tools.execute('text_manipulator', {{text = ('a'):rep({0}) .. '!',
  operations = {{{{matches = {{pattern = '(a+)+$', regex = true}}}}}}}})
"""

_SAYS = {LUA: "print('on') ", JAVASCRIPT: "console.log('on'); ", PYTHON: "print('on')\n"}
_CALLED: Final = {
    "event": "Events.subscribe('x', function() {0} end) Events.emit('x', {{}}) Events.flush()",
    "hook": (
        "Hooks.register('before_tool_execution', function() {0} end) "
        "Tools.execute('calculator', {{expression = '1'}})"
    ),
    "tool": "Tools.create('t', {{execute = function() {0} return 1 end}}):execute({{}})",
    "task": "Async.spawn(function() {0} end) Async.sleep(50)",
}
"""A function of the spell's that something else calls."""


def _called(profile: str) -> list[Greed]:
    """Their calls are counted everywhere; their time, which takes time, of each at one profile."""
    found = []
    calls = _CALLS[LUA].removesuffix(" return true")
    for name, form in _CALLED.items():
        many, few = form.format(calls.format(30)), form.format(calls.format(3))
        found.append(Greed("RS_60", LUA, many, few, OVER_CALLS, {**LONG, "calls": 20}))
        if profile == "medium" or name == "event":
            source = form.format(_SAYS[LUA] + _FOREVER[LUA])
            found.append(
                Greed("RS_60", LUA, source, form.format(""), OVER_WALL, SOON, reach="on\n")
            )
    return found


_TRIED_ONCE: Final[tuple[Greed, ...]] = (
    Greed("RS_05", LUA, _PATTERN.format(40), _PATTERN.format(3), OVER_WALL, {"wall": 0.9}),
    Greed("RS_09", LUA, _DEVICE.format("'/dev/zero'"), _DEVICE.format("'spell:child.lua'"), TYPED,
          LONG, _CHILD, ("read:/dev/zero", "read:.")),
    Greed("RS_18", LUA, _NESTED.format(4), _NESTED.format(2), OVER_CALLS,
          {"wall": 30, "calls": 28}, _CHILD, ("read:.",)),
)  # fmt: skip


def _greed(case: str, language: str, form: str, much: Any, little: Any, *rest: Any) -> Greed:
    return Greed(case, language, form.format(much), form.format(little), *rest)


def _endless(case: str, language: str, source: str, twin: str) -> Greed:
    reached = _SAYS[language] + source
    return Greed(case, language, reached, twin, OVER_WALL, SOON, reach="on\n")


def _in(language: str) -> tuple[Greed, ...]:
    """What is tried in each language."""
    quick = {**spells.LOOPS, **{(one, "nothing"): _NOTHING[one] for one in spells.GROWS}}
    empty = quick[language, "nothing"]
    return (
        Greed("RS_01", language, spells.GROWS[language], empty, OVER_MEMORY, MEMORY),
        Greed("RS_06", language, spells.FLOODS[language], _ONE_LINE[language].format(10),
              OVER_OUTPUT, OUTPUT),
        _greed("RS_07", language, _ONE_LINE[language], 20_000_000, 10, OVER_OUTPUT,
               {**OUTPUT, "memory": "256MiB"}),
        _greed("RS_08", language, _BOTH_STREAMS[language], 10_000_000, 3, OVER_OUTPUT, OUTPUT),
        _endless("RS_11", language, _SLEEP[language].format(60_000), _SLEEP[language].format(10)),
        _endless("RS_13", language, quick[language, "pattern"], empty),
        _endless("RS_14", language, quick[language, "caught"], empty),
        _greed("RS_17", language, _CALLS[language], 30, 10, OVER_CALLS, {**LONG, "calls": 20}),
        _greed("RS_27", language, _CALLS[language], 10**6, 10, OVER_CALLS, {**LONG, "calls": 20}),
        _greed("RS_19", language, _SLEEP[language], 700, 10, ("done", ""), {**LONG, "cpu": 1}),
        _greed("RS_21", language, _DEEP[language], 10**8, 50, TYPED, MEMORY),
        _greed("RS_21", language, _DEEP_SOURCE[language], 150_000, 20, TYPED, MEMORY),
        _greed("RS_22", language, _LARGE_SOURCE[language], 2 * 10**6, 100, TYPED,
               {**LONG, "memory": "40MiB"}),
        _greed("RS_23", language, _WIDE[language], 10**5, 10, TYPED, MEMORY),
        _greed("RS_26", language, _MESSAGE[language], 10**7, 10, TYPED,
               {**LONG, "memory": "256MiB"}),
        Greed("RS_29", language, _AFTERWARDS[language].format(_FOREVER[language]),
              _AFTERWARDS[language].format(_NOTHING[language]), TYPED, {"wall": 0.5}),
    )  # fmt: skip


LANGUAGE_AT: Final = {
    "none": (PYTHON,),
    "low": (LUA,),
    "medium": (LUA,),
    "high": (JAVASCRIPT,),
}
"""Which languages' spells run where; tests/e2e/test_limits.py runs the costly ones everywhere."""


def greeds(profile: str) -> list[Greed]:
    """What is tried at a profile."""
    return [
        *_TRIED_ONCE,
        *_called(profile),
        *(one for language in LANGUAGE_AT[profile] for one in _in(language)),
    ]
