"""calculator: the value of an arithmetic expression (TOOL-035)."""

from __future__ import annotations

from typing import Any

from llmspell.channel.bounds import INTEGER_MAX
from llmspell.errors import InvalidInput
from llmspell.tools.schema import anything, integer, mapping, number, record, string
from llmspell.tools.tool import Example, Host, Tool
from llmspell.tools.util.expressions import LENGTH_MAX, Evaluator
from llmspell.tools.util.functions import FUNCTIONS


async def _run(given: dict[str, Any], _: Host) -> dict[str, Any]:
    for name in given["variables"]:
        if not name.isidentifier() or name in ("and", "or", "not", "mod", "if"):
            raise InvalidInput(f"variables.{name[:64]} is no name that an expression can hold")
    value = Evaluator(given["expression"], given["variables"]).value()
    if isinstance(value, bool):
        return {"result": value, "metadata": {"text": str(value).lower(), "exact": True}}
    return _shown(value, given["precision"])


def _shown(value: int | float, precision: int) -> dict[str, Any]:
    if isinstance(value, float):
        rounded = round(value, precision)
        if rounded.is_integer() and abs(rounded) <= INTEGER_MAX:
            rounded = int(rounded)
        return {
            "result": rounded,
            "metadata": {"text": str(rounded), "exact": rounded == value},
        }
    # A whole number that the channel can't carry exactly comes as the nearest one and as text.
    if abs(value) <= INTEGER_MAX:
        return {"result": value, "metadata": {"text": str(value), "exact": True}}
    try:
        nearest = float(value)
    except OverflowError:
        raise InvalidInput("the result is too large") from None
    return {"result": nearest, "metadata": {"text": str(value), "exact": False}}


TOOL = Tool(
    name="calculator",
    category="util",
    description="Computes an arithmetic expression with functions and variables.",
    security_level="low",
    capabilities=("math", "calculation"),
    parameters=record(
        "",
        {
            "expression": string(
                "Operators + - * / // % ** (or ^), n!, comparisons, and or not, a ? b : c; "
                f"functions {', '.join(sorted(FUNCTIONS))}, if; log is to base 10, ln natural, "
                "log(x, base) any; constants pi π e tau phi. Angles are in radians.",
                required=True,
                min_length=1,
                max_length=LENGTH_MAX,
            ),
            "precision": integer("Decimal places of the result.", 0, 15, default=6),
            "variables": mapping(
                "Values of names in the expression; they may hide a constant.",
                number(""),
                default={},
                max_items=1_000,
            ),
        },
    ),
    output=anything(
        "a number, or true or false for a comparison. `metadata.text` is the same in digits, "
        "exact for whole numbers of any size; `metadata.exact` says whether `result` is."
    ),
    run=_run,
    examples=(
        Example(
            "The seeds' expression",
            {
                "expression": "sqrt(25) + log(100) * sin(π/4)",
                "precision": 6,
                "variables": {"π": 3.141592653589793},
            },
            6.414214,
        ),
        Example("Variables", {"expression": "15 + n", "variables": {"n": 27}}, 42),
        Example("A condition", {"expression": "if(2 ** 10 > 1000, max(1, 2), 0)"}, 2),
    ),
)
