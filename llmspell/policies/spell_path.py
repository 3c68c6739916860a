"""The one parser of path text that a spell wrote; purely lexical, the same on every OS.

A path is relative (to the user's working folder), absolute, or starts with a logical root:
`scratch:` (memory of this run), `workspace:` (folder kept for this spell), `spell:` (its folder).
"""

from __future__ import annotations

from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Final

PATH_MAX: Final = 4096
"""Bytes (UTF-8) of a whole path, as on Linux (FS-41)."""

NAME_MAX: Final = 255
"""Bytes (UTF-8) of one component (FS-41)."""

LOGICAL_ROOTS: Final = ("scratch", "workspace", "spell")

_DEVICES: Final = frozenset(
    ["con", "prn", "aux", "nul", "conin$", "conout$", "clock$"]
    + [f"{port}{digit}" for port in ("com", "lpt") for digit in "0123456789¹²³"]
)


class SpellPath(NamedTuple):
    """A path as a spell means it: its root, its parts, and whether it was written absolute.

    `parts` holds no empty part and no `.`; `..` only leads a relative host path.
    """

    root: str
    parts: tuple[str, ...]
    absolute: bool

    def locate(self, base: str) -> str:
        """The absolute path below `base` (of this root); lexical, never above `/`."""
        folders = [] if self.absolute else [part for part in base.split("/") if part]
        for part in self.parts:
            if part == "..":
                if folders:
                    folders.pop()
            else:
                folders.append(part)
        return "/" + "/".join(folders)


def parse_spell_path(text: object) -> SpellPath:
    """Parses what a spell wrote.

    Raises `InvalidInput` (kind "validation", before anything touches the disk) for what is not
    text, empty, over 4096 bytes, has NUL, control characters, lone surrogates, a backslash, a
    component over 255 bytes, a form that means something else on Windows (FS-39), or climbs out
    of its logical root (FS-01). Source: FS-01, 02, 39, 41.
    """
    if not isinstance(text, str):
        raise InvalidInput("a path must be text")
    if not text:
        raise InvalidInput("a path can't be empty")
    _check_characters(text)
    root, rest = "host", text
    head, colon, tail = text.partition(":")
    if colon and head in LOGICAL_ROOTS:
        root, rest = head, tail
    parts = _resolve(rest, root, text)
    return SpellPath(root, parts, root == "host" and rest.startswith("/"))


def _check_characters(text: str) -> None:
    # Cut first: a message about a 10 MB path must not be made by looking at all of it.
    if len(text) > PATH_MAX:
        raise InvalidInput(f"a path has at most {PATH_MAX} bytes")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InvalidInput("a path can't hold half of a surrogate pair") from None
    if size > PATH_MAX:
        raise InvalidInput(f"a path has at most {PATH_MAX} bytes")
    for character in text:
        if character < " " or character == "\x7f":
            raise InvalidInput(f"a path can't hold the control character {character!r}")
    if "\\" in text:
        raise InvalidInput("a path is written with '/', also on Windows; it can't hold a backslash")


def _resolve(rest: str, root: str, text: str) -> tuple[str, ...]:
    kept: list[str] = []
    absolute = rest.startswith("/")
    if root == "host" and rest.startswith("//"):
        raise InvalidInput("a path can't start with '//' (on Windows it names another machine)")
    for part in rest.split("/"):
        if part in ("", "."):
            continue
        if part == "..":
            if kept and kept[-1] != "..":
                kept.pop()
            elif root == "host" and not absolute:
                kept.append(part)
            else:
                raise InvalidInput(f"the path leads above {root + ':' if root != 'host' else '/'}")
            continue
        check_name(part)
        kept.append(part)
    return tuple(kept)


def check_name(part: str) -> None:
    """Raises `InvalidInput` for a component that is no ordinary file name on every OS (FS-39)."""
    if len(part) > NAME_MAX or len(part.encode()) > NAME_MAX:
        raise InvalidInput(f"a file name has at most {NAME_MAX} bytes")
    if ":" in part:
        raise InvalidInput(
            f"a file name can't hold ':' (a drive or a hidden stream on Windows); "
            f"the roots are {', '.join(root + ':' for root in LOGICAL_ROOTS)}"
        )
    if part[-1] in ". ":
        raise InvalidInput("a file name can't end in a dot or a space (Windows drops them)")
    stem = part.partition(".")[0].rstrip(" ").lower()
    if stem in _DEVICES:
        raise InvalidInput(f"{stem.upper()} is a device on Windows, not a file name")
    if _is_short_form(part):
        raise InvalidInput("a name like PROGRA~1 can mean another file on Windows")


def _is_short_form(part: str) -> bool:
    stem, _, extension = part.partition(".")
    before, tilde, number = stem.rpartition("~")
    return (
        bool(tilde)
        and 1 <= len(before) <= 6
        and number.isascii()
        and number.isdigit()
        and len(stem) <= 8
        and len(extension) <= 3
    )
