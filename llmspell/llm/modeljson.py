"""JSON that a model wrote: a stranger's text, so bounded, strict and plain.

The channel's own forms of bytes and functions (`$bytes`, `$callback`) are refused: a model does not
name functions of the spell's.
"""

from __future__ import annotations

import json

from llmspell.channel.bounds import DEPTH_MAX, INTEGER_MAX, NODES_MAX
from llmspell.channel.jsontext import Malformed
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Final, NoReturn

TEXT_MAX: Final = 1_048_576
"""Bytes of one value."""

_DEPTH: Final = DEPTH_MAX - 12
"""Leaves room for what the value is put into on its way to a worker."""

_RESERVED: Final = frozenset({"$bytes", "$callback"})


def decode(text: str) -> Any:
    """The value. Raises `Malformed`, nothing else."""
    if len(text) > TEXT_MAX or len(text.encode("utf-8", "replace")) > TEXT_MAX:
        raise Malformed(f"over {TEXT_MAX} bytes")
    try:
        value = json.loads(
            text, object_pairs_hook=_object, parse_int=_integer, parse_constant=_refuse
        )
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode("utf-8")
    except Malformed:
        raise
    except RecursionError:
        raise Malformed("nested too deeply") from None
    except ValueError as error:
        raise Malformed(f"no JSON: {error}"[:200]) from None
    _check(value)
    return value


def _check(value: Any) -> None:
    level, nodes = [value], 0
    for _ in range(_DEPTH):
        nodes += len(level)
        if nodes > NODES_MAX:
            raise Malformed(f"over {NODES_MAX} values")
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict):
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
        if not below:
            return
        level = below
    raise Malformed(f"nested deeper than {_DEPTH} levels")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise Malformed("an object has a key twice")
    if not _RESERVED.isdisjoint(value):
        raise Malformed("an object has a key that is reserved")
    return value


def _integer(text: str) -> int | float:
    if len(text) > 17 or abs(int(text)) > INTEGER_MAX:
        return float(text)
    return int(text)


def _refuse(name: str) -> NoReturn:
    raise Malformed(f"{name} is no JSON")
