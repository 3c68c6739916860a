"""The worker's side of a bare call: a process that sends a JSON frame and waits for its answer.

Started with its channel as descriptor 3. The first frame it gets is its order:
`{"size": S, "times": N}`; the last one it sends is the list of round trips in microseconds.
"""

import json
import socket
import time


def main() -> None:
    """Plays a worker."""
    channel = socket.socket(fileno=3)
    buffer = bytearray()

    def send(message: object) -> None:
        body = json.dumps(message, separators=(",", ":")).encode()
        channel.sendall(len(body).to_bytes(4, "little") + body)

    def receive() -> object:
        while len(buffer) < 4 or len(buffer) < 4 + int.from_bytes(buffer[:4], "little"):
            buffer.extend(channel.recv(262_144))
        size = int.from_bytes(buffer[:4], "little")
        message: object = json.loads(buffer[4 : 4 + size])
        del buffer[: 4 + size]
        return message

    order = receive()
    assert isinstance(order, dict)
    payload = "x" * order["size"]
    spent = []
    for number in range(order["times"]):
        begun = time.perf_counter()
        send({"type": "call", "id": number, "method": "echo", "args": {"data": payload}})
        receive()
        spent.append((time.perf_counter() - begun) * 1e6)
    send({"type": "done", "value": spent})


main()
