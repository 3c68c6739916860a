"""Lua 5.4 by lupa. No Python object reaches a spell: only text, numbers and nil cross (LU-09)."""

from __future__ import annotations

import os
import time

from lupa.lua54 import LuaMemoryError, LuaRuntime

from llmspell.sandboxes.engines.host import OUT_OF_MEMORY
from llmspell.sandboxes.engines.wire import Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

_OPEN_HOST = b"""
local send, recv, clock, random, seed = ...
local traceback, randomseed = debug.traceback, math.randomseed
local seeded = false
-- Closures, so that what the prelude holds are Lua functions and no Python objects.
__host = {
  send = function(text) return send(text) end,
  recv = function(timeout)
    local text = recv(timeout)
    -- After the first wait, in which a zygote forks: before it, its children would share the seed.
    if not seeded then
      seeded = true
      randomseed(seed(), seed())
    end
    return text
  end,
  clock = function(kind) return clock(kind) end,
  random = function(count) return random(count) end,
  traceback = traceback,
}
"""


class LuaHost:
    """One Lua state and the compiled prelude."""

    __slots__ = ("_lua", "_prelude", "_wire")

    def __init__(self, wire: Wire, prelude: str, modules: list[str] | None) -> None:
        self._wire = wire
        self._lua = LuaRuntime(
            encoding=None,
            register_eval=False,
            register_builtins=False,
            attribute_filter=_deny_attribute,
            unpack_returned_tuples=False,
        )
        with open(prelude, "rb") as file:
            self._prelude = self._lua.compile(file.read(), name=b"=llmspell", mode=b"t")

    def renew(self, limit: Callable[[int], int | None]) -> None:
        """Nothing: the generator is seeded after the fork, and no limit is kept."""

    def run(self) -> None:
        """Evaluates the prelude; an error that even it could not report is a lack of memory."""
        try:
            self._lua.compile(_OPEN_HOST, name=b"=llmspell", mode=b"t")(
                self._send,
                self._recv,
                _clock,
                os.urandom,
                _seed,
            )
            self._prelude()
        except (LuaMemoryError, MemoryError):
            self._wire.send(OUT_OF_MEMORY)

    def _send(self, text: bytes) -> bool:
        # Nothing is raised into Lua: an exception would arrive there as a Python object.
        try:
            self._wire.send(text)
        except Exception:
            return False
        return True

    def _recv(self, timeout_ms: float | None) -> bytes | bool | None:
        try:
            return self._wire.recv(timeout_ms)
        except Exception:
            return False


def _seed() -> int:
    return int.from_bytes(os.urandom(7), "little")


def _clock(kind: Any) -> float:
    return (time.monotonic() if kind == 1 else time.time()) * 1000


def _deny_attribute(_owner: object, _name: object, _setting: bool) -> NoReturn:
    raise AttributeError("no attribute of a Python object can be reached from Lua")
