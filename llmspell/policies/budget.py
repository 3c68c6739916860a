"""What is left of a run's limits: sans-IO arithmetic, charged before the work is done.

A nested call (a tool's call, a workflow's step) charges the same budget; a part of a run that
gets less of its own is a `Budget` with a parent, which every charge reaches as well.
"""

from __future__ import annotations

from llmspell.errors import InternalError, LimitExceeded
from llmspell.policies.limits import UNLIMITED, Amount, Limits, Unlimited, describe_amount, stricter
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

SPENT: Final = (
    "calls",
    "transfer",
    "output",
    "scratch",
    "events",
    "model_tokens",
    "model_cost",
    "cpu",
)
"""Kinds that only add up over a run (`scratch` is given back when files go)."""

HELD: Final = ("requests_at_once", "processes", "open_files", "memory")
"""Kinds that are in use for a while and then given back (RES-001, RES-005)."""


class Budget:
    """The amounts used so far, and the refusal of what would go over a limit."""

    __slots__ = ("_limits", "_parent", "_peak", "_used")

    def __init__(self, limits: Limits, parent: Budget | None = None) -> None:
        self._limits: dict[str, Amount] = {kind: getattr(limits, kind) for kind in (*SPENT, *HELD)}
        self._used: dict[str, float] = dict.fromkeys(self._limits, 0)
        self._peak: dict[str, float] = dict.fromkeys(self._limits, 0)
        self._parent = parent

    def narrow(self, limits: Limits) -> None:
        """Lowers limits that are lower in `limits`; what was used stays charged."""
        for kind, limit in self._limits.items():
            self._limits[kind] = stricter(limit, getattr(limits, kind))

    def reserve(self, kind: str, amount: float) -> None:
        """Charges `amount` of `kind`, or raises `LimitExceeded` and charges nothing."""
        if type(amount) is int and amount >= 0 and self._parent is None and kind in self._used:
            # Every call comes by here; whatever is not plainly within the limit goes on below.
            limit = self._limits[kind]
            used = self._used[kind] + amount
            if limit is UNLIMITED or used <= limit:
                self._used[kind] = used
                if used > self._peak[kind]:
                    self._peak[kind] = used
                return
        _check(kind, amount, self._used)
        self._refuse_beyond(kind, amount)
        self._add(kind, amount)

    def settle(self, kind: str, reserved: float, actual: float) -> None:
        """Replaces what was reserved by what was used.

        What was used beyond the reservation is charged even when it goes over the limit (it has
        happened); `LimitExceeded` then says so.
        """
        _check(kind, reserved, self._used)
        _check(kind, actual, self._used)
        self._add(kind, actual - reserved)
        self._refuse_beyond(kind, 0)

    def give_back(self, kind: str, amount: float) -> None:
        """Returns what was held (a request that ended, a file that was removed)."""
        _check(kind, amount, self._used)
        self._add(kind, -amount)

    def left(self, kind: str) -> float | Unlimited:
        """What may still be reserved; the smallest over all parents."""
        if kind not in self._used:
            raise InternalError(f"there is no budget for {kind!r}")
        limit = self._limits[kind]
        own = limit if isinstance(limit, Unlimited) else max(0, limit - self._used[kind])
        above = UNLIMITED if self._parent is None else self._parent.left(kind)
        if isinstance(own, Unlimited):
            return above
        return own if isinstance(above, Unlimited) else min(own, above)

    def usage(self) -> Mapping[str, float]:
        """Amounts used so far; for what is held and given back, the most at one time."""
        return {
            kind: self._peak[kind] if kind in HELD or kind == "scratch" else used
            for kind, used in self._used.items()
        }

    def _refuse_beyond(self, kind: str, amount: float) -> None:
        limit = self._limits[kind]
        if not isinstance(limit, Unlimited) and not self._used[kind] + amount <= limit:
            raise LimitExceeded(
                kind,
                f"the spell reached its {kind} limit ({describe_amount(kind, limit)})",
                hint=f"to allow more: --limit {kind}=…",
            )
        if self._parent is not None:
            self._parent._refuse_beyond(kind, amount)

    def _add(self, kind: str, amount: float) -> None:
        used = max(0, self._used[kind] + amount)
        self._used[kind] = used
        self._peak[kind] = max(self._peak[kind], used)
        if self._parent is not None:
            self._parent._add(kind, amount)


def _check(kind: str, amount: float, known: Mapping[str, float]) -> None:
    if kind not in known:
        raise InternalError(f"there is no budget for {kind!r}")
    if isinstance(amount, bool) or not isinstance(amount, (int, float)):
        raise InternalError(f"{amount!r} is no amount of {kind}")
    if not 0 <= amount < float("inf"):
        raise InternalError(f"{amount!r} is no amount of {kind}")
