"""Record and replay by canonical request."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest

from llmspell.errors import ConfigurationError
from llmspell.llm.cassette import Cassette, Recorded, Replayed, canonical
from llmspell.llm.failures import ModelFailure
from llmspell.llm.fake import FakeProvider
from llmspell.llm.requests import check_request


def request(prompt: str, **more: Any) -> dict[str, Any]:
    return {**check_request({"prompt": prompt, **more}), "provider": "openai", "model": "gpt"}


def record(path: Path, *prompts: str) -> None:
    recorder = Recorded(FakeProvider(), str(path), "openai")
    for prompt in prompts:
        asyncio.run(recorder.complete(request(prompt), 1.0, None))


def test_what_was_recorded_is_replayed_without_the_provider(tmp_path: Path) -> None:
    path = tmp_path / "cassette.jsonl"
    record(path, "one", "two")
    assert os.stat(path).st_mode & 0o777 == 0o600
    replayed = Replayed(Cassette(str(path)), "openai")
    heard: list[str] = []

    async def hear(piece: str) -> None:
        heard.append(piece)

    reply = asyncio.run(replayed.complete(request("two"), 1.0, hear))
    assert reply["content"] == "two" and heard == ["two"]


def test_embeddings_too(tmp_path: Path) -> None:
    path = tmp_path / "cassette.jsonl"
    recorder = Recorded(FakeProvider(), str(path), "openai")
    first = asyncio.run(recorder.embed("m", ["a", "b"], 1.0))
    replayed = Replayed(Cassette(str(path)), "openai")
    assert asyncio.run(replayed.embed("m", ["a", "b"], 1.0)) == first
    with pytest.raises(ModelFailure):
        asyncio.run(replayed.embed("m", ["a"], 1.0))


def test_the_same_request_twice_has_its_replies_in_order(tmp_path: Path) -> None:
    path = tmp_path / "cassette.jsonl"
    key = canonical(request("x"))
    lines = [{"sha256": key, "reply": {"content": text}} for text in ("first", "second")]
    path.write_text("\n".join(map(json.dumps, lines)))
    replayed = Replayed(Cassette(str(path)), "openai")
    said = [asyncio.run(replayed.complete(request("x"), 1, None))["content"] for _ in range(3)]
    assert said == ["first", "second", "second"]


def test_what_was_not_recorded_fails_loudly(tmp_path: Path) -> None:
    path = tmp_path / "cassette.jsonl"
    record(path, "one")
    replayed = Replayed(Cassette(str(path)), "openai")
    with pytest.raises(ModelFailure, match=r"holds no answer of openai/gpt.*'another'") as caught:
        asyncio.run(replayed.complete(request("another"), 1.0, None))
    assert caught.value.kind == "replay"


def test_the_canonical_request_is_what_the_model_is_asked_and_nothing_else() -> None:
    one = request("x", temperature=0.5)
    assert canonical(one) == canonical(dict(reversed(one.items())))
    assert canonical(one) != canonical(request("x"))
    assert canonical(one) != canonical({**one, "model": "other"})


def test_a_link_is_not_written_through(tmp_path: Path) -> None:
    target = tmp_path / "target"
    link = tmp_path / "cassette.jsonl"
    link.symlink_to(target)
    with pytest.raises(ConfigurationError):
        record(link, "one")
    assert not target.exists()


def test_a_broken_cassette_says_which_line(tmp_path: Path) -> None:
    path = tmp_path / "cassette.jsonl"
    path.write_text('{"sha256": "a", "reply": {}}\nnot json\n')
    with pytest.raises(ConfigurationError, match="line 2"):
        Cassette(str(path))
