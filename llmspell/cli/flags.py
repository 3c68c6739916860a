"""The flags of commands as data, and the quick reading of a plain command line.

`argparse` costs a cold command 6 ms, so it reads what is unusual: abbreviations, mistakes, help.
What is plain is read here, to the very same values; whatever is not surely plain is left to it.
"""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Final

PROFILES: Final = "none, low, medium, high, or development, testing, production, data_analysis"


class Flag(NamedTuple):
    """One flag. `metavar` says what it takes; None: it is a switch. `many`: it may come again."""

    name: str
    help: str | None = None
    metavar: str | None = None
    many: bool = False
    choices: tuple[str, ...] = ()
    default: str | None = None

    @property
    def takes_a_value(self) -> bool:
        """Whether a value follows the flag."""
        return self.metavar is not None or bool(self.choices)

    @property
    def key(self) -> str:
        """The name of its value among what was chosen."""
        return self.name.removeprefix("--").replace("-", "_")

    def absent(self) -> Any:
        """Its value when it was not given."""
        if self.many:
            return []
        return self.default if self.takes_a_value else False


def _grant(kind: str, what: str) -> Flag:
    return Flag(f"--allow-{kind}", f"grant {kind}", what, many=True)


POLICY: Final = (
    Flag("--profile", f"security profile: {PROFILES}", "NAME"),
    Flag("--policy", "a policy file (TOML) that extends one", "FILE"),
    _grant("read", "PATH"),
    _grant("write", "PATH"),
    _grant("net", "HOST[:PORT]"),
    _grant("tool", "NAME"),
    _grant("llm", "MODEL"),
    _grant("env", "NAME"),
    _grant("state", "SCOPE"),
    _grant("module", "NAME"),
    Flag(
        "--grant-requested",
        "grant what the spell's own manifest asks for (see it with: llmspell explain)",
    ),
    Flag("--limit", "such as memory=512MiB", "NAME=VALUE", many=True),
    Flag("--allow-degraded", "low and medium: run although an effect is not held (never at high)"),
    Flag("--engine", "lua, javascript or python", "NAME"),
)
"""The flags that choose a policy; the same for every command that has one."""

OUTPUT: Final = Flag("--output", choices=("text", "json"), default="text")

RUN: Final = (
    *POLICY,
    Flag("--param", "a parameter of the spell", "K=V", many=True),
    OUTPUT._replace(help="how the result is printed"),
    Flag("--audit", "where the audit record goes", "FILE"),
    Flag("--check", "only check the syntax: no line of the spell runs"),
    Flag("--log-level", "trace … error", "LEVEL", default="info"),
)
"""The flags of `llmspell run`."""


class Chosen:
    """What a command line chose, by name."""

    extra: list[str]
    """The words after `--`."""

    def __init__(self, **values: Any) -> None:
        self.__dict__.update(values)

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...


def read_plain(words: Sequence[str], flags: Sequence[Flag], positional: str) -> Chosen | None:
    """What a plain command line chose: full flag names, every value there, one positional word.

    None for any other, which `argparse` must read; equal to what it would say otherwise.
    """
    known = {flag.name: flag for flag in flags}
    values: dict[str, Any] = {flag.key: flag.absent() for flag in flags}
    found: list[str] = []
    rest = iter(words)
    for word in rest:
        if not _may_be_a_value(word):
            name, equals, value = word.partition("=")
            flag = known.get(name)
            if flag is None or bool(equals) > flag.takes_a_value:
                return None
            if not flag.takes_a_value:
                values[flag.key] = True
                continue
            given = value if equals else next(rest, None)
            if given is None or not (equals or _may_be_a_value(given)):
                return None
            if flag.choices and given not in flag.choices:
                return None
            if flag.many:
                values[flag.key].append(given)
            else:
                values[flag.key] = given
        else:
            found.append(word)
    if len(found) != 1:
        return None
    return Chosen(**values, **{positional: found[0]})


def _may_be_a_value(word: str) -> bool:
    # A lone dash is standard input; any other word with a dash in front is argparse's to judge.
    return not word.startswith("-") or word == "-"
