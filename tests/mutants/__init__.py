"""Mutants: each mechanism taken away on its own, and the tests that must notice.

Layers overlap on purpose, so a test of the whole says little about one of them. A mutant removes
exactly one bound, check or step; a mutant that no test notices is a missing test or dead code.

Every module in this package that has `MUTANTS` adds to the one list (`every`), of which
`docs/mutants.md` is generated (`python -m tests.mutants.page`).
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import NamedTuple


class Mutant(NamedTuple):
    """One mechanism taken away. `caught_by` names the tests (pytest node ids) that then fail."""

    name: str
    """Unique, kebab-case: `frame-length-cap`."""

    mechanism: str
    """Where it is held: `llmspell/channel/framing.py`, `seccomp: process group`, …"""

    what: str
    """What the mutant takes away, in words: `a frame of any length is taken`."""

    caught_by: tuple[str, ...]


def every() -> tuple[Mutant, ...]:
    """All mutants of this package's modules, in the order of module names."""
    found: list[Mutant] = []
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda one: one.name):
        if not module.name.startswith("test_"):
            mutants = getattr(importlib.import_module(f"{__name__}.{module.name}"), "MUTANTS", ())
            found += mutants
    return tuple(found)
