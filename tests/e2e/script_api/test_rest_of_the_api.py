"""ErrorHandler, Config, Scheduler, Orchestrator and the globals from spells in three languages."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.program import SUFFIXES, Ended, Program


def run(program: Program, language: str, source: str, *flags: str) -> Any:
    """The result of a spell, as `--output json` prints it; its records are in `a.jsonl`."""
    name = f"spell{SUFFIXES[language]}"
    program.write(name, source)
    (program.folder / "a.jsonl").unlink(missing_ok=True)
    ended: Ended = program("run", "--output", "json", "--audit", "a.jsonl", *flags, name)
    told = ended.json()
    assert told["status"] == "done", told
    return told


def records(program: Program) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (program.folder / "a.jsonl").read_text().splitlines()]


PARSE = {
    "lua": """
local done, raised = pcall(fs.read, "/etc/shadow")
local info = ErrorHandler.parse_error(raised)
local bad = select(2, pcall(function() return storage.get(nil) end))
local own = select(2, pcall(function() error("boom") end))
local recovery = ErrorHandler.attempt_recovery(raised, {type = "retry", delay = 0},
  function(told) return told.error.type end)
return {info.type, info.code, info.recoverable, info.trace_id ~= nil, info.suggestions[1],
  ErrorHandler.parse_error(bad).type, ErrorHandler.parse_error(own).type,
  recovery.success, recovery.result, ErrorHandler.get_stats().total_errors}
""",
    "javascript": """
let raised, bad, own;
try { await fs.read("/etc/shadow"); } catch (error) { raised = error; }
try { await storage.get(undefined); } catch (error) { bad = error; }
try { throw new Error("boom"); } catch (error) { own = error; }
const info = ErrorHandler.parseError(raised);
const recovery = await ErrorHandler.attemptRecovery(raised, {type: "retry", delay: 0},
  (told) => told.error.type);
return [info.type, info.code, info.recoverable, info.traceId !== undefined, info.suggestions[0],
  ErrorHandler.parseError(bad).type, ErrorHandler.parseError(own).type,
  recovery.success, recovery.result, ErrorHandler.getStats().total_errors];
""",
    "python": """
async def caught(action):
    try:
        await action()
    except Exception as error:
        return error

async def boom():
    raise ValueError("boom")

async def type_of(error):
    return (await ErrorHandler.parse_error(error))["type"]

raised = await caught(lambda: fs.read("/etc/shadow"))
info = await ErrorHandler.parse_error(raised)
recovery = await ErrorHandler.attempt_recovery(
    raised, {"type": "retry", "delay": 0}, lambda told: told["error"]["type"])
[info["type"], info["code"], info["recoverable"], "trace_id" in info, info["suggestions"][0],
 await type_of(await caught(lambda: storage.get(None))), await type_of(await caught(boom)),
 recovery["success"], recovery["result"], (await ErrorHandler.get_stats())["total_errors"]]
""",
}


@pytest.mark.parametrize("language", SUFFIXES)
@pytest.mark.parametrize("profile", ["medium", "high"])
def test_errors_mean_the_same_in_every_language(
    program: Program, language: str, profile: str
) -> None:
    told = run(program, language, PARSE[language], "--profile", profile)
    assert told["value"] == [
        "permission_denied", 4008, False, True, "to allow it: --allow-read /etc/shadow",
        "validation_error", "runtime_error", True, "permission_denied", 3,
    ]  # fmt: skip


def test_a_trace_id_is_in_the_error_and_in_the_record(program: Program) -> None:
    source = """
    local function trace(act) return select(2, pcall(act)).trace_id end
    return {trace(function() return fs.read("/etc/shadow") end),
            trace(function() return fs.read("spell:none") end)}
    """
    denied, missing = run(program, "lua", source)["value"]
    found = {item["event"]: item for item in records(program) if "trace_id" in
             item.get("details", {})}  # fmt: skip
    assert found["decision"]["details"]["trace_id"] == denied
    assert found["failed_call"]["details"]["trace_id"] == missing
    assert denied.startswith(found["decision"]["session"]) and denied != missing


GLOBALS = (
    "ENGINE",
    "VERSION",
    "PLATFORM",
    "CONFIG_PATH",
    "DATA_PATH",
    "CACHE_PATH",
    "SECURITY_LEVEL",
    "SANDBOX_ENABLED",
    "MAX_MEMORY",
    "MAX_EXECUTION_TIME",
    "MAX_CONCURRENT_OPERATIONS",
    "AVAILABLE_PROVIDERS",
)


@pytest.mark.parametrize("language", SUFFIXES)
def test_api_020_to_027_the_globals(program: Program, language: str) -> None:
    names = ", ".join(GLOBALS)
    source = {"lua": f"return {{{names}}}", "javascript": f"return [{names}];",
              "python": f"[{names}]"}[language]  # fmt: skip
    value = dict(zip(GLOBALS, run(program, language, source)["value"], strict=True))
    assert value["ENGINE"] == language
    assert (value["CONFIG_PATH"], value["DATA_PATH"]) == ("config:", "workspace:")
    assert (value["SECURITY_LEVEL"], value["SANDBOX_ENABLED"]) == ("medium", True)
    assert (value["MAX_MEMORY"], value["MAX_EXECUTION_TIME"]) == (512 * 2**20, 300)
    assert value["AVAILABLE_PROVIDERS"] == ["fake"]
    home = str(program.place.root)
    assert home not in json.dumps(value), "no real path from medium up (API-023)"


def test_the_globals_follow_profile_and_configuration(program: Program) -> None:
    source = "return {SECURITY_LEVEL, DATA_PATH, SANDBOX_ENABLED, AVAILABLE_PROVIDERS}"
    assert run(program, "lua", source, "--profile", "high")["value"][:2] == ["high", "scratch:"]
    level, data, sandboxed, _ = run(program, "lua", source, "--profile", "none")["value"]
    assert (level, sandboxed) == ("none", False)
    assert data.startswith(str(program.place.root)), "own code may know its own folders"
    program.write("mine.toml", 'extends = "medium"\n[limits]\nwall = "9s"\n')
    assert run(program, "lua", source, "--policy", "mine.toml")["value"][0] == "custom"
    program.write("spell.lua", source)
    key = {"LLMSPELL_PROVIDERS__DEFAULT": "fake"}
    found = program("run", "--output", "json", "spell.lua", env=key).json()["value"]
    assert found[3] == ["fake"]


TIGHTEN = {
    "lua": """
local function rule(act, ...) local done, e = pcall(act, ...) return done or e.rule end
return {Config.get("security.level"), rule(Config.set, "limits.calls", 500),
  Config.get("limits.calls"), rule(Config.set, "limits.calls", 501),
  rule(Config.configure_resources, {max_execution_time = 100000}),
  rule(Config.configure_security, {level = "none"}),
  rule(Config.configure_security, {level = "high"}),
  rule(fs.read, "spell:spell.lua"), Config.get_security_config().level,
  rule(Config.configure_provider, "fake", {api_key = "sk-secret"}),
  rule(Config.configure_provider, "fake", {max_tokens = 7}),
  Config.get("providers.fake.max_tokens")}
""",
    "javascript": """
const rule = async (act) => { try { await act(); return true; } catch (e) { return e.rule; } };
return [Config.get("security.level"), await rule(() => Config.set("limits.calls", 500)),
  Config.get("limits.calls"), await rule(() => Config.set("limits.calls", 501)),
  await rule(() => Config.configureResources({maxExecutionTime: 100000000})),
  await rule(() => Config.configureSecurity({level: "none"})),
  await rule(() => Config.configureSecurity({level: "high"})),
  await rule(() => fs.read("spell:spell.js")), Config.getSecurityConfig().level,
  await rule(() => Config.configureProvider("fake", {apiKey: "sk-secret"})),
  await rule(() => Config.configureProvider("fake", {maxTokens: 7})),
  Config.get("providers.fake.max_tokens")];
""",
    "python": """
async def rule(call):
    try:
        await call
        return True
    except LLMSpellError as error:
        return error.rule

[await Config.get("security.level"), await rule(Config.set("limits.calls", 500)),
 await Config.get("limits.calls"), await rule(Config.set("limits.calls", 501)),
 await rule(Config.configure_resources(max_execution_time=100000)),
 await rule(Config.configure_security(level="none")),
 await rule(Config.configure_security(level="high")), await rule(fs.read("spell:spell.py")),
 (await Config.get_security_config())["level"],
 await rule(Config.configure_provider("fake", {"api_key": "sk-secret"})),
 await rule(Config.configure_provider("fake", {"max_tokens": 7})),
 await Config.get("providers.fake.max_tokens")]
""",
}


@pytest.mark.parametrize("language", SUFFIXES)
def test_api_092_settings_can_only_be_tightened(program: Program, language: str) -> None:
    told = run(program, language, TIGHTEN[language])
    only = "config.tighten-only"
    assert told["value"] == [
        "medium", True, 500, only, only, only, True, "high.files.read", "high", only, True, 7,
    ]  # fmt: skip
    kept = records(program)
    refused = [item for item in kept if item.get("rule") == only and item["allowed"] is False]
    assert len(refused) == 4 and {item["code"] for item in refused} == {4008}
    assert "sk-secret" not in json.dumps([kept, told])


def test_limits_lowered_in_a_run_hold(program: Program) -> None:
    lowered = "Config.configure_resources({max_calls = 20})"
    program.write("a.lua", f"{lowered} for i = 1, 30 do fs.exists('x') end")
    told = program("run", "--output", "json", "a.lua").json()
    assert (told["status"], told["reason"]) == ("limit", "calls")
    program.write("b.lua", "Config.set('limits.output', 2000) print(string.rep('x', 3000))")
    assert program("run", "--output", "json", "b.lua").json()["reason"] == "output"
    program.write("c.lua", "Config.set('limits.wall', '400ms') while true do end")
    told = program("run", "--output", "json", "c.lua").json()
    assert told["reason"] == "wall" and told["usage"]["wall"] < 5
    program.write("d.lua", "Config.set('limits.memory', '10MiB')")
    assert "fixed when the worker starts" in program("run", "d.lua").err


def test_changes_are_told_to_hooks_and_listeners(program: Program) -> None:
    source = """
    local seen = {}
    Events.on("configuration_change", function(event) seen[#seen + 1] = event.data.section end)
    Hooks.register("configuration_change", function(context) seen[#seen + 1] = context.section end)
    Config.set("limits.calls", 900)
    Config.set("mine", {1, 2})
    Async.sleep(20)
    table.sort(seen)
    return {seen, Config.get("mine"), Config.get("nothing", "otherwise")}
    """
    assert run(program, "lua", source)["value"] == [
        ["own", "own", "resources", "resources"], [1, 2], "otherwise",
    ]  # fmt: skip


JOB = """
local step = {name = "a", component = function() end}
local wf = Workflow.sequential({name = "report", steps = {step}})
local job = Scheduler.register({name = "daily", trigger = {type = "cron", schedule = "0 8 * * *"},
  action = {type = "workflow", workflow = wf, input = {report_date = "{{now()}}"}}})
local function refused(change)
  local config = {name = "x", trigger = {type = "interval", seconds = 60},
    action = {type = "agent", agent = "a"}}
  for key, value in pairs(change) do config[key] = value end
  local done, e = pcall(Scheduler.register, config)
  return not done and e.message
end
local other = Scheduler.register(
  {name = "gone", trigger = {cron = "@daily"}, action = {tool = "echo"}})
return {job.name, job.status, job:get_status().trigger.schedule, other:cancel(), #Scheduler.list(),
  refused({trigger = {type = "cron", schedule = "61 * * * *"}}), refused({name = "daily"}),
  refused({action = {type = "tool", tool = "echo", input = {f = function() end}}})}
"""


def test_api_114_a_job_is_a_request_in_the_result_and_the_records(program: Program) -> None:
    told = run(program, "lua", JOB)
    name, status, schedule, cancelled, count, cron, twice, function = told["value"]
    assert (name, status, schedule) == ("daily", "requested", "0 8 * * *")
    assert (cancelled, count) == (True, 1)
    assert "minute" in cron and "already" in twice and "function of this run" in function
    assert told["requests"] == [{
        "name": "daily", "status": "requested",
        "trigger": {"type": "cron", "schedule": "0 8 * * *"},
        "action": {"type": "workflow", "workflow": "report",
                   "input": {"report_date": "{{now()}}"}},
    }]  # fmt: skip
    events = [item["event"] for item in records(program)]
    assert events.count("schedule_request") == 2 and events.count("schedule_cancel") == 1


TOGETHER = {
    "lua": """
local a = Agent.new({name = "ann", provider = "fake", model = "echo"})
local b = Agent.new({name = "bob", provider = "fake", model = "test-model"})
local session = Orchestrator.start_collaboration({a, "bob"}, "sequential", {topic = "moons"})
local result = session:execute({steps = {
  {step_id = "find", agent_id = "ann", action = "look at {{topic}}", expected_output = "facts"},
  {step_id = "write", agent = b, action = "write {{facts}}"}}})
return {result.success, result.output, result.execution_strategy, #result.step_results,
  session:get_status().state, session.strategy, (pcall(Orchestrator.run, {"nobody"}, "x"))}
""",
    "javascript": """
const a = new Agent({name: "ann", provider: "fake", model: "echo"});
const b = new Agent({name: "bob", provider: "fake", model: "test-model"});
const session = await Orchestrator.startCollaboration([a, b], "sequential", {topic: "moons"});
const result = await Orchestrator.executeCollaborativeWorkflow(session, {steps: [
  {stepId: "find", agentId: "ann", action: "look at {{topic}}", expectedOutput: "facts"},
  {stepId: "write", agent: b, action: "write {{facts}}"}]});
let known = true;
try { await Orchestrator.run(["nobody"], "x"); } catch (error) { known = false; }
return [result.success, result.output, result.executionStrategy, result.stepResults.length,
  (await session.getStatus()).state, session.strategy, known];
""",
    "python": """
a = Agent(name="ann", provider="fake", model="echo")
b = Agent(name="bob", provider="fake", model="test-model")
session = await Orchestrator.start_collaboration([a, "bob"], "sequential", {"topic": "moons"})
result = await Orchestrator.execute_collaborative_workflow(session, {"steps": [
    {"step_id": "find", "agent_id": "ann", "action": "look at {{topic}}",
     "expected_output": "facts"},
    {"step_id": "write", "agent": b, "action": "write {{facts}}"}]})
known = True
try:
    await Orchestrator.run(["nobody"], "x")
except LLMSpellError:
    known = False
[result["success"], result["output"], result["execution_strategy"], len(result["step_results"]),
 (await session.get_status())["state"], session.strategy, known]
""",
}


@pytest.mark.parametrize("language", SUFFIXES)
@pytest.mark.parametrize("profile", ["medium", "high"])
def test_agents_work_together_in_every_language(
    program: Program, language: str, profile: str
) -> None:
    flags = ("--profile", profile, *(("--allow-llm", "fake/*") if profile == "high" else ()))
    told = run(program, language, TOGETHER[language], *flags)
    assert told["value"] == [
        True, "Hello from test model", "sequential", 2, "Completed", "sequential", False,
    ]  # fmt: skip
    asked = [item for item in records(program) if item.get("action") == "model"]
    assert {item["origin"] for item in asked} == {"agent:ann", "agent:bob"}


def test_a_model_that_is_denied_is_denied_to_a_collaboration(program: Program) -> None:
    source = """
    Agent.new({name = "ann", provider = "fake", model = "echo"})
    local done, e = pcall(Orchestrator.run, {"ann"}, "go", "sequential")
    return {done, e.code, e.message}
    """
    done, code, message = run(program, "lua", source, "--profile", "high")["value"]
    assert (done, code) == (False, 3004) and "denied" in message
    refused = [item for item in records(program) if item.get("allowed") is False]
    assert refused and refused[0]["rule"].startswith("high.models")
    granted = run(program, "lua", source, "--profile", "high", "--allow-llm", "fake/echo")
    assert granted["value"][0] is True


WAIT = {
    "lua": """
local raised = select(2, pcall(llm.complete, {provider = "fake", model = "script", prompt = "x"}))
local again = ErrorHandler.attempt_recovery("x", {type = "retry", delay = 0, max_retries = 1},
  function() error(raised) end)
return {raised.retry_after, ErrorHandler.parse_error(raised).type,
  ErrorHandler.attempt_recovery(raised, "exponential_backoff").delay, again.error.retry_after}
""",
    "javascript": """
let raised;
try {
  await llm.complete({provider: "fake", model: "script", prompt: "x"});
} catch (error) { raised = error; }
const again = await ErrorHandler.attemptRecovery("x", {type: "retry", delay: 0, maxRetries: 1},
  () => { throw raised; });
return [raised.retryAfter, ErrorHandler.parseError(raised).type,
  (await ErrorHandler.attemptRecovery(raised, "exponential_backoff")).delay,
  again.error.retry_after];
""",
    "python": """
async def ask():
    try:
        await llm.complete(provider="fake", model="script", prompt="x")
    except LLMSpellError as error:
        return error

raised = await ask()

def fail(told):
    raise raised

once = {"type": "retry", "delay": 0, "max_retries": 1}
again = await ErrorHandler.attempt_recovery("x", once, fail)
[raised.retry_after, (await ErrorHandler.parse_error(raised))["type"],
 (await ErrorHandler.attempt_recovery(raised, "exponential_backoff"))["delay"],
 again["error"]["retry_after"]]
""",
}


@pytest.mark.parametrize("language", SUFFIXES)
def test_how_long_a_provider_wants_us_to_wait_arrives(program: Program, language: str) -> None:
    turn = {"error": {"kind": "rate_limit", "message": "slow down", "retry_after": 7}}
    script = program.write("turns.jsonl", json.dumps(turn) + "\n")
    name = f"spell{SUFFIXES[language]}"
    program.write(name, WAIT[language])
    told = program("run", "--output", "json", name, env={"LLMSPELL_FAKE_SCRIPT": str(script)})
    assert told.json()["value"] == [7, "rate_limit", 7, 7]
