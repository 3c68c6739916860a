"""The worker's side of `bench/calls.py`: a bare process that makes N calls, one after the other.

Started with the channel as descriptor 3, like a worker; the first frame it gets is an order with
`{"params": {"calls": N, "method": …, "args": {…}, "core": C or null}}`. Its last frame holds the
round trips it measured, in microseconds: median, p95, p99 and the mean.
"""

import json
import os
import socket
import sys
import time


def main() -> None:
    """Plays a worker."""
    channel = socket.socket(fileno=3)
    buffer = b""

    def send(message: object) -> None:
        body = json.dumps(message, separators=(",", ":")).encode()
        channel.sendall(len(body).to_bytes(4, "little") + body)

    def receive() -> bytes:
        nonlocal buffer
        while True:
            if len(buffer) >= 4:
                size = int.from_bytes(buffer[:4], "little")
                if len(buffer) >= 4 + size:
                    body, buffer = buffer[4 : 4 + size], buffer[4 + size :]
                    return body
            data = channel.recv(65536)
            if not data:
                sys.exit()
            buffer += data

    effects = dict.fromkeys(("files", "network", "processes", "spawn", "privilege"), True)
    achieved = {"layers": ["rlimits"], "effects": effects}
    send({"type": "hello", "version": 1, "engine": "lua", "achieved": achieved})
    order = json.loads(receive())["params"]
    if order.get("core") is not None:
        os.sched_setaffinity(0, {order["core"]})
    args = json.dumps(order["args"], separators=(",", ":"))
    tail = f',"method":"{order["method"]}","args":{args}}}'
    times = []
    for number in range(1, order["calls"] + 1):
        body = b'{"type":"call","id":%d%b' % (number, tail.encode())
        began = time.perf_counter_ns()
        channel.sendall(len(body).to_bytes(4, "little") + body)
        receive()
        times.append((time.perf_counter_ns() - began) / 1000)
    times.sort()
    found = [times[int(share * len(times))] for share in (0.5, 0.95, 0.99)]
    send({"type": "done", "value": [*found, sum(times) / len(times)]})
    receive()


main()
