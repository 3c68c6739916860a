"""A worker played from a script: started with the channel as descriptor 3 and its steps as JSON.

Steps: ["send", message], ["raw", hex], ["recv"], ["flood", message] (for ever),
["sleep", s], ["close"], ["exit", code]. For driver tests: no engine, no confinement.
"""

import json
import os
import socket
import sys
import time


def main() -> None:
    """Plays the steps in argv[1]."""
    channel = socket.socket(fileno=3)
    buffer = b""

    def send(message: object) -> None:
        body = json.dumps(message).encode()
        channel.sendall(len(body).to_bytes(4, "little") + body)

    def receive() -> None:
        nonlocal buffer
        while len(buffer) < 4 or len(buffer) < 4 + int.from_bytes(buffer[:4], "little"):
            data = channel.recv(65536)
            if not data:
                os._exit(0)
            buffer += data
        buffer = buffer[4 + int.from_bytes(buffer[:4], "little") :]

    for step in json.loads(sys.argv[1]):
        if step[0] == "send":
            send(step[1])
        elif step[0] == "flood":
            while True:
                send(step[1])
        elif step[0] == "raw":
            channel.sendall(bytes.fromhex(step[1]))
        elif step[0] == "recv":
            receive()
        elif step[0] == "sleep":
            time.sleep(step[1])
        elif step[0] == "close":
            channel.close()
        elif step[0] == "exit":
            os._exit(step[1])


main()
