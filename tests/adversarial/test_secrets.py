"""SL: what a worker starts with, what it may read of the supervisor, and what it leaves behind."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path
from typing import Any

import pytest

import llmspell
from tests.adversarial.batches import EXEC, WAYS, Batches
from tests.adversarial.proof import Control
from tests.e2e.program import Program, descendants

RUNS_CODE = {
    "LD_LIBRARY_PATH": "/nowhere", "LD_AUDIT": "/nowhere.so", "DYLD_INSERT_LIBRARIES": "/nowhere",
    "PYTHONSTARTUP": "/nowhere", "PYTHONINSPECT": "", "NODE_OPTIONS": "x", "BASH_ENV": "/nowhere",
    "BASH_FUNC_x%%": "() { :; }", "PERL5OPT": "x", "RUBYOPT": "x", "JAVA_TOOL_OPTIONS": "x",
    "DOTNET_STARTUP_HOOKS": "x", "LUA_INIT": "os.exit(9)", "LUA_PATH": "/nowhere/?.lua",
    "SECRET_TOKEN": "marker-of-secret",
}  # fmt: skip
PROFILES = ["low", "medium", "high"]
SHOWS = """return {tostring(os.getenv('SECRET_TOKEN')), tostring(os.getenv('HOME')),
  tostring(os.getenv('LD_LIBRARY_PATH'))}"""


@pytest.fixture
def start(both_starts: str) -> str:
    return both_starts


@pytest.mark.parametrize("profile", PROFILES)
def test_SL_01_SL_03_SL_04_a_worker_starts_with_nothing(
    program: Program, control: Control, profile: str
) -> None:
    program.write("w.lua", f"print(JSON.encode({SHOWS[7:]})) Async.sleep(60000)")
    running = program.start(
        "run", "--profile", profile, "--param", "key=marker-of-secret", "w.lua",
        env=RUNS_CODE, stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert running.stdout is not None
        shown = running.stdout.readline()
        assert json.loads(shown) == ["nil"] * 3, shown
        tree = descendants(running.pid)
        own = Path(f"/proc/{running.pid}")
        # The supervisor itself has all of it: in its environment and in its words.
        control(all(name.encode() in (own / "environ").read_bytes() for name in RUNS_CODE))
        control(b"marker-of-secret" in (own / "cmdline").read_bytes() and tree)
        for pid in tree:
            words = Path(f"/proc/{pid}/cmdline").read_bytes()
            assert b"marker-of-secret" not in words and b"w.lua" not in words, words
            try:
                environ = Path(f"/proc/{pid}/environ").read_bytes()
            except PermissionError:
                continue  # undumpable: closed to its own user as well
            for name in RUNS_CODE:
                assert name.encode() not in environ, environ
    finally:
        running.terminate()
        running.communicate()
    granted = program.result(
        SHOWS, ".lua", "--profile", profile, "--allow-env", "SECRET_TOKEN", env=RUNS_CODE
    )
    control(granted["value"][0] == "marker-of-secret", "SL-01")
    assert "/nowhere" not in str(granted["value"])


HANDS = """
for kind in ().__class__.__base__.__subclasses__():
    names = getattr(getattr(kind, "__init__", None), "__globals__", None)
    if names and "sys" in names and hasattr(names["sys"], "modules"):
        modules = names["sys"].modules
        break
posix = modules.get("posix") or modules["os"]
"""
LOOKS = """
import posix
told = {}
for name in ("environ", "cmdline", "maps", "mem", "fd", "root", "cwd", "stat"):
    for pid in [*params["pids"], "self"]:
        try:
            path = f"/proc/{pid}/{name}"
            if name in ("fd", "root", "cwd"):
                told[path] = str(posix.listdir(path))[:40]
            else:
                told[path] = str(posix.read(posix.open(path, 0), 40))
        except OSError:
            pass
result = told
"""


@pytest.mark.parametrize("profile", PROFILES)
def test_SL_02_the_supervisor_can_not_be_read(
    batches: Batches, control: Control, profile: str
) -> None:
    """By the true modules of Python, on this process's own parent and on the machine's first."""
    looks = {"language": "python", "params": {"pids": [os.getpid(), 1]}}
    confined = {**looks, "name": "looks", "profile": profile}
    source = HANDS + LOOKS.replace("import posix\n", "")
    told = batches.results([{**confined, "source": source}], EXEC)["looks"]
    free = {**looks, "name": "looks", "profile": "none", "source": LOOKS}
    seen = batches.results([free], EXEC)["looks"]["value"]
    control(f"/proc/{os.getpid()}/environ" in seen and f"/proc/{os.getpid()}/cmdline" in seen)
    assert told["status"] == "done" and told["value"] == {}, told


BESIDE = Path(llmspell.__file__).resolve().parents[1] / "pyproject.toml"


@pytest.mark.skipif(not BESIDE.is_file(), reason="the package lies among other packages")
@pytest.mark.parametrize("profile", PROFILES)
def test_SL_63_what_lies_beside_the_package_is_not_the_interpreters(
    batches: Batches, control: Control, profile: str
) -> None:
    """A checkout, or a home on PYTHONPATH, holds more than the package: keys, the next spell."""
    asks = {"language": "python", "params": {"path": str(BESIDE)}}
    reads = 'result = posix.open(params["path"], 0) > 2'
    free = {**asks, "name": "beside", "profile": "none", "source": f"import posix\n{reads}"}
    control(batches.results([free], EXEC)["beside"]["value"] is True)
    held = {**asks, "name": "beside", "profile": profile, "source": HANDS + reads}
    told = batches.results([held], EXEC)["beside"]
    assert (told["status"], told["value"]) == ("spell_error", None), told
    kinds = ("PermissionError", "FileNotFoundError", "OSError")
    assert any(kind in told["error"]["message"] for kind in kinds), told


READS_NEVER = """
local told = {}
local ok, e = pcall(fs.read, "/etc/shadow")
told[1] = ok or e.rule
told[2] = (pcall(fs.write, "/etc/made-by-a-spell", "x"))
told[3] = Stdin and Stdin.read() or stdin.read()
return told
"""


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("terminal", [False, True])
def test_SL_09_what_is_typed_before_is_never_taken_for_consent(
    program: Program, control: Control, terminal: bool, profile: str
) -> None:
    """There is no prompt: a verdict comes from the policy alone, and input goes to the spell."""
    program.write("asks.lua", READS_NEVER)
    words = ["run", "--output", "json", "--audit", "a.jsonl", "--profile", profile, "asks.lua"]
    if terminal:
        ours, theirs = pty.openpty()
        os.write(ours, b"y\nyes\nA\n")
        running = program.start(*words, stdin=theirs, stdout=subprocess.PIPE)
        os.close(theirs)
        out, _ = running.communicate(timeout=60)
        os.close(ours)
    else:
        running = program.start(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        out, _ = running.communicate(b"y\nyes\nA\n", timeout=60)
    told = json.loads(out)["value"]
    # All of it is still there for the spell, which reads it through its own broker.
    control(told[2].startswith("y\n"))
    assert told[:2] == [f"{profile}.files.read", False], told
    record = (program.folder / "a.jsonl").read_text()
    assert record.count('"allowed":false') == 2 and "/etc/shadow" in record
    assert not Path("/etc/made-by-a-spell").exists()


LEAVES = {
    "lua": """left = 1 string.left = 1 math.randomseed(1) fs.write("scratch:left", "x")
    local ok = pcall(fs.write, "/tmp/left", "x")
    return {left, fs.exists("scratch:left"), ok}""",
    "javascript": """globalThis.left = 1; Array.prototype.left = 1; Math.random = () => 4;
    await fs.write("scratch:left", "x");
    return [left, await fs.exists("scratch:left"), false];""",
    "python": """
import json, math, random
math.left = 1
json.dumps = random.random = lambda *words: 4
random.seed(1)
await fs.write("scratch:left", "x")
result = [math.left, await fs.exists("scratch:left"), False]
""",
}
FINDS = {
    "lua": "return {left == nil, string.left == nil, fs.exists('scratch:left'), math.random()}",
    "javascript": """return [typeof left === "undefined", [].left === undefined,
    await fs.exists("scratch:left"), Math.random()];""",
    "python": """
import json, math, random
result = [not hasattr(math, "left"), json.dumps(5) == "5", await fs.exists("scratch:left"),
  random.random()]
""",
}


def reuse(profile: str, start: str) -> list[dict[str, Any]]:
    """One spell after another: what the first leaves, the next two look for."""
    return [
        {"name": f"{what}-{language}", "language": language, "source": sources[language]}
        for what, sources in (("leaves", LEAVES), ("finds", FINDS), ("finds2", FINDS))
        for language in LEAVES
    ]


@pytest.mark.parametrize(("profile", "start"), WAYS)
def test_SL_18_nothing_of_one_spell_is_there_for_the_next(
    batches: Batches, control: Control, profile: str, start: str
) -> None:
    told = batches.at(reuse, profile, start)
    for language in LEAVES:
        control(told[f"leaves-{language}"]["value"][:2] == [1, True])
        first, second = (told[f"{name}-{language}"]["value"] for name in ("finds", "finds2"))
        for found in (first, second):
            assert found[:3] == [True, True, False], (language, found)
        assert first[3] != second[3], "random numbers are drawn anew"
