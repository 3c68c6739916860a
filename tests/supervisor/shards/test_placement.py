"""Runs stay with their tenant's shard while it is not much busier than the others."""

from __future__ import annotations

import pytest

from llmspell.supervisor.shards import placement
from llmspell.supervisor.shards.placement import SLACK, Placement


def test_a_tenant_stays_where_it_began() -> None:
    found = Placement()
    first = found.choose("a", {0: 0, 1: 0})
    assert found.choose("a", {first: SLACK - 1, 1 - first: 0}) == first


def test_a_busy_tenant_is_helped_out_and_comes_back() -> None:
    found = Placement()
    home = found.choose("a", {0: 0, 1: 0})
    assert found.choose("a", {home: SLACK, 1 - home: 0}) == 1 - home
    assert found.choose("a", {home: 0, 1 - home: 0}) == home


def test_new_tenants_are_spread_and_go_where_least_is_done() -> None:
    found = Placement()
    assert {found.choose(name, {0: 0, 1: 0, 2: 0}) for name in "abc"} == {0, 1, 2}
    assert found.choose("d", {0: 4, 1: 3, 2: 4}) == 1


def test_a_shard_that_is_gone_is_left() -> None:
    found = Placement()
    home = found.choose("a", {0: 0, 1: 0})
    assert found.choose("a", {1 - home: 9}) == 1 - home
    assert found.choose("a", {home: 0, 1 - home: 0}) == 1 - home
    with pytest.raises(KeyError):
        found.choose("a", {})


def test_only_so_many_tenants_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placement, "TENANTS_MAX", 3)
    found = Placement()
    for number in range(10):
        found.choose(f"t{number}", {0: 0, 1: 0})
    assert len(found._homes) == 3 and sum(found._tenants.values()) == 3
