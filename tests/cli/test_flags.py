"""The quick reading of a command line says what `argparse` says, or leaves it to `argparse`."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmspell.cli.flags import RUN, read_plain
from llmspell.cli.parsers import parse
from llmspell.errors import UsageError

WORDS = st.one_of(
    st.sampled_from([flag.name for flag in RUN]),
    st.sampled_from([f"{flag.name}=v" for flag in RUN]),
    st.sampled_from([flag.name[:-1] for flag in RUN]),
    st.sampled_from(
        [
            "a.lua",
            "-",
            "--",
            "-1",
            "-x",
            "",
            "json",
            "text",
            "K=V",
            "--output=json",
            "-a b",
            "=",
            "a b",
        ]
    ),
    st.text(max_size=5),
)


@given(st.lists(WORDS, max_size=7))
@example(["a.lua"])
@example(["a.lua", "--output", "json", "--allow-read", "x", "--allow-read=y", "--check"])
@example(["--limit", "-1", "a.lua"])
@example(["--audit=", "-"])
@example(["--check=yes", "a.lua"])
def test_it_equals_argparse(words: list[str]) -> None:
    quick = read_plain(words, RUN, "spell")
    if quick is None:
        return
    assert vars(quick) == vars(parse("run", words))


@pytest.mark.parametrize(
    "words",
    [
        ["a.lua"],
        ["--profile", "high", "a.lua", "--param", "n=1", "--param", "m=2"],
        ["a.lua", "--output=json", "--audit", "x.jsonl", "--log-level", "warn", "--check"],
        ["-", "--engine", "lua", "--grant-requested", "--allow-degraded"],
    ],
)
def test_what_people_write_is_read_quickly(words: list[str]) -> None:
    quick = read_plain(words, RUN, "spell")
    assert quick is not None
    assert vars(quick) == vars(parse("run", words))


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["a", "b"],
        ["--prof", "low", "a"],
        ["--help"],
        ["a", "--output", "xml"],
        ["a", "--audit"],
    ],
)
def test_what_is_unusual_is_left_to_argparse(words: list[str]) -> None:
    assert read_plain(words, RUN, "spell") is None


def test_lists_are_not_shared_between_command_lines() -> None:
    first = read_plain(["a", "--limit", "memory=1GiB"], RUN, "spell")
    second = read_plain(["a"], RUN, "spell")
    assert first is not None and second is not None
    assert (first.limit, second.limit) == (["memory=1GiB"], [])


def test_a_mistake_is_still_explained() -> None:
    with pytest.raises(UsageError, match="invalid choice"):
        parse("run", ["a", "--output", "xml"])
