"""The program of the tool worker: `python -I -S main.py --site DIR… [--zygote 1] [--confine LIB]`.

It loads everything, gives up what it could still reach, says `hello`, then runs tools. Nothing of a
spell arrives before `hello`. As a zygote it forks when everything is loaded, and each child is a
tool worker by its own plan. Exit codes: 0 the channel ended, 64 wrong arguments, 71 the
confinement could not be applied.
"""

from __future__ import annotations

import select  # a library file: it can't be opened after the confinement
import sys
from typing import NamedTuple

CHANNEL = 3
PROTOCOL_VERSION = 1
EXIT_USAGE = 64
EXIT_CONFINEMENT = 71
PLAN_MAX = 1_048_576


class Options(NamedTuple):
    """The command line; without a site it was a mistake."""

    sites: tuple[str, ...] = ()
    library: str | None = None
    is_zygote: bool = False


def main(arguments: list[str]) -> int:
    """Runs the worker over descriptor 3; returns the exit code."""
    options = _parse(arguments)
    if not options.sites:
        return _complain("the tool worker needs --site DIR", EXIT_USAGE)
    sys.path.extend(options.sites)

    from llmspell.tools.worker import preload

    preload()
    achieved: dict[str, object] = {"layers": [], "effects": {}}
    if options.library is not None:
        try:
            achieved = confine(options.library, options.is_zygote)
        except (OSError, ValueError, EOFError) as error:
            return _complain(f"the tool worker can't be confined: {error}", EXIT_CONFINEMENT)
    run(achieved)
    return 0


def _parse(arguments: list[str]) -> Options:
    options = Options()
    pending = iter(arguments)
    for flag in pending:
        value = next(pending, "")
        if flag == "--site" and value:
            options = options._replace(sites=(*options.sites, value))
        elif flag == "--confine" and value and options.library is None:
            options = options._replace(library=value)
        elif flag == "--zygote" and value == "1":
            options = options._replace(is_zygote=True)
        else:
            return Options()
    # Forked and unconfined there is no worker: a zygote without the library is a mistake.
    return Options() if options.is_zygote and options.library is None else options


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


def confine(library: str, is_zygote: bool) -> dict[str, object]:
    """Applies the plan to this process, or as a zygote to each child; what was achieved.

    Comes back in the workers only. Raises `OSError` with what failed, `EOFError`, `ValueError`.
    """
    import json

    from llmspell.sandboxes.engines.confinement import Confinement

    plan = read_plan()
    confinement = Confinement(library)
    confinement.load(plan)
    if is_zygote:
        from llmspell.sandboxes.engines.zygote import fork_on_order

        confinement.prepare_zygote()
        fork_on_order(confinement)
        confinement.load(read_plan())
    report = json.loads(confinement.enter())
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
