"""Common records spelled from prepared pieces: byte for byte what `seal(make_record(…))` spells.

A run writes the same few decisions again and again; only number, time, target and chain differ.
What is prepared is bounded, and whatever is not of a known shape is left to the slow way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256

from llmspell.records import TYPE_CHECKING
from llmspell.supervisor.audit.records import bounded, canonical

if TYPE_CHECKING:
    from typing import Any, Final

DECISION: Final = ("origin", "method", "action", "target", "allowed", "rule")
CALL: Final = ("origin", "method")
"""The fields, in this order, of the records that are written for ordinary calls."""

PIECES_MAX: Final = 512
"""Prepared pieces and spelled targets kept of each; then they are forgotten and made again."""

PIECE_MAX: Final = 4_096
"""Characters of the longest piece that is kept, and far below a line's own bound."""

TARGET_MAX: Final = 256
"""Characters of the longest target whose spelling is kept."""

Masked = Callable[[Mapping[str, "Any"]], Mapping[str, "Any"]]


class Speller:
    """The pieces of one session's records. `masked` must answer alike for like fields."""

    __slots__ = ("_masked", "_pieces", "_session", "_targets")

    def __init__(self, session: str, masked: Masked) -> None:
        self._session = session
        self._masked = masked
        self._pieces: dict[tuple[str, ...], tuple[str, str]] = {}
        self._targets: dict[str, str] = {}

    def line(
        self, seq: int, moment: str, event: str, fields: Mapping[str, Any], previous: str
    ) -> tuple[bytes, str] | None:
        """The record's line, with newline, and its hash; None for what is not a common record."""
        shape = tuple(fields)
        key: tuple[str, ...]
        if shape == DECISION and event == "decision":
            if fields["allowed"] is not True or type(fields["target"]) is not str:
                return None
            target: str | None = fields["target"]
            key = (fields["origin"], fields["method"], fields["action"], fields["rule"])
        elif shape == CALL and event == "call":
            target = None
            key = (fields["origin"], fields["method"])
        else:
            return None
        try:
            pieces = self._pieces.get(key) or self._prepare(key, event, fields)
        except TypeError:
            return None  # Something that is no text has no hash.
        if pieces is None:
            return None
        before, after = pieces
        middle = "" if target is None else self._targets.get(target) or self._spell_target(target)
        body = f'{{"seq":{seq},"time":"{moment}"{before}{middle}{after}{previous}"'
        digest = sha256(f"{previous}{body}}}".encode("ascii")).hexdigest()
        return f'{body},"hash":"{digest}"}}\n'.encode("ascii"), digest

    def _prepare(
        self, key: tuple[str, ...], event: str, fields: Mapping[str, Any]
    ) -> tuple[str, str] | None:
        """What stands before and behind the target, from the time's end to the chain's value."""
        if not all(type(value) is str for value in key):
            return None
        names = list(fields)
        cut = names.index("target") if "target" in fields else len(names)
        head = {"session": self._session, "event": event}
        head |= {name: fields[name] for name in names[:cut]}
        tail = {name: fields[name] for name in names[cut + 1 :]}
        before = "," + _inside(head) + (',"target":' if "target" in fields else "")
        after = ("," + _inside(tail) if tail else "") + ',"prev":"'
        if len(before) + len(after) > PIECE_MAX:
            return None
        if len(self._pieces) >= PIECES_MAX:
            self._pieces.clear()
        self._pieces[key] = before, after
        return before, after

    def _spell_target(self, target: str) -> str:
        spelled = canonical(bounded(self._masked({"target": target})["target"])).decode("ascii")
        if len(target) <= TARGET_MAX:
            if len(self._targets) >= PIECES_MAX:
                self._targets.clear()
            self._targets[target] = spelled
        return spelled


def _inside(fields: Mapping[str, Any]) -> str:
    return canonical(fields)[1:-1].decode("ascii")
