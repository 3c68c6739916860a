"""The three parts of a soak and its verdict.

1. `lasting`: one process with the Python API, rounds of runs, its workers killed at random;
2. `taken over`: supervisors that are killed in the middle, the next takes over their place;
3. `commands`: the command line, exec'ed and forked, it or its workers killed or interrupted.
"""

from __future__ import annotations

import json
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

from llmspell.supervisor.result import Status
from tests.e2e.program import Orphanage, Place, Program, all_gone, descendants
from tests.soak.home import IN_FLIGHT
from tests.soak.killer import Killer
from tests.soak.kinds import CHILD, KINDS, SUFFIXES, choose
from tests.soak.measures import kept_files, litter, reap_adopted, take_audits, within

GONE_SECONDS: Final = 5.0
"""Time a killed supervisor's tree may take to be gone, on a machine with more work than cores."""

STEADY_MAX: Final = {"objects": 100.0, "allocated_kib": 16.0, "resident_kib": 32.0}
"""Bounds of what the lasting supervisor gains with every thousand runs after its warm-up.

Taken is the median from round to round: a leak shows in each of them, while a table that doubles
(of interned texts, say) shows once. What a run may keep is a tenth of an object or 16 bytes.
"""

WHOLE_MAX: Final = {"objects": 1_000.0, "allocated_kib": 2_048.0, "resident_kib": 4_096.0}
"""Bounds of what it gains in all from the end of the warm-up, such single steps included."""

WARM_UP: Final = 5
"""Rounds before growth counts: caches fill, the allocator's arenas find their size."""

_EXITS: Final = {0, 1, 2, 3, 4, 6, 130, -signal.SIGKILL}
_NO_ZYGOTE: Final = 99
"""The test's own program for forked runs says so when its zygote was killed before the run."""


class Sizes(NamedTuple):
    """How much of each part."""

    rounds: int
    runs_per_round: int
    supervisors: int
    commands: int

    @classmethod
    def of(cls, runs: int) -> Sizes:
        """Most in one process, the rest in killed supervisors and on the command line."""
        rounds = 3 if runs < 1000 else 15
        return cls(rounds, int(runs * 0.84) // rounds, max(2, runs // 200), max(4, runs // 40))


class Soak:
    """One soak below one folder."""

    def __init__(self, place: Place, seed: int) -> None:
        self._place = place
        self._chance = random.Random(seed)
        self.wrong: list[str] = []
        """What may not be; a soak without any has passed."""
        self.ends: Counter[str] = Counter()
        self.odd: Counter[str] = Counter()
        self.starts: Counter[str] = Counter()
        self.killed: Counter[str] = Counter()
        self.audits: Counter[str] = Counter()
        self.adopted = 0
        """Dead processes whose parent had been killed: init's to reap, here the soak's."""
        self.runs = 0
        self.rounds: list[dict[str, Any]] = []

    # -- parts ---------------------------------------------------------------------------------

    def lasting(self, rounds: int, runs: int) -> None:
        """One process; its first round is the control: nobody is killed, nothing may be odd."""
        home = self._home(runs, rounds, 1)
        killer: Killer | None = None
        for told in _lines(home):
            if told["kind"] != "round":
                continue
            if killer is None:
                if told["odd"]:
                    self.wrong.append(f"odd ends without a kill: {told['odd']}")
                killer = Killer(home.pid, 0.25, self._chance)
                killer.start()
            self._add_round(told)
            self.rounds.append(
                {name: told[name] for name in ("begun", "seconds", "descriptors", *STEADY_MAX)}
            )
        if killer is not None:
            killer.stop()
            self.killed += killer.killed
            # With a zygote all that it forked and that was under way ends.
            hit = killer.killed.total() + killer.killed["zygote"] * (IN_FLIGHT - 1)
            odd = self.odd.total()
            self._expect(odd <= hit, f"{odd} runs were disturbed, and {hit} hit at most")
        self._expect(home.wait() == 0, f"the lasting home ended with {home.returncode}")
        self._expect(len(self.rounds) == rounds, f"{len(self.rounds)} rounds of {rounds}")
        self._check_growth()
        self._look("lasting", incomplete=0)

    def taken_over(self, supervisors: int) -> None:
        """Supervisors with runs under way, killed at a random moment; one in six has shards."""
        for number in range(supervisors):
            shards = 2 if number % 6 == 5 else 1
            home = self._home(1000, 1, shards)
            killer = Killer(home.pid, 0.15, self._chance)
            killer.start()
            begun = 0
            stop_at = self._chance.randrange(0, 60)
            for told in _lines(home):
                begun = told.get("begun", begun)
                if told["kind"] != "up" and begun >= stop_at:
                    break
            time.sleep(self._chance.uniform(0.0, 0.05))
            killer.stop()
            tree = descendants(home.pid)
            home.kill()
            home.wait()
            self.runs += begun
            self.killed += killer.killed
            self.killed["supervisor"] += 1
            self._expect(all_gone(tree, GONE_SECONDS), f"supervisor {number} left a process")
        self._look("taken over", incomplete=supervisors * 12)

    def commands(self, count: int) -> None:
        """The command line; every third is left alone, the others are disturbed."""
        folder = self._place.root / "work"
        for number in range(count):
            self._command(folder, number)
        self._look("commands", incomplete=self.killed["command"])

    # -- pieces --------------------------------------------------------------------------------

    def _home(self, runs: int, rounds: int, shards: int) -> subprocess.Popen[bytes]:
        folder = self._place.root / "work"
        folder.mkdir(exist_ok=True)
        seed = self._chance.randrange(1 << 30)
        words = ["-m", "tests.soak.home", *map(str, (seed, runs, rounds, shards))]
        return subprocess.Popen(
            [sys.executable, *words],
            cwd=folder,
            env=self._place.environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )

    def _command(self, folder: Path, number: int) -> None:
        choice = choose(self._chance)
        kind = choice.kind
        forked = choice.profile in ("medium", "high") and number % 2 == 0
        program = Program(self._place, folder, forked=forked)
        limits = {"wall": "20s", **kind.limits}
        flags = [word for name, value in limits.items() for word in ("--limit", f"{name}={value}")]
        name = f"{kind.name}{SUFFIXES[kind.language]}"
        started = program.start(
            "run", "--output", "json", "--profile", choice.profile, "--param", "n=7", *flags, name,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        act = ("nothing", "command", "worker", "interrupt")[
            number % 3 and self._chance.randrange(4)
        ]
        tree = self._disturb(started, act)
        try:
            out, err = started.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            started.kill()
            out, err = started.communicate()
            self.wrong.append(f"command {kind.name} at {choice.profile} hangs: {err[-300:]!r}")
        self.runs += 1
        code = started.returncode
        self.ends[f"exit {code}"] += 1
        what = f"{kind.name} at {choice.profile}, {act}: exit {code}, {err[-300:]!r}"
        early = act == "worker" and code == _NO_ZYGOTE
        self._expect(code in _EXITS or early, what)
        self._expect(b"Traceback" not in err, what)
        if act == "nothing":
            ended = json.loads(out)["status"] if out else "nothing printed"
            self._expect(ended == kind.status, f"{what}: {ended}")
        elif out and code not in (-signal.SIGKILL, 130):
            self._expect(json.loads(out)["status"] in {s.value for s in Status}, what)
        self._expect(all_gone(tree, GONE_SECONDS), f"left by {what}")

    def _disturb(self, started: subprocess.Popen[bytes], act: str) -> set[int]:
        """Does it after a moment; the processes that were below just before."""
        if act == "nothing":
            return set()
        if act == "interrupt":
            # While the interpreter itself starts, Ctrl-C is its own affair.
            within(20.0, lambda: bool(descendants(started.pid)) or started.poll() is not None)
        time.sleep(self._chance.uniform(0.0, 0.25))
        tree = descendants(started.pid)
        if started.poll() is None:
            if act == "command":
                started.kill()
                self.killed["command"] += 1
            elif act == "interrupt":
                started.send_signal(signal.SIGINT)
                self.killed["interrupted"] += 1
            else:
                killer = Killer(started.pid, 0.02, self._chance)
                killer.start()
                time.sleep(0.1)
                killer.stop()
                self.killed += killer.killed
        return tree

    def _add_round(self, told: dict[str, Any]) -> None:
        self.runs += told["begun"]
        self.ends.update(told["ends"])
        self.odd.update(told["odd"])
        self.starts.update(told["starts"])
        self.wrong += told["wrong"]

    def _check_growth(self) -> None:
        if not self.rounds:
            return
        found = {item["descriptors"] for item in self.rounds[1:]}
        self._expect(len(found) <= 1, f"descriptors after each round: {sorted(found)}")
        for name, grown in self.steady().items():
            self._expect(grown < STEADY_MAX[name], f"{name}: {grown} more per 1000 runs")
        for name, grown in self.whole().items():
            self._expect(grown < WHOLE_MAX[name], f"{name}: {grown} more in all")

    def steady(self) -> dict[str, float]:
        """What the lasting process gains per thousand runs: the median from round to round."""
        late = self.rounds[WARM_UP:]
        return {
            name: round(
                statistics.median(
                    (after[name] - before[name]) * 1000 / after["begun"]
                    for before, after in pairwise(late)
                ),
                1,
            )
            for name in (STEADY_MAX if len(late) > 1 else ())
        }

    def whole(self) -> dict[str, float]:
        """What it gains in all after its warm-up."""
        late = self.rounds[WARM_UP:]
        return {name: late[-1][name] - late[0][name] for name in (WHOLE_MAX if late else ())}

    def _look(self, part: str, incomplete: int) -> None:
        """What may be left after a part: finished records, and `incomplete` unfinished ones."""
        files = litter(self._place.root)
        self._expect(not files, f"{part}: files left: {files[:9]}")
        audits = take_audits(self._place.root)
        self.audits += audits.counts
        self._expect(not audits.broken, f"{part}: broken audits: {audits.broken[:9]}")
        left = len(audits.unfinished)
        first = audits.unfinished[:5]
        self._expect(left <= incomplete, f"{part}: {left} unfinished audits: {first}")
        # Every home and command of this part was waited for: what is below now was adopted.
        self.adopted += reap_adopted()
        self._expect(not (alive := descendants(os.getpid())), f"{part}: alive: {alive}")

    def _expect(self, condition: bool, otherwise: str) -> None:
        if not condition:
            self.wrong.append(otherwise)


def soak(root: Path, sizes: Sizes, seed: int, cache: str | None = None) -> dict[str, Any]:
    """All three parts below `root`; the report. `wrong` is empty where everything held."""
    begun = time.monotonic()
    place = Place.in_folder(root, cache)
    work = Soak(place, seed)
    with Orphanage() as orphans:
        work.lasting(sizes.rounds, sizes.runs_per_round)
        before = kept_files(root)
        work.taken_over(sizes.supervisors)
        work.commands(sizes.commands)
        left = orphans.left(1.0)
    work._expect(not left, f"orphans: {left}")
    return {
        "runs": work.runs,
        "seed": seed,
        "seconds": round(time.monotonic() - begun, 1),
        "python": sys.version.split()[0],
        "killed": dict(sorted(work.killed.items())),
        "ends": dict(work.ends.most_common()),
        "ends of disturbed runs": dict(work.odd.most_common()),
        "workers started by": dict(work.starts),
        "audit records": dict(work.audits),
        "rounds": work.rounds,
        "growth": {
            name: [work.steady().get(name), STEADY_MAX[name], work.whole().get(name), most]
            for name, most in WHOLE_MAX.items()
        },
        "orphans": len(left),
        "dead processes adopted": work.adopted,
        "files kept": [before, kept_files(root)],
        "wrong": work.wrong,
    }


def _lines(home: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    assert home.stdout is not None
    with home.stdout:
        for line in home.stdout:
            yield json.loads(line)


def write_spells(folder: Path) -> None:
    """The spells of all kinds, for the command line."""
    for kind in KINDS:
        (folder / f"{kind.name}{SUFFIXES[kind.language]}").write_text(kind.source)
    (folder / "child.lua").write_text(CHILD)
