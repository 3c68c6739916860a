"""One spell that makes every call of a table, in any language, and tells what each came to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from llmspell.spells.api.catalogue import API
from llmspell.spells.api.model import Class, Function
from tests.parity.literals import Source, call, literal, spelled

EVERY: Final = ("lua", "javascript", "python")


class Step(NamedTuple):
    """One call. `of` is a module's name, or `it:` and the variable of an object.

    `keep` names the variable that the result is kept in. `code` stands for the whole call where
    it can not be written from its arguments. `opaque`: the result is no plain value (a task, a
    subscription); what it does is another step's. `fails` is the code it must end with.
    """

    of: str
    function: str
    given: Sequence[Any] = ()
    named: Mapping[str, Any] = {}
    keep: str = ""
    code: Source | None = None
    opaque: bool = False
    fails: int = 0
    languages: Sequence[str] = EVERY

    @property
    def name(self) -> str:
        """What is called, as the tables of results name it."""
        return f"{self.of}.{self.function}"


def described() -> Iterable[tuple[str, Function, tuple[str, ...]]]:
    """Every function and method: its owner (a module's name, or `it:CLASS`), and its languages."""
    for module in API:
        for function in module.functions:
            yield module.name, function, _both(module.languages, function.languages)
        for one in module.classes:
            for method in one.methods:
                yield f"it:{one.name}", method, _both(module.languages, method.languages)


def _both(first: Sequence[str], second: Sequence[str]) -> tuple[str, ...]:
    return tuple(language for language in first if language in second)


def class_of(variable: str) -> str:
    """`it:agent_2` is an agent."""
    known = {one.name for module in API for one in module.classes if isinstance(one, Class)}
    name = variable.removeprefix("it:")
    return name if name in known else name.rpartition("_")[0]


def global_of(module: str, language: str) -> str:
    """The first global of a module in a language."""
    return next(one.names[0] for one in API if one.name == module and language in one.languages)


def source(language: str, steps: Sequence[Step]) -> str:
    """The spell. Its value is what each step came to, by number and name."""
    lines = [_BEGIN[language]]
    for number, step in enumerate(steps):
        if language in step.languages:
            key = f"{number:03d} {step.name}"
            lines.append(_AT[language] % (key, step.keep, int(step.opaque), _call(language, step)))
    return "\n".join([*lines, _END[language]])


def _call(language: str, step: Step) -> str:
    if step.code is not None:
        return step.code.sources[language]
    owner = f"it.{step.of[3:]}" if step.of.startswith("it:") else global_of(step.of, language)
    text = call(language, owner, step.function, list(step.given), dict(step.named))
    return text.removeprefix("await ")


_BEGIN: Final = {
    "lua": """
local out, it, heard = {}, {}, {}
local function hears(...) heard[#heard + 1] = 1 end
local function never() end
local function raises() error("boom") end
local function at(key, keep, opaque, act)
  local ok, value = pcall(act)
  if not ok then
    out[key] = { failed = type(value) == "table" and value.code or tostring(value),
      message = type(value) == "table" and value.message or "" }
    return
  end
  if keep ~= "" then it[keep] = value end
  if opaque == 1 then value = nil end
  if not pcall(JSON.encode, value) then
    out[key] = { failed = "no plain value", message = "" }
    return
  end
  out[key] = { value = value }
end
""",
    "javascript": """
const out = {}, it = {}, heard = [];
const hears = () => { heard.push(1); };
const raises = () => { throw new Error("boom"); };
const at = async (key, keep, opaque, act) => {
  try {
    const value = await act();
    if (keep) it[keep] = value;
    out[key] = opaque ? {} : { value };
  } catch (error) {
    out[key] = { failed: error.code ?? String(error), message: error.message ?? "" };
  }
};
""",
    "python": """
out, heard = {}, []
class it: pass
def hears(*given): heard.append(1)
def raises(*given): raise RuntimeError("boom")
def keep_t(t):
    it.t = t
async def nap():
    await Async.sleep(30)
    return 7
async def first_line():
    async for line in stdin.lines():
        return line
async def wait_for_c():
    Async.schedule(20, lambda: Events.emit("walk.c", {"n": 3}))
    return await Events.wait_for("walk.c", "5s")
async def at(key, keep, opaque, act):
    try:
        value = act()
        if hasattr(value, "__await__"):
            value = await value
        if keep:
            setattr(it, keep, value)
        if not opaque:
            JSON.encode(value)
        out[key] = {} if opaque else {"value": value}
    except Exception as error:
        out[key] = {"failed": getattr(error, "code", repr(error)),
                    "message": getattr(error, "message", "")}
""",
}
_AT: Final = {
    "lua": 'at("%s", "%s", %d, function() return %s end)',
    "javascript": 'await at("%s", "%s", %d, () => %s);',
    "python": 'await at("%s", "%s", %d, lambda: %s)',
}
_END: Final = {
    "lua": "return { out = out, heard = #heard }",
    "javascript": "return { out, heard: heard.length };",
    "python": 'result = {"out": out, "heard": len(heard)}',
}

__all__ = ["EVERY", "Step", "class_of", "described", "literal", "source", "spelled"]
