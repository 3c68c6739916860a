"""CPU of one brokered call, every step on, beside a bare epoll JSON broker in the same run.

    python bench/calls.py [--calls 4000] [--rounds 5] [--json]

Both serve the same client process over a socket pair. The bare broker decodes a frame, encodes an
answer and sends it: no schema, no budget, no verdict, no audit. CPU is the serving process's own.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import socket
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.figures import Figure, show
from llmspell import platform
from llmspell.channel.states import Role
from llmspell.spells.spell import Spell
from llmspell.supervisor.crew import Crew
from llmspell.supervisor.drivers.blocking import BlockingDriver
from llmspell.supervisor.peers import MAIN
from llmspell.supervisor.prepare import RunOptions, prepare
from llmspell.supervisor.session import Session

CLIENT = [sys.executable, "-I", "-S", str(Path(__file__).with_name("call_client.py"))]
METHODS: dict[str, tuple[str, dict[str, Any]]] = {
    "storage.get": ("storage.get", {"key": "k"}),
    "fs.exists (scratch, verdict, audit)": ("fs.exists", {"path": "scratch:none"}),
    "fs.stat (host file, walk, two verdicts, audit)": ("fs.stat", {"path": "file.txt"}),
}


class Nowhere:
    """A sink: the client prints nothing."""

    def show(self, stream: str, text: str) -> None:
        """Nothing is printed."""

    def note(self, level: str, message: str, fields: Mapping[str, Any]) -> None:
        """Nothing is logged."""


def bare(calls: int) -> tuple[float, float]:
    """CPU and wall microseconds per call of the bare broker."""
    ours, theirs = socket.socketpair()
    process = platform.spawn(CLIENT, channel=theirs.fileno())
    theirs.close()
    poll = select.epoll()
    poll.register(ours.fileno(), select.EPOLLIN)
    buffer = b""
    cpu = wall = 0.0
    while True:
        poll.poll()
        buffer += ours.recv(65536)
        size = int.from_bytes(buffer[:4], "little")
        if len(buffer) < 4 + size:
            continue
        message = json.loads(buffer[4 : 4 + size])
        buffer = buffer[4 + size :]
        if message["type"] == "done":
            break
        if message["type"] == "hello":
            params = {"calls": calls, "method": "storage.get", "args": {"key": "k"}}
            answer: dict[str, Any] = {"type": "run", "params": params}
            cpu, wall = time.process_time(), time.perf_counter()
        else:
            answer = {"type": "reply", "id": message["id"], "ok": True, "value": None}
        body = json.dumps(answer, separators=(",", ":")).encode()
        ours.sendall(len(body).to_bytes(4, "little") + body)
    spent = time.process_time() - cpu, time.perf_counter() - wall
    ours.close()
    process.close()
    return spent[0] / calls * 1e6, spent[1] / calls * 1e6


def brokered(calls: int, method: str, args: dict[str, Any]) -> tuple[float, float]:
    """CPU and wall microseconds per call of the supervisor, every step on."""
    options = RunOptions(
        profile="high",
        grants=(("read", "file.txt"),),
        limits={"calls": "1000000", "wall": "300s", "cpu": "300s"},
        params={"calls": calls, "method": method, "args": args},
        stdin=None,
    )
    prepared = prepare(Spell.from_source("return 1", "lua"), options)

    def launch(role: Role, ours: socket.socket, theirs: int) -> platform.Process:
        return platform.spawn(CLIENT, channel=theirs)

    crew = Crew(launch)
    crew.start(MAIN, Role.SPELL)
    session = Session(prepared.plan, time.monotonic())
    cpu, wall = time.process_time(), time.perf_counter()
    BlockingDriver(session, crew, Nowhere()).drive([])
    spent = time.process_time() - cpu, time.perf_counter() - wall
    crew.abandon()
    prepared.close()
    result = session.result
    if result is None or not result.ok or result.usage.calls != calls:
        raise SystemExit(f"the run did not end well: {result}")
    return spent[0] / calls * 1e6, spent[1] / calls * 1e6


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    cpu: dict[str, list[float]] = {"bare epoll broker": [], **{name: [] for name in METHODS}}
    wall: dict[str, list[float]] = {name: [] for name in cpu}
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = folder
        os.chdir(folder)
        Path("file.txt").write_text("x")
        for _ in range(chosen.rounds):
            spent = bare(chosen.calls)
            cpu["bare epoll broker"].append(spent[0])
            wall["bare epoll broker"].append(spent[1])
            for name, (method, args) in METHODS.items():
                spent = brokered(chosen.calls, method, args)
                cpu[name].append(spent[0])
                wall[name].append(spent[1])
        os.chdir("/")
    base = "bare epoll broker: cpu"
    figures = [Figure(f"{name}: cpu", "µs a call", values) for name, values in cpu.items()]
    figures += [Figure(f"{name}: wall", "µs a call", values) for name, values in wall.items()]
    show(figures, base, as_json=chosen.json)


if __name__ == "__main__":
    main()
