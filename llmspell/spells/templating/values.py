"""What names in a template mean: scopes, members, truth, and how a value is printed."""

from __future__ import annotations

import json

from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

MISSING: Final = object()
"""No such name; differs from a name whose value is null."""

MISSING_KEPT: Final = 100
"""Missing names that one rendering remembers for its warning."""

WORK_MAX: Final = 8_388_608
"""Characters and values that the operators of one rendering may look at: some tens of ms."""


class View:
    """A value with further names of its own: a step's output that also has a `status`.

    Its own names come before the value's members; printed or compared it is the value.
    """

    __slots__ = ("names", "plain")

    def __init__(self, plain: Any, names: Mapping[str, Any]) -> None:
        self.plain = plain
        self.names = names


class Scope:
    """What names mean at one place of a template: `this`, the names a block gave, what is around.

    `missing` collects the names that were not found, for one warning; shared by inner scopes.
    """

    __slots__ = ("_left", "missing", "names", "outer", "this")

    def __init__(
        self,
        this: Any,
        names: Mapping[str, Any] | None = None,
        outer: Scope | None = None,
    ) -> None:
        self.this = this
        self.names = names or {}
        self.outer = outer
        self.missing: list[str] = outer.missing if outer is not None else []
        # Shared with every inner scope, so that nesting makes no work free.
        self._left: list[int] = outer._left if outer is not None else [WORK_MAX]

    def find(self, up: int, steps: tuple[str, ...]) -> Any:
        """The value at a path, `MISSING` if there is none. `up` counts `../`."""
        place: Scope | None = self
        for _ in range(up):
            place = None if place is None else place.outer
        if place is None:
            return MISSING
        if not steps:
            return plain(place.this)
        value: Any = MISSING
        walk: Scope | None = place
        while walk is not None and value is MISSING:
            # A name that an item lacks is looked for around its block, as people expect.
            value = walk.names[steps[0]] if steps[0] in walk.names else member(walk.this, steps[0])
            walk = walk.outer if up == 0 else None
        for step in steps[1:]:
            if value is MISSING:
                break
            value = member(value, step)
        return MISSING if value is MISSING else plain(value)

    def charge(self, amount: int) -> None:
        """Counts work done for this rendering. Raises `InvalidInput` over `WORK_MAX`."""
        self._left[0] -= amount
        if self._left[0] < 0:
            raise InvalidInput("the templates take too much work: they look at too much data")

    def miss(self, name: str) -> None:
        """Remembers a name that was not found."""
        if len(self.missing) < MISSING_KEPT and name not in self.missing:
            self.missing.append(name)


def plain(value: Any) -> Any:
    """The value itself, without the further names of a `View`."""
    return value.plain if isinstance(value, View) else value


def member(value: Any, name: str) -> Any:
    """A member of a value, or `MISSING`. Lists have numbers (from 0) and `length`."""
    if isinstance(value, View):
        if name in value.names:
            return value.names[name]
        value = value.plain
    if isinstance(value, dict):
        if name in value:
            return value[name]
    elif isinstance(value, list) and name.isascii() and name.isdecimal() and len(name) < 9:
        return value[int(name)] if int(name) < len(value) else MISSING
    if name == "length" and isinstance(value, (list, str, dict)):
        return len(value)
    return MISSING


def weight(value: Any) -> int:
    """About how much an operator looks at: characters, values, keys."""
    if isinstance(value, str):
        return 1 + len(value)
    if not isinstance(value, (list, dict)):
        return 1
    total, left = 0, [value]
    while left:
        item = left.pop()
        total += 1
        if isinstance(item, str):
            total += len(item)
        elif isinstance(item, list):
            left.extend(item)
        elif isinstance(item, dict):
            left.extend(item.values())
            total += len(item)
    return total


def is_true(value: Any) -> bool:
    """Truth in templates: null, false, 0, "" and empty lists and objects are not true."""
    return bool(value)


def text_of(value: Any) -> str:
    """How a value is printed: null as nothing, lists and objects as JSON."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return str(int(value))
    if isinstance(value, (int, float)):
        return str(value)
    try:
        return json.dumps(value, ensure_ascii=False, default=_strange, separators=(", ", ": "))
    except (ValueError, RecursionError):
        return "(can't be printed)"


def _strange(value: Any) -> str:
    return f"({type(value).__name__})"
