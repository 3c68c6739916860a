"""Expressions in tags and conditions: `{{x}} > 3 and kind == 'a'`. A Pratt parser and its trees.

Comparison, `and or not`, arithmetic on numbers, a few functions; no loop, no assignment, no call
of anything else. Bounds: 1 000 characters, 32 levels; numbers stay finite and within ±2^53.
"""

from __future__ import annotations

from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING, NamedTuple
from llmspell.spells.templating.operations import ACTIONS, FUNCTIONS, NUMBER_MAX
from llmspell.spells.templating.values import MISSING, Scope, is_true, weight

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final

EXPRESSION_MAX: Final = 1_000
"""Characters of one expression."""

DEPTH_MAX: Final = 32
"""Levels of brackets and operators within each other."""

TEXT_MAX: Final = 1_048_576
"""Characters of a text that an expression makes."""

PARSING: Final = 200
"""Work that a character of a template costs, beside one that an operator looks at."""

_WORDS: Final = frozenset({"and", "or", "not"})
_CONSTANTS: Final[Mapping[str, Any]] = {
    "true": True, "false": False, "null": None, "nil": None, "none": None, "undefined": None,
    "True": True, "False": False, "None": None,
}  # fmt: skip
_OPERATORS: Final = (
    "===", "!==", "{{", "}}", "==", "!=", "~=", "<=", ">=", "&&", "||", "..",
    "<", ">", "+", "-", "*", "/", "%", "(", ")", ",", "!", "#",
)  # fmt: skip
_SPELLINGS: Final[Mapping[str, str]] = {
    "===": "==", "!==": "!=", "~=": "!=", "&&": "and", "||": "or", "!": "not", "{{": "(", "}}": ")",
}  # fmt: skip
_BINDING: Final[Mapping[str, int]] = {
    "or": 1, "and": 2, "==": 3, "!=": 3, "<": 3, "<=": 3, ">": 3, ">=": 3,
    "..": 4, "+": 5, "-": 5, "*": 6, "/": 6, "%": 6,
}  # fmt: skip
_NOT: Final = 2
_SIGN: Final = 7


class Token(NamedTuple):
    """A piece: kind (number, text, path, op, end), its text, and its column from 1."""

    kind: str
    text: str
    column: int


class Constant(NamedTuple):
    """A number, text, true, false or null."""

    value: Any


class Path(NamedTuple):
    """A value by name."""

    up: int
    steps: tuple[str, ...]
    shown: str


class Operation(NamedTuple):
    """An operator or function with its operands."""

    name: str
    operands: tuple[Any, ...]


class Template(NamedTuple):
    """A quoted text with tags in it."""

    text: str


Tree = Constant | Path | Operation | Template


def parse(text: str) -> Tree:
    """The tree of an expression. Raises `InvalidInput` that names the column."""
    if len(text) > EXPRESSION_MAX:
        raise InvalidInput(f"an expression has at most {EXPRESSION_MAX} characters")
    return _Parser(text).whole()


def compute(tree: Tree, scope: Scope, render: Callable[[str, Scope], str]) -> Any:
    """The value of a tree; `render` prints a quoted text with tags. Raises `InvalidInput`."""
    if isinstance(tree, Constant):
        return tree.value
    if isinstance(tree, Path):
        value = scope.find(tree.up, tree.steps)
        if value is MISSING:
            scope.miss(tree.shown)
            return None
        return value
    if isinstance(tree, Template):
        scope.charge(PARSING * len(tree.text))
        # What it prints costs as much whether or not an operator looks at it.
        text = render(tree.text, scope)
        scope.charge(len(text))
        return text
    operands = tree.operands
    if tree.name in ("and", "or"):
        left = compute(operands[0], scope, render)
        if is_true(left) is (tree.name == "or"):
            return left
        return compute(operands[1], scope, render)
    values = [compute(operand, scope, render) for operand in operands]
    for value in values:
        scope.charge(weight(value))
    result = _checked(tree.name, values)
    scope.charge(len(result) if isinstance(result, str) else 1)
    return result


def _checked(name: str, values: list[Any]) -> Any:
    try:
        value = ACTIONS[name](*values)
    except (TypeError, ValueError, OverflowError, ZeroDivisionError):
        kinds = " and ".join(_kind(value) for value in values)
        raise InvalidInput(f"{name} can't be done with {kinds}") from None
    if isinstance(value, float) and not -NUMBER_MAX <= value <= NUMBER_MAX:
        raise InvalidInput(f"the result of {name} is too large")
    if isinstance(value, int) and abs(value) > NUMBER_MAX:
        raise InvalidInput(f"the result of {name} is too large")
    if isinstance(value, str) and len(value) > TEXT_MAX:
        raise InvalidInput(f"the result of {name} has over {TEXT_MAX} characters")
    return value


def _kind(value: Any) -> str:
    kinds = {bool: "a boolean", str: "text", list: "a list", dict: "an object"}
    if value is None:
        return "nothing"
    return kinds.get(type(value), "a number")


class _Parser:
    def __init__(self, text: str) -> None:
        self._tokens = _tokens(text)
        self._place = 0
        self._depth = 0

    def whole(self) -> Tree:
        tree = self._expression(0)
        token = self._tokens[self._place]
        if token.kind != "end":
            raise _wrong(token, "an operator was expected")
        return tree

    def _next(self) -> Token:
        token = self._tokens[self._place]
        if token.kind != "end":
            self._place += 1
        return token

    def _at(self, text: str) -> bool:
        token = self._tokens[self._place]
        return token.kind == "op" and token.text == text

    def _expect(self, text: str) -> None:
        token = self._next()
        if token.kind != "op" or token.text != text:
            raise _wrong(token, f"{text!r} was expected")

    def _expression(self, binding: int) -> Tree:
        self._depth += 1
        if self._depth > DEPTH_MAX:
            raise InvalidInput(f"an expression is nested deeper than {DEPTH_MAX} levels")
        left = self._prefix()
        chain = 0
        while True:
            token = self._tokens[self._place]
            power = _BINDING.get(token.text, 0) if token.kind == "op" else 0
            if power <= binding:
                break
            chain += 1
            if chain > DEPTH_MAX:
                # Each link is a level of the tree, which is computed by recursion.
                raise InvalidInput(f"an expression has over {DEPTH_MAX} operators in a row")
            self._place += 1
            left = Operation(token.text, (left, self._expression(power)))
        self._depth -= 1
        return left

    def _prefix(self) -> Tree:
        token = self._next()
        if token.kind == "number":
            return Constant(_number(token))
        if token.kind == "text":
            return Template(token.text) if "{{" in token.text else Constant(token.text)
        if token.kind == "path":
            return self._call(token) if self._at("(") else _path(token)
        if token.text == "(":
            tree = self._expression(0)
            self._expect(")")
            return tree
        if token.text == "-":
            return Operation("minus", (self._expression(_SIGN),))
        if token.text == "#":
            return Operation("length", (self._expression(_SIGN),))
        if token.text == "not":
            return Operation("not", (self._expression(_NOT),))
        raise _wrong(token, "a value was expected")

    def _call(self, token: Token) -> Tree:
        self._expect("(")
        operands: list[Tree] = []
        while not self._at(")"):
            operands.append(self._expression(0))
            if not self._at(","):
                break
            self._place += 1
        self._expect(")")
        name = token.text
        least, most = FUNCTIONS.get(name, (0, -1))
        if most < 0:
            raise _wrong(token, f"there is no function {name[:40]}")
        if not least <= len(operands) <= most:
            raise _wrong(token, f"{name} takes {least} to {most} values")
        return Operation(name, tuple(operands))


def _tokens(text: str) -> list[Token]:
    result: list[Token] = []
    place = 0
    while place < len(text):
        letter = text[place]
        if letter.isspace():
            place += 1
            continue
        start = place
        if letter in "'\"":
            place = text.find(letter, start + 1) + 1
            if place == 0:
                raise InvalidInput(f"the text from column {start + 1} on is not closed")
            result.append(Token("text", text[start + 1 : place - 1], start + 1))
        elif letter.isdecimal() and letter.isascii():
            while place < len(text) and (text[place].isdecimal() or text[place] == "."):
                place += 1
            result.append(Token("number", text[start:place], start + 1))
        elif _begins_path(text, place):
            place = _path_end(text, place)
            word = text[start:place]
            kind = "op" if word in _WORDS else "path"
            result.append(Token(kind, word, start + 1))
        else:
            found = next((one for one in _OPERATORS if text.startswith(one, place)), None)
            if found is None:
                raise InvalidInput(f"{letter!r} at column {start + 1} means nothing here")
            place += len(found)
            result.append(Token("op", _SPELLINGS.get(found, found), start + 1))
    result.append(Token("end", "", len(text) + 1))
    return result


def _begins_path(text: str, place: int) -> bool:
    letter = text[place]
    if letter.isalpha() or letter in "_@":
        return True
    # `.` is `this`, `../x` is of the scope around; `..` between two values joins texts.
    return letter == "." and (text.startswith("../", place) or not text.startswith("..", place))


def _path_end(text: str, place: int) -> int:
    while place < len(text):
        letter = text[place]
        if text.startswith("..", place) and not text.startswith("../", place):
            break
        inside = letter.isalnum() or letter in "_@.[]" or text.startswith("../", place)
        if letter == "/":
            inside = place > 0 and text[place - 1] == "."
        # A hyphen between letters is part of a step's name: {{fetch-data.output}}.
        if letter == "-":
            inside = text[place - 1].isalnum() and text[place + 1 : place + 2].isalpha()
        if not inside:
            break
        place += 1
    return place


def _path(token: Token) -> Tree:
    text = token.text
    if text in _CONSTANTS:
        return Constant(_CONSTANTS[text])
    up, rest = 0, text
    while rest.startswith("../"):
        up, rest = up + 1, rest[3:]
    rest = rest.removeprefix("./")
    if rest in ("this", ".", ""):
        return Path(up, (), text)
    rest = rest.removeprefix("this.")
    steps = tuple(rest.replace("[", ".").replace("]", "").split("."))
    if not all(steps):
        raise _wrong(token, f"{text[:60]!r} is no name")
    return Path(up, steps, text)


def _number(token: Token) -> float | int:
    try:
        value: float | int = float(token.text) if "." in token.text else int(token.text[:20])
    except ValueError:
        raise _wrong(token, "that is no number") from None
    if value > NUMBER_MAX:
        raise _wrong(token, "the number is too large")
    return value


def _wrong(token: Token, what: str) -> InvalidInput:
    where = "at its end" if token.kind == "end" else f"at column {token.column}"
    return InvalidInput(f"expression, {where}: {what}")
