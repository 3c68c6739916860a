"""`llmspell tool`: the built-in tools, and one of them run under a policy."""

from __future__ import annotations

import json
import sys

from llmspell.cli import choices
from llmspell.cli.interrupts import Interrupts
from llmspell.cli.terminal import TerminalSink, escaped, flush
from llmspell.errors import UsageError
from llmspell.records import TYPE_CHECKING
from llmspell.spells.spell import Spell
from llmspell.tools import registry

if TYPE_CHECKING:
    from typing import Any, Final

    from llmspell.cli.flags import Chosen

INVOCATION: Final = "return Tools.execute(params.tool, params.input)"
"""A tool is invoked as any spell does it, so that no second way to a tool exists."""

INPUT_MAX: Final = 8 << 20
"""Bytes of input: what fits one message with its envelope."""


def main(chosen: Chosen) -> int:
    """Lists, describes or runs. Returns the exit code."""
    if chosen.action == "list":
        return _list(chosen)
    if chosen.action == "info":
        return _info(chosen)
    return _invoke(chosen)


def _list(chosen: Chosen) -> int:
    category = chosen.category
    if category is not None and category not in registry.categories():
        raise UsageError(
            f"there is no category {category!r}",
            hint=f"categories are {', '.join(registry.categories())}",
        )
    found = registry.list_tools() if category is None else registry.by_category(category)
    if chosen.output == "json":
        choices.print_json(
            [
                {
                    "name": entry.name,
                    "category": entry.category,
                    "description": entry.description,
                    "needs": sorted(entry.needs),
                }
                for entry in found
            ]
        )
        return 0
    width = max(len(entry.name) for entry in found)
    for entry in found:
        needs = f" (needs {', '.join(sorted(entry.needs))})" if entry.needs else ""
        print(f"{entry.name:<{width}}  {entry.category:<10}  {entry.description}{needs}")
    return 0


def _info(chosen: Chosen) -> int:
    described = registry.describe(chosen.name)
    if chosen.output == "json":
        choices.print_json(described)
        return 0
    print(f"{described['name']} — {described['description']}")
    print(f"category {described['category']}, security level {described['security_level']}")
    needs = described["required_permissions"]
    print(f"needs: {', '.join(needs) if needs else 'nothing outside itself'}")
    print("input:")
    for name, schema in described["parameters"].get("properties", {}).items():
        required = name in described["parameters"].get("required", ())
        mark = " (required)" if required else ""
        print(f"  {name}{mark}: {schema.get('description', schema.get('type', 'any'))}")
    for example in described["examples"]:
        print(f"example: {json.dumps(example, ensure_ascii=False)}")
    return 0


def _invoke(chosen: Chosen) -> int:
    from llmspell.supervisor.runner import run_blocking

    name = registry.entry(chosen.name).name
    options = choices.options(chosen)._replace(
        params={"tool": name, "input": _input(chosen.input)}, stdin=None
    )
    spell = Spell.from_source(INVOCATION, "lua", name=f"tool invoke {name}")
    flush()
    with Interrupts() as interrupts:
        sink = TerminalSink(quiet=True, level="warn", on_closed=interrupts.add)
        result = run_blocking(spell, options, sink, interrupts)
    if chosen.output == "json":
        choices.print_json(result.to_json())
    elif result.ok:
        choices.print_json(result.value)
    elif result.error is not None:
        print(f"llmspell: {escaped(result.error.sentence())}", file=sys.stderr)
    return result.exit_code


def _input(text: str) -> dict[str, Any]:
    from llmspell.channel.jsontext import Malformed, decode

    if text == "-":
        text = sys.stdin.read(INPUT_MAX + 1)
    if len(text) > INPUT_MAX:
        raise UsageError(f"the input is over {INPUT_MAX} bytes")
    try:
        value = decode(text.encode("utf-8"))
    except (Malformed, UnicodeEncodeError) as error:
        raise UsageError(
            f"the input is no JSON object: {error}", hint='such as: \'{"expression": "1 + 1"}\''
        ) from None
    if not isinstance(value, dict):
        raise UsageError("the input is no JSON object")
    return value
