"""The functions and constants of the calculator, each with how many arguments it takes."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

Number = int | float

FACTORIAL_MAX: Final = 170
"""Largest n of n!: the last whose value is a finite number."""

MANY: Final = 1_000


class NumberError(ValueError):
    """A function is not defined for its arguments; the message says why."""


class Function(NamedTuple):
    """One function: least and most arguments, and what computes it."""

    least: int
    most: int
    compute: Callable[..., Any]

    def arity(self) -> str:
        """How many arguments it takes, in words."""
        if self.most == MANY:
            return f"at least {self.least} argument" + "s" * (self.least != 1)
        if self.least == self.most:
            return f"{self.least} argument" + "s" * (self.least != 1)
        return f"{self.least} to {self.most} arguments"


def _whole(value: Number) -> int:
    if isinstance(value, float) and not value.is_integer():
        raise NumberError("a whole number is needed")
    return int(value)


def _sqrt(value: Number) -> Number:
    if value < 0:
        raise NumberError("the square root of a negative number is not real")
    if isinstance(value, int):
        root = math.isqrt(value)
        if root * root == value:
            return root
    return math.sqrt(value)


def _log(value: Number, base: Number = 10) -> float:
    if value <= 0:
        raise NumberError("a logarithm needs a positive number")
    if base <= 0 or base == 1:
        raise NumberError("a logarithm's base is positive and not 1")
    if base == 10:
        return math.log10(value)
    if base == 2:
        return math.log2(value)
    return math.log(value) / math.log(base)


def _ln(value: Number) -> float:
    if value <= 0:
        raise NumberError("a logarithm needs a positive number")
    return math.log(value)


def _factorial(value: Number) -> int:
    whole = _whole(value)
    if not 0 <= whole <= FACTORIAL_MAX:
        raise NumberError(f"a factorial is computed from 0 to {FACTORIAL_MAX}")
    return math.factorial(whole)


def _choose(function: Callable[[int, int], int]) -> Callable[[Number, Number], int]:
    def compute(n: Number, k: Number) -> int:
        whole_n, whole_k = _whole(n), _whole(k)
        if not (0 <= whole_n <= 1_000 and 0 <= whole_k <= 1_000):
            raise NumberError("computed from 0 to 1000")
        return function(whole_n, whole_k)

    return compute


def _round(value: Number, digits: Number = 0) -> Number:
    places = _whole(digits)
    if not -300 <= places <= 300:
        raise NumberError("rounds to -300 … 300 digits")
    # Half away from zero, as on paper; Python's own rounds half to even.
    scaled = abs(value) * 10.0**places
    if not math.isfinite(scaled) or scaled >= 2**53:
        return round(value, places)
    rounded = math.floor(scaled + 0.5)
    if abs(rounded - 0.5 - scaled) < 1e-9 * max(1.0, scaled) and scaled + 0.5 < rounded:
        rounded -= 1
    result = rounded / 10.0**places
    signed = math.copysign(result, value)
    return int(signed) if places <= 0 else signed


def _mean(*values: Number) -> Number:
    return math.fsum(values) / len(values)


def _median(*values: Number) -> Number:
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _sum(*values: Number) -> Number:
    return sum(values) if all(isinstance(value, int) for value in values) else math.fsum(values)


def _clamp(value: Number, low: Number, high: Number) -> Number:
    if low > high:
        raise NumberError("the lower bound is above the upper one")
    return min(max(value, low), high)


def _one(compute: Callable[[Any], Any]) -> Function:
    return Function(1, 1, compute)


FUNCTIONS: Final[Mapping[str, Function]] = {
    "abs": _one(abs),
    "sqrt": _one(_sqrt),
    "cbrt": _one(math.cbrt),
    "exp": _one(math.exp),
    "ln": _one(_ln),
    "log": Function(1, 2, _log),
    "log10": _one(_log),
    "log2": _one(lambda value: _log(value, 2)),
    "sin": _one(math.sin),
    "cos": _one(math.cos),
    "tan": _one(math.tan),
    "asin": _one(math.asin),
    "acos": _one(math.acos),
    "atan": _one(math.atan),
    "atan2": Function(2, 2, math.atan2),
    "sinh": _one(math.sinh),
    "cosh": _one(math.cosh),
    "tanh": _one(math.tanh),
    "asinh": _one(math.asinh),
    "acosh": _one(math.acosh),
    "atanh": _one(math.atanh),
    "degrees": _one(math.degrees),
    "radians": _one(math.radians),
    "floor": _one(math.floor),
    "ceil": _one(math.ceil),
    "trunc": _one(math.trunc),
    "round": Function(1, 2, _round),
    "sign": _one(lambda value: (value > 0) - (value < 0)),
    "min": Function(1, MANY, lambda *values: min(values)),
    "max": Function(1, MANY, lambda *values: max(values)),
    "sum": Function(1, MANY, _sum),
    "avg": Function(1, MANY, _mean),
    "mean": Function(1, MANY, _mean),
    "median": Function(1, MANY, _median),
    "clamp": Function(3, 3, _clamp),
    "hypot": Function(1, MANY, math.hypot),
    "pow": Function(2, 2, lambda base, exponent: _power(base, exponent)),
    "mod": Function(2, 2, lambda a, b: a % b),
    "gcd": Function(1, MANY, lambda *values: math.gcd(*map(_whole, values))),
    "lcm": Function(1, 20, lambda *values: math.lcm(*map(_whole, values))),
    "factorial": _one(_factorial),
    "comb": Function(2, 2, _choose(math.comb)),
    "perm": Function(2, 2, _choose(math.perm)),
}
"""`log` is the common logarithm, as in the seeds' `log(100)` and on pocket calculators; `ln` the
natural one; `log(x, base)` any other. `if(condition, a, b)` is read by the parser."""

CONSTANTS: Final[Mapping[str, Number]] = {
    "pi": math.pi,
    "π": math.pi,
    "e": math.e,
    "tau": math.tau,
    "τ": math.tau,
    "phi": (1 + math.sqrt(5)) / 2,
    "φ": (1 + math.sqrt(5)) / 2,
}


def _power(base: Number, exponent: Number) -> Number:
    from llmspell.tools.util.expressions import power

    return power(base, exponent)
