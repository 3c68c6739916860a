"""Machines that refuse something, and what the very same runs come to in each of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import pytest

from tests.adversarial.batches import EXEC, WAYS
from tests.e2e.in_turn import InTurn, Order

AS_IT_IS: Final[tuple[str, ...]] = ()
"""The wrapper of the machine that refuses nothing: the control."""

CameTo = Callable[..., dict[str, Any]]
"""`(wrapper, profile, start, allow_degraded=False)`: the result of the run."""


def order(profile: str, start: str, allow_degraded: bool) -> Order:
    """The run whose start is looked at."""
    options = {"profile": profile, "allow_degraded": allow_degraded}
    return Order(start, "return 'ran'", "lua", options)


ORDERS: Final = [
    order(profile, start, degraded) for profile, start in WAYS for degraded in (False, True)
]


@pytest.fixture
def came_to(in_turn: InTurn) -> CameTo:
    """What a run comes to in a machine; all runs of a machine are done when the first is asked."""

    def look(
        wrapper: Sequence[str], profile: str, start: str = EXEC, *, allow_degraded: bool = False
    ) -> dict[str, Any]:
        return in_turn(order(profile, start, allow_degraded), ORDERS, wrapper)

    return look
