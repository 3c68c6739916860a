"""Makes the calls of a file one after the other and writes down what each came to.

What the supervisor asks of a function that a call handed over is answered with a hostile value.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any

from channel_frames import frame, part, text  # type: ignore[import-not-found]

PIECE = 100_000
INVOKED: list[Any] = [
    *(None, 1, "x", [], {"action": "continue"}, {"result": [1]}, {"a": {"$callback": 9}}),
    *({"action": "redirect", "target": "file_writer"}, [{"op": "set", "key": "", "value": 1}]),
]
FAILURE = {"code": 5000, "kind": "x", "message": "an error of the function's own"}


def walk(channel: socket.socket, read: Callable[[], dict[str, Any]], calls: str, out: str) -> int:
    """`calls` holds `[label, method, args]` a line; `out` gets `[label, method, code, said,
    seconds]` a line, where code is 0 for a value. How many there were.
    """
    number = asked = 0
    with open(calls, encoding="utf-8") as lines, open(out, "w", encoding="utf-8") as answers:
        for line in lines:
            number += 1
            label, method, args = json.loads(line)
            call = {"type": "call", "id": number, "method": method, "args": args}
            spelled = json.dumps(call)
            begun = time.monotonic()
            if len(spelled) < PIECE:
                channel.sendall(frame(spelled.encode()))
            else:
                pieces = [spelled[at : at + PIECE] for at in range(0, len(spelled), PIECE)]
                for piece in pieces:
                    channel.sendall(part(piece, last=piece is pieces[-1]))
            while True:
                answer = read()
                if answer["type"] == "invoke":
                    asked += 1
                    told = {"type": "returned", "id": answer["id"]}
                    if asked % 10 == 0:
                        channel.sendall(text({**told, "ok": False, "error": FAILURE}))
                    else:
                        value = INVOKED[asked % len(INVOKED)]
                        channel.sendall(text({**told, "ok": True, "value": value}))
                elif answer.get("id") == number and "ok" in answer:
                    break
            took = time.monotonic() - begun
            code = 0 if answer["ok"] else answer["error"]["code"]
            said = answer.get("value") if answer["ok"] else answer["error"]
            answers.write(json.dumps([label, method, code, json.dumps(said)[:20_000], took]) + "\n")
    return number
