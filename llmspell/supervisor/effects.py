"""What the session core asks its driver to do: plain data, one class an effect."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Mapping
    from typing import Any

    from llmspell.supervisor.broker import CallContext


class Send(NamedTuple):
    """Write these bytes to a worker's channel."""

    peer: int
    data: bytes


class StartTools(NamedTuple):
    """Start a tool worker and know it by this number from now on."""

    peer: int


class Perform(NamedTuple):
    """Run a service function; report its end by `token`. A coroutine needs the asyncio driver.

    A session that `acts_inline` runs it itself while nothing else waits to happen before it.
    """

    token: int
    function: Callable[[CallContext, dict[str, Any]], Any]
    context: CallContext
    args: dict[str, Any]


class Await(NamedTuple):
    """Go on with a service function's coroutine; report its end by `token`."""

    token: int
    coroutine: Coroutine[Any, Any, Any]


class Abandon(NamedTuple):
    """Stop a `Perform` or `Await` that nobody waits for any more."""

    token: int


class Show(NamedTuple):
    """Text of the spell's for the user's terminal or buffer."""

    stream: str
    text: str


class Note(NamedTuple):
    """A log record of the spell's."""

    level: str
    message: str
    fields: Mapping[str, Any]


class End(NamedTuple):
    """Kill a worker's whole tree at once."""

    peer: int


class Finish(NamedTuple):
    """The run is over; `session.result` is set."""


Effect = Send | StartTools | Perform | Await | Abandon | Show | Note | End | Finish


def joined(sends: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
    """What is to be written, one item a worker."""
    by_worker: dict[int, list[bytes]] = {}
    for number, data in sends:
        by_worker.setdefault(number, []).append(data)
    return [(number, b"".join(pieces)) for number, pieces in by_worker.items()]
