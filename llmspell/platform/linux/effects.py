"""What a level promises, as effects; what is missing, in words; what to change on the machine.

A profile asks for effects, not for mechanisms: each may be held by several, and a probe in the
worker shows whether it is (architecture.md 7).
"""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Final

EFFECTS: Final[Mapping[str, str]] = {
    "files": "no file or folder can be opened beyond those granted to the worker itself",
    "network": "no socket can be made or connected",
    "processes": "no other process can be seen, signalled or read",
    "spawn": "no process can be started and no program executed",
    "privilege": "no capability, no root, and no way to gain either",
}

_ALL: Final = frozenset(EFFECTS)

REQUIRED_EFFECTS: Final[Mapping[str, frozenset[str]]] = {
    "none": frozenset(),
    "low": _ALL,
    "medium": _ALL,
    "high": _ALL,
}
"""By level. At `low` one that is missing is recorded and warned of; above, it refuses the run."""

_HELD_BY: Final[Mapping[str, tuple[str, ...]]] = {
    "files": ("seccomp", "landlock"),
    "network": ("seccomp",),
    "processes": ("seccomp",),
    "spawn": ("seccomp",),
    "privilege": ("seccomp", "no_new_privs", "caps", "uid"),
    "limits": ("rlimits",),
}
"""The mechanisms that hold an effect; for advice only, the probes alone decide."""

_USER_NAMESPACES: Final = (
    "let this user make user namespaces: on Ubuntu 24.04 an AppArmor profile for "
    "llmspell-launch or `sysctl kernel.apparmor_restrict_unprivileged_userns=0`; elsewhere "
    "`sysctl kernel.unprivileged_userns_clone=1` and `sysctl user.max_user_namespaces=10000`; "
    "in Docker or Kubernetes a seccomp profile that allows unshare"
)

CHANGES: Final[Mapping[str, str]] = {
    "rlimits": "use a container profile that allows prlimit64(2) and setrlimit(2)",
    "seccomp": "use a kernel with CONFIG_SECCOMP_FILTER, and a container profile "
    "that allows seccomp(2)",
    "landlock": "use Linux 5.13 or newer with `landlock` in the kernel's lsm= list, and a "
    "container profile that allows landlock_create_ruleset",
    "landlock_scope": "use Linux 6.12 or newer (Landlock ABI 6)",
    "no_new_privs": "use Linux 3.5 or newer",
    "caps": "run llmspell as an ordinary user",
    "uid": "run llmspell as an ordinary user, or give root CAP_SETUID, CAP_SETGID and CAP_KILL",
    "groups": "run llmspell without supplementary groups, or as root; no file can be opened anyway",
    "parent_death": "use a kernel whose prctl(PR_SET_PDEATHSIG) works (gVisor lacks it)",
    "empty_root": _USER_NAMESPACES,
    **dict.fromkeys(
        ("userns", "netns", "pidns", "ipcns", "utsns", "mntns", "cgroupns"), _USER_NAMESPACES
    ),
}
"""What a person changes on the machine so that a mechanism works."""


def missing_effects(level: str, effects: Mapping[str, bool]) -> frozenset[str]:
    """The effects that `level` promises and that are not held.

    Only a literal True counts. Raises KeyError for an unknown level.
    """
    return frozenset(name for name in REQUIRED_EFFECTS[level] if effects.get(name) is not True)


def achieved_level(effects: Mapping[str, bool]) -> str:
    """The strictest level whose promise these effects keep: "high", "low" (some) or "none"."""
    held = {name for name in EFFECTS if effects.get(name) is True}
    if held == _ALL:
        return "high"
    return "low" if held else "none"


def advice(missing: Iterable[str]) -> str:
    """One sentence: what to change on this machine so that the missing effects are held."""
    mechanisms: dict[str, None] = {}
    for effect in sorted(missing):
        mechanisms.update(dict.fromkeys(_HELD_BY.get(effect, ())))
    changes = dict.fromkeys(CHANGES[mechanism] for mechanism in mechanisms)
    if not changes:
        return "nothing needs to change"
    return "; ".join(changes) + "; `llmspell doctor` shows what was refused and why"
