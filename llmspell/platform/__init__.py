"""What the operating system can do, behind one interface chosen once.

Here: spawn and Process for every operating system, and a folder for each with its confinement.
Not here: policy (which level, which limits), engines, the channel's messages.
"""

from __future__ import annotations

import sys

from llmspell.records import TYPE_CHECKING

if sys.platform != "linux":
    from llmspell.errors import IsolationRefused

    raise IsolationRefused(
        f"llmspell can't confine a spell on {sys.platform} yet",
        hint="run it on Linux, in a virtual machine or in WSL 2",
    )

from llmspell.platform.linux.effects import (
    EFFECTS,
    REQUIRED_EFFECTS,
    achieved_level,
    advice,
    missing_effects,
)
from llmspell.platform.linux.plan import Confinement, Plan
from llmspell.platform.linux.plan import make_child_plan as child_plan
from llmspell.platform.linux.plan import make_plan as plan
from llmspell.platform.linux.plan import make_zygote_plan as zygote_plan
from llmspell.platform.linux.process import ExitStatus, Process, spawn

if TYPE_CHECKING:
    from llmspell.platform.linux.probe import Report


def examine(level: str, kind: str) -> Report:
    """What a real process, confined as a worker of this level and kind, could still do.

    Imported at first use: only `doctor` needs it. Raises `IsolationRefused`.
    """
    from llmspell.platform.linux import probe

    return probe.examine(level, kind)


__all__ = [
    "EFFECTS",
    "REQUIRED_EFFECTS",
    "Confinement",
    "ExitStatus",
    "Plan",
    "Process",
    "achieved_level",
    "advice",
    "child_plan",
    "examine",
    "missing_effects",
    "plan",
    "spawn",
    "zygote_plan",
]
