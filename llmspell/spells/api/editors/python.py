"""Python stubs: the globals of a spell, as names of a module."""

from __future__ import annotations

import keyword

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.catalogue import GLOBALS
from llmspell.spells.api.class_tools import CLASS_TOOLS
from llmspell.spells.api.editors import shapes
from llmspell.spells.api.model import Class, Function, Module, Param

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

_TYPES: Final[Mapping[str, str]] = {
    "string": "str",
    "string?": "str | None",
    "strings": "builtins.list[str]",
    "bytes": "bytes",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "object": "builtins.dict[str, Any]",
    "array": "builtins.list[Any]",
    "any": "Any",
    "callback": "Callable[..., Any]",
    "nothing": "None",
}

_WORDS: Final[Mapping[str, str]] = {"iterator of text": "AsyncIterator[str]"}

_HEAD: Final = '''\
# The script API of llmspell; written by `llmspell types`. Every function takes its camelCase name
# too. Pyright takes this file for a folder's spells under the name `__builtins__.pyi`.
import builtins
from collections.abc import AsyncIterator, Callable, Generator
from typing import Any, Generic, Literal, TypeVar

_T = TypeVar("_T")

class Call(Generic[_T]):
    """A call that was sent: to be awaited, or waited for."""

    def __await__(self) -> Generator[Any, None, _T]: ...
    def result(self) -> _T: ...
'''


def render() -> str:
    """The whole file."""
    parts = [_HEAD]
    for name, words in GLOBALS:
        kind = shapes.GLOBAL_TYPES.get(name, "string")
        parts += [f"{name}: {_TYPES[kind]}", f'"""{words}"""']
    parts.append("")
    for one in shapes.classes().values():
        parts += _class(one)
    for module in shapes.modules("python"):
        parts += _module(module)
    for name, described in CLASS_TOOLS.items():
        parts += [
            f"def {name}(**options: Any) -> {_class_name('tool')}:",
            f"    {_doc(f'Tools as a class; by default {described.tool}.')}",
        ]
    return "\n".join(parts).rstrip("\n") + "\n"


def _class(described: Class) -> list[str]:
    own = list(shapes.methods(described, "python"))
    if not own:
        return []
    base = "(Call[Any])" if described.name == "task" else ""
    lines = [f"class {_class_name(described.name)}{base}:", f"    {_doc(described.doc)}\n"]
    if any(method.wire for method in own):
        lines += ["    handle: str", "    id: str"]
    lines += [f"    {field.name}: {_type(field)}" for field in shapes.fields(described)]
    for method in own:
        for name in (method.name, *method.aliases):
            lines += _method(name, method, shapes.waits(None, method))
    return [*lines, ""]


def _module(module: Module) -> list[str]:
    kind = f"_{shapes.pascal(module.name)}Module"
    lines = [f"class {kind}:", f"    {_doc(module.doc)}\n"]
    made = next((one for one in module.functions if one.name == module.construct), None)
    if made is not None:
        lines += _method("__call__", made, False)
    for function in module.functions:
        for name in (function.name, *function.aliases):
            lines += _method(name, function, shapes.waits(module, function))
    for name, words in shapes.tool_fields(module).items():
        lines += [f"    {name}: {_class_name('tool')}", f"    {_doc(words)}"]
    return [*lines, "", *(f"{name}: {kind}" for name in module.names), ""]


def _method(name: str, function: Function, waits: bool) -> list[str]:
    if keyword.iskeyword(name):
        return []
    gives = _WORDS.get(function.returns)
    if gives is None:
        gives = _value(function)
        gives = f"Call[{gives}]" if waits else gives
    return [
        f"    def {name}({_parameters(function)}) -> {gives}:",
        f"        {_doc(function.doc)}",
    ]


def _parameters(function: Function) -> str:
    by_position, by_name = shapes.split(function)
    given, optional = ["self"], False
    for one in by_position:
        # What takes all further options may be given by these alone.
        optional = optional or not one.required or one.name == function.spread
        given.append(_parameter(one, optional))
    if by_name:
        given.append("*")
        given += [_parameter(one, not one.required) for one in by_name]
    if function.spread:
        given.append("**further: Any")
    return ", ".join(given)


def _parameter(param: Param, optional: bool) -> str:
    name = f"{param.name}_" if keyword.iskeyword(param.name) else param.name
    if not optional:
        return f"{name}: {_type(param)}"
    return f"{name}: {_type(param)} | None = ..."


def _type(param: Param) -> str:
    if param.choices:
        return f"Literal[{', '.join(repr(choice) for choice in param.choices)}]"
    return " | ".join(dict.fromkeys(_TYPES[one] for one in param.types))


def _value(function: Function) -> str:
    gives = shapes.returned(function)
    if gives.of_class:
        name = _class_name(gives.of_class)
        return f"builtins.list[{name}]" if gives.many else name
    return _TYPES[gives.kind]


def _class_name(name: str) -> str:
    return f"{shapes.pascal(name)}Object"


def _doc(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    return f'"""{escaped} """' if escaped.endswith('"') else f'"""{escaped}"""'
