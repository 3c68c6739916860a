"""Ctrl-C, a killed supervisor, two runs at once: nothing is torn, nothing is left."""

from __future__ import annotations

import os
import signal
import subprocess
import time

import pytest

from tests.e2e.program import LANGUAGES, SUFFIXES, Orphanage, Program, all_gone, descendants

FOREVER = {
    "lua": "print('up') while true do end",
    "javascript": "console.log('up'); while (true) {}",
    "python": "print('up')\nwhile True:\n    pass",
}


def started(program: Program, language: str, profile: str) -> subprocess.Popen[bytes]:
    name = f"forever{SUFFIXES[language]}"
    program.write(name, FOREVER[language])
    process = program.start(
        "run", "--profile", profile, name, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.read(3) == b"up\n"
    return process


@pytest.mark.alone
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("profile", ["none", "medium", "high"])
def test_a_signal_ends_the_tree_at_once(
    program: Program, profile: str, number: signal.Signals
) -> None:
    language = "python" if profile == "none" else "lua"
    before = program.litter()
    with Orphanage() as orphans:
        process = started(program, language, profile)
        tree = descendants(process.pid)
        assert tree
        begun = time.monotonic()
        process.send_signal(number)
        _, err = process.communicate(timeout=10)
        assert time.monotonic() - begun < 0.5
        assert process.returncode == 130, err
        assert b"Traceback" not in err and len(err.splitlines()) <= 2
        assert all_gone(tree, 0.05)
        assert not orphans.left()
    assert program.litter() == before


@pytest.mark.parametrize("profile", ["none", "low", "medium", "high"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_PR_21_a_killed_supervisor_leaves_nothing(
    program: Program, language: str, profile: str
) -> None:
    before = program.litter()
    with Orphanage() as orphans:
        process = started(program, language, profile)
        tree = descendants(process.pid)
        assert tree
        process.kill()
        process.communicate(timeout=10)
        assert all_gone(tree, 0.5)
        assert not orphans.left()
    assert program.litter() == before


def test_PR_21_a_killed_run_has_an_incomplete_record(program: Program) -> None:
    program.write("forever.lua", FOREVER["lua"])
    process = program.start(
        "run", "--profile", "high", "--audit", "audit.jsonl", "forever.lua", stdout=subprocess.PIPE
    )
    assert process.stdout is not None and process.stdout.read(3) == b"up\n"
    process.kill()
    process.communicate(timeout=10)
    ended = program("audit", "verify", "audit.jsonl")
    assert ended.code == 7 and "incomplete" in ended.err


def test_PR_29_two_runs_at_once_share_a_workspace(program: Program) -> None:
    program.write(
        "shared.lua",
        """
        for i = 1, 40 do
          fs.write("workspace:shared.txt", (params.who):rep(2000))
          local seen = fs.read("workspace:shared.txt")
          assert(#seen == 2000 and (seen == ("a"):rep(2000) or seen == ("b"):rep(2000)), #seen)
          fs.append("workspace:" .. params.who .. ".log", i .. "\\n")
        end
        return #fs.read("workspace:" .. params.who .. ".log")
        """,
    )
    running = [
        program.start(
            "run",
            "--param",
            f"who={who}",
            "shared.lua",
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for who in "ab"
    ]
    for process in running:
        out, err = process.communicate(timeout=60)
        assert (process.returncode, out) == (0, b"111\n"), err


def test_SL_18_the_next_run_finds_nothing_of_the_one_before(program: Program) -> None:
    source = """
    local old = fs.exists("scratch:left.txt")
    fs.write("scratch:left.txt", "x")
    local stored = Storage.get("left")
    Storage.set("left", 1)
    local global = left
    left = 1
    return {old, stored or "nothing", global or "nothing"}
    """
    for _ in range(2):
        result = program.result(source, ".lua", "--profile", "high")
        assert result["value"] == [False, "nothing", "nothing"], result


def test_a_pipe_that_closes_ends_the_run(program: Program) -> None:
    program.write("flood.lua", "while true do print(('x'):rep(1000)) end")
    process = program.start(
        "run",
        "--profile",
        "none",
        "--limit",
        "wall=20s",
        "flood.lua",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.read(10)
    tree = descendants(process.pid)
    process.stdout.close()
    try:
        process.wait(5)
        assert all_gone(tree, 0.5)
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        assert b"Traceback" not in process.stderr.read()
        process.stderr.close()
    assert os.WIFEXITED(process.returncode) or process.returncode
