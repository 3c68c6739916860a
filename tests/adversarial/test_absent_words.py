"""EN: what is absent, empty, broken or merely truthy in what a person or program says."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import llmspell
from llmspell.platform.linux import seccomp
from llmspell.policies.paths import FileRules
from tests.adversarial.claims import PROFILES, claim
from tests.adversarial.proof import Control, Row, contradictions
from tests.e2e.program import Program
from tests.e2e.test_mistakes import is_usage_error

CONFINED = ("low", "medium", "high")
FILLS = "local text = string.rep('x', 65536) for i = 1, params.n do print(text) end return 'all'"
OUTPUT_MIB = {"low": 16, "medium": 4, "high": 1}
"""The output of a profile, where nobody says another."""


@pytest.mark.parametrize("profile", CONFINED)
def test_EN_06_a_limit_that_is_no_number_is_no_limit_at_all(
    program: Program, profile: str, control: Control
) -> None:
    program.write("touch.lua", "print('ran')")
    for wrong in ("nan", "-1", "", "None", "inf"):
        is_usage_error(
            program("run", "--profile", profile, "--limit", f"calls={wrong}", "touch.lua")
        )
    calls = "return fs.exists('scratch:x')"
    zero = program.result(calls, ".lua", "--profile", profile, "--limit", "calls=0")
    assert (zero["status"], zero["error"]["rule"]) == ("limit", "limit.calls")
    control(program.result(calls, ".lua", "--profile", profile, "--limit", "calls=1")["exit"] == 0)
    n = f"n={OUTPUT_MIB[profile] * 16 + 1}"
    said = ("--profile", profile, "--param", n)
    absent = program.result(FILLS, ".lua", *said)
    assert (absent["status"], absent["reason"]) == ("limit", "output")
    loose = program.result(FILLS, ".lua", *said, "--limit", "output=unlimited")
    control(loose["value"] == "all")


@pytest.mark.parametrize("profile", CONFINED)
def test_EN_07_an_empty_list_and_an_absent_one_both_deny(
    program: Program, profile: str, control: Control
) -> None:
    outside = program.folder.parent / "outside.txt"
    outside.write_text("found")
    read = f"return fs.read({str(outside)!r})"
    says = {
        "empty": "[files]\nread = []\n",
        "absent": "",
        "listed": f"[files]\nread = [{str(outside)!r}]\n",
    }
    found = {}
    for name, text in says.items():
        program.write("p.toml", f'extends = "{profile}"\n{text}').chmod(0o600)
        found[name] = program.result(read, ".lua", "--policy", "p.toml")
    control(found["listed"]["value"] == "found")
    for name in ("empty", "absent"):
        assert (found[name]["status"], found[name]["error"]["code"]) == ("denied", 4008)
        assert found[name]["error"]["rule"].endswith("files.read")
        assert found[name]["value"] is None and found[name]["denials"]


@pytest.mark.parametrize("profile", CONFINED)
@pytest.mark.parametrize("answer", [1, "yes", [0], None, object()], ids=lambda one: str(type(one)))
def test_EN_08_a_verdict_that_is_merely_truthy_denies(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, profile: str, answer: Any, control: Control
) -> None:
    """Every verdict of the run's rules carries this in the place of True."""
    (tmp_path / "in.txt").write_text("found")

    def run() -> llmspell.Result:
        spell = llmspell.Spell.from_source("return fs.read('in.txt')", language="lua")
        return llmspell.run(spell, profile=profile, grants=["read:in.txt"])

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    control(run().value == "found")

    judge = FileRules.judge

    def judged(rules: FileRules, *given: Any, **named: Any) -> Any:
        made = judge(rules, *given, **named)
        return made._replace(allowed=answer) if made.allowed is True else made

    monkeypatch.setattr(FileRules, "judge", judged)
    refused = run()
    assert refused.value is None and refused.status.value == "denied", refused


ASKS = "fs.write('/etc/llmspell-was-here', 'x')"


def answers(program: Program, stdin: str, *words: str) -> tuple[int, bytes, bytes]:
    """A command whose standard input is closed, empty, a terminal, or says yes."""
    ours = -1
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    if stdin == "closed":
        wrapper = ("/bin/sh", "-c", 'exec "$@" <&-', "sh")
        running = program.start(*words, wrapper=wrapper, **options)
    elif stdin == "terminal":
        ours, theirs = pty.openpty()
        os.write(ours, b"y\nyes\nA\n")
        running = program.start(*words, **{**options, "stdin": theirs})
        os.close(theirs)
    else:
        running = program.start(*words, **{**options, "stdin": subprocess.PIPE})
    out, err = running.communicate(b"y\nyes\n" * 100 if stdin == "yes" else None, timeout=60)
    if ours >= 0:
        os.close(ours)
    return running.returncode, out, err


@pytest.mark.parametrize("profile", CONFINED)
def test_EN_09_nobody_is_asked_so_no_silence_is_consent(
    program: Program, profile: str, control: Control
) -> None:
    """There is no prompt: what was not granted is denied, whoever is or is not there to answer."""
    program.write("asks.lua", ASKS)
    for stdin in ("closed", "empty", "yes", "terminal"):
        code, out, err = answers(program, stdin, "run", "--profile", profile, "asks.lua")
        assert (code, out) == (3, b""), (stdin, err)
        assert b"denied write" in err and b"to allow it" in err and b"?" not in err
    assert not os.path.exists("/etc/llmspell-was-here")
    allowed = ASKS.replace("/etc/llmspell-was-here", str(program.folder / "made.txt"))
    granted = program.run(allowed, ".lua", "--profile", profile, "--allow-write", ".")
    control(granted.code == 0 and (program.folder / "made.txt").exists())


def make_fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


BROKEN: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_text(""),
    "half-written": lambda path: path.write_text('extends = "high"\n[files\n'),
    "unknown key": lambda path: path.write_text('extends = "high"\n[files]\nraed = ["a"]\n'),
    "wrong type": lambda path: path.write_text('extends = "high"\n[files]\nread = 3\n'),
    "no text": lambda path: path.write_bytes(b"\xff\xfe\0"),
    "world-writable": lambda path: path.chmod(0o666),
    "a fifo": make_fifo,
    "absent": lambda path: path.unlink(),
}


@pytest.mark.parametrize("profile", CONFINED)
def test_EN_11_a_policy_that_can_not_be_trusted_starts_nothing(
    program: Program, profile: str, control: Control
) -> None:
    policy = program.folder / "p.toml"
    program.write("s.lua", "print('ran')")
    words = ("run", "--policy", "p.toml", "s.lua")
    for spoil in (None, *BROKEN.values()):
        policy.unlink(missing_ok=True)
        policy.write_text(f'extends = "{profile}"\n')
        policy.chmod(0o600)
        if spoil is None:
            control(program(*words).out == "ran\n")
            continue
        spoil(policy)
        is_usage_error(program(*words), "p.toml")


@pytest.mark.parametrize("profile", CONFINED)
def test_EN_12_a_filter_of_another_machine_runs_no_spell(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, profile: str, control: Control
) -> None:
    """Every call of such a program is a foreign entry: the worker ends before it is one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    spell = llmspell.Spell.from_source("print('ran') return 1", language="lua")
    control(llmspell.run(spell, profile=profile).value == 1)
    other = next(name for name in seccomp.ARCHITECTURES if name != os.uname().machine)
    real = seccomp.program
    monkeypatch.setattr(seccomp, "program", lambda level, kind, _=None: real(level, kind, other))
    result = llmspell.run(spell, profile=profile)
    assert (result.value, result.output) == (None, ""), result
    assert (result.status.value, result.usage.calls) == ("violation", 0), result


TIGHTENS = """
local before = Tools.execute("calculator", {expression = "1 + 1"}).result
local loose = {}
for option, value in pairs({
  level = "none", allow_degraded = true, sandbox_enabled = false,
}) do
  local done, refusal = pcall(Config.configure_security, {[option] = value})
  loose[#loose + 1] = {option, done, refusal.code}
end
local open = pcall(fs.read, "/etc/hostname")
Config.configure_security({denied_tools = {"calculator"}})
local done, refusal = pcall(Tools.execute, "calculator", {expression = "1 + 1"})
local again = pcall(Config.configure_security, {allowed_tools = {"calculator"}})
local still = pcall(Tools.execute, "calculator", {expression = "1 + 1"})
return {before, loose, open, done, refusal.rule, still}
"""


@pytest.mark.parametrize("profile", CONFINED)
def test_EN_13_a_run_tightens_at_once_and_never_loosens(
    program: Program, profile: str, control: Control
) -> None:
    result = program.result(TIGHTENS, ".lua", "--profile", profile, "--audit", "a.jsonl")
    assert result["exit"] == 0, result
    before, loose, opened, done, rule, still = result["value"]
    control(before == 2)
    assert {tuple(one[:2]) for one in loose} == {
        (name, False) for name in ("level", "allow_degraded", "sandbox_enabled")
    }
    assert all(one[2] == 4008 for one in loose), loose
    assert (opened, done, rule, still) == (False, False, "config.tools.denied", False)
    record = (program.folder / "a.jsonl").read_text()
    assert '"config.tools.denied"' in record


WAITS = """
print("up")
while not fs.exists("spell:go.txt") do Async.sleep(20) end
print(pcall(fs.read, params.outside) and "read" or "denied")
"""


@pytest.mark.parametrize("profile", CONFINED)
def test_EN_13_a_policy_that_is_rewritten_during_a_run_changes_nothing_in_it(
    program: Program, profile: str, control: Control
) -> None:
    outside = program.folder.parent / "outside.txt"
    outside.write_text("x")
    text = f'extends = "{profile}"\n[files]\nread = [{str(program.folder)!r}]\n'
    policy = program.write("p.toml", text)
    policy.chmod(0o600)
    program.write("w.lua", WAITS)
    words = ("run", "--policy", "p.toml", "--param", f"outside={outside}", "w.lua")
    running = program.start(*words, stdout=subprocess.PIPE)
    assert running.stdout is not None and running.stdout.readline() == b"up\n"
    policy.write_text(f'extends = "{profile}"\n[files]\nread = ["/"]\n')
    program.write("go.txt", "")
    out, _ = running.communicate(timeout=60)
    assert out == b"denied\n"
    # The next run is under the new text.
    control(program(*words).out == "up\nread\n")


HOOK = """
import os, sys
def watch(event, given):
    if event in STARTS:
        frame, homes = sys._getframe(1), []
        while frame is not None:
            homes.append(frame.f_code.co_filename)
            frame = frame.f_back
        with open(os.environ["KX_TRAIL"], "a") as trail:
            inside = [home for home in homes if "/llmspell/" in home and "/tests/" not in home]
            trail.write(event + " " + (inside or homes)[0] + chr(10))
STARTS = {
    "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system",
    "subprocess.Popen", "pty.spawn",
}
sys.addaudithook(watch)
"""


@pytest.mark.parametrize("profile", PROFILES)
def test_EN_14_every_process_is_started_by_the_one_function(
    program: Program, profile: str, control: Control
) -> None:
    """Seen by an audit hook of the interpreter, over the commands that start anything."""
    trail = program.folder / "trail.txt"
    hooks = program.folder / "hooks"
    program.write("hooks/sitecustomize.py", HOOK)
    path = os.pathsep.join([str(hooks), program.place.environ["PYTHONPATH"]])
    env = {"PYTHONPATH": path, "KX_TRAIL": str(trail)}
    program.write("s.lua", "return JSON.encode(Tools.execute('calculator', {expression='1'}))")
    for words in (
        ("run", "--profile", profile, "s.lua"),
        ("run", "--profile", profile, "--log-level", "debug", "s.lua"),
        ("tool", "invoke", "calculator", '{"expression": "2"}'),
        ("doctor",),
    ):
        assert program(*words, env=env).code == 0, words
    starts = {tuple(line.split(" ", 1)) for line in trail.read_text().splitlines()}
    control(len(trail.read_text().splitlines()) >= 4)
    assert {event for event, _ in starts} == {"os.posix_spawn"}
    assert {home.rpartition("/llmspell/")[2] for _, home in starts} == {"platform/linux/process.py"}


@pytest.mark.profile(*PROFILES)
def test_EN_16_a_claim_without_a_test_and_a_test_without_a_claim_are_seen(
    control: Control,
) -> None:
    held = Row("KX-01", "high", "root", True, True)
    control(contradictions([held], whole=False) == [])
    assert contradictions([held._replace(profile="none")], whole=False)
    assert contradictions([held._replace(control_ok=False)], whole=False)
    assert contradictions([held._replace(held=False)], whole=False)
    assert any("KX-02" in said for said in contradictions([held], whole=True))
    with pytest.raises(ValueError, match="each of"):
        claim("KX-99", {"attack": "a", "observed": "b", "held": ["high"], "by": "c"})
