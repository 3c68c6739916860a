"""The built-in provider: echo, mock-model, test-model, answers by schema (API-118, LLM-016)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell.llm import counting
from llmspell.llm.fake import FakeProvider
from llmspell.llm.requests import check_request
from llmspell.llm.sample import sample
from llmspell.tools.data.json_schema import Validator

CALCULATOR = {"name": "calculator", "description": "computes", "parameters": {"type": "object"}}


def ask(given: dict[str, Any], model: str = "echo", chunks: list[str] | None = None) -> Any:
    async def hear(piece: str) -> None:
        assert chunks is not None
        chunks.append(piece)

    request = {**check_request(given), "model": model}
    listener = None if chunks is None else hear
    return asyncio.run(FakeProvider().complete(request, 1.0, listener))


def test_echo_says_what_the_user_said_and_counts_it() -> None:
    reply = ask({"prompt": "hello world"})
    assert (reply["content"], reply["finish_reason"], reply["cost"]) == ("hello world", "stop", 0)
    usage = reply["usage"]
    assert usage["total_tokens"] == usage["input_tokens"] + usage["output_tokens"] > 0


def test_echo_keeps_to_max_tokens() -> None:
    reply = ask({"prompt": "ä" * 100, "max_tokens": 3})
    assert (reply["content"], reply["finish_reason"]) == ("ä" * 6, "length")
    assert reply["usage"]["output_tokens"] == 3


def test_API_118_test_model_greets() -> None:
    assert ask({"prompt": "anything"}, "test-model")["content"] == "Hello from test model"


def test_API_118_mock_model_uses_the_calculator_and_says_its_result() -> None:
    question = {"role": "user", "content": "What is 15 + 27?"}
    first = ask({"messages": [question], "tools": [CALCULATOR]}, "mock-model")
    (call,) = first["tool_calls"]
    assert (call["name"], call["arguments"]) == ("calculator", {"expression": "15 + 27"})
    assert first["finish_reason"] == "tool_calls"
    answered = [
        question,
        {"role": "assistant", "tool_calls": first["tool_calls"]},
        {"role": "tool", "tool_call_id": call["id"], "content": '{"result": 42}'},
    ]
    second = ask({"messages": answered, "tools": [CALCULATOR]}, "mock-model")
    assert second["content"] == "15 + 27 = 42" and not second["tool_calls"]


def test_API_118_mock_model_without_the_calculator_echoes() -> None:
    assert ask({"prompt": "What is 15 + 27?"}, "mock-model")["content"] == "What is 15 + 27?"


def test_streamed_pieces_make_up_the_text() -> None:
    chunks: list[str] = []
    reply = ask({"prompt": "one two  three"}, chunks=chunks)
    assert chunks == ["one ", "two  ", "three"] and "".join(chunks) == reply["content"]


def test_embeddings_are_the_same_for_the_same_text_and_near_for_shared_words() -> None:
    texts = ["the cat sat", "the cat sat", "the cat ran", "quarterly revenue"]
    first, same, near, far = asyncio.run(FakeProvider().embed("m", texts, 1.0))["vectors"]

    def likeness(a: list[float], b: list[float]) -> float:
        return sum(x * y for x, y in zip(a, b, strict=True))

    assert first == same and likeness(first, near) > likeness(first, far)


SCHEMAS = st.recursive(
    st.sampled_from(
        [
            {"type": "string"},
            {"type": "string", "minLength": 7, "maxLength": 9},
            {"type": "string", "format": "email"},
            {"type": "integer", "minimum": 3},
            {"type": "number", "maximum": -1},
            {"type": "integer", "exclusiveMinimum": 5},
            {"type": "boolean"},
            {"type": "null"},
            {"enum": ["a", "b"]},
            {"const": 4},
        ]
    ),
    lambda inner: (
        st.builds(
            lambda names, each, required: {
                "type": "object",
                "properties": dict.fromkeys(names, each),
                "required": sorted(names)[:required],
                "additionalProperties": False,
            },
            st.sets(st.sampled_from("abc"), min_size=1),
            inner,
            st.integers(0, 3),
        )
        | st.builds(lambda each: {"type": "array", "items": each, "minItems": 2}, inner)
        | st.builds(lambda each: {"anyOf": [each, {"type": "string"}]}, inner)
        | st.builds(lambda each: {"$defs": {"it": each}, "allOf": [each]}, inner)
    ),
    max_leaves=6,
)


@given(SCHEMAS)
def test_LLM_013_a_sampled_answer_fits_its_schema(schema: dict[str, Any]) -> None:
    assert Validator(schema).failures(sample(schema)) == []


def test_a_schema_that_doubles_at_every_level_ends() -> None:
    schema: dict[str, Any] = {"type": "object", "required": ["a", "b"]}
    schema["properties"] = {"a": {"$ref": "#"}, "b": {"$ref": "#"}}
    assert isinstance(sample(schema), dict)


@pytest.mark.parametrize("schema", [True, 3, {"type": "strange"}, {"$ref": "#/none"}])
def test_what_no_value_is_known_for_is_none(schema: Any) -> None:
    assert sample(schema) is None


def test_an_echo_ends_at_a_stop_word() -> None:
    request = check_request({"prompt": "a b STOP c END", "stop": ["END", "STOP"]})
    reply = asyncio.run(FakeProvider().complete({**request, "model": "echo"}, 1.0, None))
    assert (reply["content"], reply["finish_reason"]) == ("a b ", "stop")
    assert reply["usage"]["output_tokens"] < counting.estimate("a b STOP c END")
