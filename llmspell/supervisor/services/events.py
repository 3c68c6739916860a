"""The event bus of a run as brokered calls, and `ports.Events` for the other services.

Emissions travel many to a call and are charged to the budget `events`, one each; the broker
does not count these calls among the others (`broker.NOT_COUNTED`).
"""

from __future__ import annotations

import time
from datetime import UTC
from typing import TYPE_CHECKING, Any, Final

from llmspell.config.events import EventSettings, load_events
from llmspell.errors import InvalidInput, LlmspellError
from llmspell.spells.api import options
from llmspell.spells.events.bus import Bus, Subscription
from llmspell.spells.events.delivery import Delivery, Item, running_loop
from llmspell.spells.events.event import Event, make, refused, spell_source
from llmspell.spells.events.gathering import Gathering
from llmspell.spells.events.history import History
from llmspell.spells.events.waiting import Waiters

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from llmspell.spells.ports import Host
    from llmspell.supervisor.services.context import Args, CallContext

EMISSIONS_MAX: Final = 500
"""Events of one call; the preludes send fifty."""

AT_ONCE_MAX: Final = 16
"""Emissions that wait for their handlers at one time: handlers that emit so and so on."""

WAIT_SECONDS: Final = 30.0
REPLAY_MAX: Final = 1_000


class EventService:
    """`events.*` and the services' own events."""

    def __init__(self, host: Host, settings: EventSettings | None = None) -> None:
        self._host = host
        self._settings = settings = settings or load_events()
        self._bus = Bus(host.now, settings.buffer, settings.subscribers)
        self._delivery = Delivery(
            host, self._bus, lambda name, data: self.emit(name, data, "bus"), settings.batch
        )
        self._history: History | None = None
        if settings.persist and settings.enabled:
            self._persist_from_the_start()
        self._gathering = Gathering(self._bus, self._delivery)
        self._waiters = Waiters()
        self._at_once = 0
        self.table: dict[str, Callable[[CallContext, Args], Any]] = {
            "events.emit": self._emit,
            "events.emit_sync": self._emit_sync,
            "events.add": self._subscribe,
            "events.remove": self._unsubscribe,
            "events.list": self._list,
            "events.flush": self._flush,
            "events.wait_for": self._wait_for,
            "events.replay": self._replay,
            "events.persist": self._persist,
            "events.get_stats": self._get_stats,
        }

    def _persist_from_the_start(self) -> None:
        verdict = self._host.policy.state.judge("spell")
        if verdict.allowed is True:
            self._host.record(
                "decision",
                {
                    "origin": "events",
                    "method": "events.persist",
                    "action": "state",
                    "target": "state:events",
                    "allowed": True,
                    "rule": verdict.rule,
                },
            )
            self._history = History(self._host, self._settings.ttl)
        else:
            self._host.note("warn", f"events are not persisted: {verdict.reason}")

    def close(self) -> None:
        """Ends every subscription."""
        self._gathering.close()
        self._delivery.close()
        if self._history is not None:
            self._history.close()
        self._waiters.clear()

    # -- for the other services (ports.Events) -------------------------------------------------

    def emit(self, name: str, data: Mapping[str, Any], source: str) -> None:
        """Publishes an event of the services themselves. Bounded, never raises, never waits."""
        try:
            event, weight = make(name, self._host.mask(dict(data)), source, time.time())
            self._publish(event, weight, self._delivery.offer)
        except LlmspellError:
            # An emitter in the midst of its work can't be told; the count says it.
            self._bus.counts["refused"] += 1

    async def ask(self, name: str, data: Mapping[str, Any], source: str) -> dict[str, Any]:
        """Publishes an event and waits for its handlers' word (API-080).

        `{action, data, delivered, failed, stopped}`; `action` "retry" asks the emitter to do again
        what it tells of, "retry_with_modified_context" with `data` as the handlers left it. How
        often it does so is the emitter's to bound. Raises 5005 for data that can't be an event's.
        """
        event, weight = make(name, self._host.mask(dict(data)), source, time.time())
        return await self._at_once_to_handlers(event, weight)

    # -- emitting ------------------------------------------------------------------------------

    def _emit(self, ctx: CallContext, args: Args) -> Any:
        given = args["events"]
        if len(given) > EMISSIONS_MAX:
            raise refused(f"at most {EMISSIONS_MAX} events are emitted at a time", kind="limit")
        if len(self._bus) and running_loop() is None:
            return self._emit_later(ctx, args)
        # One is charged by the broker itself, in place of the call.
        ctx.reserve("events", max(0, len(given) - 1))
        waits = False
        for item in given:
            event, weight = self._made(item)
            depth = _depth(item)
            waits = waits or depth == 0
            self._publish(event, weight, self._delivery.add, depth + 1)
        return self._accepted(waits) if self._must_wait(waits) else None

    async def _emit_later(self, ctx: CallContext, args: Args) -> None:
        """The same where a loop runs, as handlers need one."""
        waiting = self._emit(ctx, args)
        if waiting is not None:
            await waiting

    def _must_wait(self, waits: bool) -> bool:
        if self._history is not None and self._history.is_full:
            return True
        return waits and len(self._delivery) > 0

    async def _accepted(self, waits: bool) -> None:
        """Back-pressure: the reply comes when there is room (EVT-019)."""
        if waits:
            await self._delivery.room()
        if self._history is not None and self._history.is_full:
            await self._history.write()

    async def _emit_sync(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        ctx.reserve("events", 1)
        event, weight = self._made(args["event"])
        return await self._at_once_to_handlers(event, weight)

    async def _at_once_to_handlers(self, event: Event, weight: int) -> dict[str, Any]:
        if self._at_once >= AT_ONCE_MAX:
            raise refused(f"over {AT_ONCE_MAX} emissions wait for their handlers", kind="limit")
        self._at_once += 1
        try:
            to = self._arrived(event, weight)
            return await self._delivery.now(event, tuple(one for one in to if not one.gathers))
        finally:
            self._at_once -= 1

    def _made(self, item: Any) -> tuple[Event, int]:
        if not isinstance(item, dict):
            raise refused("an event is an object with a type")
        moment = time.time()
        source = spell_source(item.get("source"))
        return make(item.get("type"), item.get("data"), source, moment, item.get("metadata"))

    def _publish(
        self,
        event: Event,
        weight: int,
        queue: Callable[[Item], None],
        depth: int = 1,
    ) -> None:
        to = self._arrived(event, weight)
        if to:
            at_once = tuple(one for one in to if not one.gathers)
            if at_once:
                queue(Item(event, weight, at_once, depth))
            for one in to:
                if one.gathers:
                    self._gathering.add(one, event, weight)

    def _arrived(self, event: Event, weight: int) -> tuple[Subscription, ...]:
        """Takes the event up everywhere but at its handlers, which are what this gives."""
        if not self._settings.enabled:
            self._bus.counts["dropped"] += 1
            return ()
        self._bus.accept(event, weight)
        if self._history is not None:
            self._history.add(event)
        self._waiters.see(event)
        return self._bus.route(event)

    # -- subscribing ---------------------------------------------------------------------------

    def _subscribe(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        engine = self._host.engine
        window = args.get("window")
        subscription = self._bus.subscribe(
            args["pattern"],
            args["handler"],
            filter_number=args.get("filter", 0),
            priority=args.get("priority", 50),
            once=args.get("once", False),
            where=args.get("where"),
            batch=args.get("batch", 0),
            window=0.0 if window is None else options.seconds(window, engine, "window"),
        )
        self._delivery.dispatcher = args["dispatcher"]
        return {"id": subscription.id, "pattern": subscription.pattern}

    def _unsubscribe(self, ctx: CallContext, args: Args) -> int:
        if not args:
            raise InvalidInput("events.unsubscribe: say which: a pattern, a handler or an id")
        count = self._bus.unsubscribe(args.get("id"), args.get("pattern"), args.get("handler"))
        self._gathering.forget_ended()
        return count

    def _list(self, ctx: CallContext, args: Args) -> list[dict[str, Any]]:
        return [
            {"id": one.id, "pattern": one.pattern, "priority": one.priority, "once": one.once}
            for one in self._bus.all()
        ]

    async def _flush(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """Waits until every handler has run, also those of events that handlers emitted."""
        while True:
            self._gathering.release_all()
            if not len(self._delivery):
                break
            await self._delivery.idle()
        await self._delivery.idle()
        if self._history is not None:
            await self._history.write()
        return {"total_events": self._bus.counts["total_events"]}

    def _wait_for(self, ctx: CallContext, args: Args) -> Any:
        given = args.get("timeout")
        limit = (
            WAIT_SECONDS if given is None else options.seconds(given, self._host.engine, "timeout")
        )
        return self._waiters.wait(args["pattern"], args.get("where"), limit)

    # -- the past ------------------------------------------------------------------------------

    async def _replay(self, ctx: CallContext, args: Args) -> list[Event]:
        begin, end = (_moment(args.get(name), self._host.engine) for name in ("from", "to"))
        limit = args.get("limit", REPLAY_MAX)
        pattern = args.get("pattern")
        if self._history is None:
            return self._bus.past(begin, end, pattern, limit)
        return await self._history.read(begin, end, pattern, limit)

    async def _persist(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        ctx.judge(ctx.policy.state.judge("spell"), action="state", target="state:events")
        if args.get("enabled", True) is False:
            if self._history is not None:
                await self._history.write()
                self._history.close()
                self._history = None
            return {"enabled": False}
        ttl = args.get("ttl")
        if self._history is None:
            self._history = History(self._host, self._settings.ttl)
        self._history.configure(
            None if ttl is None else options.seconds(ttl, self._host.engine, "ttl"),
            args.get("pattern"),
        )
        return {"enabled": True, "ttl": self._history.ttl}

    def _get_stats(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        return {
            **self._bus.stats(),
            "pending": len(self._delivery),
            "persisted": 0 if self._history is None else self._history.written,
            "overflow": "emitters of the spell wait; events of services are dropped and counted",
        }


def _depth(item: dict[str, Any]) -> int:
    given = item.get("depth")
    return min(given, 1_000) if type(given) is int and given > 0 else 0


def _moment(value: Any, engine: str) -> float | None:
    """Seconds since 1970 of a bare number (milliseconds in JavaScript) or an ISO text."""
    if value is None:
        return None
    if isinstance(value, str):
        from datetime import datetime

        try:
            parsed = datetime.fromisoformat(value)
        except ValueError:
            raise InvalidInput("events.replay: a moment is a number or text in ISO 8601") from None
        if parsed.tzinfo is None:
            parsed = parsed.replace(tzinfo=UTC)
        return parsed.timestamp()
    return float(value) / 1000 if engine == "javascript" else float(value)
