"""Fair queues: whose turn it is, who is refused, and that nobody starves. Pure."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell.errors import LimitExceeded, OperationFailed, UsageError
from llmspell.supervisor.admission import OVERTAKEN_MAX, Admission, Stage, Ticket


def always(_: object) -> bool:
    return True


def starts(admission: Admission[str]) -> list[str]:
    """Starts one after the other, each ending before the next, until nobody waits."""
    order = []
    while (ticket := admission.start(always)) is not None:
        order.append(ticket.work)
        admission.leave(ticket)
    return order


def test_ASY_013_a_thousand_of_one_tenant_delay_anothers_first_by_one_start() -> None:
    admission: Admission[str] = Admission(1, 2_000, 30)
    for number in range(1_000):
        admission.enter("many", f"many{number}", 0)
    admission.enter("few", "few0", 0)
    admission.enter("few", "few1", 0)
    order = starts(admission)
    assert order[:4] == ["many0", "few0", "many1", "few1"]
    assert order[4:] == [f"many{number}" for number in range(2, 1_000)]


def test_who_has_a_place_starts_and_the_rest_waits() -> None:
    admission: Admission[str] = Admission(2, 1, 30)
    tickets = [admission.enter("t", work, 0)[0] for work in "abc"]
    assert [admission.start(always), admission.start(always)] == tickets[:2]
    assert admission.start(always) is None and admission.waiting == 1 and admission.in_flight == 2
    admission.leave(tickets[0])
    admission.leave(tickets[0])
    assert admission.start(always) is tickets[2] and admission.start(always) is None


def test_the_places_are_those_of_all_tenants_together() -> None:
    admission: Admission[str] = Admission(2, 5, 30)
    first, second, third = (admission.enter(tenant, tenant, 0)[0] for tenant in "abc")
    assert {admission.start(always), admission.start(always)} == {first, second}
    assert admission.start(always) is None
    admission.leave(first)
    assert admission.start(always) is third


def test_over_the_bound_is_refused_with_code_and_hint_and_goes_later() -> None:
    admission: Admission[str] = Admission(1, 1, 30)
    first = admission.enter("t", "a", 0)[0]
    assert admission.start(always) is first
    admission.enter("t", "b", 0)
    with pytest.raises(LimitExceeded) as refused:
        admission.enter("t", "c", 0)
    assert refused.value.rule == "limit.waiting" and refused.value.code == 4009
    assert refused.value.hint is not None and "waiting" in refused.value.hint
    admission.leave(first)
    assert admission.start(always) is not None
    assert admission.enter("t", "c", 0)[1] is None


def test_RS_28_a_tenant_that_fills_the_room_gives_way() -> None:
    admission: Admission[str] = Admission(1, 3, 30)
    for number in range(4):
        admission.enter("greedy", f"g{number}", 0)
    ticket, displaced = admission.enter("modest", "m0", 0)
    assert displaced is not None and displaced.work == "g3" and displaced.stage is Stage.GONE
    assert ticket.stage is Stage.WAITING and admission.waiting == 4
    _, displaced = admission.enter("modest", "m1", 0)
    assert displaced is not None and displaced.work == "g2"
    with pytest.raises(LimitExceeded):  # both have as much now
        admission.enter("modest", "m2", 0)
    assert starts(admission) == ["g0", "m0", "g1", "m1"]


def test_a_tenants_share_in_flight_is_bounded() -> None:
    admission: Admission[str] = Admission(3, 9, 30, per_tenant=2)
    for number in range(3):
        admission.enter("a", f"a{number}", 0)
    assert [admission.start(always) is not None for _ in range(3)] == [True, True, False]
    admission.enter("b", "b0", 0)
    ticket = admission.start(always)
    assert ticket is not None and ticket.work == "b0"


def test_nobody_waits_longer_than_the_bound() -> None:
    admission: Admission[str] = Admission(1, 9, 5)
    running = admission.enter("t", "a", 0)[0]
    assert admission.start(always) is running and admission.next_deadline() is None
    late = admission.enter("t", "b", 1)[0]
    admission.enter("u", "c", 2)
    assert admission.next_deadline() == 6 and admission.expire(5.9) == []
    assert admission.expire(6) == [late] and admission.next_deadline() == 7
    assert admission.late().rule == "limit.wait"
    admission.leave(late)  # harmless: it is gone
    admission.leave(running)
    assert starts(admission) == ["c"]


def test_who_leaves_the_queue_frees_its_place() -> None:
    admission: Admission[str] = Admission(1, 1, 30)
    running = admission.enter("t", "a", 0)[0]
    admission.start(always)
    waiting = admission.enter("t", "b", 0)[0]
    admission.leave(waiting)
    assert admission.waiting == 0 and admission.next_deadline() is None
    admission.enter("t", "c", 0)
    admission.leave(running)
    assert starts(admission) == ["c"]


def test_what_does_not_fit_lets_others_pass_but_not_for_ever() -> None:
    admission: Admission[str] = Admission(2, 100, 30)
    big = admission.enter("big", "big", 0)[0]
    for number in range(OVERTAKEN_MAX + 5):
        admission.enter("small", f"s{number}", 0)
    passed = 0
    while (ticket := admission.start(lambda work: work != "big")) is not None:
        admission.leave(ticket)
        passed += 1
    assert passed == OVERTAKEN_MAX and big.stage is Stage.WAITING
    assert admission.start(always) is big


@pytest.mark.parametrize("keep", [False, True])
def test_closed_nobody_enters(keep: bool) -> None:
    admission: Admission[str] = Admission(1, 9, 30)
    running = admission.enter("t", "a", 0)[0]
    admission.start(always)
    waiting = admission.enter("t", "b", 0)[0]
    assert admission.close(keep_waiting=keep) == ([] if keep else [waiting])
    with pytest.raises(OperationFailed) as refused:
        admission.enter("t", "c", 0)
    assert refused.value.code == 6008 and refused.value.rule == "supervisor.draining"
    admission.leave(running)
    assert starts(admission) == (["b"] if keep else [])


@pytest.mark.parametrize(
    "bounds",
    [
        (0, 1, 1),
        (1, -1, 1),
        (1, 1, 0),
        (1, 1, float("inf")),
        (True, 1, 1),
        (1.5, 1, 1),
        (1, 1, 1, 0),
    ],
)
def test_bounds_that_are_none_are_refused(bounds: tuple[int, ...]) -> None:
    with pytest.raises(UsageError):
        Admission(*bounds)


@pytest.mark.parametrize("tenant", ["", "x" * 257, None])
def test_a_tenant_has_a_name(tenant: str) -> None:
    with pytest.raises(UsageError):
        admission: Admission[str] = Admission(1, 1, 1)
        admission.enter(tenant, "a", 0)


ACTIONS = st.lists(
    st.tuples(st.sampled_from(["enter", "enter", "start", "end", "cancel", "time"]),
              st.integers(0, 4)),
    max_size=120,
)  # fmt: skip


@given(ACTIONS, st.integers(1, 4), st.integers(0, 6), st.integers(1, 4))
def test_RS_28_whatever_happens_it_stays_bounded_fair_and_first_come_first_served(
    actions: list[tuple[str, int]], in_flight: int, waiting: int, per_tenant: int
) -> None:
    admission: Admission[int] = Admission(in_flight, waiting, 10, per_tenant)
    queued: dict[str, deque[Ticket[int]]] = {}
    running: list[Ticket[int]] = []
    turns: dict[str, set[str]] = {}
    """For each tenant that waits: who started since it is first in its queue and may start."""
    now, count = 0.0, 0

    def forget(ticket: Ticket[int]) -> None:
        queued[ticket.tenant].remove(ticket)
        if not queued[ticket.tenant]:
            del queued[ticket.tenant]
            turns.pop(ticket.tenant, None)

    for action, number in actions:
        tenant = f"t{number}"
        if action == "enter":
            count += 1
            try:
                ticket, displaced = admission.enter(tenant, count, now)
            except LimitExceeded:
                assert len(running) + sum(map(len, queued.values())) == in_flight + waiting
            else:
                queued.setdefault(tenant, deque()).append(ticket)
                if displaced is not None:
                    assert displaced is queued[displaced.tenant][-1]
                    assert len(queued[displaced.tenant]) >= len(queued[tenant])
                    forget(displaced)
        elif action == "start":
            started = admission.start(always)
            ready = {name for name in queued if sum(r.tenant == name for r in running) < per_tenant}
            if started is None:
                assert len(running) == in_flight or not ready
                continue
            assert started is queued[started.tenant][0] and started.tenant in ready
            turns.pop(started.tenant, None)
            forget(started)
            running.append(started)
            for other in ready - {started.tenant}:
                seen = turns.setdefault(other, set())
                assert started.tenant not in seen, "twice before one that waited all the time"
                seen.add(started.tenant)
            for other in set(turns) - ready:
                del turns[other]
        elif action == "end" and running:
            admission.leave(running.pop(number % len(running)))
        elif action == "cancel" and queued.get(tenant):
            ticket = queued[tenant][number % len(queued[tenant])]
            admission.leave(ticket)
            forget(ticket)
        elif action == "time":
            now += number
            for late in admission.expire(now):
                assert late.deadline <= now
                forget(late)
        assert admission.in_flight == len(running) <= in_flight
        assert admission.waiting == sum(map(len, queued.values()))
        assert admission.in_flight + admission.waiting <= in_flight + waiting
