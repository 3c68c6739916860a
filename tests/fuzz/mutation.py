"""Inputs without atheris: what is in the corpus, changed a little, by a seeded chance."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from typing import Final

from tests.fuzz.targets import Target

PIECES: Final = (
    *(b'"', b"[", b"]", b"{", b"}", b"\\", b"/", b"..", b"*", b"**", b"?", b":", b"@", b"%", b"#"),
    *(b"\0", b"\r\n", b"\n", b"\xff", b"\xc3", b"\xe2\x80\x8d", b"\xef\xbc\x8e", b"\xed\xa0\x80"),
    *(b"\\ud83d", b"1e999", b"NaN", b"-0", b"9007199254740993", b"0x7f", b"127.1", b"::ffff:"),
    *(b"{{", b"}}", b"{{#each ", b"{{/each}}", b'{"$bytes":""}', b'{"$callback":1}', b"null"),
    *(b"1" * 5000, b"[" * 60, b"a" * 300, b"=", b",", b" ", b"\t", b"-", b"+", b".", b"xn--"),
)
"""What parsers trip over."""

LONGEST: Final = 20_000
"""Bytes of the longest input."""


def mutate(chance: random.Random, seeds: Sequence[bytes]) -> bytes:
    """One seed, or two joined, with up to eight changes."""
    data = bytearray(chance.choice(seeds) if seeds else b"")
    if seeds and chance.random() < 0.2:
        other = chance.choice(seeds)
        cut = chance.randrange(len(data) + 1)
        data[cut:] = other[chance.randrange(len(other) + 1) :]
    for _ in range(chance.randint(0, 8)):
        place = chance.randrange(len(data) + 1)
        kind = chance.randrange(5)
        if kind == 0 and place < len(data):
            data[place] = chance.randrange(256)
        elif kind == 1:
            del data[place : place + chance.randint(1, 9)]
        elif kind == 2:
            data[place:place] = data[place : place + chance.randint(1, 40)]
        elif kind == 3 and place < len(data):
            data[place] ^= 1 << chance.randrange(8)
        else:
            data[place:place] = chance.choice(PIECES)
    if chance.random() < 0.5 and len(data) > 4 and data[2:4] == b"\0\0":
        # A frame: a right length lets the changes of its body be reached.
        data[:4] = (len(data) - 4).to_bytes(4, "little")
    return bytes(data[:LONGEST])


def run(
    target: Target, seeds: Sequence[bytes], seed: int, *, count: int = 1 << 60, seconds: float
) -> int:
    """Tries mutated inputs until so many or so long; how many. The input is told of in a note."""
    chance = random.Random(seed)
    end = time.monotonic() + seconds
    done = 0
    while done < count and time.monotonic() < end:
        tried(target, mutate(chance, seeds))
        done += 1
    return done


def tried(target: Target, data: bytes) -> None:
    """One input; whatever it raises says by which bytes."""
    try:
        target(data)
    except BaseException as error:
        error.add_note(f"{target.__name__} of {data!r}")
        raise
