"""Runs a filter program in software, so that tests can ask it about calls nobody dares to make.

Source: seccomp(2) and the kernel's Documentation/networking/filter.rst. Only the instructions that
seccomp admits are known; anything else is an error, never a verdict.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final

AUDIT_ARCH: Final = {
    "x86_64": 0xC000_003E,
    "i386": 0x4000_0003,
    "aarch64": 0xC000_00B7,
    "arm": 0x4000_0028,
}
X32: Final = 0x4000_0000
"""Bit that marks a system call number as one of the x32 ABI."""

ALLOW: Final = 0x7FFF_0000
KILL_PROCESS: Final = 0x8000_0000
_ERRNO: Final = 0x0005_0000

_MASK: Final = 0xFFFF_FFFF
_MAX_INSTRUCTIONS: Final = 4096


def errno(number: int) -> int:
    """The action that makes a call fail with this error."""
    return _ERRNO | number


class BadProgramError(ValueError):
    """The bytes are no filter that the kernel would take."""


def evaluate(
    program: bytes, number: int, arguments: Sequence[int] = (), arch: str = "x86_64"
) -> int:
    """The action for a call: 32 bits, high half the kind, low half its data.

    Arguments are taken modulo 2^64. Raises BadProgramError.
    """
    padded = [value & (1 << 64) - 1 for value in (*arguments, 0, 0, 0, 0, 0, 0)][:6]
    data = struct.pack("<iIQ6Q", _signed(number), AUDIT_ARCH[arch], 0, *padded)
    if not program or len(program) % 8 or len(program) // 8 > _MAX_INSTRUCTIONS:
        raise BadProgramError(f"{len(program)} bytes")
    code = list(struct.iter_unpack("<HBBI", program))
    return _run(code, data)


def _run(code: list[tuple[int, ...]], data: bytes) -> int:
    accumulator = index = 0
    scratch = [0] * 16
    at = 0
    while at < len(code):
        operation, jump_true, jump_false, operand = code[at]
        at += 1
        match operation:
            case 0x06:  # return a constant
                return operand
            case 0x16:  # return the accumulator
                return accumulator
            case 0x20:  # load a word of the call
                if operand % 4 or operand > len(data) - 4:
                    raise BadProgramError(f"load from {operand}")
                accumulator = int(struct.unpack_from("<I", data, operand)[0])
            case 0x00:
                accumulator = operand
            case 0x01:
                index = operand
            case 0x60:
                accumulator = scratch[_slot(operand)]
            case 0x61:
                index = scratch[_slot(operand)]
            case 0x02:
                scratch[_slot(operand)] = accumulator
            case 0x03:
                scratch[_slot(operand)] = index
            case 0x07:
                index = accumulator
            case 0x87:
                accumulator = index
            case 0x05:  # jump always
                at += operand
            case _:
                # Source of the second operand: bit 3 says the index register.
                other = index if operation & 0x08 else operand
                kind = operation & ~0x08
                if operation & 0x07 == 0x05:
                    at += jump_true if _compare(kind, accumulator, other) else jump_false
                else:
                    accumulator = _compute(kind, accumulator, other)
    raise BadProgramError("it runs past its end")


def _signed(number: int) -> int:
    number &= _MASK
    return number - (1 << 32) if number >> 31 else number


def _slot(operand: int) -> int:
    if operand > 15:
        raise BadProgramError(f"scratch slot {operand}")
    return operand


def _compare(kind: int, left: int, right: int) -> bool:
    match kind:
        case 0x15:
            return left == right
        case 0x25:
            return left > right
        case 0x35:
            return left >= right
        case 0x45:
            return left & right != 0
    raise BadProgramError(f"instruction {kind:#x}")


def _compute(kind: int, left: int, right: int) -> int:
    match kind:
        case 0x04:
            return (left + right) & _MASK
        case 0x14:
            return (left - right) & _MASK
        case 0x54:
            return left & right
        case 0x44:
            return left | right
        case 0xA4:
            return left ^ right
        case 0x64:
            return (left << right) & _MASK if right < 32 else 0
        case 0x74:
            return left >> right if right < 32 else 0
    raise BadProgramError(f"instruction {kind:#x}")
