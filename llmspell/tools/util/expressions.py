"""Arithmetic expressions: a small Pratt parser that computes as it reads. No Python is evaluated.

Bounds (RS-22, RS-23): 10 000 characters, 100 levels, whole numbers of 1 024 bits — a power or a
factorial is refused before it is computed.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from llmspell.errors import InvalidInput
from llmspell.tools.naming import near
from llmspell.tools.util.functions import CONSTANTS, FUNCTIONS, Number, NumberError

LENGTH_MAX: Final = 10_000
DEPTH_MAX: Final = 100
BITS_MAX: Final = 1_024
DIGITS_MAX: Final = 300

_TOKEN: Final = re.compile(
    r"\s*(?:(?P<hex>0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO][0-7_]+)"
    r"|(?P<number>(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"
    r"|(?P<name>[^\W\d]\w*)"
    r"|(?P<op>\*\*|//|<=|>=|==|!=|&&|\|\||[-+*/%^()<>,!?:×÷−]))"
)

_SPELLINGS: Final = {"×": "*", "÷": "/", "−": "-", "^": "**", "&&": "and", "||": "or"}

_BINDING: Final = {
    "?": 1, "or": 2, "and": 3,
    "==": 4, "!=": 4, "<": 4, "<=": 4, ">": 4, ">=": 4,
    "+": 5, "-": 5, "*": 6, "/": 6, "//": 6, "%": 6, "mod": 6, "**": 8, "!": 9,
}  # fmt: skip
_UNARY: Final = 7
_NOT: Final = 3


class Token(NamedTuple):
    """A piece of the expression: kind (number, name, op, end), text and column (from 1)."""

    kind: str
    text: str
    column: int


def tokens_of(text: str) -> list[Token]:
    """Cuts an expression. Raises `InvalidInput` at the first strange character."""
    result: list[Token] = []
    place = 0
    end = len(text.rstrip())
    while place < end:
        match = _TOKEN.match(text, place)
        if match is None:
            start = place + len(text[place:]) - len(text[place:].lstrip())
            raise InvalidInput(
                f"expression has {text[start]!r} at column {start + 1}, which means nothing here"
            )
        kind = match.lastgroup or ""
        piece = match.group(kind)
        if kind == "op":
            piece = _SPELLINGS.get(piece, piece)
        elif kind == "name" and piece in ("and", "or", "not", "mod"):
            kind = "op"
        result.append(Token(kind, piece, match.start(kind) + 1))
        place = match.end()
    result.append(Token("end", "", end + 1))
    return result


class Evaluator:
    """Computes one expression. `value()` raises `InvalidInput` with the column."""

    __slots__ = ("_depth", "_place", "_tokens", "_variables")

    def __init__(self, text: str, variables: Mapping[str, Number]) -> None:
        self._tokens = tokens_of(text)
        self._place = 0
        self._depth = 0
        self._variables = variables

    def value(self) -> Number | bool:
        """The value of the whole expression."""
        result: Number | bool = self._expression(0)
        token = self._tokens[self._place]
        if token.kind != "end":
            raise self._wrong(token, "an operator was expected", "write 2 * x, not 2 x")
        return result

    def _next(self) -> Token:
        token = self._tokens[self._place]
        if token.kind != "end":
            self._place += 1
        return token

    def _expect(self, text: str) -> None:
        token = self._next()
        if token.text != text or token.kind != "op":
            raise self._wrong(token, f"{text!r} was expected")

    def _expression(self, binding: int) -> Any:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise InvalidInput(f"expression is nested deeper than {DEPTH_MAX} levels")
        left = self._prefix()
        while True:
            token = self._tokens[self._place]
            power = _BINDING.get(token.text, 0) if token.kind == "op" else 0
            if power <= binding:
                break
            self._place += 1
            left = self._infix(token, left, power)
        self._depth -= 1
        return left

    def _prefix(self) -> Any:
        token = self._next()
        if token.kind == "number":
            return self._number(token)
        if token.kind == "hex":
            if len(token.text) > DIGITS_MAX:
                raise self._wrong(token, "the number is too long")
            digits = token.text.replace("_", "")
            if len(digits) < len("0x0"):
                raise self._wrong(token, "a number has digits")
            return int(digits, 0)
        if token.kind == "name":
            return self._name(token)
        if token.text == "(":
            value = self._expression(0)
            self._expect(")")
            return value
        if token.text in ("-", "+"):
            value = _numeric(self._expression(_UNARY), token)
            return -value if token.text == "-" else value
        if token.text in ("not", "!"):
            return not self._expression(_UNARY if token.text == "!" else _NOT)
        raise self._wrong(token, "a number, a name or a bracket was expected")

    def _number(self, token: Token) -> Number:
        text = token.text.replace("_", "")
        if len(text) > DIGITS_MAX:
            raise self._wrong(token, "the number is too long")
        value: Number = int(text) if text.isdecimal() else float(text)
        _checked(value, token)
        return value

    def _name(self, token: Token) -> Any:
        following = self._tokens[self._place]
        if following.text == "(" and following.kind == "op":
            self._place += 1
            return self._function(token)
        if token.text in self._variables:
            return self._variables[token.text]
        if token.text in CONSTANTS:
            return CONSTANTS[token.text]
        if token.text in FUNCTIONS:
            raise self._wrong(token, f"{token.text} is a function", f"write {token.text}(…)")
        known = [*self._variables, *CONSTANTS]
        raise self._wrong(
            token,
            f"there is no variable {token.text}",
            near(token.text, known) or f"give it in variables: {{{token.text}: 1}}",
        )

    def _function(self, token: Token) -> Any:
        arguments: list[Any] = []
        if self._tokens[self._place].text == ")":
            self._place += 1
        else:
            while True:
                arguments.append(self._expression(0))
                if len(arguments) > 1_000:
                    raise self._wrong(token, "over 1000 arguments")
                if self._tokens[self._place].text != ",":
                    break
                self._place += 1
            self._expect(")")
        if token.text == "if":
            if len(arguments) != 3:
                raise self._wrong(token, "if takes 3 arguments")
            return arguments[1] if arguments[0] else arguments[2]
        function = FUNCTIONS.get(token.text)
        if function is None:
            raise self._wrong(
                token, f"there is no function {token.text}", near(token.text, FUNCTIONS)
            )
        if not function.least <= len(arguments) <= function.most:
            raise self._wrong(token, f"{token.text} takes {function.arity()}")
        numbers = [_numeric(argument, token) for argument in arguments]
        return _guarded(token, lambda: function.compute(*numbers))

    def _infix(self, token: Token, left: Any, power: int) -> Any:
        if token.text == "!":
            return _guarded(token, lambda: FUNCTIONS["factorial"].compute(_numeric(left, token)))
        if token.text == "?":
            chosen = self._expression(0)
            self._expect(":")
            other = self._expression(0)
            return chosen if left else other
        # A power binds to the right: 2 ** 3 ** 2 is 512.
        right = self._expression(power - 1 if token.text == "**" else power)
        if token.text == "and":
            return bool(left) and bool(right)
        if token.text == "or":
            return bool(left) or bool(right)
        first, second = _numeric(left, token), _numeric(right, token)
        return _guarded(token, lambda: _OPERATIONS[token.text](first, second))

    @staticmethod
    def _wrong(token: Token, what: str, hint: str | None = None) -> InvalidInput:
        where = "at its end" if token.kind == "end" else f"at column {token.column}"
        shown = f" ({token.text[:40]!r})" if token.text else ""
        return InvalidInput(f"expression, {where}{shown}: {what}", hint=hint)


def _numeric(value: Any, token: Token) -> Any:
    if isinstance(value, bool):
        raise InvalidInput(
            f"expression, at column {token.column}: a comparison can't be computed with",
            hint="use if(condition, a, b)",
        )
    return value


def _guarded(token: Token, compute: Callable[[], Any]) -> Any:
    where = f"expression, at column {token.column} ({token.text})"
    try:
        return _checked(compute(), token)
    except NumberError as error:
        raise InvalidInput(f"{where}: {error}") from None
    except ZeroDivisionError:
        raise InvalidInput(f"{where}: division by zero") from None
    except OverflowError:
        raise InvalidInput(f"{where}: the result is too large") from None
    except ValueError:
        raise InvalidInput(f"{where}: not defined for this value") from None


def _checked(value: Any, token: Token) -> Any:
    if isinstance(value, int):
        if value.bit_length() > BITS_MAX:
            raise InvalidInput(f"expression, at column {token.column}: the number is too large")
    elif not math.isfinite(value):
        raise InvalidInput(f"expression, at column {token.column}: the result is too large")
    return value


def power(base: Number, exponent: Number) -> Number:
    """`base ** exponent`, refused before it costs anything. Raises `NumberError`."""
    if isinstance(base, int) and isinstance(exponent, int) and exponent >= 0:
        if base not in (-1, 0, 1) and (base.bit_length() - 1) * exponent > BITS_MAX:
            raise NumberError("the result is too large")
        # Of 0 and ±1 only the parity of the exponent counts.
        raised: int = base ** (min(exponent, exponent % 2 + 2) if base in (-1, 0, 1) else exponent)
        return raised
    if base == 0 and exponent < 0:
        raise ZeroDivisionError
    if base < 0 and not float(exponent).is_integer():
        raise NumberError("a fractional power of a negative number is not real")
    return math.pow(base, exponent)


def divide(left: Number, right: Number) -> Number:
    """True division; whole numbers that divide evenly stay whole, however large."""
    if isinstance(left, int) and isinstance(right, int) and left % right == 0:
        return left // right
    return left / right


_OPERATIONS: Final[Mapping[str, Callable[[Any, Any], Any]]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": divide,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "mod": lambda a, b: a % b,
    "**": power,
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}
