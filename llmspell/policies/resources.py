"""Resources that all runs of one host share (RES-001, RES-002, RES-005): all or nothing. Pure."""

from __future__ import annotations

from llmspell.errors import InternalError, LimitExceeded, UsageError
from llmspell.records import NamedTuple


class ResourceAmounts(NamedTuple):
    """Amounts of each shared resource: bytes of memory and disk, counts, percent of one CPU."""

    memory: float = 0
    operations: float = 0
    connections: float = 0
    disk: float = 0
    cpu_percent: float = 0


class SharedResources:
    """What is left of the host's totals (the seeds' GlobalResourceLimits).

    Raises `UsageError` unless every total is a positive, finite number.
    """

    __slots__ = ("_total", "_used")

    def __init__(self, total: ResourceAmounts) -> None:
        for name, amount in zip(ResourceAmounts._fields, total, strict=True):
            if isinstance(amount, bool) or not 0 < amount < float("inf"):
                raise UsageError(f"the host's total of {name} is a positive number")
        self._total = total
        self._used = ResourceAmounts()

    def acquire(self, wanted: ResourceAmounts) -> ResourceGuard:
        """Takes all of it, or nothing and raises `LimitExceeded`.

        Leave the guard's `with` block, or call its `release`, to give it back.
        """
        for name, amount, used, total in zip(
            ResourceAmounts._fields, wanted, self._used, self._total, strict=True
        ):
            if isinstance(amount, bool) or not 0 <= amount < float("inf"):
                raise InternalError(f"{amount!r} is no amount of {name}")
            if not used + amount <= total:
                raise LimitExceeded(
                    f"total_{name}",
                    f"the runs of this host use all of its {name} ({total:g})",
                    hint="wait until another run has ended, or raise the host's total",
                )
        self._used = ResourceAmounts(*(a + b for a, b in zip(self._used, wanted, strict=True)))
        return ResourceGuard(self, wanted)

    def available(self) -> ResourceAmounts:
        """What can be taken now."""
        return ResourceAmounts(*(a - b for a, b in zip(self._total, self._used, strict=True)))

    def total(self) -> ResourceAmounts:
        """The host's totals."""
        return self._total

    def _give_back(self, amounts: ResourceAmounts) -> None:
        self._used = ResourceAmounts(
            *(max(0, a - b) for a, b in zip(self._used, amounts, strict=True))
        )


class ResourceGuard:
    """Something taken from the shared resources; given back exactly once."""

    __slots__ = ("_amounts", "_held", "_owner")

    def __init__(self, owner: SharedResources, amounts: ResourceAmounts) -> None:
        self._owner = owner
        self._amounts = amounts
        self._held = True

    def release(self) -> None:
        """Gives everything back. Idempotent."""
        if self._held:
            self._held = False
            self._owner._give_back(self._amounts)

    def __enter__(self) -> ResourceGuard:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()
