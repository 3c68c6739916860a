"""Prints a template with values. Steps and output are bounded; a value is never a template."""

from __future__ import annotations

from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING
from llmspell.spells.templating import expressions, parsing
from llmspell.spells.templating.values import Scope, is_true, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

OUTPUT_MAX: Final = 1_048_576
"""Characters of one rendered text."""

STEPS_MAX: Final = 50_000
"""Nodes that one rendering visits."""

STEP_WORK: Final = 20
"""Work of one of them: texts rendered within expressions count their steps anew."""


def render(template: str, scope: Scope | Mapping[str, Any]) -> str:
    """The text of a template. A name that is not there prints as nothing (`scope.missing`).

    Raises `InvalidInput` that names the line, for a wrong template and over the bounds.
    """
    return _Printer().print(parsing.parse(template), _scope(scope))


def evaluate(expression: str, scope: Scope | Mapping[str, Any]) -> Any:
    """The value of an expression (`x > 3`, `{{x}} > 3`). Raises `InvalidInput`."""
    return expressions.compute(expressions.parse(expression), _scope(scope), render)


def value_of(template: str, scope: Scope) -> Any:
    """As `render`, but a template that is one tag alone gives the value itself, typed."""
    nodes = parsing.parse(template)
    if len(nodes) == 1 and not isinstance(nodes[0], (str, parsing.Block)):
        return expressions.compute(nodes[0], scope, render)
    return _Printer().print(nodes, scope)


def _scope(given: Scope | Mapping[str, Any]) -> Scope:
    return given if isinstance(given, Scope) else Scope(dict(given))


class _Printer:
    def __init__(self) -> None:
        self._parts: list[str] = []
        self._size = 0
        self._steps = 0

    def print(self, nodes: tuple[parsing.Node, ...], scope: Scope) -> str:
        self._nodes(nodes, scope)
        return "".join(self._parts)

    def _nodes(self, nodes: tuple[parsing.Node, ...], scope: Scope) -> None:
        for node in nodes:
            self._step(scope)
            if isinstance(node, str):
                self._put(node)
            elif isinstance(node, parsing.Block):
                self._block(node, scope)
            else:
                self._put(text_of(expressions.compute(node, scope, render)))

    def _step(self, scope: Scope) -> None:
        self._steps += 1
        if self._steps > STEPS_MAX:
            raise InvalidInput(f"a template takes over {STEPS_MAX} steps")
        scope.charge(STEP_WORK)

    def _put(self, text: str) -> None:
        self._size += len(text)
        if self._size > OUTPUT_MAX:
            raise InvalidInput(f"a rendered text has over {OUTPUT_MAX} characters")
        self._parts.append(text)

    def _block(self, block: parsing.Block, scope: Scope) -> None:
        value = expressions.compute(block.subject, scope, render)
        if block.kind == "each":
            self._each(block, value, scope)
        elif is_true(value) is (block.kind == "unless"):
            self._nodes(block.otherwise, scope)
        elif block.kind == "with":
            names = {block.item: value} if block.item else {}
            self._nodes(block.body, Scope(value, names, scope))
        else:
            self._nodes(block.body, scope)

    def _each(self, block: parsing.Block, value: Any, scope: Scope) -> None:
        items: list[tuple[Any, Any]] = []
        if isinstance(value, list):
            items = list(enumerate(value[: STEPS_MAX + 1]))
        elif isinstance(value, dict):
            items = list(value.items())
        if not items:
            return self._nodes(block.otherwise, scope)
        last = len(items) - 1
        for index, (key, item) in enumerate(items):
            self._step(scope)
            names = {"@index": index, "@key": key, "@first": index == 0, "@last": index == last}
            if block.item:
                names[block.item] = item
            self._nodes(block.body, Scope(item, names, scope))
        return None
