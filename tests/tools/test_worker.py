"""The tool worker as a real process: order, replies, parts, ends, and what it can't do any more."""

from __future__ import annotations

import json
import sys
import time

import pytest

from llmspell.channel import messages
from llmspell.tools.registry import get, list_tools
from llmspell.tools.tool import VARIES
from tests.tools.support import MAIN, ROOT, MemoryHost, Worker

BUILT = ROOT / "llmspell" / "sandboxes" / "_built"


def test_hello_then_a_tool() -> None:
    with Worker() as worker:
        hello = worker.start()
        assert (hello.version, hello.engine, hello.layers) == (1, "tools", ())
        returned = worker.use("calculator", {"expression": "6 * 7"})
        assert returned.value["result"] == 42


def test_errors_are_typed_and_the_worker_goes_on() -> None:
    with Worker() as worker:
        worker.start()
        for tool, given, code in (
            ("nothing", {}, 2001),
            ("calculator", {}, 2002),
            ("calculator", [1], 2002),
            ("json_processor", {"operation": "parse", "json": "{"}, 2009),
        ):
            error = worker.use(tool, given).error
            assert error is not None and error["code"] == code
        assert worker.use("calculator", {"expression": "1"}).value["result"] == 1


def test_an_error_of_the_broker_reaches_the_spell_unchanged() -> None:
    from llmspell.errors import Denied

    class Refusing(MemoryHost):
        def act(self, method: str, args: dict[str, object]) -> object:
            raise Denied(
                "denied read x", rule="high.files.read", hint="to allow it: --allow-read x"
            )

    with Worker() as worker:
        worker.start()
        error = worker.use("file_reader", {"path": "x"}, Refusing()).error
        assert error == {
            "code": 4008, "kind": "denied", "message": "denied read x", "rule": "high.files.read",
            "hint": "to allow it: --allow-read x",
        }  # fmt: skip
        assert worker.use("file_reader", {"path": "./research/data.txt"}).error is None


def test_several_tools_wait_at_once_and_answers_cross() -> None:
    with Worker() as worker:
        worker.start()
        first = worker.invoke("file_reader", {"path": "a"})
        second = worker.invoke("file_reader", {"path": "b"})
        calls = [worker.next(), worker.next()]
        assert all(isinstance(call, messages.Call) for call in calls)
        worker.send(worker.connection.reply(calls[1].id, b"two"))  # type: ignore[union-attr]
        answer = worker.next()
        assert isinstance(answer, messages.Returned)
        assert (answer.id, answer.value["result"]) == (second, "two")
        computed = worker.use("calculator", {"expression": "1 + 1"})
        assert computed.value["result"] == 2
        worker.send(worker.connection.reply(calls[0].id, b"one"))  # type: ignore[union-attr]
        answer = worker.next()
        assert isinstance(answer, messages.Returned)
        assert (answer.id, answer.value["result"]) == (first, "one")


def test_cancel_takes_the_call_back_and_answers_once() -> None:
    with Worker() as worker:
        worker.start()
        number = worker.invoke("file_reader", {"path": "a"})
        call = worker.next()
        assert isinstance(call, messages.Call)
        worker.send(worker.connection.cancel(number))
        cancel, answer = worker.next(), worker.next()
        assert isinstance(cancel, messages.Cancel) and cancel.id == call.id
        assert isinstance(answer, messages.Returned) and answer.error is not None
        assert answer.error["kind"] == "cancelled"
        worker.send(worker.connection.reply(call.id, b"late"))
        assert worker.use("calculator", {"expression": "1"}).value["result"] == 1


@pytest.mark.alone
def test_a_pause_lets_others_run() -> None:
    host = MemoryHost()
    answers = [{"status": 503, "headers": {}, "body": b"", "url": "u"}]
    host.answer = lambda args: (
        answers.pop() if answers else {"status": 200, "headers": {}, "body": b"ok", "url": "u"}
    )
    with Worker() as worker:
        worker.start()
        request = {"url": "https://x.example", "retries": 1, "retry_delay": 300}
        number = worker.invoke("http_client", request)
        call = worker.next()
        assert isinstance(call, messages.Call)
        worker.send(worker.connection.reply(call.id, host.act("http.request", call.args)))
        started = time.monotonic()
        other = worker.use("calculator", {"expression": "2 + 2"})
        assert other.value["result"] == 4 and time.monotonic() - started < 0.25
        call = worker.next()
        assert isinstance(call, messages.Call) and time.monotonic() - started >= 0.2
        worker.send(worker.connection.reply(call.id, host.act("http.request", call.args)))
        answer = worker.next()
        assert isinstance(answer, messages.Returned) and answer.id == number
        assert answer.value["metadata"]["attempts"] == 2


def test_large_messages_travel_in_parts_both_ways() -> None:
    text = "äöü€" * 500_000
    with Worker() as worker:
        worker.start()
        given = {"text": text, "operations": ["reverse"]}
        assert worker.use("text_manipulator", given).value["result"] == text[::-1]


def test_a_result_that_can_not_be_carried_is_an_error() -> None:
    with Worker() as worker:
        worker.start()
        big = MemoryHost({"big": b"\x01" * 4_000_000})
        error = worker.use("file_reader", {"path": "big", "encoding": "utf-8"}, big).error
        assert error is not None and error["kind"] == "result"
        assert worker.use("calculator", {"expression": "1"}).error is None


def test_the_end_of_the_channel_ends_the_worker() -> None:
    worker = Worker()
    worker.start()
    worker.socket.close()
    assert worker.process.wait(timeout=5) == 0
    worker.process.stderr.close()


@pytest.mark.parametrize("arguments", [["--nothing", "x"], ["--site"], []])
def test_wrong_arguments_are_refused(arguments: list[str]) -> None:
    with Worker(program=[str(MAIN), *arguments]) as worker, pytest.raises(EOFError, match="--site"):
        worker.next()
    assert worker.process.returncode == 64


def test_a_confinement_that_can_not_be_applied_is_refused() -> None:
    with Worker("--confine", "/nonexistent/libconfine.so") as worker:
        worker.send((4).to_bytes(4, "little") + b"junk")
        with pytest.raises(EOFError, match="confined"):
            worker.next()
    assert worker.process.returncode == 71


def test_a_plan_that_is_none_is_refused() -> None:
    library = BUILT / "libconfine.so"
    if not library.exists():
        pytest.skip("libconfine.so is not built")
    with Worker("--confine", str(library)) as worker:
        worker.send((4).to_bytes(4, "little") + b"junk")
        with pytest.raises(EOFError, match="confined"):
            worker.next()
    assert worker.process.returncode == 71


HEAVY = (
    "asyncio", "pydantic", "click", "dataclasses", "inspect", "subprocess", "logging", "httpx",
    "tomllib", "socket", "ssl", "threading", "multiprocessing", "tempfile", "random", "jinja2",
)  # fmt: skip

SEALED = """
import sys
sys.path.append(sys.argv[1])
from llmspell.tools.worker import preload
preload()
heavy = [name for name in sys.argv[2].split(",") if name in sys.modules]
def seal(event, args):
    if event in ("open", "import", "os.listdir", "os.scandir", "socket.__new__",
                 "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork"):
        raise RuntimeError("sealed: " + event + " " + repr(args)[:200])
from llmspell.tools.main import run
sys.addaudithook(seal)
run({"layers": heavy, "effects": {}})
"""


def test_after_preload_no_tool_opens_or_imports_anything() -> None:
    program = ["-c", SEALED, str(ROOT), ",".join(HEAVY)]
    with Worker(program=program) as worker:
        assert worker.start().layers == (), "a heavy module is loaded"
        for entry in list_tools():
            for example in get(entry.name).examples:
                returned = worker.use(entry.name, example.input)
                assert returned.error is None, (entry.name, returned.error)
                if example.result is not VARIES:
                    assert returned.value["result"] == example.result
        for tool, given in EDGES:
            returned = worker.use(tool, given)
            words = json.dumps(returned.error)
            assert "sealed" not in words and "made a mistake" not in words, (tool, words)


EDGES: list[tuple[str, dict[str, object]]] = [
    ("nothing", {}),
    ("calculator", {"expression": "sqr(4)"}),
    ("calculator", {"expresion": "1"}),
    ("date_time_handler", {"operation": "parse", "date": "2025-02-30"}),
    ("date_time_handler", {"operation": "now", "timezone": "Europe/Berlln"}),
    ("date_time_handler", {"operation": "now", "timezone": "Pacific/Auckland", "format": "LT z"}),
    ("date_time_handler", {"operation": "list_timezones"}),
    ("text_manipulator", {"text": "é", "operations": ["remove_accents", {"wrap": 10}, "dedent"]}),
    ("text_manipulator", {"text": "a", "operations": [{"matches": {"pattern": "(?i:À)",
                                                                   "flags": "i"}}]}),
    ("text_manipulator", {"text": "a", "operations": [{"matches": {"pattern": "[[a]",
                                                                   "flags": "x"}}]}),
    ("diff_calculator", {"old": "a b", "new": "a c", "format": "words"}),
    ("diff_calculator", {"old": "a b", "new": "a c", "format": "context"}),
    ("json_processor", {"operation": "parse", "json": "{1}"}),
    ("csv_processor", {"operation": "parse", "text": 'a,"b'}),
    ("file_reader", {"path": "./research/data.txt", "encoding": "shift_jis"}),
    ("file_reader", {"path": "./research/data.txt", "encoding": "utf-32"}),
    ("file_reader", {"path": "./images/chart.png", "encoding": "iso2022-jp"}),
    ("file_writer", {"path": "x", "content": "é", "encoding": "big5"}),
    ("file_writer", {"path": "./output/report.md", "content": "x", "create_backup": True,
                     "backup_name": "timestamp"}),
    ("base64_encoder", {"operation": "decode", "data": "%zz", "variant": "url"}),
    ("hash_calculator", {"data": "x", "algorithm": "blake2b", "key": "k"}),
    ("hash_calculator", {"data": "x", "algorithm": "sha512", "key": "k"}),
    ("uuid_generator", {"version": "v1"}),
    ("uuid_generator", {"version": "v6", "format": "short"}),
    ("template_processor", {"template": "{{uper x}}", "variables": {}}),
    ("http_client", {"url": "https://x.example/${ID}"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("tool", "given"),
    [
        ("text_manipulator", {"text": "a" * 40 + "!", "operations": [
            {"matches": {"pattern": "(a+)+$", "regex": True}}]}),
        ("json_processor", {"operation": "validate", "data": "a" * 40 + "!",
                            "schema": {"pattern": "^(a|a)*$"}}),
    ],
)  # fmt: skip
def test_RS_05_a_pattern_without_end_is_killed_from_outside(
    tool: str, given: dict[str, object]
) -> None:
    with Worker() as worker:
        worker.start()
        worker.invoke(tool, given)
        with pytest.raises(TimeoutError):
            worker.next(seconds=1.0)
        worker.process.kill()
        assert worker.process.wait(timeout=5) == -9
    with Worker() as worker:
        worker.start()
        assert worker.use("calculator", {"expression": "1"}).value["result"] == 1


def test_starts_fast_and_small() -> None:
    started = time.monotonic()
    with Worker() as worker:
        worker.start()
        assert time.monotonic() - started < 5
        status = (ROOT / f"/proc/{worker.process.pid}/status").read_text()
        resident = int(status.split("VmRSS:")[1].split()[0])
        assert resident < 60_000, f"{resident} KiB, {sys.version}"
