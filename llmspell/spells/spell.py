"""A spell: source, language and where it came from."""

from __future__ import annotations

import errno
import os
import stat

from llmspell.errors import UsageError
from llmspell.records import TYPE_CHECKING, NamedTuple
from llmspell.spells import engine as engines

if TYPE_CHECKING:
    from typing import Final

SCRIPT_SIZE: Final = 1_048_576
"""Bytes a spell's source may have where the policy names no other limit (SEC-013)."""


class Spell(NamedTuple):
    """One spell. `folder` is where its file lies, or None for a spell without a file."""

    name: str
    source: str
    engine: str
    path: str | None = None
    folder: str | None = None

    @classmethod
    def from_source(cls, source: str, language: str, *, name: str = "spell") -> Spell:
        """A spell from text in memory. Raises `UsageError` for an unknown language."""
        return cls(
            name, _checked(source.encode("utf-8", "surrogatepass"), name), engines.by_name(language)
        )

    @classmethod
    def from_bytes(cls, data: bytes, *, name: str, language: str | None = None) -> Spell:
        """A spell from bytes that came without a path, as from standard input."""
        source = _checked(data, name)
        engine = engines.by_name(language) if language else engines.detect(name, source)
        return cls(name, source, engine)

    @classmethod
    def from_file(
        cls, path: str | os.PathLike[str], *, language: str | None = None, size: int = SCRIPT_SIZE
    ) -> Spell:
        """The spell in a file of at most `size` bytes.

        Raises `UsageError` in words when the file is missing, unreadable, too large or no text.
        """
        text_path = os.fspath(path)
        data = _read(text_path, size)
        name = os.path.basename(text_path)
        source = _checked(data, text_path)
        engine = engines.by_name(language) if language else engines.detect(name, source)
        real = os.path.realpath(text_path)
        return cls(name, source, engine, real, os.path.dirname(real))


def _read(path: str, size: int) -> bytes:
    try:
        with open(path, "rb", buffering=0, opener=_open_plain) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise UsageError(f"{path} is no regular file", hint="give a script file, or -")
            data = file.read(size + 1) or b""
    except OSError as error:
        if error.errno == errno.ENOENT:
            raise UsageError(f"there is no file {path}", hint="check the path") from None
        raise UsageError(f"can't read {path}: {os.strerror(error.errno or 0)}") from None
    if len(data) > size:
        raise UsageError(
            f"Script exceeds maximum size limit: {size} bytes",
            rule="limit.script_size",
            hint="to allow more: --limit script_size=…",
        )
    return data


def _open_plain(path: str, flags: int) -> int:
    # Without O_NONBLOCK a FIFO in the spell's place would hang the command.
    return os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)


def _checked(data: bytes, name: str) -> str:
    if b"\0" in data:
        raise UsageError(f"{name} is a binary file, not a script", hint="give a text file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UsageError(
            f"{name} is not UTF-8 text (line {line})", hint="save it as UTF-8"
        ) from None
