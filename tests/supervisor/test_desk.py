"""What a session offers its services: brokered calls of their own, functions of the spell's."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import Any

import pytest

from llmspell.channel.jsontext import Callback, decode
from llmspell.errors import Denied, InvalidInput, LimitExceeded, LlmspellError, OperationFailed
from llmspell.policies.verdict import deny
from llmspell.spells.ports import DEPTH_MAX
from llmspell.supervisor.broker import CallContext, Method
from llmspell.supervisor.desk import Desk
from llmspell.supervisor.effects import Send, StartTools
from llmspell.supervisor.services import Services

from . import test_session
from .test_session import Run, passed


class Served:
    """A running session and a desk over it; the test plays the worker."""

    def __init__(self, **limits: Any) -> None:
        self.run = Run(**limits)
        self.run.hello()
        self.services = Services(self.run.session.policy)
        self.services.session = self.run.session
        self.desk = Desk(self.run.session, self.services)
        self.run.session.take_effects()

    def sent(self) -> list[dict[str, Any]]:
        effects = self.run.session.take_effects()
        return [decode(effect.data[4:]) for effect in effects if isinstance(effect, Send)]

    def decisions(self) -> list[dict[str, Any]]:
        return [fields for event, fields in self.run.audit.records if event == "decision"]


@pytest.fixture
def served() -> Served:
    return Served()


def run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def raised(work: Coroutine[Any, Any, Any]) -> LlmspellError:
    with pytest.raises(LlmspellError) as caught:
        asyncio.run(work)
    return caught.value


def test_a_call_of_a_service_takes_the_steps_of_the_spells_own(served: Served) -> None:
    value = run(served.desk.call("test.read", {}, origin="agent:writer"))
    assert value == "content"
    assert served.run.session.broker.calls == 1
    (decision,) = served.decisions()
    assert (decision["origin"], decision["allowed"]) == ("agent:writer", True)


def test_a_denial_reaches_the_service_typed_and_the_record(served: Served) -> None:
    verdict = {"verdict": deny("test.deny", "a test", "say please")}
    error = raised(served.desk.call("test.read", verdict, origin="agent:writer"))
    assert isinstance(error, Denied)
    assert (error.code, error.rule, error.hint) == (4008, "test.deny", "say please")
    (decision,) = served.decisions()
    assert (decision["allowed"], decision["origin"]) == (False, "agent:writer")
    assert len(served.run.session.broker.denials) == 1
    assert run(served.desk.call("test.read", {}, origin="agent:writer")) == "content"


def test_a_service_that_forgets_its_verdict_gives_nothing(served: Served) -> None:
    assert raised(served.desk.call("test.forgets", {}, origin="agent:a")).code == 6009


def test_what_is_not_described_can_not_be_called(served: Served) -> None:
    assert raised(served.desk.call("test.none", {}, origin="agent:a")).code == 4007


def test_calls_of_services_are_the_spells_calls() -> None:
    served = Served(calls=2)

    async def three() -> None:
        for _ in range(3):
            await served.desk.call("test.read", {}, origin="workflow:w")

    error = raised(three())
    assert isinstance(error, LimitExceeded) and error.limit == "calls"
    assert len(served.decisions()) == 2, "the third did nothing"
    # As with a call of the spell's own: over the limit the run ends.
    assert served.run.exit().reason == "calls"


def test_nesting_is_bounded(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    deepest = 0

    async def again(context: CallContext, args: Mapping[str, Any]) -> Any:
        nonlocal deepest
        deepest += 1
        return await served.desk.call("test.again", {}, origin=context.origin)

    method = Method("test.again", passed, again, None, False)
    monkeypatch.setitem(test_session.METHODS, "test.again", method)
    error = raised(served.desk.call("test.again", {}, origin="agent:a"))
    assert isinstance(error, LimitExceeded) and error.rule == "limit.depth"
    assert deepest == DEPTH_MAX


def test_nesting_counts_per_branch_not_per_call(served: Served) -> None:
    async def many() -> int:
        values = [served.desk.call("test.read", {}, origin="a") for _ in range(DEPTH_MAX * 2)]
        return len(await asyncio.gather(*values))

    assert run(many()) == DEPTH_MAX * 2


async def answered(served: Served, work: Coroutine[Any, Any, Any], **answer: Any) -> Any:
    task = asyncio.ensure_future(work)
    await asyncio.sleep(0)
    (invoke,) = served.sent()
    assert (invoke["type"], invoke["callback"], invoke["args"]) == ("invoke", 7, [{"a": 1}])
    served.run.say({"type": "returned", "id": invoke["id"], **answer})
    return await task


def test_a_function_of_the_spells_is_invoked(served: Served) -> None:
    work = served.desk.invoke(Callback(7), [{"a": 1}])
    assert run(answered(served, work, ok=True, value=[1, 2])) == [1, 2]


def test_its_error_comes_back_typed(served: Served) -> None:
    work = served.desk.invoke(Callback(7), [{"a": 1}])
    wire = {"code": 3004, "kind": "mine", "message": "no"}
    error = raised(answered(served, work, ok=False, error=wire))
    assert (error.code, error.kind, error.message) == (3004, "mine", "no")


def test_a_function_that_does_not_answer_is_taken_back(served: Served) -> None:
    async def late() -> None:
        with pytest.raises(OperationFailed) as caught:
            await served.desk.invoke(Callback(7), [], seconds=0.01)
        assert caught.value.kind == "timeout"
        invoke, cancel = served.sent()
        assert cancel == {"type": "cancel", "id": invoke["id"]}
        # The answer was under way: it is no violation, and nobody hears it.
        served.run.say({"type": "returned", "id": invoke["id"], "ok": True, "value": 1})
        assert served.run.session.result is None
        served.run.say({"type": "returned", "id": invoke["id"], "ok": True, "value": 1})

    run(late())
    assert served.run.exit().reason == "protocol", "a second answer was not asked for"


def test_a_cancelled_wait_takes_the_function_back(served: Served) -> None:
    async def cancelled() -> list[dict[str, Any]]:
        task = asyncio.ensure_future(served.desk.invoke(Callback(7), []))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return served.sent()

    assert [message["type"] for message in run(cancelled())] == ["invoke", "cancel"]


def test_what_can_not_be_carried_is_said(served: Served) -> None:
    error = raised(served.desk.invoke(Callback(7), [float("nan")]))
    assert isinstance(error, InvalidInput)


def test_a_tool_of_a_service_is_judged_and_gets_a_worker(served: Served) -> None:
    broker = served.run.session.broker

    async def tool(name: str) -> Any:
        context = CallContext(broker, "agent:a", "tools.execute")
        task = asyncio.ensure_future(served.desk.bench(context, name, {"expression": "1"}))
        await asyncio.sleep(0)
        if task.done():
            return await task
        task.cancel()
        return served.run.session.take_effects()

    denied = served.run.session.policy.tools._replace(denied=("calculator",))
    allowed = served.run.session.policy
    broker._policy = allowed._replace(tools=denied)
    error = raised(tool("calculator"))
    assert (error.code, error.rule) == (2006, "medium.tools.denied")
    assert not any(isinstance(e, StartTools) for e in served.run.session.take_effects())
    broker._policy = allowed
    assert any(isinstance(effect, StartTools) for effect in run(tool("calculator")))


def test_a_service_exists_from_its_first_use(served: Served) -> None:
    assert served.services.made("hooks") is None
    assert served.services.intercepts("calculator") is False
