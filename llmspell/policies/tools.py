"""Which tools a run may use, by what they need. Their own effects are judged one by one as well."""

from __future__ import annotations

from llmspell.policies.globs import compile_glob, matches
from llmspell.policies.verdict import Verdict, allow, allow_flag, deny
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Set
    from typing import Final

NEEDS: Final = frozenset({"read", "write", "net", "process", "local_service", "model", "env"})
"""Everything that a tool may declare to need (SEC-023)."""

_FLAG_OF_NEED: Final = {
    "read": "--allow-read PATH",
    "write": "--allow-write PATH",
    "net": "--allow-net HOST",
    "model": "--allow-llm MODEL",
    "env": "--allow-env NAME",
}


class ToolRules(NamedTuple):
    """The tool rules of one run.

    `mode`: `all` (every tool), `unless` (every tool without a need in `refused_needs`),
    `granted` (pure tools, and those whose every need is in `granted_needs`), `none`.
    `names` are allowed by name, `denied` and `denied_categories` always win (SEC-022).
    """

    profile: str
    mode: str
    granted_needs: frozenset[str] = frozenset()
    refused_needs: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()
    denied: tuple[str, ...] = ()
    denied_categories: frozenset[str] = frozenset()

    def judge(self, name: str, needs: Set[str], category: str = "") -> Verdict:
        """The verdict on running a tool that declares these needs."""
        rule = f"{self.profile}.tools"
        if not needs <= NEEDS:
            return deny(f"{rule}.needs", f"{name} declares a need that nobody knows")
        if any(_denies(pattern, name) for pattern in self.denied):
            return deny(f"{rule}.denied", f"a rule denies the tool {name}")
        if category in self.denied_categories:
            return deny(f"{rule}.category", f"a rule denies the tools of {category}")
        if any(matches(compile_glob(pattern), name) for pattern in self.names):
            return allow("grant.tool", f"the tool {name} was granted")
        if self.mode == "all":
            return allow(f"{rule}.all", "the profile allows all tools")
        if self.mode not in ("unless", "granted"):
            return deny(f"{rule}.{name}", "no tool is allowed", allow_flag("allow-tool", name))
        if not needs:
            return allow(f"{rule}.pure", f"{name} has no effect outside the run")
        return self._by_needs(name, needs)

    def _by_needs(self, name: str, needs: Set[str]) -> Verdict:
        refused = needs & self.refused_needs
        if self.mode == "granted":
            refused = needs - self.granted_needs
        if not refused:
            return allow(f"{self.profile}.tools.needs", f"all that {name} needs was granted")
        need = min(refused)
        hint = allow_flag("allow-tool", name)
        if need in _FLAG_OF_NEED:
            hint = f"to allow it: {_FLAG_OF_NEED[need]}"
        words = need.replace("_", " ")
        if self.mode == "unless":
            return deny(f"{self.profile}.tools.{need}", f"{name} needs {words}", hint)
        reason = f"{name} needs {words}, and none of that is granted"
        return deny(f"{self.profile}.tools.{name}", reason, hint)


def _denies(pattern: str, name: str) -> bool:
    """Whether a denial is about a tool, in any spelling in which the tool may be called.

    `fileWriter` runs the tool `file_writer`, so a rule that says `fileWriter` means it, too.
    """
    if matches(compile_glob(pattern), name):
        return True
    if "[" in pattern or "\\" in pattern:
        return False
    return matches(compile_glob(_bare(pattern)), _bare(name))


def _bare(name: str) -> str:
    return name.strip().lower().replace("_", "").replace("-", "")
