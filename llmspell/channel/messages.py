"""The messages: each a typed tuple, decoded with every field checked.

A field that is missing, of the wrong type or not listed is a `Malformed` message; the peer that
sent it is ended. Identity is never a field: it comes from the channel a message arrived on.
"""

from __future__ import annotations

from llmspell.channel.bounds import LOG_FIELDS_MAX, METHOD_MAX
from llmspell.channel.jsontext import Malformed
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final

PROTOCOL_VERSION: Final = 1
LOG_LEVELS: Final = ("trace", "debug", "info", "warn", "error")
STREAMS: Final = ("stdout", "stderr")
EFFECTS: Final = ("files", "network", "processes", "spawn", "privilege")


class Hello(NamedTuple):
    """The worker's trusted code is confined and waits; nothing of the spell has arrived yet."""

    version: int
    engine: str
    layers: tuple[str, ...]
    effects: Mapping[str, bool]


class Call(NamedTuple):
    """The worker asks for a brokered act."""

    id: int
    method: str
    args: dict[str, Any]


class Returned(NamedTuple):
    """The worker's answer to an invoke: a value, or an error as it travelled."""

    id: int
    value: Any
    error: dict[str, Any] | None


class Log(NamedTuple):
    """One log record of the spell."""

    level: str
    message: str
    fields: dict[str, Any]


class Output(NamedTuple):
    """Text the spell printed."""

    stream: str
    text: str


class Done(NamedTuple):
    """The spell ended well with this value."""

    value: Any


class Failed(NamedTuple):
    """The spell ended with an error, as it travelled."""

    error: dict[str, Any]


class Cancel(NamedTuple):
    """The sender takes back a request of its own."""

    id: int


class Part(NamedTuple):
    """A piece of a message too large for one frame."""

    data: str
    last: bool


Message = Hello | Call | Returned | Log | Output | Done | Failed | Cancel | Part


def _fields(raw: dict[str, Any], required: frozenset[str], optional: frozenset[str]) -> None:
    names = raw.keys()
    if not required <= names:
        raise Malformed(f"{raw['type']} lacks {', '.join(sorted(required - names))}")
    if len(raw) > len(required) and not names <= required | optional:
        raise Malformed(f"{raw['type']} has a field that is not listed")


def _identifier(value: Any) -> int:
    if type(value) is not int or value < 1:
        raise Malformed("an id is no positive integer")
    return value


def _string(value: Any, what: str) -> str:
    if type(value) is not str:
        raise Malformed(f"{what} is no text")
    return value


def _mapping(value: Any, what: str) -> dict[str, Any]:
    if type(value) is not dict:
        raise Malformed(f"{what} is no object")
    return value


def _hello(raw: dict[str, Any]) -> Hello:
    _fields(raw, frozenset({"type", "version", "engine", "achieved"}), frozenset())
    version = raw["version"]
    if type(version) is not int:
        raise Malformed("hello has no version")
    achieved = _mapping(raw["achieved"], "achieved")
    if achieved.keys() != {"layers", "effects"}:
        raise Malformed("achieved has not exactly layers and effects")
    layers = achieved["layers"]
    effects = _mapping(achieved["effects"], "effects")
    if type(layers) is not list or not all(type(layer) is str for layer in layers):
        raise Malformed("layers is no list of names")
    if not effects.keys() <= set(EFFECTS):
        raise Malformed("effects names something unknown")
    # Only a literal true counts: a worker that can't say leaves the effect not held.
    held = {name: effects.get(name) is True for name in EFFECTS}
    return Hello(version, _string(raw["engine"], "engine"), tuple(layers), held)


_CALL_FIELDS: Final = frozenset({"type", "id", "method", "args"})


def _call(raw: dict[str, Any]) -> Call:
    if raw.keys() != _CALL_FIELDS:
        _fields(raw, _CALL_FIELDS, frozenset())
    method = _string(raw["method"], "method")
    if len(method) > METHOD_MAX:
        raise Malformed("a method name is too long")
    args = raw["args"]
    if args == []:
        args = {}
    return Call(_identifier(raw["id"]), method, _mapping(args, "args"))


def _returned(raw: dict[str, Any]) -> Returned:
    _fields(raw, frozenset({"type", "id", "ok"}), frozenset({"value", "error"}))
    number = _identifier(raw["id"])
    if raw["ok"] is True and "error" not in raw:
        return Returned(number, raw.get("value"), None)
    if raw["ok"] is False and "value" not in raw and "error" in raw:
        return Returned(number, None, _mapping(raw["error"], "error"))
    raise Malformed("returned holds not exactly one of value and error")


def _log(raw: dict[str, Any]) -> Log:
    _fields(raw, frozenset({"type", "level", "message"}), frozenset({"fields"}))
    level = raw["level"]
    if level not in LOG_LEVELS:
        raise Malformed("a log level is unknown")
    fields = raw.get("fields") or {}
    if len(_mapping(fields, "fields")) > LOG_FIELDS_MAX:
        raise Malformed(f"a log record has over {LOG_FIELDS_MAX} fields")
    return Log(level, _string(raw["message"], "message"), fields)


def _output(raw: dict[str, Any]) -> Output:
    _fields(raw, frozenset({"type", "stream", "text"}), frozenset())
    stream = raw["stream"]
    if stream not in STREAMS:
        raise Malformed("an output stream is unknown")
    return Output(stream, _string(raw["text"], "text"))


def _done(raw: dict[str, Any]) -> Done:
    _fields(raw, frozenset({"type"}), frozenset({"value"}))
    return Done(raw.get("value"))


def _failed(raw: dict[str, Any]) -> Failed:
    _fields(raw, frozenset({"type", "error"}), frozenset())
    return Failed(_mapping(raw["error"], "error"))


def _cancel(raw: dict[str, Any]) -> Cancel:
    _fields(raw, frozenset({"type", "id"}), frozenset())
    return Cancel(_identifier(raw["id"]))


def _part(raw: dict[str, Any]) -> Part:
    _fields(raw, frozenset({"type", "data", "last"}), frozenset())
    if type(raw["last"]) is not bool:
        raise Malformed("last is neither true nor false")
    return Part(_string(raw["data"], "data"), raw["last"])


_READERS: Final[Mapping[str, Callable[[dict[str, Any]], Message]]] = {
    "hello": _hello,
    "call": _call,
    "returned": _returned,
    "log": _log,
    "output": _output,
    "done": _done,
    "failed": _failed,
    "cancel": _cancel,
    "part": _part,
}


def parse(raw: Any) -> Message:
    """The message that a worker's decoded frame is. Raises `Malformed`.

    Types that only the supervisor sends (`run`, `reply`, `invoke`) have no reader: a worker that
    sends one is spoofing (IP-13).
    """
    if type(raw) is not dict:
        raise Malformed("a frame is no object")
    kind = raw.get("type")
    reader = _READERS.get(kind) if type(kind) is str else None
    if reader is None:
        raise Malformed("a message type that a worker never sends")
    return reader(raw)
