"""One step as spells write it: component or agent + action + tools + prompt, tool, workflow, …"""

from __future__ import annotations

from llmspell.channel.jsontext import Callback
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.options import handle_id, snake
from llmspell.spells.workflows.model import KINDS, NAME_MAX, Component, Step
from llmspell.spells.workflows.options import Options, items, wrong
from llmspell.spells.workflows.references import RUNS, read_component
from llmspell.spells.workflows.strategies import read_retry, read_strategy

if TYPE_CHECKING:
    from typing import Any, Final

CONDITION_MAX: Final = 1_000

_INLINE: Final = ("steps", "branches", "agents", "phases", "tasks")


def read_step(value: Any, number: int, where: str, engine: str, depth: int) -> Step:
    """The step that a value describes; a bare component is one too. Raises `InvalidInput` 3002."""
    if isinstance(value, Step):
        return value
    if not isinstance(value, dict) or "handle" in value:
        component = read_component(value, where)
        named = component.shown if component.kind in ("agent", "tool", "workflow") else ""
        return Step(named or f"step_{number}", component)
    options = Options(value, where, engine)
    name = options.text("name", "id", maximum=NAME_MAX) or _name_of(options) or f"step_{number}"
    options.where = where = f"{where}, step {name}"
    component = _component(options, value, name, depth)
    strategy = options.take("error_strategy", "on_error", "error_handling")
    fallback = options.take("fallback", "fallback_agent", "fallback_tool")
    stands_in = component.kind if component.kind in ("agent", "tool", "workflow") else "agent"
    if not options.has("fallback"):
        stands_in = "tool" if options.has("fallback_tool") else "agent"
    step = Step(
        name,
        component,
        options.text("id", maximum=NAME_MAX),
        options.take("input", "inputs", "parameters", "params", "with", "arguments"),
        options.has("input", "inputs", "parameters", "params", "with", "arguments"),
        _output(options),
        _condition(options),
        read_retry(options.take("retry", "retry_policy"), where, engine),
        options.seconds("timeout", "max_execution_time"),
        None if strategy is None else read_strategy(strategy, where, engine),
        None if fallback is None else read_component(fallback, where, stands_in),
        _depends_on(options),
        options.text("prompt", "query", "message", "instructions") or _task(options, False),
        _action(options) or _task(options, True),
        tuple(items(options.take("tools"), where, "tools")),
        options.schema("input_schema")[1],
    )
    schema, check = options.schema("output_schema", "schema", "response_schema")
    undo = _compensate(options, name, depth)
    step = step._replace(schema=schema, output_check=check, compensate=undo)
    return step._replace(metadata=options.rest())


def _compensate(options: Options, name: str, depth: int) -> Step | None:
    given = options.take("compensate", "compensation", "undo")
    if given is None:
        return None
    where = f"{options.where}, compensate"
    step = read_step(given, 1, where, options.engine, depth + 1)
    if step.component.kind == "inline":
        raise wrong(where, "it must be an agent, a tool, a workflow, a function or a spell file")
    return step._replace(name=f"compensate {name}"[:NAME_MAX])


def _name_of(options: Options) -> str:
    """A step without a name is called what its agent or tool is called."""
    value = options.take("agent", "tool", "workflow", "component")
    if isinstance(value, str):
        return value[:NAME_MAX]
    if isinstance(value, dict) and isinstance(value.get("name"), str):
        name: str = value["name"]
        return name[:NAME_MAX]
    return ""


def _component(options: Options, value: dict[str, Any], name: str, depth: int) -> Component:
    where = options.where
    kind = snake(options.text("type", "kind", maximum=NAME_MAX))
    if kind in KINDS and (kind != "custom" or options.has("execute")):
        return _inline(options, kind, value, name, depth)
    for key in ("component", "agent", "tool", "workflow", "spell"):
        given = options.take(key)
        if given is not None:
            bare = (
                key if key != "component" else kind if kind in ("agent", "tool", "workflow") else ""
            )
            component = read_component(given, where, bare)
            if key in ("agent", "tool", "workflow") and component.kind not in (key, "function"):
                raise wrong(where, f"{key} was given a {component.kind}")
            return component
    action = options.take(*RUNS, "action")
    if isinstance(action, Callback):
        return Component("function", action, name)
    if options.take(*_INLINE) is not None:
        if kind:
            raise wrong(where, f"there is no step type {kind[:60]!r}", f"take {', '.join(KINDS)}")
        # A list of steps without a type runs in order, as a workflow of its own.
        return _inline(options, "sequential", value, name, depth)
    raise wrong(
        where,
        "there is nothing to run",
        "give it component, agent, tool, workflow, run = function, or type and steps",
    )


def _inline(options: Options, kind: str, value: dict[str, Any], name: str, depth: int) -> Component:
    """A definition within the definition."""
    from llmspell.spells.workflows.reading import read_flow

    outer = _OUTER - {"condition", "when"} if kind in ("conditional", "loop") else _OUTER
    inner = {key: item for key, item in value.items() if snake(key) not in outer}
    flow = read_flow(kind, inner, options.engine, name, depth + 1)
    options.asked(set(map(snake, inner)))
    return Component("inline", flow, name)


_OUTER: Final = frozenset(
    {"name", "id", "input", "inputs", "output", "outputs", "condition", "when", "retry", "fallback",
     "retry_policy", "depends_on", "dependencies", "after", "on_error", "compensate",
     "compensation", "undo"}
)  # fmt: skip
"""Options of the step around an inner definition; a conditional's or loop's condition is inner."""


def _output(options: Options) -> Any:
    output = options.take("output", "outputs", "output_mapping", "output_key")
    if output is None or isinstance(output, Callback):
        return output
    if isinstance(output, str) and 0 < len(output) <= NAME_MAX:
        return output
    if isinstance(output, dict) and all(isinstance(path, str) for path in output.values()):
        return output
    raise wrong(options.where, "output must be a name, a table of names and paths, or a function")


def _condition(options: Options) -> Any:
    condition = options.take("condition", "when", "if")
    if options.has("type", "kind") and snake(options.text("type", "kind")) in (
        "conditional",
        "loop",
    ):
        return None
    if isinstance(condition, str) and len(condition) > CONDITION_MAX:
        raise wrong(options.where, f"a condition has at most {CONDITION_MAX} characters")
    return condition


def _depends_on(options: Options) -> tuple[str, ...]:
    given = options.take("depends_on", "dependencies", "after")
    if isinstance(given, str):
        given = [given]
    names = items(given, options.where, "depends_on")
    found = []
    for name in names:
        if isinstance(name, dict):
            name = name.get("name") or handle_id(name, "workflow")
        if not isinstance(name, str):
            raise wrong(options.where, "depends_on must name steps")
        found.append(name)
    return tuple(found)


def _task(options: Options, is_word: bool) -> str:
    """`task`: one word ("gather_data") is an action upon the input; more is a prompt."""
    task = options.text("task")
    return task if task.isidentifier() is is_word else ""


def _action(options: Options) -> str:
    action = options.take("action")
    if action is None or isinstance(action, Callback):
        return ""
    if not isinstance(action, str) or len(action) > 1_000:
        raise wrong(options.where, "action must be text of at most 1000 characters, or a function")
    return action
