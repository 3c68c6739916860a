"""KX: two workers that speak by locks on a page of a file that both have in memory.

Every process maps the C library, whatever it may open: a lock that is not private to the process is
found by the file and the place in it, across users, namespaces and roots. As in test_kernel.py a
refusal is EPERM, told to the caller alone.
"""

from __future__ import annotations

import errno
import subprocess
import time
from collections.abc import Callable

import pytest

from llmspell.channel.framing import frame
from tests.adversarial.placed import STARTS, attack, outside, placed
from tests.adversarial.proof import Control
from tests.adversarial.test_kernel import number
from tests.attackers import build
from tests.platform.test_zygote import receive

WAIT = f"wait={number('futex')},code,0,at-code,0"
WAKE = f"wake={number('futex')},code,1,1"
PRIVATE_WAKE = f"wake={number('futex')},code,129,1"


def woken(wake: Callable[[], object], is_over: Callable[[], bool]) -> bool:
    """Wakes again and again, until the one who waits went on; not for long."""
    until = time.monotonic() + 10
    while not is_over() and time.monotonic() < until:
        wake()
    return is_over()


@pytest.fixture(scope="module")
def heard_outside() -> bool:
    """Whether a process without confinement wakes another of its kind."""
    with subprocess.Popen(
        [build.program("kernel"), "free", WAIT], stdout=subprocess.PIPE
    ) as waiter:
        try:
            early = waiter.poll() is not None
            went_on = woken(lambda: outside("kernel", [WAKE]), lambda: waiter.poll() is not None)
            return went_on and not early
        finally:
            waiter.kill()


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("profile", ["medium", "high"])
def test_KX_71_no_lock_is_shared_with_another_process(
    profile: str, start: str, heard_outside: bool, control: Control
) -> None:
    control(heard_outside)
    with placed("kernel", [WAIT], profile, start) as (_, channel, _achieved):
        channel.sendall(frame(b'{"type":"run"}'))
        waited = receive(channel)
    assert waited is not None and waited["value"] == {"wait": errno.EPERM}
    told = attack("kernel", [WAKE, PRIVATE_WAKE.replace("wake", "own")], profile, start)
    assert told.acts == {"wake": errno.EPERM, "own": 0}
