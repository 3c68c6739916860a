"""LuaCATS annotations, as lua-language-server reads them."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.catalogue import GLOBALS
from llmspell.spells.api.class_tools import CLASS_TOOLS
from llmspell.spells.api.editors import shapes
from llmspell.spells.api.model import Class, Function, Module, Param, camel

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

_TYPES: Final[Mapping[str, str]] = {
    "string": "string",
    "string?": "string?",
    "strings": "string[]",
    "bytes": "string",
    "integer": "integer",
    "number": "number",
    "boolean": "boolean",
    "object": "table<string, any>",
    "array": "any[]",
    "any": "any",
    "callback": "fun(...): any",
}
_KEYWORDS: Final = frozenset(
    {
        "and", "break", "do", "else", "elseif", "end", "false", "for", "function", "goto", "if",
        "in", "local", "nil", "not", "or", "repeat", "return", "then", "true", "until", "while",
    }
)  # fmt: skip
_CONSTANTS: Final[Mapping[str, str]] = {
    "string": '""',
    "number": "0",
    "boolean": "true",
    "object": "{}",
    "array": "{}",
}


def render() -> str:
    """The whole file."""
    parts = [
        "---@meta",
        "-- The script API of llmspell for lua-language-server; written by `llmspell types`.",
        "-- Every function takes camelCase spellings of its name too.\n",
    ]
    for name, words in GLOBALS:
        kind = shapes.GLOBAL_TYPES.get(name, "string")
        parts += [f"---{words}", f"---@type {_TYPES[kind]}", f"{name} = {_CONSTANTS[kind]}\n"]
    for described in shapes.classes().values():
        parts += _class(described)
    for module in shapes.modules("lua"):
        parts += _module(module)
    for name in CLASS_TOOLS:
        parts += _class_tool(name)
    return "\n".join(parts).rstrip("\n") + "\n"


def _class(described: Class) -> list[str]:
    if not any(True for _ in shapes.methods(described, "lua")):
        return []
    name = _class_name(described.name)
    lines = [f"---{described.doc}", f"---@class {name}"]
    if any(method.wire for method in described.methods):
        lines += ["---@field handle string", "---@field id string"]
    for field in shapes.fields(described):
        lines.append(f"---@field {field.name}{_optional(field)} {_type(field)} {field.doc}")
    # Not the class's own name: some global is called so.
    table = f"{described.name}_object"
    lines.append(f"local {table} = {{}}\n")
    for method in shapes.methods(described, "lua"):
        for spelled in (method.name, *method.aliases):
            lines += _function(table, ":", spelled, method)
    return lines


def _module(module: Module) -> list[str]:
    first = module.names[0]
    lines = [f"---{module.doc}", f"---@class llmspell.{module.name}"]
    made = next((one for one in module.functions if one.name == module.construct), None)
    if made is not None:
        given = ", ".join(f"{one.name}{_optional(one)}: {_type(one)}" for one in made.params)
        lines.append(f"---@overload fun({given}): {_returned(made)}")
    for name, words in shapes.tool_fields(module).items():
        for spelled in dict.fromkeys((name, camel(name))):
            lines.append(f"---@field {spelled} {_class_name('tool')} {words}")
    lines.append(f"{first} = {{}}\n")
    for function in module.functions:
        for spelled in (function.name, *function.aliases):
            lines += _function(first, ".", spelled, function)
    if made is not None and made.name != "new":
        lines += _function(first, ".", "new", made)
    lines += [f"{name} = {first}\n" for name in module.names[1:]]
    return lines


def _class_tool(name: str) -> list[str]:
    gives = _class_name("tool")
    return [
        f"---Tools as a class; by default {CLASS_TOOLS[name].tool}.",
        f"---@class llmspell.{name}",
        f"---@overload fun(options?: table<string, any>): {gives}",
        f"{name} = {{}}\n",
        "---@param options? table<string, any>",
        f"---@return {gives}",
        f"function {name}.new(options) end\n",
    ]


def _function(owner: str, mark: str, name: str, function: Function) -> list[str]:
    by_position, by_name = shapes.split(function)
    lines = [f"---{function.doc}"]
    lines += [f"---@param {_word(one.name)}{_optional(one)} {_type(one)} {one.doc}"
              for one in by_position]  # fmt: skip
    names = [_word(one.name) for one in by_position]
    if by_name:
        fields = ", ".join(f"{_key(one.name)}{_optional(one)}: {_type(one)}" for one in by_name)
        must = any(one.required for one in by_name)
        lines.append(f"---@param options{'' if must else '?'} {{ {fields} }}")
        names.append("options")
    gives = _returned(function)
    if gives:
        lines.append(f"---@return {gives}")
    if shapes.takes_names(function):
        named = [f"{_key(one.name)}{_optional(one)}: {_type(one)}" for one in function.params]
        if function.spread:
            named.append("[string]: any")
        this = "self: table, " if mark == ":" else ""
        result = f": {gives}" if gives else ""
        lines.append(f"---@overload fun({this}named: {{ {', '.join(named)} }}){result}")
    if name in _KEYWORDS:
        head = ["self", *names] if mark == ":" else names
        lines.append(f'{owner}["{name}"] = function({", ".join(head)}) end\n')
    else:
        lines.append(f"function {owner}{mark}{name}({', '.join(names)}) end\n")
    return lines


def _word(name: str) -> str:
    return f"{name}_" if name in _KEYWORDS else name


def _key(name: str) -> str:
    return f'["{name}"]' if name in _KEYWORDS else name


def _optional(param: Param) -> str:
    return "" if param.required else "?"


def _type(param: Param) -> str:
    if param.choices:
        return "|".join(f'"{choice}"' for choice in param.choices)
    names = dict.fromkeys(_TYPES[one] for one in param.types)
    return "|".join(
        f"({one})" if one.startswith("fun") and len(names) > 1 else one for one in names
    )


def _returned(function: Function) -> str:
    gives = shapes.returned(function)
    if gives.of_class:
        return _class_name(gives.of_class) + ("[]" if gives.many else "")
    return "" if gives.kind == "nothing" else _TYPES[gives.kind]


def _class_name(name: str) -> str:
    return f"llmspell.object.{name}"
