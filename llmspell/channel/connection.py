"""The supervisor's end of one worker's channel: bytes in, checked messages out."""

from __future__ import annotations

from llmspell.channel import messages
from llmspell.channel.bounds import (
    BYTES_PER_SECOND,
    EVENTS_PER_SECOND,
    FRAME_SECONDS,
    MESSAGE_MAX,
)
from llmspell.channel.framing import HEADER, FrameError, FrameReader, frames_of
from llmspell.channel.jsontext import Malformed, Place, decode, encode
from llmspell.channel.quick import QUICK_MAX, quick_call
from llmspell.channel.states import AFTER, MAY_SEND, Role, State
from llmspell.errors import InternalError, WorkerViolation
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any


class Connection:
    """State, order and rate of one worker's messages. Raises `WorkerViolation`; then it is dead."""

    __slots__ = (
        "_last_call",
        "_may_send",
        "_next_invoke",
        "_parts",
        "_parts_size",
        "_reader",
        "_started",
        "_state",
        "_window",
        "_window_bytes",
        "_window_frames",
        "bytes_received",
        "role",
    )

    def __init__(self, role: Role) -> None:
        self.role = role
        self.state = State.STARTING
        self._reader = FrameReader()
        self._parts: list[str] = []
        self._parts_size = 0
        self._last_call = 0
        self._next_invoke = 1
        self._started: float | None = None
        self._window = 0.0
        self._window_bytes = 0
        self._window_frames = 0
        self.bytes_received = 0

    @property
    def state(self) -> State:
        """Where the worker is in its life."""
        return self._state

    @state.setter
    def state(self, state: State) -> None:
        self._state = state
        self._may_send = MAY_SEND[self.role, state]

    def receive_call(self, data: bytes, now: float) -> messages.Call | None:
        """The call that `data` is, when it is exactly one common frame that comes in its turn.

        None changes nothing: `receive` must be given the same bytes, and decides.
        """
        if (
            self._parts
            or self._reader.waiting
            or not HEADER < len(data) <= QUICK_MAX
            or int.from_bytes(data[:HEADER], "little") != len(data) - HEADER
            or messages.Call not in self._may_send
            or not now - self._window < 1.0
            or self._window_frames >= EVENTS_PER_SECOND
            or self._window_bytes + len(data) > BYTES_PER_SECOND
        ):
            return None
        call = quick_call(data[HEADER:])
        if call is None or call.id <= self._last_call:
            return None
        self._window_frames += 1
        self._window_bytes += len(data)
        self.bytes_received += len(data)
        self._last_call = call.id
        return call

    def wanted(self) -> int:
        """Bytes that the frame under way still lacks; 0 when none is, or its length is unknown."""
        return self._reader.wanted()

    def receive(self, data: bytes, now: float) -> list[messages.Message]:
        """The messages that `data` completes; `now` is monotonic seconds."""
        self.bytes_received += len(data)
        try:
            frames = self._reader.feed(data)
        except FrameError as error:
            raise self._violation(str(error)) from None
        self._check_rate(len(data), len(frames), now)
        result: list[messages.Message] = []
        message: messages.Message
        for body in frames:
            try:
                message = quick_call(body) or messages.parse(decode(body))
                self._check_turn(message)
                if isinstance(message, messages.Part):
                    assembled = self._assemble(message)
                    if assembled is None:
                        continue
                    message = messages.parse(decode(assembled))
                    if isinstance(message, messages.Part):
                        raise Malformed("a part inside parts")
                    self._check_turn(message)
                elif self._parts:
                    raise Malformed("another message between the parts of one")
            except Malformed as error:
                raise self._violation(str(error)) from None
            self._enter(message)
            result.append(message)
        if not (self._parts or self._reader.waiting):
            self._started = None
        elif (frames and not self._parts) or self._started is None:
            self._started = now
        return result

    def deadline(self) -> float | None:
        """When the message under way must be complete (monotonic seconds), if one is."""
        return None if self._started is None else self._started + FRAME_SECONDS

    def check_time(self, now: float) -> None:
        """Raises `WorkerViolation` when a message takes too long to arrive."""
        deadline = self.deadline()
        if deadline is not None and now >= deadline:
            raise self._violation(f"a message took over {FRAME_SECONDS:g} s to arrive")

    def run(self, fields: Mapping[str, Any]) -> bytes:
        """The `run` message; a spell's worker goes from READY to RUNNING."""
        if self.state is not State.READY or self.role is not Role.SPELL:
            raise InternalError(f"run was sent to a {self.role.value} worker that is {self.state}")
        self.state = State.RUNNING
        return frames_of(encode({"type": "run", **fields}))

    def reply(self, call: int, value: Any) -> bytes:
        """The good answer to a call. Raises `Malformed` or `FrameError` if it can't be carried."""
        # The constant part is spelled here, as `encode` would: a reply is made for every call.
        return frames_of(b'{"type":"reply","id":%d,"ok":true,"value":%b}' % (call, encode(value)))

    def refuse(self, call: int, error: Mapping[str, Any]) -> bytes:
        """The bad answer to a call."""
        return frames_of(encode({"type": "reply", "id": call, "ok": False, "error": error}))

    def invoke(
        self,
        callback: int,
        args: list[Any],
        functions: Sequence[Place] = (),
    ) -> tuple[int, bytes]:
        """An invoke of a function of the worker's; its id and its bytes.

        `functions` go beside the arguments, never in them: data can't be taken for a function.
        """
        if self.state is State.READY and self.role is Role.TOOLS:
            self.state = State.RUNNING
        if self.state is not State.RUNNING:
            raise InternalError(f"invoke was sent to a worker that is {self.state}")
        number = self._next_invoke
        self._next_invoke += 1
        message: dict[str, Any] = {
            "type": "invoke",
            "id": number,
            "callback": callback,
            "args": args,
        }
        if functions:
            message["functions"] = [[list(path), found.number] for path, found in functions]
        return number, frames_of(encode(message))

    def cancel(self, invoke: int) -> bytes:
        """Takes an invoke back."""
        return frames_of(encode({"type": "cancel", "id": invoke}))

    def _assemble(self, part: messages.Part) -> bytes | None:
        self._parts_size += len(part.data)
        if self._parts_size > MESSAGE_MAX or len(self._parts) > MESSAGE_MAX // 1024:
            raise Malformed(f"a message of over {MESSAGE_MAX} bytes, or in too small parts")
        self._parts.append(part.data)
        if not part.last:
            return None
        whole = "".join(self._parts).encode("utf-8")
        self._parts = []
        self._parts_size = 0
        return whole

    def _check_turn(self, message: messages.Message) -> None:
        if type(message) not in self._may_send:
            name = type(message).__name__.lower()
            raise Malformed(f"{name} from a worker that is {self.state.value}")

    def _enter(self, message: messages.Message) -> None:
        if type(message) is messages.Call:
            if message.id <= self._last_call:
                raise self._violation("call ids do not rise")
            self._last_call = message.id
        elif type(message) is messages.Hello and message.version != messages.PROTOCOL_VERSION:
            raise self._violation(
                f"the worker speaks protocol {message.version}, this supervisor "
                f"{messages.PROTOCOL_VERSION}: reinstall llmspell"
            )
        after = AFTER.get((self._state, type(message)))
        if after is not None:
            self.state = after

    def _check_rate(self, size: int, frames: int, now: float) -> None:
        if now - self._window >= 1.0:
            self._window = now
            self._window_bytes = 0
            self._window_frames = 0
        self._window_bytes += size
        self._window_frames += frames
        if self._window_bytes > BYTES_PER_SECOND or self._window_frames > EVENTS_PER_SECOND:
            raise self._violation("more messages than any honest worker sends")

    def _violation(self, what: str) -> WorkerViolation:
        self.state = State.ENDED
        return WorkerViolation(f"the worker broke the protocol: {what}", rule="channel")
