"""JavaScript's and Python's script surface: errors, Async, tests, tools as classes, imports."""

from __future__ import annotations

from typing import Any

import pytest

from llmspell.errors import InvalidInput, LlmspellError
from tests.parity.pets import ANSWERS
from tests.parity.workers import Ended, run

LANGUAGES = ("javascript", "python")
KINDS = ("medium", "high")


def spell(language: str, sources: dict[str, str], kind: str = "bare") -> Ended:
    return run(language, sources[language], ANSWERS, kind=kind)


def value(language: str, sources: dict[str, str], kind: str = "bare") -> Any:
    ended = spell(language, sources, kind)
    assert ended.error is None, ended.error
    return ended.value


ERRORS = {
    "javascript": """
    const shown = [];
    for (const error of [new RateLimitError(3, {a: 1}), new ValidationError([{message: "bad"},
      {message: "worse"}]),
                         new LLMSpellError("m", "t", "E_X", {q: 1})]) {
      shown.push([error instanceof LLMSpellError, error.name, error.message, error.type,
        error.code, error.errorCode, error.context ?? null]);
    }
    const json = new LLMSpellError("m", "t", "E_X").toJSON();
    shown.push([json.name, json.message, json.type, json.code]);
    return shown;
    """,
    "python": """
shown = []
for error in [RateLimitError(3, {"retryAfter": 3, "a": 1}), ValidationError([{"message": "bad"},
    {"message": "worse"}]),
              LLMSpellError("m", "t", "E_X", {"q": 1})]:
    shown.append([isinstance(error, LLMSpellError), type(error).__name__, error.message,
        error.type, error.code, error.error_code, error.context])
json = LLMSpellError("m", "t", "E_X").to_dict()
shown.append([json["name"], json["message"], json["type"], json["code"]])
shown
""",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_ERR_006_the_classes_of_errors(language: str, kind: str) -> None:
    rate = "Rate limit exceeded. Retry after 3s"
    context = {"retryAfter": 3, "a": 1}
    assert value(language, ERRORS, kind) == [
        [True, "RateLimitError", rate, "rate_limit", 6006, "E_RATE_LIMIT", context],
        [True, "ValidationError", "Validation failed: bad, worse", "validation", 2002,
         "E_VALIDATION", None],
        [True, "LLMSpellError", "m", "t", "E_X", "E_X", {"q": 1}],
        ["LLMSpellError", "m", "t", "E_X"],
    ]  # fmt: skip


THROWN = {
    "javascript": """
    const seen = [];
    for (const key of ["rate", "given", "other"]) {
      try { await storage.get(key) } catch (e) {
        seen.push([e.name, e instanceof LLMSpellError, e.code, e.type, e.error_code ?? null,
          e.recovery_suggestion ?? null, e.recoverable]);
      }
    }
    return seen;
    """,
    "python": """
seen = []
for key in ["rate", "given", "other"]:
    try:
        await storage.get(key)
    except LLMSpellError as e:
        seen.append([type(e).__name__, True, e.code, e.type, e.error_code, e.recovery_suggestion,
            e.recoverable])
seen
""",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_ERR_006_the_api_throws_the_class_that_fits(language: str) -> None:
    def get(args: dict[str, Any]) -> Any:
        if args["key"] == "rate":
            raise LlmspellError("often", code=6006, kind="rate", hint="wait", recoverable=True)
        if args["key"] == "given":
            raise InvalidInput("storage.get: key is wrong")
        raise LlmspellError("gone", code=5001, kind="missing")

    ended = run(language, THROWN[language], {"storage.get": get})
    assert ended.error is None
    assert ended.value == [
        ["RateLimitError", True, 6006, "rate_limit", "E_RATE_LIMIT", "wait", True],
        ["ValidationError", True, 2002, "validation", "E_VALIDATION", None, ended.value[1][6]],
        ["LLMSpellError", True, 5001, "missing", None, None, False],
    ]


ASYNC = {
    "javascript": """
    const out = [];
    const task = Async.schedule(5, () => { out.push("scheduled"); return 9 });
    out.push(task.done(), await Async.run(function* () { const x = yield Async.sleep(1);
    const y = yield 5; return [x ?? null, y] }));
    out.push(await Async.run(function* () {
      try { yield Promise.reject(new Error("e")) } catch (e) { return e.message }
    }));
    await Async.yield(); await Async.yieldNow(); await Async.yieldFor(1);
    await cooperative_yield(); await sleep(1); await util.sleep(1);
    let n = 0; await Async.yieldUntil(() => ++n > 2);
    try { await Async.yieldUntil(() => false, 15) } catch (e) { out.push(e.kind) }
    out.push(await Async.withResource({v: 1, close() { out.push("closed") }}, r => r.v));
    try { await Async.withResource(() => ({release() { out.push("released") }}),
      () => { throw new Error("in use") }) } catch (e) { out.push(e.message) }
    let tries = 0;
    try { await Async.withRetry(() => { tries++;
    throw new Error("x") }, 1) } catch (e) { out.push(tries) }
    try { await Async.withTimeout(() => Async.sleep(5000), 10) } catch (e) { out.push(e.code) }
    out.push(await task, task.done());
    const never = Async.schedule(60000, () => 1); never.cancel();
    try { await never } catch (e) { out.push(e.kind) }
    out.push((await Async.allSettled([Async.run(() => 1),
      Async.run(() => { throw new Error("no") })])).map(o => o.status));
    return out;
    """,
    "python": """
out = []
def nine():
    out.append("scheduled")
    return 9
task = Async.schedule(5, nine)
def steps():
    x = yield Async.sleep(1)
    y = yield 5
    return [x, y]
out += [task.done(), await Async.run(steps)]
def no(*_): raise ValueError("e")
def caught():
    try:
        yield Async.run(no)
    except ValueError as e:
        return str(e)
out.append(await Async.run(caught))
await Async.yield_(); await Async.yield_now(); await Async.yield_for(1)
await cooperative_yield(); await sleep(1); await util.sleep(1)
n = []
await Async.yield_until(lambda: n.append(1) or len(n) > 2)
try: await Async.yield_until(lambda: False, 15)
except LLMSpellError as e: out.append(e.kind)
class R:
    v = 1
    def close(self): out.append("closed")
class S:
    async def release(self): out.append("released")
out.append(await Async.with_resource(R(), lambda r: r.v))
def use(_): raise ValueError("in use")
try: await Async.with_resource(S, use)
except ValueError as e: out.append(str(e))
tries = []
def fails(): tries.append(1); raise ValueError("x")
try: await Async.with_retry(fails, 1)
except ValueError: out.append(len(tries))
try: await Async.with_timeout(lambda: Async.sleep(5000), 10)
except LLMSpellError as e: out.append(e.code)
out += [await task, task.done()]
never = Async.schedule(60000, nine); never.cancel()
try: await never
except LLMSpellError as e: out.append(e.kind)
out.append([o["status"] for o in await Async.all_settled([Async.run(lambda: 1), Async.run(no)])])
out
""",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_API_107_to_113_async_is_complete(language: str, kind: str) -> None:
    found = value(language, ASYNC, kind)
    found.remove("scheduled")
    assert found == [
        False, [None, 5], "e", "timeout", "closed", 1, "released", "in use", 2, 4004, 9, True,
        "cancelled", ["fulfilled", "rejected"],
    ]  # fmt: skip


SCHEDULED = {
    "javascript": 'Async.schedule(20, () => console.log("later")); return 1',
    "python": 'Async.schedule(20, lambda: print("later"))\nresult = 1',
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_API_112_the_run_ends_no_earlier_than_what_it_scheduled(language: str) -> None:
    ended = spell(language, SCHEDULED)
    assert (ended.value, ended.stdout) == (1, "later\n")


TESTS = {
    "javascript": """
    const suite = Test.suite("S");
    suite.test("good", t => { t.assertEquals({a: [1]}, {a: [1]}); t.assert_not_nil(0);
    t.assertType("x", "string"); t.assertContains([1, 2], 2);
      t.assertGreaterThan(2, 1); t.assertFalse(false);
      t.assertError(() => { throw new Error("boom") }, "boom") });
    suite.test("bad", async t => { await Async.sleep(1); t.assertContains("abc", "z", "why") });
    suite.test("thrown", () => { throw new Error("oh") });
    const report = await JSTest.runAll();
    console.log(report.passed, report.failed, report.tests.map(t => t.passed).join(" "));
    return 1;
    """,
    "python": """
suite = Test.suite("S")
@suite.test("good")
def good(t):
    t.assertEquals({"a": [1]}, {"a": [1]}); t.assert_not_nil(0); t.assert_type("x", "string")
    t.assert_contains([1, 2], 2)
    t.assert_greater_than(2, 1); t.assert_false(False)
    def fail(): raise ValueError("boom")
    t.assert_error(fail, "boom")
async def bad(t):
    await Async.sleep(1)
    t.assert_contains("abc", "z", "why")
suite.test("bad", bad)
def thrown(t): raise LLMSpellError("oh")
suite.test("thrown", thrown)
report = await PyTest.run_all()
print(report.passed, report.failed, *("true" if t["passed"] else "false" for t in report.tests))
result = 1
""",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_API_117_tests_within_a_spell(language: str, kind: str) -> None:
    ended = spell(language, TESTS, kind)
    lines = ended.stdout.splitlines()
    assert lines[0] == "ok   S: good"
    assert lines[1] == 'FAIL S: bad — why: "abc" does not contain "z"'
    assert lines[2].startswith("FAIL S: thrown — ") and lines[2].endswith("oh")
    assert lines[3:] == ["1 passed, 2 failed", "1 2 true false false"]
    assert ended.error is not None
    assert (ended.error["kind"], ended.error["message"]) == ("test_failed", "2 tests failed")


LEVELS = {
    "javascript": """
    Logger.info("a"); Logger.setLevel("warn"); Logger.info("b"); log("error", "c");
    Logger.set_level("off"); Logger.error("d");
    return Logger.level();
    """,
    "python": """
Logger.info("a"); Logger.set_level("warn"); Logger.info("b"); log("error", "c")
Logger.setLevel("off"); Logger.error("d")
Logger.level()
""",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_API_010_a_spell_has_a_level_of_its_own(language: str) -> None:
    ended = spell(language, LEVELS)
    assert ended.value == "off"
    assert [record.message for record in ended.logs] == ["a", "c"]


TOOLS = {
    "javascript": """
    await tools.file_write("p", "c"); await tools.file_write("p", "c", {mode: "append"});
    await Tools.fileReader.execute({path: "x"}); await Tools.file_reader.call({path: "x"});
    const disk = new FileSystemTool({base_path: "/d", readonly: true});
    await disk.call({action: "read", path: "z"});
    try { await disk.execute({action: "write",
        path: "z"}) } catch (e) { await Tools.execute("told", {message: e.message}) }
    try { await disk.call({path: "../z"}) } catch (e) { await Tools.execute("told",
        {message: e.message}) }
    await new HttpTool({timeout: 2000, other: 1}).call({url: "u"});
    await WebSearchTool.new({engines: ["a"]}).execute({q: 1});
    try { await new MissingTool() } catch (e) { await Tools.execute("told", {code: e.code,
      message: e.message}) }
    await Tools.execute("told", {tools: [HttpTool, WebSearchTool, new HttpTool(), Tools.fileReader,
      await Tools.get("q")].map(t => t)});
    """,
    "python": """
await tools.file_write("p", "c"); await tools.file_write("p", "c", mode="append")
await Tools.fileReader.execute({"path": "x"}); await Tools.file_reader.call(path="x")
disk = FileSystemTool(base_path="/d", readonly=True)
await disk.call({"action": "read", "path": "z"})
try: await disk.execute({"action": "write", "path": "z"})
except LLMSpellError as e: await Tools.execute("told", {"message": e.message})
try: await disk.call(path="../z")
except LLMSpellError as e: await Tools.execute("told", {"message": e.message})
await HttpTool(timeout=2, other=1).call({"url": "u"})
await WebSearchTool.new(engines=["a"]).execute(q=1)
try: MissingTool()
except LLMSpellError as e: await Tools.execute("told", {"code": e.code, "message": e.message})
listed = [HttpTool, WebSearchTool, HttpTool(), Tools.fileReader, await Tools.get("q")]
await Tools.execute("told", {"tools": listed})
""",
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_API_059_API_066_tools_as_properties_and_as_classes(language: str, kind: str) -> None:
    ended = spell(language, TOOLS, kind)
    assert ended.error is None
    calls = [(args["name"], args["input"]) for args in ended.called("tools.execute")]
    _, last = calls.pop()
    names = ["http_client", "web_search", "http_client", "file_reader", "q"]
    assert [tool["name"] for tool in last["tools"]] == names
    assert calls == [
        ("file_writer", {"path": "p", "content": "c"}),
        ("file_writer", {"path": "p", "content": "c", "mode": "append"}),
        ("file_reader", {"path": "x"}),
        ("file_reader", {"path": "x"}),
        ("file_reader", {"path": "/d/z"}),
        ("told", {"message": "FileSystemTool was made readonly: it does not write"}),
        ("told", {"message": "base_path is set, so a path begins there: no leading / and no .."}),
        ("http_client", {"timeout": 2000, "url": "u"}),
        ("WebSearchTool", {"q": 1}),
        ("told", {"code": 2001, "message": "there is no tool for MissingTool"}),
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_API_115_python_imports_the_injected_api(kind: str) -> None:
    source = """
import llmspell, llmspell.tools as t
from llmspell import Tools as T, Async, LLMSpellError as E
from llmspell.tools import execute, Tools
from llmspell.storage import *
[T is Tools, llmspell.Tools is T, t.Tools is T, execute is T.execute, E is LLMSpellError,
    Async.sleep is sleep, llmspell.fs is fs]
"""
    ended = run("python", source, kind=kind)
    assert (ended.value, ended.error) == ([True] * 7, None)
    assert ended.calls == []
    for source in (
        "import llmspell_evil",
        "import llmspell.supervisor",
        "from llmspell.x import y",
    ):
        ended = run("python", source, kind=kind)
        assert ended.error is not None and ended.error["code"] == 4008, source


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_name_of_the_apis_own_is_no_class_of_a_tool(language: str) -> None:
    sources = {
        "javascript": "return [typeof Tool.create, typeof BaseTool, typeof Tools.BaseTool]",
        "python": 'try: BaseTool\nexcept NameError: found = "undefined"\n'
        '["function" if callable(Tool.create) else 0, found, type(Tools.BaseTool) and "function"]',
    }
    assert value(language, sources) == ["function", "undefined", "function"]


def test_process_has_the_granted_environment_only() -> None:
    source = (
        "process.stdout.write('x'); return [process.env, process.argv.slice(1), process.platform]"
    )
    ended = run("javascript", source, env={"A": "1"}, args=["w"])
    assert ended.value == [{"A": "1"}, ["spell.js", "w"], "linux"]
    assert ended.stdout == "x"


def test_async_generators_and_top_level_await_and_return() -> None:
    source = """
    async function* numbers() { for (let i = 0; i < 3; i++) { await Async.sleep(1); yield i } }
    const seen = []; for await (const n of numbers()) seen.push(n);
    return seen;
    """
    assert run("javascript", source).value == [0, 1, 2]
