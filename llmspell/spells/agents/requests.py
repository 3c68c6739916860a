"""Requests with an answer of a known form: plans, reasoned conclusions, solutions, and a
choice of functions (TRT-005).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from llmspell.errors import InvalidInput
from llmspell.spells.agents import values
from llmspell.spells.api.options import handle_id

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmspell.spells.ports import Host

FUNCTIONS_MAX: Final = 64

PLAN_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "goal": {"type": "string"},
        "steps": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "description": {"type": "string"},
                    "tool": {"type": "string"},
                    "expected_result": {"type": "string"},
                },
                "required": ["description"],
            },
        },
    },
    "required": ["goal", "steps"],
}

REASON_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "conclusion": {"type": "string"},
        "reasoning": {"type": "array", "items": {"type": "string"}},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
    },
    "required": ["conclusion", "reasoning"],
}

SOLUTION_SCHEMA: Final[Mapping[str, Any]] = {
    "type": "object",
    "properties": {
        "solution": {"type": "string"},
        "steps": {"type": "array", "items": {"type": "string"}},
        "confidence": {"type": "number", "minimum": 0, "maximum": 1},
    },
    "required": ["solution"],
}


def plan_prompt(goal: str) -> str:
    """The request for a plan."""
    return f"Make a plan of small steps, in order, for this goal:\n{goal}"


def reason_prompt(question: str, evidence: Any) -> str:
    """The request for a conclusion with its reasons."""
    known = "" if evidence is None else f"\n\nEvidence:\n{values.as_json(evidence)}"
    return f"Answer by reasoning step by step, and say how sure you are:\n{question}{known}"


def solution_prompt(problem: Any) -> str:
    """The request for a problem's solution."""
    return f"Solve this problem, and say by which steps:\n{values.as_json(problem)}"


def definitions(host: Host, given: Any) -> list[dict[str, Any]]:
    """Function definitions: as `to_function_definition` gives them, or of tools by name.

    Raises `InvalidInput` 1004 for anything else, `Missing` 2001.
    """
    found = []
    for item in values.items(given, "functions", FUNCTIONS_MAX):
        name = handle_id(item, "tool") or item
        if isinstance(name, str):
            described = host.tools.describe(name)
            parameters = described.get("input_schema") or described.get("parameters")
        else:
            described = values.table(item, "a function")
            described = values.table(described.get("function", described), "a function")
            parameters = described.get("parameters", described.get("input_schema"))
        schema = values.table(parameters, "a function's parameters")
        found.append(
            {
                "name": values.text(described.get("name"), "a function's name", 64),
                "description": values.text(
                    described.get("description", ""), "a function's description", 4_096
                ),
                "parameters": values.plain(schema, "a function's parameters", 65_536)
                or {"type": "object", "properties": {}},
            }
        )
    if not found:
        raise InvalidInput("function_calling needs functions", code=1004)
    return found
