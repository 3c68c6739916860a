"""Hostile Python (threats PY-01 … PY-13). The boundary is the process; the prelude is courtesy.

Natively at `medium` and as a wasm guest at `high` an attacker may walk wherever the interpreter
lets it: what counts is that nothing of the host comes of it.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from llmspell.channel import messages
from llmspell.errors import OperationFailed, WorkerViolation
from tests.parity.workers import Ended, drive, run, worker

HELD = ("medium", "forked", "high")
KINDS = ("bare", "medium", "forked", "high")


def py(source: str, answers: Any = None, **fields: Any) -> Ended:
    return run("python", source, answers, **fields)


def value(source: str, answers: Any = None, **fields: Any) -> Any:
    ended = py(source, answers, **fields)
    assert ended.error is None, ended.error
    return ended.value


REAL = """
def real(name):
    # Any class leads to the true import machinery: this is what every escape ends in.
    for cls in object.__subclasses__():
        if cls.__name__ == "BuiltinImporter":
            loader = cls
    import_ = loader.load_module("builtins").__import__
    return import_(name)
def attempt(action):
    try:
        action()
        return "done"
    except BaseException as problem:
        return type(problem).__name__
os = real("os")
"""


@pytest.mark.parametrize("kind", HELD)
def test_PY_01_02_04_13_the_true_modules_reach_nothing_of_the_host(
    kind: str, tmp_path: Path
) -> None:
    tmp_path.chmod(0o777)
    secret = tmp_path / "secret"
    secret.write_text("s3cret")
    secret.chmod(0o666)
    source = (
        REAL
        + f"""
path = {str(secret)!r}
[attempt(lambda: os.open(path, 0)), attempt(lambda: os.listdir("/")),
 attempt(lambda: os.unlink(path)), attempt(lambda: os.mkdir(path + "2")),
 attempt(lambda: os.fork()), attempt(lambda: os.kill(1, 0)),
 attempt(lambda: os.execv("/bin/true", ["true"])),
 attempt(lambda: real("_socket").socket()), attempt(lambda: os.open("/proc/self/environ", 0))]
"""
    )
    outcome = value(source, kind=kind)
    assert "done" not in outcome, outcome
    assert secret.read_text() == "s3cret"
    assert not Path(f"{secret}2").exists()
    # The twin without confinement shows that the way there is a real one.
    twin = REAL + f"[attempt(lambda: os.close(os.open({str(secret)!r}, 0))), real('os') is os]"
    assert value(twin, kind="bare") == ["done", True]


@pytest.mark.parametrize("kind", HELD)
def test_PY_03_08_frames_and_the_collector_show_no_secret(kind: str) -> None:
    os.environ["LLMSPELL_CANARY"] = "canary-" + "4711"
    needle = '"canary-" + "47" + "11"'
    source = (
        REAL
        + f"""
import sys as facade
gc, sys = real("gc"), real("sys")
frame, seen = sys._getframe(), []
while frame:
    seen.append(frame.f_globals.get("__name__"))
    frame = frame.f_back
needle = {needle}
found = [o for o in gc.get_objects() if isinstance(o, dict)
         and any(isinstance(v, str) and needle in v and v != needle for v in list(o.values()))]
[len(found), dict(os.environ)]
"""
    )
    count, environment = value(source, kind=kind)
    assert count == 0
    assert not set(environment) - {"LC_ALL", "PYTHONHASHSEED", "LC_CTYPE"}


def test_PY_06_ctypes_gives_no_system_call_at_medium() -> None:
    source = (
        REAL
        + """
ctypes = real("ctypes")
libc = ctypes.CDLL(None, use_errno=True)
[libc.open(b"/etc/passwd", 0) >= 0, libc.socket(2, 1, 0) >= 0, libc.syscall(57) >= 0,
 libc.unshare(0x10000000) == 0, libc.ptrace(0, 0, 0, 0) == 0]
"""
    )
    ended = py(source, kind="medium", arguments=("--modules", "ctypes"))
    assert ended.error is None and ended.value == [False] * 5, (ended.error, ended.value)


@pytest.mark.parametrize("kind", KINDS)
def test_PY_07_only_plain_values_leave(kind: str) -> None:
    evil = "class E:\n    def __reduce__(self):\n        return (print, ('x',))\n"
    ended = py(evil + "E()", kind=kind)
    assert ended.error is not None and ended.error["code"] == 2002
    sneaky = "class D(dict):\n    def items(self):\n        return [('a', lambda: 1)]\nD(b=1)"
    ended = py(sneaky, kind=kind)
    assert ended.error is not None and ended.error["kind"] == "validation"
    assert value("class I(int):\n    pass\n[I(3), True]", kind=kind) == [3, True]


@pytest.mark.parametrize("kind", KINDS)
def test_PY_09_nothing_outlives_the_spell(kind: str) -> None:
    source = (
        REAL
        + """
atexit = real("atexit")
atexit.register(lambda: print("late"))
class G:
    def __del__(self): print("deleted late")
keep = G()
attempt(lambda: real("_thread").start_new_thread(lambda: print("thread"), ()))
1
"""
    )
    with worker("python", kind) as one:
        one.begin(source)
        ended = drive(one, {})
        assert ended.value == 1
        # After `done` the channel takes nothing more: receive raises on a further message.
        assert one.receive(5) is None


@pytest.mark.parametrize("kind", ("bare", "medium"))
def test_PY_11_writing_to_the_channel_by_hand_is_the_spells_own_end(kind: str) -> None:
    with worker("python", kind) as one:
        one.begin(REAL + "os.write(3, b'\\xff' * 64)\nAsync.sleep(9000).result()")
        with pytest.raises(WorkerViolation):
            while one.receive(10) is not None:
                pass


@pytest.mark.parametrize("kind", KINDS)
def test_PY_11_the_standard_descriptors_lead_nowhere(kind: str) -> None:
    source = REAL + "attempt(lambda: os.write(2, b'raw')), attempt(lambda: os.write(1, b'raw'))\n1"
    ended = py(source + "\nprint('framed')\n2", kind=kind)
    assert ended.value == 2 and "framed\n" in ended.stdout


HANGS = {
    "PY_12_except": "while True:\n try:\n  while True: pass\n except BaseException: pass",
    "PY_12_finally": "try:\n    1/0\nfinally:\n    while True: pass",
    "PY_12_regex": "import re\nre.match('(a+)+$', 'a' * 50 + 'b')",
}


@pytest.mark.parametrize("name", HANGS)
def test_PY_12_endless_work_ends_with_the_processor_time(name: str) -> None:
    with worker("python", "medium", cpu=1) as one:
        one.begin(HANGS[name])
        assert one.receive(15) is None


@pytest.mark.parametrize("kind", KINDS)
def test_imports_of_the_safe_list_work_and_others_are_named(kind: str) -> None:
    source = """
import collections.abc, urllib.parse, json, re, math, datetime, decimal, dataclasses, statistics
import csv, io, hashlib, uuid, enum, typing, textwrap, copy, itertools, functools, base64, sys
from urllib import parse
from __future__ import annotations
""".replace("from __future__ import annotations\n", "")
    source += """
@dataclasses.dataclass
class Point:
    x: int
    y: typing.Optional[int] = None
class Color(enum.Enum):
    RED = 1
buffer = io.StringIO()
csv.writer(buffer).writerow([1, "a,b"])
[Point(1).x, Color.RED.name, buffer.getvalue(), parse.quote("a b"), copy.deepcopy({"a": [1]}),
 datetime.datetime.strptime("2026-01-02", "%Y-%m-%d").day, str(decimal.Decimal("1.10")),
 hashlib.sha256(b"").hexdigest()[:6], statistics.mean([1, 2, 3]), len(str(10**4000)),
 re.sub("a", "b", "aa"), sys.argv]
"""
    expected = [1, "RED", '1,"a,b"\r\n', "a%20b", {"a": [1]}, 2, "1.10", "e3b0c4", 2, 4001, "bb"]
    assert value(source, kind=kind) == [*expected, ["spell.py"]]
    for name in ("socket", "os", "subprocess", "ctypes", "importlib", "urllib.request", "asyncio"):
        ended = py(f"import {name}", kind=kind)
        assert ended.error is not None and ended.error["code"] == 4008
        assert name.split(".")[0] in ended.error["hint"]
    caught = "try:\n    from urllib import request\nexcept ImportError as e:\n    result = e.kind"
    assert value(caught, kind=kind) == "denied"


def test_low_imports_from_the_spells_folder_through_the_broker() -> None:
    files = {
        "spell:util.py": "from pkg.inner import three\ndef six(): return 2 * three",
        "spell:pkg/__init__.py": "",
        "spell:pkg/inner.py": "from . import other\nthree = other.one + 2",
        "spell:pkg/other.py": "one = 1",
    }

    def read(args: dict[str, Any]) -> Any:
        if args["path"] in files:
            return files[args["path"]]
        raise OperationFailed("not there", kind="not_found")

    ended = py("import util\nutil.six()", {"fs.read": read}, profile="low")
    assert (ended.value, ended.error) == (6, None)
    missing = py("import absent", {"fs.read": read}, profile="low")
    assert missing.error is not None and missing.error["code"] == 4008
    assert missing.error["hint"] == "to allow it: --allow-module absent"
    assert [call.method for call in missing.calls] == ["fs.read", "fs.read", "modules.load"]
    files["spell:outer.py"] = "import absent"
    nested = py("import outer", {"fs.read": read}, profile="low")
    assert nested.error is not None and "absent" in nested.error["hint"]
    refused = py("import util", {"fs.read": read})
    assert refused.error is not None and refused.error["code"] == 4008
    assert [(call.method, call.args) for call in refused.calls] == [
        ("modules.load", {"name": "util"})
    ]
    allowed = py("import util", {"fs.read": read, "modules.load": lambda args: {}})
    assert allowed.error is not None and allowed.error["code"] == 4007
    assert allowed.error["message"] == "module util is not part of this engine"
    own = {"fs.read": read, "modules.load": lambda args: {"own_folder": True}}
    assert value("import util\nutil.six()", own) == 6


@pytest.mark.parametrize("kind", KINDS)
def test_a_refused_import_is_asked_of_the_broker_and_can_be_caught(kind: str) -> None:
    source = "try:\n    import os\nexcept ImportError as e:\n    result = [e.code, e.rule, e.hint]"
    ended = py(source, kind=kind)
    assert ended.value == [4008, "medium.modules", "to allow it: --allow-module os"]
    assert [(call.method, call.args) for call in ended.calls] == [("modules.load", {"name": "os"})]


def test_open_where_io_was_granted() -> None:
    disk = {"a.txt": b"one\ntwo\n"}

    def write(args: dict[str, Any]) -> Any:
        data = args["data"]
        disk[args["path"]] = data if isinstance(data, bytes) else data.encode()

    answers = {
        "fs.read": lambda args: disk[args["path"]],
        "fs.write": write,
        "fs.exists": lambda args: args["path"] in disk,
    }
    source = """
with open("a.txt") as f: lines = f.readlines()
with open("b.txt", "w") as f: f.write("é\\n"); print("x", file=f)
with open("b.txt", "a") as f: f.write("end")
with open("a.txt", "rb") as f: raw = f.read()
[lines, raw]
"""
    ended = py(source, answers, modules=["io"])
    assert ended.error is None
    assert ended.value == [["one\n", "two\n"], b"one\ntwo\n"]
    assert disk["b.txt"].decode() == "é\nx\nend"
    refused = py("open('a.txt')", answers)
    assert refused.error is not None and refused.error["code"] == 4008
    assert refused.called("modules.load") == [{"name": "io"}] and len(refused.calls) == 1


def test_the_profile_none_is_all_of_python(tmp_path: Path) -> None:
    target = tmp_path / "out"
    source = f"""
import os, socket, asyncio, subprocess
import mine
with open({str(target)!r}, "w") as f: f.write("direct")
subprocess.run(["true"], check=True)
[mine.n, os.environ["HOME"], await fs.read("q"), input()]
"""
    answers = {
        "fs.read": lambda args: {"spell:mine.py": "n = 5", "q": "q"}[args["path"]],
        "stdin.read": lambda args: "typed\n",
    }
    arguments = ("--profile", "none")
    ended = py(source, answers, profile="none", env={"HOME": "/h"}, arguments=arguments)
    assert ended.error is None, ended.error
    assert ended.value == [5, "/h", "q", "typed"]
    assert target.read_text() == "direct"


def test_the_value_of_a_spell() -> None:
    assert value("x = 1\nx + 1") == 2
    assert value("result = {'a': 1}") == {"a": 1}
    assert value("result = 3\nprint('x')") == 3
    assert value("fs.read('x')", {"fs.read": lambda args: "auto"}) == "auto"
    assert value("import sys\nsys.exit(0)") is None
    failed = py("import sys\nsys.exit(2)")
    assert failed.error is not None and failed.error["kind"] == "exit"
    returned = py("return 1")
    assert returned.error is not None and "last expression" in returned.error["hint"]


def test_an_exit_in_a_task_ends_the_spell() -> None:
    source = "async def f():\n    exit(0)\nAsync.spawn(f)\nawait Async.sleep(9000)"
    with worker("python") as one:
        one.begin(source)
        message = one.receive(5)
        assert isinstance(message, messages.Done)


@pytest.mark.parametrize("kind", KINDS)
def test_frames_of_the_prelude_are_not_shown(kind: str) -> None:
    ended = py("def f():\n    raise ValueError('x')\nasync def g():\n    f()\nawait g()", kind=kind)
    assert ended.error is not None
    assert ended.error["line"] == 2
    assert ended.error["stack"].splitlines() == [
        '  File "spell.py", line 5, in <module>',
        '  File "spell.py", line 4, in g',
        '  File "spell.py", line 2, in f',
    ]


def test_only_the_modules_that_the_source_names_need_be_loaded() -> None:
    from llmspell.sandboxes.engines.safe_modules import named_in

    source = "import datetime, json\nfrom urllib.parse import quote\n"
    source += "[datetime.datetime.strptime('2026', '%Y').year, json.loads('1'), quote(' ')]"
    needs = named_in(source)
    assert set(needs) == {"datetime", "json", "urllib.parse", "_strptime"}
    arguments = ("--needs", ",".join(needs))
    assert value(source, kind="medium", arguments=arguments) == [2026, 1, "%20"]
    composed = py("__import__('deci' + 'mal')", kind="medium", arguments=("--needs", "json"))
    assert composed.error is not None and composed.error["code"] == 4007
