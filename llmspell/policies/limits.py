"""Limits of a run: a number each, or the word "unlimited"; nothing is unlimited by default.

A missing, empty, negative, not-a-number or (where nothing could run) zero value is an error, never
"no limit" (EN-06). Source: architecture section 6, SEC-010, SEC-013, SEC-033, SEC-043, RES-010.
"""

from __future__ import annotations

import enum

from llmspell.errors import UsageError
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final


class Unlimited(enum.Enum):
    """The one way to say that there is no limit: the word itself."""

    UNLIMITED = "unlimited"


UNLIMITED: Final = Unlimited.UNLIMITED

Amount = int | float | Unlimited

AMOUNT_MAX: Final = 2**53
"""Largest limit: what all three languages count exactly."""


class Limits(NamedTuple):
    """What one run may use. Bytes, seconds, counts; `model_cost` in US dollars.

    The defaults are the strict end (profile `high`), so that a forgotten field is never generous.
    `transfer` counts bytes read and written through the broker, `output` bytes printed,
    `scratch` bytes in the scratch or workspace folder, `calls` brokered calls also of tools,
    `events` what the spell emits.
    """

    memory: Amount = 268_435_456
    cpu: Amount = 30
    wall: Amount = 60
    processes: Amount = 0
    threads: Amount = 1
    open_files: Amount = 32
    output: Amount = 1_048_576
    calls: Amount = 1_000
    transfer: Amount = 268_435_456
    scratch: Amount = 16_777_216
    script_size: Amount = 1_048_576
    request_body: Amount = 1_000_000
    response_body: Amount = 10_000_000
    request_time: Amount = 30
    requests_at_once: Amount = 10
    events: Amount = 100_000
    model_tokens: Amount = 50_000
    model_cost: Amount = 0.25


class Kind(enum.Enum):
    """How a limit is written."""

    BYTES = "bytes"
    SECONDS = "seconds"
    COUNT = "count"
    MONEY = "dollars"


KINDS: Final[Mapping[str, Kind]] = {
    "memory": Kind.BYTES,
    "cpu": Kind.SECONDS,
    "wall": Kind.SECONDS,
    "processes": Kind.COUNT,
    "threads": Kind.COUNT,
    "open_files": Kind.COUNT,
    "output": Kind.BYTES,
    "calls": Kind.COUNT,
    "transfer": Kind.BYTES,
    "scratch": Kind.BYTES,
    "script_size": Kind.BYTES,
    "request_body": Kind.BYTES,
    "response_body": Kind.BYTES,
    "request_time": Kind.SECONDS,
    "requests_at_once": Kind.COUNT,
    "events": Kind.COUNT,
    "model_tokens": Kind.COUNT,
    "model_cost": Kind.MONEY,
}

MAY_BE_ZERO: Final = frozenset(
    {
        "processes",
        "output",
        "calls",
        "transfer",
        "scratch",
        "request_body",
        "response_body",
        "requests_at_once",
        "events",
        "model_tokens",
        "model_cost",
    }
)
"""Limits for which zero is a useful, strict value: none of it at all."""

_BYTE_UNITS: Final[Mapping[str, int]] = {
    "": 1,
    "b": 1,
    "kb": 10**3,
    "mb": 10**6,
    "gb": 10**9,
    "tb": 10**12,
    "k": 2**10,
    "m": 2**20,
    "g": 2**30,
    "t": 2**40,
    "kib": 2**10,
    "mib": 2**20,
    "gib": 2**30,
    "tib": 2**40,
}
_TIME_UNITS: Final[Mapping[str, float]] = {
    "": 1.0,
    "ms": 0.001,
    "s": 1.0,
    "sec": 1.0,
    "m": 60.0,
    "min": 60.0,
    "h": 3600.0,
}
_EXAMPLES: Final[Mapping[Kind, str]] = {
    Kind.BYTES: "512MiB, 1GB or unlimited",
    Kind.SECONDS: "30s, 2m, 100ms or unlimited",
    Kind.COUNT: "64 or unlimited",
    Kind.MONEY: "0.25 or unlimited",
}


def parse_bytes(text: str) -> int:
    """Bytes of `512MiB` (binary), `1GB` (decimal), `64M` (binary), `4096`. Raises UsageError."""
    number, unit = _split(text)
    factor = _BYTE_UNITS.get(unit.lower())
    if factor is None:
        raise UsageError(f"{text!r} has an unknown byte unit: use B, kB, MB, GB, KiB, MiB, GiB")
    return _whole(number * factor, text)


def parse_seconds(text: str) -> float:
    """Seconds of `30s`, `2m`, `1h`, `100ms`, `30`. Raises UsageError."""
    number, unit = _split(text)
    factor = _TIME_UNITS.get(unit.lower())
    if factor is None:
        raise UsageError(f"{text!r} has no time unit that is known: use ms, s, m or h")
    return number * factor


def _split(text: str) -> tuple[float, str]:
    stripped = text.strip()
    end = 0
    while end < len(stripped) and stripped[end] in "0123456789.":
        end += 1
    digits, unit = stripped[:end], stripped[end:].strip()
    # Only what a person would write: no sign, no exponent, no "nan" or "inf".
    if not digits or digits.count(".") > 1 or digits == "." or len(digits) > 20:
        raise UsageError(f"{text!r} is not an amount: write a number, then its unit")
    return float(digits), unit


def _whole(value: float, text: str) -> int:
    if value != int(value):
        raise UsageError(f"{text!r} is not a whole number")
    return int(value)


def parse_limit(name: str, value: object) -> Amount:
    """One limit as written on the command line or in a file.

    Raises UsageError for an unknown name, a wrong unit, and for None, zero (unless the limit is
    one of `MAY_BE_ZERO`), negative, NaN and infinite values.
    """
    kind = KINDS.get(name)
    if kind is None:
        raise UsageError(f"there is no limit {name!r}; the limits are {', '.join(KINDS)}")
    if value is UNLIMITED or value == UNLIMITED.value:
        return UNLIMITED
    try:
        amount = _amount(kind, value)
    except UsageError as error:
        raise UsageError(f"limit {name}: {error.message} (for example {_EXAMPLES[kind]})") from None
    return check_amount(name, amount)


def _amount(kind: Kind, value: object) -> int | float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    if not isinstance(value, str):
        raise UsageError(f"{value!r} is not an amount")
    if kind is Kind.BYTES:
        return parse_bytes(value)
    if kind is Kind.SECONDS:
        return parse_seconds(value)
    number, unit = _split(value)
    if unit:
        raise UsageError(f"{value!r} takes no unit")
    return number if kind is Kind.MONEY else _whole(number, value)


def check_amount(name: str, amount: Amount) -> Amount:
    """The amount, if it is one that `name` may have. Raises UsageError otherwise (EN-06)."""
    if amount is UNLIMITED:
        return amount
    kind = KINDS.get(name)
    if kind is None:
        raise UsageError(f"there is no limit {name!r}; the limits are {', '.join(KINDS)}")
    example = f"(for example {_EXAMPLES[kind]})"
    if isinstance(amount, bool) or not isinstance(amount, (int, float)):
        raise UsageError(f"limit {name}: {amount!r} is not an amount {example}")
    # A comparison with NaN is false, so the range is asked for, not its opposite.
    if not 0 <= amount <= AMOUNT_MAX:
        raise UsageError(f"limit {name}: {amount!r} is out of range {example}")
    if amount == 0 and name not in MAY_BE_ZERO:
        raise UsageError(f"limit {name}: nothing can run with zero; say unlimited for no limit")
    if kind in (Kind.BYTES, Kind.COUNT) and amount != int(amount):
        raise UsageError(f"limit {name}: {amount!r} is not a whole number {example}")
    return int(amount) if kind in (Kind.BYTES, Kind.COUNT) else amount


def number_of(limit: object) -> float | None:
    """A limit as a number, or None when it is spelled unlimited."""
    return float(limit) if isinstance(limit, (int, float)) else None


def check_limits(limits: Limits) -> Limits:
    """The same limits with every field checked. Raises UsageError."""
    return Limits(*(check_amount(name, value) for name, value in zip(KINDS, limits, strict=True)))


def stricter(first: Amount, second: Amount) -> Amount:
    """The smaller of two limits."""
    if isinstance(first, Unlimited):
        return second
    if isinstance(second, Unlimited):
        return first
    return min(first, second)


def describe_amount(name: str, amount: Amount) -> str:
    """The limit as a person writes it: `512 MiB`, `30 s`, `64`, `unlimited`."""
    if isinstance(amount, Unlimited):
        return amount.value
    kind = KINDS[name]
    if kind is Kind.BYTES:
        for factor, unit in ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB")):
            if amount >= factor and amount % factor == 0:
                return f"{int(amount // factor)} {unit}"
        return f"{int(amount)} B"
    if kind is Kind.SECONDS:
        return f"{amount:g} s"
    return f"${amount:g}" if kind is Kind.MONEY else f"{int(amount)}"
