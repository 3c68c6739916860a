"""The claims: one table per threat area, one entry per case (SEC-038).

Each says at which profiles a case is held and by what, or why it is not. docs/threats.md is
generated from them; tests/adversarial/proof.py joins them to the tests that show them.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

PLACE = Path(__file__).parent
PROFILES = ("none", "low", "medium", "high")
AREAS = {
    "FS": "Filesystem",
    "PR": "Processes and signals",
    "RS": "Resources",
    "NW": "Network",
    "IP": "Channel and broker",
    "LU": "Lua",
    "JS": "JavaScript",
    "PY": "Python",
    "WA": "WebAssembly",
    "SL": "Secrets, logs, terminal",
    "KX": "Kernel surface",
    "EN": "Enforcement silently absent",
    "OS": "macOS and Windows",
}
"""Area -> its title; the area's claims are in `<area>.toml`."""
USERS = {"both": ("root", "ordinary"), "root": ("root",), "ordinary": ("ordinary",)}
NOTHING_PROMISED = "nothing is promised"


class Claim(NamedTuple):
    """What is said of one case."""

    case: str
    attack: str
    observed: str
    held: tuple[str, ...]
    by: str
    not_held: Mapping[str, str]
    users: tuple[str, ...]

    def pairs(self) -> set[tuple[str, str]]:
        """(case, profile) of each profile at which it is held."""
        return {(self.case, profile) for profile in self.held}


def claim(case: str, written: Mapping[str, Any]) -> Claim:
    """One entry of a file, checked.

    Raises `ValueError` for a profile that is neither held nor explained, a key nobody reads, or a
    claim that names no mechanism.
    """
    unknown = set(written) - {"attack", "observed", "held", "by", "not_held", "users", "source"}
    if unknown:
        raise ValueError(f"{case}: unknown keys {sorted(unknown)}")
    held = tuple(written.get("held", ()))
    not_held = dict(written.get("not_held", {}))
    if "none" not in held:
        not_held.setdefault("none", NOTHING_PROMISED)
    said = [*held, *not_held]
    if sorted(said) != sorted(PROFILES):
        raise ValueError(f"{case}: each of {PROFILES} once, in held or in not_held; not {said}")
    texts = (written["attack"], written["observed"], *not_held.values())
    if not all(texts) or bool(held) != bool(written.get("by")):
        raise ValueError(f"{case}: say the attack, the outcome, and the mechanism where it is held")
    return Claim(
        case,
        written["attack"],
        written["observed"],
        held,
        written.get("by", ""),
        not_held,
        USERS[written.get("users", "both")],
    )


def area(name: str) -> dict[str, Claim]:
    """The claims of one area, by id."""
    file = PLACE / f"{name.lower()}.toml"
    if not file.is_file():
        return {}
    found = {case: claim(case, item) for case, item in tomllib.loads(file.read_text()).items()}
    strangers = [case for case in found if not case.startswith(f"{name}-")]
    if strangers:
        raise ValueError(f"{file.name}: {strangers} belong elsewhere")
    return found


@cache
def all_claims() -> dict[str, Claim]:
    """Every claim, by id, in the order of the page."""
    return {case: item for name in AREAS for case, item in area(name).items()}


def pairs(claims: Iterable[Claim]) -> set[tuple[str, str]]:
    """(case, profile) of everything that is said to be held."""
    return {pair for item in claims for pair in item.pairs()}
