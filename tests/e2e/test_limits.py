"""Whatever a spell does, it ends at its limit, says which, and leaves nothing.

`Program` itself looks for processes and temporary files after every command.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e import spells
from tests.e2e.in_turn import InTurn, Order, in_turn
from tests.e2e.program import LANGUAGES, PROFILES, SUFFIXES, Program

__all__ = ["in_turn"]
WALL = 0.5
SLACK = 0.1
CONFINED = ("low", "medium", "high")
FORKED = ("medium", "high")


@pytest.fixture
def start(both_starts: str) -> str:
    return both_starts


class Group:
    """Runs with the same limits, carried out one after the other by one process of a start."""

    def __init__(self, sources: dict[Any, tuple[str, str]], **limits: str) -> None:
        """`sources` are by (language, what, profile)."""
        self.limits = limits
        self._sources = sources

    def order(self, start: str, key: Any) -> Order:
        """The run of this key."""
        source, profile = self._sources[key]
        return Order(start, source, key[0], {"profile": profile, "limits": self.limits})

    def orders(self, start: str) -> list[Order]:
        """All that this start can have."""
        profiles = FORKED if start == "fork" else PROFILES
        return [
            self.order(start, key)
            for key, (_, profile) in self._sources.items()
            if profile in profiles
        ]


def group(sources: dict[tuple[str, str], str], profiles: tuple[str, ...], **limits: str) -> Group:
    """Each of these sources at each of these profiles."""
    every = {
        (language, what, profile): (source, profile)
        for (language, what), source in sources.items()
        for profile in profiles
    }
    return Group(every, **limits)


Ran = Any


@pytest.fixture
def ran(in_turn: InTurn, start: str) -> Ran:
    """What the run of a key of a group came to."""

    def look(of: Group, *key: str) -> dict[str, Any]:
        return in_turn(of.order(start, key), of.orders(start))

    return look


CAUGHT = {key: source for key, source in spells.LOOPS.items() if key[1] == "caught"}
LOOPS = group(spells.LOOPS, FORKED, wall=f"{WALL}s")
LOOPS_BELOW = group(CAUGHT, ("none", "low"), wall=f"{WALL}s")
FLOODS = group(
    {(language, "flood"): source for language, source in spells.FLOODS.items()},
    PROFILES, output="100KiB", wall="20s",
)  # fmt: skip
LARGE = group(
    {
        (language, what): source
        for language, large in spells.TOO_LARGE.items()
        for what, source in (("dies", large), ("catches", spells.CAUGHT[language].format(large)))
    },
    CONFINED, memory="256MiB",
)  # fmt: skip
BEYOND = group(
    {(language, "beyond"): source for language, source in spells.BEYOND_NUMBERING.items()}, CONFINED
)
GROWS = group(
    {(language, "grows"): source for language, source in spells.GROWS.items()},
    CONFINED, memory="128MiB", wall="30s",
)  # fmt: skip


def ended_at_wall(
    result: dict[str, Any], program: Program, source: str, language: str, profile: str
) -> None:
    ended_by_wall(result)
    # A machine that does other work now and then gives no turn in time: one more chance.
    if result["usage"]["wall"] > WALL + SLACK:
        flags = ("--profile", profile, "--limit", f"wall={WALL}s")
        result = program.result(source, SUFFIXES[language], *flags)
        ended_by_wall(result)
    assert result["usage"]["wall"] <= WALL + SLACK


def ended_by_wall(result: dict[str, Any]) -> None:
    assert (result["exit"], result["status"], result["reason"]) == (4, "limit", "wall"), result
    assert result["usage"]["wall"] >= WALL
    assert "wall" in result["error"]["message"] and "--limit wall=" in result["error"]["hint"]
    assert [item["kind"] for item in result["violations"]] == ["ExecutionTimeExceeded"]


@pytest.mark.parametrize("profile", FORKED)
@pytest.mark.parametrize(("language", "what"), spells.LOOPS)
def test_RS_11_RS_13_RS_14_LU_06_LU_07_JS_01_PY_12_ends_at_the_wall(
    ran: Ran, program: Program, language: str, what: str, profile: str
) -> None:
    result = ran(LOOPS, language, what, profile)
    ended_at_wall(result, program, spells.LOOPS[language, what], language, profile)


@pytest.mark.parametrize("profile", ["none", "low"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_RS_14_a_caught_loop_ends_at_the_wall_at_the_lower_profiles(
    ran: Ran, program: Program, language: str, profile: str
) -> None:
    result = ran(LOOPS_BELOW, language, "caught", profile)
    ended_at_wall(result, program, spells.LOOPS[language, "caught"], language, profile)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_RS_06_an_output_flood_is_cut_at_its_limit(ran: Ran, language: str, profile: str) -> None:
    result = ran(FLOODS, language, "flood", profile)
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


@pytest.mark.parametrize("profile", CONFINED)
@pytest.mark.parametrize("language", LANGUAGES)
def test_RS_01_two_gigabytes_are_refused_by_memory(ran: Ran, language: str, profile: str) -> None:
    result = ran(LARGE, language, "dies", profile)
    assert (result["exit"], result["status"], result["reason"]) == (4, "limit", "memory"), result
    assert result["error"]["code"] == 4005 and "--limit memory=" in result["error"]["hint"]
    result = ran(LARGE, language, "catches", profile)
    assert (result["exit"], result["value"]) == (0, False), result


@pytest.mark.parametrize("profile", CONFINED)
@pytest.mark.parametrize("language", LANGUAGES)
def test_RS_01_a_length_beyond_numbering_is_memory_too(
    ran: Ran, language: str, profile: str
) -> None:
    result = ran(BEYOND, language, "beyond", profile)
    assert (result["exit"], result["status"], result["reason"]) == (4, "limit", "memory"), result


@pytest.mark.parametrize("profile", CONFINED)
@pytest.mark.parametrize("language", LANGUAGES)
def test_RS_01_growth_ends_at_the_memory_limit(ran: Ran, language: str, profile: str) -> None:
    result = ran(GROWS, language, "grows", profile)
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
