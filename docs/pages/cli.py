"""docs/cli.md: every command and flag, from the parsers themselves."""

from __future__ import annotations

import argparse

from docs.pages.tables import table
from llmspell.cli.parsers import COMMANDS, Parser

WITHOUT_HELP = {
    "output": "how it is printed",
    "name": "the tool",
    "category": "only the tools of this category",
    "file": "an audit record",
}
"""For arguments whose parser says nothing about them."""


def render() -> str:
    """The whole page."""
    parts = [
        "# Command line\n",
        "`llmspell COMMAND …`; `llmspell --version` prints the version, `llmspell COMMAND --help` "
        "a command's flags. Exit codes are in [errors.md](errors.md).\n",
        "Scripts may begin with `#!/usr/bin/env llmspell-lua`, `llmspell-js` or `llmspell-python` "
        "and be run by name, at the default profile; then every word after the name is "
        "one of the spell's `args`.\n",
        "Words after `--` are the spell's own `args`. A value of `--param` that is JSON arrives "
        "as that value, anything else as text.\n",
    ]
    for name, (words, flags) in COMMANDS.items():
        parser = Parser(prog=f"llmspell {name}", description=words, add_help=False)
        flags(parser)
        parts += _command(f"llmspell {name}", words, parser, "##")
    return "\n".join(parts)


def _command(name: str, words: str, parser: argparse.ArgumentParser, level: str) -> list[str]:
    parts = [f"{level} {name}\n", f"{_sentence(words)}\n"]
    rows: list[tuple[str, str, str]] = []
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            helps = {one.dest: one.help or "" for one in action._choices_actions}
            for sub, inner in action.choices.items():
                parts += _command(f"{name} {sub}", helps[sub], inner, level + "#")
        elif not isinstance(action, argparse._HelpAction):
            rows.append(_row(action))
    if rows:
        parts.append(table(("argument", "meaning", "default"), rows))
    return parts


def _row(action: argparse.Action) -> tuple[str, str, str]:
    value = "{" + ",".join(action.choices) + "}" if action.choices else action.metavar or ""
    if not action.option_strings:
        spelled = f"[{value}]" if action.nargs == "?" else str(value)
    else:
        takes = "" if action.nargs == 0 else f" {value}"
        spelled = ", ".join(action.option_strings) + takes
    default = "" if action.default in (None, False, []) else str(action.default)
    again = " (may be given again)" if isinstance(action, argparse._AppendAction) else ""
    return f"`{spelled}`", (action.help or WITHOUT_HELP[action.dest]) + again, default


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]
