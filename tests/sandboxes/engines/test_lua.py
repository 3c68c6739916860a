"""Hostile Lua (threats LU-01 … LU-11), natively and as a wasm guest."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmspell.channel.jsontext import Malformed, decode
from tests.parity.workers import Ended, run, worker

KINDS = ("bare", "medium", "forked", "high")


def lua(source: str, answers: Any = None, **fields: Any) -> Ended:
    return run("lua", source, answers, **fields)


def value(source: str, answers: Any = None, **fields: Any) -> Any:
    ended = lua(source, answers, **fields)
    assert ended.error is None, ended.error
    return ended.value


@pytest.mark.parametrize("kind", KINDS)
def test_LU_01_load_takes_text_only(kind: str) -> None:
    assert value("return string.dump == nil", kind=kind) is True
    refused = "local f, e = load('\\27Lua' .. ('x'):rep(100), 'b', 'b') return {f == nil, e}"
    assert value(refused, kind=kind)[0] is True
    # The very bytes of a real function, as another Lua 5.4 wrote them.
    import lupa.lua54

    runtime = lupa.lua54.LuaRuntime(encoding=None)
    code = runtime.eval(b"string.dump(function() return 7 end)")
    given_code = value("return load(params.code) == nil", kind=kind, params={"code": code})
    assert given_code is True
    assert value("return load('return 7')()", kind=kind) == 7


def refusal(ended: Ended) -> tuple[int, str | None, str]:
    """Code and rule of a run's error, and the module that the broker was asked for."""
    assert ended.error is not None, ended.value
    assert [call.method for call in ended.calls] == ["modules.load"]
    return ended.error["code"], ended.error.get("rule"), ended.calls[0].args["name"]


@pytest.mark.parametrize("kind", KINDS)
def test_LU_02_debug_is_only_traceback(kind: str) -> None:
    names = value(
        "local t = {} for k in pairs(debug) do t[#t+1] = k end return {t, type(debug.traceback()),"
        " string.dump == nil}",
        kind=kind,
    )
    assert names == [["traceback"], "string", True]
    for name in ("getregistry", "sethook", "getupvalue", "setmetatable", "getinfo"):
        ended = lua(f"return debug.{name}(1)", kind=kind)
        assert refusal(ended) == (4008, "medium.modules", f"debug.{name}")
        assert "debug.traceback" in ended.error["hint"]  # type: ignore[index]


@pytest.mark.parametrize("kind", KINDS)
def test_LU_03_nothing_of_the_system_is_there(kind: str) -> None:
    absent = ["os.setlocale", "python", "__host"]
    source = "return {" + ",".join(f"{name} == nil" for name in absent) + "}"
    assert value(source, kind=kind) == [True] * len(absent)
    environment = {"env": {"HOME": "/x"}}
    assert value("return {os.getenv('HOME'), os.getenv('PATH')}", kind=kind, **environment) == [
        "/x"
    ]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("source", "asked", "advice"),
    [
        ("io.open('/etc/passwd')", "io", "--allow-module io"),
        ("return io.stdout", "io", "--allow-module io"),
        ("os.remove('x')", "os", "--allow-module os"),
        ("os.rename('x', 'y')", "os", "--allow-module os"),
        ("os.execute('id')", "os.execute", "no programs"),
        ("os.tmpname()", "os.tmpname", "scratch:"),
        ("return package.loaded", "package.loaded", "require(name)"),
        ("dofile('/etc/passwd')", "dofile", "fs.read"),
        ("loadfile('/etc/passwd')", "loadfile", "fs.read"),
    ],
)
def test_LU_03_what_was_not_granted_is_refused_by_the_broker(
    source: str, asked: str, advice: str, kind: str
) -> None:
    ended = lua(source, {"fs.read": lambda args: "return 1"}, kind=kind)
    assert refusal(ended) == (4008, "medium.modules", asked)
    assert ended.error is not None and advice in ended.error["hint"]
    # Not even a broker that says yes puts something behind the name.
    yes = lua(source, {"modules.load": lambda args: {"own_folder": False}}, kind=kind)
    assert yes.error is not None and yes.error["code"] == 4007
    assert "is not part of this engine" in yes.error["message"]


def test_LU_03_programs_are_refused_where_io_and_os_were_granted() -> None:
    for source, asked in (("os.execute('id')", "os.execute"), ("io.popen('id')", "io.popen")):
        assert refusal(lua(source, modules=["io", "os"])) == (4008, "medium.modules", asked)


def test_libraries_that_are_not_there_do_not_break_a_walk_over_the_globals() -> None:
    source = "local n = 0 for k, v in pairs(_G) do if type(v) == 'table' then for _ in pairs(v) do"
    assert value(source + " n = n + 1 end end end return n > 20") is True


@pytest.mark.parametrize("kind", KINDS)
def test_LU_03_exit_ends_the_spell_and_not_more(kind: str) -> None:
    assert value("pcall(os.exit, 0) error('still here')", kind=kind) is None
    failed = lua("coroutine.wrap(function() os.exit(3) end)() print('no')", kind=kind)
    assert failed.error is not None and failed.error["kind"] == "exit"
    assert failed.stdout == ""


@pytest.mark.parametrize("kind", KINDS)
def test_LU_04_require_gives_no_file_of_the_host(kind: str) -> None:
    for name in ("socket", "../secret", "/etc/passwd"):
        ended = lua(f"require('{name}')", {"fs.read": lambda args: "return 1"}, kind=kind)
        assert refusal(ended) == (4008, "medium.modules", name)
    allowed = {"fs.read": lambda args: "return 1", "modules.load": lambda args: {}}
    ended = lua("require('socket')", allowed, kind=kind)
    assert ended.error is not None and ended.error["code"] == 4007
    assert ended.error["message"] == "module socket is not part of this engine"
    assert [call.method for call in ended.calls] == ["modules.load"]
    assert value("return require('string').rep('a', 2)", kind=kind) == "aa"


def test_LU_04_low_requires_from_the_spells_folder_through_the_broker() -> None:
    files = {"spell:lib/util.lua": "return {name = ..., n = fs.read == nil}"}

    def read(args: dict[str, Any]) -> Any:
        from llmspell.errors import OperationFailed

        if args["path"] in files:
            return files[args["path"]]
        raise OperationFailed("not there", kind="not_found")

    answers = {"fs.read": read}
    source = "local u = require('lib.util') return {u.name, u.n, require('lib.util') == u}"
    ended = lua(source, answers, profile="low")
    assert ended.value == ["lib.util", False, True]
    assert ended.called("fs.read") == [{"path": "spell:lib/util.lua"}]
    missing = lua("require('absent')", answers, profile="low")
    assert missing.error is not None and missing.error["code"] == 4008
    assert missing.error["hint"] == "to allow it: --allow-module absent"
    order = ["fs.read", "fs.read", "modules.load"]
    assert [call.method for call in missing.calls] == order
    asked = {**answers, "modules.load": lambda args: {"own_folder": True}}
    assert value("return require('lib.util').name", asked) == "lib.util"
    empty = lua("require('absent')", asked)
    assert empty.error is not None and empty.error["code"] == 4007
    escape = lua("require('..')", answers, profile="low")
    assert escape.error is not None and escape.error["code"] == 2002
    assert escape.calls == []


HANGS = {
    "LU_06": "return (('a'):rep(3000)):find('.-.-.-.-b')",
    "LU_07": "while true do pcall(error) end",
    "LU_07_coroutines": "while true do coroutine.wrap(function() pcall(error) end)() end",
}


@pytest.mark.parametrize("name", HANGS)
def test_LU_06_07_endless_work_ends_with_the_processor_time(name: str) -> None:
    with worker("lua", "medium", cpu=1) as one:
        one.begin(HANGS[name])
        assert one.receive(15) is None
        assert one.process.wait(5).signal is not None
    assert value("return (('a'):rep(30) .. 'b'):find('.-b')", kind="medium") == 1


@pytest.mark.parametrize("kind", KINDS)
def test_LU_08_the_api_can_not_be_changed(kind: str) -> None:
    attempts = [
        "fs.read = print",
        "rawset(fs, 'read', print)",
        "setmetatable(fs, {})",
        "table.insert(Tools, 1)",
        "setmetatable('', {})",
        "getmetatable('').__index = {}",
        "JSON.null.x = 1",
        "for k in pairs(fs) do fs[k] = nil end",
    ]
    source = "return {" + ",".join(f"(pcall(function() {one} end))" for one in attempts) + "}"
    assert value(source, kind=kind) == [False] * len(attempts)


@pytest.mark.parametrize("kind", KINDS)
def test_LU_08_a_spoilt_world_leaves_the_prelude_whole(kind: str) -> None:
    spoil = (
        "string.format, string.gsub, string.find, table.concat = nil, nil, nil, nil\n"
        "for _, n in ipairs{'type','pairs','pcall','tostring','setmetatable','next','error'} do"
        " _G[n] = function() return 'spoilt' end end\n"
        "_ENV.coroutine.yield = nil\n"
    )
    answers = {"fs.read": lambda args: args["path"] + "!"}
    assert value(spoil + "return {fs.read('x'), fs.read('y')}", answers, kind=kind) == ["x!", "y!"]


def test_LU_08_methods_of_text_are_the_spells_own_to_extend() -> None:
    assert value("function string.twice(s) return s .. s end return ('a'):twice()") == "aa"


@pytest.mark.parametrize("kind", KINDS)
def test_X43_the_older_power_of_lua_is_there(kind: str) -> None:
    assert value("return math.pow(2, 3) * 1000", kind=kind) == 8000


def test_LU_09_no_python_object_crosses() -> None:
    # Walks everything reachable and reports each userdata: a Python object would be one.
    walk = """
    local seen, found = {}, {}
    local function visit(v, path)
      if type(v) == 'userdata' then found[#found + 1] = path return end
      if type(v) ~= 'table' or seen[v] then return end
      seen[v] = true
      for k, item in pairs(v) do visit(k, path) visit(item, path .. '.' .. tostring(k)) end
    end
    visit(_G, '_G')
    visit(select(2, pcall(fs.read, 'x')), 'error')
    visit(select(2, pcall(fs.write, 'x', ('x'):rep(17 << 20))), 'large')
    return {found, python == nil}
    """
    assert value(walk) == [[], True]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "source",
    [
        "return ('x'):rep(1 << 40)",
        "return ('x'):rep(1 << 62, 'yy')",
        "return table.concat({}, 'x', 1, 1 << 40)",
        "return string.format('%99999d', 1)",
        "return table.unpack({}, 1, 1e8)",
        "return select('#', ('x'):byte(1, -1), table.unpack({}, 1, 1e7))",
        "return string.pack('i17', 1)",
        "return utf8.char(-1)",
        "local f f = function() return f() + 1 end return f()",
        "local t = setmetatable({}, {}) getmetatable(t).__index = t return t.x.y",
        "return string.rep('(', 300):find(string.rep('(', 300))",
        "local s = string.rep('x', 2^20) while true do s = s .. s end",
    ],
)
def test_LU_11_huge_counts_are_typed_errors(source: str, kind: str) -> None:
    ended = lua(source, kind=kind, memory=256 << 20)
    assert ended.error is not None, ended.value
    assert ended.error["code"] in (4002, 4005)


@pytest.mark.parametrize("kind", KINDS)
def test_calls_from_a_plain_coroutine_a_comparator_and_a_gsub(kind: str) -> None:
    source = """
    local out = {}
    local co = coroutine.wrap(function()
      out[1] = fs.read("a") coroutine.yield() out[2] = fs.read("b") Async.sleep(1)
    end)
    co() co()
    out[3] = ("xy"):gsub(".", function(c) Async.sleep(1) return fs.read(c) end)
    local list = {3, 1, 2}
    table.sort(list, function(a, b) fs.read("s") return a < b end)
    out[4] = list
    return out
    """
    read = {"fs.read": lambda args: "<" + args["path"] + ">"}
    assert value(source, read, kind=kind) == ["<a>", "<b>", "<x><y>", [1, 2, 3]]


def test_io_and_os_where_they_were_granted() -> None:
    disk = {"a.txt": b"one\ntwo 2\n"}

    def read(args: dict[str, Any]) -> Any:
        return disk[args["path"]]

    def write(args: dict[str, Any]) -> Any:
        data = args["data"]
        disk[args["path"]] = data.encode() if isinstance(data, str) else data

    source = """
    local f = assert(io.open("a.txt")) local first, n = f:read("l"), nil
    f:read(4) n = f:read("n") f:close()
    local w = io.open("b.txt", "w") w:write("x", 1) w:write("y"):close()
    local a = io.open("b.txt", "a") a:write("z") a:close()
    io.write("out", 1, "\\n") io.stderr:write("err\\n")
    local lines = {} for line in io.lines("a.txt") do lines[#lines + 1] = line end
    return {first, n, lines, io.type(f), os.remove("a.txt"),
            pcall(function() return os.execute end), (pcall(function() return io.popen end))}
    """
    answers = {"fs.read": read, "fs.write": write, "fs.remove": lambda args: None}
    ended = lua(source, answers, modules=["io", "os"])
    assert ended.error is None
    assert ended.value == ["one", 2, ["one", "two 2"], "closed file", True, False, False]
    assert disk["b.txt"] == b"x1yz"
    assert (ended.stdout, ended.stderr) == ("out1\n", "err\n")
    denied = lua("return {io.open('x')}", modules=["io"])
    assert denied.value is None and denied.error is not None  # {nil, message, code} has a gap
    assert value("local f, m, c = io.open('x') return {f == nil, c}", modules=["io"]) == [
        True,
        4008,
    ]


def test_the_profile_none_is_all_of_lua() -> None:
    source = (
        "local f = io.open('/proc/self/stat') local whole = #f:read('a') > 0 io.write('w')"
        " return {whole, os.getenv('HOME'), debug.getinfo ~= nil, string.dump ~= nil,"
        " package.path ~= nil, python == nil, fs.read('q'), (require('mine'))}"
    )
    answers = {"fs.read": lambda args: "return 5" if args["path"] == "spell:mine.lua" else "q"}
    ended = lua(source, answers, profile="none", env={"HOME": "/h"})
    assert ended.error is None
    assert ended.value == [True, "/h", True, True, True, True, "q", 5]
    assert ended.stdout == "w"


def test_dates_are_those_of_the_standard_library() -> None:
    import time

    moments = [0, 86399, 951782400, 1e9, 1709164800, 4102444799, -1, -86400 * 400]
    pattern = "%Y-%m-%d %H:%M:%S %j %a %A %b %B %p %I %y %U %W %w %u %e %D %F %T"
    got = value(
        "local t = {} for i, m in ipairs(params.m) do t[i] = {os.date(params.p, m),"
        " os.time(os.date('*t', m))} end return t",
        params={"m": moments, "p": pattern},
    )
    for moment, (text, back) in zip(moments, got, strict=True):
        assert text == time.strftime(pattern, time.gmtime(moment))
        assert back == moment


texts = st.one_of(
    st.text(max_size=40),
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers(-(2**53), 2**53)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=10),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
        max_leaves=10,
    ).map(lambda one: json.dumps(one, ensure_ascii=False)),
    st.text(alphabet='{}[]",:0123456789.eE+-\\utrfalsn \n', max_size=30),
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(texts, min_size=50, max_size=150))
def test_the_json_codec_agrees_with_the_channels(candidates: list[str]) -> None:
    usable = [text for text in candidates if _encodes(text)]
    source = """
    local out = {}
    for i, text in ipairs(params.texts) do
      local ok, v = pcall(JSON.decode, text)
      out[i] = ok and JSON.encode(v) or false
    end
    return out
    """
    got = value(source, params={"texts": usable}) if usable else []
    for text, result in zip(usable, got, strict=True):
        try:
            wanted = decode(text.encode())
        except Malformed as problem:
            # The channel is stricter about size and integers; in grammar they agree.
            assert result is False or "2^53" in str(problem) or "$" in text, (text, result)
            continue
        assert result is not False, text
        assert json.loads(result) == wanted, text


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
