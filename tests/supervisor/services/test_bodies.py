"""What an answer unpacks to, against what was received."""

from __future__ import annotations

import random
import zlib

import pytest

from llmspell.errors import OperationFailed
from llmspell.supervisor.services.bodies import STEP, Unpacker


def unpacked(data: bytes) -> int:
    packed = zlib.compress(data, 9)
    unpacker = Unpacker("deflate")
    sizes = [len(piece) for piece in unpacker.feed(packed)]
    unpacker.finish()
    assert max(sizes) <= STEP
    return sum(sizes)


def test_NW_28_the_ratio_of_what_is_unpacked_is_bounded() -> None:
    assert unpacked(b"\0" * 1_000_000) == 1_000_000, "the first MiB may be of any ratio"
    assert unpacked(random.Random(5).randbytes(3_000_000)) == 3_000_000
    with pytest.raises(OperationFailed, match="far more than was sent"):
        unpacked(b"\0" * 3_000_000)
