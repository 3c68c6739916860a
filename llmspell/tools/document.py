"""Writes what is derived from the tools' declarations: the index and `docs/tools.md`.

`python -m llmspell.tools.document` writes both; a test keeps them fresh.
"""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any

from llmspell.tools.tool import CATEGORIES, VARIES, Tool

HERE = Path(__file__).resolve().parent
INDEX = HERE / "index.py"
DOCS = HERE.parent.parent / "docs" / "tools.md"


def find_tools() -> list[tuple[str, Tool]]:
    """Every tool of every category folder with its module's name, by tool name."""
    found: list[tuple[str, Tool]] = []
    for category in CATEGORIES:
        for module in iter_modules([str(HERE / category)]):
            name = f"llmspell.tools.{category}.{module.name}"
            tool = getattr(import_module(name), "TOOL", None)
            if isinstance(tool, Tool):
                found.append((name, tool))
    return sorted(found, key=lambda pair: pair[1].name)


def index_text() -> str:
    """The source of `index.py`."""
    lines = [
        '"""Every built-in tool in one literal. Written by `document.py`; do not edit."""',
        "",
        "from __future__ import annotations",
        "",
        "from collections.abc import Mapping",
        "from typing import Final",
        "",
        "from llmspell.tools.entry import Entry",
        "",
        "TOOLS: Final[Mapping[str, Entry]] = {",
    ]
    for module, tool in find_tools():
        needs = ", ".join(_quoted(need) for need in sorted(tool.needs))
        fields = {
            "name": _quoted(tool.name),
            "category": _quoted(tool.category),
            "description": _quoted(tool.description),
            "version": _quoted(tool.version),
            "capabilities": repr(tool.capabilities).replace("'", '"'),
            "security_level": _quoted(tool.security_level),
            "needs": f"frozenset({{{needs}}})" if needs else "frozenset()",
            "seconds": repr(tool.limits.seconds),
            "data_bytes": repr(tool.limits.data_bytes),
            "memory_bytes": repr(tool.limits.memory_bytes),
            "calls_per_minute": repr(tool.limits.calls_per_minute),
            "module": _quoted(module),
        }
        lines.append(f"    {_quoted(tool.name)}: Entry(")
        lines += [f"        {name}={value},".replace(", )", ")") for name, value in fields.items()]
        lines.append("    ),")
    return "\n".join([*lines, "}", ""])


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def docs_text() -> str:
    """The source of `docs/tools.md`."""
    lines = [
        "# Built-in tools",
        "",
        "<!-- Written by llmspell/tools/document.py; do not edit. -->",
        "",
        "A spell calls a tool by name: "
        '`Tools.get("calculator"):execute({expression = "1 + 1"})` in Lua, '
        '`await Tools.get("calculator").execute({expression: "1 + 1"})` in JavaScript. '
        "The answer is `{result, metadata}`. Names of parameters may be written in snake_case or "
        "camelCase. Tools run in a confined process of their own; what a tool reads, writes or "
        "fetches is judged under the spell's own policy.",
        "",
        "| tool | category | does | needs | security level |",
        "|---|---|---|---|---|",
    ]
    tools = [tool for _, tool in find_tools()]
    for tool in tools:
        needs = ", ".join(sorted(tool.needs)) or "nothing"
        lines.append(
            f"| [`{tool.name}`](#{tool.name}) | {tool.category} | {tool.description} "
            f"| {needs} | {tool.security_level} |"
        )
    for tool in tools:
        lines += _section(tool)
    return "\n".join([*lines, ""])


def _section(tool: Tool) -> list[str]:
    limits = tool.limits
    rate = f", {limits.calls_per_minute} calls a minute" if limits.calls_per_minute else ""
    lines = [
        "",
        f"## {tool.name}",
        "",
        f"{tool.description} Limits: {limits.seconds:g} s, "
        f"{limits.memory_bytes // 2**20} MiB of memory{rate}.",
        "",
        "| parameter | type | default | meaning |",
        "|---|---|---|---|",
    ]
    lines += _rows(tool.parameters.to_json_schema(), "")
    lines += ["", f"Result: {tool.output.doc}"]
    for example in tool.examples:
        lines += ["", f"{example.title}:", "", "```json", _json(example.input), "```"]
        if example.result is not VARIES:
            lines += ["", "gives", "", "```json", _json(example.result), "```"]
    return lines


def _rows(schema: dict[str, Any], prefix: str) -> list[str]:
    rows: list[str] = []
    required = schema.get("required", ())
    for name, child in schema.get("properties", {}).items():
        default = json.dumps(child["default"], ensure_ascii=False) if "default" in child else ""
        if name in required:
            default = "*required*"
        text = child.get("description", "").replace("|", "\\|")
        if "enum" in child:
            text += " One of " + ", ".join(f"`{word}`" for word in child["enum"]) + "."
        shown = default.replace("|", "\\|")
        rows.append(f"| `{prefix}{name}` | {_type_of(child)} | {shown} | {text} |")
        if child.get("properties"):
            rows += _rows(child, f"{prefix}{name}.")
        inner = child.get("items", {})
        if inner.get("properties"):
            rows += _rows(inner, f"{prefix}{name}[].")
    return rows


def _type_of(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type_of(option) for option in schema["anyOf"])
    kind = schema.get("type", "any")
    if isinstance(kind, list):
        return "text or bytes"
    if kind == "array":
        return "list of " + _type_of(schema.get("items", {}))
    return {"string": "text"}.get(kind, str(kind))


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def main() -> None:
    """Writes both files."""
    INDEX.write_text(index_text(), encoding="utf-8")
    DOCS.parent.mkdir(exist_ok=True)
    DOCS.write_text(docs_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
