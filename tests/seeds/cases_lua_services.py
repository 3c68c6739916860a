"""S22 to S24: events, speed and tests in Lua."""

from __future__ import annotations

from typing import Any, Final

from tests.seeds.case import Case
from tests.seeds.cases_first import agents


def _handled(result: Any) -> None:
    value = result.value
    assert value["limited"] == "retry" and value["waited"] >= 0.05
    assert value["answer"] == "answered", "asked again with what the summarizer gave"
    assert value["opened"] == [{"error_count": 5, "time_window": 300}]
    assert len(value["closed"]) == 1 and value["closed"][0]["reset_time"] > 1_700_000_000
    assert value["asked"] == [600_000], "ten minutes, which the test's Async makes short"


def _fast(result: Any) -> None:
    value = result.value
    assert (value["count"], value["last"], value["batches"]) == (250, 500, 3)
    assert value["report"] == "1\ntrue\nthree"
    assert value["first"] == value["second"] and value["asked"] == 1


_TOO_LONG: Final = """
[[turn]]
error = "context_length"
expect = { user = "a long story, told at length" }
[[turn]]
text = "a story"
expect = { contains = ["a long story, told at length", "target_length"] }
[[turn]]
text = "answered"
expect = { user = "a story" }
"""

CASES: Final = (
    Case(
        "S22",
        "runs",
        "what its handlers answer decides, and its breaker opens and closes again",
        before=agents("summarizer")
        + """
local asked, opened, closed = {}, {}, {}
local Async = setmetatable({ schedule = function(milliseconds, action)
    asked[#asked + 1] = milliseconds
    return Async.schedule(milliseconds / 100000, action)
end }, { __index = Async })
Events.subscribe("circuit_breaker_opened", function(event) opened[#opened + 1] = event.data end)
Events.subscribe("circuit_breaker_closed", function(event) closed[#closed + 1] = event.data end)""",
        after="""local began = os.clock()
local limited = Events.emit_sync({ type = "agent_error", data = {
    agent_id = "a", error_type = "rate_limit", message = "slow down", retry_after = 0.05 } })
local waited = os.clock() - began
local writer = Agent.create({ name = "writer", provider = "fake" })
local answer = writer:chat("a long story, told at length")
for _ = 1, 5 do Events.emit_sync({ type = "workflow_error", data = {} }) end
Events.wait_for("circuit_breaker_closed", 10)
return { limited = limited.action, waited = waited, answer = answer,
    opened = opened, closed = closed, asked = asked }""",
        check=_handled,
        turns=_TOO_LONG,
    ),
    Case(
        "S23",
        "runs",
        "batches, a text made at once, and an agent that is asked once for two answers",
        before=agents("helper")
        + """
local batches, asked = 0, 0
function process_batch(batch)
    batches = batches + 1
    local doubled = {}
    for index, number in ipairs(batch) do doubled[index] = number * 2 end
    return doubled
end
function hash(input) return json.encode(input) end
Hooks.register("before_agent_execution", function() asked = asked + 1 end)""",
        after="""local numbers = {}
for number = 1, 250 do numbers[number] = number end
local doubled = Async.run(coroutine.create(function()
    return efficient_data_processing(numbers)
end))
local first = cached_agent_call("helper", { query = "hello" })
local second = cached_agent_call("helper", { query = "hello" })
return { count = #doubled, last = doubled[250], batches = batches,
    report = build_large_report({ 1, true, "three" }),
    first = first.content, second = second.content, asked = asked }""",
        check=_fast,
    ),
    Case(
        "S24",
        "runs",
        "two suites of tests",
        before="""local answers = { 20, 40 }
Tools.create("mock_tool", { description = "a stand-in", execute = function(input)
    return { value = table.remove(answers, 1), given = input.value }
end })""",
        output=(
            "ok   Agent Functionality: basic_chat_functionality",
            "ok   Agent Functionality: tool_integration",
            "ok   Agent Functionality: error_handling",
            "ok   Workflow Functionality: sequential_execution",
            "4 passed, 0 failed",
        ),
        remark="its 40 is what neither a tool that echoes (20) nor one that doubles (80) gives "
        "(X71); the stand-in answers 20, then 40",
    ),
)
