"""Triggers of jobs, checked and in one spelling (SCH-003 … SCH-006). Pure, bounded."""

from __future__ import annotations

from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.options import normalise, seconds

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

FIELDS: Final = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day", 1, 31, ()),
    ("month", 1, 12,
     ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")),
    ("weekday", 0, 7, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)  # fmt: skip
"""The five fields of a cron expression: name, least, most, and names from the least on."""

MACROS: Final[Mapping[str, str]] = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
CRON_MAX: Final = 256
PARTS_MAX: Final = 60
INTERVAL_LEAST: Final = 1.0
"""Seconds between two starts at least."""

TEXT_MAX: Final = 256


def read_trigger(given: Any, engine: str) -> dict[str, Any]:
    """The trigger in one spelling. Raises `InvalidInput` that says which part is wrong."""
    if not isinstance(given, dict):
        raise InvalidInput("scheduler.register: trigger must be an object")
    trigger = normalise(given)
    kind = trigger.get("type")
    if kind is None:
        kind = next((one for one in ("cron", "interval", "event") if one in trigger), None)
    if kind in ("cron", "schedule"):
        text = trigger.get("schedule", trigger.get("cron", trigger.get("expression")))
        return {"type": "cron", "schedule": check_cron(text)}
    if kind in ("interval", "every"):
        return {"type": "interval", "seconds": _interval(trigger, engine)}
    if kind in ("event", "on_event"):
        name = trigger.get("event", trigger.get("pattern", trigger.get("event_type")))
        return {
            "type": "event",
            "event": _text(name, "event"),
            "filter": _plain(trigger.get("filter", {})),
        }
    if kind in ("external", "webhook", "socket"):
        source = trigger.get("source", kind)
        return {"type": "external", "source": _text(source, "source")}
    raise InvalidInput(
        f"scheduler.register: {str(kind)[:40]!r} is no kind of trigger",
        hint="one of cron, interval, event, external",
    )


def check_cron(text: Any) -> str:
    """A cron expression of five fields with single blanks, macros written out.

    Raises `InvalidInput` naming the field.
    """
    if not isinstance(text, str) or len(text) > CRON_MAX:
        raise InvalidInput(f"a cron expression is text of at most {CRON_MAX} characters")
    stripped = text.strip().lower()
    stripped = MACROS.get(stripped, stripped)
    fields = stripped.split()
    if len(fields) != len(FIELDS):
        raise InvalidInput(
            f"a cron expression has five fields, not {len(fields)}",
            hint="minute hour day month weekday, such as 0 8 * * *",
        )
    for field, (name, least, most, names) in zip(fields, FIELDS, strict=True):
        _check_field(field, name, least, most, names)
    return " ".join(fields)


def _check_field(field: str, name: str, least: int, most: int, names: tuple[str, ...]) -> None:
    parts = field.split(",")
    if len(parts) > PARTS_MAX:
        raise _wrong(name, field)
    for part in parts:
        span, slash, step = part.partition("/")
        if slash and not 1 <= _number(step, name, field) <= most:
            raise _wrong(name, field)
        if span == "*":
            continue
        first, dash, last = span.partition("-")
        low = _named(first, name, field, least, names)
        high = _named(last, name, field, least, names) if dash else low
        if not least <= low <= high <= most:
            raise _wrong(name, field)


def _named(text: str, name: str, field: str, least: int, names: tuple[str, ...]) -> int:
    return names.index(text) + least if text in names else _number(text, name, field)


def _number(text: str, name: str, field: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 3):
        raise _wrong(name, field)
    return int(text)


def _wrong(name: str, field: str) -> InvalidInput:
    return InvalidInput(f"the {name} of the cron expression can't be {field[:60]!r}")


def _interval(trigger: Mapping[str, Any], engine: str) -> float:
    for key, factor in (("seconds", 1.0), ("minutes", 60.0), ("hours", 3600.0), ("days", 86400.0)):
        value = trigger.get(key)
        if value is not None:
            if type(value) not in (int, float) or not 0 < value < 1e9:
                raise InvalidInput(f"scheduler.register: {key} must be a number above 0")
            return _long_enough(float(value) * factor)
    value = trigger.get("interval", trigger.get("every", trigger.get("duration")))
    return _long_enough(seconds(value, engine, "the trigger's interval"))


def _long_enough(value: float) -> float:
    if value < INTERVAL_LEAST:
        raise InvalidInput(f"an interval is at least {INTERVAL_LEAST:g} s")
    return value


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or not 1 <= len(value) <= TEXT_MAX:
        raise InvalidInput(f"the trigger's {what} is text of 1 to {TEXT_MAX} characters")
    return value


def _plain(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or len(repr(value)) > 4_096:
        raise InvalidInput("the trigger's filter is a small object")
    return value
