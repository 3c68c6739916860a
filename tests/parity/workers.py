"""A fake supervisor: starts a real worker on a real socket pair and answers its calls.

Four kinds of worker host the same preludes: `bare` is the native host without confinement,
`medium` the same behind the launcher with the real plan, `forked` the same as a zygote's child,
`high` the wasm guest with its plan.
"""

from __future__ import annotations

import os
import pathlib
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import lupa
import pytest

from llmspell import platform
from llmspell.channel import messages
from llmspell.channel.connection import Connection
from llmspell.channel.framing import frame
from llmspell.channel.states import Role
from llmspell.errors import LlmspellError
from llmspell.platform.linux.zygote import Forked
from tests.parity import zygotes

ROOT: Final = pathlib.Path(__file__).resolve().parents[2]
SANDBOXES: Final = ROOT / "llmspell" / "sandboxes"
SITE: Final = pathlib.Path(lupa.__file__).resolve().parents[1]
LANGUAGES: Final = ("lua", "javascript", "python")
KINDS: Final = ("bare", "medium", "forked", "high")
EXTENSIONS: Final = {"lua": "lua", "javascript": "js", "python": "py"}
MEMORY: Final = 512 << 20

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

    def called(self, method: str) -> list[dict[str, Any]]:
        """The arguments of every call of a method."""
        return [call.args for call in self.calls if call.method == method]


class Worker:
    """One worker and its channel."""

    def __init__(
        self,
        language: str,
        kind: str = "bare",
        *,
        memory: int = MEMORY,
        cpu: int = 60,
        arguments: tuple[str, ...] = (),
    ) -> None:
        self.language = language
        self.connection = Connection(Role.SPELL)
        self.inbox: list[messages.Message] = []
        self.hello: messages.Hello | None = None
        self.process: platform.Process | Forked
        if kind == "forked":
            require(kind, language)
            zygote = zygotes.kept(language, arguments)
            wanted = zygotes.confinement(memory=memory, cpu=cpu)
            self.process, self.socket = zygotes.fork(zygote, wanted)
            return
        self.socket, theirs = socket.socketpair()
        argv, preamble, fds = _start(language, kind, memory, cpu, arguments)
        self.socket.sendall(preamble)
        errors = os.environ.get("LLMSPELL_TEST_STDERR")
        self.process = platform.spawn(
            argv,
            channel=theirs.fileno(),
            pass_fds=fds,
            stderr=None if errors is None else int(errors),
        )
        theirs.close()

    def send(self, data: bytes) -> None:
        """Bytes of whole frames."""
        self.socket.sendall(data)

    def receive(self, timeout: float = 20.0) -> messages.Message | None:
        """The next message; None when the worker is gone. Raises WorkerViolation, TimeoutError."""
        deadline = time.monotonic() + timeout
        while not self.inbox:
            self.socket.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                data = self.socket.recv(1 << 20)
            except ConnectionResetError:
                return None
            if not data:
                return None
            self.inbox += self.connection.receive(data, time.monotonic())
            self.inbox = [one for one in self.inbox if not isinstance(one, messages.Part)]
        return self.inbox.pop(0)

    def begin(self, source: str, timeout: float = 20.0, **fields: Any) -> None:
        """Waits for hello, then sends the spell."""
        hello = self.receive(timeout)
        assert isinstance(hello, messages.Hello), hello
        self.hello = hello
        self.send(self.connection.run(run_fields(self.language, source, **fields)))

    def close(self) -> platform.ExitStatus:
        """Closes the channel, and ends the worker when that does not end it."""
        self.socket.close()
        try:
            return self.process.wait(5)
        except Exception:
            self.process.kill()
            return self.process.wait(5)
        finally:
            self.process.close()


def require(kind: str, language: str) -> None:
    """Skips the test where a part is missing that only the build brings."""
    if kind != "bare" and not (SANDBOXES / "_built" / "build.json").is_file():
        pytest.skip("the native parts are not built: pip install -e .")
    python = SANDBOXES / "_built" / "python.wasm"
    if kind == "high" and language == "python" and not python.is_file():
        pytest.skip("built without the Python guest: its source could not be fetched")


def _start(
    language: str, kind: str, memory: int, cpu: int, arguments: tuple[str, ...]
) -> tuple[list[str], bytes, dict[int, int]]:
    require(kind, language)
    if kind == "high":
        return _start_wasm(language, memory, cpu)
    main = str(SANDBOXES / "engines" / "main.py")
    argv = [sys.executable, "-I", "-S", "-B", main, "--engine", language]
    argv += ["--site", str(SITE), *arguments]
    if kind == "bare":
        if memory != MEMORY:
            argv = ["/usr/bin/prlimit", f"--as={memory}", "--", *argv]
        return argv, b"", {}
    plan = platform.plan(
        platform.Confinement(
            level="medium",
            kind="native",
            memory=memory,
            cpu=cpu,
            threads=1,
            processes=0,
            open_files=64,
            file_size=1 << 20,
        )
    )
    built = SANDBOXES / "_built"
    argv = [str(built / "llmspell-launch"), *argv, "--confine", str(built / "libconfine.so")]
    return argv, frame(plan.stage1) + frame(plan.stage2), {}


def _start_wasm(language: str, memory: int, cpu: int) -> tuple[list[str], bytes, dict[int, int]]:
    from llmspell.supervisor import guests
    from llmspell.supervisor.worker import wasm_command

    guest = guests.booted(language)
    plan = platform.plan(
        platform.Confinement(
            level="high",
            kind="wasm",
            memory=memory,
            cpu=cpu,
            threads=1,
            processes=0,
            open_files=32,
            file_size=0,
            keep_fds=tuple(guest.pass_fds),
        )
    )
    return list(wasm_command(guest, memory)), frame(plan.stage1), dict(guest.pass_fds)


@contextmanager
def worker(language: str, kind: str = "bare", **options: Any) -> Iterator[Worker]:
    """A worker that is gone afterwards, whatever happened."""
    one = Worker(language, kind, **options)
    try:
        yield one
    finally:
        one.close()


def run_fields(language: str, source: str, **fields: Any) -> dict[str, Any]:
    """The `run` message's fields, with the given ones changed."""
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
    kind: str = "bare",
    timeout: float = 20.0,
    memory: int = MEMORY,
    arguments: tuple[str, ...] = (),
    **fields: Any,
) -> Ended:
    """Runs one spell to its end, answering each call at once; others are denied."""
    with worker(language, kind, memory=memory, arguments=arguments) as one:
        one.begin(source, timeout, **fields)
        return drive(one, answers or {}, timeout)


def drive(one: Worker, answers: Mapping[str, Answer], timeout: float = 20.0) -> Ended:
    """Hears a worker out; fails when it goes away without `done` or `failed`."""
    texts = {"stdout": "", "stderr": ""}
    logs: list[messages.Log] = []
    calls: list[messages.Call] = []
    frames: list[messages.Message] = []
    deadline = time.monotonic() + timeout
    while True:
        message = one.receive(deadline - time.monotonic())
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


DENIAL: Final[Mapping[str, Any]] = {
    "code": 4008,
    "kind": "denied",
    "message": "denied by the test",
    "rule": "medium.test",
    "hint": "to allow it: --allow-test",
    "recoverable": True,
    "trace_id": "t-1",
}


def module_denial(name: str) -> dict[str, Any]:
    """What the broker says of a module that no rule allows."""
    return {
        "code": 4008,
        "kind": "denied",
        "message": f"denied module {name}",
        "rule": "medium.modules",
        "hint": f"to allow it: --allow-module {name}",
        "recoverable": True,
    }


def answer(one: Worker, answers: Mapping[str, Answer], call: messages.Call) -> bytes:
    """The reply to a call: the answer's value, its error, or a denial where there is none."""
    action = answers.get(call.method)
    if action is None and call.method == "modules.load":
        return one.connection.refuse(call.id, module_denial(call.args["name"]))
    if action is None:
        return one.connection.refuse(call.id, DENIAL)
    try:
        return one.connection.reply(call.id, action(call.args))
    except LlmspellError as error:
        return one.connection.refuse(call.id, error.to_wire())
