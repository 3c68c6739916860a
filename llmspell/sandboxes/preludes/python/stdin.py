# Standard input: pieces from the supervisor, cut into lines here.
# A part of the prelude; tools check the whole, preludes/_generated/prelude.py.
# ruff: noqa
# mypy: ignore-errors

class Stdin:
    """Standard input: pieces from the supervisor, cut into lines here. Also `sys.stdin`."""

    encoding = "utf-8"
    name = "<stdin>"
    closed = False

    def __init__(self) -> None:
        self._buffered = ""
        self._ended = False

    async def _fill(self) -> bool:
        if self._ended:
            return False
        piece = await Call("stdin.read", {}, None)
        if not piece:
            self._ended = True
            return False
        self._buffered += piece
        return True

    def _take(self, length: int) -> str:
        piece, self._buffered = self._buffered[:length], self._buffered[length:]
        return piece

    def read(self, length: int | None = None) -> Future:
        """The next piece of text; None at the end."""

        async def piece() -> str | None:
            if not self._buffered and not await self._fill():
                return None
            return self._take(len(self._buffered) if length is None else length)

        return Task(piece())

    def read_all(self) -> Future:
        """Everything up to the end."""

        async def everything() -> str:
            while await self._fill():
                pass
            return self._take(len(self._buffered))

        return Task(everything())

    async def _line(self) -> str | None:
        while "\n" not in self._buffered and await self._fill():
            pass
        if not self._buffered:
            return None
        stop = self._buffered.find("\n")
        return self._take(len(self._buffered) if stop < 0 else stop + 1)

    def read_line(self) -> Future:
        """The next line with its end; None at the end."""
        return Task(self._line())

    def lines(self) -> Lines:
        """The lines without their ends, for `for` and `async for`."""
        return Lines(self)


class Lines:
    """An iterator of lines."""

    def __init__(self, stdin: Stdin) -> None:
        self._stdin = stdin

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        line = self._stdin.read_line().result()
        if line is None:
            raise StopIteration
        return str(line).removesuffix("\n")

    def __aiter__(self) -> Lines:
        return self

    async def __anext__(self) -> str:
        line = await self._stdin.read_line()
        if line is None:
            raise StopAsyncIteration
        return str(line).removesuffix("\n")


STDIN = Stdin()


class SystemStdin:
    """`sys.stdin` as programs know it: blocking, over the same text."""

    encoding = "utf-8"
    name = "<stdin>"
    closed = False

    def read(self, size: int = -1) -> str:
        text = STDIN.read_all().result()
        if size < 0 or size >= len(text):
            return str(text)
        STDIN._buffered = text[size:] + STDIN._buffered
        return str(text[:size])

    def readline(self) -> str:
        return STDIN.read_line().result() or ""

    def readlines(self) -> list[str]:
        return list(self)

    def __iter__(self) -> SystemStdin:
        return self

    def __next__(self) -> str:
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def isatty(self) -> bool:
        return False


def read_input(prompt: object = "") -> str:
    """The built-in `input`."""
    if prompt:
        STDOUT.write(str(prompt))
    line = STDIN.read_line().result()
    if line is None:
        raise EOFError("standard input has ended")
    return str(line).removesuffix("\n")
