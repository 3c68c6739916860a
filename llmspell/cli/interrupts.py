"""Ctrl-C and SIGTERM as an event the drivers wait for, so that a run's end is never torn."""

from __future__ import annotations

import os
import signal

from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from types import FrameType, TracebackType
    from typing import Any, Final

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupts:
    """Collects signals while a run is under way; `wake` becomes readable with the first.

    A second Ctrl-C raises `KeyboardInterrupt`: the way out when the run's end itself hangs.
    """

    def __init__(self) -> None:
        self.received: list[str] = []
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._before: dict[signal.Signals, Any] = {}

    @property
    def wake(self) -> int:
        """A descriptor that is readable once a signal came."""
        return self._reader

    def __enter__(self) -> Interrupts:
        for number in _SIGNALS:
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        os.close(self._reader)
        os.close(self._writer)

    def add(self, reason: str) -> None:
        """Asks for the end of the run from inside this program."""
        self.received.append(reason)
        try:
            os.write(self._writer, b"!")
        except BlockingIOError:
            return

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received:
            raise KeyboardInterrupt
        self.add("interrupted" if number == signal.SIGINT else signal.Signals(number).name)
