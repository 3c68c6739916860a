"""Whether a condition holds: a function, an expression, true or false, a StepCondition (X21)."""

from __future__ import annotations

from llmspell.channel.jsontext import Callback
from llmspell.errors import LlmspellError, SpellError
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.options import snake
from llmspell.spells.templating import evaluate, is_true
from llmspell.spells.templating.values import MISSING
from llmspell.spells.workflows.failures import CONDITION_FAILED, DENIED, LIMITS

if TYPE_CHECKING:
    from typing import Any, Final

    from llmspell.spells.ports import Host
    from llmspell.spells.workflows.run import Run
    from llmspell.spells.workflows.values import Values

SECONDS: Final = 30.0
"""Time that a condition's function may take."""

DEPTH_MAX: Final = 8

_OPERATORS: Final = {
    "equals": "==", "eq": "==", "not_equals": "!=", "ne": "!=", "gt": ">", "greater_than": ">",
    "lt": "<", "less_than": "<", "gte": ">=", "lte": "<=", "==": "==", "!=": "!=", ">": ">",
    "<": "<", ">=": ">=", "<=": "<=",
}  # fmt: skip


async def holds(host: Host, condition: Any, values: Values, run: Run) -> bool:
    """The condition's outcome. Raises `SpellError` 3009; denials and limits as they are."""
    try:
        return await _holds(host, condition, values, run, DEPTH_MAX)
    except LlmspellError as error:
        if error.code in DENIED | LIMITS or error.kind == "cancelled":
            raise
        raise SpellError(
            f"workflow {run.name}: a condition could not be evaluated: {error.message}",
            code=CONDITION_FAILED,
            kind="condition",
            hint=error.hint,
        ) from None


async def _holds(host: Host, condition: Any, values: Values, run: Run, depth: int) -> bool:
    if condition is None or isinstance(condition, bool):
        return condition is True
    if isinstance(condition, Callback):
        host.budget.reserve("calls", 1)
        call = host.invoke(condition, [values.context()], seconds=SECONDS)
        found = await run.within(call, None, "a condition")
        return true_in(host.engine, found)
    if isinstance(condition, str):
        return is_true(evaluate(condition, values.scope()))
    if isinstance(condition, dict) and depth > 0:
        return await _object(host, condition, values, run, depth - 1)
    raise SpellError("a condition is a function, an expression, or an object")


async def _object(
    host: Host, condition: dict[str, Any], values: Values, run: Run, depth: int
) -> bool:
    """A StepCondition: {expression}, {function}, {all}, {any}, {not}, {step, status}, {field…}."""
    given = {snake(key): value for key, value in condition.items()}
    for name in ("expression", "condition", "function", "evaluate", "check", "predicate"):
        if given.get(name) is not None:
            return await _holds(host, given[name], values, run, depth)
    for name, wanted in (("all", True), ("any", False)):
        if isinstance(given.get(name), list):
            for inner in given[name][:64]:
                if await _holds(host, inner, values, run, depth) is not wanted:
                    return not wanted
            return wanted
    if "not" in given:
        return not await _holds(host, given["not"], values, run, depth)
    if isinstance(given.get("step"), str):
        record = values.records.get(given["step"])
        return record is not None and record.status == given.get("status", "completed")
    path = given.get("field", given.get("variable", given.get("path")))
    if isinstance(path, str):
        return _compare(path, given, values)
    raise SpellError("a condition object needs expression, function, all, any, not, step or field")


def _compare(path: str, given: dict[str, Any], values: Values) -> bool:
    scope = values.scope()
    value = scope.find(0, tuple(path.split(".")))
    value = None if value is MISSING else value
    named = given.get("operator", given.get("op"))
    if isinstance(named, str) and snake(named) == "exists":
        return value is not None
    if isinstance(named, str) and snake(named) in _OPERATORS:
        sign, wanted = _OPERATORS[snake(named)], given.get("value")
    else:
        key = next((key for key in given if key in _OPERATORS), None)
        if key is None:
            return is_true(value)
        sign, wanted = _OPERATORS[key], given[key]
    from llmspell.spells.templating import Scope

    return is_true(evaluate(f"left {sign} right", Scope({"left": value, "right": wanted})))


def true_in(engine: str, value: Any) -> bool:
    """Truth as the spell's own language has it, of what one of its functions gave."""
    if engine == "lua":
        return value is not None and value is not False
    if engine == "javascript":
        return value is not None and value is not False and value != "" and value != 0
    return bool(value)
