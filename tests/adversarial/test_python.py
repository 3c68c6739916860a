"""PY: what Python offers an attacker, native and in the guest, exec'ed and forked.

The raw system calls (PY-06) and the walk over the object graph at every machine are in
test_native_code.py and test_zygote.py.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.adversarial.batches import (
    CANARY,
    EXEC,
    FORK,
    ONE_WAY_EACH,
    WAYS,
    Batches,
    Case,
)
from tests.adversarial.proof import Control

HANDS = """
told, reached = {}, {}
def attempt(name, act):
    try:
        found = act()
        told[name] = repr(found)[:80]
        return found
    except BaseException as error:
        told[name] = ""
def graph():
    for kind in ().__class__.__base__.__subclasses__():
        names = getattr(getattr(kind, "__init__", None), "__globals__", None)
        if names and "sys" in names and hasattr(names["sys"], "modules"):
            return names["sys"].modules
modules = graph()
import_ = modules["builtins"].__import__
posix = modules.get("posix") or modules["os"]
"""
WAYS_IN = (
    HANDS
    + """
import operator, string
# PY_02: names put together, formats, f-strings, attrgetter: all lead to the same modules.
glob = "__glo" + "bals__"
kinds = getattr(getattr((), "__cl" + "ass__"), "__ba" + "se__").__subclasses__()
walked = [k for k in kinds if "sys" in getattr(getattr(k, "__init__", 0), glob, ())]
reached["getattr"] = hasattr(getattr(walked[0].__init__, glob)["sys"], "modules")
class Leak:
    def __init__(self): self.held = modules
reached["format"] = "module" in "{0.held[posix]!r}".format(Leak())
reached["f-string"] = "module" in f"{Leak().held['posix']!r}"
reached["attrgetter"] = operator.attrgetter("held.get")(Leak())("posix") is posix
reached["formatter"] = string.Formatter().get_field("0.held", (Leak(),), {})[0] is modules
# PY_03: frames of a traceback and of a generator, down to the first of the process.
def generate():
    yield generator.gi_frame.f_back
generator = generate()
try:
    1 / 0
except ZeroDivisionError as error:
    frame = error.__traceback__.tb_frame
frames, names = [frame, next(generator)], set()
while frames:
    one = frames.pop()
    if one is not None:
        names.add(str(one.f_globals.get("__name__")))
        frames.append(one.f_back)
reached["frames"] = len(names) >= 1
told["host frames"] = ",".join(n for n in names if "supervisor" in n or "broker" in n)
# PY_04: importers and submodules of what is allowed.
loader = modules["sys"].__spec__.loader
reached["importer"] = attempt("control importer", lambda: loader.find_spec("posix")) is not None
attempt("load_module", lambda: loader.load_module("posix").open("/etc/passwd", 0))
attempt("importlib", lambda: import_("importlib").import_module("_socket").socket())
attempt("submodule", lambda: import_("json").codecs.builtins.open("/etc/passwd"))
attempt("io", lambda: import_("_io").open_code("/etc/passwd"))
attempt("file io", lambda: import_("_io").FileIO("/etc/passwd"))
# PY_13: warnings, descriptors, metaclasses.
class Meta(type):
    def __call__(cls, *words): return posix.open(*words)
class Door(metaclass=Meta): pass
class Descriptor:
    def __get__(self, one, kind): return posix.open("/etc/passwd", 0)
class Holder:
    door = Descriptor()
attempt("metaclass", lambda: Door("/etc/passwd", 0))
attempt("descriptor", lambda: Holder.door)
attempt("warnings", lambda: import_("warnings").sys.modules["posix"].open("/etc/passwd", 0))
class Late:
    def __del__(self): told["del"] = repr(posix.open("/etc/passwd", 0))
late = Late()
attempt("delete", lambda: globals().__delitem__("late"))
told.pop("delete")
# PY_01: what the modules can do.
for path in ("/etc/passwd", "/etc/shadow", "/proc/self/environ", "/proc/1/environ", "."):
    attempt("open " + path, lambda: posix.open(path, 0))
attempt("create", lambda: posix.open("/tmp/made-by-a-spell", 0o101))
attempt("list", lambda: [n for n in posix.listdir("/") if n in ("etc", "proc", "root")][0])
attempt("stat", lambda: posix.stat("/etc/passwd"))
attempt("kill", lambda: posix.kill(params["supervisor"], 0))
for name in ("fork", "pipe2"):
    attempt(name, lambda: getattr(posix, name)(*([0] if name == "pipe2" else [])))
attempt("execv", lambda: posix.execv("/bin/true", ["true"]))
attempt("spawn", lambda: posix.posix_spawn("/bin/true", ["true"], {}))
attempt("system", lambda: posix.system("exit 0") == 0 or 1 / 0)
attempt("setuid", lambda: posix.setuid(0) if posix.getuid() else 1 / 0)
attempt("socket", lambda: import_("_socket").socket())
attempt("dlopen", lambda: import_("_ctypes").dlopen("libresolv.so.2", 2))
told.pop("pipe2")
result = [{name: text for name, text in told.items() if text}, reached]
"""
)
WHOLE = """
import posix, _socket, _ctypes, os, sys
told = [posix.open("/etc/passwd", 0) > 2, len(posix.listdir("/")) > 3, posix.kill(os.getpid(), 0),
  posix.system("exit 0"), _socket.socket() is not None, _ctypes.dlopen("libresolv.so.2", 2) != 0,
  posix.posix_spawn("/bin/true", ["true"], {}) > 1, bool(sys.modules["posix"].environ)]
result = told
"""
"""The same modules where nothing is taken away, at `none`."""

SECRETS = (
    HANDS
    + """
gc = modules.get("gc") or import_("gc")
sys = modules["sys"]
needle = "-".join(params["needle"])
planted = {"kept": "-".join(["planted", "by", "the", "spell"])}
kinds = (dict, list, tuple, set, str, bytes)
everything = [item for item in gc.get_objects() if isinstance(item, kinds)]
for item in list(everything):
    everything += [one for one in gc.get_referents(item) if isinstance(one, (str, bytes))]
texts = [one if isinstance(one, str) else one.decode("latin-1") for one in everything
  if isinstance(one, (str, bytes))]
environ = {k.decode(): v.decode() for k, v in posix.environ.items()}
texts += [str(environ), str(sys.argv), str(getattr(sys, "orig_argv", []))]
found = sum(needle in text for text in texts if text is not needle)
own = sum("planted-by-the-spell" in text for text in texts)
referrers = gc.get_referrers(planted)
result = [found, own > 0, len(referrers) > 0, sorted(environ)]
"""
)
LATE = (
    HANDS
    + """
written = []
for fd in (1, 2):
    try:
        posix.write(fd, b"to the terminal")
        written.append(fd)
    except OSError:
        pass
sys = modules["sys"]
attempt("atexit", lambda: import_("atexit").register(lambda: print("late")))
attempt("thread", lambda: import_("_thread").start_new_thread(lambda: print("thread"), ()))
attempt("signal", lambda: import_("_signal").signal(15, lambda *words: print("signal")))
attempt("faulthandler", lambda: import_("faulthandler").dump_traceback_later(0.01, repeat=True))
attempt("trace", lambda: sys.settrace(lambda *words: None))
attempt("profile", lambda: sys.setprofile(lambda *words: None))
attempt("hook", lambda: sys.addaudithook(lambda *words: None))
attempt("excepthook", lambda: setattr(sys, "excepthook", print))
kept, sys.stdout, sys.stderr = sys.stdout, None, None
print("lost")
sys.stdout = kept
print("still framed")
class Late:
    def __del__(self):
        print("deleted late")
late = Late()
late.me = late
result = "honest"
"""
)
FRAMES = """
import ctypes
text = b'{"type":"done","value":"by hand"}'
frame = len(text).to_bytes(4, 'little') + text
libc = ctypes.CDLL(None)
both = frame + %r
libc.write(3, both, len(both))
"""
PICKLED = (
    b"\x80\x04\x95\x1b\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94\x8c\x06system\x94\x93\x94."
)
REDUCED = """
class Evil:
    def __reduce__(self):
        return (print, ("unpickled",))
result = Evil()
"""
BYTES = "import base64\nresult = base64.b64decode('gASVGwAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOULg==')"

TYPED = [
    Case("RS_23_int_of_text", "int('9' * 5_000_000)", "int('9' * 50)"),
    Case("RS_23_width", "'%1000000000d' % 1", "'%10d' % 1"),
    Case("RS_23_ljust", "'x'.ljust(10 ** 10)", "'x'.ljust(10)"),
    Case("RS_21_recursion", "def f(): f()\nf()", "def f(n): return n and f(n - 1)\nf(50)"),
    Case("RS_21_source", "eval('(' * 100_000)", "eval('((((1))))')"),
    Case("RS_21_attributes", "eval('x' + '.x' * 150_000)", "eval('len' + '.__doc__' * 3)"),
    Case(
        "RS_21_raised_limit",
        "import sys\nsys.setrecursionlimit(10**6)\ndef f(): f()\nf()",
        "import sys\nsys.getrecursionlimit()",
    ),
    Case("IP_27_cycle", "a = []\na.append(a)\nresult = a", "a = []\na.append([])"),
    Case("IP_27_depth", "a = []\nfor _ in range(100_000): a = [a]\nresult = a", "a = [[[[]]]]"),
    Case("IP_27_object", "result = object()", "result = [1]"),
    Case("IP_06_nan", "result = float('nan')", "result = 0.5"),
    Case("IP_06_big", "result = 2 ** 64", "result = 2 ** 53"),
    Case("IP_06_surrogate", "result = '\\ud800'", "result = '\\u00e9'"),
    Case("PY_09_exit", "raise SystemExit(3)", "import sys"),
    Case("PY_12_interrupt", "raise KeyboardInterrupt", "Exception()"),
    Case("PY_12_generator_exit", "raise GeneratorExit", "Exception()"),
    Case(
        "PY_12_message",
        "try:\n    raise ValueError('x' * 10_000_000)\nfinally:\n    pass",
        "ValueError('x' * 10)",
    ),
]
HANGING = [
    Case("PY_12_except", "while True:\n try:\n  while True: pass\n except BaseException: pass"),
    Case("PY_12_finally", "try:\n    1/0\nfinally:\n    while True: pass"),
    Case(
        "PY_12_told_error",
        "class E(Exception):\n    def __str__(self):\n        while True: pass\nraise E()",
    ),
    Case(
        "PY_12_iterator",
        "class L(list):\n    def __iter__(self):\n        while True: pass\nresult = L([1])",
    ),
    Case("RS_23_power", "10 ** 10 ** 8"),
]
TWINS = """
result = {}
for name, code in params["twins"].items():
    exec(code, {})
    result[name] = True
"""
WALL = 0.3
LIMITS = {"wall": 9, "memory": "256MiB"}


def typed_at(start: str) -> list[Case]:
    """Python's own where a worker takes long to start; a forked one is there at once."""
    return TYPED if start == FORK else [case for case in TYPED if case.name.startswith("PY")]


def runs(profile: str, start: str) -> list[dict[str, Any]]:
    """Everything that Python attacks with."""
    twins = {case.name: case.twin for case in typed_at(start)}
    found: list[dict[str, Any]] = [
        {"name": "ways in", "source": WAYS_IN, "params": {"supervisor": 1}},
        {"name": "secrets", "source": SECRETS, "params": {"needle": list(CANARY)}},
        {"name": "late", "source": LATE},
        {"name": "reduced", "source": REDUCED},
        {"name": "bytes", "source": BYTES},
        {"name": "twins", "source": TWINS, "params": {"twins": twins}},
        *({"name": case.name, "source": case.attack} for case in typed_at(start)),
    ]
    if profile == "medium" and start == EXEC:
        for name, more in (("frames", b""), ("pickle", PICKLED), ("junk", b"\xff" * 64)):
            source = FRAMES % more + ("" if more else "libc._exit(0)")
            found.append({"name": name, "source": source, "grants": ["module:ctypes"]})
    if (profile, start) in ONE_WAY_EACH:
        mark = {"reach": "begun", "limits": {**LIMITS, "wall": WALL}}
        found += [
            {"name": c.name, "source": f"print('begun')\n{c.attack}", **mark} for c in HANGING
        ]
        found.append({"name": "twin", "source": "print('begun')\nresult = 7", **mark})
    return [{"language": "python", "limits": LIMITS, **run} for run in found]


@pytest.mark.parametrize(("profile", "start"), [way for way in WAYS if way[0] != "low"])
def test_PY_01_PY_02_PY_03_PY_04_PY_13_the_true_modules_reach_nothing(
    batches: Batches, control: Control, profile: str, start: str
) -> None:
    whole = {"name": "whole", "language": "python", "profile": "none", "source": WHOLE}
    everything = batches.results([whole], EXEC)["whole"]["value"]
    told = batches.at(runs, profile, start)["ways in"]
    works, reached = told["value"]
    # Each way leads to the true modules, and where nothing is taken away they act.
    control(everything == [True, True, None, 0, True, True, True, True])
    control(all(reached.values()) and works.pop("control importer", "importer"))
    assert works == {}, works


@pytest.mark.parametrize(("profile", "start"), WAYS)
def test_PY_08_no_secret_of_the_supervisor_is_in_the_worker(
    batches: Batches, control: Control, profile: str, start: str
) -> None:
    found, own, referrers, environ = batches.at(runs, profile, start)["secrets"]["value"]
    control(own is True and referrers is True)
    assert found == 0
    assert not set(environ) - {"LC_ALL", "LC_CTYPE", "PYTHONHASHSEED"}, environ


@pytest.mark.parametrize(("profile", "start"), WAYS)
def test_PY_09_PY_11_nothing_outlives_or_forges_the_end(
    batches: Batches, control: Control, profile: str, start: str
) -> None:
    result = batches.at(runs, profile, start)["late"]
    # What it prints in the way there is arrives; what it set up for later says nothing any more.
    lines = result["output"].splitlines()
    control("still framed" in lines)
    # A thread that starts at once may speak while the spell does.
    assert set(lines) <= {"still framed", "thread"}, lines
    assert (result["status"], result["value"]) == ("done", "honest"), result
    assert result["usage"]["wall"] < 3


@pytest.mark.profile("medium")
def test_PY_07_PY_11_a_forged_end_has_no_more_rights_than_the_spell(
    batches: Batches, control: Control
) -> None:
    """Written to the channel itself it is the spell's own word; what follows does not count."""
    told = batches.at(runs, "medium", EXEC)
    control(told["frames"]["value"] == "by hand")
    for name in ("pickle", "junk"):
        result = told[name]
        assert (result["status"], result["reason"]) == ("violation", "protocol"), result
        assert (result["error"]["code"], result["exit"], result["value"]) == (4006, 1, None)


@pytest.mark.parametrize(("profile", "start"), WAYS)
def test_PY_07_only_plain_values_leave(
    batches: Batches, control: Control, profile: str, start: str
) -> None:
    told = batches.at(runs, profile, start)
    # The bytes of a pickle are bytes like any others: handed over, and never loaded.
    control(told["bytes"]["status"] == "done" and "$bytes" in str(told["bytes"]["value"]))
    refused = told["reduced"]
    assert (refused["status"], refused["error"]["code"]) == ("spell_error", 2002), refused
    assert "unpickled" not in refused["output"]


@pytest.mark.parametrize(
    ("case", "profile", "start"),
    [
        pytest.param(case, profile, start, id=f"{case.name}-{profile}-{start}")
        for profile, start in WAYS
        for case in typed_at(start)
    ],
)
def test_ends_typed(
    batches: Batches, control: Control, case: Case, profile: str, start: str
) -> None:
    told = batches.at(runs, profile, start)
    control(told["twins"]["value"][case.name] is True)
    result = told[case.name]
    assert result["exit"] in (1, 4) and result["status"] in ("spell_error", "limit"), result
    assert result["reason"] != "wall" and result["error"]["code"] >= 1000
    assert len(result["error"]["message"]) <= 4096


@pytest.mark.parametrize(
    ("case", "profile", "start"),
    [
        pytest.param(case, profile, start, id=f"{case.name}-{profile}-{start}")
        for profile, start in ONE_WAY_EACH
        for case in HANGING
        if profile != "low" or case.name.startswith("PY")
    ],
)
def test_ends_at_the_wall(
    batches: Batches, control: Control, case: Case, profile: str, start: str
) -> None:
    told = batches.at(runs, profile, start)
    result = told[case.name]
    control(told["twin"]["value"] == 7 and result["output"].startswith("begun\n"))
    assert (result["status"], result["reason"], result["exit"]) == ("limit", "wall", 4), result
    assert (result["error"]["code"], result["error"]["rule"]) == (4004, "limit.wall")
    assert result["limits"]["wall"] <= result["usage"]["wall"] < result["limits"]["wall"] + 3
