# The host: what carries frames, natively and as a wasm guest.
# A part of the prelude; tools check the whole, preludes/_generated/prelude.py.
# ruff: noqa
# mypy: ignore-errors

"""The Python prelude. Joined from llmspell/sandboxes/preludes/python by spells/api/generate.py.

It talks to a host of two methods, `__host`, and is evaluated before there is a spell. As a wasm guest
it is then copied into each run (`__host.boots`), natively it goes on at once.
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


HOST: Host = globals().pop("__host")


def now_ms() -> float:
    """Monotonic milliseconds."""
    return time.monotonic() * 1000
