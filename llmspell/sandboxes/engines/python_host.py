"""CPython itself: the prelude runs in this very interpreter, the kernel is the boundary."""

from __future__ import annotations

from llmspell.sandboxes.engines.host import OUT_OF_MEMORY
from llmspell.sandboxes.engines.wire import Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any, Final

CODECS: Final = ("ascii", "latin_1", "utf_16", "utf_32", "utf_8_sig", "unicode_escape")
"""Codecs that are looked up by name, from files, at their first use."""


class TextWire:
    """The channel as the prelude wants it: text in, text out."""

    __slots__ = ("_wire",)

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    def send(self, text: str) -> None:
        """Sends one frame."""
        self._wire.send(text.encode("utf-8"))

    def recv(self, timeout_ms: float | None) -> str | None:
        """The next frame, or None when none came in time."""
        frame = self._wire.recv(timeout_ms)
        return None if frame is None else frame.decode("utf-8")


class PythonHost:
    """The compiled prelude, and every module loaded that a spell may import."""

    __slots__ = ("_code", "_wire")

    def __init__(self, wire: Wire, prelude: str, modules: list[str] | None) -> None:
        self._wire = wire
        self._code = _compile(prelude)
        _warm()
        for name in modules or ():
            _load(name)

    def renew(self, limit: Callable[[int], int | None]) -> None:
        """Nothing: `random` seeds itself at each fork, and no limit is kept."""

    def run(self) -> None:
        """Runs the prelude; it ends the process itself."""
        world: dict[str, Any] = {"__name__": "llmspell_prelude", "__host": TextWire(self._wire)}
        try:
            exec(self._code, world)
        except MemoryError:
            self._wire.send(OUT_OF_MEMORY)


def _compile(path: str) -> CodeType:
    # The loader uses the cached bytecode where there is one: compiling costs 30 ms.
    from importlib.machinery import SourceFileLoader

    code = SourceFileLoader("llmspell_prelude", path).get_code("llmspell_prelude")
    assert code is not None
    return code


def _load(name: str) -> None:
    try:
        __import__(name)
    except ImportError:
        # Not of this Python version; or of the spell's own folder, read through the broker later.
        return


def _warm() -> None:
    """What CPython loads at its first use of a feature."""
    for name in CODECS:
        __import__(f"encodings.{name}")
    # What the prelude itself imports, some of it late; and the first compile costs 5 ms.
    exec(compile("import _ast, binascii, io, json, select", "warm", "exec"), {})
