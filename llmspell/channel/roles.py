"""What a worker is started for. Apart from `states`: a start needs nothing else of the channel."""

from __future__ import annotations

import enum


class Role(enum.Enum):
    """What a worker was started for."""

    SPELL = "spell"
    TOOLS = "tools"
