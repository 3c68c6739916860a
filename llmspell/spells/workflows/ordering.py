"""The order of steps that depend on each other; a circle is 3006."""

from __future__ import annotations

from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING
from llmspell.spells.workflows.options import wrong

if TYPE_CHECKING:
    from llmspell.spells.workflows.model import Step


def order_of(steps: tuple[Step, ...], where: str) -> tuple[Step, ...]:
    """The steps, each after those it depends on, else as written. Raises 3006 for a circle."""
    names = [step.name for step in steps]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise wrong(where, f"two steps are named {twice}")
    for step in steps:
        for needed in step.depends_on:
            if needed not in names:
                raise wrong(where, f"step {step.name} depends on {needed}, which is no step")
    ordered: list[Step] = []
    done: set[str] = set()
    left = list(steps)
    while left:
        ready = next((step for step in left if done.issuperset(step.depends_on)), None)
        if ready is None:
            circle = ", ".join(step.name for step in left)
            raise InvalidInput(f"{where}: these steps wait for each other: {circle}", code=3006)
        left.remove(ready)
        ordered.append(ready)
        done.add(ready.name)
    return tuple(ordered)
