"""A short seeded run of every fuzz target over its corpus and some hundred mutations of it."""

from __future__ import annotations

import pytest

from tests.fuzz import mutation, target_documents
from tests.fuzz.targets import TARGETS, corpus

SEED = 20261121


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_and_its_mutations_break_no_property(name: str) -> None:
    seeds = corpus(name)
    assert seeds, "a target without a corpus"
    for data in seeds:
        mutation.tried(TARGETS[name], data)
    assert mutation.run(TARGETS[name], seeds, SEED, count=300, seconds=0.6) > 0


def test_every_byte_of_an_audit_trail_counts() -> None:
    trail, head = target_documents.trail()
    assert target_documents.verified(trail, head).ok
    for place, byte in enumerate(trail):
        for other in (byte ^ 1, byte ^ 0x20, 0x0A, 0x20):
            if other != byte:
                edited = trail[:place] + bytes([other]) + trail[place + 1 :]
                assert not target_documents.verified(edited).ok, (place, other)
        assert not target_documents.verified(trail[:place]).ok, place
        assert not target_documents.verified(trail[:place] + trail[place + 1 :]).ok, place
