"""docs/errors.md: codes, the tree of exceptions, exit codes."""

from __future__ import annotations

from itertools import groupby

from docs.pages.tables import table
from llmspell import errors
from llmspell.supervisor.result import EXIT_CODES

WORDS = {
    "done": "the spell ended well",
    "spell_error": "the spell raised an error",
    "denied": "the spell ended with a denial it did not catch",
    "limit": "a limit was reached",
    "violation": "the worker did what no well-behaved worker does, and was ended",
    "killed": "somebody interrupted the run",
    "isolation_refused": "this machine can't hold what the profile promises; nothing was run",
    "internal": "llmspell itself failed; the run ended closed",
}


def render() -> str:
    """The whole page."""
    parts = [
        "# Errors\n",
        "Every error has a number, a kind, and a message in words; a denial also has the rule that "
        "decided and a hint how to allow it. A spell gets them as its own language's error with "
        "`code`, `kind`, `message`, `rule`, `hint`, `recoverable`, `trace_id`.\n",
        "## In Python\n",
        f"```text\n{_tree()}\n```\n",
        "## Exit codes of `llmspell run`\n",
        table(("code", "status", "meaning"), _exits()),
        "`llmspell audit verify` ends with 0 (in order), 1 (broken) or 7 (incomplete: the run was "
        "killed, or is still under way).\n",
        "## Codes\n",
    ]
    for area, codes in groupby(errors.CODES.values(), key=lambda code: code.area):
        rows = [(code.number, code.name, code.meaning) for code in codes]
        parts.append(f"### {area} ({rows[0][0]}–{rows[-1][0]})\n")
        parts.append(table(("code", "name", "meaning"), rows))
    limits = [(f"`{name}`", number) for name, number in errors.LIMIT_CODES.items()]
    parts += [
        "### Limits\n",
        "These limits have a code of their own; every other one is "
        f"{errors.LimitExceeded.default_code}.\n",
        table(("limit", "code"), limits),
    ]
    return "\n".join(parts)


def _tree() -> str:
    lines = (errors.__doc__ or "").splitlines()
    return "\n".join(line for line in lines if line.startswith(("LlmspellError", " ├", " └", " │")))


def _exits() -> list[tuple[object, ...]]:
    rows: list[tuple[object, ...]] = [
        (code, f"`{status.value}`", WORDS[status.value]) for status, code in EXIT_CODES.items()
    ]
    rows.append((2, "–", "a usage error, or a spell with a syntax error: no line of it was run"))
    return sorted(rows, key=lambda row: int(str(row[0])))
