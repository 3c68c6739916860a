"""Scripted turns: what a model says, and loud failure where the conversation departs."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest

from llmspell.errors import ConfigurationError
from llmspell.llm.failures import ModelFailure
from llmspell.llm.fake import FakeProvider
from llmspell.llm.requests import check_request
from llmspell.llm.script import Script

TOML = """
[[turn]]
text = "first"
chunks = ["fi", "rst"]
usage = { input_tokens = 3, output_tokens = 4 }
cost = 0.5
[turn.expect]
user = "one"

[[turn]]
tool_calls = [{ name = "calculator", arguments = { expression = "1+1" } }]
[turn.expect]
contains = ["two"]
tools = ["calculator"]

[[turn]]
structured = { answer = 42 }

[[turn]]
error = { kind = "rate_limit", retry_after = 2 }

[[turn]]
error = "unavailable"

[[turn]]
text = "late"
delay = 0.05
"""


def script(folder: Path, text: str, name: str = "script.toml") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def ask(fake: FakeProvider, prompt: str, chunks: list[str] | None = None, **more: Any) -> Any:
    async def hear(piece: str) -> None:
        assert chunks is not None
        chunks.append(piece)

    request = {**check_request({"prompt": prompt, **more}), "model": "m"}
    return asyncio.run(fake.complete(request, 1.0, None if chunks is None else hear))


def test_every_kind_of_turn(tmp_path: Path) -> None:
    fake = FakeProvider(script(tmp_path, TOML))
    chunks: list[str] = []
    first = ask(fake, "one", chunks)
    assert (first["content"], chunks, first["cost"]) == ("first", ["fi", "rst"], 0.5)
    assert first["usage"] == {"input_tokens": 3, "output_tokens": 4, "total_tokens": 7}
    second = ask(fake, "number two", tools=[{"name": "calculator"}])
    assert second["tool_calls"][0]["arguments"] == {"expression": "1+1"}
    assert second["finish_reason"] == "tool_calls"
    assert ask(fake, "three")["structured"] == {"answer": 42}
    for kind, after, code in (("rate_limit", 2.0, 6006), ("unavailable", None, 6008)):
        with pytest.raises(ModelFailure) as caught:
            ask(fake, "again")
        failure = caught.value
        assert (failure.kind, failure.retry_after, failure.code) == (kind, after, code)
    assert fake.unfinished() is not None
    begun = time.monotonic()
    assert ask(fake, "five")["content"] == "late"
    assert time.monotonic() - begun >= 0.05
    assert fake.unfinished() is None


@pytest.mark.parametrize(
    ("expect", "given", "expected", "got"),
    [
        ('user = "this"', {"prompt": "that"}, "'this'", "'that'"),
        ('contains = "pear"', {"prompt": "apple"}, "'pear'", "'apple'"),
        ('tools = ["calculator"]', {"prompt": "x"}, "calculator", "tools []"),
        ('model = "other"', {"prompt": "x"}, "model other", "model m"),
    ],
)
def test_a_departure_shows_what_was_expected_and_what_came(
    tmp_path: Path, expect: str, given: dict[str, Any], expected: str, got: str
) -> None:
    fake = FakeProvider(script(tmp_path, f'[[turn]]\ntext = "x"\n[turn.expect]\n{expect}\n'))
    with pytest.raises(ModelFailure) as caught:
        ask(fake, **given)
    error = caught.value
    assert error.kind == "script" and not error.recoverable
    assert expected in error.message and got in error.message and "script.toml" in error.message


def test_turns_that_run_out_and_turns_that_remain_are_departures(tmp_path: Path) -> None:
    fake = FakeProvider(script(tmp_path, '[[turn]]\ntext = "only"\n'))
    remaining = fake.unfinished()
    assert remaining is not None and "'only'" in remaining.message
    ask(fake, "one")
    with pytest.raises(ModelFailure, match=r"its 1 turns are over.*'two'"):
        ask(fake, "two")


def test_in_any_order_a_request_takes_the_turn_that_fits(tmp_path: Path) -> None:
    text = 'order = "any"\n' + "".join(
        f'[[turn]]\ntext = "for {name}"\n[turn.expect]\ncontains = "{name}"\n' for name in "ab"
    )
    fake = FakeProvider(script(tmp_path, text))
    assert [ask(fake, name)["content"] for name in "ba"] == ["for b", "for a"]


def test_jsonl_is_a_turn_a_line(tmp_path: Path) -> None:
    lines = [{"text": "one"}, {"text": "two", "expect": {"user": "b"}}]
    path = script(tmp_path, "\n".join(map(json.dumps, lines)), "turns.jsonl")
    fake = FakeProvider(path)
    assert [ask(fake, prompt)["content"] for prompt in ("a", "b")] == ["one", "two"]


def test_chunks_by_number_make_up_the_text(tmp_path: Path) -> None:
    fake = FakeProvider(script(tmp_path, '[[turn]]\ntext = "abcdefg"\nchunks = 3\n'))
    chunks: list[str] = []
    ask(fake, "x", chunks)
    assert chunks == ["abc", "def", "g"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "from 1 to"),
        ("[[turn]]\n", "says none of"),
        ('[[turn]]\ntext = "x"\nstrange = 1\n', "'strange' is unknown"),
        ('[[turn]]\nerror = "strange"\n', "error.kind"),
        ('[[turn]]\ntext = "x"\nchunks = ["y"]\n', "chunks"),
        ('[[turn]]\ntext = "x"\ndelay = -1\n', "delay"),
        ('[[turn]]\ntext = "x"\nexpect = { strange = 1 }\n', "expect"),
        ("[[turn]]\ntool_calls = [{ arguments = {} }]\n", "tool_calls"),
        ('name = "x"\n[[turn]]\ntext = "x"\n', "nothing else"),
        ("[[turn]\n", "script.toml"),
    ],
)
def test_a_script_that_is_wrong_says_where(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        Script.load(script(tmp_path, text))


def test_a_script_that_everybody_may_write_is_not_read(tmp_path: Path) -> None:
    path = script(tmp_path, TOML)
    Path(path).chmod(0o666)
    with pytest.raises(ConfigurationError, match="everybody may write"):
        Script.load(path)
