"""Secrets of a user, made up, and the search for them in every spelling.

All canaries begin with one mark that is random and occurs nowhere else, so that one search finds
any of them; what follows says which it was.
"""

from __future__ import annotations

import base64
import os
import re
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import Final, NamedTuple

MARK_LENGTH: Final = 15
CHUNK: Final = 1 << 24


def spellings(mark: str) -> dict[str, bytes]:
    """The ways in which a text may be written so that whoever reads it has it again."""
    data = mark.encode()
    found = {
        "plain": data,
        "upper case": mark.upper().encode(),
        "lower case": mark.lower().encode(),
        "reversed": data[::-1],
        "UTF-16LE": mark.encode("utf-16-le"),
        "UTF-16BE": mark.encode("utf-16-be"),
        "UTF-32": mark.encode("utf-32-le"),
        "hex": data.hex().encode(),
        "HEX": data.hex().upper().encode(),
        "hex with blanks": data.hex(" ").encode(),
        "URL": "".join(f"%{byte:02X}" for byte in data).encode(),
        "url": "".join(f"%{byte:02x}" for byte in data).encode(),
        "JSON": "".join(f"\\u{byte:04x}" for byte in data).encode(),
        "escaped": "".join(f"\\x{byte:02x}" for byte in data).encode(),
        "decimal": ", ".join(str(byte) for byte in data).encode(),
        "decimal, close": ",".join(str(byte) for byte in data).encode(),
    }
    for shift in range(3):
        text = base64.b64encode(b"\0" * shift + data)
        # What the neighbours' bits decide is cut off both ends; of letters and digits the
        # alphabet for URLs makes the same.
        start = (0, 2, 3)[shift]
        end = len(text) - (0, 3, 2)[(shift + len(data)) % 3]
        found[f"base64 at {shift}"] = text[start:end]
    return found


class Canaries(NamedTuple):
    """A mark of one set of secrets."""

    mark: str

    @classmethod
    def new(cls) -> Canaries:
        letters = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789"
        # The last two have letters in their hexadecimal digits: each spelling differs from others.
        return cls("".join(secrets.choice(letters) for _ in range(MARK_LENGTH - 2)) + "Kj")

    def secret(self, name: str) -> str:
        """The canary of this name."""
        return f"{self.mark}{name}"

    def found_in(self, data: bytes) -> list[str]:
        """Each spelling that is there, with what follows it."""
        told = []
        for name, form in spellings(self.mark).items():
            at = data.find(form)
            if at >= 0:
                told.append(f"{name}: …{data[max(0, at - 40) : at + len(form) + 60]!r}")
        return told

    def found_in_files(self, folders: Iterable[Path], planted: Iterable[Path]) -> list[str]:
        """The files below the folders that hold a canary, but for those it was planted in."""
        known = {path.resolve() for path in planted}
        told = []
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                if path.is_symlink() or not path.is_file() or path.resolve() in known:
                    continue
                told += [f"{path}: {item}" for item in self.found_in(path.read_bytes())]
        return told

    def found_in_process(self, pid: int, beside: list[str] | None = None) -> list[str]:
        """What of a living process's memory, words and environment holds a canary.

        The texts of `beside` are taken out of it as they are found. Raises `PermissionError` where
        the process is closed to this user.
        """
        told = []
        for name in ("environ", "cmdline", "comm"):
            told += [f"{name}: {item}" for item in self.found_in(_read(f"/proc/{pid}/{name}"))]
        maps = Path(f"/proc/{pid}/maps").read_text()
        overlap = 64 * MARK_LENGTH
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            for area in re.finditer(r"^(\w+)-(\w+) r(.)\S+ \S+ \S+ \S+ *(.*)$", maps, re.M):
                start, end, what = int(area[1], 16), int(area[2], 16), area[4]
                if what.startswith("[v") or (what.startswith("/") and area[3] != "w"):
                    continue  # a file as it lies on the disk
                tail = b""
                for at in range(start, end, CHUNK):
                    piece = _piece(memory.fileno(), at, min(CHUNK, end - at))
                    for text in [one for one in beside or () if one.encode() in piece]:
                        assert beside is not None
                        beside.remove(text)
                    told += [f"{what or 'memory'}: {item}" for item in self.found_in(tail + piece)]
                    tail = piece[-overlap:]
        return told


def _piece(memory: int, at: int, size: int) -> bytes:
    """What is mapped there; a reservation that nothing lies in yet is empty."""
    try:
        return os.pread(memory, size, at)
    except OSError:
        return b""


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
