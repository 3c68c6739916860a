"""The limits of a forked worker are the run's own, and its errors those of an exec'ed one."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from llmspell.supervisor.ending import CPU_SLACK
from tests.e2e import spells
from tests.parity import zygotes
from tests.parity.workers import LANGUAGES, Ended, drive, run, worker

MEBIBYTE = 1 << 20


@pytest.fixture(scope="module", autouse=True)
def zygotes_end() -> Iterator[None]:
    yield
    zygotes.end_all()


def forked(language: str, source: str, mebibytes: int) -> Ended:
    return run(language, source, kind="forked", memory=mebibytes * MEBIBYTE)


@pytest.mark.parametrize("language", LANGUAGES)
def test_RS_01_what_is_too_large_is_refused_by_memory_and_can_be_caught(language: str) -> None:
    source = spells.TOO_LARGE[language]
    ended = forked(language, source, 256)
    assert ended.error is not None and (ended.error["code"], ended.error["kind"]) == (
        4005,
        "memory",
    )
    assert forked(language, spells.CAUGHT[language].format(source), 256).value is False
    beyond = spells.BEYOND_NUMBERING[language]
    error = forked(language, beyond, 256).error
    assert error is not None
    assert error == run(language, beyond, kind="medium", memory=256 * MEBIBYTE).error


@pytest.mark.parametrize("language", LANGUAGES)
def test_RS_01_growth_ends_at_this_runs_limit_and_not_at_anothers(language: str) -> None:
    peaks = []
    for mebibytes in (64, 128):
        with worker(language, "forked", memory=mebibytes * MEBIBYTE) as one:
            one.begin(spells.GROWS[language])
            ended = drive(one, {})
        status = one.close()
        assert ended.error is not None and ended.error["code"] == 4005, ended
        peaks.append(status.max_rss_bytes)
    assert 16 * MEBIBYTE < peaks[0] < 128 * MEBIBYTE
    assert peaks[0] < peaks[1] < 256 * MEBIBYTE


@pytest.mark.alone
@pytest.mark.parametrize("language", LANGUAGES)
def test_RS_13_processor_time_is_counted_from_the_fork(language: str) -> None:
    with worker(language, "forked", cpu=1) as one:
        one.begin(spells.LOOPS[language, "busy"])
        assert one.receive(20) is None
    status = one.close()
    # The kernel's limit counts in ticks, which on a busy machine run ahead of the exact time.
    assert status.signal == 9 and 1 - CPU_SLACK <= status.cpu_seconds <= 1.5


@pytest.mark.alone
def test_RS_11_a_kill_of_any_loop_is_reaped_at_once() -> None:
    for language, what in spells.LOOPS:
        with worker(language, "forked") as one:
            one.begin(spells.LOOPS[language, what])
            time.sleep(0.01)
            began = time.monotonic()
            one.process.kill()
            assert one.process.wait(5).signal == 9
            assert time.monotonic() - began < 0.25, (language, what)
