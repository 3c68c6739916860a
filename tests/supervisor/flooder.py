"""A worker that floods: calls as fast as they are taken, answers thrown away, until it is ended."""

import json
import select
import socket


def main() -> None:
    """Floods."""
    channel = socket.socket(fileno=3)
    effects = dict.fromkeys(("files", "network", "processes", "spawn", "privilege"), True)
    achieved = {"layers": ["rlimits"], "effects": effects}
    hello = {"type": "hello", "version": 1, "engine": "lua", "achieved": achieved}
    body = json.dumps(hello).encode()
    channel.sendall(len(body).to_bytes(4, "little") + body)
    channel.recv(65536)
    channel.setblocking(False)
    waiting, number = b"", 0
    while True:
        while len(waiting) < 65536:
            number += 1
            body = b'{"type":"call","id":%d,"method":"test.now","args":{}}' % number
            waiting += len(body).to_bytes(4, "little") + body
        readable, writable, _ = select.select([channel], [channel], [])
        if readable and not channel.recv(65536):
            return
        if writable:
            waiting = waiting[channel.send(waiting) :]


main()
