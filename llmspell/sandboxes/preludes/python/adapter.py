# The host: what carries frames, natively and as a wasm guest.
# A part of the prelude; tools check the whole, preludes/_generated/prelude.py.
# ruff: noqa
# mypy: ignore-errors

"""The Python prelude. Joined from llmspell/sandboxes/preludes/python by spells/api/generate.py.

It talks to a host of four methods: natively the worker passes `__host`; as a wasm guest it makes
one of WASI's calls, where one write to descriptor 0 is a frame and a read gives the rest of one.
"""

from __future__ import annotations

import binascii
import builtins
import os
import sys
import time

from _json import encode_basestring, make_encoder, make_scanner
from _thread import allocate_lock

# `typing` would cost every start more than the whole prelude.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Iterable, Mapping
    from typing import Any, NoReturn, Protocol, cast

    class Host(Protocol):
        """What carries frames."""

        def send(self, text: str) -> None: ...

        def recv(self, timeout_ms: float | None) -> str | None: ...

else:

    def cast(_type, value):
        return value

    # Named at run time in `cast(Any, …)` and `dict[str, Any]` only.
    Any = object


class WasiHost:
    """The channel of the wasm guest: descriptor 0."""

    FRAME_MAX = 1_048_576

    def send(self, text: str) -> None:
        os.write(0, text.encode("utf-8"))

    def recv(self, timeout_ms: float | None) -> str | None:
        if timeout_ms is not None:
            import select

            poll = select.poll()
            poll.register(0, select.POLLIN)
            if not poll.poll(max(0.0, timeout_ms)):
                return None
        data = os.read(0, self.FRAME_MAX)
        if not data:
            os._exit(0)
        return data.decode("utf-8")


HOST: Host = globals().pop("__host", None) or WasiHost()


def now_ms() -> float:
    """Monotonic milliseconds."""
    return time.monotonic() * 1000
