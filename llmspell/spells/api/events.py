"""The event bus as a spell sees it (API-080 … 085, 121; EVT-014 … 025).

The functions of `MODULE` are the preludes': they keep the handlers, send emissions many at a time
and run what the supervisor delivers. `WIRE` describes the calls that these make.
"""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.model import Function, Module, Param

if TYPE_CHECKING:
    from typing import Final

_PATTERN: Final = Param(
    "pattern",
    ("string",),
    "an event's name, or a pattern in which * is any run of characters: agent_*, workflow.*, *",
    required=True,
    minimum=1,
    maximum=128,
)
_HANDLER: Final = Param(
    "handler",
    ("callback", "object"),
    "a function of the event; or {handler, priority, filter, where, once, batch, window}",
    required=True,
)
_OPTIONS: Final = Param(
    "options",
    ("object",),
    "priority: 0 to 1000, higher first (50); filter: function of the event; where: what it must "
    'hold, such as {["data.kind"]="x"}; once; batch, window: the handler gets lists of that '
    "many events, or of that time",
)
_NAME: Final = Param(
    "event", ("string", "object"), "a name, or {type, data, source, metadata}", required=True
)
_PAYLOAD: Final = Param("payload", ("any",), "the event's data, where a name was given")
_EVENT: Final = Param("event", ("object",), "type, data, source, metadata", required=True)
_WHERE: Final = Param("where", ("object",), "what the event must hold, by path")
_TIMEOUT: Final = Param(
    "timeout",
    ("number", "string"),
    "30 s; a bare number is seconds, in JavaScript milliseconds",
)
_FROM: Final = Param(
    "from", ("number", "string"), "seconds since 1970 (JavaScript: a Date), or ISO 8601"
)
_TO: Final = _FROM._replace(name="to")


def _local(
    name: str,
    doc: str,
    *params: Param,
    returns: str = "nothing",
    positional: int = -1,
    aliases: tuple[str, ...] = (),
) -> Function:
    count = len(params) if positional < 0 else positional
    return Function(name, doc, params, returns, kind="local", positional=count, aliases=aliases)


def _call(
    name: str, doc: str, *params: Param, returns: str = "nothing", positional: int = 0
) -> Function:
    return Function(
        name, doc, params, returns, wire=f"events.{name}", positional=positional, unjudged=True
    )


MODULE: Final = Module(
    "events",
    ("Events", "events"),
    "Events of the run: the spell's own, and those of agents, tools and workflows. An event has "
    "type, timestamp, sequence, source, data and metadata; fields of data are at the event too.",
    (
        _local(
            "subscribe",
            "Calls a function at each event that fits. It may return \"stop\" (or "
            "\"StopPropagation\") to keep the event from the handlers after it.",
            _PATTERN,
            _HANDLER,
            _OPTIONS,
            returns="{id, pattern, unsubscribe()}",
            aliases=("on",),
        ),
        _local("once", "The same for the first event that fits.", _PATTERN, _HANDLER, _OPTIONS,
               returns="{id, pattern, unsubscribe()}"),
        _local(
            "aggregate",
            "Gathers events: the handler gets lists of `count` of them, or of what came in a "
            "`window` of time.",
            _PATTERN,
            Param("options", ("object",), "{count, window}", required=True),
            Param("handler", ("callback",), "a function of a list of events", required=True),
            returns="{id, pattern, unsubscribe()}",
        ),
        _local(
            "unsubscribe",
            "Ends subscriptions: of a pattern, of a handler, of both, or the one of an id; how "
            "many.",
            Param("pattern", ("string", "callback", "object"), "pattern, handler or subscription",
                  required=True),
            Param("handler", ("callback",), "only this handler's"),
            returns="integer",
            aliases=("off",),
        ),
        _local(
            "emit",
            "Emits an event: emit(name, payload) or emit({type, data}). It goes on at once; it "
            "waits only where a thousand events wait for their handlers.",
            _NAME,
            _PAYLOAD,
        ),
        _local(
            "emit_sync",
            "The same, and waits until the handlers have run. Their word is in the answer: action "
            "is continue, stop, retry or retry_with_modified_context (data: as they left it).",
            _NAME,
            _PAYLOAD,
            returns="{delivered, failed, stopped, action, data}",
            aliases=("emit_and_wait",),
        ),
        _local("flush", "Waits until the handlers of everything emitted so far have run.",
               returns="{total_events}"),
        _local(
            "filter",
            "A view of the bus whose subscriptions get only the events that a function says yes "
            "to.",
            Param("predicate", ("callback",), "(event) → true or false", required=True),
            returns="{subscribe, once, unsubscribe, emit, filter}",
        ),
        _local("wait_for", "Waits for an event and gives it.", _PATTERN, _TIMEOUT, _WHERE,
               returns="event", positional=2),
        _local(
            "replay",
            "Past events, the oldest first: persisted ones where that is on, else the last "
            "thousand of this run.",
            _FROM,
            _TO,
            Param("options", ("object",), "{pattern, limit}"),
            returns="array of events",
        ),
        _call(
            "persist",
            "Keeps events beyond the run, in the spell's own store.",
            Param("enabled", ("boolean",), "false ends it"),
            Param("ttl", ("number", "string"), "how long; a day"),
            Param("pattern", ("string",), "only these events", minimum=1, maximum=128),
            returns="{enabled, ttl}",
        ),
        _call("list", "The subscriptions.", returns="array of {id, pattern, priority, once}"),
        _call("get_stats", "Counts of events, deliveries, failures and of what waits.",
              returns="{total_events, delivered, failed, dropped, pending, …}"),
        _local("sleep", "Waits some seconds, in every language.",
               Param("seconds", ("number",), "0 or more", required=True, minimum=0)),
    ),
)  # fmt: skip

WIRE: Final = Module(
    "events_wire",
    (),
    "What the preludes' functions send.",
    (
        _call("emit", "Emits events.",
              Param("events", ("array",), "events", required=True, maximum=500)),
        _call("emit_sync", "Emits one event and waits for its handlers.", _EVENT),
        _call("flush", "Waits for the handlers."),
        _call(
            "add",
            "Subscribes a handler by its number in the prelude.",
            _PATTERN,
            Param("handler", ("integer",), "its number", required=True, minimum=1),
            Param("dispatcher", ("callback",), "runs handlers by number", required=True),
            Param("filter", ("integer",), "number of a predicate", minimum=1),
            Param("priority", ("integer",), "higher first", minimum=0, maximum=1000),
            Param("once", ("boolean",), "ends with the first event"),
            _WHERE,
            Param("batch", ("integer",), "events of a list", minimum=0, maximum=1000),
            Param("window", ("number", "string"), "time of a list"),
            returns="{id, pattern}",
        ),
        _call(
            "remove",
            "Ends subscriptions.",
            Param("id", ("string",), "of a subscription", minimum=1, maximum=32),
            _PATTERN._replace(required=False),
            Param("handler", ("integer",), "its number", minimum=1),
            returns="integer",
        ),
        _call("wait_for", "Waits for an event and gives it.", _PATTERN, _TIMEOUT, _WHERE,
              returns="event", positional=2),
        _call(
            "replay",
            "Past events.",
            _FROM,
            _TO,
            _PATTERN._replace(required=False),
            Param("limit", ("integer",), "the last ones", minimum=1, maximum=1000),
            returns="array of events",
        ),
    ),
)  # fmt: skip

MODULES: Final = (MODULE, WIRE)
