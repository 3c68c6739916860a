# Events: what the spell emits travels many at a time; what the supervisor delivers is run here.
# A part of the prelude; tools check the whole, preludes/_generated/prelude.py.
# ruff: noqa
# mypy: ignore-errors

EVENTS_BATCH = 50
EVENTS_WINDOW = 8
CASCADE_MAX = 32
HANDLER_MS = 30_000
OWN_FIELDS = frozenset({"type", "event_type", "data", "source", "metadata", "timestamp"})


class _Emitting:
    """What was emitted and not sent yet, and the batches that have no reply yet."""

    def __init__(self) -> None:
        self.queue: list[str] = []
        self.under_way: list[Call] = []
        self.refused: BaseException | None = None
        self.unsettled = False
        self.depth = 0
        self.handlers: list[Any] = [None]
        self.numbers: dict[int, int] = {}

    def number_of(self, action: Any) -> int:
        number = self.numbers.get(id(action))
        if number is None:
            number = len(self.handlers)
            # Kept for good, so the identity can't pass to another object.
            self.handlers.append(action)
            self.numbers[id(action)] = number
        return number

    def known(self, action: Any) -> int | None:
        """The number of a handler; a bound method is another object each time it is named."""
        number = self.numbers.get(id(action))
        if number is not None:
            return number
        return next((at for at, one in enumerate(self.handlers) if at and one == action), None)

    def send(self) -> None:
        if not self.queue:
            return
        text = '{"events":[' + ",".join(self.queue) + "]}"
        self.queue.clear()
        call = Call("events.emit", {}, None, text)
        call._observed = True
        self.under_way.append(call)
        call._when_done(self._ended)

    def _ended(self, call: Future) -> None:
        self.under_way = [one for one in self.under_way if one is not call]
        if call._error is not None and self.refused is None:
            self.refused = call._error

    def raise_refused(self) -> None:
        error, self.refused = self.refused, None
        if error is not None:
            raise error

    def emit(self, event: dict[str, Any]) -> None:
        self.raise_refused()
        if not isinstance(event["type"], str):
            raise LLMSpellError("an event needs a name: emit(name, payload)", code=5005, kind="event")
        if self.depth > CASCADE_MAX:
            raise LLMSpellError(
                f"events that handlers emit go over {CASCADE_MAX} deep", code=5005, kind="limit"
            )
        if self.depth:
            event["depth"] = self.depth
        self.queue.append(encode(event))
        self.unsettled = True
        if len(self.queue) < EVENTS_BATCH:
            return
        self.send()
        while not self.depth and len(self.under_way) >= EVENTS_WINDOW:
            first = self.under_way[0]
            while not first._done:
                LOOP.pump()
        self.raise_refused()

    def at_end(self) -> bool:
        """Handlers of what was emitted still run when main and every task have ended."""
        if not self.unsettled:
            return False
        self.unsettled = False
        Task(_flush_events())
        return True


EMITTING = _Emitting()
BEFORE_MESSAGES.append(EMITTING.send)
LOOP.at_end.append(EMITTING.at_end)


def _emission(event: Any, payload: Any, named: Mapping[str, Any]) -> dict[str, Any]:
    """emit(name, payload) or emit({type, data}); other fields are the data where there is none."""
    if isinstance(event, str) or event is None:
        if payload is None and named and event is not None:
            payload = dict(named)
        elif event is None:
            event = named
    if not isinstance(event, dict):
        return {"type": event, "data": payload}
    data = event.get("data")
    if data is None:
        data = {key: value for key, value in event.items() if key not in OWN_FIELDS} or None
    result = {"type": event.get("type", event.get("event_type")), "data": data}
    result.update((key, event[key]) for key in ("source", "metadata") if key in event)
    return result


def _done_future(value: Any = None) -> Future:
    future = Future()
    future._settle(value)
    return future


NOTHING = _done_future()


def emit_event(event: Any = None, payload: Any = None, **named: Any) -> Future:
    EMITTING.emit(_emission(event, payload, named))
    return NOTHING


def emit_event_sync(event: Any = None, payload: Any = None, **named: Any) -> Future:
    EMITTING.unsettled = True
    return Call("events.emit_sync", {"event": _emission(event, payload, named)}, None)


async def _flush_events() -> Any:
    result = await Call("events.flush", {}, None)
    EMITTING.raise_refused()
    return result


def flush_events() -> Future:
    return Task(_flush_events())


def readable_event(event: Any) -> Any:
    """Fields of the data are at the event too (X28)."""
    event["event_type"] = event["type"]
    data = event.get("data")
    if isinstance(data, dict):
        for key, value in data.items():
            event.setdefault(key, value)
    return event


def readable_events(events: Any) -> Any:
    for event in events:
        readable_event(event)
    return events


class _Deep:
    """A handler's coroutine: what it emits at any of its steps is a handler's emission."""

    def __init__(self, work: Any, depth: int) -> None:
        self._work, self._depth = work, depth

    def __await__(self) -> Generator[Any, Any, Any]:
        steps = self._work.__await__()
        while True:
            before, EMITTING.depth = EMITTING.depth, self._depth
            try:
                item = next(steps)
            except StopIteration as stop:
                return stop.value
            finally:
                EMITTING.depth = before
            yield item


async def _run_handler(action: Any, event: Any, depth: int) -> Any:
    before, EMITTING.depth = EMITTING.depth, depth
    try:
        value = action(event)
    finally:
        EMITTING.depth = before
    if is_awaitable(value):
        value = await Async.timeout(_Deep(value, depth), HANDLER_MS)
    return value


def _is_stop(value: Any) -> bool:
    if isinstance(value, str):
        return value in ("stop", "StopPropagation")
    return isinstance(value, dict) and value.get("stop") is True


async def dispatch_events(batch: Any, collect: bool) -> dict[str, Any]:
    outcome: dict[str, Any] = {"failures": [], "filtered": 0, "stopped": 0}
    EMITTING.unsettled = True
    for index, (event, subscribers, depth) in enumerate(batch):
        if isinstance(event, list):
            readable_events(event)
        else:
            readable_event(event)
        for identity, handler, chosen in subscribers:
            try:
                if chosen and not await _run_handler(EMITTING.handlers[chosen], event, depth):
                    outcome["filtered"] += 1
                    continue
                value = await _run_handler(EMITTING.handlers[handler], event, depth)
            except Exception as error:
                message = str(describe(error).get("message", error))[:500]
                outcome["failures"].append([index, identity, message])
                continue
            if value is None:
                continue
            if _is_stop(value):
                outcome["stopped"] += 1
                outcome.setdefault("action", "stop")
                break
            if value in ("retry", "retry_with_modified_context"):
                outcome["action"] = value
                if collect:
                    outcome["data"] = event.get("data")
    return outcome


class Subscription(Record):
    """A subscription: `id`, `pattern` and `unsubscribe()`."""

    __slots__ = ()

    def unsubscribe(self) -> Call:
        return Call("events.remove", {"id": self["id"]}, None)


def _wire_options(options: Mapping[str, Any]) -> dict[str, Any]:
    chosen, where = options.get("filter"), options.get("where")
    if chosen is not None and not callable(chosen):
        where, chosen = chosen, None
    batch = options.get("batch", options.get("batch_size", options.get("count")))
    if options.get("mode") == "batched" and batch is None:
        batch = EVENTS_BATCH
    found = {
        "priority": options.get("priority"),
        "once": options.get("once"),
        "where": where,
        "batch": batch,
        "window": options.get("window", options.get("interval")),
        "filter": None if chosen is None else EMITTING.number_of(chosen),
    }
    return {name: value for name, value in found.items() if value is not None}


class EventView:
    """The bus, or a part of it: what a predicate says yes to."""

    def __init__(self, predicate: Callable[[Any], Any] | None = None) -> None:
        self._predicate = predicate

    def subscribe(
        self, pattern: str, handler: Any = None, options: Any = None, **named: Any
    ) -> Any:
        if handler is None:
            # @Events.subscribe("name")
            def decorate(action: Any) -> Any:
                self.subscribe(pattern, action, options, **named)._observed = True
                return action

            return decorate
        chosen = {**(options or {}), **named}
        if isinstance(handler, dict):
            chosen = {**handler, **chosen}
            handler = chosen.get("handler")
        if not callable(handler):
            raise LLMSpellError(
                "Events.subscribe takes a function of the event", code=5008, kind="handler"
            )
        args = _wire_options(chosen)
        predicate = self._predicate
        if predicate is not None:
            own = EMITTING.handlers[args["filter"]] if "filter" in args else None
            args["filter"] = EMITTING.number_of(_both(predicate, own))
        args.update(pattern=pattern, handler=EMITTING.number_of(handler), dispatcher=dispatch_events)
        EMITTING.unsettled = True
        return Call("events.add", args, Subscription)

    on = subscribe

    def once(self, pattern: str, handler: Any = None, options: Any = None, **named: Any) -> Any:
        return self.subscribe(pattern, handler, {**(options or {}), "once": True}, **named)

    def filter(self, predicate: Callable[[Any], Any]) -> EventView:
        if not callable(predicate):
            raise LLMSpellError(
                "Events.filter takes a function of the event", code=5007, kind="filter"
            )
        return EventView(predicate if self._predicate is None else _both(self._predicate, predicate))

    @staticmethod
    def unsubscribe(pattern: Any = None, handler: Any = None) -> Future:
        args: dict[str, Any] = {}
        action = pattern if callable(pattern) else handler
        if action is not None:
            number = EMITTING.known(action)
            if number is None:
                return _done_future(0)
            args["handler"] = number
        if isinstance(pattern, dict):
            args["id"] = pattern.get("id")
        elif isinstance(pattern, str):
            is_id = pattern.startswith("sub-") and pattern[4:].isdigit()
            args["id" if is_id else "pattern"] = pattern
        return Call("events.remove", args, None)

    off = unsubscribe
    emit = staticmethod(emit_event)
    emit_sync = staticmethod(emit_event_sync)


def _both(first: Any, second: Any) -> Any:
    async def check(event: Any) -> bool:
        for one in (first, second):
            if one is not None:
                value = one(event)
                if not (await value if is_awaitable(value) else value):
                    return False
        return True

    return check


EVENT_BUS = EventView()


def aggregate_events(pattern: str, options: Any = None, handler: Any = None, **named: Any) -> Call:
    if callable(options):
        options, handler = handler, options
    chosen = {**(options or {}), **named}
    if not any(name in chosen for name in ("count", "batch", "window")):
        raise LLMSpellError(
            "Events.aggregate needs a count or a window", code=5006, kind="subscription"
        )
    return EVENT_BUS.subscribe(pattern, handler, chosen)


def replay_events(from_: Any = None, to: Any = None, options: Any = None, **named: Any) -> Call:
    args: dict[str, Any] = {}
    for name, value in (("from", from_), ("to", to), ("", options)):
        if isinstance(value, dict):
            args.update(value)
        elif value is not None:
            args[name] = value.isoformat() if hasattr(value, "isoformat") else value
    args.update(named)
    return Call("events.replay", args, readable_events)


def wait_for_event(pattern: str, timeout: Any = None, where: Any = None) -> Call:
    args = {"pattern": pattern, "timeout": timeout, "where": where}
    given = {name: value for name, value in args.items() if value is not None}
    return Call("events.wait_for", given, readable_event)


def sleep_seconds(seconds: float) -> Future:
    if isinstance(seconds, bool) or not isinstance(seconds, (int, float)) or not seconds >= 0:
        raise invalid("Events.sleep takes a number of seconds, 0 or more")
    return Async.sleep(seconds * 1000)


EVENT_FUNCTIONS: dict[str, Any] = {
    "subscribe": EVENT_BUS.subscribe,
    "once": EVENT_BUS.once,
    "filter": EVENT_BUS.filter,
    "unsubscribe": EVENT_BUS.unsubscribe,
    "on": EVENT_BUS.subscribe,
    "off": EVENT_BUS.unsubscribe,
    "aggregate": aggregate_events,
    "emit": emit_event,
    "emit_sync": emit_event_sync,
    "emit_and_wait": emit_event_sync,
    "flush": flush_events,
    "replay": replay_events,
    "wait_for": wait_for_event,
    "sleep": sleep_seconds,
}
