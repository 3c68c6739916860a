"""A fake supervisor: starts a real worker on a real socket pair and answers its calls."""

from __future__ import annotations

import os
import pathlib
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple

import lupa

from llmspell.channel import jsontext, messages
from llmspell.channel.connection import Connection
from llmspell.channel.states import Role
from llmspell.errors import LlmspellError

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAIN = ROOT / "llmspell" / "sandboxes" / "engines" / "main.py"
SITE = pathlib.Path(lupa.__file__).resolve().parents[1]
LANGUAGES = ("lua", "javascript", "python")
EXTENSIONS = {"lua": "lua", "javascript": "js", "python": "py"}

Answer = Callable[[dict[str, Any]], Any]


class Ended(NamedTuple):
    """How a run ended and what was heard meanwhile."""

    value: Any
    error: dict[str, Any] | None
    stdout: str
    stderr: str
    logs: list[messages.Log]
    calls: list[messages.Call]
    frames: list[messages.Message]


class Worker:
    """One worker and its channel. `answers` maps a wire method to a function of the arguments."""

    def __init__(self, language: str, *, limit_bytes: int = 0, arguments: tuple[str, ...] = ()) -> None:
        self.language = language
        ours, theirs = socket.socketpair()
        self.socket = ours
        self.connection = Connection(Role.SPELL)
        argv = [sys.executable, "-I", "-S", str(MAIN), "--engine", language, "--site", str(SITE), *arguments]
        self.pid = _spawn(argv, theirs, limit_bytes)
        theirs.close()
        self.inbox: list[messages.Message] = []

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def receive(self, timeout: float = 20.0) -> messages.Message | None:
        """The next message; None when the worker closed its channel."""
        deadline = time.monotonic() + timeout
        while not self.inbox:
            self.socket.settimeout(max(0.01, deadline - time.monotonic()))
            data = self.socket.recv(1 << 20)
            if not data:
                return None
            self.inbox += [
                message
                for message in self.connection.receive(data, time.monotonic())
                if not isinstance(message, messages.Part)
            ]
        return self.inbox.pop(0)

    def close(self) -> int:
        """Ends the channel, waits for the worker, gives its wait status."""
        self.socket.close()
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return status
            time.sleep(0.005)
        os.kill(self.pid, 9)
        return os.waitpid(self.pid, 0)[1]


def _spawn(argv: list[str], channel: socket.socket, limit_bytes: int) -> int:
    if limit_bytes:
        argv = ["/usr/bin/prlimit", f"--as={limit_bytes}", "--", *argv]
    with open(os.devnull, "r+b") as null:
        errors = int(os.environ.get("LLMSPELL_TEST_STDERR", str(null.fileno())))
        return os.posix_spawn(
            argv[0],
            argv,
            {},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, channel.fileno(), 3),
                (os.POSIX_SPAWN_DUP2, null.fileno(), 0),
                (os.POSIX_SPAWN_DUP2, null.fileno(), 1),
                (os.POSIX_SPAWN_DUP2, errors, 2),
            ],
        )


@contextmanager
def worker(language: str, **options: Any) -> Iterator[Worker]:
    one = Worker(language, **options)
    try:
        yield one
    finally:
        one.close()


def run_fields(language: str, source: str, **fields: Any) -> dict[str, Any]:
    return {
        "source": source,
        "name": f"spell.{EXTENSIONS[language]}",
        "profile": "medium",
        "params": {},
        "args": [],
        "env": {},
        "modules": [],
        "globals": {"VERSION": "0.1.0", "PLATFORM": "linux"},
        **fields,
    }


def run(
    language: str,
    source: str,
    answers: Mapping[str, Answer] | None = None,
    *,
    timeout: float = 20.0,
    limit_bytes: int = 0,
    arguments: tuple[str, ...] = (),
    **fields: Any,
) -> Ended:
    """Runs one spell to its end, answering each call at once."""
    with worker(language, limit_bytes=limit_bytes, arguments=arguments) as one:
        hello = one.receive(timeout)
        assert isinstance(hello, messages.Hello), hello
        one.send(one.connection.run(run_fields(language, source, **fields)))
        return drive(one, answers or {}, timeout)


def drive(one: Worker, answers: Mapping[str, Answer], timeout: float = 20.0) -> Ended:
    texts = {"stdout": "", "stderr": ""}
    logs: list[messages.Log] = []
    calls: list[messages.Call] = []
    frames: list[messages.Message] = []
    while True:
        message = one.receive(timeout)
        assert message is not None, f"the worker went away: {texts}"
        frames.append(message)
        if isinstance(message, messages.Output):
            texts[message.stream] += message.text
        elif isinstance(message, messages.Log):
            logs.append(message)
        elif isinstance(message, messages.Call):
            calls.append(message)
            one.send(answer(one, answers, message))
        elif isinstance(message, (messages.Done, messages.Failed)):
            value = message.value if isinstance(message, messages.Done) else None
            error = message.error if isinstance(message, messages.Failed) else None
            return Ended(value, error, texts["stdout"], texts["stderr"], logs, calls, frames)


def answer(one: Worker, answers: Mapping[str, Answer], call: messages.Call) -> bytes:
    action = answers.get(call.method)
    if action is None:
        return one.connection.refuse(
            call.id,
            {
                "code": 4008,
                "kind": "denied",
                "message": f"denied {call.method}",
                "rule": "medium.test",
                "hint": "to allow it: --allow-test",
                "trace_id": "t-1",
            },
        )
    try:
        return one.connection.reply(call.id, action(call.args))
    except LlmspellError as error:
        return one.connection.refuse(call.id, error.to_wire())


__all__ = ["Ended", "LANGUAGES", "Worker", "answer", "drive", "jsontext", "run", "worker"]
