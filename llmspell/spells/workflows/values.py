"""What the steps of a run know of each other: input, outputs by name, results by step."""

from __future__ import annotations

from llmspell.channel.jsontext import Callback
from llmspell.errors import InvalidInput, LimitExceeded
from llmspell.records import TYPE_CHECKING, NamedTuple
from llmspell.spells.templating import Scope, View

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

    from llmspell.spells.tools.schemas import Check

DEPTH_MAX: Final = 40
"""Nesting of a value that a step may give; the channel carries a little more."""

VALUE_MAX: Final = 8_388_608
"""Bytes (about) of one value that a step gives."""


class Record(NamedTuple):
    """One step's end. `status`: completed, failed, skipped. `outputs`: what it named."""

    name: str
    status: str
    output: Any = None
    error: Mapping[str, Any] | None = None
    attempts: int = 0
    duration_ms: int = 0
    outputs: Mapping[str, Any] = {}
    recovered: str = ""

    def show(self) -> dict[str, Any]:
        """The record as a spell sees it."""
        shown: dict[str, Any] = {
            "status": self.status,
            "output": self.output,
            "attempts": self.attempts,
            "duration_ms": self.duration_ms,
        }
        if self.error is not None:
            shown["error"] = dict(self.error)
        if self.recovered:
            shown["recovered_by"] = self.recovered
        return shown


class Values:
    """The values at one place of a run. A fork sees what was there, and keeps its own.

    `piped`: a function's first argument is what the step before gave, not the context.
    """

    def __init__(self, workflow: str, given: Any) -> None:
        self.workflow = workflow
        self.input = given
        self.outputs: dict[str, Any] = {}
        self.records: dict[str, Record] = {}
        self.extra: dict[str, Any] = {}
        self.piped = False

    def branch(self, **extra: Any) -> Values:
        """A place that sees all of this one, with further names (item, index, iteration…)."""
        other = Values(self.workflow, self.input)
        other.outputs = dict(self.outputs)
        other.records = dict(self.records)
        other.extra = {**self.extra, **extra}
        other.piped = self.piped
        return other

    def keep(self, record: Record) -> None:
        """Takes in a step's end."""
        self.records[record.name] = record
        self.outputs.update(record.outputs)

    def default_input(self) -> Any:
        """What a step without an input of its own is given: item, previous output, or the input."""
        for name in ("item", "previous"):
            if self.extra.get(name) is not None:
                return self.extra[name]
        return self.input

    def context(self) -> dict[str, Any]:
        """What a function of the spell's is given as its context."""
        result: dict[str, Any] = dict(self.input) if isinstance(self.input, dict) else {}
        # An object handed in as the input itself has no business beside the steps' names.
        result.pop("handle", None)
        result.update(
            (name, record.output)
            for name, record in self.records.items()
            if record.status == "completed"
        )
        result.update(self.outputs)
        result.update(self.extra)
        result["input"] = self.input
        result["steps"] = {name: record.show() for name, record in self.records.items()}
        result["workflow"] = {"name": self.workflow}
        return result

    def scope(self) -> Scope:
        """What names in templates and expressions mean."""
        names: dict[str, Any] = dict(self.outputs)
        views = {name: View(record.output, record.show()) for name, record in self.records.items()}
        names.update(views)
        names.update(self.extra)
        names["steps"] = views
        names["input"] = self.input
        names["workflow"] = {"name": self.workflow}
        around = Scope(self.input)
        return Scope(None, names, around)


def checked(schema: Check | None, value: Any, what: str) -> Any:
    """The value as its schema leaves it. Raises `InvalidInput` 2009 (TRT-038)."""
    if schema is None:
        return value
    try:
        return schema(value, what)
    except InvalidInput as error:
        raise InvalidInput(error.message, code=2009, kind="validation") from None


def check(value: Any, what: str) -> int:
    """About how many bytes a value takes. Raises for a function in it, too deep, too large.

    What comes from a spell's function or a tool is hostile: this is its border.
    """
    total, level, left = 0, 0, [value]
    while left:
        below: list[Any] = []
        for item in left:
            if isinstance(item, (str, bytes)):
                total += len(item) + 2
            elif isinstance(item, Callback):
                raise InvalidInput(f"{what} holds a function; a result is plain data")
            elif isinstance(item, list):
                total += 2
                below.extend(item)
            elif isinstance(item, dict):
                total += 2 + sum(map(len, item))
                below.extend(item.values())
            else:
                total += 8
        level += 1
        if level > DEPTH_MAX and below:
            raise InvalidInput(f"{what} is nested deeper than {DEPTH_MAX} levels")
        if total > VALUE_MAX:
            raise LimitExceeded("workflow_memory", f"{what} has over {VALUE_MAX} bytes")
        left = below
    return total
