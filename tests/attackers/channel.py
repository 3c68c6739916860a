"""A worker that speaks the channel itself: `channel.py ACT [ENGINE]`. It has no confinement.

Only the standard library: what it does is what any program in a worker's place could do.
"""

from __future__ import annotations

import array
import json
import os
import random
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

CHANNEL: socket.socket
EFFECTS = ("files", "network", "processes", "spawn", "privilege")


def frame(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data


def text(message: Any) -> bytes:
    return frame(json.dumps(message).encode())


def send(message: Any) -> None:
    CHANNEL.sendall(text(message))


def read_frame() -> bytes:
    def exactly(size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = CHANNEL.recv(size - len(data))
            if not more:
                sys.exit(0)
            data += more
        return data

    return exactly(struct.unpack("<I", exactly(4))[0])


def hello(**changes: Any) -> dict[str, Any]:
    return {
        "type": "hello",
        "version": 1,
        "engine": sys.argv[2] if len(sys.argv) > 2 else "lua",
        "achieved": {"layers": ["rlimits", "seccomp"], "effects": dict.fromkeys(EFFECTS, True)},
        **changes,
    }


def call(number: int, method: str = "storage.exists", **args: Any) -> dict[str, Any]:
    return {"type": "call", "id": number, "method": method, "args": args or {"key": "k"}}


def begin() -> None:
    read_frame()  # the plan
    send(hello())
    while json.loads(read_frame()).get("type") != "run":
        pass


def linger(seconds: float = 60) -> None:
    time.sleep(seconds)


def honest() -> None:
    send(call(1))
    read_frame()
    send({"type": "done", "value": "fine"})


def silent() -> None:
    linger()


def never_reads() -> None:
    # Answers of 1 KiB are asked for and left lying.
    send(call(1, "storage.set", key="k", value="x" * 1000))
    number = 1
    while True:
        number += 1
        send(call(number, "storage.get", key="k"))


def floods_output() -> None:
    data = text({"type": "output", "stream": "stdout", "text": "x" * 60_000}) * 16
    while True:
        CHANNEL.sendall(data)


def floods_events() -> None:
    data = text({"type": "log", "level": "trace", "message": ""}) * 5_000
    while True:
        CHANNEL.sendall(data)


def floods_calls() -> None:
    number = 0
    while True:
        data = b"".join(text(call(number + one)) for one in range(1, 500))
        number += 499
        CHANNEL.sendall(data)


def over_the_window() -> None:
    for number in range(1, 200):
        send(call(number, "http.request", url="http://127.0.0.1:1/"))
    refused = [json.loads(read_frame()) for _ in range(199)]
    send({"type": "done", "value": sorted({item["ok"] for item in refused})})


def noise() -> None:
    chaos = random.Random(7)
    while True:
        CHANNEL.sendall(frame(chaos.randbytes(chaos.randrange(1, 300))))


def raw_noise() -> None:
    CHANNEL.sendall(random.Random(11).randbytes(1 << 20))
    linger()


def descriptors() -> None:
    # 253 at once is the kernel's most (unix(7)); then the run goes on as if nothing were.
    with open("/dev/null") as null:
        many = array.array("i", [null.fileno()] * 253)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, many)]
        for _ in range(4):
            CHANNEL.sendmsg([text({"type": "log", "level": "info", "message": "gift"})], rights)
    honest()


def closes() -> None:
    CHANNEL.close()
    linger()


def shuts_down() -> None:
    CHANNEL.shutdown(socket.SHUT_WR)
    linger()


def gone_with_a_call() -> None:
    send(call(1, "fs.exists", path="scratch:x"))
    os._exit(0)


def passes_it_on() -> None:
    """The channel goes to a child that talks; the parent leaves."""
    if os.fork() == 0:
        os.setsid()
        copy = os.dup(3)
        os.dup2(copy, 9)
        os.close(3)
        child = socket.socket(fileno=9)
        child.sendall(text(call(1)))
        child.recv(65536)
        time.sleep(60)
    os._exit(0)


def one(message: Any) -> Callable[[], None]:
    def act() -> None:
        data = message if isinstance(message, bytes) else text(message)
        CHANNEL.sendall(data)
        linger()

    return act


def before_hello(message: Any) -> Callable[[], None]:
    def act() -> None:
        read_frame()
        CHANNEL.sendall(message if isinstance(message, bytes) else text(message))
        linger()

    return act


def dribbles() -> None:
    CHANNEL.sendall(struct.pack("<I", 1000))
    for _ in range(1000):
        CHANNEL.sendall(b" ")
        time.sleep(0.05)


def stuck_on_stop() -> None:
    os.kill(os.getpid(), 19)


def deep(levels: int) -> bytes:
    head = b'{"type":"done","value":'
    return frame(head + b"[" * levels + b"]" * levels + b"}")


def parts() -> bytes:
    part = text({"type": "part", "data": "x" * 200_000, "last": False})
    return part * 100


DONE = {"type": "done", "value": 1}
VIOLATIONS: dict[str, Callable[[], None]] = {
    "IP_01_length_zero": one(b"\0\0\0\0"),
    "IP_01_length_all_ones": one(b"\xff\xff\xff\xff"),
    "IP_01_length_negative": one(struct.pack("<i", -5)),
    "IP_01_length_over_the_cap": one(struct.pack("<I", 1_048_577)),
    "IP_03_trailing_bytes": one(frame(json.dumps(DONE).encode() + b" x")),
    "IP_03_two_objects": one(frame(json.dumps(DONE).encode() * 2)),
    "IP_03_no_object": one(frame(b"[1]")),
    "IP_04_invalid_utf8": one(frame(b'{"type":"done","value":"\xff"}')),
    "IP_04_overlong": one(frame(b'{"type":"done","value":"\xc0\x80"}')),
    "IP_04_bom": one(frame(b"\xef\xbb\xbf" + json.dumps(DONE).encode())),
    "IP_04_lone_surrogate": one(frame(rb'{"type":"done","value":"\ud800"}')),
    "IP_06_nan": one(frame(b'{"type":"done","value":NaN}')),
    "IP_06_infinity": one(frame(b'{"type":"done","value":1e999}')),
    "IP_06_many_digits": one(frame(b'{"type":"done","value":' + b"9" * 5000 + b"}")),
    "IP_06_over_2_53": one(frame(b'{"type":"done","value":9007199254740993}')),
    "IP_07_deep": one(deep(100_000)),
    "IP_07_one_level_more": one(deep(60)),
    "IP_08_dense": one(frame(b'{"type":"done","value":[' + b"0," * 300_000 + b"0]}")),
    "IP_09_wide": one(
        frame(json.dumps({"type": "done", "value": {str(n): 0 for n in range(60_000)}}).encode())
    ),
    "IP_03_duplicate_keys": one(frame(b'{"type":"done","value":1,"value":2}')),
    "IP_11_answer_never_asked": one({"type": "returned", "id": 1, "ok": True, "value": 1}),
    "IP_11_second_hello": one(hello()),
    "IP_11_call_backwards": one(text(call(5)) + text(call(3))),
    "IP_11_call_zero": one(call(0)),
    "IP_13_spoofed_reply": one({"type": "reply", "id": 1, "ok": True, "value": "granted"}),
    "IP_13_spoofed_run": one({"type": "run", "source": "x"}),
    "IP_13_spoofed_invoke": one({"type": "invoke", "id": 1, "callback": 1, "args": []}),
    "IP_13_unknown_type": one({"type": "grant", "what": "everything"}),
    "IP_13_extra_field": one({"type": "done", "value": 1, "status": "done"}),
    "IP_08_parts_without_end": one(parts()),
    "IP_17_nothing": noise,
    "IP_02_noise": raw_noise,
    "IP_18_closes": closes,
}
EARLY: dict[str, Callable[[], None]] = {
    "IP_12_other_version": before_hello(hello(version=2)),
    "IP_12_no_version": before_hello({"type": "hello", "engine": "lua"}),
    "IP_12_other_engine": before_hello(hello(engine="perl")),
    "IP_13_done_before_hello": before_hello(DONE),
    "IP_13_call_before_hello": before_hello(call(1)),
    "EN_effects_as_words": before_hello(
        hello(achieved={"layers": ["rlimits"], "effects": dict.fromkeys(EFFECTS, "true")})
    ),
    "IP_13_hello_and_done": before_hello(text(hello()) + text(DONE)),
}
UNHELD = before_hello(
    hello(
        achieved={
            "layers": ["rlimits"],
            "effects": {**dict.fromkeys(EFFECTS, True), "files": False},
        }
    )
)
OTHERS: dict[str, Callable[[], None]] = {
    "honest": honest,
    "silent": silent,
    "never_reads": never_reads,
    "floods_output": floods_output,
    "floods_events": floods_events,
    "floods_calls": floods_calls,
    "over_the_window": over_the_window,
    "descriptors": descriptors,
    "shuts_down": shuts_down,
    "gone_with_a_call": gone_with_a_call,
    "passes_it_on": passes_it_on,
    "dribbles": dribbles,
    "stuck_on_stop": stuck_on_stop,
}

if __name__ == "__main__":
    CHANNEL = socket.socket(fileno=3)
    what = sys.argv[1]
    if what == "unheld":
        UNHELD()
    elif what in EARLY:
        EARLY[what]()
    else:
        begin()
        {**VIOLATIONS, **OTHERS}[what]()
