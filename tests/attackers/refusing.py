"""`refusing.py CALL=ERRNO[,CALL=ERRNO…] -- PROGRAM ARGUMENT…`: a machine that refuses system calls.

As a container's seccomp profile does it (EPERM) or an old kernel (ENOSYS). `prctl:38=22` refuses a
call by its first argument. Raw BPF: it must work for a user that has only the wheel.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
import sys
from typing import Final

CALLS: Final[dict[str, dict[str, int]]] = {
    "x86_64": {
        "mount": 165,
        "unshare": 272,
        "clone3": 435,
        "pivot_root": 155,
        "seccomp": 317,
        "prctl": 157,
        "landlock_create_ruleset": 444,
        "landlock_restrict_self": 446,
        "capset": 126,
        "setgroups": 116,
        "setresuid": 117,
        "setresgid": 119,
        "prlimit64": 302,
        "setrlimit": 160,
        "close_range": 436,
        "setsid": 112,
        "pidfd_open": 434,
        "memfd_create": 319,
    },
    "aarch64": {
        "mount": 40,
        "unshare": 97,
        "clone3": 435,
        "pivot_root": 41,
        "seccomp": 277,
        "prctl": 167,
        "landlock_create_ruleset": 444,
        "landlock_restrict_self": 446,
        "capset": 91,
        "setgroups": 159,
        "setresuid": 147,
        "setresgid": 149,
        "prlimit64": 261,
        "setrlimit": 164,
        "close_range": 436,
        "setsid": 157,
        "pidfd_open": 434,
        "memfd_create": 279,
    },
}
_LOAD: Final = 0x20  # BPF_LD | BPF_W | BPF_ABS
_EQUAL: Final = 0x15  # BPF_JMP | BPF_JEQ | BPF_K
_RETURN: Final = 0x06
_ALLOW: Final = 0x7FFF0000
_ERRNO: Final = 0x00050000


def filter_of(refused: str) -> bytes:
    """The program for `CALL[:ARGUMENT]=ERRNO,…`; CALL and ERRNO are names or numbers."""
    numbers = CALLS[os.uname().machine]
    code = b""
    for item in filter(None, refused.split(",")):
        what, _, why = item.partition("=")
        call, _, argument = what.partition(":")
        error = int(why) if why.isdigit() else getattr(errno, why)
        number = int(call) if call.isdigit() else numbers[call]
        answer = _op(_RETURN, 0, 0, _ERRNO | error)
        if argument:
            code += _op(_LOAD, 0, 0, 0) + _op(_EQUAL, 0, 3, number)
            code += _op(_LOAD, 0, 0, 16) + _op(_EQUAL, 0, 1, int(argument)) + answer
        else:
            code += _op(_LOAD, 0, 0, 0) + _op(_EQUAL, 0, 1, number) + answer
    return code + _op(_RETURN, 0, 0, _ALLOW)


def _op(code: int, yes: int, no: int, value: int) -> bytes:
    return struct.pack("<HBBI", code, yes, no, value)


def install(refused: str) -> None:
    """Refuses the calls from now on, here and in every child."""
    libc = ctypes.CDLL(None, use_errno=True)
    program = filter_of(refused)
    held = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("<HxxxxxxQ", len(program) // 8, ctypes.addressof(held))
    # Root needs no no-new-privs for a filter, and the programs under test shall meet their own.
    if libc.prctl(22, 2, head, 0, 0) and (
        libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, head, 0, 0)
    ):
        raise OSError(ctypes.get_errno(), "the filter is not taken")


if __name__ == "__main__":
    install(sys.argv[1])
    os.execvp(sys.argv[3], sys.argv[3:])
