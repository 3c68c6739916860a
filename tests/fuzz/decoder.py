"""Fuzz target: any bytes a worker writes end in messages or in one `WorkerViolation`.

python -m tests.fuzz.decoder CORPUS_DIR        coverage-guided, with atheris installed
python -m tests.fuzz.decoder --seconds 60      mutations of the samples, without it
"""

from __future__ import annotations

import random
import sys
import time

from llmspell.channel.connection import Connection
from llmspell.channel.framing import frame
from llmspell.channel.jsontext import encode
from llmspell.channel.states import Role, State
from llmspell.errors import WorkerViolation

SAMPLES: tuple[bytes, ...] = tuple(
    frame(encode(message))
    for message in (
        {"type": "call", "id": 1, "method": "fs.read", "args": {"path": "a", "length": 10}},
        {"type": "call", "id": 2, "method": "t", "args": {"b": {"$bytes": "AAEC"}}},
        {"type": "returned", "id": 1, "ok": False, "error": {"code": 1, "message": "\ud7ff"}},
        {"type": "output", "stream": "stdout", "text": "\\u0000 \n 😀"},
        {"type": "log", "level": "info", "message": "m", "fields": {"a": [1, -2.5e10, None]}},
        {"type": "part", "data": '{"type":"done","value":[[[1]]]}', "last": True},
        {"type": "done", "value": {"$callback": 3}},
        {"type": "failed", "error": {}},
    )
)


def check(data: bytes) -> None:
    """Feeds the bytes in two cuts. Raises whatever is neither a message nor a violation."""
    connection = Connection(Role.SPELL)
    connection.state = State.RUNNING
    middle = len(data) // 2
    try:
        connection.receive(data[:middle], 0.0)
        connection.receive(data[middle:], 0.0)
    except WorkerViolation:
        if connection.state is not State.ENDED:
            raise AssertionError("a violation left the connection open") from None


def mutate(chance: random.Random) -> bytes:
    """A sample, or several, with bytes changed, cut, doubled or inserted."""
    data = bytearray(b"".join(chance.choices(SAMPLES, k=chance.randint(1, 3))))
    for _ in range(chance.randint(0, 8)):
        place = chance.randrange(len(data) + 1)
        kind = chance.randrange(4)
        if kind == 0 and place < len(data):
            data[place] = chance.randrange(256)
        elif kind == 1:
            del data[place : place + chance.randint(1, 9)]
        elif kind == 2:
            data[place:place] = data[place : place + chance.randint(1, 40)]
        else:
            data[place:place] = chance.choice((b'"', b"[", b"{", b"\\u", b"\xff", b"1e9", b"NaN"))
    if chance.random() < 0.7 and len(data) > 4:
        # A right length lets the body's own mutations be reached.
        data[:4] = (len(data) - 4).to_bytes(4, "little")
    return bytes(data)


def run_for(seconds: float, seed: int) -> int:
    """Mutates for so long; the number of inputs tried."""
    chance = random.Random(seed)
    end = time.monotonic() + seconds
    count = 0
    while time.monotonic() < end:
        check(mutate(chance))
        count += 1
    return count


def main() -> None:
    """Runs with atheris when a corpus folder is named, by mutation otherwise."""
    if "--seconds" in sys.argv:
        print(run_for(float(sys.argv[sys.argv.index("--seconds") + 1]), seed=1), "inputs")
        return
    import atheris

    atheris.instrument_all()
    atheris.Setup(sys.argv, check)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
