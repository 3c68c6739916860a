"""The worker's side of `bench/calls.py`: a bare process that makes N calls, one after the other.

Started with the channel as descriptor 3, like a worker; the first frame it gets is an order:
`{"calls": N, "message": {…}}` from the bare broker, or `run` from the supervisor.
"""

import json
import socket
import sys


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
    for number in range(1, order["calls"] + 1):
        call = {"type": "call", "id": number, "method": order["method"], "args": order["args"]}
        send(call)
        receive()
    send({"type": "done", "value": None})
    receive()


main()
