"""Targets of what a spell declares and a model answers, both read in the supervisor itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from llmspell.channel.jsontext import Malformed, encode
from llmspell.errors import InvalidInput, LlmspellError
from llmspell.llm import modeljson
from llmspell.spells.agents import settings
from llmspell.spells.agents.values import json_answer
from llmspell.spells.recovery import parsing, strategies
from llmspell.spells.tools.schemas import compile_schema
from llmspell.spells.workflows.reading import read_flow
from tests.fuzz.inputs import json_of, lines_of, text_of

_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    **{
        kind: lambda given, kind=kind: read_flow(kind, given, "lua")  # type: ignore[misc]
        for kind in ("sequential", "parallel", "conditional", "loop", "map_reduce")
    },
    "agent": lambda given: settings.read(
        settings.merged(given if isinstance(given, dict) else {}), "name", "python"
    ),
    "strategy": lambda given: strategies.create(given, "javascript"),
}


def declarations(data: bytes) -> None:
    """A workflow, an agent, a strategy: taken or refused with a sentence. Lines: which, JSON."""
    which, written = lines_of(data, 2)[:2]
    try:
        given = json_of(written, functions=True)
    except ValueError:
        return
    for reader in [_READERS[which]] if which in _READERS else _READERS.values():
        try:
            reader(given)
        except LlmspellError as error:
            assert isinstance(error, InvalidInput), repr(error)
    parsed = parsing.parse_error(given)
    assert isinstance(parsed["type"], str) and isinstance(parsed["message"], str)


def spell_schemas(data: bytes) -> None:
    """The schema of a spell's own tool is taken or refused, and so is each value. One a line."""
    schema, *values = lines_of(data, 2)
    if len(data) > 4000:
        return
    try:
        check = compile_schema(json_of(schema), "t")
    except (ValueError, InvalidInput):
        return
    for written in values[:3]:
        try:
            taken = check(json_of(written), "t")
        except (ValueError, InvalidInput):
            continue
        encode(taken)


def model_answers(data: bytes) -> None:
    """Whatever a model writes is JSON that can go on to a worker, or none."""
    text = text_of(data)
    try:
        encode(modeljson.decode(text))
    except Malformed as error:
        assert str(error)
    answer = json_answer(text)
    if answer is not None:
        encode(answer)
