"""The worker around a guest: greeting, framing, ends, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.sandboxes.wasm.worker import MIB, Worker

ECHO = {
    "lua": "local m = __host.recv() __host.send(m)",
    "javascript": "__host.send(__host.recv())",
    "python": "__host.send(__host.recv(None))",
}
ENGINES = list(ECHO)


@pytest.mark.parametrize("engine", ENGINES)
def test_says_hello_then_relays(engine: str, tmp_path: Path) -> None:
    with Worker(tmp_path, engine, ECHO[engine]) as worker:
        hello = worker.message()
        assert hello["type"] == "hello"
        assert (hello["version"], hello["engine"]) == (1, engine)
        assert set(hello["achieved"]) == {"layers", "effects"}
        worker.send('{"type":"run"}')
        assert worker.receive() == b'{"type":"run"}'
        assert worker.rest() == []
        assert worker.end().code == 0
        assert worker.stderr() == ""


@pytest.mark.parametrize("engine", ENGINES)
def test_confined_at_high_every_effect_is_held(engine: str, tmp_path: Path) -> None:
    with Worker(tmp_path, engine, ECHO[engine], level="high") as worker:
        achieved = worker.message()["achieved"]
        assert set(achieved["effects"]) == {"files", "network", "processes", "spawn", "privilege"}
        assert all(achieved["effects"].values()), achieved
        assert "seccomp" in achieved["layers"]
        worker.send("still works")
        assert worker.receive() == b"still works"
        assert worker.end().code == 0


@pytest.mark.parametrize("engine", ENGINES)
def test_frames_of_the_largest_size_pass(engine: str, tmp_path: Path) -> None:
    with Worker(tmp_path, engine, ECHO[engine]) as worker:
        worker.message()
        worker.send("x" * MIB)
        assert worker.receive() == b"x" * MIB


@pytest.mark.parametrize(
    ("engine", "prelude"),
    [
        ("lua", "__host.send(tostring(__host.send(('x'):rep((1<<20)+1)))) __host.send('after')"),
        ("javascript", "__host.send(''+__host.send('x'.repeat((1<<20)+1)));__host.send('after')"),
        (
            "python",
            "try: __host.send('x' * ((1 << 20) + 1))\n"
            "except ValueError: __host.send('false')\n__host.send('after')",
        ),
    ],
)
def test_a_frame_too_long_is_refused_and_nothing_of_it_sent(
    engine: str, prelude: str, tmp_path: Path
) -> None:
    with Worker(tmp_path, engine, prelude) as worker:
        worker.message()
        assert worker.rest() == [b"false", b"after"]


@pytest.mark.parametrize("engine", ENGINES)
def test_a_closed_channel_ends_it_silently(engine: str, tmp_path: Path) -> None:
    with Worker(tmp_path, engine, ECHO[engine]) as worker:
        worker.message()
        worker.socket.close()
        status = worker.end()
        assert status.signal is None
        assert worker.stderr() == ""


@pytest.mark.parametrize("length", [0, MIB + 1, 0xFFFFFFFF])
def test_a_length_no_frame_has_closes_the_channel(length: int, tmp_path: Path) -> None:
    with Worker(tmp_path, "lua", ECHO["lua"]) as worker:
        worker.message()
        worker.socket.sendall(length.to_bytes(4, "little") + b"xxxx")
        assert worker.rest() == []
        assert worker.end().code == 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"--engine": "ruby"}, "no engine ruby"),
        ({"--memory": "many"}, "--memory is not a number"),
        ({"--memory": "-1"}, "--memory is not a number"),
        ({"--wasmtime": "/nowhere/lib.so"}, "can't be opened"),
        ({"--wasmtime": "lib.so"}, "not absolute"),
        ({"--wasmtime": "/lib/x86_64-linux-gnu/libc.so.6"}, "has no function wasm_config_new"),
        ({"--module": "/dev/null"}, "can't be loaded"),
        ({"--prelude": "/nowhere"}, "can't open /nowhere"),
        ({"--prelude": "/dev/zero"}, "is no file"),
        ({"--surprise": "1"}, "can't use the argument --surprise"),
    ],
)
def test_unusable_parts_are_refused_with_a_sentence(
    options: dict[str, str], said: str, tmp_path: Path
) -> None:
    with Worker(tmp_path, "lua", ECHO["lua"], options=options) as worker:
        assert worker.rest() == []
        assert worker.end().code == 64
        assert said in worker.stderr()
        assert worker.stderr().count("\n") == 1


def test_WA_04_a_module_that_is_no_machine_code_of_ours_is_refused(tmp_path: Path) -> None:
    from llmspell.supervisor import guests

    plain_wasm = {"--module": str(guests.BUILT / "lua.wasm")}
    with Worker(tmp_path, "lua", ECHO["lua"], options=plain_wasm) as worker:
        assert worker.rest() == []
        assert worker.end().code == 64


def test_a_plan_that_is_none_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with Worker(tmp_path, "lua", ECHO["lua"]) as worker:
        pass
    broken = tmp_path / "broken"
    broken.mkdir()
    import llmspell.platform as platform

    original = platform.plan
    platform.plan = lambda *_: platform.Plan(b"nonsense", b"")
    try:
        with Worker(broken, "lua", ECHO["lua"]) as worker:
            assert worker.rest() == []
            assert worker.end().code == 77
            assert "plan" in worker.stderr()
    finally:
        platform.plan = original


@pytest.mark.parametrize("engine", ENGINES)
def test_recv_times_out_and_keeps_the_frame_for_later(engine: str, tmp_path: Path) -> None:
    prelude = {
        "lua": "local t=__host.clock(1) local m=__host.recv(80) "
        "__host.send(tostring(m)..' '..math.floor(__host.clock(1)-t)) "
        "__host.send(__host.recv(9000))",
        "javascript": "let t=__host.clock(1), m=__host.recv(80); "
        "__host.send((m===null?'nil':m)+' '+Math.floor(__host.clock(1)-t)); "
        "__host.send(__host.recv(9000))",
        "python": "import time\nt=time.monotonic()\nm=__host.recv(80)\n"
        "__host.send(f\"{'nil' if m is None else m} {int((time.monotonic()-t)*1000)}\")\n"
        "__host.send(__host.recv(9000))",
    }[engine]
    with Worker(tmp_path, engine, prelude) as worker:
        worker.message()
        word, waited = (worker.receive() or b"").decode().split()
        assert word == "nil"
        assert 79 <= int(waited) < 2000
        worker.send("late")
        assert worker.receive() == b"late"


def test_python_sleeps_its_time_and_keeps_what_arrives_meanwhile(tmp_path: Path) -> None:
    prelude = (
        "import time\n__host.send('asleep')\nt = time.monotonic()\ntime.sleep(0.15)\n"
        "__host.send(str(int((time.monotonic() - t) * 1000)))\n"
        "__host.send(__host.recv(0) + __host.recv(0))\n__host.send(str(__host.recv(0)))\n"
    )
    with Worker(tmp_path, "python", prelude) as worker:
        worker.message()
        assert worker.receive() == b"asleep"
        worker.send("one ")
        worker.send("two")
        assert 149 <= int(worker.receive() or 0) < 3000
        assert worker.receive() == b"one two"
        assert worker.receive() == b"None"
