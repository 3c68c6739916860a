"""Which host paths a run may read and write. Judged twice by the broker: as written, and resolved.

The most specific rule wins, in whatever order rules are listed; a tie is a denial (FS-33):

* a denial counts as deep as it reaches into the path, wildcards and all, and covers what is below;
* an allow counts only as deep as its part before the first wildcard, so `**/*.txt` never reopens a
  denied folder, while a literal `secret/public` reopens that folder below a denied `secret`;
* a rule without wildcards covers the path and everything below; one with wildcards covers exactly
  what it names unless it ends in `/**`.

Denials compare names folded (case, accents); allows compare them exactly.
"""

from __future__ import annotations

from llmspell.errors import UsageError
from llmspell.policies.credentials import secret_depth
from llmspell.policies.path_patterns import (
    PathPattern,
    compile_path,
    could_be_below,
    covers,
    deepest,
    split,
)
from llmspell.policies.protected import fold_all, protected_rule
from llmspell.policies.spell_path import SpellPath, parse_spell_path
from llmspell.policies.verdict import Verdict, allow, allow_flag, deny
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

__all__ = ["FileRule", "FileRules", "Roots", "SpellPath", "parse_spell_path"]

VERDICTS_KEPT: Final = 1024
"""Verdicts remembered: at 4 KiB a path at most, a few megabytes at the worst."""

OPERATIONS: Final = frozenset({"read", "write", "list", "stat"})
"""`write` covers creating, appending, making folders, removing and moving."""

RIGHTS: Final = {
    "read": frozenset({"read", "list", "stat"}),
    # Who may write learns anyway whether something was there.
    "write": frozenset({"write", "stat"}),
}


class Roots(NamedTuple):
    """The host folders behind the roots of a spell's paths. Absolute and resolved.

    `workspace` is None where the profile keeps no folder for the spell; `scratch` says whether
    there is a scratch in memory.
    """

    working: str
    spell: str
    workspace: str | None
    scratch: bool


class FileRule(NamedTuple):
    """One rule: what, which rights (`read`, `write`), allow or deny, and its name for people."""

    pattern: PathPattern
    rights: frozenset[str]
    allowed: bool
    name: str

    @classmethod
    def make(
        cls, pattern: str, rights: Iterable[str], allowed: bool, name: str, *, plain: bool = False
    ) -> FileRule:
        """A rule from an absolute pattern. Raises `UsageError` for an unknown right."""
        known = frozenset(rights)
        if not known or not known.issubset(RIGHTS):
            raise UsageError(f"file rights are read and write, not {sorted(known)}")
        return cls(compile_path(pattern, plain=plain), known, allowed, name)

    def concerns(self, operation: str) -> bool:
        """Whether the rule says anything about the operation."""
        if self.allowed:
            return any(operation in RIGHTS[right] for right in self.rights)
        # A denial of writing must not make an allowed file look absent.
        return ("write" if operation == "write" else "read") in self.rights


class _Denial(NamedTuple):
    rule: FileRule
    pattern: PathPattern
    folded: PathPattern


class FileRules:
    """The file rules of one run. Immutable; with no rules at all everything is denied (EN-07)."""

    __slots__ = (
        "_allows",
        "_denials",
        "_located",
        "_own",
        "_scratch_verdicts",
        "_verdicts",
        "own_folders",
        "profile",
        "protects",
        "roots",
        "rules",
    )
    profile: str
    rules: tuple[FileRule, ...]
    roots: Roots
    own_folders: tuple[str, ...]
    protects: bool
    _allows: tuple[FileRule, ...]
    _denials: tuple[_Denial, ...]
    _own: tuple[tuple[str, ...], ...]
    _verdicts: dict[tuple[str, str, str | None], Verdict]
    _located: dict[str, tuple[SpellPath, str | None]]
    _scratch_verdicts: dict[str, Verdict]

    def __init__(
        self,
        profile: str,
        rules: tuple[FileRule, ...],
        roots: Roots,
        *,
        own_folders: tuple[str, ...] = (),
        protects: bool = True,
    ) -> None:
        fixed: dict[str, object] = {
            "profile": profile,
            "rules": rules,
            "roots": roots,
            "own_folders": own_folders,
            "protects": protects,
            "_allows": tuple(rule for rule in rules if rule.allowed),
            "_denials": tuple(
                _Denial(rule, rule.pattern, _fold_pattern(rule.pattern))
                for rule in rules
                if not rule.allowed
            ),
            "_own": tuple(fold_all(split(folder)) for folder in own_folders),
            "_verdicts": {},
            "_located": {},
            "_scratch_verdicts": {},
        }
        for name, value in fixed.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("file rules can't be changed; build others")

    def judge(self, operation: str, path: str, *, spelled: str | None = None) -> Verdict:
        """The verdict on an absolute, normalised path.

        `operation` is one of `OPERATIONS`. `spelled` is the path in the spell's own words: give
        it when `path` was resolved, so that the hint names no host path the spell doesn't know.
        """
        # The rules never change, so neither does a verdict: a call asks up to three times.
        key = (operation, path, spelled)
        known = self._verdicts.get(key)
        if known is None:
            if len(self._verdicts) >= VERDICTS_KEPT:
                self._verdicts.clear()
            known = self._verdicts[key] = self._judge(operation, path, spelled)
        return known

    def _judge(self, operation: str, path: str, spelled: str | None) -> Verdict:
        if operation not in OPERATIONS:
            return deny(f"{self.profile}.files.operation", f"there is no file right {operation!r}")
        if not _is_normal(path):
            return deny(f"{self.profile}.files.path", "the path is not absolute and normalised")
        parts = split(path)
        folded = fold_all(parts)
        if self.protects:
            refused = self._always_denied(operation, parts, folded)
            if refused is not None:
                return refused
        return self._by_rules(operation, parts, folded, spelled)

    def judge_tree(self, operation: str, path: str, *, spelled: str | None = None) -> Verdict:
        """As `judge`, for an act on a folder with all that is in it (move, recursive removal).

        Denied too when any denial could lie below the folder (FS-08, FS-11). Protected names
        further down are not known here: judge each entry when walking.
        """
        verdict = self.judge(operation, path, spelled=spelled)
        if verdict.allowed is not True:
            return verdict
        parts = split(path)
        folded = fold_all(parts)
        for denial in self._denials:
            if denial.rule.concerns(operation) and could_be_below(denial.folded, folded):
                return deny(denial.rule.name, "something inside this folder is denied")
        return verdict

    def judge_scratch(self, operation: str) -> Verdict:
        """The verdict on any path of the run's own scratch in memory."""
        known = self._scratch_verdicts.get(operation)
        if known is None:
            known = self._judge_scratch(operation)
            if operation in OPERATIONS:
                self._scratch_verdicts[operation] = known
        return known

    def _judge_scratch(self, operation: str) -> Verdict:
        name = f"{self.profile}.files.scratch"
        if operation in OPERATIONS and self.roots.scratch:
            return allow(name, "the scratch of this run")
        return deny(name, "this run has no scratch", "to get one: --limit scratch=16MiB")

    def find(self, spelled: str) -> tuple[SpellPath, str | None]:
        """What `parse_spell_path` and `locate` say of a spell's path; raises what they raise.

        Both depend on the text and on these rules alone, so an answer is remembered.
        """
        known = self._located.get(spelled) if type(spelled) is str else None
        if known is None:
            path = parse_spell_path(spelled)
            known = path, self.locate(path)
            if len(self._located) >= VERDICTS_KEPT:
                self._located.clear()
            self._located[spelled] = known
        return known

    def locate(self, path: SpellPath) -> str | None:
        """The absolute host path that a spell's path means, lexically.

        None for `scratch:` (it has no host path) and for a workspace that this profile lacks.
        """
        base = {
            "host": self.roots.working,
            "spell": self.roots.spell,
            "workspace": self.roots.workspace,
        }.get(path.root)
        return None if base is None else path.locate(base)

    def folders(self, right: str) -> tuple[str, ...]:
        """The host folders and files that an allow rule with the right (`read`, `write`) starts
        at: what the kernel's own rules are made from, never narrower than the rules here."""
        found = [rule.pattern.prefix for rule in self._allows if right in rule.rights]
        return tuple("/" + "/".join(prefix) for prefix in dict.fromkeys(found))

    def grants(self, right: str) -> bool:
        """Whether any path at all may be used with the right (`read` or `write`)."""
        return self.roots.scratch or any(right in rule.rights for rule in self._allows)

    def _always_denied(
        self, operation: str, parts: tuple[str, ...], folded: tuple[str, ...]
    ) -> Verdict | None:
        for folder in self._own:
            # Something that holds an own folder can't be moved or removed either.
            above = operation == "write" and folder[: len(folded)] == folded
            if (folded[: len(folder)] == folder or above) and not self._is_kept_for_spell(parts):
                return deny(
                    "protected.llmspell",
                    "llmspell's own cache, configuration, grants, keys, state and audit",
                    "no flag allows this; only --profile none, for code of your own",
                )
        if operation != "write":
            return None
        rule = protected_rule(folded)
        if rule is None:
            return None
        return deny(
            rule,
            "this name is run as code later",
            "no flag allows this; write it yourself, or use --profile none for code of your own",
        )

    def _is_kept_for_spell(self, parts: tuple[str, ...]) -> bool:
        if self.roots.workspace is None:
            return False
        kept = split(self.roots.workspace)
        return parts[: len(kept)] == kept

    def _by_rules(
        self,
        operation: str,
        parts: tuple[str, ...],
        folded: tuple[str, ...],
        spelled: str | None,
    ) -> Verdict:
        best: FileRule | None = None
        strength = (-1, False)
        for rule in self._allows:
            if rule.concerns(operation) and covers(rule.pattern, parts):
                found = (len(rule.pattern.prefix), rule.pattern.literal)
                if found > strength:
                    best, strength = rule, found
        for denial in self._denials:
            if not denial.rule.concerns(operation):
                continue
            reach = max(
                -1 if depth is None else depth
                for depth in (deepest(denial.pattern, parts), deepest(denial.folded, folded))
            )
            if reach >= 0 and (reach, denial.pattern.literal) >= strength:
                return deny(denial.rule.name, "a rule denies this path")
        if best is not None:
            return self._unless_secret(best, strength, operation, parts, folded, spelled)
        right = "write" if operation == "write" else "read"
        return deny(
            f"{self.profile}.files.{right}",
            f"the profile {self.profile} does not grant this path",
            self._hint(right, parts, spelled),
        )

    def _unless_secret(
        self,
        best: FileRule,
        strength: tuple[int, bool],
        operation: str,
        parts: tuple[str, ...],
        folded: tuple[str, ...],
        spelled: str | None,
    ) -> Verdict:
        depth = secret_depth(folded) if self.protects else None
        # A grant of the folder around it did not mean the keys; one that names them did.
        if depth is not None and (depth, True) > strength:
            right = "write" if operation == "write" else "read"
            hint = allow_flag(f"allow-{right}", spelled or self._shown(parts))
            return deny("protected.secrets", "credentials are used only when named", hint)
        return allow(best.name, "a rule allows this path")

    def _hint(self, right: str, parts: tuple[str, ...], spelled: str | None) -> str:
        shown = self._shown(parts) if spelled is None else spelled
        folder = shown.rpartition("/")[0]
        # What is written next lies beside this, so the folder is what a person would grant.
        near = right == "write" and bool(folder) and (spelled is not None or shown[0] != "/")
        return allow_flag(f"allow-{right}", folder if near else shown)

    def _shown(self, parts: tuple[str, ...]) -> str:
        """The path from the user's working folder, or absolute when it is elsewhere."""
        working = split(self.roots.working)
        inside = parts[: len(working)] == working and len(parts) > len(working)
        return "/".join(parts[len(working) :]) if inside else "/" + "/".join(parts)


def _is_normal(path: str) -> bool:
    if path == "/":
        return True
    if not path.startswith("/") or "\x00" in path:
        return False
    return all(part not in ("", ".", "..") for part in path[1:].split("/"))


def _fold_pattern(pattern: PathPattern) -> PathPattern:
    """The pattern with its names folded; a wildcard stays as it is.

    Sets of characters are folded by trying both: the exact pattern is matched as well.
    """
    from llmspell.policies.globs import fold_glob
    from llmspell.policies.protected import fold

    parts = tuple(
        fold(part) if isinstance(part, str) else None if part is None else fold_glob(part)
        for part in pattern.parts
    )
    return pattern._replace(parts=parts, prefix=fold_all(pattern.prefix))
