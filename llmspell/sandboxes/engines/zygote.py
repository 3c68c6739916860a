"""A worker that is none yet: booted up to its first wait for a message, and forked there.

Everything that costs time was done by then: the engine is loaded, the prelude evaluated. Each child
has a channel of its own, confines itself by its own plan, says hello and goes on waiting.
"""

from __future__ import annotations

import gc

from llmspell.sandboxes.engines.confinement import refuse
from llmspell.sandboxes.engines.wire import Wire, leave

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from llmspell.sandboxes.engines.confinement import Confinement
    from llmspell.sandboxes.engines.host import Host


class ZygoteWire(Wire):
    """A channel whose first wait for a message does `fork`, which comes back in each child."""

    __slots__ = ("_fork",)

    def __init__(self, descriptor: int) -> None:
        super().__init__(descriptor)
        self._fork: Callable[[], None] | None = None

    def fork_at_next_wait(self, fork: Callable[[], None]) -> None:
        """Arms it; the zygote's own frames were all taken before."""
        if self._buffer:
            leave(70)
        self._fork = fork

    def recv(self, timeout_ms: float | None = None) -> bytes | None:
        """The next frame, of the child's own channel."""
        fork = self._fork
        if fork is not None:
            self._fork = None
            fork()
        return Wire.recv(self, timeout_ms)


def become_zygote(
    wire: ZygoteWire, host: Host, confinement: Confinement, hello: Callable[[bytes], bytes]
) -> None:
    """Makes this process a zygote, which forks when `host` first waits for a message.

    `hello` makes a worker's first frame of what was achieved. Raises `OSError`.
    """
    plan = wire.recv()
    assert plan is not None
    confinement.load(plan)
    confinement.prepare_zygote()
    wire.fork_at_next_wait(lambda: _begin_child(wire, host, confinement, hello))


def fork_on_order(confinement: Confinement) -> None:
    """Serves orders; comes back in each child. Raises `OSError`."""
    # A page that is written to is no longer shared: the collector would write to every object.
    gc.collect()
    gc.disable()
    gc.freeze()
    confinement.serve_forks()
    gc.enable()


def _begin_child(
    wire: ZygoteWire, host: Host, confinement: Confinement, hello: Callable[[bytes], bytes]
) -> None:
    try:
        fork_on_order(confinement)
        plan = wire.recv()
        assert plan is not None
        confinement.load(plan)
        host.renew(confinement.limit)
        wire.send(hello(confinement.enter()))
    except OSError as failure:
        refuse(failure)
    except BaseException:
        # A host may take an exception for a failure of the spell's, and go on unconfined.
        leave(70)
