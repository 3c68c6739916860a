"""Calls, invokes and large messages: what crosses the channel, in three languages."""

from __future__ import annotations

import pytest

from llmspell.channel import messages
from llmspell.channel.jsontext import Callback
from tests.parity.cases import Case
from tests.parity.workers import KINDS, LANGUAGES, drive, run, worker

CALLBACKS = Case(
    'return tools.execute("t", {f=function(a, b) return a .. b .. fs.read("q") end}).result',
    'return (await tools.execute("t", {f: async (a, b) => a + b + await fs.read("q")})).result',
    'async def f(a, b):\n    return a + b + await fs.read("q")\n'
    '(await tools.execute("t", {"f": f})).result',
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_an_invoke_runs_while_the_call_waits(language: str, kind: str) -> None:
    with worker(language, kind) as one:
        one.begin(getattr(CALLBACKS, language))
        first = one.receive()
        assert isinstance(first, messages.Call)
        function = first.args["input"]["f"]
        assert isinstance(function, Callback)
        number, data = one.connection.invoke(function.number, ["x", "y"])
        one.send(data)
        nested = one.receive()
        assert isinstance(nested, messages.Call) and nested.method == "fs.read"
        one.send(one.connection.reply(nested.id, "!"))
        returned = one.receive()
        assert returned == messages.Returned(number, "xy!", None)
        one.send(one.connection.reply(first.id, {"result": returned.value}))
        ended = drive(one, {})
        assert (ended.value, ended.error) == ("xy!", None)


THROWING = Case(
    'tools.execute("t", {f=function() error({message="bad", kind="mine"}) end})',
    'await tools.execute("t", {f() { throw new TypeError("bad") }})',
    'def f():\n    raise ValueError("bad")\nawait tools.execute("t", {"f": f})',
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_callbacks_error_and_an_unknown_callback_are_returned(language: str) -> None:
    with worker(language) as one:
        one.begin(getattr(THROWING, language))
        first = one.receive()
        assert isinstance(first, messages.Call)
        for callback in (first.args["input"]["f"].number, 77):
            number, data = one.connection.invoke(callback, [])
            one.send(data)
            returned = one.receive()
            assert isinstance(returned, messages.Returned) and returned.id == number
            assert returned.error is not None
            assert ("bad" in returned.error["message"]) is (callback != 77)
        one.send(one.connection.reply(first.id, {}))
        assert drive(one, {}).error is None


CANCELLED = Case(
    'tools.execute("t", {f=function() Async.sleep(60000) end}) return 1',
    'await tools.execute("t", {f: () => Async.sleep(60000)}); return 1',
    'await tools.execute("t", {"f": lambda: Async.sleep(60000)})\n1',
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_cancelled_invoke_is_answered_once_and_does_not_hold_the_end(language: str) -> None:
    with worker(language) as one:
        one.begin(getattr(CANCELLED, language))
        first = one.receive()
        assert isinstance(first, messages.Call)
        number, data = one.connection.invoke(first.args["input"]["f"].number, [])
        one.send(data + one.connection.cancel(number))
        returned = one.receive()
        assert isinstance(returned, messages.Returned) and returned.error is not None
        assert returned.error["kind"] == "cancelled"
        one.send(one.connection.reply(first.id, {}))
        assert drive(one, {}).value == 1


IN_FLIGHT = Case(
    "local t = {} for i = 1, 40 do t[i] = function() return fs.read(tostring(i)) end end"
    " return Async.all(t)",
    "return await Async.all(Array.from({length: 40}, (_, i) => fs.read(String(i + 1))))",
    "await Async.all([fs.read(str(i + 1)) for i in range(40)])",
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_calls_in_flight_are_answered_in_any_order(language: str, kind: str) -> None:
    with worker(language, kind) as one:
        one.begin(getattr(IN_FLIGHT, language))
        calls = [one.receive() for _ in range(40)]
        for call in reversed(calls):
            assert isinstance(call, messages.Call)
            one.send(one.connection.reply(call.id, "<" + call.args["path"] + ">"))
        assert drive(one, {}).value == [f"<{i}>" for i in range(1, 41)]


RACED = Case(
    "return Async.race{function() return fs.read('slow') end, function() Async.sleep(5)"
    " return 'quick' end}",
    "return await Async.race([fs.read('slow'), async () => { await Async.sleep(5);"
    " return 'quick' }])",
    "async def quick():\n    await Async.sleep(5)\n    return 'quick'\n"
    "await Async.race([fs.read('slow'), quick()])",
)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_call_that_lost_a_race_is_taken_back(language: str) -> None:
    with worker(language) as one:
        one.begin(getattr(RACED, language))
        call, cancel = one.receive(), one.receive()
        assert isinstance(call, messages.Call)
        assert cancel == messages.Cancel(call.id)
        assert drive(one, {}).value == "quick"


LARGE = Case(
    "local t = storage.get('k') return {#t, storage.set('k', t) == t,"
    " #fs.read('b', {encoding='binary'})}",
    "const t = await storage.get('k'); return [t.length, await storage.set('k', t) === t,"
    " (await fs.read('b', {encoding: 'binary'})).length]",
    "t = await storage.get('k')\n[len(t), await storage.set('k', t) == t,"
    " len(await fs.read('b', encoding='binary'))]",
)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "forked"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_large_values_travel_in_parts_both_ways(language: str, kind: str) -> None:
    text = ('€"\\\n' * 300_000) + "end"
    lua_length = len(text.encode("utf-8"))
    answers = {
        "storage.get": lambda _args: text,
        "storage.set": lambda args: args["value"],
        "fs.read": lambda _args: bytes(range(256)) * 12_000,
    }
    ended = run(language, getattr(LARGE, language), answers, kind=kind, timeout=40)
    assert ended.error is None
    assert ended.value == [lua_length if language == "lua" else len(text), True, 256 * 12_000]
    assert ended.called("storage.set")[0]["value"] == text
