"""From a path as a person wrote it in a grant or profile to absolute patterns, resolved once."""

from __future__ import annotations

import os

from llmspell.errors import UsageError
from llmspell.policies.globs import compile_glob
from llmspell.profiles.context import PolicyContext

_ESCAPED = frozenset("*?[\\")


def absolute_patterns(text: str, context: PolicyContext) -> tuple[str, ...]:
    """The absolute pattern(s) that a path means: as written, and with links resolved.

    Relative paths start at the folder the user stands in; `working:`, `spell:`, `workspace:`
    and `~/` start at theirs. The part before the first wildcard is resolved now and need not
    exist. No pattern for `workspace:` where no workspace is kept. Raises `UsageError`.
    """
    if not text or "\x00" in text:
        raise UsageError("a granted path can't be empty or hold NUL")
    base, rest = _anchor(text, context)
    if base is None:
        return ()
    literal, wild = _cut(rest)
    if ".." in wild:
        raise UsageError(f"{text!r}: '..' can't follow a wildcard")
    start = os.path.join(base, *literal) if literal else base
    return tuple(
        "/".join([_escape(form).rstrip("/"), *wild]) or "/" for form in context.both_forms(start)
    )


def _anchor(text: str, context: PolicyContext) -> tuple[str | None, str]:
    for root, folder in (
        ("working:", context.working_folder),
        ("spell:", context.spell_folder),
        ("workspace:", context.workspace_folder),
    ):
        if text.startswith(root):
            return folder, text[len(root) :]
    if text.startswith("scratch:"):
        raise UsageError("the scratch is always the spell's own; it needs no grant")
    if text == "~" or text.startswith("~/"):
        return context.home, text[2:]
    if text.startswith("/"):
        return "/", text[1:]
    return context.working_folder, text


def _cut(rest: str) -> tuple[list[str], list[str]]:
    parts = [part for part in rest.split("/") if part not in ("", ".")]
    literal: list[str] = []
    for index, part in enumerate(parts):
        name = part if part == "**" else compile_glob(part)
        if part == "**" or not isinstance(name, str):
            return literal, parts[index:]
        literal.append(name)
    return literal, []


def _escape(path: str) -> str:
    return "".join("\\" + char if char in _ESCAPED else char for char in path)
