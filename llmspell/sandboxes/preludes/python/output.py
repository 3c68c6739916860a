# What a spell prints.
# A part of the prelude; tools check the whole, preludes/_generated/prelude.py.
# ruff: noqa
# mypy: ignore-errors

CHUNK = 10_900
BURST = 400
PER_MILLISECOND = 1


class _Gathering:
    """Prints are frames of their own until they flood; then they are gathered."""

    def __init__(self) -> None:
        self.allowance = BURST
        self.refilled = 0.0
        self.stream = "stdout"
        self.pieces: list[str] = []
        self.size = 0

    def may_send_now(self) -> bool:
        if self.allowance <= 0:
            now = now_ms()
            self.allowance = min(BURST, int((now - self.refilled) * PER_MILLISECOND))
            if self.allowance <= 0:
                return False
            self.refilled = now
        self.allowance -= 1
        return True

    def add(self, stream: str, text: str) -> None:
        if stream != self.stream:
            self.flush()
            self.stream = stream
        self.pieces.append(text)
        self.size += len(text)
        if self.size >= CHUNK or self.may_send_now():
            self.flush()

    def flush(self) -> None:
        if not self.pieces:
            return
        text = printable("".join(self.pieces))
        self.pieces, self.size = [], 0
        for start in range(0, len(text), CHUNK):
            piece = encode_basestring(text[start : start + CHUNK])
            send_text(f'{{"type":"output","stream":"{self.stream}","text":{piece}}}')


_gathering = _Gathering()


class Writer:
    """Standard output or error, line by line into the channel."""

    encoding = "utf-8"
    errors = "replace"
    closed = False
    newlines = None

    def __init__(self, stream: str) -> None:
        self.name = f"<{stream}>"
        self._stream = stream
        self._line: list[str] = []
        self._size = 0

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() takes text, not {type(text).__name__}")
        self._line.append(text)
        self._size += len(text)
        if "\n" in text or self._size >= CHUNK:
            self._emit()
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        self._emit()
        _gathering.flush()

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def fileno(self) -> int:
        raise OSError("the spell's output has no descriptor")

    def _emit(self) -> None:
        if self._line:
            text = "".join(self._line)
            self._line, self._size = [], 0
            _gathering.add(self._stream, text)


STDOUT = Writer("stdout")
STDERR = Writer("stderr")


BEFORE_MESSAGES: list[Callable[[], None]] = []
"""What else leaves before the next message."""


def flush_output() -> None:
    """Everything printed and emitted so far leaves before the next message."""
    for action in BEFORE_MESSAGES:
        action()
    STDOUT._emit()
    STDERR._emit()
    _gathering.flush()
