"""What the three writers share: which types, which options, what a function gives."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING, NamedTuple
from llmspell.spells.api.catalogue import API
from llmspell.spells.api.model import Class, Function, Module, Param
from llmspell.tools.index import TOOLS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Final

GLOBAL_TYPES: Final[Mapping[str, str]] = {
    "params": "object",
    "args": "array",
    "env": "object",
    "SANDBOX_ENABLED": "boolean",
    "MAX_MEMORY": "number",
    "MAX_EXECUTION_TIME": "number",
    "MAX_CONCURRENT_OPERATIONS": "number",
    "AVAILABLE_PROVIDERS": "array",
}
"""The described types of the globals that are no text."""

_RETURNS: Final[Mapping[str, str]] = {
    "nothing": "nothing",
    "boolean": "boolean",
    "integer": "integer",
    "number": "number",
    "text": "string",
    "string": "string",
    "text or null": "string?",
    "text or nil": "string?",
    "array": "array",
    "array of strings": "strings",
    "object": "object",
    "never": "nothing",
}

_WAITED: Final = frozenset({"async", "stdin"})
"""Modules whose local functions wait: JavaScript and Python give something to await."""


class Returned(NamedTuple):
    """What a function gives: a described type, `string?`, `strings`, or a class's objects."""

    kind: str
    of_class: str = ""
    many: bool = False


def classes() -> dict[str, Class]:
    """Every described class once, its methods from wherever they are described."""
    found: dict[str, Class] = {}
    for module in API:
        for one in module.classes:
            known = found.get(one.name)
            found[one.name] = one if known is None else _joined(known, one)
    return found


def modules(language: str) -> Iterator[Module]:
    """The modules of one language that have a global, each with the functions it has there."""
    for module in API:
        if language in module.languages and module.names:
            functions = tuple(one for one in module.functions if language in one.languages)
            yield module._replace(functions=functions)


def methods(described: Class, language: str) -> Iterator[Function]:
    """The methods of a class in one language."""
    return (one for one in described.methods if language in one.languages)


def fields(described: Class) -> tuple[Param, ...]:
    """The fields of a class's objects but for those that every object has."""
    return tuple(one for one in described.fields if one.name not in ("handle", "id"))


def returned(function: Function) -> Returned:
    """What a function gives. What is described in words only is any value."""
    words, known = function.returns, classes()
    one = words.removeprefix("array of ").removesuffix("s") if "array of " in words else words
    if one in known:
        return Returned("object", one, one != words)
    return Returned(_RETURNS.get(words, "any"))


def tool_fields(module: Module) -> dict[str, str]:
    """The built-in tools as fields of Tools (API-066): name and what each does."""
    if module.name != "tools":
        return {}
    return {entry.name: entry.description for entry in TOOLS.values()}


def waits(module: Module | None, function: Function) -> bool:
    """Whether the function's value is there only later."""
    if function.wire:
        return True
    if module is None:
        return function.name == "await"
    return module.name in _WAITED or function.name == "run_all"


def split(function: Function) -> tuple[tuple[Param, ...], tuple[Param, ...]]:
    """The parameters by position, and those by name only."""
    return function.params[: function.positional], function.params[function.positional :]


def takes_names(function: Function) -> bool:
    """Whether one table of everything by name is told apart from a first parameter."""
    first = function.params[0].types if function.params else ()
    return bool(first) and function.positional > 0 and not {"object", "any"} & set(first)


def pascal(name: str) -> str:
    """`test_suite` → `TestSuite`."""
    return "".join(part[:1].upper() + part[1:] for part in name.split("_"))


def _joined(first: Class, second: Class) -> Class:
    names = {one.name for one in first.methods}
    return first._replace(
        methods=(*first.methods, *(one for one in second.methods if one.name not in names))
    )
