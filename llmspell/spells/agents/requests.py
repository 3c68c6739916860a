"""Requests with an answer of a known form: plans and reasoned conclusions (TRT-005)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from llmspell.spells.agents import values

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def plan_prompt(goal: str) -> str:
    """The request for a plan."""
    return f"Make a plan of small steps, in order, for this goal:\n{goal}"


def reason_prompt(question: str, evidence: Any) -> str:
    """The request for a conclusion with its reasons."""
    known = "" if evidence is None else f"\n\nEvidence:\n{values.as_json(evidence)}"
    return f"Answer by reasoning step by step, and say how sure you are:\n{question}{known}"
