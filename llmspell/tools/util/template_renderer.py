"""Prints a template's tree with values. Output, steps and nesting are bounded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from llmspell.errors import InvalidInput
from llmspell.tools.naming import near, snake
from llmspell.tools.util.template_helpers import ALIASES, HELPERS, is_true, text_of
from llmspell.tools.util.template_parser import (
    Block,
    Call,
    Expression,
    Literal,
    Node,
    Output,
    Path,
    Text,
    wrong,
)
from llmspell.tools.util.text_operations import HTML

OUTPUT_MAX: Final = 4 * 1024 * 1024
STEPS_MAX: Final = 1_000_000
_MISSING: Final = object()


class Scope:
    """What names mean at one place: the value that `this` is, and the names blocks gave."""

    __slots__ = ("names", "parent", "value")

    def __init__(self, value: Any, names: Mapping[str, Any], parent: Scope | None) -> None:
        self.value = value
        self.names = names
        self.parent = parent


class Renderer:
    """One rendering. Raises `InvalidInput` naming the line."""

    def __init__(self, *, strict: bool, escapes: bool) -> None:
        self._strict = strict
        self._escapes = escapes
        self._parts: list[str] = []
        self._size = 0
        self._steps = 0
        self.missing: list[str] = []

    def render(self, nodes: tuple[Node, ...], variables: dict[str, Any]) -> str:
        """The text of the tree with these variables."""
        self._nodes(nodes, Scope(variables, {"@root": variables}, None))
        return "".join(self._parts)

    def _nodes(self, nodes: tuple[Node, ...], scope: Scope) -> None:
        for node in nodes:
            self._step()
            if isinstance(node, Text):
                self._put(node.text)
            elif isinstance(node, Output):
                value = self._value(node.expression, scope)
                text = text_of(value)
                if self._escapes and not node.is_raw:
                    for character, entity in HTML:
                        text = text.replace(character, entity)
                self._put(text)
            else:
                self._block(node, scope)

    def _step(self) -> None:
        self._steps += 1
        if self._steps > STEPS_MAX:
            raise InvalidInput(f"the template takes over {STEPS_MAX} steps")

    def _put(self, text: str) -> None:
        self._size += len(text)
        if self._size > OUTPUT_MAX:
            raise InvalidInput(f"the result has over {OUTPUT_MAX} characters")
        self._parts.append(text)

    def _block(self, block: Block, scope: Scope) -> None:
        value = self._value(block.subject, scope, may_miss=True)
        if block.kind == "each":
            self._each(block, value, scope)
        elif is_true(value) is (block.kind == "unless"):
            self._nodes(block.otherwise, scope)
        elif block.kind == "with":
            names = {block.names[0]: value} if block.names else {}
            self._nodes(block.body, Scope(value, names, scope))
        else:
            self._nodes(block.body, scope)

    def _each(self, block: Block, value: Any, scope: Scope) -> None:
        if isinstance(value, list):
            items = list(enumerate(value))
        elif isinstance(value, dict):
            items = list(value.items())
        else:
            items = []
        if not items:
            self._nodes(block.otherwise, scope)
        last = len(items) - 1
        for index, (key, item) in enumerate(items):
            names = {"@index": index, "@key": key, "@first": index == 0, "@last": index == last}
            names |= dict(zip(block.names, (item, key), strict=False))
            self._step()
            self._nodes(block.body, Scope(item, names, scope))

    def _value(self, expression: Expression, scope: Scope, *, may_miss: bool = False) -> Any:
        if isinstance(expression, Literal):
            return expression.value
        if isinstance(expression, Call):
            return self._call(expression, scope)
        value = self._find(expression, scope)
        if value is not _MISSING:
            return value
        if self._strict and not may_miss:
            known = [name for name in _names(scope) if not name.startswith("@")]
            raise wrong(
                expression.line,
                f"there is no variable {expression.shown[:60]}",
                near(expression.shown, known) or "give it in variables, or take strict off",
            )
        if not may_miss and len(self.missing) < 100:
            self.missing.append(expression.shown)
        return None

    def _find(self, path: Path, scope: Scope) -> Any:
        at: Scope | None = scope
        for _ in range(path.up):
            at = at.parent if at is not None else None
        if at is None:
            return _MISSING
        if not path.steps:
            return at.value
        first = path.steps[0]
        value: Any = _MISSING
        walk: Scope | None = at
        while walk is not None:
            if first in walk.names:
                value = walk.names[first]
                break
            if isinstance(walk.value, dict) and first in walk.value:
                value = walk.value[first]
                break
            # A name that an item lacks is looked for around the block, as people expect.
            walk = walk.parent if not path.up else None
        if value is _MISSING and isinstance(at.value, list):
            value = _member(at.value, first)
        for step in path.steps[1:]:
            if value is _MISSING:
                break
            value = _member(value, step)
        return value

    def _call(self, call: Call, scope: Scope) -> Any:
        self._step()
        name = snake(call.helper)
        helper = HELPERS.get(ALIASES.get(name, name))
        if helper is None:
            raise wrong(
                call.line, f"there is no helper {call.helper[:40]}", near(call.helper, HELPERS)
            )
        forgiving = name in ("default", "or", "and", "not", "eq", "ne")
        arguments = [self._value(value, scope, may_miss=forgiving) for value in call.arguments]
        options = {key: self._value(value, scope) for key, value in call.options}
        try:
            result = helper(*arguments, **options)
        except TypeError:
            raise wrong(call.line, f"{call.helper} was given the wrong arguments") from None
        except InvalidInput as error:
            raise wrong(call.line, f"{call.helper}: {error.message}") from None
        except (OverflowError, ValueError):
            raise wrong(call.line, f"{call.helper}: the result is out of range") from None
        if isinstance(result, str) and len(result) > OUTPUT_MAX:
            raise wrong(call.line, f"the result has over {OUTPUT_MAX} characters")
        return result


def _names(scope: Scope | None) -> list[str]:
    names: list[str] = []
    while scope is not None and len(names) < 1_000:
        names += [name for name in scope.names if name != "@root"]
        if isinstance(scope.value, dict):
            names += list(scope.value)[:1_000]
        scope = scope.parent
    return names


def _member(value: Any, step: str) -> Any:
    if isinstance(value, dict):
        return value.get(step, _MISSING)
    if isinstance(value, list):
        if step == "length":
            return len(value)
        if step.isdecimal() and len(step) < 9 and int(step) < len(value):
            return value[int(step)]
    return _MISSING
