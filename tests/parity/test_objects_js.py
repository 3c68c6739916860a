"""JavaScript's objects, constructors, and replies, on a description of the tests' own."""

from __future__ import annotations

from typing import Any

import pytest

from llmspell.channel import messages
from tests.parity.pets import ANSWERS, REX, write_prelude
from tests.parity.workers import Ended, drive, run, worker


@pytest.fixture(scope="module")
def prelude(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_prelude("javascript", tmp_path_factory.mktemp("js"))


def pets(prelude: str, source: str) -> Ended:
    return run("javascript", source, ANSWERS, arguments=("--prelude", prelude))


def value(prelude: str, source: str) -> Any:
    ended = pets(prelude, source)
    assert ended.error is None, ended.error
    return ended.value


@pytest.mark.parametrize(
    "made",
    [
        'new Pet({name: "a"})',
        'Pet({name: "a"})',
        'Pet.create({name: "a"})',
        'Pet.createFromConfig({name: "a"})',
        'Pet.create_from_config({name: "a"})',
        'new Pet.Create({name: "a"})',
        'new (class Dog extends Pet {})({name: "a"})',
    ],
)
def test_API_031_every_form_of_making_one(prelude: str, made: str) -> None:
    ended = pets(
        prelude, f"const a = await {made}; return [a.name, a.id, a instanceof Pet, a.legs]"
    )
    assert (ended.value, ended.error) == (["a", "pet-1", True, 4], None)
    assert ended.called("pet.create") == [{"config": {"name": "a"}}]


def test_API_074_a_class_of_a_module_is_made_by_new(prelude: str) -> None:
    ended = pets(prelude, 'const a = new Pet.BigDog({name: "a"}); return (await a.run("x")).id')
    assert ended.value == "pet-1" and ended.called("pet.big_dog") == [{"config": {"name": "a"}}]


def test_API_031_new_gives_at_once_what_can_be_used_at_once(prelude: str) -> None:
    source = """
    const pet = new Pet({name: "a", tricks: ["sit"]});
    const before = [pet.name, pet.tricks[0], pet.id === undefined, typeof pet.then];
    const said = pet.say_it("x"), parent = pet.parent().say_it("y");
    const same = await pet === pet;
    return [before, (await said).id, (await parent).id, same, typeof pet.then, pet];
    """
    ended = pets(prelude, source)
    before, said, parent, same, thenable, fields = ended.value
    assert before == ["a", "sit", True, "function"]
    assert (said, parent, same, thenable) == ("pet-1", "pet-0", True, "undefined")
    assert fields == {**REX, "name": "a", "fur_color": {"base_tone": "red"}}


@pytest.mark.parametrize(
    "use",
    [
        'await new Pet({name: "bad"})',
        'await new Pet({name: "bad"}).run("x")',
        'await Pet.create({name: "bad"})',
        'await Pet.get("bad").run("x")',
        'await Pet.keep({pet: new Pet({name: "bad"})})',
        'const p = new Pet({name: "bad"}); await p.parent().parent()',
    ],
)
def test_ERR_a_failed_making_is_told_where_the_object_is_used(prelude: str, use: str) -> None:
    source = f'try {{ {use}; return "no" }} catch (e) {{ return [e.code, e.kind, e.message] }}'
    assert value(prelude, source) == [1001, "not_found", "no such pet"]


def test_ERR_a_failed_making_that_nobody_hears_of_fails_the_run(prelude: str) -> None:
    ended = pets(prelude, 'new Pet({name: "bad"}); return 1')
    assert ended.error is not None and ended.error["code"] == 1001


def test_a_promise_of_an_object_has_its_methods(prelude: str) -> None:
    source = (
        'return [(await Pet.get("a").sayIt("x")).id, (await Pet.get("a").parent().run("y")).id]'
    )
    assert value(prelude, source) == ["pet-1", "pet-0"]


def test_objects_travel_as_their_plain_fields_also_unfinished_ones(prelude: str) -> None:
    source = """
    const fresh = new Pet({name: "a", secret: 1}), promised = Pet.get("b"),
      known = await Pet.get("c");
    known.mood = "good"; known.act = () => 1;
    await Pet.keep({fresh, promised, deep: [{known}], itself: fresh});
    """
    [kept] = [args["config"] for args in pets(prelude, source).called("pet.keep")]
    color = {"fur_color": {"base_tone": "red"}}
    assert kept["fresh"] == kept["itself"] == {**REX, "name": "a", **color}
    assert kept["promised"] == {**REX, "name": "b", **color}
    assert kept["deep"][0]["known"].pop("act").number == 1
    assert kept["deep"][0]["known"] == {**REX, "name": "c", "mood": "good", **color}


def test_any_other_promise_must_be_awaited_first(prelude: str) -> None:
    ended = pets(prelude, "await Pet.keep({p: Async.sleep(1)})")
    assert ended.error is not None and "await it first" in ended.error["message"]


def test_replies_have_camel_spellings_that_leave_the_data_alone(prelude: str) -> None:
    source = """
    const pet = await Pet.get("a"), said = await pet.run("x");
    const before = [pet.furColor.baseTone, said.wordCount[0].soMany];
    said.wordCount = 7; pet.furColor.baseTone = "blue";
    return [before, Object.keys(said), JSON.stringify(said), pet.fur_color, said.word_count];
    """
    before, keys, text, color, count = value(prelude, source)
    assert before == ["red", 1]
    assert keys == ["message", "id", "word_count"]
    assert text == '{"message":"x","id":"pet-1","word_count":7}'
    assert (color, count) == ({"base_tone": "blue"}, 7)


def test_contents_of_files_and_stores_come_as_they_are() -> None:
    source = 'const v = await storage.get("k"); return [v.userName === undefined, v.user_name]'
    ended = run("javascript", source, {"storage.get": lambda _args: {"user_name": 1}})
    assert ended.value == [True, 1]


def test_options_that_are_no_parameters_go_where_they_are_taken(prelude: str) -> None:
    source = """
    const pet = await Pet.make({petName: "a", maxLegs: 3}), options = {loud: true};
    await pet.sayIt("x", options); await Pet.make("b", {max: 1});
    return options;
    """
    ended = pets(prelude, source)
    assert ended.value == {"loud": True}
    first, second = ended.called("pet.make")
    assert first == {"pet_name": "a", "config": {"maxLegs": 3}}
    assert second == {"pet_name": "b", "config": {"max": 1}}
    assert ended.called("pet.say") == [{"message": "x", "config": {"loud": True}, "id": "pet-1"}]


def test_synchronous_functions_and_methods_give_the_value_itself(prelude: str) -> None:
    source = """
    const pet = await Pet.get("a");
    return [Pet.count(), pet.age(), pet.getLegs(), pet.get_legs()];
    """
    assert value(prelude, source) == [2, "pet-1", 4, 4]


def test_a_class_of_the_spell_may_extend_an_objects_class(prelude: str) -> None:
    source = """
    class Dog extends Pet {
      constructor(name) { super({name}); this.tricks = 2 }
      async twice(text) { return [(await this.run(text)).id, (await this.run(text)).message] }
    }
    const dog = new Dog("a"), result = await dog.twice("wuff");
    return [result, dog.tricks, dog instanceof Dog, dog instanceof Pet, dog.name];
    """
    assert value(prelude, source) == [["pet-1", "wuff"], 2, True, True, "a"]


def test_arguments_of_the_spells_functions_arrive_as_objects(prelude: str) -> None:
    source = """
    Pet.on(async (pet, held, n) => [(await pet.run("a")).id, (await held.my_pet.run("b")).id,
      held.myPet.legs, n]);
    await Async.sleep(100);
    """
    with worker("javascript", arguments=("--prelude", prelude)) as one:
        one.begin(source)

        def on(args: dict[str, Any]) -> None:
            one.send(one.connection.invoke(args["f"].number, [REX, {"my_pet": REX}, 3])[1])

        ended = drive(one, {**ANSWERS, "pet.on": on})
        returned = [frame for frame in ended.frames if isinstance(frame, messages.Returned)]
    assert returned[0].value == ["pet-1", "pet-1", 4, 3]


def test_an_id_without_its_class_stays_data(prelude: str) -> None:
    answers = {"pet.get": lambda _args: {"handle": "ghost", "id": "g"}}
    source = 'const g = await Pet.get("g"); return [g, typeof g.run]'
    ended = run("javascript", source, answers, arguments=("--prelude", prelude))
    assert ended.value == [{"handle": "ghost", "id": "g"}, "undefined"]


def test_JS_03_modules_stay_frozen_and_what_they_need_is_their_own(prelude: str) -> None:
    source = """
    const changed = [Reflect.set(Pet, "create", 1), Reflect.set(Tools, "x", 1),
      Reflect.set(Async, "all", 1)];
    Promise.prototype.then = () => { throw 1 }; WeakMap.prototype.get = () => { throw 2 };
    Object.prototype.handle = "pet"; Object.prototype.id = "evil";
    Array.prototype.push = () => { throw 3 };
    Object.defineProperty(Object.prototype, "name", {set() { throw 4 }, configurable: true});
    const pet = await Pet.get("a");
    delete Object.prototype.handle; delete Object.prototype.id; delete Object.prototype.name;
    return [changed, pet.id];
    """
    assert value(prelude, source) == [[False, False, False], "pet-1"]


def test_API_069_a_tool_that_extends_base_tool_travels_with_its_execute(prelude: str) -> None:
    source = """
    class Adder extends Tools.BaseTool {
      #hidden = 1;
      constructor() { super({name: "adder", description: "adds", category: "math"}) }
      async execute({a}) { return a + this.#hidden }
    }
    const adder = new Adder();
    await Pet.keep({tools: [adder, adder]});
    return [adder.getName(), await adder.execute({a: 1})];
    """
    ended = pets(prelude, source)
    assert ended.value == ["adder", 2]
    first, second = ended.called("pet.keep")[0]["config"]["tools"]
    assert first["execute"].number == second["execute"].number
    assert (first["name"], first["description"], first["category"]) == ("adder", "adds", "math")


def test_JS_03_what_is_made_late_uses_nothing_that_a_spell_replaced(prelude: str) -> None:
    source = """
    let seen = 0;
    const watch = () => { seen++; throw new Error("seen") };
    globalThis.Proxy = watch; globalThis.WeakMap = watch; globalThis.Set = watch;
    Array.prototype[Symbol.iterator] = watch; RegExp.prototype.test = watch;
    String.prototype.replace = watch; String.prototype.split = watch;
    const tool = Tools.fileReader, suite = Test.suite("s"), pet = await Pet.get("a");
    const task = Async.schedule(1, () => 1);
    await tool.execute({path: "x"}); suite.test("t", (t) => t.assertTrue(true));
    await Test.runAll();
    return [seen, pet.id, await task];
    """
    assert value(prelude, source) == [0, "pet-1", 1]
