"""Whatever a spell does, it ends at its limit, says which, and leaves nothing.

`Program` itself looks for processes and temporary files after every command.
"""

from __future__ import annotations

import pytest

from tests.e2e import spells
from tests.e2e.program import LANGUAGES, PROFILES, SUFFIXES, Program

WALL = 0.5
SLACK = 0.1


def ends_at_wall(program: Program, source: str, language: str, profile: str) -> None:
    flags = ("--profile", profile, "--limit", f"wall={WALL}s")
    for last in (False, True):
        result = program.result(source, SUFFIXES[language], *flags)
        assert (result["exit"], result["status"], result["reason"]) == (4, "limit", "wall"), result
        assert result["usage"]["wall"] >= WALL
        # A machine that does other work now and then gives no turn in time: one more chance.
        if result["usage"]["wall"] <= WALL + SLACK or last:
            break
    assert result["usage"]["wall"] <= WALL + SLACK
    assert "wall" in result["error"]["message"] and "--limit wall=" in result["error"]["hint"]
    assert [item["kind"] for item in result["violations"]] == ["ExecutionTimeExceeded"]


@pytest.fixture
def start(both_starts: str) -> str:
    return both_starts


@pytest.mark.parametrize("profile", ["medium", "high"])
@pytest.mark.parametrize(("language", "what"), spells.LOOPS)
def test_RS_11_RS_13_RS_14_LU_06_LU_07_JS_01_PY_12_ends_at_the_wall(
    program: Program, language: str, what: str, profile: str
) -> None:
    ends_at_wall(program, spells.LOOPS[language, what], language, profile)


@pytest.mark.parametrize("profile", ["none", "low"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_RS_14_a_caught_loop_ends_at_the_wall_at_the_lower_profiles(
    program: Program, language: str, profile: str
) -> None:
    ends_at_wall(program, spells.LOOPS[language, "caught"], language, profile)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_RS_06_an_output_flood_is_cut_at_its_limit(
    program: Program, language: str, profile: str
) -> None:
    flags = ("--profile", profile, "--limit", "output=100KiB", "--limit", "wall=20s")
    result = program.result(spells.FLOODS[language], SUFFIXES[language], *flags)
    assert (result["exit"], result["status"], result["reason"]) == (4, "limit", "output"), result
    assert "output" in result["error"]["message"]
    assert result["output"].endswith("[output cut here by its limit]\n")
    assert 100 * 1024 <= len(result["output"]) < 101 * 1024


@pytest.mark.parametrize("language", LANGUAGES)
def test_RS_06_a_flood_goes_to_the_terminal_as_it_happens(program: Program, language: str) -> None:
    flags = ("--profile", "high", "--limit", "output=50KiB")
    ended = program.run(spells.FLOODS[language], SUFFIXES[language], *flags)
    assert ended.code == 4 and 50 * 1024 <= len(ended.out) < 51 * 1024
    assert "output limit" in ended.err


@pytest.mark.parametrize("profile", ["low", "medium", "high"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_RS_01_two_gigabytes_are_refused_by_memory(
    program: Program, language: str, profile: str
) -> None:
    flags = ("--profile", profile, "--limit", "memory=256MiB")
    source = spells.TOO_LARGE[language]
    result = program.result(source, SUFFIXES[language], *flags)
    assert (result["exit"], result["status"], result["reason"]) == (4, "limit", "memory"), result
    assert result["error"]["code"] == 4005 and "--limit memory=" in result["error"]["hint"]
    caught = spells.CAUGHT[language].format(source)
    result = program.result(caught, SUFFIXES[language], *flags)
    assert (result["exit"], result["value"]) == (0, False), result


@pytest.mark.parametrize("profile", ["low", "medium", "high"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_RS_01_a_length_beyond_numbering_is_memory_too(
    program: Program, language: str, profile: str
) -> None:
    source = spells.BEYOND_NUMBERING[language]
    result = program.result(source, SUFFIXES[language], "--profile", profile)
    assert (result["exit"], result["status"], result["reason"]) == (4, "limit", "memory"), result


@pytest.mark.parametrize("profile", ["low", "medium", "high"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_RS_01_growth_ends_at_the_memory_limit(
    program: Program, language: str, profile: str
) -> None:
    flags = ("--profile", profile, "--limit", "memory=128MiB", "--limit", "wall=30s")
    result = program.result(spells.GROWS[language], SUFFIXES[language], *flags)
    assert (result["exit"], result["reason"]) == (4, "memory"), result
    assert 32 << 20 < result["usage"]["peak_memory"] < 320 << 20


@pytest.mark.alone
@pytest.mark.parametrize("profile", ["medium", "high"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_RS_13_cpu_is_limited(program: Program, language: str, profile: str) -> None:
    # Slower than others: the kernel counts processor time in whole seconds.
    flags = ("--profile", profile, "--limit", "cpu=1s", "--limit", "wall=20s")
    used: list[float] = []
    # The kernel holds this limit by counted ticks, `usage` is by exact time: beside other work a
    # process was ended at 0.88 s of it, now and then. A limit that bites early does so every time.
    while len(used) < 3 and max(used, default=0) < 0.9:
        result = program.result(spells.LOOPS[language, "busy"], SUFFIXES[language], *flags)
        assert (result["exit"], result["status"], result["reason"]) == (4, "limit", "cpu"), result
        assert result["usage"]["cpu"] <= 1.5
        used.append(result["usage"]["cpu"])
    assert max(used) >= 0.9, used


@pytest.mark.parametrize("language", LANGUAGES)
def test_RS_27_calls_are_limited(program: Program, language: str) -> None:
    source = {
        "lua": "while true do pcall(Storage.exists, 'k') end",
        "javascript": "while (true) { try { await Storage.exists('k') } catch (e) {} }",
        "python": (
            "while True:\n    try:\n        await Storage.exists('k')\n"
            "    except Exception:\n        pass"
        ),
    }[language]
    flags = ("--profile", "high", "--limit", "calls=100", "--limit", "wall=20s")
    result = program.result(source, SUFFIXES[language], *flags)
    assert (result["exit"], result["reason"]) == (4, "calls"), result
    assert result["usage"]["calls"] <= 101


FORKS = """
import os, time
for n in range(200):
    try:
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                while True:
                    time.sleep(60)
            os._exit(0)
    except OSError as e:
        print('refused', e.errno)
        break
while True:
    pass
"""


def test_PR_01_PR_04_children_that_fled_end_with_the_run(program: Program) -> None:
    """At `none` children may be made; the positive control of the denials in test_processes."""
    flags = ("--profile", "none", "--limit", "wall=1s")
    result = program.result(FORKS.replace("200", "20"), ".py", *flags)
    assert (result["exit"], result["reason"]) == (4, "wall"), result
    assert "refused" not in result["output"]


@pytest.mark.parametrize("profile", ["low", "medium"])
def test_PR_01_PR_02_a_fork_bomb_makes_no_process(program: Program, profile: str) -> None:
    flags = ("--profile", profile, "--limit", "wall=500ms", "--allow-module", "os")
    result = program.result(FORKS, ".py", *flags)
    assert (result["exit"], result["reason"]) == (4, "wall"), result
    assert "refused 1" in result["output"]
