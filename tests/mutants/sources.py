"""All mutants of Python source, by the group that one process of the runner takes."""

from __future__ import annotations

from typing import Final

from tests.mutants import acts, broker, channel
from tests.mutants.source import Change

GROUPS: Final[dict[str, tuple[Change, ...]]] = {
    "channel": channel.CHANGES,
    "broker": broker.CHANGES,
    "acts": acts.CHANGES,
}
CHANGES: Final = tuple(change for changes in GROUPS.values() for change in changes)
