"""Sessions that act inline: the same answers, records and order as by way of the effects."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from llmspell.errors import OperationFailed
from llmspell.policies.verdict import allow
from llmspell.supervisor.broker import CallContext, Method
from llmspell.supervisor.effects import Abandon, Await, End, Perform, Send, Show
from llmspell.supervisor.result import Status

from .test_drivers import HELLO, TRACES, call
from .test_drivers import run as drive
from .test_session import METHODS, Run, passed, perform, sent


async def _later(context: CallContext, args: dict[str, Any]) -> str:
    context.judge(allow("test", "a test"), action="write", target="t")
    return "later"


def _bug(context: CallContext, args: dict[str, Any]) -> None:
    raise ZeroDivisionError("secret words")


METHODS["test.later"] = Method("test.later", passed, _later, None, True)
METHODS["test.bug"] = Method("test.bug", passed, _bug, None, True)


def inline() -> Run:
    run = Run()
    run.hello()
    run.session.acts_inline = True
    return run


def calls(*methods: str, first: int = 1) -> list[dict[str, Any]]:
    return [
        {"type": "call", "id": number, "method": method, "args": {}}
        for number, method in enumerate(methods, start=first)
    ]


def replies(run: Run) -> list[Any]:
    return [message for _, data in run.session.take_sends() for message in sent([Send(0, data)])]


@pytest.mark.parametrize(
    "methods",
    [
        ("test.read",),
        ("test.read", "test.forgets", "test.pure", "test.read"),
        ("test.absent", "test.read", "test.pure", "test.absent"),
    ],
)
def test_answers_and_records_are_those_of_the_way_by_effects(methods: tuple[str, ...]) -> None:
    by_effects, within = Run(), inline()
    by_effects.hello()
    expected: list[Any] = []
    for message in calls(*methods):
        effects = by_effects.say(message)
        expected += sent(effects) + perform(by_effects, effects)
    # All in one batch, which the way by effects would answer in the same order.
    assert within.say(*calls(*methods)) == []
    assert replies(within) == expected
    assert within.audit.records == by_effects.audit.records


def test_a_service_that_fails_says_no_word_of_its_own() -> None:
    run = inline()
    run.say(*calls("test.bug", "test.read"))
    failed, read = replies(run)
    assert failed["error"]["code"] == 6009 and read["value"] == "content"
    assert "secret" not in str(failed) + str(run.audit.records)
    assert "failed_call" in run.audit.events()


def test_several_answers_are_one_send() -> None:
    run = inline()
    run.say(*calls("test.read", "test.read", "test.read"))
    ((number, data),) = run.session.take_sends()
    assert number == 0 and [one["id"] for one in sent([Send(0, data)])] == [1, 2, 3]
    assert run.session.take_sends() == []


def test_what_was_shown_before_a_call_is_shown_before_it_acts() -> None:
    run = inline()
    effects = run.say({"type": "output", "stream": "stdout", "text": "name? "}, *calls("test.read"))
    assert [type(effect) for effect in effects] == [Show, Perform]
    assert not any(event == "decision" for event, _ in run.audit.records)
    assert perform(run, effects) == [] and replies(run)[0]["value"] == "content"


def test_what_must_be_waited_for_is_an_effect_with_its_coroutine() -> None:
    run = inline()
    effects = run.say(*calls("test.later", "test.read"))
    assert [type(effect) for effect in effects] == [Await, Perform]
    assert run.session.take_sends() == []
    value = asyncio.run(effects[0].coroutine)
    run.session.performed(effects[0].token, value, 1.0)
    assert replies(run) == [{"type": "reply", "id": 1, "ok": True, "value": "later"}]
    run.say({"type": "cancel", "id": 2})
    run.session.performed(effects[1].token, "too late", 1.0)
    assert replies(run) == []


def test_the_end_abandons_what_is_waited_for() -> None:
    run = inline()
    (waiting,) = run.say(*calls("test.later"))
    waiting.coroutine.close()
    effects = run.say({"type": "done", "value": 1})
    assert effects == [Abandon(waiting.token), End(0)]
    assert run.exit().status is Status.DONE


def test_IP_23_a_record_that_can_not_be_kept_denies_inline_too() -> None:
    run = inline()
    run.audit.broken = OperationFailed("the audit record can't be kept", kind="audit")
    run.say(*calls("test.read"))
    assert replies(run) == []
    assert run.exit().status is Status.INTERNAL
    allowed = inline()
    allowed.say(*calls("test.read"))
    assert replies(allowed)[0]["ok"] is True


def test_the_deadline_is_known_anew_when_it_moves() -> None:
    run = inline()
    calm = run.session.next_deadline()
    assert not run.session.deadline_moved
    run.say(*calls("test.read"))
    assert not run.session.deadline_moved and run.session.next_deadline() == calm
    run.session.receive(0, b"\x10\0", 2.0)
    assert run.session.deadline_moved
    moved = run.session.next_deadline()
    assert moved is not None and moved != calm
    run.session.closed(0, 2.5)
    assert run.session.deadline_moved


def batch(*methods: str) -> list[Any]:
    """All these calls in one write."""
    data = b""
    for number, method in enumerate(methods, start=1):
        body = json.dumps(call(number, method)[1]).encode()
        data += len(body).to_bytes(4, "little") + body
    return ["raw", data.hex()]


@pytest.mark.parametrize("driver", ["blocking", "asyncio"])
@pytest.mark.parametrize(
    "methods",
    [
        ["test.now"] * 100,
        ["test.later", "test.later", "test.now", "test.later"],
        ["test.now", "test.bug", "test.later", "test.now"],
    ],
)
def test_both_drivers_answer_a_batch(driver: str, methods: list[str]) -> None:
    done = TRACES["done"][0][-2:]
    steps = [*HELLO, batch(*methods), *[["recv"]] * len(methods), *done]
    result, audit = drive(steps, driver)
    assert result.status is Status.DONE and result.usage.calls == len(methods)
    decided = [fields for event, fields in audit.records if event == "decision"]
    assert len(decided) == len(methods) - methods.count("test.bug")


@pytest.mark.parametrize("driver", ["blocking", "asyncio"])
def test_a_run_that_ends_in_the_batch_of_its_calls(driver: str) -> None:
    done = TRACES["done"][0][-2]
    end = batch("test.never", "test.later", "test.never")
    body = json.dumps(done[1]).encode()
    end[1] += (len(body).to_bytes(4, "little") + body).hex()
    result, _ = drive([*HELLO, end, ["sleep", 20]], driver)
    assert (result.status, result.value) == (Status.DONE, "end")


def _large(context: CallContext, args: dict[str, Any]) -> str:
    context.judge(allow("test", "a test"), action="read", target="t")
    return "x" * 200_000


METHODS["test.large"] = Method("test.large", passed, _large, None, True)


def test_IP_16_what_would_be_answered_to_nobody_is_not_done() -> None:
    """200 KB each: after six of them over a MiB waits, and the rest of the batch with it."""
    run = inline()
    run.say(*calls(*["test.large"] * 10), {"type": "done", "value": 1})
    session = run.session
    assert (run.session.broker.calls, session.backlog.held) == (6, 5)
    assert not session.backlog.resume(), "they are not on their way yet"
    assert [one["id"] for one in replies(run)] == [1, 2, 3, 4, 5, 6]
    session.outbox(0, 1_200_000)  # The worker does not read.
    assert not session.backlog.resume()
    session.outbox(0, 900_000)
    assert session.backlog.resume()
    assert [one["id"] for one in replies(run)] == [7]
    session.outbox(0, 0)
    while session.backlog.resume():
        replies(run)
    assert run.session.broker.calls == 10
    assert run.exit().status is Status.DONE


def test_IP_16_one_act_at_a_time_where_the_driver_performs() -> None:
    run = inline()
    shown = {"type": "output", "stream": "stdout", "text": "x"}
    effects = run.say(shown, *calls(*["test.large"] * 3))
    assert [type(effect) for effect in effects] == [Show, Perform]
    assert run.session.backlog.held == 2
    perform(run, effects)
    assert run.session.backlog.resume() and run.session.backlog.held == 0
    assert [one["id"] for one in replies(run)] == [1, 2, 3]


def test_IP_16_what_a_worker_said_before_it_ended_counts_and_is_answered_to_nobody() -> None:
    run = inline()
    run.say(*calls(*["test.large"] * 10), {"type": "done", "value": "end"})
    assert replies(run) and run.session.backlog.held == 5
    run.session.outbox(0, 1_200_000)
    result = run.exit()
    assert (result.status, result.value) == (Status.DONE, "end")
    assert replies(run) == [] and run.session.backlog.held == 0


def test_IP_16_what_was_held_is_forgotten_with_the_run() -> None:
    run = inline()
    run.say(*calls(*["test.large"] * 10))
    run.session.interrupt("user")
    assert run.session.backlog.held == 0 and not run.session.backlog.resume()
    assert run.session.broker.calls == 6
    assert run.exit().status is Status.KILLED


def test_messages_keep_their_order_while_some_are_held() -> None:
    run = inline()
    run.say(*calls(*["test.large"] * 7))
    assert run.say({"type": "output", "stream": "stdout", "text": "after"}) == []
    replies(run)
    run.session.outbox(0, 0)
    assert run.say(*calls("test.read", first=8)) == [], "there is room, but not its turn"
    assert run.session.backlog.resume()
    effects = run.session.take_effects()
    assert [type(effect) for effect in effects] == [Show, Perform]
    assert [one["id"] for one in replies(run)] == [7]
