"""Tools under a pool: a hundred calls waiting, three or ten at a time (BEN-004)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from bench.figures import Figure
from bench.ours import DOES, ROOMY, Ours, ours, spell, value_of
from bench.place import own_place
from bench.rounds import Outcome, Settings

TITLE = "Tools under a pool"
ABOUT = """A `high` Lua spell has a queue of a hundred tool calls (fifty of `http_client`, which
takes sixty a minute) and a pool that takes three of them at a time (the seeds' default per tool) or
ten (their bound of all). Each runs in a confined tool worker; what it reads or fetches it asks the
broker for. *Call*: from the moment the pool takes it until its result. *Rate*: of the whole queue.
The first call of a run, which starts the tool workers, is not counted."""

QUEUE: Final = 100
AT_MOST: Final = {"http_client": 50}
"""A shorter queue where a tool's own limit (60 calls a minute) would refuse the rest."""

POOLS: Final = (3, 10)
CALLS: Final = {
    "calculator": {"expression": "(1 + 2) * 3 / 4"},
    "file_reader": {"path": "data.txt"},
    "http_client": {"url": "http://127.0.0.1:PORT/"},
}
"""Each tool's input; PORT is that of a server on loopback, a process of its own."""

SERVER: Final = Path(__file__).with_name("page_server.py")
SPELL: Final = """
Tools.execute(params.tool, params.input)
local spent, taken, begun = {}, 0, os.clock()
local function runner()
  while taken < params.queue do
    taken = taken + 1
    local mine = os.clock()
    Tools.execute(params.tool, params.input)
    spent[#spent + 1] = (os.clock() - mine) * 1000
  end
end
local runners = {}
for i = 1, params.pool do runners[i] = runner end
Async.all(runners)
return { spent = spent, rate = params.queue / (os.clock() - begun) }
"""


def measure(settings: Settings) -> Outcome:
    """Milliseconds a call, and calls per second."""
    queue = 10 if settings.quick else QUEUE
    calls: dict[str, list[float]] = {}
    rates: dict[str, list[float]] = {}
    with own_place() as folder, ours() as host, _server() as port:
        (folder / "data.txt").write_text("a line of text\n" * 100)
        for _ in range(settings.rounds(10)):
            for tool in CALLS:
                for pool in POOLS:
                    name = f"{tool}, {pool} at a time"
                    value = _queue(host, tool, pool, queue, port)
                    calls.setdefault(f"call: {name}", []).extend(value["spent"])
                    rates.setdefault(f"rate: {name}", []).append(value["rate"])
    figures = [Figure(name, "ms", found, DOES) for name, found in calls.items()]
    figures += [Figure(name, "calls/s", found, DOES) for name, found in rates.items()]
    return Outcome(tuple(figures))


@contextmanager
def _server() -> Iterator[int]:
    words = [sys.executable, "-I", str(SERVER)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


def _queue(host: Ours, tool: str, pool: int, queue: int, port: int) -> dict[str, Any]:
    given = {name: value.replace("PORT", str(port)) for name, value in CALLS[tool].items()}
    queue = min(queue, AT_MOST.get(tool, queue))
    params = {"tool": tool, "input": given, "pool": pool, "queue": queue}
    run = host.supervisor("exec").run(
        spell("lua", SPELL),
        profile="high",
        grants=["read:data.txt", f"net:http://127.0.0.1:{port}"],
        limits=ROOMY,
        params=params,
    )
    value: dict[str, Any] = value_of(host.run(run))
    return value
