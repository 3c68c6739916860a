"""Cutting a name or a sentence into words, and joining them in another case."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

_WORDS: Final = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_HUMPS: Final = re.compile(r"(?<=[a-zà-öø-ÿ0-9])(?=[A-ZÀ-ÖØ-Þ])|(?<=[A-Z])(?=[A-Z][a-z])")


def words_of(text: str) -> list[str]:
    """The words of running text; an apostrophe stays inside one."""
    return _WORDS.findall(text)


def parts_of(name: str) -> list[str]:
    """The words of a name in any case: `fooBar_baz` → foo, Bar, baz."""
    return [part for word in words_of(name) for part in _HUMPS.split(word)]


def camel(text: str) -> str:
    """`fooBar`."""
    result = pascal(text)
    return result[:1].lower() + result[1:]


def pascal(text: str) -> str:
    """`FooBar`."""
    return "".join(part[:1].upper() + part[1:].lower() for part in parts_of(text))


def joined(text: str, separator: str) -> str:
    """`foo_bar`, `foo-bar`."""
    return separator.join(part.lower() for part in parts_of(text))


def title(text: str) -> str:
    """Each word with a capital, the rest as it was between them."""
    return _WORDS.sub(lambda match: match.group()[:1].upper() + match.group()[1:].lower(), text)


def without_accents(text: str) -> str:
    """Letters without their marks: `é` → `e`; `ß`, `ø` and their like are spelled out."""
    spelled = text.translate(_SPELLED)
    decomposed = unicodedata.normalize("NFD", spelled)
    bare = "".join(mark for mark in decomposed if not unicodedata.combining(mark))
    return unicodedata.normalize("NFC", bare)


_SPELLED: Final = str.maketrans(
    {"ß": "ss", "ø": "o", "Ø": "O", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ł": "l", "Ł": "L",
     "đ": "d", "Đ": "D", "þ": "th", "Þ": "Th", "ð": "d", "ı": "i"}
)  # fmt: skip


def slug(text: str) -> str:
    """For a URL: lower-case words joined by hyphens."""
    return "-".join(
        word.replace("'", "").replace("’", "").lower() for word in words_of(without_accents(text))
    )


def clusters(text: str) -> list[str]:
    """User-perceived characters: a letter with its marks, an emoji with its joiners and tone."""
    result: list[str] = []
    flags = 0
    for character in text:
        code = ord(character)
        is_flag = 0x1F1E6 <= code <= 0x1F1FF
        if result and (
            unicodedata.combining(character)
            or code in (0x200D, 0xFE0E, 0xFE0F, 0x20E3)
            or 0x1F3FB <= code <= 0x1F3FF
            or result[-1].endswith("\u200d")
            or (is_flag and flags % 2 == 1)
            or (character == "\n" and result[-1] == "\r")
        ):
            result[-1] += character
        else:
            result.append(character)
        flags = flags + 1 if is_flag else 0
    return result
