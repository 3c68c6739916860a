"""The event service over a host whose handlers are the test's own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from llmspell.channel.jsontext import Callback
from llmspell.config.events import EventSettings, check_events
from llmspell.errors import ConfigurationError, LimitExceeded, OperationFailed
from llmspell.policies.limits import Limits
from llmspell.spells.events import delivery
from llmspell.supervisor.services.events import EventService
from tests.spells.fake_host import FakeHost

Handler = Callable[[Any], Any]


PLAIN = EventSettings()


class Context:
    """A call's context with a budget."""

    origin = "spell"

    def __init__(self, host: FakeHost) -> None:
        self._host = host

    def reserve(self, kind: str, amount: int) -> None:
        self._host.budget.reserve(kind, amount)


class Spell:
    """What a prelude does: emits in lists, runs handlers by number, says what failed."""

    def __init__(self, settings: EventSettings = PLAIN, **attributes: Any) -> None:
        self.host = FakeHost(**attributes)
        self.service = EventService(self.host, settings)
        self.handlers: list[Handler] = []
        self.batches: list[int] = []
        self.dispatcher = self.host.function(self.dispatch)

    async def dispatch(self, batch: list[Any], collect: bool) -> dict[str, Any]:
        self.batches.append(len(batch))
        outcome: dict[str, Any] = {"failures": []}
        for index, (event, to, _depth) in enumerate(batch):
            for identity, handler, _filter in to:
                try:
                    value = self.handlers[handler - 1](event)
                    if asyncio.iscoroutine(value):
                        value = await value
                except Exception as error:
                    outcome["failures"].append([index, identity, str(error)])
                    continue
                if value in ("retry", "retry_with_modified_context"):
                    outcome.update(action=value, data=event["data"])
        return outcome

    def call(self, name: str, **args: Any) -> Any:
        context: Any = Context(self.host)
        return self.service.table[f"events.{name}"](context, args)

    def subscribe(self, pattern: str, handler: Handler, **options: Any) -> str:
        self.handlers.append(handler)
        found = self.call(
            "add",
            pattern=pattern,
            handler=len(self.handlers),
            dispatcher=self.dispatcher,
            **options,
        )
        return str(found["id"])

    async def emit(self, *events: tuple[str, Any], depth: int = 0) -> None:
        items = [{"type": name, "data": data, "depth": depth} for name, data in events]
        waiting = self.call("emit", events=items)
        if waiting is not None:
            await waiting

    async def flush(self) -> None:
        await self.call("flush")

    def stats(self) -> dict[str, Any]:
        found: dict[str, Any] = self.call("get_stats")
        return found


def test_events_of_a_source_arrive_in_order_and_together() -> None:
    async def main() -> tuple[list[int], list[int]]:
        spell = Spell()
        got: list[int] = []
        spell.subscribe("n", lambda event: got.append(event["data"]))
        for start in range(0, 300, 50):
            await spell.emit(*(("n", start + number) for number in range(50)))
        await spell.flush()
        return got, spell.batches

    got, batches = asyncio.run(main())
    assert got == list(range(300))
    assert max(batches) <= delivery.BATCH_MAX


def test_handlers_that_emit_are_heard_in_turn() -> None:
    async def main() -> list[str]:
        spell = Spell()
        got: list[str] = []

        async def first(event: Any) -> None:
            got.append(event["type"])
            if event["data"] < 3:
                await spell.emit(("a", event["data"] + 1), depth=1)

        spell.subscribe("a", first)
        await spell.emit(("a", 0))
        await spell.flush()
        return got

    assert asyncio.run(main()) == ["a"] * 4


def test_a_failing_handler_is_told_counted_and_then_left_out() -> None:
    async def main() -> Spell:
        spell = Spell()

        def bad(event: Any) -> None:
            raise ValueError("no good")

        spell.subscribe("x", bad)
        spell.subscribe("x", lambda event: None)
        opened: list[Any] = []
        spell.subscribe("circuit_breaker_opened", lambda event: opened.append(event["data"]))
        for _ in range(8):
            await spell.emit(("x", None))
            await spell.flush()
        assert [one["failures"] for one in opened] == [5]
        return spell

    spell = asyncio.run(main())
    stats = spell.stats()
    assert stats["failed"] == 5
    assert stats["subscribers"][0]["breaker"] == "open"
    assert stats["subscribers"][1]["delivered"] == 8
    assert spell.host.notes[0] == ("warn", "a handler of x failed: no good")


def test_EVT_019_emitters_wait_for_room_and_services_do_not() -> None:
    async def main() -> dict[str, Any]:
        spell = Spell()
        gate = asyncio.Event()

        async def slow(event: Any) -> None:
            await gate.wait()

        spell.subscribe("x", slow)
        tasks = []
        for _ in range(delivery.ROOM // 50 + 2):
            tasks.append(asyncio.ensure_future(spell.emit(*[("x", None)] * 50)))
            await asyncio.sleep(0)
        await asyncio.sleep(0.01)
        task = tasks[-1]
        assert not task.done()
        spell.service.emit("x", {}, "agent:a")
        assert spell.stats()["dropped"] == 1
        gate.set()
        await asyncio.gather(*tasks)
        await spell.flush()
        return spell.stats()

    stats = asyncio.run(main())
    assert stats["pending"] == 0
    assert stats["total_events"] == stats["delivered"] + stats["dropped"]


def test_a_handlers_own_emissions_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "WAITING_MAX", 100)

    async def main() -> None:
        spell = Spell()
        gate = asyncio.Event()

        async def slow(event: Any) -> None:
            await gate.wait()

        spell.subscribe("x", slow)
        await spell.emit(("x", None))
        await asyncio.sleep(0)
        await spell.emit(*[("x", None)] * 100, depth=1)
        with pytest.raises(OperationFailed) as refused:
            await spell.emit(("x", None), depth=1)
        assert refused.value.code == 5005
        gate.set()
        await spell.flush()

    asyncio.run(main())


def test_the_budget_of_events_is_charged_before_anything_happens() -> None:
    async def main() -> Spell:
        spell = Spell()
        spell.host.budget = type(spell.host.budget)(Limits()._replace(events=9))
        await spell.emit(*[("x", None)] * 10)  # the broker charges one of them
        with pytest.raises(LimitExceeded) as refused:
            await spell.emit(*[("x", None)] * 2)
        assert (refused.value.limit, refused.value.code) == ("events", 4009)
        return spell

    assert asyncio.run(main()).stats()["total_events"] == 10


def test_emit_sync_answers_with_the_handlers_word() -> None:
    async def main() -> list[dict[str, Any]]:
        spell = Spell()

        def again(event: Any) -> str:
            event["data"] = {"smaller": True}
            return "retry_with_modified_context"

        spell.subscribe("agent_error", again)
        first = await spell.call("emit_sync", event={"type": "agent_error", "data": {"big": True}})
        second = await spell.service.ask("agent_error", {"big": True}, "agent:a")
        return [first, second]

    for answer in asyncio.run(main()):
        assert answer["action"] == "retry_with_modified_context"
        assert answer["data"] == {"smaller": True}
        assert (answer["delivered"], answer["failed"]) == (1, 0)


def test_EVT_023_lists_by_count_and_by_time() -> None:
    async def main() -> tuple[list[int], list[int]]:
        spell = Spell()
        by_count: list[int] = []
        by_time: list[int] = []
        first: list[int] = []
        spell.subscribe("x", lambda events: by_count.append(len(events)), batch=3)
        spell.subscribe("x", lambda events: by_time.append(len(events)), window="20ms")
        spell.subscribe("x", lambda events: first.append(len(events)), batch=2, once=True)
        await spell.emit(*[("x", None)] * 7)
        await asyncio.sleep(0.05)
        await spell.emit(("x", None))
        await spell.flush()  # releases what was gathered so far
        assert first == [2]
        return by_count, by_time

    assert asyncio.run(main()) == ([3, 3, 2], [7, 1])


def test_waiting_for_an_event() -> None:
    async def main() -> Any:
        spell = Spell()
        wait = spell.call("wait_for", pattern="done_*", timeout=1, where={"n": 2})
        task = asyncio.ensure_future(wait)
        await asyncio.sleep(0)
        await spell.emit(("done_a", {"n": 1}), ("done_b", {"n": 2}))
        found = await task
        with pytest.raises(OperationFailed) as late:
            await spell.call("wait_for", pattern="never", timeout=0.01)
        assert (late.value.kind, late.value.recoverable) == ("timeout", True)
        return found

    assert asyncio.run(main())["type"] == "done_b"


def test_a_services_event_never_raises() -> None:
    async def main() -> dict[str, Any]:
        spell = Spell()
        spell.service.emit("x", {"function": Callback(1)}, "tool:t")
        spell.service.emit("", {}, "tool:t")
        spell.service.emit("x" * 999, {}, "tool:t")
        return spell.stats()

    stats = asyncio.run(main())
    assert (stats["refused"], stats["total_events"]) == (3, 0)


def test_a_worker_that_lies_about_what_happened_harms_only_itself() -> None:
    async def main(word: Any) -> dict[str, Any]:
        spell = Spell()
        spell.dispatcher = spell.host.function(lambda batch, collect: word)
        spell.subscribe("x", lambda event: None)
        await spell.emit(("x", None))
        await spell.flush()
        return spell.stats()

    for word in (None, 3, {"failures": 7}, {"failures": [[None, [], 1], [0]]}, {"filtered": -5}):
        assert asyncio.run(main(word))["delivered"] == 1
    told = asyncio.run(main({"failures": [[0, "sub-1", "x" * 9_999]]}))
    assert told["failed"] == 1


def test_what_is_gathered_or_waits_is_bounded_in_size_too() -> None:
    async def main() -> tuple[list[int], int]:
        spell = Spell()
        gate = asyncio.Event()
        lists: list[int] = []

        async def slow(events: Any) -> None:
            lists.append(len(events))
            await gate.wait()

        spell.subscribe("big", slow, window="1h")
        for _ in range(40):
            await spell.emit(("big", "x" * 60_000), depth=1)
        assert spell.service._gathering.weight < 2**18
        spell.subscribe("huge", slow)
        with pytest.raises(OperationFailed) as refused:
            for _ in range(40 * 2**20 // 60_000):
                await spell.emit(("huge", "x" * 60_000), depth=1)
        assert refused.value.code == 5005
        waiting = len(spell.service._delivery)
        gate.set()
        await spell.flush()
        return lists, waiting

    lists, waiting = asyncio.run(main())
    assert max(lists[:8]) <= 5
    assert waiting * 60_000 <= delivery.WAITING_WEIGHT + 2**18


def test_EVT_018_the_users_settings() -> None:
    table = {
        "enabled": True, "buffer_size": 10, "max_subscribers": 1, "persistence_enabled": False,
        "persistence_ttl": 60, "batch_processing": True, "batch_size": 2,
    }  # fmt: skip
    settings = check_events(table, "llmspell.toml")
    assert settings == EventSettings(True, 10, 1, 2, False, 60.0)
    assert check_events({"batch_processing": False}, "f").batch == 1
    assert check_events({}, "f") == EventSettings()
    for wrong in ({"buffer_size": 0}, {"batch_size": 51}, {"enabled": 1}, {"other": 1}):
        with pytest.raises(ConfigurationError, match=r"events\."):
            check_events(wrong, "f")

    async def main() -> tuple[Spell, list[int]]:
        spell = Spell(settings)
        spell.subscribe("x", lambda event: None)
        with pytest.raises(OperationFailed):
            spell.subscribe("x", lambda event: None)
        await spell.emit(*[("x", None)] * 25)
        await spell.flush()
        return spell, spell.batches

    spell, batches = asyncio.run(main())
    assert max(batches) == 2
    assert spell.stats()["buffered"] == 10


def test_events_that_are_switched_off_go_nowhere() -> None:
    async def main() -> dict[str, Any]:
        spell = Spell(EventSettings(enabled=False))
        spell.subscribe("x", lambda event: None)
        await spell.emit(("x", None))
        spell.service.emit("x", {}, "agent:a")
        await spell.flush()
        return spell.stats()

    stats = asyncio.run(main())
    assert (stats["total_events"], stats["dropped"], stats["delivered"]) == (0, 2, 0)


def test_one_invoke_carries_a_bounded_number_of_handlers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivery, "PAIRS_MAX", 40)

    async def main() -> list[int]:
        spell = Spell()
        for _ in range(20):
            spell.subscribe("x", lambda event: None)
        await spell.emit(*[("x", None)] * 10)
        await spell.flush()
        return spell.batches

    assert asyncio.run(main()) == [2] * 5
