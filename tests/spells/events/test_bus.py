"""Who gets which event, and in what order."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell.channel.jsontext import Callback
from llmspell.errors import OperationFailed
from llmspell.policies.breaker import BreakerState
from llmspell.spells.events import bus as bus_module
from llmspell.spells.events.bus import Bus, select
from llmspell.spells.events.event import Event, make, spell_source
from llmspell.spells.events.names import AGENT_COMPLETED, KNOWN, canonical
from llmspell.spells.events.patterns import Pattern


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def event(name: str, data: object = None, source: str = "spell", moment: float = 1.0) -> Event:
    return make(name, data, source, moment)[0]


def names_of(bus: Bus, name: str, data: object = None) -> list[int]:
    return [one.handler for one in bus.route(event(name, data))]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bus(clock: Clock) -> Bus:
    return Bus(clock)


def test_EVT_016_patterns_choose(bus: Bus) -> None:
    for number, pattern in enumerate(("agent_*", "work*w.*a", "*", "agent_error", "[ab]x"), 1):
        bus.subscribe(pattern, number)
    assert names_of(bus, "agent_error") == [1, 3, 4]
    assert names_of(bus, "workflow.a") == [2, 3]
    assert names_of(bus, "ax") == [3]
    assert names_of(bus, "[ab]x") == [3, 5]
    assert names_of(bus, "workflow.ab") == [3]


def test_EVT_001_higher_priority_goes_first_then_age(bus: Bus) -> None:
    bus.subscribe("x", 1)
    bus.subscribe("*", 2, priority=90)
    bus.subscribe("x", 3, priority=0)
    bus.subscribe("x*", 4)
    assert names_of(bus, "x") == [2, 1, 4, 3]


def test_X29_other_spellings_of_known_names(bus: Bus) -> None:
    bus.subscribe("agentCompleted", 1)
    bus.subscribe("AgentCompleted", 2)
    assert names_of(bus, AGENT_COMPLETED) == [1, 2]
    assert event("agentCompleted")["type"] == AGENT_COMPLETED
    # A spell's own names stay as they are.
    assert event("myEvent")["type"] == "myEvent"
    assert all(canonical(name) == name for name in KNOWN)


def test_what_the_event_holds_may_choose(bus: Bus) -> None:
    bus.subscribe("*", 1, where={"source": "agent:a"})
    bus.subscribe("*", 2, where={"data.kind": "good", "level": 3})
    bus.subscribe("*", 3, where={"data.kind.deeper": 1})
    assert names_of(bus, "x", {"kind": "good", "level": 3}) == [2]
    assert names_of(bus, "x", {"kind": "bad", "level": 3}) == []
    assert [one.handler for one in bus.route(event("x", source="agent:a"))] == [1]


def test_once_is_once(bus: Bus) -> None:
    bus.subscribe("x", 1, once=True)
    assert names_of(bus, "x") == [1]
    assert names_of(bus, "x") == []
    assert len(bus) == 0


def test_unsubscribing_by_each_way(bus: Bus) -> None:
    first = bus.subscribe("x", 1)
    bus.subscribe("y", 1)
    bus.subscribe("y", 2)
    assert bus.unsubscribe(identity=first.id) == 1
    assert bus.unsubscribe(pattern="y", handler=1) == 1
    assert names_of(bus, "y") == [2]
    assert bus.unsubscribe(pattern="y") == 1
    assert bus.unsubscribe(pattern="y") == 0


def test_EVT_018_a_hundred_subscribers_and_no_more(bus: Bus) -> None:
    for number in range(1, bus_module.SUBSCRIBERS_MAX + 1):
        bus.subscribe("x", number)
    with pytest.raises(OperationFailed) as refused:
        bus.subscribe("x", 1000)
    assert refused.value.code == 5006
    bus.subscribe("y", 1000)


@pytest.mark.parametrize("pattern", ["", "a" * 129, "*a" * 9, "a\nb"])
def test_COD_046_no_pattern(bus: Bus, pattern: str) -> None:
    with pytest.raises(OperationFailed) as refused:
        bus.subscribe(pattern, 1)
    assert refused.value.code == 5006


def test_the_ring_is_bounded_in_number_and_in_weight(bus: Bus) -> None:
    for number in range(1_500):
        bus.accept(*make("x", {"n": number}, "spell", float(number)))
    assert bus.stats()["buffered"] == 1_000
    assert bus.stats()["total_events"] == 1_500
    assert [one["data"]["n"] for one in bus.past(None, None, None, 2)] == [1_498, 1_499]
    assert [one["data"]["n"] for one in bus.past(700, 701, "x", 10)] == [700, 701]
    for _ in range(300):
        bus.accept(*make("y", "x" * 60_000, "spell", 2_000.0))
    assert bus.stats()["buffered"] <= bus_module.RING_WEIGHT // 60_000 + 1


def test_names_are_counted_one_by_one_within_bounds(bus: Bus) -> None:
    for number in range(bus_module.TYPES_COUNTED + 50):
        bus.accept(*make(f"n{number}", None, "spell", 1.0))
    by_type = bus.stats()["by_type"]
    assert len(by_type) == bus_module.TYPES_COUNTED + 1
    assert by_type["…"] == 50


def test_EVT_001_a_breaker_opens_for_a_subscriber_that_fails(bus: Bus, clock: Clock) -> None:
    bad, good = bus.subscribe("x", 1), bus.subscribe("x", 2)
    opened = [bus.failed(bad) for _ in range(bus_module.FAILURES)]
    assert opened == [False] * (bus_module.FAILURES - 1) + [True]
    assert (bus.may_run(bad), bus.may_run(good)) == (False, True)
    clock.now += bus_module.HANDLER_SECONDS
    assert bus.may_run(bad)
    bus.succeeded(bad)
    assert bad.breaker.state(clock.now) is BreakerState.CLOSED


@pytest.mark.parametrize("name", ["", None, 3, "x" * 129, "a\nb"])
def test_COD_045_no_name(name: object) -> None:
    with pytest.raises(OperationFailed) as refused:
        make(name, None, "spell", 1.0)
    assert refused.value.code == 5005


def deep(levels: int) -> object:
    value: object = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("data", ["x" * 70_000, deep(30), {"f": Callback(3)}, [0] * 10_000])
def test_COD_045_data_that_is_too_much(data: object) -> None:
    with pytest.raises(OperationFailed) as refused:
        make("x", data, "spell", 1.0)
    assert refused.value.code == 5005


def test_a_spell_can_not_pass_for_a_service() -> None:
    assert spell_source("agent:boss") == "spell:agent:boss"
    assert spell_source("config") == "spell:config"
    assert spell_source("sensor") == "sensor"
    assert spell_source(None) == spell_source(7) == "spell"


_NAMES = st.text(alphabet="ab.*", min_size=1, max_size=6)


@given(pattern=_NAMES, name=st.text(alphabet="ab.", min_size=1, max_size=8))
def test_a_pattern_says_what_an_expression_says(pattern: str, name: str) -> None:
    expression = ".*".join(map(re.escape, pattern.split("*")))
    assert Pattern.of(pattern).matches(name) is (re.fullmatch(expression, name) is not None)


@given(patterns=st.lists(_NAMES, max_size=8), name=st.text(alphabet="ab.", min_size=1, max_size=6))
def test_routes_are_what_each_pattern_says_alone(patterns: list[str], name: str) -> None:
    bus = Bus(lambda: 0.0)
    alone = []
    for number, pattern in enumerate(patterns, 1):
        bus.subscribe(pattern, number)
        single = Bus(lambda: 0.0)
        single.subscribe(pattern, number)
        alone += names_of(single, name)
    assert sorted(names_of(bus, name)) == alone
    # And remembered routes are the same.
    assert sorted(names_of(bus, name)) == alone


def test_selecting_keeps_the_last(bus: Bus) -> None:
    events = [event("x", number, moment=float(number)) for number in range(5)]
    assert [one["data"] for one in select(events, 1, 3, "x", 2)] == [2, 3]


@pytest.mark.parametrize(
    "where",
    [{"a": {}}, {"a": [1]}, {"a": "x" * 129}, {"a" * 129: 1}, {str(n): n for n in range(17)}],
)
def test_COD_047_conditions_are_few_and_small(bus: Bus, where: dict[str, object]) -> None:
    with pytest.raises(OperationFailed) as refused:
        bus.subscribe("x", 1, where=where)
    assert refused.value.code == 5007
