"""Adding to dates and measuring between them.

Years to days move on the calendar of the date's zone (a day may have 23 hours); hours and less are
exact time.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from llmspell.errors import InvalidInput

UNITS: Final = (
    "years", "quarters", "months", "weeks", "days", "hours", "minutes", "seconds", "milliseconds",
)  # fmt: skip
_SECONDS: Final = {
    "weeks": 604_800.0, "days": 86_400.0, "hours": 3_600.0, "minutes": 60.0, "seconds": 1.0,
    "milliseconds": 0.001,
}  # fmt: skip
_SHORT: Final = {
    "y": "years", "q": "quarters", "w": "weeks", "d": "days", "h": "hours", "m": "minutes",
    "min": "minutes", "s": "seconds", "sec": "seconds", "ms": "milliseconds", "mo": "months",
}  # fmt: skip
_DURATION: Final = re.compile(
    r"(?P<sign>[+-])?P(?:(?P<years>\d{1,9})Y)?(?:(?P<months>\d{1,9})M)?(?:(?P<weeks>\d{1,9})W)?"
    r"(?:(?P<days>\d{1,9})D)?(?:T(?:(?P<hours>\d{1,9})H)?(?:(?P<minutes>\d{1,9})M)?"
    r"(?:(?P<seconds>\d{1,9}(?:\.\d{1,6})?)S)?)?",
    re.IGNORECASE,
)


def find_unit(name: str) -> str:
    """`day`, `d` and `days` are `days`. Raises `InvalidInput`."""
    word = name.strip().lower()
    unit = _SHORT.get(word, word if word.endswith("s") else word + "s")
    if unit not in UNITS:
        known = ", ".join(UNITS)
        raise InvalidInput(f"unit {name[:30]!a} is not known", hint=f"known are {known}")
    return unit


def parse_duration(text: str) -> dict[str, float]:
    """Amounts by unit of an ISO 8601 duration, `P1Y2DT3H`. Raises `InvalidInput`."""
    match = _DURATION.fullmatch(text.strip()[:100])
    amounts = {} if match is None else {
        name: float(value) for name, value in match.groupdict().items()
        if name != "sign" and value is not None
    }  # fmt: skip
    if match is None or not amounts:
        raise InvalidInput(f"duration {text[:40]!r} can't be read", hint="write it as P1DT2H")
    sign = -1 if match["sign"] == "-" else 1
    return {name: sign * value for name, value in amounts.items()}


def add(when: datetime, amounts: Mapping[str, float], sign: int) -> datetime:
    """The date moved by amounts of units. Raises `InvalidInput` outside the years 1 … 9999."""
    try:
        months = 0
        days = exact = 0.0
        for unit, amount in amounts.items():
            if unit in ("years", "quarters", "months"):
                if not float(amount).is_integer():
                    raise InvalidInput(f"{unit} are added as whole numbers")
                months += int(amount) * {"years": 12, "quarters": 3, "months": 1}[unit]
            elif unit in ("weeks", "days"):
                days += amount * (7 if unit == "weeks" else 1)
            else:
                exact += amount * _SECONDS[unit]
        moved = _add_months(when, sign * months)
        whole_days = int(days)
        moved += timedelta(days=sign * whole_days)
        moved = real(moved)
        exact += (days - whole_days) * 86_400.0
        if exact:
            zone = moved.tzinfo
            moved = (moved.astimezone(UTC) + timedelta(seconds=sign * exact)).astimezone(zone)
        return moved
    except (OverflowError, ValueError):
        raise InvalidInput("the date would be outside the years 1 to 9999", code=2009) from None


def _add_months(when: datetime, months: int) -> datetime:
    if not months:
        return when
    total = when.year * 12 + when.month - 1 + months
    year, month = divmod(total, 12)
    if not 1 <= year <= 9999:
        raise OverflowError
    return when.replace(
        year=year, month=month + 1, day=min(when.day, monthrange(year, month + 1)[1])
    )


def real(when: datetime) -> datetime:
    """A clock time that a zone leaps over becomes the one after the leap."""
    return when.astimezone(UTC).astimezone(when.tzinfo)


def start_of(when: datetime, unit: str) -> datetime:
    """The first moment of the date's year, month, week (from Monday), day, hour …"""
    midnight = when.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "years":
        return midnight.replace(month=1, day=1)
    if unit == "quarters":
        return midnight.replace(month=(when.month - 1) // 3 * 3 + 1, day=1)
    if unit == "months":
        return midnight.replace(day=1)
    if unit == "weeks":
        return midnight - timedelta(days=when.weekday())
    if unit == "days":
        return midnight
    fields = {"hours": ("minute", "second"), "minutes": ("second",)}.get(unit, ())
    whole = when.replace(**dict.fromkeys(fields, 0), microsecond=0)  # type: ignore[arg-type]
    if unit == "milliseconds":
        return when.replace(microsecond=when.microsecond // 1000 * 1000)
    return whole


def end_of(when: datetime, unit: str) -> datetime:
    """The last millisecond of the date's year, month, week …"""
    following = add(start_of(when, unit), {unit: 1}, 1)
    zone = when.tzinfo
    return (following.astimezone(UTC) - timedelta(milliseconds=1)).astimezone(zone)


def whole_months(first: datetime, second: datetime) -> int:
    """Whole calendar months from one date to another; negative when it lies before."""
    second = second.astimezone(first.tzinfo)
    months = (second.year - first.year) * 12 + second.month - first.month
    moved = _add_months(first, months)
    if second >= first and moved > second:
        months -= 1
    elif second < first and moved < second:
        months += 1
    return months


def between(first: datetime, second: datetime, unit: str) -> float:
    """From one date to another in a unit: whole for months and longer, else with a fraction."""
    if unit in ("years", "quarters", "months"):
        months = whole_months(first, second)
        size = {"years": 12, "quarters": 3, "months": 1}[unit]
        return int(months / size)
    seconds = (second - first).total_seconds()
    result = round(seconds / _SECONDS[unit], 6)
    return int(result) if result.is_integer() else result


def breakdown(first: datetime, second: datetime) -> dict[str, int]:
    """The distance as years, months, days, hours …, milliseconds; never negative."""
    if second < first:
        first, second = second, first
    months = whole_months(first, second)
    rest = second - _add_months(first, months)
    hours, seconds = divmod(rest.seconds, 3600)
    return {
        "years": months // 12,
        "months": months % 12,
        "days": rest.days,
        "hours": hours,
        "minutes": seconds // 60,
        "seconds": seconds % 60,
        "milliseconds": rest.microseconds // 1000,
    }
