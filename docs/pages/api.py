"""docs/api.md: the script API, from its one description."""

from __future__ import annotations

import json

from docs.pages.tables import table
from llmspell.spells.api.catalogue import API, GLOBALS
from llmspell.spells.api.model import Class, Function, Module, Param, camel

LANGUAGES = {"lua": "Lua", "javascript": "JavaScript", "python": "Python"}


def render() -> str:
    """The whole page."""
    parts = [
        "# Script API\n",
        "One API in three languages: snake_case in Lua and Python, camelCase in JavaScript (Lua "
        "and Python take camelCase too). A call that the table shows with a *wire method* goes "
        "through the broker: it is checked, charged, judged, recorded. The others are done in the "
        "worker.\n",
        "**How to call.** The first parameters go by position, all by name: "
        '`fs.read("a.txt", {encoding = "binary"})` in Lua, '
        '`await fs.read("a.txt", {encoding: "binary"})` in JavaScript, '
        '`await fs.read("a.txt", encoding="binary")` in Python. In JavaScript and Python a call '
        "gives something to await, and has already been sent; Python also has `.result()`. In Lua "
        "a call returns when the reply is there, and other tasks go on meanwhile.\n",
        "**Values.** What JSON can hold, and bytes. Integers are exact within ±2^53.\n",
        "**The result** of a run is what the spell returns (Lua, JavaScript), or the value of the "
        "last expression or of the global `result` (Python).\n",
        "## Values every spell finds\n",
        table(("name", "what it is"), [(f"`{name}`", words) for name, words in GLOBALS]),
        "`SANDBOX_ENABLED`, `MAX_MEMORY` (bytes) and `MAX_EXECUTION_TIME` (seconds) say what the "
        "run is held to.\n",
    ]
    for module in API:
        parts += _module(module)
    return "\n".join(parts)


def _module(module: Module) -> list[str]:
    names = " or ".join(f"`{name}`" for name in module.names)
    place = f"Global {names}" if names else "No global"
    parts = [f"## {module.name}\n", f"{place}{_only(module.languages)}. {module.doc}\n"]
    if module.construct:
        parts.append(_constructors(module) + "\n")
    for function in module.functions if module.names else ():
        parts += _function(module.names[0], function, module.languages)
    for described in module.classes:
        parts += _class(described, module.languages)
    return parts


def _constructors(module: Module) -> str:
    made, name = module.construct, module.names[0]
    forms = {
        "lua": f"`{name}.new{{…}}` or `{name}{{…}}` in Lua",
        "javascript": f"`new {name}({{…}})` in JavaScript",
        "python": f"`{name}(…)` in Python",
    }
    spelled = [form for language, form in forms.items() if language in module.languages]
    return f"{', '.join(spelled)}: the same as `{name}.{made}`."


def _class(described: Class, languages: tuple[str, ...]) -> list[str]:
    parts = [f"### Objects: {described.name}\n", f"{described.doc}\n"]
    if described.fields:
        rows = [
            (f"`{field.name}`", " or ".join(field.types), _meaning(field))
            for field in described.fields
        ]
        parts.append(table(("field", "type", "meaning"), rows))
    for method in described.methods:
        parts += _function(described.name, method, languages, "####", ":")
    return parts


def _function(
    owner: str,
    function: Function,
    languages: tuple[str, ...],
    level: str = "###",
    mark: str = ".",
) -> list[str]:
    lines = [
        f"{level} {owner}.{function.name}\n",
        f"{function.doc}{_only(function.languages)}\n",
    ]
    spelled = [
        f"- {title}: `{_call(owner, function, language, mark)}`"
        for language, title in LANGUAGES.items()
        if language in function.languages and language in languages
    ]
    if function.aliases:
        spelled.append(f"- also named {', '.join(f'`{name}`' for name in function.aliases)}")
    wire = f"wire method `{function.wire}`" if function.wire else "done in the worker"
    spelled.append(f"- returns {function.returns}; {wire}; since {function.since}")
    lines.append("\n".join(spelled) + "\n")
    if function.params:
        rows = [
            (f"`{param.name}`", " or ".join(param.types), _default(param), _meaning(param))
            for param in function.params
        ]
        lines.append(table(("parameter", "type", "default", "meaning"), rows))
    return lines


def _call(owner: str, function: Function, language: str, mark: str) -> str:
    js = language == "javascript"
    spell = camel if js else str
    place = [spell(param.name) for param in function.params[: function.positional]]
    named = function.params[function.positional :]
    inner = ", ".join(place)
    if named and language == "python":
        inner = ", ".join([*place, "*", "…"])
    elif named:
        inner = ", ".join([*place, "{…}"])
    waits = "await " if language != "lua" and function.wire else ""
    dot = mark if language == "lua" else "."
    return f"{waits}{owner}{dot}{spell(function.name)}({inner})"


def _only(languages: tuple[str, ...]) -> str:
    if len(languages) == len(LANGUAGES):
        return ""
    return f" ({', '.join(LANGUAGES[name] for name in languages)} only)"


def _default(param: Param) -> str:
    if param.required:
        return "*required*"
    return "" if param.default is None else f"`{json.dumps(param.default)}`"


def _meaning(param: Param) -> str:
    words = param.doc
    if param.choices:
        words += f"; one of {', '.join(f'`{choice}`' for choice in param.choices)}"
    bounds = [
        f"{name} {value:g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in (("at least", param.minimum), ("at most", param.maximum))
        if value is not None
    ]
    if not bounds:
        return words
    unit = _unit(param)
    return f"{words} ({', '.join(bounds)}{unit})"


def _unit(param: Param) -> str:
    if "string" in param.types:
        return " characters"
    return " items" if "array" in param.types else ""
