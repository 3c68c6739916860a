"""What the tools' tests share: a host in memory, and a supervisor's end of a real tool worker."""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from llmspell.channel import messages
from llmspell.channel.connection import Connection
from llmspell.channel.states import Role
from llmspell.errors import LlmspellError, Missing
from llmspell.tools.registry import get

ROOT = Path(__file__).resolve().parents[2]
MAIN = ROOT / "llmspell" / "tools" / "main.py"

FILES = {
    "./research/data.txt": b"Ada\nGrace\n",
    "./images/chart.png": b"\x89PNG\r\n\x1a\n\x00\x00",
    "./data/sales.csv": b"category,amount\nbooks,1200\ntoys,300\nbooks,1500\n",
    "./output/report.md": b"old",
}


class MemoryHost:
    """Answers brokered calls from memory and records them."""

    def __init__(self, files: dict[str, bytes] | None = None) -> None:
        self.files = dict(FILES if files is None else files)
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.slept: list[float] = []
        self.answer: Callable[[dict[str, Any]], Any] = lambda args: {
            "status": 200,
            "headers": {"content-type": "application/json"},
            "body": b'{"ok": true}',
            "url": args["url"],
        }

    async def call(self, method: str, args: dict[str, Any]) -> Any:
        return self.act(method, args)

    def act(self, method: str, args: dict[str, Any]) -> Any:
        self.calls.append((method, args))
        if method == "http.request":
            return self.answer(args)
        if method == "fs.list":
            return self._list(args)
        path = args["path"]
        if method == "fs.exists":
            return path in self.files
        if method == "fs.write":
            self.files[path] = _bytes(args["data"])
            return None
        if method == "fs.append":
            self.files[path] = self.files.get(path, b"") + _bytes(args["data"])
            return None
        if path not in self.files:
            raise Missing(f"there is no file {path}")
        data = self.files[path]
        if method == "fs.stat":
            return {"type": "file", "size": len(data), "modified": 0.0, "readonly": False}
        end = None if args.get("length") is None else args["offset"] + args["length"]
        return data[args.get("offset", 0) : end]

    def _list(self, args: dict[str, Any]) -> list[dict[str, Any]]:
        from fnmatch import fnmatch

        entries = [
            {
                "name": path.rsplit("/", 1)[1],
                "path": path,
                "type": "file",
                "size": len(data),
                "modified": 1_700_000_000.0,
            }
            for path, data in self.files.items()
            if path.startswith(args["path"].rstrip("/") + "/")
            and (args["recursive"] or path.count("/") == args["path"].count("/") + 1)
        ]
        pattern = args.get("pattern") or "*"
        return [entry for entry in entries if fnmatch(str(entry["name"]), pattern)][: args["limit"]]

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)


def _bytes(data: str | bytes) -> bytes:
    return data.encode("utf-8") if isinstance(data, str) else data


def finish(work: Coroutine[Any, Any, Any]) -> Any:
    """The result of a coroutine that never really waits."""
    try:
        work.send(None)
    except StopIteration as stop:
        return stop.value
    raise AssertionError("the tool waits for something the host does not answer")


def use(name: str, given: dict[str, Any], host: MemoryHost | None = None) -> Any:
    """The `result` of a tool."""
    return use_whole(name, given, host)["result"]


def use_whole(name: str, given: dict[str, Any], host: MemoryHost | None = None) -> Any:
    """The whole output of a tool."""
    return finish(get(name).run(given, host or MemoryHost()))


class Process:
    """A child with its channel at descriptor 3, an empty environment and its words kept."""

    def __init__(self, argv: list[str], channel: int) -> None:
        reader, writer = os.pipe()
        self.stderr = os.fdopen(reader, encoding="utf-8")
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
            (os.POSIX_SPAWN_DUP2, writer, 2),
            (os.POSIX_SPAWN_DUP2, channel, 3),
        ]
        self.pid = os.posix_spawn(argv[0], argv, {}, file_actions=actions)
        os.close(writer)
        self.returncode: int | None = None

    def wait(self, timeout: float) -> int:
        """The exit code, or minus the signal; `TimeoutError`."""
        deadline = time.monotonic() + timeout
        while self.returncode is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
            elif time.monotonic() > deadline:
                raise TimeoutError
            else:
                time.sleep(0.005)
        return self.returncode

    def kill(self) -> None:
        if self.returncode is None:
            os.kill(self.pid, signal.SIGKILL)


class Worker:
    """A real tool worker process, seen from the supervisor's end of its channel."""

    def __init__(self, *options: str, program: list[str] | None = None) -> None:
        ours, theirs = socket.socketpair()
        self.socket = ours
        command = program or [str(MAIN), "--site", str(ROOT), *options]
        self.process = Process([sys.executable, "-I", "-S", *command], theirs.fileno())
        theirs.close()
        self.connection = Connection(Role.TOOLS)
        self.waiting: list[messages.Message] = []

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        try:
            self.process.wait(timeout=5)
        except TimeoutError:
            self.process.kill()
            self.process.wait(timeout=5)
        self.process.stderr.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def next(self, seconds: float = 20.0) -> messages.Message:
        """The worker's next message; `TimeoutError` after `seconds`, `EOFError` at its end."""
        deadline = time.monotonic() + seconds
        while not self.waiting:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                raise TimeoutError
            data = os.read(self.socket.fileno(), 1 << 20)
            if not data:
                raise EOFError(self.process.stderr.read())
            self.waiting += self.connection.receive(data, time.monotonic())
        return self.waiting.pop(0)

    def start(self) -> messages.Hello:
        hello = self.next()
        assert isinstance(hello, messages.Hello)
        return hello

    def invoke(self, tool: str, given: Any) -> int:
        number, data = self.connection.invoke(0, [tool, given])
        self.send(data)
        return number

    def use(self, tool: str, given: Any, host: MemoryHost | None = None) -> messages.Returned:
        """Runs one tool to its end, answering its calls from memory."""
        number = self.invoke(tool, given)
        host = host or MemoryHost()
        while True:
            message = self.next()
            if isinstance(message, messages.Returned):
                assert message.id == number
                return message
            assert isinstance(message, messages.Call)
            try:
                self.send(self.connection.reply(message.id, host.act(message.method, message.args)))
            except LlmspellError as error:
                self.send(self.connection.refuse(message.id, error.to_wire()))
