"""Time zones held in memory: once the worker is confined no zone file can be opened.

The system's zone files are taken, else the `tzdata` package's; without both there is only UTC.
"""

from __future__ import annotations

import os
from datetime import UTC, timedelta, timezone, tzinfo
from io import BytesIO
from typing import Final
from zoneinfo import TZPATH, ZoneInfo

from llmspell.errors import InvalidInput
from llmspell.tools.naming import near

_MAGIC: Final = b"TZif"
_FILE_MAX: Final = 65_536
_SKIPPED: Final = frozenset({"posix", "right"})
_data: dict[str, bytes] = {}
_zones: dict[str, ZoneInfo] = {}


def preload() -> None:
    """Reads every zone file into memory (about 600 files, 1 MB)."""
    if _data:
        return
    for folder in TZPATH:
        _load_folder(folder, "")
        if "Europe/Berlin" in _data:
            break
    else:
        _load_package()
    # The first use of a zone loads parts of the standard library that are gone later.
    if _data:
        find_zone(next(iter(_data)))


def _load_folder(folder: str, prefix: str) -> None:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return
    for entry in entries:
        name = prefix + entry.name
        if entry.is_dir():
            if entry.name not in _SKIPPED:
                _load_folder(entry.path, name + "/")
        elif entry.name[0].isupper():
            with open(entry.path, "rb") as file:
                content = file.read(_FILE_MAX)
            if content.startswith(_MAGIC):
                _data[name] = content


def _load_package() -> None:
    try:
        import tzdata  # type: ignore[import-untyped]
    except ImportError:
        return
    for folder in tzdata.__path__:
        _load_folder(os.path.join(folder, "zoneinfo"), "")


def zone_names() -> list[str]:
    """All names, sorted; `UTC` is always there."""
    return sorted(_data.keys() | {"UTC"})


def find_zone(name: str) -> tzinfo:
    """The zone of an IANA name or of an offset such as `+05:30`. Raises `InvalidInput`."""
    preload()
    text = name.strip()
    if text.upper() in ("UTC", "Z", "GMT"):
        return UTC
    if text[:1] in ("+", "-", "−"):
        return offset_zone(text)
    exact = text if text in _data else _BY_FOLDED.get(text.casefold()) or _fold(text)
    if exact is None:
        raise InvalidInput(
            f"there is no time zone {text[:60]!a}",
            hint=near_zone(text) or "names look like Europe/Berlin; or give an offset, +02:00",
        )
    zone = _zones.get(exact)
    if zone is None:
        zone = ZoneInfo.from_file(BytesIO(_data[exact]), key=exact)
        _zones[exact] = zone
    return zone


_BY_FOLDED: dict[str, str] = {}


def _fold(text: str) -> str | None:
    if not _BY_FOLDED:
        _BY_FOLDED.update((name.casefold(), name) for name in _data)
    return _BY_FOLDED.get(text.replace(" ", "_").casefold())


def near_zone(text: str) -> str | None:
    """A hint by the city's name, or by spelling."""
    word = text.replace(" ", "_").casefold()
    cities = [name for name in _data if len(word) > 2 and word in name.casefold()]
    if cities:
        return "did you mean " + " or ".join(sorted(cities)[:3]) + "?"
    return near(text, _data)


def offset_zone(text: str) -> timezone:
    """The zone of `+02:00`, `-0330` or `+5`. Raises `InvalidInput`."""
    digits = text[1:].replace(":", "")
    if len(digits) <= 2:
        digits += "00"
    if not (digits.isascii() and digits.isdecimal()) or not 3 <= len(digits) <= 4:
        raise InvalidInput(f"{text[:20]!a} is no offset", hint="write it as +02:00")
    hours, minutes = int(digits[:-2]), int(digits[-2:])
    if hours > 23 or minutes > 59:
        raise InvalidInput(f"{text[:20]!a} is no offset", hint="write it as +02:00")
    delta = timedelta(hours=hours, minutes=minutes)
    if not delta:
        return UTC
    return timezone(delta if text[0] == "+" else -delta)
