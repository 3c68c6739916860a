"""Workflows as a spell sees them (API-018, API-070 … API-079, X19)."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.model import Class, Function, Module, Param, getter

if TYPE_CHECKING:
    from typing import Final

_STEP: Final = (
    "a step: {name, component | agent, tool, workflow, run, input, output, condition, "
    "compensate, …}"
)
_DEFINITION: Final = Param(
    "definition",
    ("object", "array"),
    "the steps, or {name, steps, config, error_strategy, …}",
    required=True,
)
_OPTIONS: Final = Param("options", ("object",), "options beside a list of steps")
_NAME: Final = Param(
    "name", ("string",), "the workflow's name or id", required=True, minimum=1, maximum=128
)
_CALLBACK: Final = Param("callback", ("callback",), "the function", required=True)
_INPUT: Final = Param("input", ("any",), "the input; its fields are names in templates")
_RUN_OPTIONS: Final = Param(
    "options",
    ("object",),
    "{timeout, timeout_per_step, max_concurrency, error_strategy, on_progress, …} for this run",
)


def _maker(name: str, camel: str, doc: str) -> Function:
    return Function(
        name,
        doc,
        (_DEFINITION, _OPTIONS),
        "workflow",
        wire=f"workflow.{name}",
        positional=2,
        after="handle",
        spread="definition",
        aliases=(camel,),
        unjudged=True,
    )


def _of_condition(name: str, camel: str, doc: str, params: tuple[Param, ...]) -> Function:
    # Not `condition`: given by its name in Python, that is a field of the configuration.
    first = Param(
        "definition", ("any",), "the condition, or the whole configuration", required=True
    )
    return Function(
        name,
        doc,
        (first, *params),
        "workflow",
        wire=f"workflow.{name}",
        positional=3,
        after="handle",
        spread="definition",
        aliases=(camel,),
        unjudged=True,
    )


def _method(
    name: str,
    doc: str,
    params: tuple[Param, ...] = (),
    returns: str = "nothing",
    aliases: tuple[str, ...] = (),
) -> Function:
    return Function(
        name,
        doc,
        params,
        returns,
        wire=f"workflow.{name}",
        positional=len(params),
        aliases=aliases,
        unjudged=True,
    )


WORKFLOW: Final = Class(
    "workflow",
    "Steps that are run together. A step's acts are judged like the spell's own.",
    (
        _method(
            "execute",
            "Runs it to its result. Raises when a step fails and its strategy does not go on.",
            (_INPUT, _RUN_OPTIONS),
            "{success, status, output, outputs, steps, errors, metadata} and each named output",
            ("run", "execute_workflow"),
        ),
        _method(
            "run_with_progress",
            "Runs it and calls `callback` with {step, status, progress, …} after each step.",
            (_CALLBACK, _INPUT),
            "as execute",
        ),
        _method(
            "execute_step",
            "Runs one step alone.",
            (
                Param("step", ("string",), "its name or id", required=True, minimum=1, maximum=128),
                _INPUT,
            ),
            "the step's output",
            ("step",),
        ),
        _method(
            "pause",
            "Waits before the next step; what runs goes on.",
            (),
            "the status",
            ("pause_execution",),
        ),
        _method(
            "resume",
            "Goes on: a paused run, or a run from its checkpoint or its failure.",
            (Param("checkpoint", ("object",), "go on from there"),),
            "the status of a run that goes on, else the result",
            ("resume_execution",),
        ),
        _method(
            "cancel",
            "Ends what runs: its execute raises an error of kind cancelled.",
            (Param("reason", ("string",), "why", maximum=1_000),),
            "the status",
            ("cancel_execution",),
        ),
        _method(
            "get_status",
            "Where it stands.",
            (),
            "{status, current_step, completed_steps, remaining_steps, progress, errors}",
            ("status", "execution_status", "get_execution_state"),
        ),
        _method("get_result", "The last run's result so far.", (), "as execute, or nothing"),
        _method(
            "save_checkpoint",
            "Keeps the run so that another process can go on from it.",
            (Param("label", ("string",), "a name for it; the latest without", maximum=64),),
            "the checkpoint",
        ),
        _method(
            "restore_from_checkpoint",
            "The next execute or resume goes on from there. Without one: from the latest kept.",
            (Param("checkpoint", ("object", "string"), "the checkpoint, or its label"),),
            "whether there was one",
        ),
        _method("on_step_complete", "Calls callback(step, output) after each step.", (_CALLBACK,)),
        _method("on_error", "Calls callback(error, step) after a step's failure.", (_CALLBACK,)),
        _method("on_complete", "Calls callback(result) at the end.", (_CALLBACK,)),
        _method("on_progress", "Calls callback(progress) after each step.", (_CALLBACK,)),
        _method(
            "add_step",
            "Adds a step at the end.",
            (Param("step", ("object", "callback"), _STEP, required=True),),
        ),
        _method(
            "remove_step",
            "Takes a step out.",
            (Param("step", ("string",), "its name or id", required=True, minimum=1, maximum=128),),
            "boolean",
        ),
        _method("get_steps", "The steps.", (), "array of {name, id, kind, component, depends_on}"),
        _method("validate", "What is wrong with it.", (), "{valid, errors, warnings}"),
        _method("get_config", "How it is set up.", (), "object"),
        getter("id", "Its id within the run."),
        getter("name", "Its name."),
        getter("type", "Which kind of workflow it is."),
        getter("description", "What it is for."),
    ),
    (
        Param("name", ("string",), "its name"),
        Param("type", ("string",), "sequential, parallel, conditional, loop, …"),
        Param("description", ("string",), "what it is for"),
    ),
)

MODULE: Final = Module(
    "workflow",
    ("Workflow", "workflow"),
    "Steps in order, at once, by condition, in rounds, per item; each is an agent, a tool, "
    "a workflow, a function or a spell file.",
    (
        _maker("sequential", "Sequential", "Steps one after another; the first failure ends it."),
        _maker("parallel", "Parallel", "Steps at once, four at a time; their results are merged."),
        _of_condition(
            "conditional",
            "Conditional",
            "One of two branches.",
            (
                Param("true_branch", ("any",), "what runs if the condition holds"),
                Param("false_branch", ("any",), "what runs otherwise"),
            ),
        ),
        _of_condition(
            "loop",
            "Loop",
            "A body in rounds: while a condition holds, so many times, or for each item.",
            (
                Param("body", ("any",), "what is repeated: a step, a list of steps, a workflow"),
                _OPTIONS._replace(doc="{max_iterations, delay, collect, …}"),
            ),
        ),
        _maker("fan_out", "FanOut", "One step for each item, at once; or the same input to many."),
        _maker("map_reduce", "MapReduce", "A map step for each item, then one reduce step."),
        _maker("pipeline", "Pipeline", "Steps that are each given what the one before gave."),
        _maker(
            "custom", "Custom", "A function of the spell's decides: {name, execute = f, steps}."
        ),
        Function(
            "create",
            "A workflow of the type that the configuration names.",
            (_DEFINITION, _OPTIONS),
            "workflow",
            wire="workflow.create",
            positional=2,
            after="handle",
            spread="definition",
            unjudged=True,
        ),
        Function(
            "get",
            "A workflow of this run.",
            (_NAME,),
            "workflow",
            wire="workflow.get",
            positional=1,
            after="handle",
            unjudged=True,
        ),
        Function(
            "list",
            "The workflows of this run.",
            (),
            "array of workflows",
            wire="workflow.list",
            after="handles",
            unjudged=True,
        ),
    ),
    classes=(WORKFLOW,),
    construct="create",
)
