"""A context with real folders, and short questions to a policy."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from llmspell.policies.policy import Policy
from llmspell.profiles.context import PolicyContext
from llmspell.profiles.loader import load_policy


class Place(NamedTuple):
    """The folders of one imagined user."""

    home: Path
    context: PolicyContext

    def path(self, text: str) -> str:
        """A path below the user's home."""
        return os.path.join(self.home, text)

    def load(self, *args: object, **kwargs: object) -> Policy:
        """`load_policy` in this place."""
        return load_policy(*args, context=self.context, **kwargs)  # type: ignore[arg-type]


def make_place(root: Path) -> Place:
    """Makes the folders, as a user would have them."""
    home = Path(os.path.realpath(root))
    for name in ("work", "spells", "data/llmspell/workspaces/s-1", "config/llmspell"):
        (home / name).mkdir(parents=True)
    context = PolicyContext(
        str(home / "work"),
        str(home / "spells"),
        str(home / "data/llmspell/workspaces/s-1"),
        (str(home / "config/llmspell"), str(home / "data/llmspell")),
        str(home),
    )
    return Place(home, context)
