"""The least that a brokered call can cost: JSON frames over a socket pair, decoded and answered.

One epoll loop, no schema, no policy, no budget, no audit; the client is another process.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
from pathlib import Path
from typing import Any, Final

CLIENT: Final = str(Path(__file__).with_name("echo_client.py"))
DOES: Final = "a bare loop: no confinement, no checks, no policy, no budget, no audit"


def round_trips_us(times: int, size: int = 1) -> list[float]:
    """Microseconds of each call as the client sees it; `size` characters go there and back."""
    ours, theirs = socket.socketpair()
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-I", "-S", CLIENT],
        os.environ,
        file_actions=[(os.POSIX_SPAWN_DUP2, theirs.fileno(), 3)],
    )
    theirs.close()
    poll = select.epoll()
    poll.register(ours.fileno(), select.EPOLLIN)
    try:
        _send(ours, {"size": size, "times": times})
        return _serve(ours, poll)
    finally:
        poll.close()
        ours.close()
        os.waitpid(pid, 0)


def _serve(channel: socket.socket, poll: select.epoll) -> list[float]:
    buffer = bytearray()
    while True:
        poll.poll()
        data = channel.recv(262_144)
        if not data:
            raise RuntimeError("the client of the bare loop ended early")
        buffer += data
        while len(buffer) >= 4:
            size = int.from_bytes(buffer[:4], "little")
            if len(buffer) < 4 + size:
                break
            message: dict[str, Any] = json.loads(buffer[4 : 4 + size])
            del buffer[: 4 + size]
            if message["type"] == "done":
                return [float(value) for value in message["value"]]
            value = message["args"]["data"]
            _send(channel, {"type": "reply", "id": message["id"], "ok": True, "value": value})


def _send(channel: socket.socket, message: object) -> None:
    body = json.dumps(message, separators=(",", ":")).encode()
    channel.sendall(len(body).to_bytes(4, "little") + body)
