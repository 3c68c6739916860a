"""Sagas: what completed steps undo when the workflow fails later on (WF-019, `compensate`).

The last completed step is undone first. An act of undoing gets the step's output; it is judged
like any other, is tried once, and its failure is a warning: what made the workflow fail is told.
"""

from __future__ import annotations

from llmspell.errors import LlmspellError
from llmspell.records import TYPE_CHECKING
from llmspell.spells.workflows.components import perform
from llmspell.spells.workflows.steps import resolve_input

if TYPE_CHECKING:
    from typing import Final

    from llmspell.spells.workflows.model import Step
    from llmspell.spells.workflows.run import Run
    from llmspell.spells.workflows.values import Record, Values

SECONDS: Final = 30.0
"""Time of one act of undoing, unless its `timeout` says otherwise."""


async def compensate(run: Run) -> None:
    """Undoes completed steps, last first; the names of those undone are in `run.compensated`."""
    while run.undoable:
        step, record, values = run.undoable.pop()
        try:
            await _undo(run, step, record, values)
        except LlmspellError as error:
            run.warn(f"workflow {run.name}: step {record.name} was not undone: {error.message}")
        else:
            run.compensated.append(record.name)


async def _undo(run: Run, step: Step, record: Record, values: Values) -> None:
    given = await resolve_input(run, step, values) if step.has_input else record.output
    act = perform(run, step._replace(has_input=True), step.component, given, values)
    seconds = SECONDS if step.timeout is None else step.timeout
    await run.within(act, seconds, f"undoing step {record.name}")
