"""`llmspell doctor --attack`: a short, safe set of attacks on this machine, and what held.

Hostile spells aim at files, sockets and a process of this command alone. Each act's control is the
same act where it is allowed: at `none`, or with its grant. An act whose control fails is not
judged: a probe that succeeds nowhere proves nothing (SEC-038).
"""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from llmspell.cli import attack_spells as spells
from llmspell.spells.spell import Spell
from llmspell.supervisor.api import run
from llmspell.supervisor.audit.verify import verify

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType
    from typing import Any

    from llmspell.supervisor.result import Result

PROFILES: Final = ("low", "medium", "high")
OK: Final = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
WALL: Final = "200ms"
OVERRUN_SECONDS: Final = 1.0
"""By when a run must have ended, on a busy machine as well."""

ACTS: Final = {
    "read a file": "FS-14",
    "make a file": "PY-06",
    "read a process": "SL-02",
    "signal a process": "PR-08",
    "make a program in memory": "PR-16",
    "connect": "NW-01",
    "connect to a service": "NW-04",
    "start a process": "PR-01",
    "read above the folder": "FS-01",
    "read by a symbolic link": "FS-03",
    "read by /proc": "FS-14",
    "plant code in a repository": "FS-29",
    "request an inner address": "NW-11",
}
"""What is tried, and its case in docs/threats.md."""


class Outcome(NamedTuple):
    """What one attack came to. `held` is None where it could not be judged; `why` says more."""

    case: str
    attack: str
    profile: str
    control_ok: bool
    held: bool | None
    why: str = ""


class Targets:
    """What the attacks aim at: a folder, two listeners and this process."""

    def __init__(self, folder: Path) -> None:
        self.secret = folder / "secret.txt"
        self.made = folder / "made-by-the-attack"
        self.granted = folder / "granted"
        self.unix = folder / "s"
        self.reached = 0

    def __enter__(self) -> Targets:
        # What holds must be the confinement, not the modes of files.
        self.granted.parent.chmod(0o755)
        self.secret.write_text("secret")
        self.secret.chmod(0o644)
        self.granted.mkdir()
        (self.granted / "inside.txt").write_text("inside")
        (self.granted / "link").symlink_to(self.secret)
        (self.granted / ".git" / "hooks").mkdir(parents=True)
        self.listeners = [
            socket.create_server(("127.0.0.1", 0)),
            socket.create_server(str(self.unix), family=socket.AF_UNIX),
        ]
        self.unix.chmod(0o666)
        for listener in self.listeners:
            threading.Thread(target=self._answer, args=(listener,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for listener in self.listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _answer(self, listener: socket.socket) -> None:
        while True:
            try:
                taken, _ = listener.accept()
            except OSError:
                return
            self.reached += 1
            with taken, contextlib.suppress(OSError):
                taken.sendall(OK)

    def params(self) -> dict[str, Any]:
        """What the spells are told of them."""
        return {
            "secret": str(self.secret),
            "made": str(self.made),
            "folder": str(self.granted),
            "port": self.listeners[0].getsockname()[1],
            "unix": str(self.unix),
            "supervisor": os.getpid(),
            "numbers": spells.NUMBERS.get(os.uname().machine, {}),
        }

    def effects(self) -> bool:
        """Whether something got through since the last look."""
        got = self.made.exists() or bool(self.reached)
        self.made.unlink(missing_ok=True)
        self.reached = 0
        return got


def attack_all() -> list[Outcome]:
    """Every attack at every profile that confines."""
    with (
        tempfile.TemporaryDirectory(prefix="llmspell-attack-") as place,
        Targets(Path(place).resolve()) as targets,
        # `low` and `medium` read the working folder: the secret lies beside it.
        contextlib.chdir(targets.granted),
    ):
        return [
            *_native(targets),
            *(outcome for profile in PROFILES for outcome in _brokered(targets, profile)),
            *(outcome for profile in PROFILES for outcome in _limits(profile)),
            _record(Path(place)),
        ]


def _run(source: str, language: str, profile: str, **options: Any) -> Result:
    return run(Spell.from_source(source, language=language), profile=profile, **options)


def _native(targets: Targets) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for source, profiles, grants in (
        (spells.NATIVE, ("low", "medium"), ("module:ctypes",)),
        (spells.GUEST, ("high",), ("module:socket",)),
    ):
        allowed = _run(source, "python", "none", params=targets.params(), grants=grants)
        control: Mapping[str, Any] = allowed.value if allowed.ok else {}
        control_seen = targets.effects()
        for profile in profiles:
            result = _run(source, "python", profile, params=targets.params(), grants=grants)
            seen = targets.effects()
            for act, case in ACTS.items():
                if act in control or (not control and act in ACTS_OF[source]):
                    worked = bool(control.get(act)) and control_seen
                    outcomes.append(_judged(case, act, profile, worked, result, act, seen))
    return outcomes


ACTS_OF: Final = {
    source: [act for act in ACTS if f'"{act}"' in source]
    for source in (spells.NATIVE, spells.GUEST)
}
"""The acts that each native spell tries."""


def _brokered(targets: Targets, profile: str) -> list[Outcome]:
    folder, port = targets.granted, targets.params()["port"]
    grants = [f"read:{folder}", f"write:{folder}", f"net:127.0.0.1:{port}"]
    allowed = _run(spells.BROKERED, "lua", profile, params=targets.params(), grants=grants)
    targets.effects()
    result = _run(spells.BROKERED, "lua", profile, params=targets.params(), grants=grants[:2])
    seen = targets.effects()
    given: Mapping[str, Any] = allowed.value if allowed.ok else {}
    outcomes = []
    for act in ACTS_OF_API:
        control = given.get("the granted host" if "address" in act else "the granted file") is True
        outcomes.append(_judged(ACTS[act], act, profile, control, result, act, seen))
    return outcomes


ACTS_OF_API: Final = [act for act in ACTS if f'"{act}"' in spells.BROKERED]
"""The acts that the spell of the API tries."""


def _judged(
    case: str, attack: str, profile: str, control: bool, result: Result, act: str, seen: bool
) -> Outcome:
    if not result.ok or not isinstance(result.value, dict):
        why = result.error.sentence() if result.error else result.status.value
        return Outcome(case, attack, profile, control, None, why)
    worked = result.value.get(act)
    if worked is not False or seen:
        return Outcome(case, attack, profile, control, False, _reason(worked))
    if not control:
        return Outcome(case, attack, profile, False, None, "it fails here without confinement too")
    return Outcome(case, attack, profile, True, True)


def _reason(worked: object) -> str:
    if worked is True:
        return "it worked"
    return "its effect was seen" if worked is False else f"no typed refusal: {worked}"


def _limits(profile: str) -> list[Outcome]:
    outcomes = []
    for language, source in spells.LOOPS.items():
        control = _run("1", "python", profile) if language == "python" else None
        if control is None:
            control = _run("return 1", language, profile)
        result = _run(source, language, profile, limits={"wall": WALL})
        on_time = result.usage.wall < OVERRUN_SECONDS
        held = (result.status.value, result.reason) == ("limit", "wall") and on_time
        attack = f"never end, in {language}"
        outcomes.append(_ended("RS-14", attack, profile, control, result, held))
    control = _run("return 1", "lua", profile)
    result = _run(spells.GREEDY, "lua", profile, limits={"memory": "96MiB", "wall": "20s"})
    held = (result.status.value, result.reason) == ("limit", "memory")
    outcomes.append(_ended("RS-01", "take all memory", profile, control, result, held))
    return outcomes


def _ended(
    case: str, attack: str, profile: str, control: Result, result: Result, held: bool
) -> Outcome:
    if control.status.value == "isolation_refused":
        return Outcome(case, attack, profile, False, None, "the profile refuses to start here")
    return Outcome(case, attack, profile, control.ok, held and control.ok)


def _record(place: Path) -> Outcome:
    file = place / "audit.jsonl"
    made = _run("return fs.exists('x')", "lua", "medium", audit=str(file))
    intact = made.ok and verify(file).ok
    data = bytearray(file.read_bytes()) if file.exists() else bytearray()
    found = False
    if data:
        data[len(data) // 2] ^= 1
        file.write_bytes(data)
        found = not verify(file).ok
    return Outcome("SL-13", "change one bit of the record", "medium", intact, found and intact)


def show(outcomes: Sequence[Outcome]) -> None:
    """Prints what held, one line for each attack."""
    states = {True: "held", False: "NOT HELD", None: "not judged"}
    lines: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        lines.setdefault((outcome.case, outcome.attack), []).append(outcome)
    print("attacks:")
    for (case, attack), of in lines.items():
        said = ", ".join(
            f"{one.profile} {states[one.held]}{f' ({one.why})' if one.why else ''}" for one in of
        )
        print(f"  {case}  {attack:<28} {said}")
    held = sum(outcome.held is True for outcome in outcomes)
    print(f"{held} of {len(outcomes)} held; docs/threats.md has all cases")
