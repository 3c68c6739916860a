"""One value or call, written in each of the three languages."""

from __future__ import annotations

import json
from typing import Any

from llmspell.channel.jsontext import Callback
from llmspell.spells.api.model import camel


class Source:
    """Stands in a sample for what no plain value can say: a function, a variable."""

    def __init__(self, lua: str, javascript: str, python: str) -> None:
        self.sources = {"lua": lua, "javascript": javascript, "python": python}

    def __repr__(self) -> str:
        return self.sources["python"]


class AnyFunction(Source):
    """Stands for a function of the spell's in a sample, and equals whatever it arrives as."""

    def __init__(self) -> None:
        super().__init__("function() end", "() => {}", "print")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Callback)

    def __hash__(self) -> int:
        return hash(Callback)


def literal(language: str, value: Any) -> str:
    """`value` as source text."""
    if language == "python":
        return repr(value)
    if language == "javascript":
        return _javascript(value)
    return _lua(value)


def _javascript(value: Any) -> str:
    if isinstance(value, Source):
        return value.sources["javascript"]
    if isinstance(value, bytes):
        return f"new Uint8Array({list(value)})"
    if isinstance(value, dict):
        items = (f"{json.dumps(key)}: {_javascript(item)}" for key, item in value.items())
        return "{" + ", ".join(items) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_javascript, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _lua(value: Any) -> str:
    if isinstance(value, Source):
        return value.sources["lua"]
    if value is None:
        return "nil"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, bytes):
        return '"' + "".join(f"\\{byte:03d}" for byte in value) + '"'
    if isinstance(value, str):
        return _lua(value.encode("utf-8"))
    if isinstance(value, dict):
        items = (f"[{_lua(key)}]={_lua(item)}" for key, item in value.items())
        return "{" + ",".join(items) + "}"
    if isinstance(value, list):
        return "{" + ",".join(map(_lua, value)) + "}"
    return repr(value)


def spelled(language: str, name: str) -> str:
    """A function's or option's name as the language writes it."""
    return camel(name) if language == "javascript" else name


def call(language: str, module: str, name: str, given: list[Any], named: dict[str, Any]) -> str:
    """A call, `given` by position and `named` by name, waited for."""
    arguments = [literal(language, value) for value in given]
    if language == "python":
        keywords = {"from": "from_"}
        arguments += [
            f"{keywords.get(key, key)}={literal(language, value)}" for key, value in named.items()
        ]
    elif named:
        options = {spelled(language, key): value for key, value in named.items()}
        arguments.append(literal(language, options))
    text = f"{module}.{spelled(language, name)}({', '.join(arguments)})"
    return text if language == "lua" else f"await {text}"


def returning(language: str, expression: str) -> str:
    """A spell whose value is the expression."""
    return expression if language == "python" else f"return {expression}"
