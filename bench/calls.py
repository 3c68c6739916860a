"""One brokered call, every step on, beside a bare epoll JSON broker and a bare echo, in one run.

    python bench/calls.py [--calls 4000] [--rounds 5] [--pin none|same|apart] [--json]

All serve the same client process over a socket pair. The bare broker decodes a frame, encodes an
answer and sends it: no schema, no budget, no verdict, no audit. The echo sends back what came. CPU
is the serving process's own; round trips are the client's. Ratios are of one round each, with the
bare ones measured in that round; their median is what counts. `--pin`: both ends on one core each,
the same one or two.
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
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

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
BROKER, ECHO = "bare epoll broker", "bare echo"


class Spent(NamedTuple):
    """Microseconds: the server's CPU a call, and the client's round trips."""

    cpu: float
    median: float
    p95: float
    p99: float
    mean: float


class Nowhere:
    """A sink: the client prints nothing."""

    def show(self, stream: str, text: str) -> None:
        """Nothing is printed."""

    def note(self, level: str, message: str, fields: Mapping[str, Any]) -> None:
        """Nothing is logged."""


def params(calls: int, method: str, args: Mapping[str, Any], core: int | None) -> dict[str, Any]:
    """What the client is told to do."""
    return {"calls": calls, "method": method, "args": args, "core": core}


def bare(calls: int, core: int | None, serve: Callable[[socket.socket], bytes]) -> Spent:
    """One client served by `serve`, which gives its last frame's body."""
    ours, theirs = socket.socketpair()
    process = platform.spawn(CLIENT, channel=theirs.fileno())
    theirs.close()
    ours.recv(65536)
    order = json.dumps({"params": params(calls, "storage.get", {"key": "k"}, core)}).encode()
    ours.sendall(len(order).to_bytes(4, "little") + order)
    began = time.process_time()
    last = serve(ours)
    cpu = time.process_time() - began
    ours.close()
    process.close()
    return Spent(cpu / calls * 1e6, *json.loads(last)["value"])


def epoll_broker(ours: socket.socket) -> bytes:
    """Decodes, answers null, encodes."""
    poll = select.epoll()
    poll.register(ours.fileno(), select.EPOLLIN)
    buffer = b""
    while True:
        poll.poll()
        buffer += ours.recv(65536)
        size = int.from_bytes(buffer[:4], "little")
        if len(buffer) < 4 + size:
            continue
        message = json.loads(buffer[4 : 4 + size])
        if message["type"] == "done":
            return buffer[4 : 4 + size]
        buffer = buffer[4 + size :]
        answer = {"type": "reply", "id": message["id"], "ok": True, "value": None}
        body = json.dumps(answer, separators=(",", ":")).encode()
        ours.sendall(len(body).to_bytes(4, "little") + body)


def echo(ours: socket.socket) -> bytes:
    """Sends back what comes: a bare round trip of a socket pair."""
    while True:
        data = ours.recv(65536)
        if data.startswith(b'{"type":"done"', 4):
            return data[4:]
        ours.sendall(data)


def brokered(calls: int, core: int | None, method: str, args: dict[str, Any]) -> Spent:
    """One client served by a supervisor, every step on."""
    options = RunOptions(
        profile="high",
        grants=(("read", "file.txt"),),
        limits={"calls": "1000000", "wall": "300s", "cpu": "300s"},
        params=params(calls, method, args, core),
        stdin=None,
    )
    prepared = prepare(Spell.from_source("return 1", "lua"), options)

    def launch(role: Role, ours: socket.socket, theirs: int) -> platform.Process:
        return platform.spawn(CLIENT, channel=theirs)

    crew = Crew(launch)
    crew.start(MAIN, Role.SPELL)
    session = Session(prepared.plan, time.monotonic())
    began = time.process_time()
    BlockingDriver(session, crew, Nowhere()).drive([])
    cpu = time.process_time() - began
    crew.abandon()
    prepared.close()
    result = session.result
    if result is None or not result.ok or result.usage.calls != calls:
        raise SystemExit(f"the run did not end well: {result}")
    return Spent(cpu / calls * 1e6, *result.value)


def measure(calls: int, rounds: int, core: int | None) -> dict[str, list[Spent]]:
    """Every server once a round, in the same order."""
    found: dict[str, list[Spent]] = {name: [] for name in (BROKER, ECHO, *METHODS)}
    for _ in range(rounds):
        found[BROKER].append(bare(calls, core, epoll_broker))
        found[ECHO].append(bare(calls, core, echo))
        for name, (method, args) in METHODS.items():
            found[name].append(brokered(calls, core, method, args))
    return found


def figures(found: Mapping[str, list[Spent]]) -> list[Figure]:
    """Costs, round trips, and the ratios of each round to the bare ones of the same round."""
    result: list[Figure] = []
    for name, spent in found.items():
        result.append(Figure(f"{name}: cpu", "µs a call", [one.cpu for one in spent]))
        result.append(Figure(f"{name}: round trip", "µs, medians", [one.median for one in spent]))
        result.append(Figure(f"{name}: round trip p99", "µs", [one.p99 for one in spent]))
    for name in METHODS:
        pairs = list(zip(found[name], found[BROKER], found[ECHO], strict=True))
        cpu = [one.cpu / broker.cpu for one, broker, _ in pairs]
        trip = [one.median / back.median for one, _, back in pairs]
        result.append(Figure(f"{name}: cpu to {BROKER}", "×, paired", cpu))
        result.append(Figure(f"{name}: round trip to {ECHO}", "×, paired", trip))
    return result


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pin", choices=("none", "same", "apart"), default="none")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    core = None
    if chosen.pin != "none":
        os.sched_setaffinity(0, {cores[0]})
        core = cores[0] if chosen.pin == "same" else cores[-1]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = folder
        os.chdir(folder)
        Path("file.txt").write_text("x")
        found = measure(chosen.calls, chosen.rounds, core)
        os.chdir("/")
    show(figures(found), f"{BROKER}: cpu", as_json=chosen.json)


if __name__ == "__main__":
    main()
