"""A short seeded run of every fuzz target over its corpus and some hundred mutations of it."""

from __future__ import annotations

import pytest

from tests.fuzz import mutation
from tests.fuzz.targets import TARGETS, corpus

SEED = 20261121


@pytest.mark.parametrize("name", TARGETS)
def test_the_corpus_and_its_mutations_break_no_property(name: str) -> None:
    seeds = corpus(name)
    assert seeds, "a target without a corpus"
    for data in seeds:
        mutation.tried(TARGETS[name], data)
    assert mutation.run(TARGETS[name], seeds, SEED, count=400, seconds=0.5) >= 10
