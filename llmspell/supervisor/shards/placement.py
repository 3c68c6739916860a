"""Which shard gets a run: the tenant's own, unless another has much less to do. Pure.

A tenant's runs profit from being together: compiled spells and started workers are kept per tenant.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Final

SLACK: Final = 2
"""Runs by which a tenant's shard may be busier than the idlest before another helps out."""

TENANTS_MAX: Final = 10_000
"""Tenants whose shard is remembered; the one that ran longest ago is forgotten."""


class Placement:
    """Remembers where each tenant's runs go."""

    def __init__(self) -> None:
        self._homes: OrderedDict[str, int] = OrderedDict()
        self._tenants: dict[int, int] = {}

    def choose(self, tenant: str, loads: Mapping[int, int]) -> int:
        """The shard for a run of this tenant; `loads` are runs by shard, of those that live.

        Raises `KeyError` when there is none.
        """
        if not loads:
            raise KeyError(tenant)
        # Among equally busy ones new tenants are spread.
        idlest = min(loads, key=lambda shard: (loads[shard], self._tenants.get(shard, 0), shard))
        home = self._homes.get(tenant)
        if home is None or home not in loads:
            self._remember(tenant, idlest)
            return idlest
        self._homes.move_to_end(tenant)
        return home if loads[home] - loads[idlest] < SLACK else idlest

    def _remember(self, tenant: str, shard: int) -> None:
        self._forget(tenant)
        self._homes[tenant] = shard
        self._tenants[shard] = self._tenants.get(shard, 0) + 1
        if len(self._homes) > TENANTS_MAX:
            self._forget(next(iter(self._homes)))

    def _forget(self, tenant: str) -> None:
        shard = self._homes.pop(tenant, None)
        if shard is not None:
            self._tenants[shard] -= 1
