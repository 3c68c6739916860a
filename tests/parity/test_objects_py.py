"""Python's objects, constructors, and replies, on a description of the tests' own."""

from __future__ import annotations

from typing import Any

import pytest

from llmspell.channel import messages
from tests.parity.pets import ANSWERS, REX, write_prelude
from tests.parity.workers import Ended, drive, run, worker


@pytest.fixture(scope="module")
def prelude(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_prelude("python", tmp_path_factory.mktemp("py"))


def pets(prelude: str, source: str) -> Ended:
    return run("python", source, ANSWERS, arguments=("--prelude", prelude))


def value(prelude: str, source: str) -> Any:
    ended = pets(prelude, source)
    assert ended.error is None, ended.error
    return ended.value


@pytest.mark.parametrize(
    "made",
    [
        'Pet(name="a")',
        'Pet({"name": "a"})',
        'await Pet(name="a")',
        'await Pet.create(name="a")',
        'Pet.create({"name": "a"})',
        'Pet.create_from_config(name="a").result()',
        'Pet.createFromConfig(name="a")',
        'Pet.Create(name="a")',
        'type("Dog", (*Pet.__mro_entries__(()),), {})(name="a")',
    ],
)
def test_API_031_every_form_of_making_one(prelude: str, made: str) -> None:
    ended = pets(prelude, f"a = {made}\n[a.name, a.id, a.legs, isinstance(await a, Pet)]")
    assert (ended.value, ended.error) == (["a", "pet-1", 4, True], None)
    assert ended.called("pet.create") == [{"config": {"name": "a"}}]


def test_API_031_the_object_is_there_at_once_and_is_its_own_result(prelude: str) -> None:
    source = """
pet = Pet(name="a")
said = pet.say_it("x")
[await pet is pet, pet.result() is pet, (await said).id, pet.run("y").result().message,
 pet.parent().run("z").result().id, pet]
"""
    *rest, fields = value(prelude, source)
    assert rest == [True, True, "pet-1", "y", "pet-0"]
    assert fields == {**REX, "name": "a", "fur_color": {"base_tone": "red"}}


@pytest.mark.parametrize(
    "use",
    [
        'Pet(name="bad")',
        'await Pet.create(name="bad")',
        'Pet.get("bad").run("x")',
        'await Pet.keep({"pet": Pet.get("bad")})',
    ],
)
def test_ERR_a_failed_making_is_told_where_the_object_is_used(prelude: str, use: str) -> None:
    source = f"""
try:
    {use}
    found = "no"
except LLMSpellError as error:
    found = [error.code, error.kind, error.message, error.recovery_suggestion]
found
"""
    assert value(prelude, source) == [1001, "not_found", "no such pet", "take another"]


def test_objects_travel_as_their_plain_fields_also_unfinished_ones(prelude: str) -> None:
    source = """
known = await Pet.get("c")
known.mood = "good"
known.act = lambda: 1
await Pet.keep({"promised": Pet.get("b"), "deep": [{"known": known}]})
"""
    [kept] = [args["config"] for args in pets(prelude, source).called("pet.keep")]
    color = {"fur_color": {"base_tone": "red"}}
    assert kept["promised"] == {**REX, "name": "b", **color}
    assert kept["deep"][0]["known"].pop("act").number == 1
    assert kept["deep"][0]["known"] == {**REX, "name": "c", "mood": "good", **color}


def test_options_that_are_no_parameters_go_where_they_are_taken(prelude: str) -> None:
    source = """
options = {"loud": True}
pet = await Pet.make(pet_name="a", max_legs=3)
await pet.say_it("x", **options)
await Pet.make("b", {"max": 1}, least=0)
options
"""
    ended = pets(prelude, source)
    assert ended.value == {"loud": True}
    first, second = ended.called("pet.make")
    assert first == {"pet_name": "a", "config": {"max_legs": 3}}
    assert second == {"pet_name": "b", "config": {"max": 1, "least": 0}}
    assert ended.called("pet.say") == [{"message": "x", "config": {"loud": True}, "id": "pet-1"}]


def test_a_class_of_the_spell_may_extend_an_objects_class(prelude: str) -> None:
    source = """
class Dog(Pet):
    def __init__(self, name):
        super().__init__(name=name)
        self.tricks = 2
    async def twice(self, text):
        return [(await self.run(text)).id, (await self.run(text)).message]
dog = Dog("a")
[await dog.twice("wuff"), dog.tricks, isinstance(dog, Dog), isinstance(dog, Pet), dog.name]
"""
    assert value(prelude, source) == [["pet-1", "wuff"], 2, True, True, "a"]


def test_a_with_block_ends_the_object(prelude: str) -> None:
    source = """
with Pet(name="a") as one:
    first = one.name
async with Pet(name="b") as two:
    second = two.name
[first, second]
"""
    ended = pets(prelude, source)
    assert ended.value == ["a", "b"]
    assert ended.called("pet.close") == [{"id": "pet-1"}, {"id": "pet-1"}]


@pytest.mark.parametrize("word", ["def", "async def"])
def test_arguments_of_the_spells_functions_arrive_as_objects(prelude: str, word: str) -> None:
    source = f"""
{word} heard(pet, held, n):
    return [pet.run("a").result().id, held.my_pet.run("b").result().id, held["my_pet"].legs, n]
await Pet.on(heard)
await Async.sleep(100)
"""
    with worker("python", arguments=("--prelude", prelude)) as one:
        one.begin(source)

        def on(args: dict[str, Any]) -> None:
            one.send(one.connection.invoke(args["f"].number, [REX, {"my_pet": REX}, 3])[1])

        ended = drive(one, {**ANSWERS, "pet.on": on})
        returned = [frame for frame in ended.frames if isinstance(frame, messages.Returned)]
    assert returned[0].value == ["pet-1", "pet-1", 4, 3]


def test_an_id_without_its_class_stays_data(prelude: str) -> None:
    answers = {"pet.get": lambda _args: {"handle": "ghost", "id": "g"}}
    source = 'g = Pet.get("g").result()\n[g, hasattr(g, "run")]'
    ended = run("python", source, answers, arguments=("--prelude", prelude))
    assert ended.value == [{"handle": "ghost", "id": "g"}, False]


def test_a_module_can_not_be_changed(prelude: str) -> None:
    ended = pets(prelude, "Pet.create = 1")
    assert ended.error is not None and "can't be changed" in ended.error["message"]


def test_API_069_a_tool_that_extends_base_tool_travels_with_its_execute(prelude: str) -> None:
    source = """
class Adder(Tools.BaseTool):
    def __init__(self):
        super().__init__(name="adder", description="adds", category="math")
        self._hidden = 1
    async def execute(self, given):
        return given["a"] + self._hidden
adder = Adder()
await Pet.keep({"tools": [adder, adder]})
[adder.name, await adder.execute({"a": 1})]
"""
    ended = pets(prelude, source)
    assert ended.value == ["adder", 2]
    first, second = ended.called("pet.keep")[0]["config"]["tools"]
    assert first["execute"].number == second["execute"].number
    assert first == {**first, "name": "adder", "description": "adds", "category": "math"}
    assert "_hidden" not in first
