"""text_manipulator: a row of operations on a text (TOOL-036)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from llmspell.errors import InvalidInput
from llmspell.tools.checking import Check, compile_check
from llmspell.tools.naming import near, snake
from llmspell.tools.schema import anything, array, mapping, record, string, union
from llmspell.tools.tool import Example, Host, Tool
from llmspell.tools.util.text_operations import ALIASES, OPERATIONS, RESULT_MAX

STEPS_MAX: Final = 100

_CHECKS: Final[dict[str, Check]] = {
    name: compile_check(operation.argument)
    for name, operation in OPERATIONS.items()
    if operation.argument is not None
}


def _named(step: str | dict[str, Any], place: str) -> tuple[str, Any]:
    """The operation's name and its argument: `"trim"` or `{"replace": {…}}`."""
    if isinstance(step, str):
        given, argument = step, None
    elif len(step) == 1:
        ((given, argument),) = step.items()
    else:
        raise InvalidInput(f'{place} must hold one operation, as {{"replace": {{…}}}}')
    name = snake(given[:64])
    name = ALIASES.get(name, name)
    if name not in OPERATIONS:
        raise InvalidInput(
            f"{place}: there is no operation {given[:64]}",
            hint=near(given, OPERATIONS) or "known are " + ", ".join(OPERATIONS),
        )
    return name, argument


def _argument(name: str, argument: Any, place: str) -> dict[str, Any]:
    operation = OPERATIONS[name]
    if operation.argument is None:
        if argument not in (None, True, {}, []):
            raise InvalidInput(f"{place}: {name} takes no argument")
        return {}
    if argument is None or argument is True:
        argument = {}
    elif not isinstance(argument, dict) and argument != []:
        argument = {operation.main: argument}
    checked: dict[str, Any] = _CHECKS[name](argument, f"{place}.{name}")
    return checked


def _apply(value: Any, name: str, argument: dict[str, Any], place: str) -> Any:
    operation = OPERATIONS[name]
    if isinstance(value, bool | int):
        raise InvalidInput(f"{place}: {name} can't follow an operation that gives {value!r}")
    if operation.takes == "list" and not isinstance(value, list):
        raise InvalidInput(f"{place}: {name} needs a list", hint="split or extract first")
    if operation.takes == "text" and isinstance(value, list):
        return _each(value, lambda item: operation.apply(item, argument), place)
    return operation.apply(value, argument)


def _each(items: list[Any], act: Callable[[str], Any], place: str) -> list[Any]:
    result: list[Any] = []
    size = 0
    for item in items:
        if not isinstance(item, str):
            raise InvalidInput(f"{place}: the list holds something that is no text")
        result.append(act(item))
        size += len(result[-1]) if isinstance(result[-1], str) else 8
        if size > RESULT_MAX:
            raise InvalidInput(f"the result has over {RESULT_MAX} characters")
    return result


async def _run(given: dict[str, Any], _: Host) -> dict[str, Any]:
    value: Any = given["text"]
    for index, step in enumerate(given["operations"]):
        place = f"operations[{index}]"
        name, argument = _named(step, place)
        value = _apply(value, name, _argument(name, argument, place), place)
        if isinstance(value, str) and len(value) > RESULT_MAX:
            raise InvalidInput(f"{place}: the result has over {RESULT_MAX} characters")
    metadata: dict[str, Any] = {"steps": len(given["operations"])}
    if isinstance(value, str | list):
        metadata["length"] = len(value)
    return {"result": value, "metadata": metadata}


TOOL = Tool(
    name="text_manipulator",
    category="util",
    description="Applies a row of operations to a text: case, search, split, pad and more.",
    security_level="low",
    capabilities=("text_processing",),
    parameters=record(
        "",
        {
            "text": string("What to work on.", required=True),
            "operations": array(
                "In order; each a name, `{name: argument}` or `{name: {field: value}}`. Names: "
                + ", ".join(OPERATIONS)
                + ". Text operations apply to each item of a list.",
                union("", (string("", max_length=64), mapping("", anything(""), max_items=1))),
                required=True,
                max_items=STEPS_MAX,
            ),
        },
    ),
    output=anything("a text, a list of texts, a number, or true or false."),
    run=_run,
    examples=(
        Example(
            "The seeds' row",
            {
                "text": "  Hello, World!  ",
                "operations": [
                    "trim",
                    "toLowerCase",
                    {"replace": {"pattern": "world", "replacement": "Universe"}},
                    {"extract": {"pattern": "\\w+", "flags": "g"}},
                ],
            },
            ["hello", "Universe"],
        ),
        Example(
            "A list",
            {
                "text": "b, a, b",
                "operations": [{"split": ","}, "trim", "unique", "sort", {"join": "+"}],
            },
            "a+b",
        ),
        Example(
            "Groups",
            {
                "text": "2025-01-20",
                "operations": [
                    {
                        "replace": {
                            "pattern": "(\\d+)-(\\d+)-(\\d+)",
                            "replacement": "$3.$2.$1",
                            "regex": True,
                        }
                    }
                ],
            },
            "20.01.2025",
        ),
    ),
)
