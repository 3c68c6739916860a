"""Every documented example does what the documentation says."""

from __future__ import annotations

import pytest

from llmspell.tools.registry import get, list_tools
from llmspell.tools.tool import VARIES, Example
from tests.tools.support import use_whole

CASES = [(entry.name, example) for entry in list_tools() for example in get(entry.name).examples]


@pytest.mark.parametrize(
    ("name", "example"), CASES, ids=[f"{name}: {example.title}" for name, example in CASES]
)
def test_documented_example(name: str, example: Example) -> None:
    output = use_whole(name, example.input)
    assert output.keys() == {"result", "metadata"}
    if example.result is not VARIES:
        assert output["result"] == example.result
