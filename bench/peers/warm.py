"""The peers that stay, each made at first use and ended with the benchmark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Protocol, TypeVar

from bench.peers.monty import Monty
from bench.peers.quickjs import QuickJs
from bench.peers.wrappers import LlmSandbox


class Closing(Protocol):
    """What a peer that stays has in common."""

    def close(self) -> None:
        """Ends it."""


P = TypeVar("P", bound=Closing)


class WarmPeers:
    """`monty()`, `quickjs()` and `llm_sandbox()` give the peer, or raise `Unavailable`."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self.monty = self._lazily(Monty)
        self.quickjs = self._lazily(QuickJs)
        self.llm_sandbox = self._lazily(LlmSandbox)

    def _lazily(self, make: Callable[[], P]) -> Callable[[], P]:
        made: list[P] = []

        def get() -> P:
            if not made:
                made.append(make())
                self._stack.callback(made[0].close)
            return made[0]

        return get


@contextmanager
def warm_peers() -> Iterator[WarmPeers]:
    """The peers for the length of a benchmark."""
    with ExitStack() as stack:
        yield WarmPeers(stack)
