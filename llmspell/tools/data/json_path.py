"""JSONPath (RFC 9535 in the main: names, places, slices, `*`, `..`, filters) and dotted paths."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from llmspell.errors import InvalidInput
from llmspell.tools.json_changes import escape, same
from llmspell.tools.patterns import compile_pattern

PATH_MAX: Final = 1_000
MATCHES_MAX: Final = 100_000
STEPS_MAX: Final = 2_000_000


class Node(NamedTuple):
    """A value that was found and its JSON Pointer."""

    value: Any
    pointer: str


Select = Callable[[Node], Iterator[Node]]

_TOKEN: Final = re.compile(
    r"""\.\.(?=\[)|\.\.(?P<deep>\*|[^\W\d][\w-]*)|\.?(?P<name>[^\W\d][\w$-]*)|\.(?P<digits>\d+)"""
    r"""|\.?(?P<star>\*)|\.?\[(?P<inside>(?:[^\[\]"']|"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
    r"""|\[[^\[\]]*\])*)\]"""
)
_QUOTED: Final = re.compile(r""""((?:[^"\\]|\\.)*)"|'((?:[^'\\]|\\.)*)'""")
_SLICE: Final = re.compile(r"(-?\d{1,9})?\s*:\s*(-?\d{1,9})?\s*(?::\s*(-?\d{1,9})?)?")
_TEST: Final = re.compile(
    r"""\s*(?P<not>!)?\s*(?P<left>@[^\s=!<>~]*)\s*(?:(?P<operator>==|!=|<=|>=|<|>|=~)\s*"""
    r"""(?P<right>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|/(?:[^/\\]|\\.)*/[a-z]*"""
    r"""|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null))?\s*"""
)


class _Budget:
    """Steps of one query, so that `..` over `..` ends."""

    def __init__(self) -> None:
        self.left = STEPS_MAX

    def spend(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise InvalidInput(f"the query takes over {STEPS_MAX} steps")


def query(value: Any, path: str) -> list[Node]:
    """Everything the path names, in document order. Raises `InvalidInput` for a wrong path."""
    if len(path) > PATH_MAX:
        raise InvalidInput(f"path has over {PATH_MAX} characters")
    budget = _Budget()
    nodes = [Node(value, "")]
    for select in _parse(path.strip(), budget):
        found: list[Node] = []
        for node in nodes:
            for child in select(node):
                budget.spend()
                found.append(child)
                if len(found) > MATCHES_MAX:
                    raise InvalidInput(f"over {MATCHES_MAX} matches")
        nodes = found
    return nodes


def is_single(path: str) -> bool:
    """Whether a path can name one thing at most."""
    return not re.search(r"\*|\.\.|\[\s*\?|:|,", _QUOTED.sub("", path))


def _parse(path: str, budget: _Budget) -> list[Select]:
    text = path.removeprefix("$").removeprefix("@")
    selects: list[Select] = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None or match.end() == place:
            shown = text[place : place + 20]
            raise InvalidInput(f"path can't be read from {shown!r}", hint="like $.a.b[0].c")
        if match.group() == "..":
            selects.append(lambda node: _descend(node, budget))
        elif match["deep"]:
            selects.append(lambda node: _descend(node, budget))
            selects.append(_every if match["deep"] == "*" else _named(match["deep"]))
        elif match["star"]:
            selects.append(_every)
        elif match["inside"] is not None:
            selects.append(_bracket(match["inside"].strip()))
        else:
            selects.append(_named(match["name"] or match["digits"]))
        place = match.end()
        if len(selects) > 100:
            raise InvalidInput("path has over 100 steps")
    return selects


def _children(node: Node) -> Iterator[Node]:
    if isinstance(node.value, dict):
        for key, item in node.value.items():
            yield Node(item, f"{node.pointer}/{escape(key)}")
    elif isinstance(node.value, list):
        for index, item in enumerate(node.value):
            yield Node(item, f"{node.pointer}/{index}")


_every: Select = _children


def _descend(node: Node, budget: _Budget) -> Iterator[Node]:
    waiting = [node]
    while waiting:
        budget.spend()
        current = waiting.pop()
        yield current
        waiting.extend(reversed(list(_children(current))))


def _named(name: str) -> Select:
    def select(node: Node) -> Iterator[Node]:
        if isinstance(node.value, dict) and name in node.value:
            yield Node(node.value[name], f"{node.pointer}/{escape(name)}")
        elif isinstance(node.value, list) and name.isdecimal() and len(name) < 9:
            yield from _at(node, int(name))

    return select


def _at(node: Node, index: int) -> Iterator[Node]:
    if isinstance(node.value, list) and -len(node.value) <= index < len(node.value):
        place = index % len(node.value)
        yield Node(node.value[place], f"{node.pointer}/{place}")


def _bracket(inside: str) -> Select:
    if inside == "*":
        return _every
    if inside.startswith("?"):
        return _filter(inside[1:].strip())
    parts = _QUOTED.sub(lambda match: match.group().replace(",", "\0"), inside).split(",")
    selects = [_one(part.strip().replace("\0", ",")) for part in parts]

    def select(node: Node) -> Iterator[Node]:
        for each in selects:
            yield from each(node)

    return select


def _one(part: str) -> Select:
    quoted = _QUOTED.fullmatch(part)
    if quoted is not None:
        return _named(_unquoted(part))
    if re.fullmatch(r"-?\d{1,9}", part):
        index = int(part)
        return lambda node: _at(node, index)
    match = _SLICE.fullmatch(part)
    if match is None:
        raise InvalidInput(f"path: [{part[:40]}] can't be read", hint='[0], ["name"], [1:3], [?…]')
    start, end, step = (None if piece is None else int(piece) for piece in match.groups())
    if step == 0:
        raise InvalidInput("path: a slice's step is not 0")

    def select(node: Node) -> Iterator[Node]:
        if isinstance(node.value, list):
            for index in range(len(node.value))[start:end:step]:
                yield Node(node.value[index], f"{node.pointer}/{index}")

    return select


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1])


def _filter(text: str) -> Select:
    if text.startswith("(") and text.endswith(")"):
        text = text[1:-1]
    choices = [[_test(test) for test in _split(choice, "&&")] for choice in _split(text, "||")]

    def select(node: Node) -> Iterator[Node]:
        for child in _children(node):
            if any(all(test(child.value) for test in tests) for tests in choices):
                yield child

    return select


def _split(text: str, operator: str) -> list[str]:
    hidden = _QUOTED.sub(lambda match: match.group().replace(operator, "\0"), text)
    return [part.replace("\0", operator) for part in hidden.split(operator)]


def _test(text: str) -> Callable[[Any], bool]:
    match = _TEST.fullmatch(text)
    if match is None:
        raise InvalidInput(
            f"path: the filter {text[:60]!r} can't be read",
            hint="like [?(@.price < 10 && @.tag == 'x')]",
        )
    selects = _parse(match["left"], _Budget())
    operator, expects = match["operator"], not match["not"]

    def left(value: Any) -> list[Any]:
        nodes = [Node(value, "")]
        for select in selects:
            nodes = [child for node in nodes for child in select(node)]
        return [node.value for node in nodes]

    if operator is None:
        return lambda value: bool(left(value)) is expects
    compare = _comparison(operator, match["right"])
    return lambda value: any(compare(found) for found in left(value)) is expects


def _comparison(operator: str, right: str) -> Callable[[Any], bool]:
    if operator == "=~":
        if right.startswith("/"):
            body, _, flags = right[1:].rpartition("/")
        else:
            body, flags = _unquoted(right), ""
        pattern = compile_pattern(body, flags, "path")
        return lambda value: isinstance(value, str) and pattern.search(value) is not None
    wanted: Any
    if right[0] in "\"'":
        wanted = _unquoted(right)
    elif right in ("true", "false", "null"):
        wanted = {"true": True, "false": False, "null": None}[right]
    elif right.startswith("/"):
        raise InvalidInput("path: a regular expression is compared by =~")
    else:
        wanted = float(right) if re.search(r"[.eE]", right) else int(right[:300])
    if operator in ("==", "!="):
        return lambda value: same(value, wanted) is (operator == "==")
    return lambda value: ordered(value, operator, wanted)


def ordered(left: Any, operator: str, right: Any) -> bool:
    """`<`, `<=`, `>`, `>=` between two numbers or two texts; false between other kinds."""
    both_numbers = all(
        isinstance(side, int | float) and not isinstance(side, bool) for side in (left, right)
    )
    if not both_numbers and not (isinstance(left, str) and isinstance(right, str)):
        return False
    if operator == "<":
        return bool(left < right)
    if operator == "<=":
        return bool(left <= right)
    return bool(left > right) if operator == ">" else bool(left >= right)
