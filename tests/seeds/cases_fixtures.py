"""S72 to S75: the small scripts that stand in the seeds' own tests."""

from __future__ import annotations

from typing import Final

from tests.seeds.case import Case

CASES: Final = (
    Case(
        "S72",
        "runs",
        "gives its function, which yields once and then ends",
        before="local function main()",
        after="""end
local co = coroutine.create(main())
local _, first = coroutine.resume(co)
local _, second = coroutine.resume(co)
return { first, second, coroutine.status(co) }""",
        value=["Yielding at iteration 3", 15, "dead"],
        remark="the seed expects 15 from the first resume; the first gives the yielded text (X71)",
    ),
    Case(
        "S73",
        "runs",
        "its promise resolves",
        before="const outcome =",
        after="return await outcome;",
        value=42,
    ),
    Case("S74a", "runs", "arithmetic", value=135),
    Case(
        "S74b",
        "runs",
        "arithmetic; its value is that of its last statement",
        after="return calculate();",
        value=135,
    ),
    Case("S75a", "runs", "fibonacci(20)", value=6765),
    Case(
        "S75b",
        "runs",
        "fibonacci(20); its value is that of its last statement",
        after="return fibonacci(20);",
        value=6765,
    ),
)
