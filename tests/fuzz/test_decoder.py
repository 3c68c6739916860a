"""A short seeded run of the decoder's fuzz target."""

from __future__ import annotations

from .decoder import SAMPLES, check, run_for


def test_the_samples_themselves_are_taken() -> None:
    for sample in SAMPLES:
        check(sample)


def test_mutated_frames_end_in_messages_or_a_violation() -> None:
    assert run_for(3.0, seed=20261121) > 1000
