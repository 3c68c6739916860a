"""Makes the primitives fail where a test says so, and notes where they are used.

Nothing of the product knows of it: the primitives themselves are replaced, in a process of the
test's own, and each replaced one asks who calls it. A site in another library (the streams below
`http`) is named by the library.
"""

from __future__ import annotations

import builtins
import fcntl
import os
import pathlib
import select
import signal
import socket
import sqlite3
import sys
import tempfile
from _socket import socketpair as bare_pair
from collections import Counter
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any, Final, NamedTuple

from tests.faults.failures import Act, strike
from tests.faults.sites import Site, all_sites, site_of_code

STREAM: Final = ("supervisor/services/web", "stream")
"""The module and function of sites that lie in httpcore, below the broker's `http`."""


class Fault(NamedTuple):
    """A failure at one site: at its `turn`-th use (from 1); with `+` at each from then on."""

    site: Site
    kind: str
    turn: int = 1


class Injector:
    """What the replaced primitives ask: the `faults` strike, `uses` counts each site's uses."""

    def __init__(self, faults: Sequence[Fault] = ()) -> None:
        self.faults = {fault.site: fault for fault in faults}
        self.uses: Counter[Site] = Counter()
        self.struck: set[Site] = set()
        self.pid = os.getpid()
        self.spawned: set[int] = set()

    def meet(self, site: Site | None) -> str | None:
        """The failure that strikes at this use of the site."""
        if site is None or os.getpid() != self.pid:
            return None
        self.uses[site] += 1
        fault = self.faults.get(site)
        if fault is None:
            return None
        turn = self.uses[site]
        if turn == fault.turn or (turn > fault.turn and fault.kind.endswith("+")):
            self.struck.add(site)
            return fault.kind
        return None

    def meet_caller(self, primitive: str, frame: FrameType) -> str | None:
        """As `meet`, for the function of this frame."""
        code = frame.f_code
        return self.meet(site_of_code(code.co_filename, code.co_qualname, primitive))

    def replaced(self, primitive: str, real: Act) -> Act:
        """`real`, but for what strikes."""

        def faulty(*args: Any, **named: Any) -> Any:
            kind = self.meet_caller(primitive, sys._getframe(1))
            if kind is None:
                return real(*args, **named)
            return strike(kind, real, args, named)

        return faulty

    def install(self) -> None:
        """Replaces the primitives, for the rest of this process's life."""
        spawn = os.posix_spawn

        def spawning(*args: Any, **named: Any) -> int:
            pid = spawn(*args, **named)
            self.spawned.add(pid)
            return pid

        os.posix_spawn = spawning
        named = {site.primitive for site in all_sites()}
        for primitive in named:
            owner, _, name = primitive.partition(".")
            module = _MODULES.get(owner)
            if module is not None and hasattr(module, name):
                real = getattr(module, name)
                fake = self.replaced(primitive, real)
                setattr(module, name, fake)
                for able in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
                    if real in able:
                        able.add(fake)
        for name in ("send", "sendall", "sendmsg", "recv", "recvmsg"):
            real = getattr(socket.socket, name)
            setattr(socket.socket, name, self.replaced(f"socket.{name}", real))
        for name, primitive in (("read_bytes", "path.read"), ("read_text", "path.read")):
            setattr(pathlib.Path, name, self.replaced(primitive, getattr(pathlib.Path, name)))
        self._install_files()
        self._install_pairs()
        self._install_polls()
        self._install_databases()

    def _install_files(self) -> None:
        injector, real_open, real_fdopen = self, builtins.open, os.fdopen

        def opened(primitive: str, real: Act) -> Act:
            def faulty(*args: Any, **named: Any) -> Any:
                caller = sys._getframe(1)
                code = caller.f_code
                site = site_of_code(code.co_filename, code.co_qualname, primitive)
                kind = injector.meet(site)
                file = real(*args, **named) if kind is None else strike(kind, real, args, named)
                return file if site is None else _File(injector, file)

            return faulty

        vars(builtins)["open"] = opened("open", real_open)
        vars(os)["fdopen"] = opened("os.fdopen", real_fdopen)

    def _install_pairs(self) -> None:
        from llmspell.supervisor import crew, guest_image, runner

        injector, real = self, socket.socketpair

        def bare(*given: Any) -> Any:
            return tuple(
                _bare_socket(injector)(one.family, one.type, one.proto, one.detach())
                for one in bare_pair(*given)
            )

        socket.socketpair = self.replaced("socketpair", real)
        for module in (crew, guest_image, runner):
            vars(module)["socketpair"] = self.replaced("socketpair", bare)

    def _install_polls(self) -> None:
        injector, real = self, select.poll

        class Poll:
            def __init__(self) -> None:
                self._real = real()
                self.register = self._real.register
                self.unregister = self._real.unregister
                self.modify = self._real.modify
                self.poll = injector.replaced("poll", self._real.poll)

        vars(select)["poll"] = Poll

    def _install_databases(self) -> None:
        injector, real = self, sqlite3.connect

        class Connection(sqlite3.Connection):
            execute = injector.replaced("sqlite.execute", sqlite3.Connection.execute)
            executemany = injector.replaced("sqlite.execute", sqlite3.Connection.executemany)
            commit = injector.replaced("sqlite.execute", sqlite3.Connection.commit)
            backup = injector.replaced("sqlite.execute", sqlite3.Connection.backup)

        def connect(*args: Any, **named: Any) -> Any:
            kind = injector.meet_caller("sqlite3.connect", sys._getframe(1))
            named.setdefault("factory", Connection)
            return real(*args, **named) if kind is None else strike(kind, real, args, named)

        vars(sqlite3)["connect"] = connect

    def install_streams(self) -> None:
        """Replaces what `http` reads and writes by; it imports httpcore."""
        import httpcore

        injector, backend = self, httpcore.AnyIOBackend
        real_connect = backend.connect_tcp

        async def connect_tcp(self: Any, *args: Any, **named: Any) -> Any:
            kind = injector.meet(Site("supervisor/services/dial", "Dialler._connected_to", CONNECT))
            if kind is not None:
                await _strike_later(kind, httpcore.ConnectError)
            stream: Any = await real_connect(self, *args, **named)
            for name, wrong in (("read", httpcore.ReadError), ("write", httpcore.WriteError)):
                setattr(
                    stream, name, injector._streamed(f"net.{name}", getattr(stream, name), wrong)
                )
            return stream

        vars_of = {"connect_tcp": connect_tcp}
        for name, function in vars_of.items():
            setattr(backend, name, function)

    def _streamed(self, primitive: str, real: Act, wrong: type[Exception]) -> Act:
        async def faulty(*args: Any, **named: Any) -> Any:
            kind = self.meet(Site(*STREAM, primitive))
            if kind == "end":
                return b""
            if kind is not None:
                await _strike_later(kind, wrong)
            return await real(*args, **named)

        return faulty


CONNECT: Final = "net.connect"
_MODULES: Final[dict[str, Any]] = {
    "os": os,
    "fcntl": fcntl,
    "signal": signal,
    "socket": socket,
    "tempfile": tempfile,
    "select": select,
}


async def _strike_later(kind: str, wrong: type[Exception]) -> None:
    """As `strike`, for what is awaited: a hang never ends, for nothing may wait for it."""
    if kind == "hang":
        import asyncio

        await asyncio.sleep(3600)
    raise wrong(kind)


class _File:
    """An open file whose reads and writes can fail."""

    def __init__(self, injector: Injector, real: Any) -> None:
        self._real = real
        self.read = injector.replaced("file.read", real.read)
        self.readline = injector.replaced("file.read", real.readline)
        if real.writable():
            self.write = injector.replaced("file.write", real.write)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_: object) -> None:
        self._real.close()

    def __iter__(self) -> Any:
        return iter(self._real)


def _bare_socket(injector: Injector) -> Callable[..., Any]:
    """A class of C sockets whose methods can fail; the cold path uses them without `socket`."""
    import _socket

    class Bare(_socket.socket):
        send = injector.replaced("socket.send", _socket.socket.send)
        sendall = injector.replaced("socket.sendall", _socket.socket.sendall)
        recv = injector.replaced("socket.recv", _socket.socket.recv)

    return Bare
