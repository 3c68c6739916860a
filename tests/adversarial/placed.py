"""A native attacker in a worker's place, started as a supervisor starts a worker: both ways.

Nothing of the supervisor's Python runs here: plan, launcher, library, zygote and filter are those
that ship. tests/adversarial/conftest.py has the `impostor` for attacks that need a whole run.
"""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any, Final, NamedTuple

from llmspell.channel.framing import frame
from llmspell.platform import Confinement, Process, spawn
from llmspell.platform.linux.plan import make_child_plan, make_plan, make_zygote_plan
from llmspell.platform.linux.zygote import Forked, Zygote
from llmspell.supervisor import worker
from tests.attackers import build
from tests.platform.machines import ENOSYS, EPERM, as_machine
from tests.platform.test_zygote import receive

LIBRARY: Final = f"{worker.BUILT}/libconfine.so"
LAUNCHER: Final = f"{worker.BUILT}/llmspell-launch"
STARTS: Final = ("exec", "fork")
REFUSED: Final[Mapping[str, Mapping[str, int]]] = {
    "as it is": {},
    "docker": {"unshare": EPERM, "mount": EPERM},
    "no landlock": {"landlock_create_ruleset": ENOSYS},
}
"""Machines, by the calls that they refuse; those of test_native_code.py."""


class Told(NamedTuple):
    """What an attacker came to: its report, the answers to its acts, the signal that ended it."""

    achieved: Mapping[str, Any]
    acts: Mapping[str, int]
    signal: int | None


def confinement(profile: str, **changes: Any) -> Confinement:
    """What a worker of this profile gets, with the given parts changed."""
    kind = "wasm" if profile == "high" else "native"
    usual = Confinement(
        profile, kind, memory=64 << 20, cpu=10, threads=1, processes=0, open_files=32
    )
    return usual._replace(**changes)


@contextmanager
def placed(
    attacker: str,
    words: list[str],
    profile: str,
    start: str = "exec",
    *,
    pass_fds: Mapping[int, int] | None = None,
    measured: bool = True,
    **changes: Any,
) -> Iterator[tuple[Process | Forked, socket.socket, Mapping[str, Any]]]:
    """The attacker confined and at its hello, its channel, and what it says it achieved."""
    wanted = confinement(profile, **changes)
    native = wanted.kind == "native"
    prefix = [LAUNCHER] if native else []
    with ExitStack() as stack:
        process: Process | Forked
        ours, theirs = socket.socketpair()
        stack.enter_context(ours)
        stack.enter_context(theirs)
        ours.settimeout(20)
        if start == "fork":
            made = make_zygote_plan(profile, wanted.kind)
            kind = "zygote" if native else "wasm-zygote"
            argv = [*prefix, build.program(attacker), kind, LIBRARY, "x", *words]
            zygote = Zygote(argv, b"".join(map(frame, filter(None, made))), {})
            stack.callback(zygote.close)
            assert zygote.is_ready(10)
            ours.sendall(frame(make_child_plan(wanted)))
            process = zygote.order(theirs.fileno())
        else:
            kind = "native" if native else "wasm"
            ours.sendall(b"".join(map(frame, filter(None, make_plan(wanted)))))
            argv = [*prefix, build.program(attacker), kind, LIBRARY, "x", *words]
            process = spawn(argv, channel=theirs.fileno(), pass_fds=pass_fds, measured=measured)
        stack.callback(process.close)
        theirs.close()
        hello = receive(ours)
        assert hello is not None, "it could not be confined"
        yield process, ours, hello["achieved"]


def attack(
    attacker: str, words: list[str], profile: str, start: str = "exec", machine: str = "as it is",
    **changes: Any,
) -> Told:  # fmt: skip
    """Runs it to its end, as on a machine that refuses some calls."""
    build.program(attacker)

    def run() -> Told:
        with placed(attacker, words, profile, start, **changes) as (process, channel, achieved):
            channel.sendall(frame(b'{"type":"run"}'))
            try:
                done = receive(channel)
            except ConnectionResetError:
                done = None
            status = process.wait(10)
        return Told(achieved, done["value"] if done else {}, status.signal)

    return Told(*as_machine(run, None, REFUSED[machine]))


def outside(attacker: str, words: list[str]) -> dict[str, int]:
    """The same acts without any confinement: the control."""
    done = subprocess.run(
        [build.program(attacker), "free", *words],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30, check=True,
    )  # fmt: skip
    answers: dict[str, int] = json.loads(done.stdout)
    return answers
