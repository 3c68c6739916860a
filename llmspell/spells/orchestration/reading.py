"""Reading what a spell calls a workflow of agents: steps, their order, and their inputs."""

from __future__ import annotations

from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.options import handle_id, normalise, seconds
from llmspell.spells.orchestration.model import Collaboration, Participant, Step
from llmspell.spells.plain import Room

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Final

STEPS_MAX: Final = 100
TEXT_MAX: Final = 262_144
"""Characters of one text after its names were filled in."""

RETRIES_MAX: Final = 10
RESULT_NAMES: Final = frozenset({"output", "result", "result_data", "content"})
"""What follows a step's name and means its result: `{{find}}` and `{{find.output}}`."""

DEPTH_MAX: Final = 8
"""How deep names are looked for in a step's input, and how long a path in one may be."""


def task_of(definition: Any) -> str:
    """What is to be done, in words; empty when only steps say it."""
    if isinstance(definition, str):
        return definition
    for key in ("task", "input", "prompt", "description", "goal", "message"):
        if isinstance(definition.get(key), str):
            text: str = definition[key]
            return text
    given = definition.get("input")
    return "" if given is None else str(given)[:TEXT_MAX]


def read_steps(definition: Any, session: Collaboration, engine: str) -> list[Step]:
    """The steps of a definition: its own, or one for each participant (ORC-005).

    Raises `InvalidInput` 3002 for what is no step, 1001 for an unknown agent, 3006 for a circle.
    """
    if isinstance(definition, str):
        definition = {"task": definition}
    if not isinstance(definition, dict):
        raise InvalidInput("a workflow of agents is a task, or an object with steps", code=3002)
    listed = definition.get("steps")
    if listed is None or listed == {}:
        task = task_of(definition)
        if not task:
            raise InvalidInput("a workflow of agents needs a task or steps", code=3002)
        return [Step(one.name, one, task, output=one.name) for one in session.participants]
    if not isinstance(listed, list) or not 1 <= len(listed) <= STEPS_MAX:
        raise InvalidInput(f"a workflow of agents has 1 to {STEPS_MAX} steps", code=3002)
    steps = [
        _step(item, index, session, task_of(definition), engine)
        for index, item in enumerate(listed)
    ]
    names = [step.id for step in steps]
    if len(set(names)) != len(names):
        raise InvalidInput("two steps have the same name", code=3002)
    groups(steps)
    return steps


def canonical(steps: Sequence[Step], task: str) -> dict[str, Any]:
    """The same steps as plain data in one spelling: what `adapting` works on."""
    return {
        "task": task,
        "steps": [
            {
                "step_id": step.id,
                "agent_id": step.agent.name,
                "action": step.action,
                "input": step.input,
                "expected_output": step.output,
                "depends_on": list(step.depends_on),
                **({"max_retries": step.retries} if step.retries else {}),
                **({"fallback": step.fallback.name} if step.fallback else {}),
                **(
                    {"timeout": f"{step.timeout:g}s", "timeout_seconds": step.timeout}
                    if step.timeout
                    else {}
                ),
            }
            for step in steps
        ],
    }


def groups(steps: Sequence[Step]) -> list[list[Step]]:
    """Steps that may run at once, in order; a step comes after all that it depends on (ORC-006).

    Raises `InvalidInput` 3002 for a step that is not there, 3006 for a circle.
    """
    known = {step.id for step in steps}
    for step in steps:
        missing = [name for name in step.depends_on if name not in known]
        if missing:
            raise InvalidInput(f"step {step.id} needs {missing[0]!r}, which is no step", code=3002)
    done: set[str] = set()
    left = list(steps)
    found: list[list[Step]] = []
    while left:
        ready = [step for step in left if set(step.depends_on) <= done]
        if not ready:
            circle = ", ".join(step.id for step in left[:10])
            raise InvalidInput(f"steps wait for each other: {circle}", code=3006, kind="cycle")
        found.append(ready)
        done.update(step.id for step in ready)
        left = [step for step in left if step.id not in done]
    return found


def filled(value: Any, values: Mapping[str, Any]) -> Any:
    """The value with `{{name.path}}` replaced. A text that is one name alone becomes the value
    itself; an unknown name stays as it is written. Raises `InvalidInput` for what is too much."""
    return _filled(value, values, DEPTH_MAX, Room("the places of an input bring in"))


def _filled(value: Any, values: Mapping[str, Any], depth: int, room: Room) -> Any:
    if isinstance(value, str):
        return room.take(_filled_text(value, values)) if "{{" in value else value
    if depth > 0 and isinstance(value, dict):
        return {key: _filled(item, values, depth - 1, room) for key, item in value.items()}
    if depth > 0 and isinstance(value, list):
        return [_filled(item, values, depth - 1, room) for item in value]
    return value


def _filled_text(text: str, values: Mapping[str, Any]) -> Any:
    pieces = text.split("{{")
    if len(pieces) == 1:
        return text
    if len(pieces) == 2 and not pieces[0] and pieces[1].endswith("}}"):
        found, value = _lookup(pieces[1][:-2], values)
        return value if found else text
    result = [pieces[0]]
    size = len(text)
    for piece in pieces[1:]:
        path, closed, rest = piece.partition("}}")
        found, value = _lookup(path, values) if closed else (False, None)
        shown = value if isinstance(value, str) else repr(value)
        size += len(shown) if found else 0
        if size > TEXT_MAX:
            raise InvalidInput(f"a step's text is over {TEXT_MAX} characters")
        result.append(f"{shown}{rest}" if found else "{{" + piece)
    return "".join(result)


def _lookup(path: str, values: Mapping[str, Any]) -> tuple[bool, Any]:
    value: Any = values
    names = path.strip().split(".")
    if len(names) > DEPTH_MAX:
        return False, None
    for name in names:
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif name not in RESULT_NAMES or value is values:
            return False, None
    return True, value


def _step(item: Any, index: int, session: Collaboration, task: str, engine: str) -> Step:
    if not isinstance(item, dict):
        raise InvalidInput(f"step {index + 1} is no object", code=3002)
    given = normalise(item)
    name = given.get("step_id", given.get("id", given.get("name", f"step_{index + 1}")))
    if not isinstance(name, str) or not 1 <= len(name) <= 128:
        raise InvalidInput(f"step {index + 1} has no usable name", code=3002)
    agent = given.get("agent_id", given.get("agent"))
    action = given.get("action", given.get("task", given.get("prompt", task)))
    if not isinstance(action, str):
        raise InvalidInput(f"step {name}: its action is text", code=3002)
    output = given.get("expected_output", given.get("output", name))
    needs = given.get("depends_on", given.get("dependencies", []))
    needs = [needs] if isinstance(needs, str) else needs
    if not isinstance(needs, list) or not all(isinstance(one, str) for one in needs):
        raise InvalidInput(f"step {name}: depends_on is a list of steps", code=3002)
    timeout = given.get("timeout")
    fallback = given.get("fallback", given.get("fallback_agent"))
    value, parameters = given.get("input"), given.get("parameters")
    if isinstance(parameters, dict) and parameters:
        value = {**(value if isinstance(value, dict) else {"input": value}), **parameters}
    turn = session.participants[index % len(session.participants)]
    return Step(
        name,
        turn if agent is None else participant(agent, session),
        action,
        value,
        output if isinstance(output, str) else name,
        tuple(needs),
        None if timeout is None else seconds(timeout, engine, f"step {name}: timeout"),
        _retries(given, name),
        None if fallback is None else participant(fallback, session),
    )


def participant(agent: Any, session: Collaboration) -> Participant:
    """The participant that a name, an id or an agent object means."""
    found = handle_id(agent, "agent") or agent
    if not isinstance(found, str):
        raise InvalidInput("an agent is a name or an agent", code=3002)
    return session.find(found)


def _retries(given: Mapping[str, Any], name: str) -> int:
    retry = given.get("retry", given.get("retry_config"))
    count = retry.get("max_retries", 0) if isinstance(retry, dict) else given.get("max_retries", 0)
    if type(count) is not int or not 0 <= count <= RETRIES_MAX:
        raise InvalidInput(f"step {name}: max_retries is from 0 to {RETRIES_MAX}", code=3002)
    return count
