# ruff: noqa: E501 - spells are laid out as their authors would
"""The event bus as spells of three languages use it: equal results, bounded, to the end."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from tests.e2e.program import LANGUAGES, SUFFIXES, Program

CASCADE: Final = {
    "lua": """
local got, views = {}, 0
Events.subscribe("step.*", function(event)
  got[#got + 1] = event.type .. " " .. event.n .. " " .. event.data.n .. " " .. event.source
  if event.n < 3 then Events.emit("step.next", { n = event.n + 1 }) end
end)
Events.subscribe("*", { priority = 90, filter = function(event) return event.n % 2 == 0 end,
  handler = function(event) got[#got + 1] = "even " .. event.n end })
Events.subscribe("step.*", function() error("no good") end)
Events.subscribe("step.first", { priority = 99, handler = function() return "stop" end, once = true })
Events.filter(function(event) return event.n == 3 end).subscribe("step.*", function() views = views + 1 end)
Events.emit("step.first", { n = 0 })
Events.emit("step.first", { n = 1 })
Events.emit { type = "other", data = { n = 4 } }
Events.emit { type = "other", n = 6, source = "agent:boss" }
Events.flush()
local answer = Events.emit_sync("step.last", { n = 5 })
local stats = Events.get_stats()
return { got = got, views = views, answer = answer.delivered .. " " .. answer.failed,
  stats = { stats.total_events, stats.failed, stats.stopped, stats.pending } }
""",
    "javascript": """
const got = [];
let views = 0;
await Events.subscribe("step.*", (event) => {
  got.push(`${event.type} ${event.n} ${event.data.n} ${event.source}`);
  if (event.n < 3) Events.emit("step.next", { n: event.n + 1 });
});
await Events.subscribe("*", { priority: 90, filter: (event) => event.n % 2 === 0,
  handler: async (event) => { got.push("even " + event.n); } });
await Events.subscribe("step.*", () => { throw new Error("no good"); });
await Events.subscribe("step.first", { priority: 99, handler: () => "stop", once: true });
await Events.filter((event) => event.n === 3).subscribe("step.*", () => { views++; });
Events.emit("step.first", { n: 0 });
Events.emit("step.first", { n: 1 });
Events.emit({ type: "other", data: { n: 4 } });
await Events.emit({ type: "other", n: 6, source: "agent:boss" });
await Events.flush();
const answer = await Events.emitSync("step.last", { n: 5 });
const stats = await Events.getStats();
return { got, views, answer: `${answer.delivered} ${answer.failed}`,
  stats: [stats.total_events, stats.failed, stats.stopped, stats.pending] };
""",
    "python": """
got, views = [], []

@Events.subscribe("step.*")
def step(event):
    got.append(f"{event.type} {event.n} {event.data.n} {event.source}")
    if event.n < 3:
        Events.emit("step.next", {"n": event.n + 1})

async def even(event):
    got.append(f"even {event.n}")

def bad(event):
    raise ValueError("no good")

await Events.subscribe("*", even, priority=90, filter=lambda event: event.n % 2 == 0)
await Events.subscribe("step.*", bad)
await Events.subscribe("step.first", lambda event: "stop", priority=99, once=True)
await Events.filter(lambda event: event.n == 3).subscribe("step.*", views.append)
Events.emit("step.first", {"n": 0})
Events.emit("step.first", {"n": 1})
Events.emit({"type": "other", "data": {"n": 4}})
await Events.emit({"type": "other", "n": 6, "source": "agent:boss"})
await Events.flush()
answer = await Events.emit_sync("step.last", {"n": 5})
stats = await Events.get_stats()
result = {"got": got, "views": len(views), "answer": f"{answer.delivered} {answer.failed}",
          "stats": [stats.total_events, stats.failed, stats.stopped, stats.pending]}
""",
}
EXPECTED: Final = {
    # The first is stopped, so only what comes before it in priority has it: nothing.
    "got": [
        "step.first 1 1 spell",
        "even 4",
        "even 6",
        "even 2",
        "step.next 2 2 spell",
        "step.next 3 3 spell",
        "step.last 5 5 spell",
    ],
    "views": 1,
    "answer": "3 1",
    "stats": [7, 4, 1, 0],
}


@pytest.mark.parametrize("profile", ["medium", "high"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_API_080_handlers_that_emit_stop_filter_and_fail(
    program: Program, language: str, profile: str
) -> None:
    found = program.result(CASCADE[language], SUFFIXES[language], "--profile", profile)
    assert found["value"] == EXPECTED
    assert "a handler of step.* failed" in found["stderr"]


ENDLESS: Final = {
    "lua": 'Events.subscribe("x", function() Events.emit("x", {}) end)\nEvents.emit("x", {})',
    "javascript": 'await Events.subscribe("x", () => Events.emit("x"));\nEvents.emit("x");',
    "python": 'await Events.subscribe("x", lambda e: Events.emit("x"))\nEvents.emit("x")',
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_cascade_without_end_ends(program: Program, language: str) -> None:
    ended = program.run(ENDLESS[language], SUFFIXES[language])
    assert ended.code == 0, ended
    assert "over 32 deep" in ended.err


FLOOD: Final = {
    "lua": 'for n = 1, 500 do Events.emit("x", { n = n }) end',
    "javascript": 'for (let n = 0; n < 500; n++) await Events.emit("x", { n });',
    "python": 'for n in range(500):\n    Events.emit("x", {"n": n})',
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_events_have_a_budget_of_their_own(program: Program, language: str) -> None:
    flags = ("--limit", "events=300")
    refused = program.result(FLOOD[language], SUFFIXES[language], *flags)
    assert refused["error"]["code"] == 4009
    assert refused["error"]["rule"] == "limit.events"
    # Five hundred events are no five hundred calls: ten of them, and the flush at the end.
    allowed = program.result(FLOOD[language], SUFFIXES[language], "--limit", "calls=1")
    assert allowed["exit"] == 0, allowed


PERSIST: Final = {
    "lua": """
Events.persist { ttl = 3600, pattern = "kept_*" }
Events.emit("kept_one", { run = params.run })
Events.emit("lost", {})
Events.flush()
local out = {}
for _, event in ipairs(Events.replay { pattern = "kept_*" }) do out[#out + 1] = event.data.run end
return out
""",
    "javascript": """
await Events.persist({ ttl: 3600000, pattern: "kept_*" });
await Events.emit("kept_one", { run: params.run });
await Events.emit("lost");
await Events.flush();
const out = [];
for await (const event of Events.replay({ pattern: "kept_*" })) out.push(event.data.run);
return out;
""",
    "python": """
await Events.persist(ttl=3600, pattern="kept_*")
Events.emit("kept_one", {"run": params["run"]})
Events.emit("lost", {})
await Events.flush()
result = [event.data.run for event in await Events.replay(pattern="kept_*")]
""",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_EVT_017_events_outlive_their_run(program: Program, language: str) -> None:
    seen: list[Any] = []
    for run in (1, 2):
        flags = ("--profile", "high", "--param", f"run={run}")
        seen.append(program.result(PERSIST[language], SUFFIXES[language], *flags)["value"])
    assert seen == [[1], [1, 2]]


WAITING: Final = {
    "lua": """
local lists = {}
Events.aggregate("n", { count = 2 }, function(events) lists[#lists + 1] = #events end)
local task = Async.spawn(function() return Events.wait_for("n", "5s", { where = { ["data.n"] = 3 } }).data.n end)
Async.sleep(1)
for n = 1, 5 do Events.emit("n", { n = n }) end
local found = task:await()
Events.flush()
local function nothing() end
Events.subscribe("n", nothing)
local subscription = Events.subscribe("m", nothing)
local ended = { Events.unsubscribe("n", nothing), subscription.unsubscribe and subscription:unsubscribe(), Events.unsubscribe(nothing) }
local late, why = pcall(Events.wait_for, "never", 0.01)
return { lists = lists, found = found, ended = ended, late = why.kind }
""",
    "javascript": """
const lists = [];
await Events.aggregate("n", { count: 2 }, (events) => { lists.push(events.length); });
const wait = Events.waitFor("n", "5s", { where: { "data.n": 3 } });
for (let n = 1; n <= 5; n++) Events.emit("n", { n });
const found = (await wait).data.n;
await Events.flush();
const nothing = () => {};
await Events.subscribe("n", nothing);
const subscription = await Events.subscribe("m", nothing);
const ended = [await Events.unsubscribe("n", nothing), await subscription.unsubscribe(), await Events.unsubscribe(nothing)];
let late;
try { await Events.waitFor("never", 10); } catch (error) { late = error.kind; }
return { lists, found, ended, late };
""",
    "python": """
lists = []
await Events.aggregate("n", lambda events: lists.append(len(events)), count=2)
wait = Events.wait_for("n", "5s", {"data.n": 3})
for n in range(1, 6):
    Events.emit("n", {"n": n})
found = (await wait).data.n
await Events.flush()
def nothing(event): pass
await Events.subscribe("n", nothing)
subscription = await Events.subscribe("m", nothing)
ended = [await Events.unsubscribe("n", nothing), await subscription.unsubscribe(), await Events.unsubscribe(nothing)]
try:
    await Events.wait_for("never", 0.01)
except LLMSpellError as error:
    late = error.kind
result = {"lists": lists, "found": found, "ended": ended, "late": late}
""",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_API_121_waiting_gathering_and_leaving(program: Program, language: str) -> None:
    found = program.result(WAITING[language], SUFFIXES[language])
    assert found["value"] == {
        "lists": [2, 2, 1],
        "found": 3,
        "ended": [1, 1, 0],
        "late": "timeout",
    }, found


UNHEARD: Final = {
    "lua": 'Events.subscribe("x", function(e) print("heard " .. e.n) end)\nEvents.emit("x", {n = 1})',
    "javascript": 'await Events.subscribe("x", (e) => print("heard " + e.n));\nEvents.emit("x", {n: 1});',
    "python": 'await Events.subscribe("x", lambda e: print("heard", e.n))\nEvents.emit("x", {"n": 1})',
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_handlers_run_before_the_spell_is_over(program: Program, language: str) -> None:
    assert program.run(UNHEARD[language], SUFFIXES[language]).out.startswith("heard 1\n")


MISTAKES: Final = (
    ("Events.subscribe('x', 3)", 5008),
    ("Events.emit(3)", 5005),
    ("Events.subscribe('*a*a*a*a*a*a*a*a*a', function() end)", 5006),
    ("Events.filter(3)", 5007),
    ("Events.emit('x', string.rep('y', 70000)) Events.flush()", 5005),
    ("Events.emit('x', function() end)", 2002),
)


@pytest.mark.parametrize(("line", "code"), MISTAKES)
def test_COD_045_mistakes_have_their_codes(program: Program, line: str, code: int) -> None:
    found = program.result(line, ".lua")
    assert found["error"]["code"] == code, json.dumps(found["error"])


SERVICES: Final = {
    "lua": """
local got = {}
Events.subscribe("agent_*", function(event) got[#got + 1] = event.type .. " " .. event.source end)
Events.subscribe("workflowComplete", function(event) got[#got + 1] = event.type .. " " .. event.workflow_name end)
local agent = Agent.create { name = "helper", provider = "fake", model = "echo" }
agent:execute { message = "hello" }
Workflow.sequential { name = "w", steps = { { name = "one", action = function() return 1 end } } }:execute {}
Events.flush()
return got
""",
    "javascript": """
const got = [];
await Events.subscribe("agent_*", (event) => { got.push(event.type + " " + event.source); });
await Events.subscribe("workflowComplete", (event) => { got.push(event.type + " " + event.workflowName); });
const agent = await Agent.create({ name: "helper", provider: "fake", model: "echo" });
await agent.execute({ message: "hello" });
const flow = await Workflow.sequential({ name: "w", steps: [{ name: "one", action: () => 1 }] });
await flow.execute({});
await Events.flush();
return got;
""",
    "python": """
got = []
await Events.subscribe("agent_*", lambda event: got.append(event.type + " " + event.source))
await Events.subscribe("workflowComplete", lambda event: got.append(event.type + " " + event.workflow_name))
agent = await Agent.create(name="helper", provider="fake", model="echo")
await agent.execute({"message": "hello"})
flow = await Workflow.sequential(name="w", steps=[{"name": "one", "action": lambda *_: 1}])
await flow.execute({})
await Events.flush()
result = got
""",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_EVT_022_events_of_the_services_reach_every_language(
    program: Program, language: str
) -> None:
    found = program.result(SERVICES[language], SUFFIXES[language])
    assert found["value"] == [
        "agent_created agent:helper",
        "agent_started agent:helper",
        "agent_execution_started agent:helper",
        "agent_execution_completed agent:helper",
        "agent_completed agent:helper",
        "workflow_complete w",
    ], found


AGAIN: Final = {
    "lua": """
local seen = {}
Events.subscribe("agent_error", function(event)
  seen[#seen + 1] = event.agent .. " " .. event.data.context
  return coroutine.create(function()
    coroutine.yield(Async.sleep(1))
    event.data.context = "again " .. #seen
    return "retry_with_modified_context"
  end)
end)
local agent = Agent.create { name = "poor", provider = "nowhere", model = "m" }
return { seen = seen, done = agent:execute({ message = "first" }).success }
""",
    "javascript": """
const seen = [];
await Events.subscribe("agent_error", async (event) => {
  seen.push(event.agent + " " + event.data.context);
  await Async.sleep(1);
  event.data.context = "again " + seen.length;
  return "retry_with_modified_context";
});
const agent = await Agent.create({ name: "poor", provider: "nowhere", model: "m" });
const { success } = await agent.execute({ message: "first" });
return { seen, done: success };
""",
    "python": """
seen = []
async def heal(event):
    seen.append(event.agent + " " + event.data.context)
    await Async.sleep(1)
    event.data["context"] = f"again {len(seen)}"
    return "retry_with_modified_context"
await Events.subscribe("agent_error", heal)
agent = await Agent.create(name="poor", provider="nowhere", model="m")
answer = await agent.execute({"message": "first"})
result = {"seen": seen, "done": answer.success}
""",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_API_080_a_handler_has_the_agent_try_again(program: Program, language: str) -> None:

    found = program.result(AGAIN[language], SUFFIXES[language])
    assert found["value"]["seen"] == [
        "poor first", "poor again 1", "poor again 2", "poor again 3",
    ], found  # fmt: skip
    assert found["value"]["done"] is False
