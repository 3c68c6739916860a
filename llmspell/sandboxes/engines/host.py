"""What the three hosts have in common: built before confinement, run after it."""

from __future__ import annotations

from llmspell.sandboxes.engines.wire import Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final, Protocol

    class Host(Protocol):
        """One engine with its prelude read and everything loaded that a spell may need."""

        def run(self) -> None:
            """Evaluates the prelude, which drives one spell from `run` to its end."""

        def renew(self, limit: Callable[[int], int | None]) -> None:
            """In a zygote's child, still unconfined: makes anew what depends on the limits.

            `limit` tells the bound that its plan will set on a resource of setrlimit(2).
            """

    HostFactory = Callable[[Wire, str, list[str] | None], Host]
    """(channel, path of the prelude, modules to load beforehand or None) → a host."""

OUT_OF_MEMORY: Final = (
    b'{"type":"failed","error":{"code":4005,"kind":"memory",'
    b'"message":"the spell used more memory than it may"}}'
)
"""Encoded beforehand: when it is needed there may be no memory left to encode anything."""


def load_host(engine: str) -> HostFactory:
    """The host of `engine`; only that engine is imported."""
    if engine == "lua":
        from llmspell.sandboxes.engines.lua_host import LuaHost

        return LuaHost
    if engine == "javascript":
        from llmspell.sandboxes.engines.javascript_host import JavaScriptHost

        return JavaScriptHost
    from llmspell.sandboxes.engines.python_host import PythonHost

    return PythonHost
