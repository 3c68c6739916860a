"""Targets of the channel: frames, strict JSON, the quick reading of a call, the way back."""

from __future__ import annotations

import json
import math
from typing import Any, Final

from llmspell.channel import messages
from llmspell.channel.bounds import DEPTH_MAX, INTEGER_MAX, KEYS_MAX, NODES_MAX
from llmspell.channel.connection import Connection
from llmspell.channel.framing import frames_of
from llmspell.channel.jsontext import Malformed, decode, encode, holds_callback
from llmspell.channel.quick import quick_call
from llmspell.channel.states import Role, State
from llmspell.errors import WorkerViolation

PIECES: Final = 64
"""Into so many pieces at most a stream is cut."""


def frames(data: bytes) -> None:
    """Bytes of a worker end in messages or one `WorkerViolation`, however they are cut."""
    whole = _received([data])
    middle = len(data) // 2
    assert _received([data[:middle], data[middle:]]) == whole, "the cut decides"
    step = max(1, len(data) // PIECES)
    pieces = [data[place : place + step] for place in range(0, len(data), step)]
    assert _received(pieces) == whole, "the cut decides"


def _received(pieces: list[bytes]) -> tuple[str, str]:
    """What arrives, and the violation it ends with; both exactly, types and all."""
    connection = Connection(Role.SPELL)
    connection.state = State.RUNNING
    found: list[Any] = []
    try:
        for piece in pieces:
            quick = connection.receive_call(piece, 0.0)
            found += [quick] if quick is not None else connection.receive(piece, 0.0)
    except WorkerViolation as violation:
        if connection.state is not State.ENDED:
            raise AssertionError("a violation left the connection open") from None
        # What came in the same piece is lost with the worker; only the end is the same.
        assert str(violation)
        return "", "violation"
    return repr(found), ""


def strict_json(data: bytes) -> None:
    """The channel's reader takes what the rules say, by a reader of the test's own; both ways."""
    try:
        value = decode(data)
    except Malformed:
        expected = _reference(data)
        assert expected is None or _has_special(expected[0]), f"refused: {data[:200]!r}"
        return
    expected = _reference(data)
    assert expected is not None, f"taken: {data[:200]!r}"
    if not _has_special(expected[0]):
        assert repr(value) == repr(expected[0]), "another value"
    if not holds_callback(value):
        again = decode(encode(value))
        assert repr(again) == repr(value), "not the same after encoding"


def _reference(data: bytes) -> tuple[Any] | None:
    """The value by `json` alone and rules spelled anew; None for what is refused."""
    try:
        text = data.decode("utf-8")
        value = json.loads(
            text, parse_int=_integer, parse_constant=_refuse, object_pairs_hook=_object
        )
        nodes = _measure(value)
        # Surrogates written as escapes must pair up.
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        return None
    return None if nodes is None else (value,)


def _integer(text: str) -> int:
    if len(text) > 20 or abs(int(text)) > INTEGER_MAX:
        raise ValueError("too large")
    return int(text)


def _refuse(name: str) -> Any:
    raise ValueError(name)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) != len(pairs) or len(pairs) > KEYS_MAX:
        raise ValueError("twice, or too many")
    return dict(pairs)


def _measure(value: Any) -> int | None:
    """Number of values; None when they are too many, too deep, or not finite."""
    level, count, depth = [value], 0, 0
    while level:
        if any(isinstance(item, float) and not math.isfinite(item) for item in level):
            return None
        count += len(level)
        held = [item for item in level if isinstance(item, (dict, list))]
        depth += bool(held)
        if depth > DEPTH_MAX or count > NODES_MAX:
            return None
        level = [item for one in held for item in (one.values() if isinstance(one, dict) else one)]
    return count


def _has_special(value: Any) -> bool:
    if isinstance(value, dict):
        if len(value) == 1 and ("$bytes" in value or "$callback" in value):
            return True
        value = list(value.values())
    return isinstance(value, list) and any(map(_has_special, value))


def quick(data: bytes) -> None:
    """Whatever the quick reading of a call takes, the strict one takes alike."""
    found = quick_call(data)
    if found is None:
        return
    slow = messages.parse(decode(data))
    assert type(slow) is messages.Call
    assert (slow.id, slow.method, repr(slow.args)) == (found.id, found.method, repr(found.args))


def there_and_back(data: bytes) -> None:
    """A message that is sent in parts arrives as it was sent."""
    try:
        value = decode(data)
    except Malformed:
        return
    if holds_callback(value):
        return
    # Long enough for several parts, with what is expensive to escape among it.
    text = data.decode("utf-8", "replace") * (1 + 300_000 // (1 + len(data)))
    for sent in (value, [value, text[:300_000]]):
        message = {"type": "done", "value": sent}
        connection = Connection(Role.SPELL)
        connection.state = State.RUNNING
        try:
            stream = frames_of(encode(message))
        except Malformed:
            continue  # one level too deep with the envelope around it
        arrived = connection.receive(stream, 0.0)
        assert len(arrived) == 1 and isinstance(arrived[0], messages.Done)
        assert repr(arrived[0].value) == repr(sent), "not as it was sent"
