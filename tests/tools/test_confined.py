"""The tool worker under the real launcher and plans: every tool works, and nothing is open."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import pytest

from llmspell.channel.connection import Connection
from llmspell.channel.framing import frame
from llmspell.channel.states import Role
from llmspell.tools.registry import get, list_tools
from llmspell.tools.tool import VARIES
from tests.tools.support import MAIN, ROOT, Process, Worker
from tests.tools.test_worker import BUILT, EDGES

platform = pytest.importorskip("llmspell.platform")
pytestmark = pytest.mark.skipif(
    not (BUILT / "llmspell-launch").exists() or not sys.platform.startswith("linux"),
    reason="the launcher is not built",
)


class ConfinedWorker(Worker):
    """A tool worker started as the supervisor starts it."""

    def __init__(self, level: str, memory: int = 512) -> None:
        mebibyte = 1024 * 1024
        plan = platform.plan(
            platform.Confinement(
                level=level, kind="native", memory=memory * mebibyte, cpu=60, threads=1,
                processes=0, open_files=32, file_size=16 * mebibyte,
            )
        )  # fmt: skip
        ours, theirs = socket.socketpair()
        self.socket = ours
        argv = [str(BUILT / "llmspell-launch"), sys.executable, "-I", "-S", "-B", str(MAIN),
                "--site", str(ROOT), "--confine", str(BUILT / "libconfine.so")]  # fmt: skip
        self.process = Process(argv, theirs.fileno())
        theirs.close()
        self.connection = Connection(Role.TOOLS)
        self.waiting = []
        self.send(frame(plan.stage1) + frame(plan.stage2))


@pytest.mark.parametrize("level", ["medium", "high"])
def test_every_tool_works_confined(level: str) -> None:
    with ConfinedWorker(level) as worker:
        hello = worker.start()
        assert hello.effects["files"] and hello.effects["network"] and hello.effects["spawn"]
        for entry in list_tools():
            for example in get(entry.name).examples:
                returned = worker.use(entry.name, example.input)
                assert returned.error is None, (entry.name, returned.error)
                if example.result is not VARIES:
                    assert returned.value["result"] == example.result
        for tool, given in EDGES:
            error = worker.use(tool, given).error
            assert error is None or error["kind"] in ("validation", "not_found"), (tool, error)


def test_RS_23_memory_is_held_by_the_kernel_and_the_worker_says_so() -> None:
    text = "[" + '{"a":1},' * 490_000 + "[]]"
    given = {"operation": "query", "json": text, "path": "$[0].x"}
    with ConfinedWorker("high") as worker:
        worker.start()
        assert worker.use("json_processor", given).error is None
    with ConfinedWorker("high", memory=64) as worker:
        worker.start()
        error = worker.use("json_processor", given).error
        assert error is not None and (error["code"], error["kind"]) == (4005, "limit")
        assert worker.use("calculator", {"expression": "1 + 1"}).value["result"] == 2


def test_no_descriptor_but_the_channel() -> None:
    with ConfinedWorker("medium") as worker:
        worker.start()
        pids = [worker.process.pid, *_children(worker.process.pid)]
        targets = {os.readlink(f"/proc/{pids[-1]}/fd/{each}")
                   for each in os.listdir(f"/proc/{pids[-1]}/fd")}  # fmt: skip
        expected = ("socket:", "pipe:", "/dev/null")
        assert all(target.startswith(expected) for target in targets), targets


def _children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [found for child in map(int, tasks) for found in (child, *_children(child))]
