"""date_time_handler: reading, writing, moving and comparing dates (TOOL-037)."""

from __future__ import annotations

from calendar import isleap, monthrange
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from llmspell.errors import InvalidInput
from llmspell.tools.schema import anything, enum, mapping, number, record, string, union
from llmspell.tools.tool import VARIES, Example, Host, Tool
from llmspell.tools.util import date_arithmetic as arithmetic
from llmspell.tools.util.date_reading import read_date
from llmspell.tools.util.date_tokens import FORMAT_MAX, milliseconds_of, offset_text, read, write
from llmspell.tools.util.locales import LOCALES, Locale, find_locale
from llmspell.tools.util.zones import find_zone, preload, zone_names

OPERATIONS: Final = (
    "now", "parse", "format", "convert", "add", "subtract", "diff", "compare", "start_of", "end_of",
    "info", "list_timezones",
)  # fmt: skip

_NAMED: Final = {
    "date": "YYYY-MM-DD",
    "time": "HH:mm:ss",
    "datetime": "YYYY-MM-DD HH:mm:ss",
    "rfc2822": "ddd, DD MMM YYYY HH:mm:ss ZZ",
    "http": "ddd, DD MMM YYYY HH:mm:ss [GMT]",
    "unix": "X",
    "unix_ms": "x",
}


def iso(when: datetime) -> str:
    """`2025-01-20T15:30:00Z`, with milliseconds or more where there are any."""
    text = when.replace(tzinfo=None).isoformat()
    if when.microsecond and when.microsecond % 1000 == 0:
        text = text[:-3]
    return text + ("Z" if not when.utcoffset() else offset_text(when, ":"))


def components(when: datetime, locale: Locale) -> dict[str, Any]:
    """Everything that can be said of a date."""
    calendar = when.isocalendar()
    return {
        "iso": iso(when),
        "unix": milliseconds_of(when) / 1000,
        "year": when.year,
        "month": when.month,
        "day": when.day,
        "hour": when.hour,
        "minute": when.minute,
        "second": when.second,
        "millisecond": when.microsecond // 1000,
        "weekday": when.isoweekday(),
        "weekday_name": locale.days[when.weekday()],
        "month_name": locale.months[when.month - 1],
        "week": calendar.week,
        "week_year": calendar.year,
        "quarter": (when.month + 2) // 3,
        "day_of_year": when.timetuple().tm_yday,
        "days_in_month": monthrange(when.year, when.month)[1],
        "is_leap_year": isleap(when.year),
        "is_weekend": when.isoweekday() > 5,
        "timezone": str(when.tzinfo),
        "abbreviation": when.tzname(),
        "offset": offset_text(when, ":"),
        "is_dst": bool(when.dst()),
    }


class _Request:
    """One call's zones and words, and its dates read in them."""

    def __init__(self, given: dict[str, Any]) -> None:
        self.given = given
        self.locale = find_locale(given["locale"])
        self.zone = find_zone(given["timezone"]) if "timezone" in given else None
        self.source = find_zone(given["from_timezone"]) if "from_timezone" in given else None

    def date(self, name: str, *, default: bool = False) -> datetime:
        """The date of a parameter in the zone asked for."""
        inside: tzinfo = self.source or self.zone or UTC
        if name not in self.given:
            if default:
                return datetime.now(self.zone or UTC)
            raise InvalidInput(f"{name} is missing; {self.given['operation']} needs it")
        value = self.given[name]
        if "input_format" in self.given and isinstance(value, str):
            when = read(value, self.given["input_format"], self.locale, inside)
        else:
            when = read_date(value, inside, name)
        try:
            if self.given["ambiguous"] == "later":
                when = when.replace(fold=1)
            when = arithmetic.real(when)
            return when.astimezone(self.zone) if self.zone else when
        except (OverflowError, ValueError):
            raise InvalidInput(f"{name} is outside the years 1 to 9999", code=2009) from None

    def written(self, when: datetime) -> str:
        """The date in the format asked for; ISO 8601 without one."""
        form = self.given.get("format", "iso")
        if form.lower() == "iso":
            return iso(when)
        if form in ("rfc2822", "http"):
            return write(
                when.astimezone(UTC) if form == "http" else when, _NAMED[form], LOCALES["en"]
            )
        return write(when, _NAMED.get(form, form), self.locale)

    def amounts(self) -> dict[str, float]:
        """What to add, by unit."""
        given = self.given
        if "amount" in given:
            return {arithmetic.find_unit(given.get("unit", "days")): given["amount"]}
        duration = given.get("duration")
        if isinstance(duration, str):
            return arithmetic.parse_duration(duration)
        if not duration:
            raise InvalidInput("amount with unit, or duration, is missing")
        result: dict[str, float] = {}
        for name, amount in duration.items():
            unit = arithmetic.find_unit(name)
            result[unit] = result.get(unit, 0) + amount
        return result

    def moment(self, when: datetime) -> dict[str, Any]:
        """An answer that is a date."""
        return {"result": self.written(when), "metadata": components(when, self.locale)}


def _difference(request: _Request) -> dict[str, Any]:
    first, second = request.date("date"), request.date("other", default=True)
    unit = arithmetic.find_unit(request.given.get("unit", "days"))
    parts = arithmetic.breakdown(first, second)
    shown = [
        f"{count} {name if count != 1 else name[:-1]}" for name, count in parts.items() if count
    ]
    metadata = {
        "unit": unit,
        "parts": parts,
        "text": ", ".join(shown[:3]) or "no time",
        "milliseconds": (second - first) // timedelta(milliseconds=1),
    }
    return {"result": arithmetic.between(first, second, unit), "metadata": metadata}


async def _run(given: dict[str, Any], _: Host) -> dict[str, Any]:
    try:
        return _answer(given)
    except OverflowError:
        raise InvalidInput("a date would be outside the years 1 to 9999", code=2009) from None


def _answer(given: dict[str, Any]) -> dict[str, Any]:
    operation = given["operation"]
    if operation == "list_timezones":
        wanted = given.get("pattern", "").casefold()
        names = [name for name in zone_names() if wanted in name.casefold()]
        return {"result": names, "metadata": {"count": len(names)}}
    request = _Request(given)
    if operation == "diff":
        return _difference(request)
    if operation == "compare":
        first, second = request.date("date"), request.date("other", default=True)
        order = (first > second) - (first < second)
        words = {-1: "before", 0: "same", 1: "after"}
        return {"result": order, "metadata": {"date_is": words[order]}}
    when = request.date("date", default=operation in ("now", "info", "format"))
    if operation in ("add", "subtract"):
        sign = 1 if operation == "add" else -1
        return request.moment(arithmetic.add(when, request.amounts(), sign))
    if operation in ("start_of", "end_of"):
        unit = arithmetic.find_unit(given.get("unit", "days"))
        bound = arithmetic.start_of if operation == "start_of" else arithmetic.end_of
        return request.moment(bound(when, unit))
    if operation == "info":
        return {"result": components(when, request.locale), "metadata": {}}
    return request.moment(when)


_DATE: Final = (string("", max_length=200), number(""))

TOOL = Tool(
    name="date_time_handler",
    category="util",
    description="Reads, writes, converts, moves and compares dates and times.",
    security_level="low",
    capabilities=("dates", "time_zones", "scheduling"),
    preload=preload,
    parameters=record(
        "",
        {
            "operation": enum("What to do.", OPERATIONS, default="format"),
            "date": union(
                "ISO 8601, RFC 2822, `20 January 2025 3:30 PM`, now, today, tomorrow, yesterday, "
                "or seconds (from 1e11 on: milliseconds) since 1970.",
                _DATE,
            ),
            "other": union("Of diff and compare: the other date; now without it.", _DATE),
            "format": string(
                "Tokens YYYY YY Q MMMM MMM MM M DD D Do DDD dddd ddd d E W HH H hh h mm m ss s SSS "
                "A a Z ZZ z X x, [text]; or iso, date, time, datetime, rfc2822, http, unix, "
                "unix_ms.",
                max_length=FORMAT_MAX,
            ),
            "input_format": string(
                "How date is written, in the same tokens.", max_length=FORMAT_MAX
            ),
            "timezone": string(
                "Zone of the answer: Europe/Berlin, UTC, +02:00. Also where a date "
                "without an offset stands.",
                max_length=64,
            ),
            "from_timezone": string(
                "Where a date without an offset stands, if elsewhere.", max_length=64
            ),
            "locale": string(
                f"Language of names: {', '.join(LOCALES)}.", default="en-US", max_length=40
            ),
            "amount": number("Of add and subtract.", -1e12, 1e12),
            "unit": string(
                "Of amount, diff, start_of, end_of: " + ", ".join(arithmetic.UNITS) + ".",
                max_length=30,
            ),
            "duration": union(
                "Of add and subtract: P1Y2M3DT4H, or amounts by unit.",
                (string("", max_length=100), mapping("", number("", -1e12, 1e12), max_items=20)),
            ),
            "ambiguous": enum(
                "Which of two equal clock times when clocks go back.",
                ("earlier", "later"),
                default="earlier",
            ),
            "pattern": string("Of list_timezones: part of a name.", max_length=64),
        },
    ),
    output=anything(
        "a date as text, of diff a number, of compare -1, 0 or 1, of info an object, of "
        "list_timezones a list."
    ),
    run=_run,
    examples=(
        Example(
            "The seeds' date",
            {
                "operation": "format",
                "date": "2025-01-20T15:30:00Z",
                "format": "YYYY-MM-DD HH:mm:ss",
                "timezone": "America/New_York",
                "locale": "en-US",
            },
            "2025-01-20 10:30:00",
        ),
        Example(
            "A month later",
            {"operation": "add", "date": "2024-01-31", "amount": 1, "unit": "month"},
            "2024-02-29T00:00:00Z",
        ),
        Example(
            "Between two dates",
            {"operation": "diff", "date": "2025-01-01", "other": "2025-03-01", "unit": "days"},
            59,
        ),
        Example("Now", {"operation": "now", "timezone": "Asia/Tokyo"}, VARIES),
    ),
)
