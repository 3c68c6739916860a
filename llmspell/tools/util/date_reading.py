"""Dates as people and machines write them: ISO 8601, RFC 2822, seconds since 1970, plain words."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Final

from llmspell.errors import InvalidInput
from llmspell.tools.util.locales import LOCALES
from llmspell.tools.util.zones import offset_zone

TEXT_MAX: Final = 200
_MILLISECONDS_FROM: Final = 100_000_000_000
"""Numbers from here on are milliseconds: as seconds they would be after the year 5138."""

_ISO: Final = re.compile(
    r"(?P<year>\d{4})(?:-?(?:W(?P<week>\d{2})(?:-?(?P<weekday>[1-7]))?"
    r"|(?P<yearday>\d{3})(?!\d)|(?P<month>\d{2})(?:-?(?P<day>\d{2}))?))?"
    r"(?:[T ]\s*(?P<clock>\d{2}(?::?\d{2}(?::?\d{2}(?:[.,]\d{1,9})?)?)?)"
    r"\s*(?P<offset>Z|[+-]\d{2}(?::?\d{2})?)?)?",
    re.IGNORECASE,
)
_MONTHS: Final = {
    name.lower(): index % 12 + 1
    for index, name in enumerate(LOCALES["en"].months + LOCALES["en"].short_months)
}
_CLOCK: Final = (
    r"(?:,?\s+(?:at\s+)?(?P<hour>\d{1,2})(?::(?P<minute>\d{2})(?::(?P<second>\d{2}))?)?"
    r"\s*(?P<half>[ap]\.?m\.?)?)?(?:\s+(?P<offset>Z|UTC|GMT|[+-]\d{2}:?\d{2}))?"
)
_WRITTEN: Final = (
    re.compile(
        r"(?:[A-Z][a-z]{2,8},?\s+)?(?P<day>\d{1,2})(?:st|nd|rd|th)?[\s-]+(?P<month>[A-Z][a-z]{2,8})"
        r"\.?,?[\s-]+(?P<year>\d{4})" + _CLOCK,
        re.IGNORECASE,
    ),
    re.compile(
        r"(?:[A-Z][a-z]{2,8},?\s+)?(?P<month>[A-Z][a-z]{2,8})\.?\s+(?P<day>\d{1,2})(?:st|nd|rd|th)?,?"
        r"\s+(?P<year>\d{4})" + _CLOCK,
        re.IGNORECASE,
    ),
)
_WORDS: Final = {"today": 0, "tomorrow": 1, "yesterday": -1}
_AMBIGUOUS: Final = re.compile(r"\d{1,2}[/.]\d{1,2}[/.]\d{2,4}.*")


def read_date(value: str | int | float, zone: tzinfo, place: str) -> datetime:
    """The moment a value means; without an offset it stands in `zone`. Raises `InvalidInput`."""
    try:
        if isinstance(value, str):
            return _read_text(value.strip()[:TEXT_MAX], zone, place)
        return _epoch(value, zone)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{place} is no date: {error}", code=2009) from None


def _epoch(value: float, zone: tzinfo) -> datetime:
    milliseconds = value if abs(value) >= _MILLISECONDS_FROM else value * 1000
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)
    return moment.astimezone(zone)


def _read_text(text: str, zone: tzinfo, place: str) -> datetime:
    word = text.lower()
    if word == "now":
        return datetime.now(zone)
    if word in _WORDS:
        now = datetime.now(zone)
        midnight = datetime(now.year, now.month, now.day, tzinfo=zone)
        return midnight + timedelta(days=_WORDS[word])
    match = _ISO.fullmatch(text)
    if match is not None:
        return _iso(match, zone)
    if re.fullmatch(r"-?\d{9,15}(?:\.\d{1,6})?", text):
        return _epoch(float(text), zone)
    for pattern in _WRITTEN:
        match = pattern.fullmatch(text)
        if match is not None and match["month"].lower() in _MONTHS:
            return _written(match, zone)
    if _AMBIGUOUS.fullmatch(text):
        hint = 'say which comes first: input_format "DD/MM/YYYY" or "MM/DD/YYYY"'
        raise InvalidInput(f"{place} {text[:40]!r} can mean two dates", code=2009, hint=hint)
    raise InvalidInput(
        f"{place} {text[:60]!r} is no date that can be read",
        code=2009,
        hint='write it as 2025-01-20T15:30:00Z, or give input_format, such as "DD.MM.YYYY"',
    )


def _offset(text: str | None, zone: tzinfo) -> tzinfo:
    if not text:
        return zone
    return UTC if text.upper() in ("Z", "UTC", "GMT") else offset_zone(text)


def _iso(match: re.Match[str], zone: tzinfo) -> datetime:
    year = int(match["year"])
    if match["week"]:
        day = date.fromisocalendar(year, int(match["week"]), int(match["weekday"] or 1))
    elif match["yearday"]:
        day = date(year, 1, 1) + timedelta(days=int(match["yearday"]) - 1)
        if day.year != year or match["yearday"] == "000":
            raise ValueError("the year has no such day")
    else:
        day = date(year, int(match["month"] or 1), int(match["day"] or 1))
    digits = (match["clock"] or "").replace(":", "").replace(",", ".")
    whole, _, fraction = digits.partition(".")
    hour, minute, second = (int(whole[at : at + 2] or 0) for at in (0, 2, 4))
    is_midnight_after = (hour, minute, second, fraction.strip("0")) == (24, 0, 0, "")
    when = datetime(
        day.year, day.month, day.day, 0 if is_midnight_after else hour, minute, second,
        int(fraction[:6].ljust(6, "0")), tzinfo=_offset(match["offset"], zone),
    )  # fmt: skip
    return when + timedelta(days=1) if is_midnight_after else when


def _written(match: re.Match[str], zone: tzinfo) -> datetime:
    hour = int(match["hour"] or 0)
    if match["half"]:
        if not 1 <= hour <= 12:
            raise ValueError("the hour is not from 1 to 12")
        hour = hour % 12 + 12 * (match["half"][0] in "pP")
    return datetime(
        int(match["year"]), _MONTHS[match["month"].lower()], int(match["day"]), hour,
        int(match["minute"] or 0), int(match["second"] or 0), tzinfo=_offset(match["offset"], zone),
    )  # fmt: skip
