"""The kernel's share of the fence: no connect to other TCP ports, no listening, no new rights.

Audit events see this interpreter only; a library's native code would pass them by. Landlock (from
ABI 4, Linux 6.7) holds it to the configured providers' ports, which is coarser than hosts and not
to be passed by. Sources: landlock(7), linux/landlock.h, prctl(2).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from typing import Any, Final

_CREATE_RULESET: Final = 444
_ADD_RULE: Final = 445
_RESTRICT_SELF: Final = 446
_VERSION_FLAG: Final = 1
_NET_ABI: Final = 4
_RULE_NET_PORT: Final = 2
_BIND_TCP: Final = 1
_CONNECT_TCP: Final = 2
_PR_SET_DUMPABLE: Final = 4
_PR_SET_NO_NEW_PRIVS: Final = 38

NAME_SERVER_PORT: Final = 53
"""Name servers answer by TCP what does not fit a datagram."""


class _Ruleset(ctypes.Structure):
    _fields_ = (("handled_access_fs", ctypes.c_uint64), ("handled_access_net", ctypes.c_uint64))


class _PortRule(ctypes.Structure):
    _fields_ = (("allowed_access", ctypes.c_uint64), ("port", ctypes.c_uint64))


def hide_memory() -> None:
    """Nobody of the same user reads this process's memory, where keys are, or its core."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def hold_to_ports(ports: Iterable[int]) -> bool:
    """Closes every other TCP port to this thread and those it starts; whether the kernel can."""
    library = ctypes.CDLL(None, use_errno=True)
    library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    abi = _call(library, _CREATE_RULESET, None, ctypes.c_size_t(0), ctypes.c_uint(_VERSION_FLAG))
    if abi < _NET_ABI:
        return False
    wanted = _Ruleset(0, _BIND_TCP | _CONNECT_TCP)
    size = ctypes.c_size_t(ctypes.sizeof(wanted))
    ruleset = _call(library, _CREATE_RULESET, ctypes.byref(wanted), size, ctypes.c_uint(0))
    if ruleset < 0:
        return False
    try:
        for port in {*ports, NAME_SERVER_PORT}:
            rule = _PortRule(_CONNECT_TCP, port)
            kind, flags = ctypes.c_int(_RULE_NET_PORT), ctypes.c_uint(0)
            if _call(library, _ADD_RULE, ctypes.c_int(ruleset), kind, ctypes.byref(rule), flags):
                return False
        return _call(library, _RESTRICT_SELF, ctypes.c_int(ruleset), ctypes.c_uint(0)) == 0
    finally:
        os.close(ruleset)


def _call(library: Any, number: int, *args: Any) -> int:
    return int(library.syscall(ctypes.c_long(number), *args))
