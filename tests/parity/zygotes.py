"""Zygotes of the tests: one per program and arguments, started at its first use."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from llmspell.channel.framing import frame
from llmspell.platform import Confinement
from llmspell.platform.linux.plan import make_child_plan, make_zygote_plan
from llmspell.platform.linux.zygote import Forked, Zygote
from llmspell.supervisor import worker

READY_SECONDS = 30.0

_KEPT: dict[tuple[str, ...], Zygote] = {}


def confinement(**changes: Any) -> Confinement:
    """What a forked worker of a test gets, with the given parts changed."""
    usual = Confinement(
        "medium", "native", memory=512 << 20, cpu=60, threads=1, processes=0, open_files=64
    )
    return usual._replace(**changes)


SYSTEM_PYTHON = "/usr/bin/python3"


def interpreter() -> str:
    """A Python that this process's user may run: root's own may lie below root's home."""
    return sys.executable if os.access(sys.executable, os.X_OK) else SYSTEM_PYTHON


def command(program: str, arguments: tuple[str, ...] = ()) -> list[str]:
    """The command of a zygote: of a language's engine, or of "tools"."""
    main = worker.TOOLS if program == "tools" else worker.ENGINES
    argv = [f"{worker.BUILT}/llmspell-launch", interpreter(), "-I", "-S", "-B", str(main)]
    for folder in worker._site_folders():
        argv += ["--site", folder]
    if program != "tools":
        argv += ["--engine", program, "--profile", "medium"]
    library = f"{worker.BUILT}/libconfine.so"
    return [*argv, *arguments, "--zygote", "1", "--confine", library]


def start(program: str, arguments: tuple[str, ...] = ()) -> Zygote:
    """A zygote of its own, ready for orders; the caller ends it."""
    plan = make_zygote_plan("medium", "native")
    zygote = Zygote(command(program, arguments), frame(plan.stage1) + frame(plan.stage2), {})
    if not zygote.is_ready(READY_SECONDS):
        zygote.close()
        raise TimeoutError(f"the zygote of {program} was not ready in {READY_SECONDS} s")
    return zygote


@contextmanager
def started(program: str, arguments: tuple[str, ...] = ()) -> Iterator[Zygote]:
    """The same, gone afterwards."""
    zygote = start(program, arguments)
    try:
        yield zygote
    finally:
        zygote.close()


def fork(zygote: Zygote, wanted: Confinement | None = None) -> tuple[Forked, socket.socket]:
    """A worker of it and our end of its channel, where its plan already lies."""
    ours, theirs = socket.socketpair()
    ours.settimeout(20)
    ours.sendall(frame(make_child_plan(wanted or confinement())))
    with theirs:
        return zygote.order(theirs.fileno()), ours


def kept(program: str, arguments: tuple[str, ...] = ()) -> Zygote:
    """The one that all tests of a module share."""
    key = (program, *arguments)
    if key not in _KEPT:
        _KEPT[key] = start(program, arguments)
    return _KEPT[key]


def end_all() -> None:
    """Ends those that `kept` started."""
    while _KEPT:
        _KEPT.popitem()[1].close()
