"""A policy's decision alone: nothing is opened, connected, recorded or sent."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from bench.place import own_place
from bench.rounds import Outcome, Row, Settings, interleave
from llmspell.supervisor.prepare import RunOptions, choose_policy

TITLE = "A policy decision alone"
ABOUT = """One verdict with its rule and hint, from a policy that is already built, in this
process. A sample is the mean of many decisions in a row. *Varied* asks for another name each time,
so that no memory of an earlier verdict helps. The last row builds the whole policy of a run:
profile, settings, grants."""

GRANTS = (
    ("read", "data/**"),
    ("read", "src/*.py"),
    ("write", "out/**"),
    ("net", "api.example.com"),
    ("net", "*.example.org:8443"),
)
DOES = "the decision only"
DECISIONS = 500


def measure(settings: Settings) -> Outcome:
    """Microseconds a decision."""
    count = 20 if settings.quick else DECISIONS
    with own_place() as folder:
        policy = choose_policy(None, RunOptions(profile="high", grants=GRANTS))
        files, net, tools = policy.files, policy.net, policy.tools
        root = str(folder)
        acts: dict[str, Callable[[int], object]] = {
            "path allowed, the same": lambda n: files.judge("read", f"{root}/data/a.csv"),
            "path allowed, varied": lambda n: files.judge("read", f"{root}/data/deep/{n}.csv"),
            "path denied, varied": lambda n: files.judge("read", f"/etc/{n}"),
            "host allowed, the same": lambda n: net.judge_host("https", "api.example.com", 443),
            "host allowed by pattern, varied": lambda n: net.judge_host(
                "https", f"a{n}.example.org", 8443
            ),
            "host denied, varied": lambda n: net.judge_host("https", f"a{n}.example.net", 443),
            "address": lambda n: net.judge_address("api.example.com", f"93.184.216.{n % 250}", 443),
            "tool that only computes": lambda n: tools.judge("calculator", frozenset()),
            "tool that reads": lambda n: tools.judge("file_reader", frozenset({"read"})),
        }
        rows = [Row(name, "µs", DOES, partial(_mean_us, act, count)) for name, act in acts.items()]
        whole = partial(_mean_us, _build, 1 if settings.quick else 5)
        rows.append(
            Row("building the policy of a run", "µs", "profile, settings, five grants", whole)
        )
        return interleave(rows, settings.runs)


def _mean_us(act: Callable[[int], object], count: int) -> list[float]:
    begun = time.perf_counter()
    for number in range(count):
        act(number)
    return [(time.perf_counter() - begun) / count * 1e6]


def _build(_: int) -> object:
    return choose_policy(None, RunOptions(profile="high", grants=GRANTS))
