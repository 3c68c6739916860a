"""What this machine can hold, each thing found out by doing it in a throw-away process.

Nothing here is remembered between calls: a machine's answer changes with its settings.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from llmspell.errors import IsolationRefused
from llmspell.platform.linux.plan import Confinement, make_plan
from llmspell.platform.linux.process import spawn
from llmspell.platform.linux.seccomp import BUILT

_DEADLINE: Final = 10.0
_REPORT_MAX: Final = 65_536


class Report(NamedTuple):
    """What a real confined process found: see `confine_details_json`."""

    level: str
    layers: tuple[str, ...]
    effects: Mapping[str, bool]
    missing: Mapping[str, str]
    """Mechanism -> the kernel's reason for refusing it."""
    leaks: tuple[str, ...]
    """Probes that were not refused."""
    milliseconds: float


class Capabilities(NamedTuple):
    """What this kernel gives this user."""

    kernel: str
    uid: int
    landlock_abi: int
    """0: none."""
    layers: frozenset[str]
    missing: Mapping[str, str]
    cgroup_kill: bool
    """A cgroup of version 2 that this user may make children in, with cgroup.kill (Linux 5.14)."""


def examine(
    level: str,
    kind: str = "wasm",
    without: frozenset[str] = frozenset(),
    launcher: str | None = None,
) -> Report:
    """Runs a process confined as a worker of `level` would be and returns what it could still do.

    Raises IsolationRefused when the launcher is missing or ends without an answer.
    """
    launcher = launcher or launcher_path()
    plan = make_plan(Confinement(level, kind, 64 << 20, 10, 1, 0, 32, without=without))
    # As a native worker: the launcher becomes a program, here itself, which does stage 2.
    argv = [launcher, launcher, "--check"] if plan.stage2 else [launcher, "--check"]
    ours, theirs = socket.socketpair()
    started = time.monotonic()
    with ours:
        try:
            process = spawn(argv, channel=theirs.fileno())
        finally:
            theirs.close()
        with process:
            ours.settimeout(_DEADLINE)
            text = _ask(ours, *filter(None, plan))
            milliseconds = (time.monotonic() - started) * 1000
            status = process.wait(_DEADLINE) if text else None
    if text is None or status is None or status.code != 0:
        raise IsolationRefused(
            f"the confined probe ended without an answer ({status or process.poll()})",
            hint="llmspell doctor --verbose shows each step; reinstall llmspell if it persists",
        )
    return _report(level, text, milliseconds)


def probe(launcher: str | None = None) -> Capabilities:
    """Everything in one throw-away process, about 5 ms."""
    report = examine("high", launcher=launcher)
    return Capabilities(
        kernel=os.uname().release,
        uid=os.geteuid(),
        landlock_abi=_landlock_abi(),
        layers=frozenset(report.layers),
        missing=report.missing,
        cgroup_kill=_has_cgroup_kill(),
    )


def launcher_path() -> str:
    """The launcher that the build made. Raises IsolationRefused when it is not there."""
    path = os.path.join(BUILT, "llmspell-launch")
    if not os.access(path, os.X_OK):
        raise IsolationRefused(
            f"the launcher {path} is not there", hint="reinstall llmspell from a wheel"
        )
    return path


def _ask(channel: socket.socket, *frames: bytes) -> bytes | None:
    try:
        for frame in frames:
            channel.sendall(len(frame).to_bytes(4, "little") + frame)
    except OSError:
        return None  # it ended before it read them
    return _read_frame(channel)


def _read_frame(channel: socket.socket) -> bytes | None:
    def exactly(size: int) -> bytes | None:
        content = b""
        while len(content) < size:
            try:
                more = channel.recv(size - len(content))
            except (ConnectionError, TimeoutError):
                return None
            if not more:
                return None
            content += more
        return content

    header = exactly(4)
    size = int.from_bytes(header, "little") if header else 0
    return exactly(size) if 0 < size <= _REPORT_MAX else None


def _report(level: str, text: bytes, milliseconds: float) -> Report:
    import json

    found: dict[str, Any] = json.loads(text)
    return Report(
        level,
        tuple(found["layers"]),
        dict(found["effects"]),
        dict(found["missing"]),
        tuple(found["leaks"]),
        milliseconds,
    )


def _landlock_abi() -> int:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    # landlock_create_ruleset(NULL, 0, LANDLOCK_CREATE_RULESET_VERSION)
    answer = int(libc.syscall(444, None, ctypes.c_size_t(0), ctypes.c_uint(1)))
    return max(answer, 0)


def _has_cgroup_kill() -> bool:
    try:
        with open("/proc/self/cgroup", encoding="utf-8") as file:
            own = next((line[3:].strip() for line in file if line.startswith("0::")), None)
        with open("/proc/self/mounts", encoding="utf-8") as file:
            mounts = (line.split() for line in file)
            root = next((words[1] for words in mounts if words[2] == "cgroup2"), None)
    except OSError:
        return False
    if own is None or root is None:
        return False
    folder = os.path.join(root, own.lstrip("/"))
    trial = os.path.join(folder, f"llmspell-probe-{os.getpid()}")
    try:
        os.mkdir(trial)
    except OSError:
        return False
    try:
        return os.access(os.path.join(trial, "cgroup.kill"), os.W_OK)
    finally:
        os.rmdir(trial)
