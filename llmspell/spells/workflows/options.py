"""Single options of a workflow or step, as the three languages write them, checked one by one."""

from __future__ import annotations

from llmspell.channel.jsontext import Callback
from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api import options as spelled

if TYPE_CHECKING:
    from collections.abc import Mapping, Set
    from typing import Any, Final

    from llmspell.spells.tools.schemas import Check

DEFINITION: Final = 3002
"""The code of a wrong definition."""


def wrong(where: str, what: str, hint: str | None = None) -> InvalidInput:
    """The error of a definition that can't be used."""
    return InvalidInput(f"{where}: {what}", code=DEFINITION, hint=hint)


class Options:
    """The options of one definition, by snake_case name; what is never asked for is metadata.

    Only the names at this level are normalised: what is deeper may be the spell's own data.
    """

    def __init__(self, given: Mapping[str, Any], where: str, engine: str) -> None:
        self.where = where
        self.engine = engine
        self._given = _normalised(given)
        self._asked: set[str] = set()

    def take(self, *names: str) -> Any:
        """The value under the first of these names that is given, else None."""
        self._asked.update(names)
        for name in names:
            value = self._given.get(name)
            if value is not None:
                return value
        return None

    def has(self, *names: str) -> bool:
        """Whether one of these names is given, also as null."""
        return any(name in self._given for name in names)

    def text(self, *names: str, maximum: int = 65_536) -> str:
        """Text, "" when it is not given."""
        value = self.take(*names)
        if value is None:
            return ""
        if not isinstance(value, str) or len(value) > maximum:
            raise wrong(self.where, f"{names[0]} must be text of at most {maximum} characters")
        return value

    def number(self, *names: str, low: int, high: int) -> int | None:
        """A whole number within bounds."""
        value = self.take(*names)
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if type(value) is not int or not low <= value <= high:
            raise wrong(self.where, f"{names[0]} must be a whole number from {low} to {high}")
        return value

    def fraction(self, *names: str, low: float, high: float) -> float | None:
        """A number within bounds."""
        value = self.take(*names)
        if value is None:
            return None
        if type(value) not in (int, float) or not low <= value <= high:
            raise wrong(self.where, f"{names[0]} must be a number from {low:g} to {high:g}")
        return float(value)

    def flag(self, *names: str) -> bool | None:
        """True or false."""
        value = self.take(*names)
        if value is not None and type(value) is not bool:
            raise wrong(self.where, f"{names[0]} must be true or false")
        return value

    def seconds(self, *names: str) -> float | None:
        """A time, as seconds; 0 and less are refused."""
        value = self.take(*names)
        if value is None:
            return None
        result = spelled.seconds(value, self.engine, f"{self.where}: {names[0]}")
        if result <= 0:
            raise wrong(self.where, f"{names[0]} must be above 0")
        return result

    def pause(self, *names: str) -> float | None:
        """A delay, as seconds; 0 is one."""
        value = self.take(*names)
        if value is None:
            return None
        return spelled.seconds(value, self.engine, f"{self.where}: {names[0]}")

    def function(self, *names: str) -> Callback | None:
        """A function of the spell's."""
        value = self.take(*names)
        if value is not None and not isinstance(value, Callback):
            raise wrong(self.where, f"{names[0]} must be a function")
        return value

    def schema(self, *names: str) -> tuple[dict[str, Any] | None, Check | None]:
        """A JSON Schema and its checker. Raises `InvalidInput` 2010 for one that can't be used."""
        value = self.take(*names)
        if value is None:
            return None, None
        from llmspell.spells.tools.schemas import compile_schema

        schema = mapping(value, self.where, names[0])
        return schema, compile_schema(schema, f"{self.where}: {names[0]}")

    def inner(self, *names: str) -> Options:
        """Options within an option; empty when it is not given."""
        value = self.take(*names)
        return Options(mapping(value, self.where, names[0]), self.where, self.engine)

    def rest(self) -> dict[str, Any]:
        """Options nobody asked for: kept as metadata."""
        return {key: value for key, value in self._given.items() if key not in self._asked}

    def asked(self, names: Set[str]) -> None:
        """These are known, whether or not this kind looks at them."""
        self._asked.update(names)


def mapping(value: Any, where: str, what: str) -> dict[str, Any]:
    """An object; Lua's empty table is one too."""
    if value is None or value == []:
        return {}
    if not isinstance(value, dict):
        raise wrong(where, f"{what} must be an object")
    return value


def items(value: Any, where: str, what: str) -> list[Any]:
    """A list; Lua's empty table is one too."""
    if value is None or value == {}:
        return []
    if not isinstance(value, list):
        raise wrong(where, f"{what} must be a list")
    return value


def _normalised(given: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for name, value in given.items():
        key = spelled.snake(name)
        if key in result:
            raise InvalidInput(f"the option {key} is given twice, in two spellings")
        result[key] = value
    return result
