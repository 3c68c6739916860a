"""Where checkpoints are kept: the spell's own state, in parts where one value would be too large.

The head is written last and names its parts by the checkpoint's checksum, so a process that ends
in between leaves the checkpoint before it whole.
"""

from __future__ import annotations

from llmspell.channel.jsontext import Malformed, decode, encode
from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING
from llmspell.spells.workflows.failures import state_invalid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

    from llmspell.spells.ports import State

SCOPE: Final = "spell"
"""Whose state it is: the spell's own, which outlives the process."""

PART: Final = 131_072
"""Characters of one part: at most half a megabyte as a stored value, however they are written."""

PARTS_MAX: Final = 256


async def save(state: State, key: str, checkpoint: Mapping[str, Any]) -> None:
    """Keeps a checkpoint instead of the one before. Raises what the storage raises."""
    try:
        text = encode(checkpoint).decode("utf-8")
    except Malformed as error:
        raise InvalidInput(f"the checkpoint can't be kept: {error}") from None
    before = await state.get(SCOPE, key)
    if len(text) <= PART:
        await state.set(SCOPE, key, dict(checkpoint))
    else:
        stamp = str(checkpoint["checksum"])[:16]
        pieces = [text[at : at + PART] for at in range(0, len(text), PART)]
        for number, piece in enumerate(pieces):
            await state.set(SCOPE, _part(key, stamp, number), piece)
        await state.set(SCOPE, key, {"parts": len(pieces), "stamp": stamp})
        if isinstance(before, dict) and before.get("stamp") == stamp:
            return
    await _drop_parts(state, key, before)


async def load(state: State, key: str) -> Any:
    """The checkpoint, or None. Raises 3008 when a part of it is missing."""
    head = await state.get(SCOPE, key)
    if not isinstance(head, dict) or "parts" not in head:
        return head
    pieces = []
    for number in range(_count(head)):
        piece = await state.get(SCOPE, _part(key, str(head.get("stamp")), number))
        if not isinstance(piece, str):
            raise state_invalid("a part of the checkpoint is missing")
        pieces.append(piece)
    try:
        return decode("".join(pieces).encode("utf-8"))
    except (Malformed, UnicodeEncodeError):
        raise state_invalid("the checkpoint's parts do not fit together") from None


async def forget(state: State, key: str) -> None:
    """Removes a checkpoint and its parts."""
    head = await state.get(SCOPE, key)
    if head is not None:
        await state.delete(SCOPE, key)
        await _drop_parts(state, key, head)


async def _drop_parts(state: State, key: str, head: Any) -> None:
    if isinstance(head, dict) and "parts" in head:
        for number in range(_count(head)):
            await state.delete(SCOPE, _part(key, str(head.get("stamp")), number))


def _part(key: str, stamp: str, number: int) -> str:
    return f"{key}/{stamp[:16]}/{number}"


def _count(head: Mapping[str, Any]) -> int:
    # The spell may write there too: its own state is no reason to trust a number.
    count = head.get("parts")
    return min(count, PARTS_MAX) if type(count) is int and count > 0 else 0
