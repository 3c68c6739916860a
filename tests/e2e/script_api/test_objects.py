"""Objects, constructors, imports and the older dialect over the real services."""

from __future__ import annotations

import pytest

from tests.e2e.program import SUFFIXES, Program

SPELLS = {
    "javascript": """
import { Agent as Imported, Tools } from 'rs-llmspell';
const out = [Imported === Agent];

class Upper extends Tools.BaseTool {
  constructor() { super({name: "upper", description: "capitals", category: "text"}) }
  async execute({text}) { return {text: text.toUpperCase()} }
}
await Tools.register(new Upper());
out.push((await Tools.execute("upper", {text: "abc"})).result.text);

const agent = new Agent({name: "x", provider: "mock", model: "echo", tools: ["upper"]});
out.push(agent.name, await agent.chat("hello"), await Agent.get("x").chat("again"));

const messages = [{role: "user", content: "hi"}];
const completion = await llm.complete({model: "fake/echo", messages});
out.push(completion.content, completion.usage.totalTokens === completion.usage.total_tokens);
const other = llm.agent({provider: "mock", model: "echo", system: "s"});
const research = workflow.sequential({name: "research"});
await research.addStep({name: "one", agent: other, prompt: "Research {{topic}}"});
await research.addStep({name: "two", agent, prompt: "Write {{one.output}}"});
const done = await research.run({topic: "cats"});
out.push(done.steps.two.status, done.steps.two.output, done.metadata.stepsCompleted);
const parallel = new Workflow.Parallel({branches: [{name: "a", agent, prompt: "x"}]});
out.push((await parallel.execute({})).status);
const template = await Agent.template("T", {base_config: {provider: "mock", model: "echo"}});
template.systemPrompt = "changed";
const made = await template.create({name: "made"});
out.push(made.name, await made.systemPrompt());
try { await new Agent({name: "bad", provider: "nope"}).chat("x") } catch (e) { out.push(e.code) }
try {
  await Tools.execute("json_processor", {});
} catch (e) { out.push(e instanceof ValidationError) }
return out;
""",
    "python": """
from llmspell import Agent as Imported, Tools
out = [Imported is Agent]

class Upper(Tools.BaseTool):
    def __init__(self): super().__init__(name="upper", description="capitals", category="text")
    async def execute(self, given): return {"text": given["text"].upper()}
await Tools.register(Upper())
out.append((await Tools.execute("upper", {"text": "abc"})).result.text)

agent = Agent(name="x", provider="mock", model="echo", tools=["upper"])
out += [agent.name, await agent.chat("hello"), Agent.get("x").chat("again").result()]

completion = await llm.complete(model="fake/echo", messages=[{"role": "user", "content": "hi"}])
out += [completion.content, completion.usage.total_tokens > 0]
other = llm.agent(provider="mock", model="echo", system="s")
research = workflow.sequential(name="research")
await research.add_step(name="one", agent=other, prompt="Research {{topic}}")
await research.add_step({"name": "two", "agent": agent, "prompt": "Write {{one.output}}"})
done = await research.run({"topic": "cats"})
out += [done.steps.two.status, done.steps.two.output, done.metadata.steps_completed]
parallel = Workflow.Parallel(branches=[{"name": "a", "agent": agent, "prompt": "x"}])
out.append((await parallel.execute({})).status)
template = Agent.template("T", base_config={"provider": "mock", "model": "echo"}).result()
template.system_prompt = "changed"
made = template.create(name="made").result()
out += [made.name, made.system_prompt().result()]
try: Agent(name="bad", provider="nope").chat("x").result()
except LLMSpellError as e: out.append(e.code)
try: await Tools.execute("json_processor", {})
except LLMSpellError as e: out.append(isinstance(e, ValidationError))
result = out
""",
}

VALUE = [
    True,
    "ABC",
    "x",
    "hello",
    "again",
    "hi",
    True,
    "completed",
    "Write Research cats",
    2,
    "completed",
    "made",
    "changed",
    6001,
    True,
]


@pytest.mark.parametrize("profile", ["medium", "high"])
@pytest.mark.parametrize("language", SPELLS)
def test_objects_in_a_real_run(program: Program, language: str, profile: str) -> None:
    name = f"objects{SUFFIXES[language]}"
    program.write(name, SPELLS[language])
    flags = ("--profile", profile, "--allow-llm", "fake/*", "--allow-tool", "upper")
    ended = program("run", "--output", "json", *flags, name)
    assert ended.json()["status"] == "done", ended
    assert ended.json()["value"] == VALUE


DECORATED = """
@Tools.create(category="math")
def add(a: int, b: int = 5):
    '''Adds two
    numbers.

    More.'''
    return {"sum": a + b}

@Tools.create
async def whole(given):
    return given

@Tools.create("twice", {"input_schema": {"text": {"type": "string", "required": True}}})
def doubled(text):
    return {"text": text * 2}

codes = []
for call in (lambda: Tools.create("none", {"description": "d"}), lambda: add.execute(a="x")):
    try:
        call().result()
    except LLMSpellError as error:
        codes.append(error.code)
[add(2, b=3).result().result.sum, add.execute(a=1).result().result.sum, add.description,
 add.schema.required, whole(q=1).result().result.q, doubled("o").result().result.text, codes]
"""


@pytest.mark.parametrize("profile", ["medium", "high"])
def test_API_067_a_python_function_is_decorated_as_a_tool(program: Program, profile: str) -> None:
    program.write("decorated.py", DECORATED)
    tools = ("--allow-tool", "add", "--allow-tool", "whole", "--allow-tool", "twice")
    ended = program("run", "--output", "json", "--profile", profile, *tools, "decorated.py")
    assert ended.json()["status"] == "done", ended
    assert ended.json()["value"] == [5, 6, "Adds two numbers.", ["a"], 1, "oo", [2002, 2002]]


IMPORTED = """
const found = [];
for (const load of [() => import("rs-llmspell"), async () => await import( 'llmspell' )]) {
  found.push((await load()).Agent === Agent);
}
import("@rs/llmspell").then((module) => found.push(module.Agent === Agent));
try { await import("fs") } catch (error) { found.push(error.code) }
const method = { import(x) { return x + 1 } };
class Named { import(x) { return x } }
const [first] = await Promise.all([import("llmspell")]);
return [...found, method.import(1), new Named().import(5), first.Agent === Agent, "import(".length];
"""


@pytest.mark.parametrize("profile", ["medium", "high"])
def test_API_115_import_as_a_call(program: Program, profile: str) -> None:
    program.write("imported.js", IMPORTED)
    ended = program("run", "--output", "json", "--profile", profile, "imported.js")
    assert ended.json()["value"] == [True, True, True, 4008, 2, 5, True, 7], ended


OLDER = """
s = Spell.create(name="s", workflow=Workflow.sequential([{"name": "one", "run": lambda c: 5}]),
                 error_strategy=ErrorStrategy.cascade(retry_count=1))
console.log("told", 1)
text = json.encode({"a": 1})
import json
try: Agent(name="a").chat(None).result()
except LLMSpellError as error: hint = error.hint
[s.cast({}).result().success, text, json.dumps([]), hint]
"""


def test_python_hands_on_what_a_call_gives_and_knows_the_older_names(program: Program) -> None:
    program.write("older.py", OLDER)
    ended = program("run", "--output", "json", "older.py").json()
    assert ended["value"] == [True, '{"a":1}', "[]", "it takes {message, options?}"], ended
    assert ended["output"] == "told 1\n"
