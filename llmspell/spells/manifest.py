"""What a spell asks for: a leading comment block, or `spell.toml` beside it. It only requests.

    -- /// spell
    -- description = "Sums a column"
    -- [requests]
    -- read = ["data/**"]
    -- net = ["api.example.com"]
    -- ///

The user grants it (`--grant-requested`, after seeing the list), or does not.
"""

from __future__ import annotations

import os
import stat

from llmspell.errors import ConfigurationError
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

KINDS: Final = ("read", "write", "net", "tool", "llm", "env", "state", "module")
"""What can be requested; the same names as the `--allow-…` flags."""

REQUESTS_MAX: Final = 100
"""Requests of one manifest: more can't be read by a person who is asked to grant them."""

SIZE_MAX: Final = 65_536
"""Bytes of a manifest's file."""

_MARKS: Final[Mapping[str, str]] = {"lua": "--", "javascript": "//", "python": "#"}
_BEGIN: Final = "/// spell"
_END: Final = "///"


class Manifest(NamedTuple):
    """A spell's own words about itself: untrusted, shown quoted."""

    description: str
    requests: tuple[tuple[str, str], ...]
    limits: tuple[tuple[str, str], ...]


NOTHING: Final = Manifest("", (), ())


def block_of(source: str, engine: str) -> str | None:
    """The text of the leading comment block, or None."""
    mark = _MARKS[engine]
    lines = source.split("\n", 400)
    start = _first(lines, mark)
    if start is None:
        return None
    found: list[str] = []
    for line in lines[start + 1 :]:
        text = line.strip()
        if not text.startswith(mark):
            break
        text = text.removeprefix(mark)
        if text.strip() == _END:
            return "\n".join(found)
        found.append(text.removeprefix(" "))
    raise ConfigurationError(
        f"the spell's {_BEGIN!r} block has no end", hint=f"close it with `{mark} {_END}`"
    )


def _first(lines: list[str], mark: str) -> int | None:
    """The line that opens the block: among the leading comments and blank lines, nowhere else."""
    for number, line in enumerate(lines):
        text = line.strip()
        if text == f"{mark} {_BEGIN}":
            return number
        if text and not text.startswith((mark, "#!")):
            return None
    return None


def read(path: str) -> str:
    """The text of a manifest's file, which a stranger may have made. Raises `ConfigurationError`
    for what is no plain file, no text, or over `SIZE_MAX` bytes: what is cut would say less."""
    try:
        # Without O_NONBLOCK a FIFO in its place would hang the command.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise ConfigurationError(f"{path}: it is no regular file")
            data = file.read(SIZE_MAX + 1)
        if len(data) > SIZE_MAX:
            raise ConfigurationError(f"{path}: it is over {SIZE_MAX} bytes")
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: it is not UTF-8 text") from None
    except OSError as error:
        raise ConfigurationError(f"{path}: it can't be read ({error.strerror})") from None


def parse(text: str, where: str) -> Manifest:
    """The manifest in TOML `text`. Raises `ConfigurationError` naming `where` and the key."""
    import tomllib

    try:
        raw = tomllib.loads(text)
    except RecursionError:
        raise ConfigurationError(f"{where}: it is nested too deeply") from None
    except ValueError as error:
        # Not only TOMLDecodeError: dates and numbers that Python can't hold have errors of theirs.
        raise ConfigurationError(f"{where}: {error}") from None
    unknown = sorted(set(raw) - {"description", "name", "requests", "limits"})
    if unknown:
        raise ConfigurationError(f"{where}: unknown key {unknown[0]!r}")
    description = raw.get("description", "")
    if not isinstance(description, str):
        raise ConfigurationError(f"{where}: description is no text")
    return Manifest(
        description[:500], _requests(raw.get("requests", {}), where), _limits(raw, where)
    )


def _requests(raw: Any, where: str) -> tuple[tuple[str, str], ...]:
    import re

    if not isinstance(raw, dict):
        raise ConfigurationError(f"{where}: requests is no table")
    found: list[tuple[str, str]] = []
    for kind, values in raw.items():
        if kind not in KINDS:
            raise ConfigurationError(
                f"{where}: requests.{kind} is unknown", hint=f"known are {', '.join(KINDS)}"
            )
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise ConfigurationError(f"{where}: requests.{kind} is no list of texts")
        found += [(kind, value) for value in values]
    if len(found) > REQUESTS_MAX:
        raise ConfigurationError(f"{where}: over {REQUESTS_MAX} requests")
    for kind, value in found:
        if not value or len(value) > 500 or re.search(r"[\x00-\x1f\x7f]", value):
            raise ConfigurationError(f"{where}: requests.{kind} holds an unusable value")
        if kind in ("read", "write") and _turns_back(value):
            raise ConfigurationError(
                f"{where}: requests.{kind}: {value[:100]!r} turns back on its way",
                hint="'..' can only stand in front, where whoever is asked sees it",
            )
    return tuple(found)


def _turns_back(path: str) -> bool:
    """Whether a path leads elsewhere than its beginning says: `data/../../keys`."""
    names = [name for name in path.rpartition(":")[2].split("/") if name not in ("", ".")]
    while names[:1] == [".."] and not path.startswith("/"):
        del names[0]
    return ".." in names


def _limits(raw: Mapping[str, Any], where: str) -> tuple[tuple[str, str], ...]:
    limits = raw.get("limits", {})
    if not isinstance(limits, dict):
        raise ConfigurationError(f"{where}: limits is no table")
    found: list[tuple[str, str]] = []
    for name, value in limits.items():
        if type(value) not in (str, int, float) or (type(value) is int and value.bit_length() > 64):
            raise ConfigurationError(f"{where}: limits.{name} is no text and no usable number")
        found.append((name, str(value)))
    return tuple(found)
