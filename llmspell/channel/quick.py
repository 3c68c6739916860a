"""The common call frame read in one pass: flat arguments, no escapes, spelled as our preludes do.

Whatever this reads, `messages.parse(decode(body))` reads the same; for everything else it says
None and that slow way decides, also about every refusal (a property test holds the two together).
"""

from __future__ import annotations

import json
import re

from llmspell.channel.bounds import INTEGER_MAX
from llmspell.channel.messages import Call
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Final

QUICK_MAX: Final = 4_096
"""Bytes of the largest frame that is tried; it bounds values, keys and nesting too."""

# One object of numbers, constants and strings: no escape, no nesting, no `$bytes`, no white space
# but plain spaces. `[^"…]` keeps to what the strict reader takes in a method's name.
_FLAT: Final = re.compile(
    r'\{"type":"call","id":([1-9][0-9]{0,14}),"method":"([^"\\$\x00-\x1f]{1,64})",'
    r'"args":(\{[^{}\[\]\\$\x00-\x1f]*\})\}'
).fullmatch


_scan = json.JSONDecoder().scan_once  # type: ignore[attr-defined]


def quick_call(body: bytes) -> Call | None:
    """The call that a frame's body is, or None: then the slow way must look at it."""
    if len(body) > QUICK_MAX:
        return None
    try:
        text = body.decode("utf-8")
        found = _FLAT(text)
        if found is None:
            return None
        number, method, spelled = found.groups()
        args, end = _scan(spelled, 0)
    except (ValueError, StopIteration):
        return None
    # Each key ends in `":`, and a value may hold more of them, never fewer: as many as there are
    # keys means that no key was there twice. A space before a colon would break that count.
    if end != len(spelled) or spelled.count('":') != len(args) or " :" in spelled:
        return None
    for value in args.values():
        if type(value) is int:
            if not -INTEGER_MAX <= value <= INTEGER_MAX:
                return None
        elif type(value) is float and value - value != 0:
            return None  # No number: NaN or an infinity.
    return Call(int(number), method, args)
