"""Random SIGKILLs below one process, each by a handle of a process that is still below it."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections import Counter
from pathlib import Path
from typing import Final

from tests.e2e.program import children, descendants

_SHARES: Final = {"worker": 4, "forked worker": 4, "tool worker": 4, "zygote": 1, "shard": 1}


def role_of(pid: int, home: int) -> str:
    """What a process below `home` is, by its command line and its depth."""
    words = Path(f"/proc/{pid}/cmdline").read_bytes()
    if b"shards/main.py" in words:
        return "shard"
    if b"tools/main.py" in words:
        return "tool worker"
    if b"zygote" not in words:
        return "worker"
    # The zygote has one waiting above it; what it forks has its command line, and no children.
    return "zygote" if children(pid) or pid in children(home) else "forked worker"


class Killer(threading.Thread):
    """Kills something below `home` again and again, until told to stop or home is gone."""

    def __init__(self, home: int, mean_seconds: float, chance: random.Random) -> None:
        super().__init__(daemon=True)
        self._home = home
        self._mean = mean_seconds
        self._chance = chance
        self._over = threading.Event()
        self.killed: Counter[str] = Counter()
        """How many of each role."""

    def run(self) -> None:
        while not self._over.wait(self._chance.expovariate(1 / self._mean)):
            if not Path(f"/proc/{self._home}").exists():
                return
            self._kill_one()

    def stop(self) -> None:
        """Returns when no more is killed."""
        self._over.set()
        self.join()

    def _kill_one(self) -> None:
        by_role: dict[str, list[int]] = {}
        for pid in descendants(self._home):
            try:
                by_role.setdefault(role_of(pid, self._home), []).append(pid)
            except OSError:
                continue  # it ended meanwhile
        if not by_role:
            return
        roles = sorted(by_role)
        role = self._chance.choices(roles, [_SHARES[item] for item in roles])[0]
        victim = self._chance.choice(sorted(by_role[role]))
        try:
            handle = os.pidfd_open(victim)
        except OSError:
            return
        try:
            # The handle stays with its process; if that is still below home, it is no other's.
            if victim in descendants(self._home):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
                self.killed[role] += 1
        except ProcessLookupError:
            return
        finally:
            os.close(handle)
