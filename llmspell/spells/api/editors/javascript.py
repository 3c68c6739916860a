"""TypeScript declarations: the globals of a spell, and the module `llmspell`."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.catalogue import GLOBALS
from llmspell.spells.api.class_tools import CLASS_TOOLS
from llmspell.spells.api.editors import shapes
from llmspell.spells.api.model import Class, Function, Module, Param, camel
from llmspell.spells.api.requires import ROOTS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

_TYPES: Final[Mapping[str, str]] = {
    "string": "string",
    "string?": "string | null",
    "strings": "string[]",
    "bytes": "Uint8Array",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "object": "Record<string, any>",
    "array": "any[]",
    "any": "any",
    "callback": "(...args: any[]) => any",
    "nothing": "void",
}

_WORDS: Final[Mapping[str, str]] = {"iterator of text": "AsyncIterable<string>"}

_OWN: Final[Mapping[str, str]] = {"JSON": "JSON", "console": "Console"}
"""Globals that the language has: their interfaces are added to, not declared again."""

_RESERVED: Final = frozenset(
    {
        "case", "catch", "class", "const", "default", "delete", "do", "else", "enum", "export",
        "false", "finally", "for", "function", "if", "import", "in", "new", "null", "return",
        "super", "switch", "this", "throw", "true", "try", "typeof", "var", "void", "while", "with",
    }
)  # fmt: skip
"""Words that a parameter can't be named."""


def render() -> str:
    """The whole file."""
    parts = [
        "// The script API of llmspell; written by `llmspell types`.",
        "// Every function takes its snake_case name too.",
        '// A spell has no DOM: set `"lib": ["es2022"]` in tsconfig.json.\n',
    ]
    for name, words in GLOBALS:
        kind = shapes.GLOBAL_TYPES.get(name, "string")
        parts += [_doc(words), f"declare const {name}: {_TYPES[kind]};\n"]
    for one in shapes.classes().values():
        parts += _class(one)
    exported: dict[str, str] = {}
    for module in shapes.modules("javascript"):
        parts += _module(module)
        for name in module.names:
            exported[name] = _OWN.get(name, _interface(module))
            if name not in _OWN:
                parts.append(f"declare const {name}: {_interface(module)};")
            elif name == "console":
                parts.append("declare var console: Console;")
        parts.append("")
    for name, described in CLASS_TOOLS.items():
        made = _class_name("tool")
        parts += [
            _doc(f"Tools as a class; by default {described.tool}."),
            f"declare const {name}: {{ new (options?: Record<string, any>): {made}; "
            f"new: (options?: Record<string, any>) => {made} }};",
        ]
    parts.append("")
    for root in ROOTS:
        parts.append(f'declare module "{root}" {{')
        parts += [f"  export const {name}: {kind};" for name, kind in exported.items()]
        inner = ", ".join(f"{name}: {kind}" for name, kind in exported.items())
        parts += [f"  const api: {{ {inner} }};", "  export default api;", "}\n"]
    return "\n".join(parts).rstrip("\n") + "\n"


def _interface(module: Module) -> str:
    return _OWN.get(module.names[0], f"Llmspell{shapes.pascal(module.name)}")


def _class(described: Class) -> list[str]:
    own = list(shapes.methods(described, "javascript"))
    if not own:
        return []
    lines = [_doc(described.doc), f"interface {_class_name(described.name)} {{"]
    if any(method.wire for method in own):
        lines += ["  readonly handle: string;", "  readonly id: string;"]
    for field in shapes.fields(described):
        lines.append(f"  {_doc(field.doc)}")
        lines.append(f"  {camel(field.name)}{_optional(field)}: {_type(field)};")
    for method in own:
        for name in _names(method):
            lines += _method(name, method, shapes.waits(None, method))
    return [*lines, "}\n"]


def _module(module: Module) -> list[str]:
    lines = [_doc(module.doc), f"interface {_interface(module)} {{"]
    made = next((one for one in module.functions if one.name == module.construct), None)
    if made is not None:
        given, gives = _parameters(made), _value(made)
        lines += [f"  new ({given}): {gives};", f"  ({given}): {gives};"]
    for function in module.functions:
        for name in _names(function):
            lines += _method(name, function, shapes.waits(module, function))
    for name, words in shapes.tool_fields(module).items():
        lines += [f"  {_doc(words)}", f"  readonly {camel(name)}: {_class_name('tool')};"]
    return [*lines, "}"]


def _names(function: Function) -> list[str]:
    spelled = (camel(name) for name in (function.name, *function.aliases))
    return list(dict.fromkeys(spelled))


def _method(name: str, function: Function, waits: bool) -> list[str]:
    if name[0].isupper():
        # new Workflow.Sequential({…}): a class to the eye.
        given, made = _parameters(function), _value(function)
        return [
            f"  {_doc(function.doc)}",
            f"  {name}: {{ new ({given}): {made}; ({given}): {made} }};",
        ]
    gives = _WORDS.get(function.returns)
    if gives is None:
        gives = _value(function)
        gives = f"Promise<{gives}>" if waits and not function.sync else gives
    lines = [f"  {_doc(function.doc)}", f"  {name}({_parameters(function)}): {gives};"]
    if shapes.takes_names(function):
        lines.append(f"  {name}(named: {_named(function)}): {gives};")
    return lines


def _named(function: Function) -> str:
    fields = [f"{camel(one.name)}{_optional(one)}: {_type(one)}" for one in function.params]
    if function.spread:
        fields.append("[option: string]: any")
    return f"{{ {'; '.join(fields)} }}"


def _parameters(function: Function) -> str:
    by_position, by_name = shapes.split(function)
    # TypeScript takes no required parameter behind an optional one.
    last = max((i for i, one in enumerate(by_position) if one.required), default=-1)
    given = [
        f"{_word(camel(one.name))}{'' if index <= last else '?'}: {_type(one, index <= last)}"
        for index, one in enumerate(by_position)
    ]
    if by_name:
        fields = "; ".join(f"{camel(one.name)}{_optional(one)}: {_type(one)}" for one in by_name)
        given.append(f"options?: {{ {fields} }}")
    return ", ".join(given)


def _doc(text: str) -> str:
    return f"/** {text.replace('*/', '* /')} */"


def _word(name: str) -> str:
    return f"{name}_" if name in _RESERVED else name


def _optional(param: Param) -> str:
    return "" if param.required else "?"


def _type(param: Param, must: bool = False) -> str:
    if param.choices:
        text = " | ".join(f'"{choice}"' for choice in param.choices)
    else:
        names = dict.fromkeys(_TYPES[one] for one in param.types)
        text = " | ".join(f"({one})" if "=>" in one and len(names) > 1 else one for one in names)
    if must and not param.required:
        return f"({text}) | undefined" if "=>" in text else f"{text} | undefined"
    return text


def _value(function: Function) -> str:
    gives = shapes.returned(function)
    if gives.of_class == "task":
        return "Promise<any>"
    if gives.of_class:
        return _class_name(gives.of_class) + ("[]" if gives.many else "")
    return _TYPES[gives.kind]


def _class_name(name: str) -> str:
    return f"Llmspell{shapes.pascal(name)}Object"
