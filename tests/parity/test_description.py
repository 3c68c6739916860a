"""Every function of the API's description, in three languages, on three kinds of worker."""

from __future__ import annotations

from typing import Any

import pytest

from llmspell.spells.api.catalogue import API, GLOBALS
from llmspell.spells.api.editors import shapes
from llmspell.spells.api.lookup import calls_of
from llmspell.spells.api.model import Class, Function, Module, Param
from llmspell.spells.api.schema import compile_params
from tests.parity.literals import AnyFunction, call, returning, spelled
from tests.parity.workers import KINDS, LANGUAGES, Ended, run

RESPONSE = {"status": 200, "headers": {"a": "b"}, "body": '{"k":[1]}', "url": "u", "redirects": 0}
TOOL = {"name": "calc", "description": "adds", "category": "math", "schema": {"type": "object"}}
REPLIES: dict[str, Any] = {
    "http.request": RESPONSE,
}
SAMPLES: dict[str, Any] = {
    "string": "tëxt",
    "bytes": b"\x00\xff",
    "integer": 7,
    "number": 1.5,
    "boolean": True,
    "object": {"k": "v"},
    "array": [1, 2],
    "any": [1, {"two": True}],
    "callback": AnyFunction(),
}


CALLS = calls_of(API)
OWN_HANDS = ("stdin", "events")
"""Modules that the preludes do by their own code over other calls; their own tests hold them."""


def sample(param: Param) -> Any:
    return param.choices[-1] if param.choices else SAMPLES[param.types[-1]]


def described(language: str) -> list[tuple[Module, Function]]:
    return [
        (m, f)
        for m in shapes.modules(language)
        for f in m.functions
        if f.wire and m.name not in OWN_HANDS
    ]


def reply(function: Function) -> Any:
    """What the broker says: the canned reply, or objects of the class that is described."""
    if function.wire in REPLIES:
        return REPLIES[function.wire]
    if function.after in ("tool", "tools"):
        return TOOL if function.after == "tool" else [TOOL]
    if function.after not in ("handle", "handles"):
        return None
    known = list(shapes.classes())
    class_name = shapes.returned(function).of_class or known[0]
    one = {"handle": class_name, "id": "one", "name": "n"}
    return [one] if function.after == "handles" else one


def expected(function: Function, given: dict[str, Any]) -> dict[str, Any]:
    return {**given, **dict(function.fixed)}


def one_spell(language: str) -> tuple[str, list[tuple[str, dict[str, Any]]]]:
    """A spell that calls everything by name and by position, and the calls it must make."""
    lines: list[str] = []
    calls: list[tuple[str, dict[str, Any]]] = []
    for module, function in described(language):
        named = {param.name: sample(param) for param in function.params}
        for name in module.names:
            positional = [sample(param) for param in function.params[: function.positional]]
            rest = dict(list(named.items())[function.positional :])
            lines.append(call(language, name, function.name, positional, rest))
            calls.append((function.wire, expected(function, named)))
        first = function.params[0].types if function.params else ()
        if language == "python" or not ({"object", "any"} & set(first)):
            lines.append(call(language, module.names[0], function.name, [], named))
            calls.append((function.wire, expected(function, named)))
    if language == "lua":
        lines = [f"_ = {line}" for line in lines]
    return "\n".join(lines), calls


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_call_sends_what_the_description_says(language: str, kind: str) -> None:
    source, calls = one_spell(language)
    answers = {f.wire: lambda _args, f=f: reply(f) for _, f in described(language)}
    ended = run(language, source, answers, kind=kind)
    assert ended.error is None
    assert [(one.method, one.args) for one in ended.calls] == calls
    for one in ended.calls:
        compile_params(CALLS[one.method])(one.args)


def with_methods(language: str) -> list[tuple[Class, list[Function]]]:
    """The classes whose objects the broker gives, and the methods that are calls."""
    found = []
    for one in shapes.classes().values():
        methods = [method for method in shapes.methods(one, language) if method.wire]
        if methods:
            found.append((one, methods))
    return found


def giver() -> tuple[Module, Function]:
    """A function that gives an object."""
    return next((m, f) for m in API for f in m.functions if f.after == "handle")


def spell_of_methods(language: str) -> tuple[str, list[tuple[str, dict[str, Any]]]]:
    """A spell that calls every method of every class, and the calls it must make."""
    lines: list[str] = []
    calls: list[tuple[str, dict[str, Any]]] = []
    module, function = giver()
    given = {param.name: sample(param) for param in function.params[: function.positional]}
    made = call(language, module.names[0], function.name, list(given.values()), {})
    keyword = {"lua": "local ", "javascript": "const ", "python": ""}[language]
    for described_class, methods in with_methods(language):
        name = f"one_{described_class.name}"
        lines.append(f"{keyword}{name} = {made}")
        calls.append((function.wire, expected(function, given)))
        for method in methods:
            named = {param.name: sample(param) for param in method.params}
            positional = [sample(param) for param in method.params[: method.positional]]
            rest = dict(list(named.items())[method.positional :])
            for spelling in (method.name, *method.aliases):
                line = call(language, name, spelling, positional, rest)
                lines.append(f"_ = {line}" if language == "lua" else line)
                itself = {"handle": described_class.name, "id": described_class.name}
                wanted = {"id": described_class.name, **expected(method, named)}
                if method.whole:
                    wanted[method.whole] = itself
                calls.append((method.wire, wanted))
    return "\n".join(lines), calls


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_method_sends_what_the_description_says(language: str, kind: str) -> None:
    if not any(function.after == "handle" for module in API for function in module.functions):
        pytest.skip("no function gives an object yet")
    source, calls = spell_of_methods(language)
    names = iter([one.name for one, _ in with_methods(language)])
    answers: dict[str, Any] = {
        method.wire: lambda _args, method=method: reply(method)
        for _, methods in with_methods(language)
        for method in methods
    }
    answers[giver()[1].wire] = lambda _args: {"handle": (name := next(names)), "id": name}
    ended = run(language, source, answers, kind=kind)
    assert ended.error is None
    assert [(one.method, one.args) for one in ended.calls] == calls
    for one in ended.calls:
        compile_params(CALLS[one.method])(one.args)


def names_spell(language: str) -> str:
    wanted = [
        f"{name}.{spelled(language, function.name)}"
        for module in API
        if language in module.languages
        for function in module.functions
        if language in function.languages
        for name in module.names
    ] + [name for name, _ in GLOBALS]
    check = {
        "lua": '({n} == nil) and "{n}" or nil',
        "javascript": '(typeof {n} === "undefined") ? "{n}" : undefined',
        "python": 'None if {n} is not None else "{n}"',
    }[language]
    listed = ", ".join(check.format(n=name) for name in wanted)
    if language == "lua":
        lines = [f"do local x = {check.format(n=n)}; if x then t[#t+1] = x end end" for n in wanted]
        return "local t = {}\n" + "\n".join(lines) + "\nreturn t"
    if language == "python":
        return f"[x for x in [{listed}] if x]"
    return f"return [{listed}].filter(x => x)"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_described_name_is_there(language: str, kind: str) -> None:
    # What the supervisor says of the run; the others are the worker's own.
    said = {name: "x" for name, _ in GLOBALS} | {"VERSION": "0.1.0", "PLATFORM": "linux"}
    own = ("params", "args", "env", "ENGINE", "SECURITY_LEVEL")
    said = {name: value for name, value in said.items() if name not in own}
    ended = run(language, names_spell(language), kind=kind, globals=said)
    assert (ended.value, ended.error) == ([], None)


def ended_with(language: str, expression: str, **fields: Any) -> Ended:
    return run(language, returning(language, expression), **fields)


@pytest.mark.parametrize("language", LANGUAGES)
def test_both_spellings_work_everywhere(language: str) -> None:
    answers = {"tools.by_category": lambda _args: [TOOL]}
    waits = "" if language == "lua" else "await "
    for name in ("get_by_category", "getByCategory"):
        text = f'{waits}Tools.{name}("math")'
        ended = run(language, returning(language, f"({text})" + _first_name(language)), answers)
        assert (ended.value, ended.error) == ("calc", None)


def _first_name(language: str) -> str:
    return "[1].name" if language == "lua" else "[0].name"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_constants_of_the_run(language: str, kind: str) -> None:
    fields = {
        "params": {"who": "moon", "n": 3},
        "args": ["a", "b"],
        "env": {"HOME": "/h"},
        "globals": {"VERSION": "9.9", "PLATFORM": "linux", "EXTRA": [1]},
        "profile": "medium",
    }
    names = "params.who, params.n, args, env, ENGINE, VERSION, PLATFORM, SECURITY_LEVEL, EXTRA"
    listed = "{" + names + "}" if language == "lua" else "[" + names + "]"
    if language == "python":
        listed = listed.replace("params.who, params.n", 'params["who"], params["n"]')
    ended = ended_with(language, listed, kind=kind, **fields)
    assert ended.error is None
    assert ended.value == [
        "moon",
        3,
        ["a", "b"],
        {"HOME": "/h"},
        language,
        "9.9",
        "linux",
        "medium",
        [1],
    ]
