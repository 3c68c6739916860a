"""Small promises of the script API that no other test holds."""

from __future__ import annotations

from typing import Final

import pytest

from tests.e2e.program import SUFFIXES, Program

X70: Final = {
    "Agent": ("execute", "get", "template", "extend", "getTemplate", "create_from_config"),
    "Template": ("create", "extend"),
    "Tools": ("create", "createPipeline"),
    "Async": ("run", "schedule", "yieldFor", "yieldUntil", "withTimeout", "withRetry",
              "allSettled"),
    "Events": ("sleep", "get_stats"),
    "Hooks": ("get_stats",),
    "ErrorHandler": ("create_strategy", "get_stats"),
    "HookManager": ("getInstance",),
    "Spell": ("create",),
    "ErrorStrategy": ("cascade",),
    "Scheduler": ("register",),
    "Workflow": ("Sequential", "Parallel", "Conditional"),
}  # fmt: skip
"""What the seeds use and declare nowhere, as they spell it."""

NAMES: Final = {
    "lua": """
local missing = {}
for _, name in ipairs(params.names) do
  local module, field = name:match("(%w+)%.([%w_]+)")
  if _ENV[module][field] == nil then missing[#missing + 1] = name end
end
local spell = Spell.create({ workflow = Workflow.sequential({ { run = print } }) })
return { missing, type(Async.yield), spell.cast ~= nil,
  type(HookManager.getInstance().registerHook), type(Tools.fileReader.execute),
  type(HttpTool.new({}).call), require("llmspell").Agent == Agent }
""",
    "javascript": """
const missing = params.names.filter((name) => {
  const [module, field] = name.split(".");
  return globalThis[module][field] === undefined;
});
const spell = await Spell.create({ workflow: Workflow.sequential([{ run: () => 1 }]) });
return [missing, typeof Async.yield, spell.cast !== undefined,
  typeof HookManager.getInstance().registerHook, typeof Tools.fileReader.execute,
  typeof new HttpTool({}).call, require("@rs/llmspell").Agent === Agent];
""",
    "python": """
import llmspell
missing = []
for name in params["names"]:
    module, field = name.split(".")
    if not hasattr(eval(module), field):
        missing.append(name)
spell = await Spell.create(workflow=Workflow.sequential([{"run": print}]))
def kind(value):
    return "function" if callable(value) else str(value)
manager = await HookManager.getInstance()
[missing, kind(Async.yield_), spell.cast is not None, kind(manager.registerHook),
 kind(Tools.fileReader.execute), kind(HttpTool().call), llmspell.Agent is Agent]
""",
}


@pytest.mark.parametrize("language", SUFFIXES)
def test_X70_what_the_seeds_use_is_there(program: Program, language: str) -> None:
    names = [f"{module}.{field}" for module, fields in X70.items() for field in fields]
    listed = ", ".join(f'"{name}"' for name in names)
    source, suffix = NAMES[language], SUFFIXES[language]
    found = program.result(source, suffix, "--param", f"names=[{listed}]")
    assert found["value"] == [[], "function", True, *["function"] * 3, True], found


DEFAULTS: Final = """
local run = function() return 1 end
local found = {}
for kind, flow in pairs({
  sequential = Workflow.sequential({ steps = { { run = run } } }),
  parallel = Workflow.parallel({ branches = { { run = run } } }),
  map_reduce = Workflow.map_reduce({ items = { 1 }, map = run, reduce = run }),
}) do
  local config = flow:get_config()
  found[kind] = { config.error_strategy, config.timeout }
end
local hook = Hooks.register("mine", run)
found.hook = { hook.priority, hook.timeout_ms, hook.on_failure }
for n = 1, 9 do Hooks.register("mine", { name = "n" .. n, handler = run }) end
found.eleventh = pcall(Hooks.register, "mine", { name = "last", handler = run })
for n = 1, 3 do
  Hooks.register("copies", { name = "copy" .. n, mode = "parallel", handler = function(context)
    context.n = context.n + 1
    found["copy" .. n] = context.n
    return context
  end })
end
Hooks.execute("copies", { n = 1 })
return found
"""


def test_WF_HOOK_the_defaults_of_workflows_and_hooks(program: Program) -> None:
    found = program.result(DEFAULTS, ".lua")["value"]
    assert found == {
        "sequential": ["stop", 300],
        "parallel": ["continue", 180],
        "map_reduce": ["retry", 600],
        "hook": [50, 5000, "continue"],
        "eleventh": False,
        "copy1": 2,
        "copy2": 2,
        "copy3": 2,
    }


HANDOFF: Final = """
local seen
Agent.create({ name = "biologist", description = "knows animals", provider = "fake" })
Hooks.register("before_llm_call", function(context) seen = context.messages[1] end)
local boss = Agent.create({ name = "boss", provider = "fake", system_prompt = "Be kind.",
  handoffs = { "biologist" } })
boss:chat("hello")
return { seen.role, seen.content }
"""


def test_AGT_a_handoff_lists_its_specialists_in_the_prompt(program: Program) -> None:
    role, content = program.result(HANDOFF, ".lua")["value"]
    assert role == "system" and content.startswith("Be kind.")
    assert "biologist" in content and "knows animals" in content


BASE_URL: Final = """
local config = { base_url = "http://models.example:8080", api_key = nil }
local ok, error = pcall(Config.configureProvider, "fake", config)
return { ok, not ok and error.code or 0, Config.getProviderConfig("fake").api_key == nil,
  DEFAULT_PROVIDER }
"""


def test_API_094_a_base_url_needs_a_grant_of_its_host(program: Program) -> None:
    env = {"LLMSPELL_PROVIDERS__DEFAULT": "fake"}
    refused = program.result(BASE_URL, ".lua", env=env)
    assert refused["value"] == [False, 4008, True, "fake"], refused
    (denial,) = refused["denials"]
    flag = denial["hint"].removeprefix("to allow it: ").split()
    granted = program.result(BASE_URL, ".lua", *flag, env=env)
    assert granted["value"][0] is True, granted


WRONG: Final = {
    "lua": """
local seen = {}
for _, act in ipairs({
  function() Async.retry(nil) end, function() Async.with_retry(nil) end,
  function() Async.retry(print, { attempts = 0 }) end,
  function() Async.with_resource({}, nil) end, function() Async.yield_until(nil) end,
  function() Async.timeout(print, nil) end, function() Async.all(nil) end,
  function() Async.race("ab") end, function() Async.sleep("1") end,
}) do
  local ok, error = pcall(act)
  seen[#seen + 1] = ok and 0 or error.code
end
return seen
""",
    "javascript": """
const seen = [];
for (const act of [
  () => Async.retry(null), () => Async.withRetry(null),
  () => Async.retry(() => 1, { attempts: 0 }),
  () => Async.withResource({}, null), () => Async.yieldUntil(null),
  () => Async.timeout(() => 1, null), () => Async.all(null),
  () => Async.race("ab"), () => Async.sleep("1"),
]) {
  try { await act(); seen.push(0); } catch (error) { seen.push(error.code); }
}
return seen;
""",
    "python": """
seen = []
for act in [
    lambda: Async.retry(None), lambda: Async.with_retry(None),
    lambda: Async.retry(print, attempts=0),
    lambda: Async.with_resource({}, None), lambda: Async.yield_until(None),
    lambda: Async.timeout(print, None), lambda: Async.all(None),
    lambda: Async.race("ab"), lambda: Async.sleep("1"),
]:
    try:
        await act()
        seen.append(0)
    except ValidationError as error:
        seen.append(error.code)
seen
""",
}


@pytest.mark.parametrize("language", SUFFIXES)
def test_API_107_wrong_arguments_of_async_are_2002_in_each_language(
    program: Program, language: str
) -> None:
    found = program.result(WRONG[language], SUFFIXES[language], "--limit", "wall=20s")
    assert found["value"] == [2002] * 9, found
