"""Requests as spells write them (TRT-034, TRT-035)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell.errors import InvalidInput
from llmspell.llm import counting
from llmspell.llm.requests import (
    CALLS_MAX,
    MESSAGES_MAX,
    PARTS_MAX,
    SCHEMA_DEPTH,
    TEXT_MAX,
    TOOLS_MAX,
    check_calls,
    check_request,
    check_schema,
    last_user_text,
)


def test_a_prompt_is_a_user_message_after_the_system_one() -> None:
    request = check_request({"prompt": "hello", "system": "be brief"})
    assert request["messages"] == [
        {"role": "system", "content": "be brief"},
        {"role": "user", "content": "hello"},
    ]


@pytest.mark.parametrize(
    ("named", "role"),
    [("developer", "system"), ("human", "user"), ("Assistant", "assistant"), ("USER", "user")],
)
def test_TRT_034_roles_have_their_common_other_names(named: str, role: str) -> None:
    (message,) = check_request({"messages": [{"role": named, "content": "x"}]})["messages"]
    assert message["role"] == role


def test_TRT_034_images_come_as_url_as_bytes_as_base64_and_in_the_common_shape() -> None:
    parts = [
        {"type": "text", "text": "look"},
        {"type": "image", "data": b"\x89PNG", "mime_type": "image/png"},
        {"type": "image", "data": "iVBORw=="},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
    ]
    (message,) = check_request({"messages": [{"role": "user", "content": parts}]})["messages"]
    urls = [part.get("url") for part in message["content"]]
    inline = "data:image/png;base64,iVBORw=="
    assert urls == [None, inline, inline, "https://example.com/a.png"]


def test_tool_calls_are_taken_in_the_common_shape_too() -> None:
    function = {"name": "calculator", "arguments": '{"expression": "1"}'}
    calls = check_calls([{"id": "a", "type": "function", "function": function}], "x")
    assert calls == [{"id": "a", "name": "calculator", "arguments": {"expression": "1"}}]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, "messages or prompt is missing"),
        ({"messages": []}, "list of messages"),
        ({"prompt": "x", "system": 3}, "system is a text"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "role is"),
        ({"messages": [{"role": "user"}]}, "content is"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "tool_call_id"),
        ({"messages": [3]}, "is an object"),
        ({"messages": ["x"] * (MESSAGES_MAX + 1)}, "over"),
        ({"prompt": "x" * (TEXT_MAX + 1)}, "over"),
        ({"messages": ["x" * (TEXT_MAX // 2)] * 3}, "over"),
        ({"prompt": ["x"] * (PARTS_MAX + 1)}, "over"),
        ({"prompt": [{"type": "video"}]}, "text or image"),
        ({"prompt": [{"type": "image"}]}, "either url or data"),
        ({"prompt": [{"type": "image", "url": "file:///etc/passwd"}]}, "http"),
        ({"prompt": [{"type": "image", "data": "?!"}]}, "base64"),
        ({"prompt": [{"type": "image", "data": b"x", "mime_type": "text/html"}]}, "mime_type"),
        ({"prompt": "x", "temperature": 3}, "temperature"),
        ({"prompt": "x", "temperature": True}, "temperature"),
        ({"prompt": "x", "max_tokens": 0}, "max_tokens"),
        ({"prompt": "x", "stop": ["a"] * 17}, "stop"),
        ({"prompt": "x", "model": "a\nb"}, "model"),
        ({"prompt": "x", "tools": [{"name": "a"}, {"name": "a"}]}, "twice"),
        ({"prompt": "x", "tools": [{"name": "a"}] * (TOOLS_MAX + 1)}, "at most"),
        ({"prompt": "x", "tools": [{"name": "a"}], "tool_choice": "b"}, "tool_choice"),
        ({"prompt": "x", "schema": "object"}, "schema"),
    ],
    ids=lambda value: str(value)[:40] if isinstance(value, str) else "",
)
def test_what_is_wrong_is_named(given: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as caught:
        check_request(given)
    assert caught.value.code == 2002


def test_schemas_are_bounded_in_depth_and_size() -> None:
    deep: dict[str, Any] = {"type": "integer"}
    for _ in range(SCHEMA_DEPTH + 1):
        deep = {"items": deep}
    with pytest.raises(InvalidInput, match="nested deeper"):
        check_schema(deep, "schema")
    with pytest.raises(InvalidInput, match="bytes"):
        check_schema({"enum": ["x" * 100] * 1_000}, "schema")


def test_calls_are_bounded() -> None:
    with pytest.raises(InvalidInput, match="at most"):
        check_calls([{"name": "a"}] * (CALLS_MAX + 1), "x")
    with pytest.raises(InvalidInput, match="no JSON"):
        check_calls([{"name": "a", "arguments": "{"}], "x")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5) | st.binary(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["role", "content", "type", "text", "url", "data", "tool_calls", "name"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["messages", "prompt", "tools", "stop", "schema"]), JSON))
def test_anything_at_all_is_either_refused_typed_or_in_one_form(given: dict[str, Any]) -> None:
    try:
        request = check_request(given)
    except InvalidInput:
        return
    again = check_request(
        {key: value for key, value in request.items() if key not in ("tool_choice",)}
    )
    assert again == request, "the form is a fixed point"
    assert counting.reserved_input(request) >= 0
    assert isinstance(last_user_text(request), str)


def test_reservations_are_never_below_what_fake_counts() -> None:
    for text in ("", "a", "hello world", "ä" * 50, "漢字" * 20):
        request = check_request({"messages": [{"role": "user", "content": text}]})
        assert counting.reserved_input(request) >= counting.input_tokens(request)
