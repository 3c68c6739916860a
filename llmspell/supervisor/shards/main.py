"""The program of a shard: `python -I -B main.py`, the pipe to its home as descriptor 3.

Started by path, with an empty environment: where its packages lie comes over the pipe, too.
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
        raise SystemExit("a shard is started by a supervisor, not by hand")
    start = json.loads(_read_exactly(length))
    sys.path[:] = start.pop("path")

    from llmspell.supervisor.shards.shard import serve

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
