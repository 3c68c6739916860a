"""What was made when a zygote booted is made anew in each child: random numbers and clocks."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.parity import zygotes
from tests.parity.workers import LANGUAGES, run

DRAWN = {
    "lua": "return {math.random(1 << 53), math.random(), math.random(1 << 53)}",
    "javascript": "return [Math.random(), Math.random(), Math.random()]",
    "python": (
        "import random, uuid, secrets\n"
        "[random.getrandbits(50), random.random(), random.Random().getrandbits(50),"
        " random.SystemRandom().getrandbits(50), str(uuid.uuid4()), secrets.token_hex(8)]"
    ),
}


@pytest.fixture(scope="module", autouse=True)
def zygotes_end() -> Iterator[None]:
    yield
    zygotes.end_all()


def forked(language: str, source: str, **fields: Any) -> Any:
    ended = run(language, source, kind="forked", **fields)
    assert ended.error is None, ended.error
    return ended.value


@pytest.mark.parametrize("language", LANGUAGES)
def test_KX_18_children_of_one_zygote_draw_different_numbers(language: str) -> None:
    draws = [forked(language, DRAWN[language]) for _ in range(4)]
    for numbers in zip(*draws, strict=True):
        assert len(set(numbers)) == len(draws), draws
    for numbers in draws:
        assert len(set(numbers)) == len(numbers)


def test_a_chosen_seed_still_gives_the_same_numbers() -> None:
    chosen = {
        "lua": "math.randomseed(7) return math.random(1 << 50)",
        "python": "import random\nrandom.seed(7)\nrandom.getrandbits(50)",
    }
    for language, source in chosen.items():
        assert forked(language, source) == run(language, source, kind="bare").value


@pytest.mark.alone
def test_clocks_count_from_the_run_and_not_from_the_zygotes_boot() -> None:
    zygotes.kept("lua"), zygotes.kept("javascript")
    time.sleep(0.3)
    assert 0 <= forked("lua", "return os.clock()") < 0.2
    source = "return [performance.now(), performance.timeOrigin, typeof performance.now()]"
    passed, origin, kind = forked("javascript", source)
    later = forked("javascript", source)[1]
    assert 0 <= passed < 200 and kind == "number"
    assert later > origin
    assert abs(forked("javascript", "return Date.now()") / 1000 - time.time()) < 1
    used = forked("python", "import time\n[time.process_time(), time.time()]")
    assert 0 <= used[0] < 0.2 and abs(used[1] - time.time()) < 1
