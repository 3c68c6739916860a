"""Dates by a format of tokens (`YYYY-MM-DD HH:mm:ss`): writing and reading.

The tokens are Moment's and Day.js', which the seeds use; `[text]` stands for itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final

from llmspell.errors import InvalidInput
from llmspell.tools.util.locales import Locale
from llmspell.tools.util.zones import offset_zone

FORMAT_MAX: Final = 500

_TOKEN: Final = re.compile(
    r"\[([^\]]*)\]|YYYY|YY|GGGG|Q|MMMM|MMM|MM|Mo|M|DDDD|DDD|DD|Do|D|dddd|ddd|d|E"
    r"|WW|W|HH|H|hh|h|mm|m|ss|s|S{1,6}|A|a|ZZ|Z|z|X|x"
)


def offset_text(when: datetime, colon: str) -> str:
    """`+02:00` or `+0200`."""
    delta = when.utcoffset() or timedelta()
    minutes = int(abs(delta).total_seconds()) // 60
    sign = "-" if delta < timedelta() else "+"
    return f"{sign}{minutes // 60:02d}{colon}{minutes % 60:02d}"


def milliseconds_of(when: datetime) -> int:
    """Milliseconds since 1970 in UTC."""
    return (when - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


_WRITERS: Final[Mapping[str, Callable[[datetime, Locale], str]]] = {
    "YYYY": lambda when, _: f"{when.year:04d}",
    "YY": lambda when, _: f"{when.year % 100:02d}",
    "GGGG": lambda when, _: f"{when.isocalendar().year:04d}",
    "Q": lambda when, _: str((when.month + 2) // 3),
    "MMMM": lambda when, locale: locale.months[when.month - 1],
    "MMM": lambda when, locale: locale.short_months[when.month - 1],
    "MM": lambda when, _: f"{when.month:02d}",
    "Mo": lambda when, locale: locale.ordinal(when.month),
    "M": lambda when, _: str(when.month),
    "DDDD": lambda when, _: f"{when.timetuple().tm_yday:03d}",
    "DDD": lambda when, _: str(when.timetuple().tm_yday),
    "DD": lambda when, _: f"{when.day:02d}",
    "Do": lambda when, locale: locale.ordinal(when.day),
    "D": lambda when, _: str(when.day),
    "dddd": lambda when, locale: locale.days[when.weekday()],
    "ddd": lambda when, locale: locale.short_days[when.weekday()],
    "d": lambda when, _: str(when.isoweekday() % 7),
    "E": lambda when, _: str(when.isoweekday()),
    "WW": lambda when, _: f"{when.isocalendar().week:02d}",
    "W": lambda when, _: str(when.isocalendar().week),
    "HH": lambda when, _: f"{when.hour:02d}",
    "H": lambda when, _: str(when.hour),
    "hh": lambda when, _: f"{(when.hour - 1) % 12 + 1:02d}",
    "h": lambda when, _: str((when.hour - 1) % 12 + 1),
    "mm": lambda when, _: f"{when.minute:02d}",
    "m": lambda when, _: str(when.minute),
    "ss": lambda when, _: f"{when.second:02d}",
    "s": lambda when, _: str(when.second),
    "A": lambda when, locale: locale.halves[when.hour >= 12],
    "a": lambda when, locale: locale.halves[when.hour >= 12].lower(),
    "ZZ": lambda when, _: offset_text(when, ""),
    "Z": lambda when, _: offset_text(when, ":"),
    "z": lambda when, _: when.tzname() or offset_text(when, ":"),
    "X": lambda when, _: str(milliseconds_of(when) // 1000),
    "x": lambda when, _: str(milliseconds_of(when)),
}


def write(when: datetime, form: str, locale: Locale) -> str:
    """The date in a format of tokens. Every other character stays."""

    def token(match: re.Match[str]) -> str:
        if match[1] is not None:
            return match[1]
        name = match.group()
        if name[0] == "S":
            return f"{when.microsecond:06d}"[: len(name)]
        return _WRITERS[name](when, locale)

    return _TOKEN.sub(token, form)


_DIGITS: Final[Mapping[str, tuple[str, str]]] = {
    "YYYY": ("year", r"[+-]?\d{4}"), "YY": ("short_year", r"\d{2}"), "MM": ("month", r"\d{2}"),
    "M": ("month", r"\d{1,2}"), "DDDD": ("yearday", r"\d{3}"), "DDD": ("yearday", r"\d{1,3}"),
    "DD": ("day", r"\d{2}"), "D": ("day", r"\d{1,2}"), "HH": ("hour", r"\d{2}"),
    "H": ("hour", r"\d{1,2}"), "hh": ("hour12", r"\d{2}"), "h": ("hour12", r"\d{1,2}"),
    "mm": ("minute", r"\d{2}"), "m": ("minute", r"\d{1,2}"), "ss": ("second", r"\d{2}"),
    "s": ("second", r"\d{1,2}"), "X": ("seconds", r"-?\d{1,12}(?:\.\d{1,6})?"),
    "x": ("milliseconds", r"-?\d{1,15}"), "Z": ("offset", r"Z|[+-]\d{2}:?\d{2}"),
    "ZZ": ("offset", r"Z|[+-]\d{2}:?\d{2}"),
}  # fmt: skip


def _pattern(form: str, locale: Locale) -> re.Pattern[str]:
    names = {
        "MMMM": ("month_name", locale.months), "MMM": ("month_name", locale.short_months),
        "dddd": ("day_name", locale.days), "ddd": ("day_name", locale.short_days),
        "A": ("half", locale.halves), "a": ("half", locale.halves),
    }  # fmt: skip
    parts: list[str] = []
    used: set[str] = set()
    place = 0
    for match in _TOKEN.finditer(form):
        parts.append(re.escape(form[place : match.start()]))
        place = match.end()
        token = match.group()
        if match[1] is not None:
            parts.append(re.escape(match[1]))
            continue
        if token in names:
            field, words = names[token]
            body = "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))
        elif token in _DIGITS:
            field, body = _DIGITS[token]
        elif token[0] == "S":
            field, body = "fraction", rf"\d{{1,{max(len(token), 1)}}}"
        elif token == "Do":
            field, body = "day", r"\d{1,2}"
        else:
            raise InvalidInput(f"input_format: {token} can't be read, only written")
        if field in used:
            raise InvalidInput(f"input_format names the {field} twice")
        used.add(field)
        ending = r"(?:st|nd|rd|th|er|e|º|\.º|\.)?" if token == "Do" else ""
        parts.append(f"(?P<{field}>{body}){ending}")
    parts.append(re.escape(form[place:]))
    return re.compile("".join(parts), re.IGNORECASE)


def read(text: str, form: str, locale: Locale, zone: tzinfo) -> datetime:
    """The date that a text in a format of tokens means. Raises `InvalidInput`."""
    match = _pattern(form, locale).fullmatch(text.strip())
    if match is None:
        raise InvalidInput(f"{text[:60]!r} is not written as {form}", code=2009)
    found = {name: value for name, value in match.groupdict().items() if value is not None}
    try:
        return _assemble(found, locale, zone)
    except (ValueError, OverflowError) as error:
        raise InvalidInput(f"{text[:60]!r} is no date: {error}", code=2009) from None


def _assemble(found: Mapping[str, str], locale: Locale, zone: tzinfo) -> datetime:
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    if "seconds" in found:
        return epoch + timedelta(seconds=float(found["seconds"]))
    if "milliseconds" in found:
        return epoch + timedelta(milliseconds=int(found["milliseconds"]))
    year = int(found.get("year", datetime.now(zone).year))
    if "short_year" in found:
        year = int(found["short_year"])
        year += 1900 if year >= 69 else 2000
    month = int(found.get("month", 1))
    if "month_name" in found:
        word = found["month_name"].casefold()
        both = (*locale.months, *locale.short_months)
        month = [name.casefold() for name in both].index(word) % 12 + 1
    hour = int(found.get("hour", found.get("hour12", 0)))
    if "half" in found:
        is_late = found["half"].casefold() == locale.halves[1].casefold()
        if not 1 <= hour <= 12:
            raise ValueError("the hour is not from 1 to 12")
        hour = hour % 12 + 12 * is_late
    if found.get("offset"):
        offset = found["offset"].upper()
        zone = UTC if offset == "Z" else offset_zone(offset)
    fraction = int(found.get("fraction", "0").ljust(6, "0"))
    when = datetime(
        year, month, int(found.get("day", 1)), hour, int(found.get("minute", 0)),
        int(found.get("second", 0)), fraction, tzinfo=zone,
    )  # fmt: skip
    if "yearday" in found:
        when = datetime(year, 1, 1, hour, when.minute, when.second, fraction, tzinfo=zone)
        when += timedelta(days=int(found["yearday"]) - 1)
        if when.year != year:
            raise ValueError("the year has fewer days")
    return when
