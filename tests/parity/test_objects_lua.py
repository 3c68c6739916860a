"""Lua's objects, constructors and the forms of a call, on a description of the test's own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from llmspell.channel import messages
from llmspell.spells.api import generate
from llmspell.spells.api.catalogue import API
from llmspell.spells.api.model import Class, Function, Module, Param
from tests.parity.workers import Ended, drive, run, worker

TEXT = Param("message", ("string",), "words", required=True)
CONFIG = Param("config", ("object",), "options", default={})
PETS = Module(
    "pet",
    ("Pet",),
    "Objects for the tests.",
    (
        Function(
            "create",
            "Makes one.",
            (CONFIG,),
            wire="pet.create",
            positional=1,
            after="handle",
            spread="config",
            aliases=("create_from_config", "Loud"),
        ),
        Function(
            "make",
            "Makes one by name.",
            (TEXT._replace(name="pet_name"), CONFIG),
            wire="pet.make",
            positional=2,
            after="handle",
            spread="config",
        ),
        Function("list", "All.", (), wire="pet.list", after="handles"),
        Function(
            "on", "Calls back.", (Param("f", ("callback",), "f"),), wire="pet.on", positional=1
        ),
        Function(
            "several",
            "Takes a list.",
            (Param("keys", ("array",), "a list", required=True), TEXT._replace(required=False)),
            wire="pet.several",
            positional=1,
        ),
        Function("keep", "Takes one.", (CONFIG,), wire="pet.keep", positional=1),
    ),
    classes=(
        Class(
            "pet",
            "An animal.",
            (
                Function(
                    "say_it",
                    "Speaks.",
                    (TEXT, CONFIG),
                    wire="pet.say",
                    positional=1,
                    spread="config",
                    aliases=("run",),
                ),
                Function("parent", "Its own.", (), wire="pet.parent", after="handle"),
            ),
        ),
    ),
    construct="create",
)

REX = {"handle": "pet", "id": "pet-1", "name": "rex", "legs": 4}
ANSWERS = {
    # An empty table of Lua arrives as an empty list; the broker's check makes it an object.
    "pet.create": lambda args: {**REX, **dict(args["config"])},
    "pet.make": lambda args: {**REX, "name": args["pet_name"]},
    "pet.list": lambda _args: [REX, {**REX, "id": "pet-2"}],
    "pet.say": lambda args: args,
    "pet.parent": lambda _args: {**REX, "id": "pet-0"},
    "pet.keep": lambda args: None,
    "pet.several": lambda args: args,
}


@pytest.fixture(scope="module")
def prelude(tmp_path_factory: pytest.TempPathFactory) -> str:
    path: Path = tmp_path_factory.mktemp("lua") / "prelude.lua"
    path.write_text(generate.prelude("lua", (*API, PETS)), "utf-8")
    return str(path)


def pets(prelude: str, source: str, **fields: Any) -> Ended:
    return run("lua", source, ANSWERS, arguments=("--prelude", prelude), **fields)


def value(prelude: str, source: str, **fields: Any) -> Any:
    ended = pets(prelude, source, **fields)
    assert ended.error is None, ended.error
    return ended.value


@pytest.mark.parametrize(
    "made",
    [
        'Pet.new{name = "a"}',
        'Pet{name = "a"}',
        'Pet.create({name = "a"})',
        'Pet.createFromConfig{name = "a"}',
        'Pet.Loud{name = "a"}',
        'Pet.Loud.new{name = "a"}',
        'Pet.create{config = {name = "a"}}',
    ],
)
def test_API_031_every_form_of_making_one(prelude: str, made: str) -> None:
    if "config = " in made:
        # The one table is the configuration, whatever is in it.
        ended = pets(prelude, f"return {made}.config.name")
        assert ended.value == "a"
        return
    ended = pets(prelude, f"return {made}")
    assert ended.value == {**REX, "name": "a"}
    assert ended.called("pet.create") == [{"config": {"name": "a"}}]


@pytest.mark.parametrize("call", ['pet:say_it("x")', 'pet.say_it("x")', 'pet:sayIt("x")',
                                  'pet:run("x")', 'pet.say_it{message = "x"}'])  # fmt: skip
def test_methods_by_colon_by_dot_and_in_each_spelling(prelude: str, call: str) -> None:
    assert value(prelude, f"local pet = Pet{{}} return {call}") == {"id": "pet-1", "message": "x"}


def test_options_that_are_no_parameters_go_where_they_are_taken(prelude: str) -> None:
    said = value(prelude, 'return Pet{}:say_it("x", {loud = true, message = "y"})')
    assert said == {"id": "pet-1", "message": "y", "config": {"loud": True}}
    made = pets(prelude, 'return Pet.make{petName = "a", maxLegs = 3}')
    assert made.called("pet.make") == [{"pet_name": "a", "config": {"maxLegs": 3}}]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ('{"a", "b"}', {"keys": ["a", "b"]}),
        ("{}", {"keys": []}),
        ('{keys = {"a"}}', {"keys": ["a"]}),
        ('{"a"}, {message = "m"}', {"keys": ["a"], "message": "m"}),
        ('{message = "m"}', {"message": "m"}),
    ],
)
def test_a_list_is_told_from_named_arguments(
    prelude: str, given: str, sent: dict[str, Any]
) -> None:
    assert value(prelude, f"return Pet.several({given})") == sent


def test_API_036_a_nil_argument_is_missing_for_the_broker_to_see(prelude: str) -> None:
    ended = pets(prelude, "local pet = Pet{} pet:say_it(nil) pet.say_it() return 1")
    assert ended.called("pet.say") == [{"id": "pet-1"}, {"id": "pet-1"}]


def test_an_object_is_its_plain_fields(prelude: str) -> None:
    source = (
        "local pet = Pet{} local keys = {} for k in pairs(pet) do keys[#keys+1] = k end "
        "table.sort(keys) return {keys, tostring(pet), pet.nothing == nil, "
        "pet.say_it == pet.say_it, getmetatable(pet), pcall(setmetatable, pet, {})}"
    )
    keys, shown, nothing, same, meta, changed, *_ = value(prelude, source)
    assert keys == ["handle", "id", "legs", "name"]
    assert (shown, nothing, same, meta, changed) == ("pet rex", True, True, False, False)


def test_S41_a_function_put_on_an_object_is_used_and_travels(prelude: str) -> None:
    source = (
        "local pet = Pet{} pet.say_it = function(_, text) return 'own ' .. text end "
        "Pet.keep(pet) Pet.keep({friend = pet}) return pet:say_it('x')"
    )
    ended = pets(prelude, source)
    assert ended.value == "own x"
    kept, friend = ended.called("pet.keep")
    assert kept["config"]["id"] == friend["config"]["friend"]["id"] == "pet-1"
    assert kept["config"]["say_it"].number == friend["config"]["friend"]["say_it"].number


def test_lists_of_objects_and_objects_of_methods(prelude: str) -> None:
    source = "local all = Pet.list() return {#all, all[2]:say_it('x').id, all[1]:parent().id}"
    assert value(prelude, source) == [2, "pet-2", "pet-0"]


def test_an_id_without_its_class_stays_data(prelude: str) -> None:
    other = {"pet.create": lambda _args: {"handle": "ghost", "id": "g"}}
    ended = run("lua", "return Pet{}.say_it == nil", other, arguments=("--prelude", prelude))
    assert ended.value is True


def test_arguments_of_the_spells_functions_arrive_as_objects(prelude: str) -> None:
    source = (
        "Pet.on(function(pet, held, n) return {pet:say_it('a').id, held.pet:say_it('b').id, n} end)"
        " Async.sleep(50)"
    )
    with worker("lua", arguments=("--prelude", prelude)) as one:
        one.begin(source)
        got: list[Any] = []

        def on(args: dict[str, Any]) -> None:
            one.send(one.connection.invoke(args["f"].number, [REX, {"pet": REX}, 3])[1])

        def say(args: dict[str, Any]) -> Any:
            got.append(args)
            return args

        ended = drive(one, {"pet.on": on, "pet.say": say})
        returned = [frame for frame in ended.frames if isinstance(frame, messages.Returned)]
    assert returned[0].value == ["pet-1", "pet-1", 3]
    assert [one["message"] for one in got] == ["a", "b"]


@pytest.mark.parametrize(
    "body",
    [
        "return coroutine.create(function() return coroutine.yield(7) end)",
        "return Async.spawn(function() Async.sleep(1) return 7 end)",
        "return Promise.resolve(7)",
    ],
)
def test_API_080_a_function_may_give_a_coroutine_or_a_promise(prelude: str, body: str) -> None:
    with worker("lua", arguments=("--prelude", prelude)) as one:
        one.begin(f"Pet.on(function() {body} end) Async.sleep(50)")

        def on(args: dict[str, Any]) -> None:
            one.send(one.connection.invoke(args["f"].number, [])[1])

        ended = drive(one, {"pet.on": on})
    returned = [frame for frame in ended.frames if isinstance(frame, messages.Returned)]
    assert [frame.value for frame in returned] == [7]
