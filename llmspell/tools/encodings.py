"""Text of bytes: byte order marks, UTF-8, and the encodings a person may name.

The list is fixed because a worker can't load another one later; `preload` loads each.
"""

from __future__ import annotations

import codecs
from typing import Final, NamedTuple

from llmspell.errors import InvalidInput
from llmspell.tools.naming import near

ENCODINGS: Final = (
    "utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be",
    "ascii", "latin-1", "iso8859-2", "iso8859-5", "iso8859-7", "iso8859-9", "iso8859-15", "cp437",
    "cp850", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "koi8-r", "koi8-u", "mac-roman",
    "shift_jis", "cp932", "euc-jp", "iso2022-jp", "gbk", "gb18030", "big5", "euc-kr", "cp949",
)  # fmt: skip

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""UTF-32's mark begins with UTF-16's, so it is tried first."""

_SPELLINGS: Final = {
    "utf8": "utf-8", "utf16": "utf-16", "utf16le": "utf-16-le", "utf16be": "utf-16-be",
    "utf32": "utf-32", "latin1": "latin-1", "iso88591": "latin-1", "windows1250": "cp1250",
    "windows1251": "cp1251", "windows1252": "cp1252", "usascii": "ascii", "sjis": "shift_jis",
    "gb2312": "gb18030", "utf8bom": "utf-8-sig",
}  # fmt: skip
_BY_LETTERS: Final = {
    **{"".join(filter(str.isalnum, name)): name for name in ENCODINGS},
    **_SPELLINGS,
}


class Text(NamedTuple):
    """Decoded text, its encoding, and whether that was found or merely fits."""

    text: str
    encoding: str
    certain: bool


def preload() -> None:
    """Loads every codec, also its decoder of pieces."""
    for name in ENCODINGS:
        codecs.lookup(name)
        b"\x00\x00\x00\x00".decode(name, "replace")
        "a".encode(name)


def find_encoding(name: str) -> str:
    """The known spelling of an encoding's name. Raises `InvalidInput` with near matches."""
    found = _BY_LETTERS.get("".join(filter(str.isalnum, name[:40].lower())))
    if found is None:
        raise InvalidInput(
            f"encoding {name[:40]!a} is not known",
            hint=near(name.lower(), ENCODINGS) or "known are " + ", ".join(ENCODINGS),
        )
    return found


def decode(data: bytes, encoding: str) -> Text:
    """`data` as text; `auto` finds out how. Raises `InvalidInput` naming the first bad byte."""
    if encoding == "auto":
        return detect(data)
    name = find_encoding(encoding)
    if name == "utf-8" and data.startswith(codecs.BOM_UTF8):
        name = "utf-8-sig"
    try:
        return Text(data.decode(name), name, True)
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"the bytes are no {name} text: byte {error.start} does not fit",
            code=2009,
            hint='use encoding "auto" or "binary"',
        ) from None


def detect(data: bytes) -> Text:
    """Text by its mark, else as UTF-16 if it looks so, else UTF-8, else cp1252 or latin-1."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            try:
                return Text(data.decode(name), name, True)
            except UnicodeDecodeError:
                break
    guess = _utf16_guess(data)
    try:
        if not guess:
            return Text(data.decode("utf-8"), "utf-8", True)
    except UnicodeDecodeError:
        pass
    for name in (*guess, "cp1252"):
        try:
            return Text(data.decode(name), name, False)
        except UnicodeDecodeError:
            continue
    return Text(data.decode("latin-1"), "latin-1", False)


def is_binary(data: bytes) -> bool:
    """Whether the bytes look like no text: a zero byte or many control characters, and no mark."""
    head = data[:8192]
    if any(head.startswith(mark) for mark, _ in _MARKS) or _utf16_guess(head):
        return False
    if b"\0" in head:
        return True
    controls = sum(byte < 32 and byte not in (7, 8, 9, 10, 12, 13, 27) for byte in head)
    return controls * 10 > len(head)


def _utf16_guess(data: bytes) -> tuple[str, ...]:
    head = data[:4096]
    if len(head) < 4 or (len(data) % 2 and len(head) == len(data)):
        return ()
    even, odd = head[::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    # Latin text in UTF-16 has a zero in nearly every second byte and letters in the others.
    if any(byte < 32 and byte not in (0, 9, 10, 13) for byte in head):
        return ()
    if odd > half * 0.7 and even == 0:
        return ("utf-16-le",)
    if even > half * 0.7 and odd == 0:
        return ("utf-16-be",)
    return ()
