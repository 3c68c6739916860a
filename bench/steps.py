"""Which step of a brokered call costs what: each alone, many times, in one process, no worker.

    python bench/steps.py [--calls 20000] [--json]

Caches are warm here, so the sum is less than a call costs in its run (`bench/calls.py`); the
differences between steps are what counts. Kernel work is inside the step that asks for it.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench.figures import Figure, show
from llmspell.channel.connection import Connection
from llmspell.channel.framing import frame
from llmspell.channel.jsontext import decode, encode
from llmspell.channel.messages import parse
from llmspell.channel.states import Role, State
from llmspell.spells.spell import Spell
from llmspell.supervisor.audit import log as log_module
from llmspell.supervisor.audit.records import make_record, seal
from llmspell.supervisor.audit.spelling import Speller
from llmspell.supervisor.crew import TURN_SIZE
from llmspell.supervisor.drivers.poller import READ, Poller
from llmspell.supervisor.prepare import Prepared, RunOptions, prepare
from llmspell.supervisor.services.access import Access

ROUNDS = 7
CALL = {"type": "call", "id": 1, "method": "fs.stat", "args": {"path": "file.txt"}}
WORDS = {
    "origin": "spell",
    "method": "fs.stat",
    "action": "stat",
    "target": "file.txt",
    "allowed": True,
    "rule": "granted",
}
FACTS = {"type": "file", "size": 1, "modified": 1795257600.123, "readonly": True}


def channel_steps() -> dict[str, Callable[[], object]]:
    """Bytes in and out."""
    connection = Connection(Role.SPELL)
    connection.state = State.RUNNING
    body = encode(CALL)
    data = frame(body)

    def receive() -> None:
        connection._last_call = connection._window_frames = connection._window_bytes = 0
        connection.receive_call(data, 0.5)

    ours, theirs = socket.socketpair()
    poller = Poller()
    poller.watch(ours.fileno(), READ)

    def wait_and_read() -> None:
        theirs.send(data)
        poller.wait(1.0)
        ours.recv(TURN_SIZE)

    def only_send() -> None:
        theirs.send(data)
        ours.recv(TURN_SIZE)

    return {
        "kernel: send and receive": only_send,
        "kernel: send, poll and receive": wait_and_read,
        "receive: bounds, decode, types, order, rate": receive,
        "(the same the strict, general way)": lambda: parse(decode(body)),
        "reply: null": lambda: connection.reply(1, None),
        "reply: what fs.stat found": lambda: connection.reply(1, FACTS),
    }


def broker_steps(prepared: Prepared) -> dict[str, Callable[[], object]]:
    """Budget, schema, verdict, act and record."""
    broker, audit = prepared.plan.broker, prepared.plan.audit
    method, context, args = broker.admit("fs.stat", {"path": "file.txt"}, "spell", None)
    stored, other, key = broker.admit("storage.get", {"key": "k"}, "spell", None)
    access = Access(context, "stat", "stat", "file.txt")
    located = access.rules.find("file.txt")[1] or ""
    walker = prepared.services._walker

    def walk() -> None:
        place = walker.walk(located, access.judge_real, access.refuse, looking=True)
        place.close()

    def record() -> None:
        audit.record("decision", WORDS)

    speller = Speller(audit.session, audit._masked)

    def spell() -> None:
        moment = audit._clock.text(time.time())
        speller.line(1, moment, "decision", WORDS, audit.head)

    def general() -> None:
        moment = audit._clock.text(time.time())
        seal(make_record(1, moment, audit.session, "decision", audit._masked(WORDS)), audit.head)

    return {
        "budget: one call": broker.count,
        "schema, context": lambda: broker.admit("fs.stat", {"path": "file.txt"}, "spell", None),
        "verdict on a path as spelled": lambda: access.verdict_on(located),
        "audit: spell, chain": spell,
        "(the same the general way)": general,
        "audit: spell, chain, write": record,
        "act: storage.get": lambda: stored.perform(other, key),
        "act: walk to a file, second verdict": walk,
        "act: fs.stat in all (verdicts, record, walk)": lambda: method.perform(context, args),
        "conclude: mask": lambda: broker.conclude(method, context, None),
    }


def per_call(step: Callable[[], object], calls: int) -> list[float]:
    """CPU microseconds of one call of the step, in each round."""
    found = []
    for _ in range(ROUNDS):
        began = time.process_time_ns()
        for _ in range(calls):
            step()
        found.append((time.process_time_ns() - began) / calls / 1000)
    return found


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    log_module.RECORDS_MAX = log_module.BYTES_MAX = 10**12  # type: ignore[misc]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_STATE_HOME"] = folder
        os.chdir(folder)
        Path("file.txt").write_text("x")
        options = RunOptions(
            profile="high",
            grants=(("read", "file.txt"),),
            limits={"calls": "unlimited"},
            stdin=None,
        )
        prepared = prepare(Spell.from_source("return 1", "lua"), options)
        steps = {"(an empty step)": lambda: None, **channel_steps(), **broker_steps(prepared)}
        figures = [Figure(name, "µs", per_call(step, chosen.calls)) for name, step in steps.items()]
        prepared.close()
        os.chdir("/")
    show(figures, "audit: spell, chain, write", as_json=chosen.json)


if __name__ == "__main__":
    main()
