"""Targets of values that a spell or a model wrote: arguments, schemas, templates, dates."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from llmspell.channel.jsontext import Malformed, encode
from llmspell.errors import InvalidInput, LlmspellError
from llmspell.spells import templating
from llmspell.spells.api.catalogue import CALLS
from llmspell.spells.api.schema import compile_params
from llmspell.spells.scheduling.triggers import check_cron, read_trigger
from llmspell.spells.templating.values import Scope
from llmspell.tools.data.json_path import query
from llmspell.tools.data.json_schema import Validator
from llmspell.tools.registry import get, list_tools
from llmspell.tools.util.date_arithmetic import add, parse_duration
from llmspell.tools.util.date_tokens import read, write
from llmspell.tools.util.expressions import Evaluator
from llmspell.tools.util.locales import find_locale
from llmspell.tools.util.template_parser import parse as parse_tool_template
from tests.fuzz.inputs import json_of, lines_of, text_of
from tests.tools.support import MemoryHost

_SCOPE: Final = {
    "a": 1, "b": [1, "two", None, {"c": 2.5}], "text": "grüße", "yes": True,
    "deep": {"er": {"est": [[]]}}, "none": None,
}  # fmt: skip


@functools.cache
def _tools() -> dict[str, Callable[[Any], dict[str, Any]]]:
    return {entry.name: get(entry.name).check for entry in list_tools()}


def tool_arguments(data: bytes) -> None:
    """Arguments of a built-in tool are refused, or come out as JSON. Lines: tool, arguments."""
    name, written = lines_of(data, 2)[:2]
    check = _tools().get(name)
    try:
        given = json_of(written)
    except ValueError:
        return
    for one in _tools().values() if check is None else [check]:
        try:
            taken = one(given)
        except InvalidInput:
            continue
        encode(taken)
        again = one(taken)
        # A default object gets its own defaults only when it is given.
        assert json.dumps(one(again), default=repr) == json.dumps(again, default=repr), name


def tool_runs(data: bytes) -> None:
    """A tool that computes ends with JSON or a typed error. Lines: tool, arguments.

    Patterns stay out: one that takes for ever is the deadline's affair, not the parser's.
    """
    name, written = lines_of(data, 2)[:2]
    if name not in _tools() or "pattern" in written or "regex" in written or "=~" in written:
        return
    try:
        given = json_of(written)
        checked = _tools()[name](given)
    except (ValueError, InvalidInput):
        return
    work = get(name).run(checked, MemoryHost())
    try:
        work.send(None)
    except StopIteration as end:
        _sent(end.value)
    except (LlmspellError, MemoryError):
        return
    finally:
        work.close()


def _sent(value: Any) -> None:
    """What the tool worker would send; half a surrogate in a text is refused there, typed."""
    try:
        encode(value)
    except Malformed as error:
        assert "surrogate" in str(error) or "too large" in str(error), error


@functools.cache
def _calls() -> dict[str, Callable[[Any], dict[str, Any]]]:
    return {wire: compile_params(function) for wire, function in CALLS.items()}


def call_arguments(data: bytes) -> None:
    """Arguments of a brokered call are refused, or come out as described."""
    wire, written = lines_of(data, 2)[:2]
    check = _calls().get(wire)
    try:
        given = json_of(written, functions=True)
    except ValueError:
        return
    if not isinstance(given, dict):
        return
    for one in _calls().values() if check is None else [check]:
        try:
            taken = one(given)
        except InvalidInput:
            continue
        again = one(taken)
        assert again == taken, (wire, taken, again)


def json_schemas(data: bytes) -> None:
    """A schema, a value and a path of a spell's own never break the tool. One a line."""
    schema, value, path = lines_of(data, 3)[:3]
    if len(data) > 4000:
        return
    try:
        found = json_of(value)
        declared = json_of(schema)
    except ValueError:
        return
    try:
        failures = Validator(declared).failures(found)
        assert all(isinstance(item.message, str) for item in failures)
        if declared in (True, {}):
            assert not failures
    except InvalidInput as error:
        assert error.message, "a wrong schema has a sentence of its own"
    try:
        nodes = query(found, path)
        encode([node.value for node in nodes])
    except (InvalidInput, Malformed):
        return


def templates(data: bytes) -> None:
    """A template of a workflow prints within its bounds, or is refused with its line."""
    text = text_of(data)
    scope = Scope(dict(_SCOPE))
    for act in (templating.render, templating.evaluate):
        try:
            act(text, scope)
        except LlmspellError as error:
            assert isinstance(error, InvalidInput), repr(error)
    try:
        parse_tool_template(text)
    except InvalidInput:
        return


def expressions(data: bytes) -> None:
    """An expression of the calculator has a value, or a sentence with its column."""
    text = text_of(data)
    if len(text) > 2000:
        return
    try:
        value = Evaluator(text, {"x": 2, "y": 0.5}).value()
    except InvalidInput:
        return
    assert isinstance(value, (int, float)), value
    encode(value) if abs(value) < 2**53 else None


def schedules(data: bytes) -> None:
    """Cron, triggers, durations and dates: taken in one spelling, or refused."""
    first, second = lines_of(data, 2)[:2]
    try:
        spelled = check_cron(first)
        assert check_cron(spelled) == spelled
    except InvalidInput:
        spelled = ""
    try:
        add(datetime(2026, 11, 21, tzinfo=UTC), parse_duration(first), 1)
    except InvalidInput:
        spelled = ""
    try:
        given = json_of(second)
    except ValueError:
        return
    for engine in ("lua", "javascript"):
        try:
            trigger = read_trigger(given, engine)
        except InvalidInput:
            continue
        encode(trigger)
        assert read_trigger(trigger, "lua")["type"] == trigger["type"]


def dates(data: bytes) -> None:
    """A date in a format of the spell's own is read or refused. Lines: text, format."""
    text, form = lines_of(data, 2)[:2]
    if len(text) > 200 or len(form) > 200:
        return
    locale = find_locale("en")
    try:
        when = read(text, form, locale, UTC)
        # A format may contradict itself (24 hours and a half of the day): then it is refused.
        # What it runs together may be read otherwise, so the two need not be the same moment.
        again = read(write(when, form, locale), form, locale, UTC)
    except InvalidInput:
        return
    assert isinstance(write(again, form, locale), str)
