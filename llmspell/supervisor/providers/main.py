"""The program of the provider process: `python -I -B main.py`, the pipe home as descriptor 3.

Started by path, with an empty environment: where packages lie and which keys there are comes over
the pipe.
"""

from __future__ import annotations

import json
import os
import sys

PIPE = 3
START_MAX = 1_048_576


def main() -> None:
    """Reads how to start, then serves until the pipe ends."""
    length = int.from_bytes(_read_exactly(4), "little")
    if not 0 < length <= START_MAX:
        raise SystemExit("the provider process is started by a supervisor, not by hand")
    start = json.loads(_read_exactly(length))
    sys.path[:] = start.pop("path")

    from llmspell.supervisor.providers.serve import serve

    serve(PIPE, start)


def _read_exactly(size: int) -> bytes:
    data = b""
    while len(data) < size:
        piece = os.read(PIPE, size - len(data))
        if not piece:
            raise SystemExit(0)  # home is gone before it began
        data += piece
    return data


if __name__ == "__main__":
    main()
