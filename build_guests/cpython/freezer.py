"""Turns the standard library into bytecode, by the very interpreter that will run it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from build_guests.cpython.library import BOOTSTRAP, Module
from build_guests.settings import BuildError

_STACK = (2 << 20) - (64 << 10)  # the most that wasmtime's package takes


def freeze(interpreter: bytes, library: Path, modules: list[Module]) -> dict[str, bytes]:
    """The marshalled code of each module by name. Raises BuildError.

    `interpreter` is `python_freeze.c`'s guest, `library` CPython's folder `Lib`.
    """
    wanted = [(name, file) for name, file in BOOTSTRAP.items()]
    wanted += [(module.name, module.file) for module in modules]
    frames = [_frame(name, library / file) for name, file in wanted]
    answers = _Host(frames).run(interpreter)
    if len(answers) != len(wanted):
        raise BuildError(f"{wanted[len(answers)][0]} could not be compiled for the Python guest")
    return {name: answer for (name, _), answer in zip(wanted, answers, strict=True)}


def _frame(name: str, file: Path) -> bytes:
    code = BOOTSTRAP.get(name)
    shown = code.removesuffix(".py").replace("/", ".") if code else name
    return shown.encode() + b"\0" + file.read_bytes()


class _Host:
    """The guest's six imports: sources in, bytecode out."""

    def __init__(self, frames: list[bytes]) -> None:
        self._frames = list(reversed(frames))
        self._frame = b""
        self._answers: list[bytes] = []
        self._memory: Any = None

    def run(self, interpreter: bytes) -> list[bytes]:
        import wasmtime

        configuration = wasmtime.Config()
        configuration.max_wasm_stack = _STACK
        configuration.cranelift_opt_level = "none"  # compiled once and used for a second
        engine = wasmtime.Engine(configuration)
        store = wasmtime.Store(engine)
        linker = wasmtime.Linker(engine)
        module = wasmtime.Module(engine, interpreter)
        calls: dict[str, Any] = {
            "send": self._send,
            "recv": self._recv,
            "read": self._read,
            "clock": lambda store, kind: 0.0 if kind else time.time() * 1000,
            "random": self._random,
            "exit": self._exit,
        }
        for item in module.imports:
            kind: Any = item.type
            name = str(item.name)
            linker.define_func(item.module, name, kind, calls[name], access_caller=True)
        instance = linker.instantiate(store, module)
        exports: Any = instance.exports(store)
        self._memory = exports["memory"]
        exports["_initialize"](store)
        try:
            exports["guest_run"](store)
        except wasmtime.WasmtimeError as error:
            raise BuildError(f"the Python guest could not compile its library: {error}") from error
        return self._answers

    def _send(self, store: Any, place: int, length: int) -> int:
        self._answers.append(bytes(self._memory.read(store, place, place + length)))
        return 0

    def _recv(self, store: Any, limit: float) -> int:
        if not self._frames:
            return -1
        self._frame = self._frames.pop()
        return len(self._frame)

    def _read(self, store: Any, place: int) -> None:
        self._memory.write(store, self._frame, place)

    def _random(self, store: Any, place: int, length: int) -> None:
        self._memory.write(store, os.urandom(length), place)

    def _exit(self, store: Any, status: int) -> None:
        raise BuildError(f"the Python guest ended with status {status} while it was built")
