"""Strict JSON: what `json` accepts by habit and the channel may not is refused here (IP-03 … 09).

Refused: duplicate keys, NaN and infinities (also by overflow), integers beyond ±2^53, lone
surrogates, invalid UTF-8, a byte order mark, too deep, too many values, anything after the value.
`{"$bytes": base64}` becomes `bytes` and back; `{"$callback": n}` becomes `Callback`.
"""

from __future__ import annotations

import binascii
import json
import re

from llmspell.channel.bounds import DEPTH_MAX, INTEGER_MAX, KEYS_MAX, NODES_MAX
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Final, NoReturn


class Malformed(ValueError):
    """The text is no JSON that the channel takes; the message says why."""


class Callback(NamedTuple):
    """A function of the spell's own, named by number; it stays in its worker."""

    number: int


class Place(NamedTuple):
    """Where in a list of arguments a function of the spell's belongs: keys and indexes from 0."""

    path: tuple[str | int, ...]
    function: Callback


def holds_callback(value: Any) -> bool:
    """Whether a decoded value is or holds a function: as JSON it would be a list of a number."""
    if isinstance(value, Callback):
        return True
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return False
    return any(holds_callback(item) for item in value if isinstance(item, (dict, list, tuple)))


_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)
"""A string, also one that nobody ends: then all the rest is in it. Could such a one not match, then
every quote in it would be tried as the first, and 64 KB of them cost 13 s (IP-07)."""

_SURROGATE: Final = re.compile(rb"\\u[dD][89a-fA-F]")
_NOT_BRACKETS: Final = bytes(sorted(set(range(256)) - set(b"[]{}")))
_ONE_KIND: Final = bytes.maketrans(b"{}", b"[]")
_MAX_INTEGER_TEXT: Final = len(str(INTEGER_MAX)) + 1


def _refuse_constant(name: str) -> NoReturn:
    raise Malformed(f"{name} is not JSON")


def _integer(text: str) -> int:
    if len(text) > _MAX_INTEGER_TEXT:
        raise Malformed("an integer is outside ±2^53")
    value = int(text)
    if not -INTEGER_MAX <= value <= INTEGER_MAX:
        raise Malformed("an integer is outside ±2^53")
    return value


def _number(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise Malformed("a number is too large")
    return value


def _object(pairs: list[tuple[str, Any]]) -> Any:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise Malformed("an object has a key twice")
    if len(value) > KEYS_MAX:
        raise Malformed(f"an object has over {KEYS_MAX} keys")
    if len(value) == 1:
        if "$bytes" in value:
            return _bytes(value["$bytes"])
        if "$callback" in value:
            number = value["$callback"]
            if type(number) is not int or number < 1:
                raise Malformed("a callback has no number")
            return Callback(number)
    return value


def _bytes(text: object) -> bytes:
    if not isinstance(text, str):
        raise Malformed("$bytes holds no text")
    try:
        return binascii.a2b_base64(text.encode("ascii"), strict_mode=True)
    except (binascii.Error, UnicodeEncodeError):
        raise Malformed("$bytes holds no base64") from None


_scan = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_integer,
    parse_float=_number,
    parse_constant=_refuse_constant,
).scan_once  # type: ignore[attr-defined]
# The decoder's own entry matches white space by two regular expressions a call; a frame has none.

_BLANK: Final = " \t\n\r"


def _decode(text: str) -> Any:
    if text[:1] in _BLANK:
        text = text.lstrip(_BLANK)
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        raise Malformed("not JSON") from None
    if end != len(text) and text[end:].strip(_BLANK):
        raise Malformed("more than one value")
    return value


def decode(data: bytes) -> Any:
    """The value of `data`. Raises `Malformed`; never `RecursionError`, never anything else."""
    opening = data.count(b"[") + data.count(b"{")
    if opening > DEPTH_MAX or opening + data.count(b",") > NODES_MAX:
        _check_shape(data)
    try:
        text = data.decode("utf-8")
        value = _decode(text)
    except Malformed:
        raise
    except UnicodeDecodeError:
        raise Malformed("the text is not UTF-8") from None
    except ValueError as error:
        raise Malformed(f"not JSON: {error}"[:200]) from None
    if b"\\u" in data and _SURROGATE.search(data):
        try:
            json.dumps(value, ensure_ascii=False, default=_encode_special).encode("utf-8")
        except UnicodeEncodeError:
            raise Malformed("a lone surrogate") from None
    return value


def _check_shape(data: bytes) -> None:
    """Depth and number of values, counted outside strings, before anything recurses."""
    bare = _STRING.sub(b"", data)
    # Of one kind, so that each turn takes away exactly one level; whether a bracket is closed by
    # its own kind is for the decoder to say.
    brackets = bare.translate(_ONE_KIND, delete=_NOT_BRACKETS)
    if len(brackets) // 2 + bare.count(b",") > NODES_MAX:
        raise Malformed(f"over {NODES_MAX} values")
    for _ in range(DEPTH_MAX):
        if not brackets:
            return
        brackets = brackets.replace(b"[]", b"")
    if brackets:
        raise Malformed(f"nested deeper than {DEPTH_MAX} levels, or not closed")


def _encode_special(value: object) -> dict[str, Any]:
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": binascii.b2a_base64(value, newline=False).decode("ascii")}
    raise Malformed(f"a {type(value).__name__} can't cross the channel")


def _make_encoder() -> Callable[[Any], str]:
    """The C encoder made once: `JSONEncoder.encode` makes a new one for every call."""
    from json import encoder

    make = getattr(encoder, "c_make_encoder", None)
    if make is None:
        return json.JSONEncoder(
            ensure_ascii=False,
            allow_nan=False,
            separators=(",", ":"),
            default=_encode_special,
        ).encode
    # Without markers a cycle ends in a RecursionError, which `encode` turns into Malformed.
    once = make(
        None, _encode_special, encoder.encode_basestring, None, ":", ",", False, False, False
    )
    return lambda value: "".join(once(value, 0))


_encode: Final = _make_encoder()


def encode(value: Any) -> bytes:
    """`value` as UTF-8 JSON. Raises `Malformed` for what the channel can't carry."""
    if value is None:
        return b"null"
    try:
        return _encode(value).encode("utf-8")
    except Malformed:
        raise
    except (ValueError, TypeError, RecursionError, UnicodeEncodeError) as error:
        raise Malformed(f"can't be sent: {error}"[:200]) from None
