"""A run whose session lives in a shard, as its home sees it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

from llmspell.channel.jsontext import Malformed, decode
from llmspell.errors import InternalError
from llmspell.supervisor.admission import UNAVAILABLE
from llmspell.supervisor.result import Isolation, Result, Status, Usage
from llmspell.supervisor.running import Begun
from llmspell.supervisor.shards import wire
from llmspell.supervisor.shards.frames import Frame, Kind

if TYPE_CHECKING:
    from llmspell.supervisor.drivers.blocking import Sink

END_SECONDS: Final = 5.0
"""Time a shard may take to end a run; then the shard itself is ended."""


class Answered(Protocol):
    """What a shard still owes an answer for."""

    @property
    def over(self) -> bool:
        """Whether nothing more is expected from the shard."""

    def received(self, frame: Frame) -> None:
        """What the shard says of it."""

    def lost(self) -> None:
        """The shard is gone."""


class Line(Protocol):
    """What a run uses of its shard."""

    def tell(self, kind: Kind, run: int, payload: bytes = b"") -> None:
        """Sends a frame about this run."""

    def kill(self) -> None:
        """Ends the whole shard."""


class RemoteWork:
    """One run: frames in, its output in order, then its result."""

    def __init__(
        self,
        line: Line,
        number: int,
        sink: Sink,
        keep_output: bool,
        on_begin: Callable[[Begun], None] | None,
    ) -> None:
        self._line = line
        self._number = number
        self._sink = sink
        self._keep_output = keep_output
        self._on_begin = on_begin
        self._begun = Begun("", None)
        self._output: list[str] = []
        self._value: Any = None
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[Result] = self._loop.create_future()
        # Whoever awaited it may have been cancelled meanwhile.
        self._ended.add_done_callback(lambda ended: ended.cancelled() or ended.exception())
        self._patience: asyncio.TimerHandle | None = None

    async def drive(self) -> Result:
        """Waits for the end. Cancelling it ends the run's whole tree, and waits until it is so."""
        try:
            return await asyncio.shield(self._ended)
        except asyncio.CancelledError:
            if not self._ended.done():
                self._line.tell(Kind.CANCEL, self._number)
                self._lose_patience_later()
                await asyncio.wait([self._ended])
            raise

    def interrupt(self, reason: str) -> None:
        """Ends the run; its result is `killed` for this reason."""
        if not self._ended.done():
            self._line.tell(Kind.INTERRUPT, self._number, reason.encode())
            self._lose_patience_later()

    def received(self, frame: Frame) -> None:
        """What the shard says of this run."""
        try:
            self._take(frame)
        except Malformed as error:
            self._fail(InternalError(f"a shard's answer can't be read: {error}"))

    @property
    def over(self) -> bool:
        """Whether nothing more is expected from the shard."""
        return self._ended.done()

    def lost(self) -> None:
        """The shard is gone, and the run with it. What it did is in its audit trail."""
        if self._ended.done():
            return
        self._finish(
            Result(
                status=Status.INTERNAL,
                reason="shard_lost",
                value=None,
                output="".join(self._output),
                error=InternalError(
                    "the shard of this run ended; the run ended with it and was not repeated",
                    code=UNAVAILABLE,
                    kind="shard_lost",
                    hint="its audit trail says what it did; run it again if that may be done twice",
                ),
                usage=Usage(),
                isolation=Isolation("unknown", "none"),
                denials=(),
                violations=(),
                session=self._begun.session,
                audit_head=None,
                audit_path=self._begun.audit_path,
                audit_complete=False,
            )
        )

    def _take(self, frame: Frame) -> None:
        kind = frame.kind
        if self._ended.done():
            return
        if kind is Kind.STDOUT or kind is Kind.STDERR:
            text = frame.payload.decode("utf-8", "replace")
            if kind is Kind.STDOUT and self._keep_output:
                self._output.append(text)
            self._protect(self._sink.show, kind.name.lower(), text)
        elif kind is Kind.BEGUN:
            self._begun = Begun(*wire.begun_from_wire(frame.payload))
            if self._on_begin is not None:
                self._protect(self._on_begin, self._begun)
        elif kind is Kind.VALUE:
            self._value = decode(frame.payload)
        elif kind is Kind.RESULT:
            output = "".join(self._output)
            self._finish(wire.result_from_wire(frame.payload, self._value, output))
        elif kind is Kind.ERROR:
            self._fail(wire.error_from_wire(frame.payload))
        elif kind is Kind.CANCELLED:
            self._settle()
            self._ended.cancel()
        else:
            raise Malformed(f"{kind.name} is nothing that a shard sends about a run")

    def _protect(self, function: Callable[..., None], *words: Any) -> None:
        """The caller's own function may raise; the other runs of this shard go on."""
        try:
            function(*words)
        except Exception as error:
            self._loop.call_exception_handler(
                {"message": "a function given to llmspell raised", "exception": error}
            )

    def _finish(self, result: Result) -> None:
        self._settle()
        self._ended.set_result(result)

    def _fail(self, error: Exception) -> None:
        if not self._ended.done():
            self._settle()
            self._ended.set_exception(error)

    def _settle(self) -> None:
        if self._patience is not None:
            self._patience.cancel()

    def _lose_patience_later(self) -> None:
        if self._patience is None:
            self._patience = self._loop.call_later(END_SECONDS, self._line.kill)


class Warming:
    """A shard is asked to boot a zygote. `answer` is whether runs will be forked."""

    def __init__(self) -> None:
        self.answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    @property
    def over(self) -> bool:
        """Whether it is answered, or nobody asks any more."""
        return self.answer.done()

    def received(self, frame: Frame) -> None:
        """Its answer, or the error that the order itself has."""
        if self.answer.done():
            return
        if frame.kind is Kind.WARMED:
            self.answer.set_result(frame.payload == b"1")
            return
        try:
            self.answer.set_exception(wire.error_from_wire(frame.payload))
        except Malformed as error:
            self.answer.set_exception(InternalError(f"a shard's answer can't be read: {error}"))

    def lost(self) -> None:
        """Nothing is booted."""
        if not self.answer.done():
            self.answer.set_result(False)
