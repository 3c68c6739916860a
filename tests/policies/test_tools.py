"""Denials of tools and models hold in every spelling in which these may be asked for."""

from __future__ import annotations

import pytest

from llmspell.policies.names import NameRules
from llmspell.policies.tools import ToolRules

SPELLINGS = (
    "file_writer",
    "fileWriter",
    "FileWriter",
    "file-writer",
    "FILE_WRITER",
    "file*",
    "*er",
)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_SEC_022_a_denial_means_the_tool_however_it_is_spelled(spelling: str) -> None:
    rules = ToolRules("medium", "all", names=("file_writer",), denied=(spelling,))
    verdict = rules.judge("file_writer", frozenset({"write"}))
    assert (verdict.allowed, verdict.rule) == (False, "medium.tools.denied")
    assert rules.judge("calculato", frozenset()).allowed is True


@pytest.mark.parametrize("spelling", ["file_reader", "filewriters", "[F]ile_writer", "\\*"])
def test_a_denial_of_another_tool_is_none_of_this_one(spelling: str) -> None:
    rules = ToolRules("medium", "all", denied=(spelling,))
    assert rules.judge("file_writer", frozenset()).allowed is True


def test_a_grant_is_taken_by_its_letters() -> None:
    rules = ToolRules("high", "granted", names=("fileWriter",))
    assert rules.judge("file_writer", frozenset({"write"})).allowed is False


def test_a_denied_model_is_denied_in_any_case() -> None:
    rules = NameRules("medium", "models", "allow-llm", "all", (), ("OpenAI/gpt-4*", "fake"))
    for name in ("openai/gpt-4o", "openai/GPT-4o", "fake"):
        assert rules.judge(name).rule == "medium.models.denied"
    assert rules.judge("openai/o3").allowed is True
    env = NameRules("medium", "env", "allow-env", "listed", ("*",), ("home",))
    assert env.judge("HOME").allowed is True, "names of variables differ in case"
