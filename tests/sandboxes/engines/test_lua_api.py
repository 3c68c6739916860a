"""What the Lua prelude does itself: Async, Promise, LuaTest, tools as classes, require."""

from __future__ import annotations

from typing import Any

import pytest

from llmspell.errors import Missing
from tests.parity.workers import Ended, run

KINDS = ("bare", "high")
READER = {
    "name": "file_reader",
    "description": "reads",
    "category": "filesystem",
    "parameters": {"properties": {"path": {}, "encoding": {}}, "required": ["path"]},
}
WRITER = {
    "name": "file_writer",
    "description": "writes",
    "category": "filesystem",
    "parameters": {"properties": {"path": {}, "content": {}}, "required": ["path", "content"]},
}
CLIENT = {
    "name": "http_client",
    "description": "asks",
    "category": "web",
    "parameters": {"properties": {"url": {}, "timeout": {}, "retries": {}}, "required": ["url"]},
}
OWN = {"name": "WeatherTool", "description": "the spell's", "category": "custom", "schema": {}}
TOOLS = {tool["name"]: tool for tool in (READER, WRITER, CLIENT, OWN)}


def get(args: dict[str, Any]) -> Any:
    if args["name"] not in TOOLS:
        raise Missing(f"there is no tool {args['name']!r}", code=2001)
    return TOOLS[args["name"]]


ANSWERS = {
    "tools.get": get,
    "tools.execute": lambda args: {"result": args["input"], "tool": args["name"]},
    "storage.get": lambda args: args["key"],
}


def lua(source: str, **fields: Any) -> Ended:
    return run("lua", source, ANSWERS, **fields)


def value(source: str, **fields: Any) -> Any:
    ended = lua(source, **fields)
    assert ended.error is None, ended.error
    return ended.value


@pytest.mark.parametrize("kind", KINDS)
def test_API_111_run_gives_a_coroutine_what_it_yields(kind: str) -> None:
    source = """
    local work = coroutine.create(function()
      local first = coroutine.yield(storage.get("k"))
      local second = coroutine.yield(Async.spawn(function() Async.sleep(1) return "late" end))
      local third = coroutine.yield(Promise.resolve("kept"))
      return {first, second, third, coroutine.yield("plain")}
    end)
    return Async.run(work)
    """
    assert value(source, kind=kind) == ["k", "late", "kept", "plain"]


def test_API_111_other_tasks_go_on_while_a_coroutine_waits() -> None:
    source = """
    local seen = {}
    local other = Async.spawn(function() for i = 1, 3 do seen[#seen+1] = i Async.yield() end end)
    local work = coroutine.create(function() Async.sleep(20) seen[#seen+1] = "done" end)
    Async.run(work)
    return seen
    """
    assert value(source) == [1, 2, 3, "done"]


def test_API_111_errors_of_a_coroutine_and_of_what_it_yields() -> None:
    source = """
    local broken = coroutine.create(function() error("inside") end)
    local yielding = coroutine.create(function()
      coroutine.yield(Async.spawn(function() error({message = "below"}) end))
    end)
    local dead = coroutine.create(function() end)
    coroutine.resume(dead)
    local a, first = pcall(Async.run, broken)
    local b, second = pcall(Async.run, yielding)
    local c, third = pcall(Async.run, dead)
    return {a, first, b, second.message, c, third.message}
    """
    assert value(source) == [
        False,
        "spell.lua:2: inside",
        False,
        "below",
        False,
        "the coroutine has ended or runs already",
    ]


def test_X71_the_seeds_coroutine_gives_15_when_it_is_run_to_its_end() -> None:
    source = """
    local function test_coroutine()
      local result = 0
      for i = 1, 5 do
        result = result + i
        if i == 3 then coroutine.yield("Yielding at iteration " .. i) end
      end
      return result
    end
    return Async.run(coroutine.create(test_coroutine))
    """
    assert value(source) == 15


def test_API_108_yielding() -> None:
    source = """
    local n = 0
    Async.schedule(3, function() n = 1 end)
    Async.yield_until(function() return n == 1 end, 5000)
    Async.yieldFor(1)
    local ok, problem = pcall(Async.yieldUntil, function() return false end, 5)
    return {n, ok, problem.kind, problem.code, problem.recoverable}
    """
    assert value(source) == [1, False, "timeout", 4004, True]


def test_API_110_resources_retries_and_times() -> None:
    source = """
    local closed = {}
    local function resource(name) return {close = function(self) closed[#closed+1] = name end} end
    local used = Async.with_resource(resource("a"), function(r) return r ~= nil end)
    local ok, problem = pcall(Async.withResource, function() return resource("b") end,
      function() error({message = "in it"}) end)
    local tries = 0
    local third = Async.with_retry(function() tries = tries + 1
      if tries < 3 then error("not yet") end return tries end, 2)
    local late, timeout = pcall(Async.with_timeout, function() Async.sleep(1000) end, 5)
    return {used, ok, problem.message, closed, third, late, timeout.kind}
    """
    assert value(source) == [True, False, "in it", ["a", "b"], 3, False, "timeout"]


def test_API_112_a_scheduled_call_can_be_taken_back_and_is_waited_for() -> None:
    source = """
    Async.schedule(60000, function() print("never") end):cancel()
    Async.schedule(5, function() print("later") end)
    print("now")
    """
    assert lua(source).stdout == "now\nlater\n"


def test_API_119_a_promise_that_nobody_keeps_holds_no_run_up() -> None:
    source = """
    Async.spawn(function() Promise.new(function() end):await() end)
    Promise.new(function() end):finally(function() print("never") end)
    Async.spawn(function() Async.sleep(5) storage.get("k") print("still heard") end)
    return 1
    """
    ended = lua(source, timeout=5)
    assert (ended.value, ended.stdout) == (1, "still heard\n")


def test_API_119_what_a_group_waits_for_is_heard() -> None:
    ended = lua("Promise.all_settled({Promise.reject({message = 'r'})}) return 1")
    assert (ended.value, ended.error) == (1, None)


@pytest.mark.parametrize("kind", KINDS)
def test_API_119_promises(kind: str) -> None:
    source = """
    local out = {}
    local kept = Promise.new(function(resolve) Async.schedule(2, function() resolve(3) end) end)
    out[1] = kept["then"](kept, function(v) return v + 1 end):await()
    out[2] = kept:and_then(function(v) return Promise.resolve(v * 2) end):await()
    out[3] = Promise.reject("bad"):catch(function(e) return "caught " .. e end):await()
    local ended = 0
    out[4] = Promise.resolve(1):finally(function() ended = ended + 1 end):await()
    out[5] = pcall(function()
      Promise.reject({message = "x"}):finally(function() ended = ended + 1 end):await()
    end)
    out[6] = ended
    out[7] = Promise.all({Promise.resolve(1), function() return 2 end}):await()
    out[8] = Promise.race({function() Async.sleep(1000) end, Promise.resolve("first")}):await()
    local settled = Promise.all_settled({Promise.reject("r"), Promise.resolve("v")}):await()
    out[9] = {settled[1].status, settled[2].value}
    out[10] = Promise(function(_, reject) reject("no") end):catch(function(e) return e end):await()
    out[11] = Promise.new(function() error({message = "thrown"}) end)
      :catch(function(e) return e.message end):await()
    return out
    """
    assert value(source, kind=kind) == [
        4,
        6,
        "caught bad",
        1,
        False,
        2,
        [1, 2],
        "first",
        ["rejected", "v"],
        "no",
        "thrown",
    ]


def test_API_119_an_error_nobody_hears_fails_the_run() -> None:
    ended = lua('Promise.reject({message = "unheard"}) Promise.new(function() end) return 1')
    assert ended.error is not None
    assert ended.error["message"] == "unheard"


TESTS = """
local first = LuaTest.suite("first")
first:test("holds", function(t)
  t:assert_not_nil(0) t:assert_nil(nil) t:assert_true(true) t:assert_false(false)
  t:assert_equals({a = {1, 2}}, {a = {1, 2}})
  t:assert_type("x", "string") t:assert_type({}, "table")
  t:assert_greater_than(2, 1.5) t:assert_contains("a 42 b", "42") t:assert_contains({1, {2}}, {2})
  t.assertEquals(1, 1)
  local problem = t:assert_error(function() error({message = "what it says"}) end, "it says")
  t:assert_equals(problem.message, "what it says")
end)
"""


def test_API_117_tests_that_hold() -> None:
    ended = lua(TESTS + "local r = LuaTest.run_all() return r")
    assert ended.error is None
    assert ended.stdout == "ok   first: holds\n1 passed, 0 failed\n"
    tests = [{"suite": "first", "name": "holds", "passed": True}]
    assert ended.value == {"passed": 1, "failed": 0, "tests": tests}


FAILING = [
    ("t:assert_not_nil(nil, 'there')", "there: expected a value, got nil"),
    ("t:assert_equals(1, 2)", "expected 2, got 1"),
    ("t:assert_equals({a = 1}, {a = 1, b = 2})", 'expected {"a":1,"b":2}, got {"a":1}'),
    ("t:assert_type(1, 'string')", "expected a value of type string, got number"),
    ("t:assert_greater_than('x', 1)", 'expected more than 1, got "x"'),
    ("t:assert_contains('abc', 'd')", '"abc" does not contain "d"'),
    ("t:assert_false(nil)", "expected false, got nil"),
    ("t:assert_error(function() end)", "expected an error"),
    ("error('own')", "own"),
    ("storage.delete('k')", "denied by the test"),
]


def test_API_117_a_failing_test_fails_the_run_and_the_others_still_run() -> None:
    bodies = "".join(
        f"s:test('{index}', function(t) {body} end) " for index, (body, _) in enumerate(FAILING)
    )
    source = "local s = Test.suite('s') " + bodies + "s:test('last', function() end) "
    ended = lua(source + "Storage.get(JSON.encode(LuaTest.run_all().tests))")
    assert ended.error is not None
    assert (ended.error["kind"], ended.error["code"]) == ("test_failed", 4002)
    assert ended.error["message"] == f"{len(FAILING)} tests failed"
    lines = ended.stdout.splitlines()
    assert lines[-1] == f"1 passed, {len(FAILING)} failed"
    assert lines[-2] == "ok   s: last"
    for line, (body, said) in zip(lines, FAILING, strict=False):
        assert line.startswith("FAIL s: "), body
        assert said in line


@pytest.mark.parametrize("end", ["os.exit(0)", "return 1", "os.exit(3)"])
def test_API_117_no_way_out_hides_a_failing_test(end: str) -> None:
    source = "Test.suite('s'):test('t', function(t) t:assert_true(false) end) Test.run_all() "
    ended = lua(source + end)
    assert ended.error is not None
    assert ended.error["kind"] == ("exit" if end == "os.exit(3)" else "test_failed")


def test_API_066_fields_of_tools_are_tools() -> None:
    source = """
    local t = Tools.fileReader
    return {t.name, Tools.file_reader:get_description(), tools.file_read.getCategory(),
      Tools.get("file_reader").get_input_schema().required, t:execute({path = "p"}).result.path,
      t.execute({path = "q"}).result.path, t({path = "r"}).result.path}
    """
    assert value(source) == [
        "file_reader",
        "reads",
        "filesystem",
        ["path"],
        "p",
        "q",
        "r",
    ]
    ended = lua("return Tools.nothingLikeIt")
    assert ended.error is not None
    assert (ended.error["code"], ended.called("tools.get")) == (2001, [{"name": "nothing_like_it"}])


def test_API_017_a_tool_by_position() -> None:
    ended = lua('return tools.file_write("a.txt", "text", {encoding = "latin-1"}).tool')
    assert ended.value == "file_writer"
    assert ended.called("tools.execute") == [
        {
            "name": "file_writer",
            "input": {"path": "a.txt", "content": "text", "encoding": "latin-1"},
        }
    ]
    ended = lua('return tools.file_read("a", "b")')
    assert ended.error is not None and ended.error["code"] == 2002


@pytest.mark.parametrize("made", ["HttpTool.new", "HttpTool", "HttpTool.create"])
def test_API_059_http_as_a_class(made: str) -> None:
    source = f"""
    local http = {made}({{timeout = 30, retries = 3, unknown = 1}})
    return http:call({{method = "GET", url = "u"}}).result
    """
    # Seconds in Lua; the tool wants milliseconds.
    assert value(source) == {"method": "GET", "url": "u", "timeout": 30000, "retries": 3}


def test_API_059_files_as_a_class() -> None:
    source = """
    local fs = FileSystemTool.new({base_path = "/safe/directory/"})
    local read = fs:call({action = "read", path = "document.txt"})
    local wrote = fs.call({action = "append", path = "log", content = "x"})
    local free = FileSystemTool{}:call({action = "write", path = "/abs", content = ""})
    return {read, wrote, free.result.path}
    """
    assert value(source) == [
        {"tool": "file_reader", "result": {"path": "/safe/directory/document.txt"}},
        {
            "tool": "file_writer",
            "result": {"path": "/safe/directory/log", "content": "x", "mode": "append"},
        },
        "/abs",
    ]


@pytest.mark.parametrize(
    ("options", "call", "said"),
    [
        ('base_path = "/safe"', 'action = "read", path = "../etc/passwd"', "base_path is set"),
        ('base_path = "/safe"', 'action = "read", path = "a/../../b"', "base_path is set"),
        ('base_path = "/safe"', 'action = "read", path = "/etc/passwd"', "base_path is set"),
        ("readonly = true", 'action = "write", path = "a", content = ""', "made readonly"),
        ("", 'action = "chmod", path = "a"', "has no action chmod"),
    ],
)
def test_API_059_what_a_file_tool_refuses(options: str, call: str, said: str) -> None:
    ended = lua(f"return FileSystemTool.new({{{options}}}):call({{{call}}})")
    assert ended.error is not None
    assert ended.error["code"] == 2002 and said in ended.error["message"]
    assert ended.called("tools.execute") == []


def test_API_059_other_classes_are_tools_of_their_name() -> None:
    assert value("return WeatherTool.new():execute({}).tool") == "WeatherTool"
    ended = lua('return DatabaseTool.new({connection = "postgres://user:secret@host/db"})')
    assert ended.error is not None
    assert (ended.error["code"], ended.error["kind"]) == (2001, "not_found")
    assert "DatabaseTool" in ended.error["message"]
    assert "secret" not in str(ended.frames)
    names = [args["name"] for args in ended.called("tools.get")]
    assert names == ["DatabaseTool", "database_tool", "database"]


def test_a_spells_own_global_goes_before_a_tools_class() -> None:
    assert value("MyTool = {x = 1} return {MyTool.x, Mytool == nil, tool == nil}") == [
        1,
        True,
        True,
    ]


def test_API_059_what_an_agent_is_given() -> None:
    ended = lua("Storage.get(JSON.encode({tools = {HttpTool.new(), FileSystemTool.new()}}))")
    assert ended.called("storage.get")[0]["key"] == (
        '{"tools":[{"handle":"tool","id":"http_client","name":"http_client"},'
        '{"handle":"tool","id":"file_reader","name":"file_reader"}]}'
    )


@pytest.mark.parametrize("kind", KINDS)
def test_X03_require_gives_the_injected_api(kind: str) -> None:
    source = """
    local whole = require("llmspell")
    return {require("llmspell.tools") == Tools, require("llmspell.testing") == LuaTest,
      whole.tools == Tools, whole.Tools == Tools, whole.async == Async,
      require("@rs/llmspell") == whole, require("llmspell.json") == JSON}
    """
    ended = lua(source, kind=kind)
    assert ended.value == [True] * 7
    assert ended.calls == []
    ended = lua('return require("llmspell.secrets")', kind=kind)
    assert ended.error is not None
    assert (ended.error["code"], ended.called("modules.load")) == (
        4008,
        [{"name": "llmspell.secrets"}],
    )


def test_X03_require_gives_the_injected_api_beside_the_languages_own_modules() -> None:
    source = """
    return {require("llmspell.tools") == Tools, require("llmspell").json == JSON,
      require("string") == string, pcall(require, "llmspell.secrets")}
    """
    ended = lua(source, profile="none")
    assert ended.value[:4] == [True, True, True, False]
    assert value("return WeatherTool.new().name", profile="none") == "WeatherTool"


def test_X02_the_older_dialect() -> None:
    source = """
    console.log("a", 1, nil) console.info("b") console.debug("c")
    console.warn("w") console.error("e")
    util.sleep(1)
    return {json.encode({a = 1}), json.decode("[1]"), json == JSON}
    """
    ended = lua(source)
    assert ended.value == ['{"a":1}', [1], True]
    assert (ended.stdout, ended.stderr) == ("a 1 nil\nb\nc\n", "w\ne\n")


def test_API_010_a_level_of_the_spells_own() -> None:
    source = """
    local before = Logger.level()
    Logger.setLevel("warn") info("no") Logger.info("no") log("debug", "no") debug("no")
    Logger.error("yes", {n = 1}) log("warn", "too")
    local ok, problem = pcall(Logger.set_level, "loud")
    local after = Logger.level()
    Logger.set_level("off") Logger.error("no")
    return {before, after, ok, problem.code}
    """
    ended = lua(source)
    assert ended.value == ["trace", "warn", False, 2002]
    assert [(log.level, log.message) for log in ended.logs] == [("error", "yes"), ("warn", "too")]


def test_S62_S63_idioms_of_the_language() -> None:
    source = """
    collectgarbage("collect")
    local pool, t = {}, {1, 2, a = 3}
    for k in pairs(t) do t[k] = nil end
    table.insert(pool, t)
    local compiled = load("return 6 * 7")
    return {type(collectgarbage("count")), compiled(), #pool, math.type(os.time()),
      type(os.clock()), os.date("%Y", 0), pcall(error, "raised"), type(debug),
      type(debug.traceback())}
    """
    got = value(source)
    assert got[:6] == ["number", 42, 1, "integer", "number", "1970"]
    assert got[6:] == [False, "table", "string"]
