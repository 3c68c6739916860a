"""S62 to S71: the quick references and the patterns of memory and speed."""

from __future__ import annotations

import re
from typing import Any, Final

from tests.seeds.case import Case

_DATABASE: Final = """
Tools.create("database", {
    description = "a stand-in that gives back what it is asked",
    parameters = { type = "object", properties = {
        query = { type = "string" }, params = { type = "array" } } },
    execute = function(input) return { rows = { input } } end,
})
"""

_JAVASCRIPT_DATABASE: Final = """
await Tools.create("database", {
    description: "a stand-in that gives back what it is asked",
    parameters: { type: "object", properties: {
        query: { type: "string" }, params: { type: "array" } } },
    execute: (input) => ({ rows: [input] }),
});
"""

_STAND_IN: Final = """
Tools.create("stand_in", {
    description = "a stand-in for what lies outside", execute = function(input) return input end,
})
Hooks.register("before_tool_execution", function(context)
    if context.tool_name == "http_client" or context.tool_name == "file_reader" then
        return { action = "redirect", target = "stand_in" }
    end
end)
"""

_JAVASCRIPT_STAND_IN: Final = """
await Tools.create("stand_in", {
    description: "a stand-in for what lies outside", execute: (input) => input,
});
await Hooks.register("beforeToolExecution", (context) => {
    if (["http_client", "file_reader"].includes(context.toolName)) {
        return { action: "redirect", target: "stand_in" };
    }
});
"""

_TABLES: Final = """
local agent = { state = 1, tools = { "a" } }
cleanup_agent_state(agent)
local deep = 0
local guarded
guarded = safe_execute(function() deep = deep + 1; return guarded() end, 5)
local stopped, why = pcall(guarded)
local double = safe_execute(function(number) return number * 2 end, 1)
return { stopped, why, deep, double(21), double(4), agent.state == nil, #agent.tools }
"""

_POOL: Final = """
local made = create_optimized_agent()
local first = made.get_table()
first.used = true
made.return_table(first)
local again = made.get_table()
local answer = made.get_compiled_function("answer")
return {
    rawequal(first, again), again.used == nil, rawequal(made.get_table(), again),
    answer(), rawequal(answer, made.get_compiled_function("answer")),
}
"""


_CLASSES: Final = """
local function class(name)
    return { new = function(settings)
        local own = name .. (settings and settings.source or "")
        return Agent.new({ name = own, provider = "fake" })
    end }
end
DataFetchAgent, ProcessingAgent, AnalysisAgent = class("fetch"), class("process"), class("analyze_")
local function workflow_class(name)
    return { new = function()
        local step = { name = "tell", execute = function() return name end }
        return Workflow.sequential({ name = name, steps = { step } })
    end }
end
LargeDataWorkflow, SmallDataWorkflow = workflow_class("large"), workflow_class("small")
"""

_JAVASCRIPT_CLASSES: Final = """
const agentClass = (name) => class {
    constructor(settings) {
        return new Agent({ name: name + (settings?.source ?? ""), provider: "fake" });
    }
};
const DataFetchAgent = agentClass("fetch"), ProcessingAgent = agentClass("process");
const AnalysisAgent = agentClass("analyze_");
const workflowClass = (name) => class {
    constructor() {
        const step = { name: "tell", execute: () => name };
        return new Workflow.Sequential({ name, steps: [step] });
    }
};
const LargeDataWorkflow = workflowClass("large"), SmallDataWorkflow = workflowClass("small");
"""

_HEARD: Final = """
local heard = {}
Events.subscribe("custom_event", function(event) heard[#heard + 1] = event.data.data.key end)
"""

_HEAR: Final = """
Events.emit("agent_completed", { agent_id = "a1", result = "fine" })
Async.sleep(20)
return { llm.complete({ provider = "fake", prompt = "why?" }).content, heard }"""

_JAVASCRIPT_HEARD: Final = """
const heard = [];
Events.subscribe("customEvent", (event) => { heard.push(event.data.data.key); });
"""

_JAVASCRIPT_HEAR: Final = """
await Events.emit("agentCompleted", { agentId: "a1", result: "fine" });
await Async.sleep(20);
return [(await llm.complete({ provider: "fake", prompt: "why?" })).content, heard];"""


def _workflows(result: Any) -> None:
    first, second, large, small = result.value
    assert first["success"] and first["raw_data"]["source"] == "api"
    assert first["processed_data"]["data"]["source"] == "api", "the template gives the whole value"
    assert second["success"] and list(second["output"]) == ["source_a", "source_b"]
    assert second["output"]["source_a"]["q"] == 1
    assert (large["output"], small["output"]) == ("large", "small")


def _recursion(result: Any) -> None:
    stopped, why, deep, *rest = result.value
    assert (stopped, deep) == (False, 5) and "Maximum recursion depth exceeded" in why
    assert rest == [42, 8, True, 0]


def _agent(result: Any) -> None:
    value = result.value
    assert value["said"].startswith("Process this request") and '"key"' in value["said"]
    assert value["state"]["counter"] == 1 and value["state"]["mode"] == "active"
    assert "counter" not in value["cleared"]
    assert value["tools"] == ["file_reader", "database"]
    assert re.search(r"About to execute:\s+Once more", result.output)


def _tools(result: Any) -> None:
    response, content, rows = result.value
    assert response["method"] == "GET" and response["url"] == "https://api.example.com/data"
    assert response["headers"] == {"Authorization": "Bearer token"}
    assert response["timeout"] == 30_000, "30 in Lua are seconds, 30000 in JavaScript milliseconds"
    assert response["retries"] == 3
    assert content == {"path": "/safe/directory/document.txt"}
    assert rows == [
        {"query": "SELECT * FROM users WHERE active = $1", "params": [True]},
    ]


CASES: Final = (
    Case(
        "S62",
        "runs",
        "a call that goes too deep is stopped; an agent's table is emptied",
        after=_TABLES,
        check=_recursion,
    ),
    Case(
        "S63",
        "runs",
        "functions are compiled once, tables are used again",
        before='local function_code = { answer = "return 42" }',
        after=_POOL,
        value=[True, True, False, 42, True],
        profile="high",
    ),
    Case(
        "S64",
        "runs",
        "an agent's request, state, tools and hook",
        before=_DATABASE,
        after="""agent:execute({ input = "Once more" })
local tools = {}
for _, tool in ipairs(agent:list_tools()) do tools[#tools + 1] = tool.name end
return { said = result.output, state = state, cleared = agent:get_state(), tools = tools }""",
        check=_agent,
    ),
    Case(
        "S65",
        "runs",
        "three tools by their classes; what lies outside is answered by a stand-in",
        before=_DATABASE + _STAND_IN,
        after="return { response.result, content.result, results.result.rows }",
        check=_tools,
    ),
    Case(
        "S66",
        "runs",
        "each of the three workflows with agents of fixture classes",
        before=_CLASSES,
        after="""return { workflow:execute({}), parallel_workflow:execute({ q = 1 }),
    conditional_workflow:execute({ data_size = 2000000 }),
    conditional_workflow:execute({ data_size = 2 }) }""",
        check=_workflows,
    ),
    Case(
        "S67",
        "runs",
        "the handlers are called, the hook rewrites a prompt",
        before=_HEARD,
        after=_HEAR,
        value=["Enhanced: why?", ["value"]],
        output=("Agent completed:", "a1", "fine"),
        profile="high",
        grants=("llm:*",),
    ),
    Case(
        "S68",
        "runs",
        "an agent's request, state, tools and hook",
        before=_JAVASCRIPT_DATABASE,
        after="""await agent.execute({ input: "Once more" });
const tools = (await agent.listTools()).map((tool) => tool.name);
return { said: result.output, state, cleared: await agent.getState(), tools };""",
        check=_agent,
    ),
    Case(
        "S69",
        "runs",
        "three tools by their classes; what lies outside is answered by a stand-in",
        before=_JAVASCRIPT_DATABASE + _JAVASCRIPT_STAND_IN,
        after="return [response.result, content.result, results.result.rows];",
        check=_tools,
    ),
    Case(
        "S70",
        "runs",
        "each of the three workflows with agents of fixture classes",
        before=_JAVASCRIPT_CLASSES,
        after="""return [await workflow.execute({}), await parallelWorkflow.execute({ q: 1 }),
    await conditionalWorkflow.execute({ dataSize: 2000000 }),
    await conditionalWorkflow.execute({ dataSize: 2 })];""",
        check=_workflows,
    ),
    Case(
        "S71",
        "runs",
        "the handlers are called, the hook rewrites a prompt",
        before=_JAVASCRIPT_HEARD,
        after=_JAVASCRIPT_HEAR,
        value=["Enhanced: why?", ["value"]],
        output=("Agent completed:", "a1", "fine"),
    ),
)
