"""From the words of a command line to the command that does the work, and to its exit code."""

from __future__ import annotations

import sys

from llmspell.errors import LlmspellError, Missing, OperationFailed, UsageError
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Final

    from llmspell.cli.flags import Chosen

EXIT_USAGE: Final = 2
EXIT_INTERNAL: Final = 6

NAMES: Final = ("run", "explain", "doctor", "tool", "audit", "vault", "types")
"""The commands; each is a file here with a `main`."""


def dispatch(words: list[str]) -> int:
    """Runs the command that `words` name. Returns its exit code; prints errors in words."""
    try:
        if not words or words[0] not in NAMES:
            return _help(words)
        name, rest = words[0], words[1:]
        extra: list[str] = []
        if "--" in rest:
            cut = rest.index("--")
            rest, extra = rest[:cut], rest[cut + 1 :]
        chosen = _chosen(name, rest)
        chosen.extra = extra
        command = __import__(f"llmspell.cli.{name}", fromlist=["main"])
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
    except OSError as error:
        # What the machine lacks for the command itself: no descriptor for its signals, say.
        complain(OperationFailed(f"the command failed: {(error.strerror or 'unknown').lower()}"))
        return EXIT_INTERNAL
    except KeyboardInterrupt:
        return 130


def _chosen(name: str, words: list[str]) -> Chosen:
    if name == "run":
        from llmspell.cli.flags import RUN, read_plain

        plain = read_plain(words, RUN, "spell")
        if plain is not None:
            return plain
    from llmspell.cli.parsers import parse

    return parse(name, words)


def complain(error: LlmspellError) -> None:
    """One line on stderr: what happened, which rule, what to do."""
    from llmspell.cli.terminal import escaped

    print(f"llmspell: {escaped(error.sentence())}", file=sys.stderr)


def _help(words: list[str]) -> int:
    from llmspell.cli.parsers import top

    if words and not words[0].startswith("-"):
        from difflib import get_close_matches

        near = get_close_matches(words[0], NAMES, n=1)
        hint = f"did you mean: llmspell {near[0]}" if near else "see: llmspell --help"
        raise UsageError(f"there is no command {words[0]!r}", hint=hint)
    parser = top()
    if words:
        parser.parse_args(words)
        return 0
    parser.print_help(sys.stderr)
    return EXIT_USAGE
