"""Commands and their flags; each command's work is in its own file."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Final, NoReturn

from llmspell.errors import LlmspellError, Missing, UsageError

EXIT_USAGE: Final = 2
EXIT_INTERNAL: Final = 6

PROFILES: Final = "none, low, medium, high, or development, testing, production, data_analysis"


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are ours: one paragraph, exit code 2."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"see: {self.prog} --help")


def policy_flags(parser: argparse.ArgumentParser) -> None:
    """The flags that choose a policy; the same for every command that has one."""
    parser.add_argument("--profile", metavar="NAME", help=f"security profile: {PROFILES}")
    parser.add_argument("--policy", metavar="FILE", help="a policy file (TOML) that extends one")
    for flag, what in (
        ("read", "PATH"),
        ("write", "PATH"),
        ("net", "HOST[:PORT]"),
        ("tool", "NAME"),
        ("llm", "MODEL"),
        ("env", "NAME"),
        ("module", "NAME"),
    ):
        parser.add_argument(
            f"--allow-{flag}", metavar=what, action="append", default=[], help=f"grant {flag}"
        )
    parser.add_argument(
        "--grant-requested",
        action="store_true",
        help="grant what the spell's own manifest asks for (see it with: llmspell explain)",
    )
    parser.add_argument(
        "--limit", metavar="NAME=VALUE", action="append", default=[], help="such as memory=512MiB"
    )
    parser.add_argument(
        "--allow-degraded",
        action="store_true",
        help="low and medium: run although an effect is not held (never at high)",
    )
    parser.add_argument("--engine", metavar="NAME", help="lua, javascript or python")


def _run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("spell", metavar="SPELL", help="a script file, or - for standard input")
    policy_flags(parser)
    parser.add_argument(
        "--param", metavar="K=V", action="append", default=[], help="a parameter of the spell"
    )
    parser.add_argument(
        "--output", choices=("text", "json"), default="text", help="how the result is printed"
    )
    parser.add_argument("--audit", metavar="FILE", help="where the audit record goes")
    parser.add_argument(
        "--check", action="store_true", help="only check the syntax: no line of the spell runs"
    )
    parser.add_argument("--log-level", metavar="LEVEL", default="info", help="trace … error")


def _explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("spell", metavar="SPELL", nargs="?", help="a script file")
    policy_flags(parser)
    parser.add_argument("--output", choices=("text", "json"), default="text")


def _doctor(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--warm", action="store_true", help="compile the guests now")
    parser.add_argument("--output", choices=("text", "json"), default="text")


def _tool(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    listing = actions.add_parser("list", help="the built-in tools")
    listing.add_argument("--category", metavar="NAME")
    info = actions.add_parser("info", help="one tool: what it takes, returns and needs")
    info.add_argument("name", metavar="NAME")
    invoke = actions.add_parser("invoke", help="run one tool under a policy")
    invoke.add_argument("name", metavar="NAME")
    invoke.add_argument("input", metavar="JSON", help="the input, or - for standard input")
    policy_flags(invoke)
    for action in (listing, info, invoke):
        action.add_argument("--output", choices=("text", "json"), default="text")


def _audit(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    verify = actions.add_parser("verify", help="find dropped, edited, reordered or cut records")
    verify.add_argument("file", metavar="FILE")
    verify.add_argument("--head", metavar="HASH", help="the head that the run's result carried")
    show = actions.add_parser("show", help="print the records")
    show.add_argument("file", metavar="FILE")
    show.add_argument("--denied", action="store_true", help="only what was refused")
    for action in (verify, show):
        action.add_argument("--output", choices=("text", "json"), default="text")


COMMANDS: Final[Mapping[str, tuple[str, Callable[[argparse.ArgumentParser], None]]]] = {
    "run": ("run a spell, confined", _run),
    "explain": ("what a spell may do under a policy, in words or as JSON", _explain),
    "doctor": ("what this machine can hold, tried by doing it", _doctor),
    "tool": ("the built-in tools: list, info, invoke", _tool),
    "audit": ("audit records: verify, show", _audit),
}


def _top() -> Parser:
    parser = Parser(prog="llmspell", description="Runs spells: confined, brokered, audited.")
    parser.add_argument("--version", "-V", action="store_true", help="print the version")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser)
    for name, (words, _) in COMMANDS.items():
        commands.add_parser(name, help=words, add_help=False)
    return parser


def dispatch(words: list[str]) -> int:
    """Runs the command that `words` name. Returns its exit code; prints errors in words."""
    try:
        if not words or words[0] not in COMMANDS:
            return _help(words)
        name, rest = words[0], words[1:]
        extra: list[str] = []
        if "--" in rest:
            cut = rest.index("--")
            rest, extra = rest[:cut], rest[cut + 1 :]
        text, flags = COMMANDS[name]
        parser = Parser(prog=f"llmspell {name}", description=text)
        flags(parser)
        chosen = parser.parse_args(rest)
        chosen.extra = extra
        command = import_module(f"llmspell.cli.{name}")
        code: int = command.main(chosen)
        return code
    except UsageError as error:
        complain(error)
        return EXIT_USAGE
    except Missing as error:
        # Something the user named is not there: a tool, a category.
        complain(error)
        return EXIT_USAGE
    except LlmspellError as error:
        complain(error)
        return EXIT_INTERNAL
    except BrokenPipeError:
        return EXIT_INTERNAL
    except KeyboardInterrupt:
        return 130


def complain(error: LlmspellError) -> None:
    """One line on stderr: what happened, which rule, what to do."""
    from llmspell.cli.terminal import escaped

    print(f"llmspell: {escaped(error.sentence())}", file=sys.stderr)


def _help(words: list[str]) -> int:
    parser = _top()
    if words and not words[0].startswith("-"):
        from difflib import get_close_matches

        near = get_close_matches(words[0], COMMANDS, n=1)
        hint = f"did you mean: llmspell {near[0]}" if near else "see: llmspell --help"
        raise UsageError(f"there is no command {words[0]!r}", hint=hint)
    if words:
        parser.parse_args(words)
        return 0
    parser.print_help(sys.stderr)
    return EXIT_USAGE
