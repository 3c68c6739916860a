"""Targets of the path rules: a spell's path, patterns, globs, names that are code later."""

from __future__ import annotations

import unicodedata
from typing import Final

from llmspell.errors import InvalidInput, UsageError
from llmspell.policies.globs import CharacterSet, Glob, compile_glob, matches
from llmspell.policies.path_patterns import ANY_DEPTH, Component, compile_path, covers, split
from llmspell.policies.paths import FileRule, FileRules, Roots
from llmspell.policies.protected import fold, fold_all, protected_rule
from llmspell.policies.spell_path import PATH_MAX, parse_spell_path
from tests.fuzz.inputs import lines_of

_ROOTS: Final = Roots("/home/u/work", "/home/u/spells", "/home/u/.data/ws", True)
_OWN: Final = ("/home/u/.config/llmspell",)


def spell_path(data: bytes) -> None:
    """A path that a spell wrote is refused, or is normal and stays below its root."""
    text = lines_of(data, 1)[0]
    try:
        path = parse_spell_path(text)
    except InvalidInput:
        return
    assert len(text.encode()) <= PATH_MAX
    climbing = True
    for part in path.parts:
        assert part not in ("", ".") and not set(part) & set("/\\:\0\n"), path
        assert part != ".." or (climbing and path.root == "host" and not path.absolute), path
        climbing = climbing and part == ".."
    base = {"host": _ROOTS.working, "spell": _ROOTS.spell, "workspace": _ROOTS.workspace}
    found = path.locate(base.get(path.root) or "/none")
    normal = not {"", ".", ".."} & set(found[1:].split("/"))
    assert found == "/" or (found.startswith("/") and normal), found
    if path.root != "host":
        assert (found + "/").startswith((base.get(path.root) or "/none") + "/"), found
    # The canonical spelling means the same.
    if path.parts and path.root == "host":
        again = parse_spell_path(("/" if path.absolute else "") + "/".join(path.parts))
        assert again == path, (again, path)


def path_rules(data: bytes) -> None:
    """Verdicts agree with a slow matcher of the test's own; more denials never allow more.

    Each line but the last is a rule: `+` or `-`, `r`, `w` or `b`, and an absolute pattern.
    """
    *written, path = lines_of(data, 2)
    rules: list[FileRule] = []
    for line in written[:8]:
        rights = {"r": ("read",), "w": ("write",), "b": ("read", "write")}.get(line[1:2])
        if rights is None or len(line) > 200:
            return
        try:
            rules.append(FileRule.make(line[2:], rights, line[0] == "+", f"rule {len(rules)}"))
        except UsageError:
            return
    if len(path) > 300:
        return
    judged = FileRules("fuzz", tuple(rules), _ROOTS, own_folders=_OWN)
    denials = tuple(rule for rule in rules if not rule.allowed)
    allows = tuple(rule for rule in rules if rule.allowed)
    open_rules = FileRules("fuzz", allows, _ROOTS, own_folders=_OWN)
    shut = FileRules("fuzz", denials, _ROOTS, own_folders=_OWN)
    parts = split(path)
    for operation in ("read", "write", "list", "stat", "chmod"):
        verdict = judged.judge(operation, path)
        tree = judged.judge_tree(operation, path)
        assert not (tree.allowed is True and verdict.allowed is not True)
        assert shut.judge(operation, path).allowed is not True, "allowed without a rule"
        covering = [rule for rule in rules if rule.concerns(operation) and _covers(rule, parts)]
        if verdict.allowed is not True:
            continue
        assert open_rules.judge(operation, path).allowed is True, "a denial allowed it"
        assert any(rule.allowed for rule in covering), "allowed by no rule"
        assert not any(not rule.allowed and rule.pattern.literal and rule.pattern.parts == parts
                       for rule in covering), "allowed although it is denied by name"  # fmt: skip
        if operation == "write":
            assert protected_rule(fold_all(parts)) is None, "what is code later can be written"


def _covers(rule: FileRule, parts: tuple[str, ...]) -> bool:
    expected = any(
        _slowly(rule.pattern.parts, parts[:size])
        for size in (range(len(parts) + 1) if rule.pattern.below else [len(parts)])
    )
    assert covers(rule.pattern, parts) == expected, (rule.pattern.text, parts)
    return expected


def _slowly(pattern: tuple[Component, ...], parts: tuple[str, ...]) -> bool:
    """The meaning of a pattern, spelled as plainly as can be."""
    if not pattern:
        return not parts
    head, *rest = pattern
    if head is ANY_DEPTH:
        return any(_slowly(tuple(rest), parts[size:]) for size in range(len(parts) + 1))
    return bool(parts) and _glob_slowly(head, parts[0]) and _slowly(tuple(rest), parts[1:])


def _glob_slowly(glob: str | Glob, name: str) -> bool:
    """Whether the name matches, by all states at once."""
    if isinstance(glob, str):
        return glob == name
    at = {0}
    for character in (*name, None):
        # A run may be left without taking anything.
        for place in range(len(glob)):
            if place in at and _is_run(glob[place]):
                at.add(place + 1)
        if character is None:
            return len(glob) in at
        at = {place for place in at if place < len(glob)}
        at = {place + (not _is_run(glob[place])) for place in at if _takes(glob[place], character)}
    return False


def _is_run(token: object) -> bool:
    return getattr(token, "run", False) is True


def _takes(token: object, character: str) -> bool:
    if isinstance(token, CharacterSet):
        inside = any(low <= character <= high for low, high in token.ranges)
        return inside is not token.inverted
    return token == character if isinstance(token, str) else True


def globs(data: bytes) -> None:
    """A pattern matches a name exactly when the slow matcher says so."""
    pattern, name = lines_of(data, 2)[:2]
    if len(pattern) > 200 or len(name) > 300:
        return
    try:
        glob = compile_glob(pattern)
    except UsageError:
        return
    assert matches(glob, name) == _glob_slowly(glob, name), (pattern, name)
    try:
        path = compile_path("/" + pattern)
    except UsageError:
        return
    covers(path, split("/" + name))


def protected(data: bytes) -> None:
    """A protected name stays protected in every spelling that a file system may take for it."""
    name = lines_of(data, 1)[0]
    if not name or len(name) > 120 or "\0" in name:
        return
    parts = split("/" + name)
    rule = protected_rule(fold_all(parts))
    spellings = [unicodedata.normalize(form, name) for form in ("NFC", "NFD", "NFKC", "NFKD")]
    if name.isascii():
        spellings += [name.upper(), name.swapcase(), name.replace("i", "\u200di")]
    for spelled in spellings:
        if spelled.count("/") == name.count("/"):
            assert fold_all(split("/" + spelled)) == fold_all(parts), (name, spelled)
    assert fold(fold(name)) == fold(name), "folding again changes it"
    if rule is not None:
        assert protected_rule(("a", *fold_all(parts))) is not None, "only at the top"
