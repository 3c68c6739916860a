"""LU, JS, PY, WA: what a language offers an attacker, native and in a guest."""

from __future__ import annotations

import pytest

from tests.e2e.program import SUFFIXES, Program

INSIDE = ("medium", "high")


def value_of(program: Program, language: str, source: str, *flags: str) -> object:
    result = program.result(source, SUFFIXES[language], "--limit", "wall=20s", *flags)
    assert result["status"] == "done", result
    return result["value"]


@pytest.fixture
def start(both_starts: str) -> str:
    return both_starts


@pytest.mark.parametrize("profile", INSIDE)
def test_LU_01_LU_02_LU_03_LU_04_LU_09_dangerous_functions_are_absent(
    program: Program, profile: str
) -> None:
    source = """
    local found = {}
    for _, path in ipairs({"debug.getregistry", "debug.sethook", "debug.getupvalue",
        "debug.setmetatable", "debug.getinfo", "os.execute", "os.remove", "os.rename", "os.tmpname",
        "os.setlocale", "io.open", "io.popen", "package.loadlib", "package.path", "package.cpath",
        "package.searchers", "python.eval", "python.builtins", "__host",
        "string.dump", "collectgarbage.x"}) do
      local value = _G
      for word in path:gmatch("[^.]+") do
        if type(value) == "table" then value = rawget(value, word) else value = nil end
      end
      if value ~= nil then found[#found + 1] = path end
    end
    return {#found == 0, table.concat(found, " ")}
    """
    found = value_of(program, "lua", source, "--profile", profile)
    assert found in ([True, ""], [False, "string.dump"]), found
    source = """
    local kinds = {}
    for _, name in ipairs({"loadfile", "dofile"}) do
      local ok, _, e = pcall(_G[name] or error, "/etc/passwd")
      kinds[#kinds + 1] = ok and e == nil and "ran" or "refused"
    end
    return kinds
    """
    assert value_of(program, "lua", source, "--profile", profile) == ["refused", "refused"]
    control = "return {type(os.time), type(string.rep), type(load)}"
    assert value_of(program, "lua", control, "--profile", profile) == ["function"] * 3


@pytest.mark.parametrize("profile", INSIDE)
def test_LU_01_byte_code_is_not_loaded(program: Program, profile: str) -> None:
    source = r"""
    local code = "\27Lua\x54\0\x19\x93\r\n\x1a\n\4\8\8"
    local f = load(code)
    local g = load(code, "x", "b")
    local h = load(function() local c = code code = nil return c end, "x", "bt")
    return {f == nil, g == nil, h == nil, load("return 7")()}
    """
    assert value_of(program, "lua", source, "--profile", profile) == [True, True, True, 7]


@pytest.mark.parametrize("profile", INSIDE)
def test_LU_08_JS_03_the_api_does_not_use_what_a_spell_replaced(
    program: Program, profile: str
) -> None:
    source = """
    for _, t in ipairs({string, table, math}) do
      for k in pairs(t) do pcall(rawset, t, k, function() error("replaced") end) end
    end
    local kept = {fs = 1, _G = 1, pcall = 1, Storage = 1, rawset = 1}
    for k in pairs(_G) do
      if not kept[k] then pcall(rawset, _G, k, nil) end
    end
    local ok, e = pcall(fs.read, "/etc/passwd")
    Storage.set("k", {1, 2})
    return {ok, e.kind, Storage.get("k")[2]}
    """
    assert value_of(program, "lua", source, "--profile", profile) == [False, "denied", 2]
    source = """
    const read = fs.read, get = Storage.get, set = Storage.set;
    const evil = function () { throw new Error("replaced"); };
    for (const proto of [Object, Array, String, Promise, Map, RegExp, Function, Error, Number]) {
      for (const name of Object.getOwnPropertyNames(proto.prototype)) {
        if (name === "constructor" || name === "then") continue;
        try { proto.prototype[name] = evil; } catch (e) {}
      }
    }
    try { Object.prototype.kind = Object.prototype.method = "polluted"; } catch (e) {}
    JSON.stringify = JSON.parse = evil;
    let kind = "none";
    try { await read("/etc/passwd"); } catch (e) { kind = e.kind; }
    await set("k", 2);
    return [kind, await get("k")];
    """
    assert value_of(program, "javascript", source, "--profile", profile) == ["denied", 2]


@pytest.mark.parametrize("profile", INSIDE)
@pytest.mark.parametrize(
    "source",
    [
        "7n ** 30000000n",
        "1n << 4000000000n",
        "let a = ''; for (;;) a += a + 'x'",
        "new Array(4294967295).fill(0)",
        "new ArrayBuffer(2 ** 40)",
        "'a'.repeat(2 ** 30) + 'b'.repeat(2 ** 30)",
        "(function f() { f() })()",
        "JSON.parse('['.repeat(5000000))",
        "const a = []; a.push(a); return a",
        "const p = new Proxy({}, {get() { throw 1 }, ownKeys() { throw 2 }}); return p",
        "const f = () => Promise.resolve().then(f); f(); await new Promise(() => {})",
        "await import('os')",
        "await import('file:///etc/passwd')",
        "return {toJSON() { for (;;); }}",
        "throw {get message() { for (;;); }}",
        "return eval('('.repeat(200000))",
    ],
)
def test_JS_02_JS_06_JS_07_JS_08_JS_09_RS_21_ends_typed(
    program: Program, source: str, profile: str
) -> None:
    flags = ("--profile", profile, "--limit", "wall=2s", "--limit", "memory=128MiB")
    result = program.result(source, ".js", *flags)
    assert result["exit"] in (1, 3, 4), result
    assert result["status"] in ("spell_error", "limit", "denied"), result
    assert result["usage"]["wall"] < 2.3 and len(result["error"]["message"]) <= 4096


@pytest.mark.parametrize("profile", INSIDE)
@pytest.mark.parametrize(
    "source",
    [
        "return ('x'):rep(1e9):rep(1e9)",
        "return string.format('%99999d', 1)",
        "return table.concat({}, ',', 1, 1e9)",
        "return table.unpack({}, 1, 1e8)",
        "local function f() return f() + 1 end return f()",
        "local t = {} t[1] = t return t",
        "local t = {} local r = t for i = 1, 100000 do t[1] = {} t = t[1] end return r",
        "return load('return ' .. ('('):rep(100000))()",
        "return load('return {' .. ('{'):rep(10000) .. ('}'):rep(10000) .. '}')()",
        "setmetatable({}, {__gc = function() while true do end end}) collectgarbage() error('x')",
        "return setmetatable({}, {__index = function() while true do end end, "
        "__pairs = function() while true do end end}).x",
        "coroutine.wrap(function() while true do pcall(error) end end)()",
        "error(('x'):rep(10000000))",
        "error(setmetatable({}, {__tostring = function() while true do end end}))",
        "return 0/0",
        "return '\\xff\\xfe'",
        "return function() end",
        "table.sort({3, 1, 2, 5, 4, 9, 8, 7}, function() return true end) error('x')",
    ],
)
def test_LU_07_LU_11_RS_21_RS_26_RS_29_IP_27_ends_typed(
    program: Program, source: str, profile: str
) -> None:
    flags = ("--profile", profile, "--limit", "wall=2s", "--limit", "memory=128MiB")
    result = program.result(source, ".lua", *flags)
    if source in ("return 0/0", "return '\\xff\\xfe'"):
        # Either a typed refusal or something that JSON can carry; never a broken channel.
        assert result["status"] in ("done", "spell_error"), result
        return
    assert result["exit"] in (1, 4) and result["status"] in ("spell_error", "limit"), result
    assert result["usage"]["wall"] < 2.3 and len(result["error"]["message"]) <= 4096


@pytest.mark.parametrize("profile", INSIDE)
@pytest.mark.parametrize(
    "source",
    [
        "10 ** 10 ** 8",
        "int('9' * 5_000_000)",
        "'%1000000000d' % 1",
        "'x'.ljust(10 ** 10)",
        "def f(): f()\nf()",
        "eval('(' * 100_000)",
        "eval('x' + '.x' * 150_000)",
        "a = []\na.append(a)\nresult = a",
        "a = []\nfor _ in range(100_000): a = [a]\nresult = a",
        "class E(Exception):\n    def __str__(self):\n        while True: pass\nraise E()",
        "class L(list):\n    def __iter__(self):\n        while True: pass\nresult = L([1])",
        "raise SystemExit(3)",
        "raise KeyboardInterrupt",
        "raise GeneratorExit",
        "import sys\nsys.setrecursionlimit(10**6)\ndef f(): f()\nf()",
        "try:\n    raise ValueError('x' * 10_000_000)\nfinally:\n    pass",
        "result = float('nan')",
        "result = 2 ** 64",
        "result = '\\ud800'",
        "result = object()",
    ],
)
def test_PY_09_PY_12_PY_13_RS_21_RS_23_IP_06_IP_27_ends_typed(
    program: Program, source: str, profile: str
) -> None:
    flags = ("--profile", profile, "--limit", "wall=2s", "--limit", "memory=256MiB")
    result = program.result(source, ".py", *flags)
    assert result["exit"] in (1, 4) and result["status"] in ("spell_error", "limit"), result
    assert result["usage"]["wall"] < 2.3 and len(result["error"]["message"]) <= 4096


@pytest.mark.parametrize("profile", INSIDE)
def test_PY_09_PY_11_PY_12_nothing_outlives_or_forges_the_end(
    program: Program, profile: str
) -> None:
    source = """
for kind in ().__class__.__base__.__subclasses__():
    names = getattr(getattr(kind, '__init__', None), '__globals__', None)
    if names and 'sys' in names and hasattr(names['sys'], 'modules'):
        modules = names['sys'].modules
        break
posix = modules.get('posix') or modules['os']
frame = b'{"type":"done","value":"forged"}'
written = []
for fd in (1, 2):
    try:
        posix.write(fd, b'to the terminal')
        written.append(fd)
    except OSError:
        pass
modules['sys'].stdout = None
print('still framed')
class Late:
    def __del__(self):
        while True: pass
late = Late()
late.me = late
result = 'honest'
"""
    flags = ("--profile", profile, "--limit", "wall=5s")
    result = program.result(source, ".py", *flags)
    assert (result["status"], result["value"]) == ("done", "honest"), result
    # Natively those lead to /dev/null; the guest has no descriptors.
    assert "to the terminal" not in result["output"] + result["stderr"]
    assert result["usage"]["wall"] < 3


def test_PY_07_PY_11_a_forged_end_has_no_more_rights_than_the_spell(program: Program) -> None:
    """Written to the channel itself it is the spell's own word; what follows does not count."""
    source = """
import ctypes
text = b'{"type":"done","value":"by hand"}'
frame = len(text).to_bytes(4, 'little') + text
libc = ctypes.CDLL(None)
libc.write(3, frame, len(frame))
libc.write(3, b'\\x80\\x04pickle', 9)
"""
    flags = ("--profile", "medium", "--allow-module", "ctypes", "--limit", "wall=5s")
    result = program.result(source, ".py", *flags)
    assert result["status"] in ("done", "violation"), result
    assert result["value"] in ("by hand", None)


@pytest.mark.parametrize("profile", INSIDE)
def test_PY_08_no_secret_of_the_supervisor_is_in_the_worker(program: Program, profile: str) -> None:
    source = """
for kind in ().__class__.__base__.__subclasses__():
    names = getattr(getattr(kind, '__init__', None), '__globals__', None)
    if names and 'sys' in names and hasattr(names['sys'], 'modules'):
        modules = names['sys'].modules
        break
gc = modules.get('gc') or modules['builtins'].__import__('gc')
seen = [str(item)[:100000] for item in gc.get_objects() if isinstance(item, (dict, list, tuple))]
posix = modules.get('posix') or modules['os']
everything = ' '.join(seen) + str(posix.environ) + str(modules['sys'].argv)
result = ['-'.join(['marker', 'of', 'secret']) in everything, 'spell.py' in everything]
"""
    env = {"SECRET_TOKEN": "marker-of-secret", "LLMSPELL_KEY": "marker-of-secret"}
    flags = ("--profile", profile, "--limit", "wall=20s")
    result = program.result(source, ".py", *flags, env=env)
    assert result["status"] in ("done", "limit"), result
    if result["status"] == "done":
        assert result["value"] == [False, True], result
