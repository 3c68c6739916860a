"""Tool workers that a zygote forked: the same tools, the same confinement, their own randomness."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from llmspell.channel.connection import Connection
from llmspell.channel.states import Role
from llmspell.platform import EFFECTS
from llmspell.platform.linux.zygote import Forked, Zygote
from llmspell.supervisor.worker import TOOL_MEMORY, TOOLS
from llmspell.tools.registry import get, list_tools
from llmspell.tools.tool import VARIES
from tests.parity import zygotes
from tests.tools.support import MemoryHost, Worker
from tests.tools.test_worker import EDGES


class ForkedTools(Worker):
    """A tool worker, seen from the supervisor's end of its channel."""

    def __init__(self, zygote: Zygote, memory: int = TOOL_MEMORY) -> None:
        wanted = zygotes.confinement(memory=memory, open_files=32, file_size=0)
        self.forked: Forked
        self.forked, self.socket = zygotes.fork(zygote, wanted)
        self.connection = Connection(Role.TOOLS)
        self.waiting = []

    def __enter__(self) -> ForkedTools:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        self.forked.wait(5)
        self.forked.close()


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    with zygotes.started("tools") as one:
        yield one


def test_every_tool_works_in_a_forked_worker(zygote: Zygote) -> None:
    with ForkedTools(zygote) as worker:
        hello = worker.start()
        assert hello.engine == "tools" and hello.effects == dict.fromkeys(EFFECTS, True)
        assert {"seccomp", "caps", "session", "fds", "rlimits"} <= set(hello.layers)
        for entry in list_tools():
            for example in get(entry.name).examples:
                returned = worker.use(entry.name, example.input, MemoryHost())
                assert returned.error is None, (entry.name, returned.error)
                if example.result is not VARIES:
                    assert returned.value["result"] == example.result
        for tool, given in EDGES:
            error = worker.use(tool, given).error
            assert error is None or error["kind"] in ("validation", "not_found"), (tool, error)
    assert worker.forked.wait().code == 0


def test_KX_18_workers_of_one_zygote_draw_different_numbers(zygote: Zygote) -> None:
    drawn = set()
    for _ in range(4):
        with ForkedTools(zygote) as worker:
            worker.start()
            drawn.add(worker.use("uuid_generator", {}).value["result"])
    assert len(drawn) == 4


def test_RS_23_memory_is_held_by_the_kernel_and_the_worker_says_so(zygote: Zygote) -> None:
    text = "[" + '{"a":1},' * 490_000 + "[]]"
    given = {"operation": "query", "json": text, "path": "$[0].x"}
    with ForkedTools(zygote, 512 << 20) as worker:
        worker.start()
        assert worker.use("json_processor", given).error is None
    with ForkedTools(zygote, 64 << 20) as worker:
        worker.start()
        error = worker.use("json_processor", given).error
        assert error is not None and (error["code"], error["kind"]) == (4005, "limit")
        assert worker.use("calculator", {"expression": "1 + 1"}).value["result"] == 2


@pytest.mark.parametrize(
    "words",
    [
        ["--site", os.sep, "--zygote", "1"],
        ["--site", os.sep, "--zygote", "0", "--confine", "/x"],
        ["--site", os.sep, "--zygote"],
    ],
)
def test_a_zygote_without_a_confinement_is_a_wrong_command_line(words: list[str]) -> None:
    program = [sys.executable, "-I", "-S", str(TOOLS), *words]
    assert subprocess.run(program, check=False, capture_output=True).returncode == 64
