"""The program of the tool worker: `python -I -S main.py --site DIR… [--confine LIB]`.

It loads everything, gives up what it could still reach, says `hello`, then runs tools. Nothing of a
spell arrives before `hello`. Exit codes: 0 the channel ended, 64 wrong arguments, 71 the
confinement could not be applied.
"""

from __future__ import annotations

import select  # a library file: it can't be opened after the confinement
import sys

CHANNEL = 3
PROTOCOL_VERSION = 1
EXIT_USAGE = 64
EXIT_CONFINEMENT = 71
PLAN_MAX = 1_048_576


def main(arguments: list[str]) -> int:
    """Runs the worker over descriptor 3; returns the exit code."""
    sites, library = _parse(arguments)
    if not sites:
        return _complain("the tool worker needs --site DIR", EXIT_USAGE)
    sys.path.extend(sites)

    from llmspell.tools.worker import preload

    preload()
    achieved: dict[str, object] = {"layers": [], "effects": {}}
    if library is not None:
        try:
            achieved = confine(library, read_plan())
        except (OSError, ValueError, EOFError) as error:
            return _complain(f"the tool worker can't be confined: {error}", EXIT_CONFINEMENT)
    run(achieved)
    return 0


def _parse(arguments: list[str]) -> tuple[list[str], str | None]:
    sites: list[str] = []
    library: str | None = None
    pending = iter(arguments)
    for flag in pending:
        value = next(pending, "")
        if flag == "--site" and value:
            sites.append(value)
        elif flag == "--confine" and value and library is None:
            library = value
        else:
            return [], None
    return sites, library


def _complain(sentence: str, code: int) -> int:
    sys.stderr.write(sentence + "\n")
    return code


def _read_exactly(size: int) -> bytes:
    import os

    data = b""
    while len(data) < size:
        piece = os.read(CHANNEL, size - len(data))
        if not piece:
            raise EOFError("the channel ended")
        data += piece
    return data


def read_plan() -> bytes:
    """The first frame: the second stage's plan. Raises `EOFError`, or `ValueError` on its size."""
    size = int.from_bytes(_read_exactly(4), "little")
    if not 0 < size <= PLAN_MAX:
        raise ValueError(f"a plan of {size} bytes")
    return _read_exactly(size)


def confine(library: str, plan: bytes) -> dict[str, object]:
    """Applies the plan to this process; what was achieved. Raises `OSError` with what failed."""
    import ctypes
    import json

    code = ctypes.CDLL(library)
    code.confine_error.restype = ctypes.c_char_p
    code.confine_report_json.restype = ctypes.c_char_p
    code.confine_load.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
    if code.confine_load(plan, len(plan)) != 0 or code.confine_stage2() != 0:
        raise OSError((code.confine_error() or b"").decode("utf-8", "replace"))
    report = json.loads(code.confine_report_json())
    return {"layers": report["layers"], "effects": report["effects"]}


def run(achieved: dict[str, object]) -> None:
    """Says hello and serves until the channel ends."""
    import os

    from llmspell.channel.framing import FrameReader, frames_of
    from llmspell.channel.jsontext import encode
    from llmspell.tools.worker import serve

    reader = FrameReader()
    ready: list[bytes] = []
    poller = select.poll()
    poller.register(CHANNEL, select.POLLIN)

    def send(data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(CHANNEL, rest) :]

    def recv(timeout_ms: float | None) -> bytes | None:
        while not ready:
            if timeout_ms is not None and not poller.poll(timeout_ms):
                return None
            data = os.read(CHANNEL, 262_144)
            if not data:
                raise EOFError
            ready.extend(reader.feed(data))
            timeout_ms = None if timeout_ms is None else 0.0
        return ready.pop(0)

    hello = {"type": "hello", "version": PROTOCOL_VERSION, "engine": "tools", "achieved": achieved}
    try:
        send(frames_of(encode(hello)))
        serve(send, recv)
    except (BrokenPipeError, ConnectionResetError):
        return


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
