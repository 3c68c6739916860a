"""Answers by JSON Schema (LLM-013): found in what the model said, checked on our side, bounded.

A schema is the spell's, an answer the model's. Small plain ones are checked here; patterns and
references, and whatever is large, are checked in a tool worker, whose deadline ends what does not
end by itself.
"""

from __future__ import annotations

from llmspell.llm.counting import compact
from llmspell.llm.modeljson import decode
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Final

    from llmspell.spells.ports import Host

WORK_MAX: Final = 4_000_000
"""Bytes of schema times bytes of answer that are checked here: a tenth of a second at the worst."""

SHOWN: Final = 5
"""Mistakes a model, or a person, is told of."""

_FOR_WORKERS: Final = frozenset({"pattern", "patternProperties", "$ref", "$dynamicRef"})


def find_json(text: str) -> Any:
    """The value in an answer: all of it, or the inside of its first fence. Raises `Malformed`."""
    stripped = text.strip()
    if stripped.startswith("```"):
        head, _, rest = stripped.partition("\n")
        body, fence, _ = rest.rpartition("```")
        stripped = body.strip() if fence and head else stripped
    return decode(stripped)


async def mistakes(host: Host, value: Any, schema: dict[str, Any], origin: str) -> list[str]:
    """What is wrong with an answer, in words; empty when it fits.

    Raises `InvalidInput` 2010 for a schema that can't be used.
    """
    size = len(compact(schema)) * len(compact(value))
    if size > WORK_MAX or _needs_worker(schema):
        given = {"operation": "validate", "json": compact(value), "schema": schema}
        outcome = await host.tools.execute("json_processor", given, origin=origin)
        errors = outcome.get("metadata", {}).get("errors", []) if isinstance(outcome, dict) else []
        found = [f"{error.get('path') or 'the value'} {error.get('message')}" for error in errors]
        if isinstance(outcome, dict) and outcome.get("result") is not True and not found:
            found = ["the value does not fit the schema"]
        return found[:SHOWN]
    from llmspell.tools.data.json_schema import Validator

    failures = Validator(schema).failures(value)
    return [f"{failure.path or 'the value'} {failure.message}" for failure in failures][:SHOWN]


def repair_prompt(wrong: list[str], schema: dict[str, Any]) -> str:
    """What the model is asked when its answer does not fit."""
    return (
        "Your answer does not fit the JSON Schema: "
        + "; ".join(wrong)
        + ". Answer again with one JSON value that fits it, and nothing else. The schema: "
        + compact(schema)
    )


def _needs_worker(schema: Any) -> bool:
    if isinstance(schema, dict):
        return not _FOR_WORKERS.isdisjoint(schema) or any(map(_needs_worker, schema.values()))
    return isinstance(schema, list) and any(map(_needs_worker, schema))
