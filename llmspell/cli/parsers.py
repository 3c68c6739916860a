"""The argument parsers of all commands: help, mistakes, and every unusual way to write flags."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping

from llmspell.cli.flags import OUTPUT, POLICY, RUN, Chosen, Flag
from llmspell.errors import UsageError
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Final, NoReturn


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are ours: one paragraph, exit code 2."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"see: {self.prog} --help")


def add_flags(parser: argparse.ArgumentParser, flags: Sequence[Flag]) -> None:
    """Tells the parser of these flags."""
    for flag in flags:
        how: dict[str, Any] = {"help": flag.help}
        if not flag.takes_a_value:
            how |= {"action": "store_true"}
        elif flag.choices:
            how |= {"choices": flag.choices, "default": flag.default}
        elif flag.many:
            how |= {"metavar": flag.metavar, "action": "append", "default": []}
        else:
            how |= {"metavar": flag.metavar, "default": flag.default}
        parser.add_argument(flag.name, **how)


def _run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("spell", metavar="SPELL", help="a script file, or - for standard input")
    add_flags(parser, RUN)


def _explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("spell", metavar="SPELL", nargs="?", help="a script file")
    add_flags(parser, (*POLICY, OUTPUT))


def _doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--warm", action="store_true", help="compile the guests now")
    parser.add_argument(
        "--attack", action="store_true", help="try a short, safe set of attacks; say what held"
    )
    add_flags(parser, (OUTPUT,))


def _tool(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="the built-in tools")
    listing.add_argument("--category", metavar="NAME")
    info = actions.add_parser("info", help="one tool: what it takes, returns and needs")
    info.add_argument("name", metavar="NAME")
    invoke = actions.add_parser("invoke", help="run one tool under a policy")
    invoke.add_argument("name", metavar="NAME")
    invoke.add_argument("input", metavar="JSON", help="the input, or - for standard input")
    add_flags(invoke, POLICY)
    for action in (listing, info, invoke):
        add_flags(action, (OUTPUT,))


def _audit(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    verify = actions.add_parser("verify", help="find dropped, edited, reordered or cut records")
    verify.add_argument("file", metavar="FILE")
    verify.add_argument("--head", metavar="HASH", help="the head that the run's result carried")
    show = actions.add_parser("show", help="print the records")
    show.add_argument("file", metavar="FILE")
    show.add_argument("--denied", action="store_true", help="only what was refused")
    for action in (verify, show):
        add_flags(action, (OUTPUT,))


def _vault(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    status = actions.add_parser("status", help="how many keys there are, and how old")
    rotate = actions.add_parser("rotate", help="seal everything anew with a new key")
    for action in (status, rotate):
        add_flags(action, (OUTPUT,))


def _types(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--language", metavar="NAME", help="lua, javascript or python; without it all three"
    )
    parser.add_argument(
        "--output", metavar="DIR", help="the folder they are written to; - prints one", default="."
    )


COMMANDS: Final[Mapping[str, tuple[str, Callable[[argparse.ArgumentParser], None]]]] = {
    "run": ("run a spell, confined", _run),
    "explain": ("what a spell may do under a policy, in words or as JSON", _explain),
    "doctor": ("what this machine can hold, tried by doing it", _doctor),
    "tool": ("the built-in tools: list, info, invoke", _tool),
    "audit": ("audit records: verify, show", _audit),
    "vault": ("the keys of encrypted state: status, rotate", _vault),
    "types": ("the script API for editors: LuaCATS, .d.ts and .pyi", _types),
}


def parse(name: str, words: Sequence[str]) -> Chosen:
    """What the words after a command's name chose. Raises `UsageError`; help ends the program."""
    text, flags = COMMANDS[name]
    parser = Parser(prog=f"llmspell {name}", description=text)
    flags(parser)
    return parser.parse_args(words, namespace=Chosen())


def top() -> Parser:
    """The parser of `llmspell` itself."""
    parser = Parser(prog="llmspell", description="Runs spells: confined, brokered, audited.")
    parser.add_argument("--version", "-V", action="store_true", help="print the version")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for name, (words, _) in COMMANDS.items():
        commands.add_parser(name, help=words, add_help=False)
    return parser
