"""Spells as objects: a workflow with its error strategy; another spell's file (API-028 … 030)."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.model import Class, Function, Module, Param
from llmspell.spells.api.nested_ import RUN_FILE

if TYPE_CHECKING:
    from typing import Final

_CONFIG: Final = Param("config", ("object",), "the strategy's bounds", default={})

_CAST: Final = Function(
    "cast",
    "Runs the spell's workflow with its error strategy and bounds.",
    (Param("input", ("any",), "the input; {{input.x}} in the steps"),),
    "as workflow.execute: named outputs of the steps are fields of it",
    wire="spell.cast",
    positional=1,
    aliases=("execute", "run"),
    unjudged=True,
)

SPELL: Final = Class(
    "spell",
    "A workflow with its error strategy and bounds, to be cast.",
    (
        _CAST,
        Function(
            "get_config",
            "How it is set up.",
            (),
            "{name, description, workflow, error_strategy, resources}",
            wire="spell.get_config",
            unjudged=True,
        ),
    ),
    (
        Param("name", ("string",), "its name"),
        Param("description", ("string",), "what it is for"),
    ),
)


def _strategy(name: str, doc: str) -> Function:
    return Function(
        name,
        doc,
        (_CONFIG,),
        "an error strategy, for workflows and Spell.create",
        wire=f"spell.strategy_{name}",
        positional=1,
        spread="config",
        unjudged=True,
        sync=True,
    )


MODULES: Final = (
    Module(
        "spell",
        ("Spell",),
        "A named recipe: workflow, error strategy and bounds; and other spells' files.",
        (
            Function(
                "create",
                "Makes a spell.",
                (
                    Param(
                        "config",
                        ("object",),
                        "{name, description, workflow, error_strategy, resources = "
                        "{max_parallel_agents, timeout_per_phase}}",
                        required=True,
                    ),
                ),
                "spell",
                wire="spell.create",
                positional=1,
                after="handle",
                spread="config",
                unjudged=True,
            ),
            RUN_FILE,
        ),
        classes=(SPELL,),
        construct="create",
    ),
    Module(
        "error_strategy",
        ("ErrorStrategy",),
        "What a failure in a workflow leads to.",
        (
            _strategy("retry", "Tries again: {max_retries, base_delay, max_delay, backoff}."),
            _strategy("fallback", "Something else stands in: {agent | tool, fallback_agents}."),
            _strategy(
                "cascade",
                "Retries, then stands in, behind a circuit breaker: {retry_count, "
                "fallback_agents = {name = stand_in}, circuit_breaker = {failure_threshold, "
                "reset_timeout}}.",
            ),
        ),
    ),
)
