"""What `parse_error` makes of errors, in whatever shape they arrive (API-102, ERR-001 … 007)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell.channel.jsontext import Callback
from llmspell.errors import CODES, Denied, InvalidInput, LimitExceeded, OperationFailed
from llmspell.spells.recovery.guide import AREAS, GUIDE
from llmspell.spells.recovery.parsing import TYPES, parse_error
from llmspell.spells.recovery.strategies import TYPES as STRATEGIES

FIELDS = {
    "type": str, "alias": str, "message": str, "code": int, "error_code": str, "category": str,
    "recoverable": bool, "recovery_strategy": str, "recovery_suggestion": str,
    "suggestions": list, "causes": list, "prevention": list,
}  # fmt: skip


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (InvalidInput("agent.chat: message is missing").to_wire(), ("validation_error", 2002)),
        (Denied("denied read x", rule="r", hint="h").to_wire(), ("permission_denied", 4008)),
        (LimitExceeded("wall", "too long").to_wire(), ("timeout", 4004)),
        (LimitExceeded("memory", "too much").to_wire(), ("memory_limit", 4005)),
        (OperationFailed("slow", kind="timeout").to_wire(), ("timeout", 2003)),
        (OperationFailed("again", code=6006).to_wire(), ("rate_limit", 6006)),
        (OperationFailed("the model", code=1009).to_wire(), ("provider_error", 1009)),
        (OperationFailed("no disk", code=2003).to_wire(), ("tool_error", 2003)),
        ({"message": "maximum context length is 8192", "code": 1009},
         ("context_length_exceeded", 1009)),
        ({"name": "ValidationError", "message": "bad", "type": "validation",
          "code": "E_VALIDATION"}, ("validation_error", 2002)),
        ({"name": "RateLimitError", "message": "wait", "code": "E_RATE_LIMIT"},
         ("rate_limit", 6006)),
        ("attempt to index a nil value", ("runtime_error", 4002)),
        (None, ("runtime_error", 4002)),
        ({"success": False, "error": {"message": "inner", "code": 3004}},
         ("workflow_error", 3004)),
        ({"success": False, "error": "inner text"}, ("runtime_error", 4002)),
        (Callback(7), ("runtime_error", 4002)),
        ({"message": 5, "code": True}, ("runtime_error", 4002)),
    ],
)  # fmt: skip
def test_types_and_codes(error: Any, expected: tuple[str, int]) -> None:
    parsed = parse_error(error)
    assert (parsed["type"], parsed["code"]) == expected


def test_x55_both_spellings_of_a_validation_error() -> None:
    parsed = parse_error(InvalidInput("no").to_wire())
    assert (parsed["type"], parsed["alias"]) == ("validation_error", "validation")
    assert (parsed["code"], parsed["error_code"]) == (2002, "E_VALIDATION")
    assert parse_error({"message": "m", "code": 6006})["error_code"] == "E_RATE_LIMIT"


def test_err_012_the_quick_starts_strategies() -> None:
    def strategy(code: int) -> str:
        found: str = parse_error({"message": "m", "code": code})["recovery_strategy"]
        return found

    assert strategy(1005) == "retry_with_shorter_context"
    assert strategy(6006) == "exponential_backoff"
    assert strategy(1009) == "switch_to_fallback_provider"
    assert strategy(2003) == "skip_tool_and_continue"
    assert strategy(4008) == "fail_fast"


def test_the_hint_comes_first_and_what_was_raised_is_kept() -> None:
    error = Denied("denied x", rule="high.net", hint="to allow it: --allow-net x", trace_id="s-1")
    parsed = parse_error({**error.to_wire(), "retry_after": 3, "context": {"operation": "o"}})
    assert parsed["suggestions"][0] == parsed["recovery_suggestion"] == error.hint
    assert (parsed["rule"], parsed["trace_id"], parsed["retry_after"]) == ("high.net", "s-1", 3)
    assert parsed["context"] == {"operation": "o"}


def test_err_013_the_guide_has_the_four_entries_and_every_area() -> None:
    assert GUIDE.keys() <= CODES.keys()
    for code in (1003, 2002, 3004, 4002):
        assert all(len(part) >= 4 for part in GUIDE[code])
    assert {code.area for code in CODES.values()} == set(AREAS)


def test_err_007_every_code_means_something() -> None:
    for code in CODES:
        parsed = parse_error({"message": "m", "code": code})
        assert parsed["type"] in TYPES
        assert parsed["category"] == CODES[code].area
        assert parsed["recovery_strategy"] in STRATEGIES
        assert parsed["suggestions"]


def test_what_was_parsed_parses_to_the_same() -> None:
    parsed = parse_error(OperationFailed("slow", kind="timeout", code=1005).to_wire())
    again = parse_error(parsed)
    assert {key: again[key] for key in FIELDS} == {key: parsed[key] for key in FIELDS}


json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["message", "code", "kind", "type", "error", "hint", "retry_after", "context", "x"]
            ),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


@given(json)
def test_any_value_is_an_error(error: Any) -> None:
    parsed = parse_error(error)
    for name, kind in FIELDS.items():
        assert type(parsed[name]) is kind, name
    assert parsed["code"] in CODES
    assert len(parsed["message"]) <= 4096
