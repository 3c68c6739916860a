"""Tool workers as the core sees them: identity, one call each, deadlines, breakdowns, rates."""

from __future__ import annotations

from typing import Any

from llmspell.channel.framing import frame
from llmspell.channel.jsontext import encode
from llmspell.platform import ExitStatus
from llmspell.supervisor.broker import Method
from llmspell.supervisor.effects import Abandon, End, StartTools
from llmspell.supervisor.toolbench import BREAKDOWNS_MAX, TOOL_WORKERS_MAX

from .test_session import HELD, METHODS, Run, passed, perform, read, sent

METHODS["tools.execute"] = Method("tools.execute", passed, read, None, True)
METHODS["fs.read"] = Method("fs.read", passed, read, "read", True)
METHODS["http.request"] = Method("http.request", passed, read, "net", True)


class Bench(Run):
    """A run whose tool workers the test plays as well."""

    def __init__(self, **limits: Any) -> None:
        super().__init__(profile="low", **limits)
        self.hello()

    def execute(self, tool: str = "calculator", **given: Any) -> list[Any]:
        return self.call("tools.execute", name=tool, input=given)

    def tool_says(self, peer: int, *messages: Any, now: float = 1.0) -> list[Any]:
        data = b"".join(frame(encode(message)) for message in messages)
        self.session.receive(peer, data, now)
        return self.session.take_effects()

    def tool_hello(self, peer: int, now: float = 1.0) -> list[Any]:
        achieved = {"layers": ["rlimits"], "effects": HELD}
        hello = {"type": "hello", "version": 1, "engine": "tools", "achieved": achieved}
        return self.tool_says(peer, hello, now=now)

    def with_tools(self, **changes: Any) -> Bench:
        """The same run under other tool rules."""
        rules = self.session.policy.tools._replace(**changes)
        self.session.policy = self.session.policy._replace(tools=rules)
        self.session.broker._policy = self.session.policy
        return self

    def returned(self, peer: int, invoke: int, value: Any) -> list[Any]:
        answer = {"type": "returned", "id": invoke, "ok": True, "value": value}
        return self.tool_says(peer, answer)


def test_a_tool_call_starts_a_worker_and_its_result_comes_back() -> None:
    bench = Bench()
    assert bench.execute(expression="1+1") == [StartTools(1)]
    (invoke,) = sent(bench.tool_hello(1))
    assert invoke["args"] == ["calculator", {"expression": "1+1"}]
    (reply,) = sent(bench.returned(1, 1, {"result": 2}))
    assert reply == {"type": "reply", "id": 1, "ok": True, "value": {"result": 2}}
    (again,) = sent(bench.execute(expression="2+2"))
    assert again["type"] == "invoke", "the idle worker is used again"


def test_an_unknown_or_denied_tool_starts_nothing() -> None:
    bench = Bench()
    (reply,) = sent(bench.execute("no_such"))
    assert reply["error"]["code"] == 2001
    denied = bench.with_tools(denied=("calculator",))
    (reply,) = sent(denied.execute())
    assert (reply["error"]["code"], reply["error"]["kind"]) == (2006, "denied")
    assert denied.audit.records[-1][1]["allowed"] is False


def test_at_most_so_many_workers_and_the_rest_wait() -> None:
    bench = Bench()
    started = [effect for _ in range(6) for effect in bench.execute()]
    assert started == [StartTools(number) for number in range(1, TOOL_WORKERS_MAX + 1)]
    for peer in range(1, TOOL_WORKERS_MAX + 1):
        assert len(sent(bench.tool_hello(peer))) == 1
    messages = sent(bench.returned(1, 1, {"result": 0}))
    assert [message["type"] for message in messages] == ["reply", "invoke"]


def test_IP_28_a_tool_worker_has_only_what_its_tool_declared() -> None:
    bench = Bench()
    bench.execute()
    bench.tool_hello(1)
    call = {"type": "call", "id": 1, "method": "fs.read", "args": {}}
    (reply,) = sent(bench.tool_says(1, call))
    assert reply["error"]["rule"] == "tools.declared-needs"
    record = bench.audit.records[-1]
    assert (record[1]["origin"], record[1]["allowed"]) == ("tool:calculator", False)
    bench.execute("file_reader", path="a")
    bench.tool_hello(2)
    (good,) = perform(bench, bench.tool_says(2, call))
    assert good["ok"] is True, "the allowed twin"
    net = {"type": "call", "id": 2, "method": "http.request", "args": {}}
    (reply,) = sent(bench.tool_says(2, net))
    assert reply["error"]["rule"] == "tools.declared-needs"


def test_an_idle_tool_worker_may_ask_for_nothing() -> None:
    bench = Bench()
    bench.execute("file_reader", path="a")
    bench.tool_hello(1)
    bench.returned(1, 1, {"result": ""})
    (reply,) = sent(bench.tool_says(1, {"type": "call", "id": 1, "method": "fs.read", "args": {}}))
    assert reply["error"]["rule"] == "tools.declared-needs"


def test_RS_13_a_tool_that_takes_too_long_is_ended_alone() -> None:
    bench = Bench()
    bench.execute()
    bench.tool_hello(1, now=1.0)
    assert bench.session.next_deadline() == 11.0
    bench.session.tick(11.0)
    effects = bench.session.take_effects()
    (reply,) = sent(effects)
    assert (reply["error"]["code"], reply["error"]["kind"]) == (2008, "timeout")
    assert End(1) in effects
    assert bench.session.result is None


def test_a_tool_worker_that_dies_fails_its_call_and_drops_its_own_calls() -> None:
    bench = Bench()
    bench.execute("file_reader", path="a")
    bench.tool_hello(1)
    bench.tool_says(1, {"type": "call", "id": 1, "method": "fs.read", "args": {}})
    bench.session.exited(1, ExitStatus(None, 11, 0.1, 1000), 1.0)
    effects = bench.session.take_effects()
    (reply,) = sent(effects)
    assert reply["error"]["kind"] == "tool_lost"
    assert any(isinstance(effect, Abandon) for effect in effects)


def test_SEC_037_a_tool_that_keeps_breaking_rests() -> None:
    bench = Bench()
    for number in range(1, BREAKDOWNS_MAX + 1):
        assert bench.execute() == [StartTools(number)]
        bench.tool_hello(number)
        bench.session.exited(number, ExitStatus(None, 11, 0.1, 1000), 1.0)
        bench.session.take_effects()
    (reply,) = sent(bench.execute())
    assert (reply["error"]["code"], reply["error"]["rule"]) == (2007, "tool.breaker")


def test_SEC_021_a_tools_rate_limit_bites() -> None:
    bench = Bench()
    for _ in range(60):
        bench.execute("http_client", url="https://example.com")
    (reply,) = sent(bench.execute("http_client", url="https://example.com"))
    assert (reply["error"]["code"], reply["error"]["rule"]) == (6006, "limit.tool_rate")


def test_a_violation_of_a_tool_worker_ends_the_run() -> None:
    bench = Bench()
    bench.execute()
    bench.tool_hello(1)
    effects = bench.tool_says(1, {"type": "done", "value": 1})
    assert End(0) in effects and End(1) in effects


def test_a_tool_worker_that_can_not_start_fails_the_waiting_calls() -> None:
    from llmspell.errors import IsolationRefused

    bench = Bench()
    bench.execute()
    bench.session.start_failed(1, IsolationRefused("no launcher"), 1.0)
    (reply,) = sent(bench.session.take_effects())
    assert reply["error"]["kind"] == "isolation_refused"


def test_IP_29_calls_that_are_taken_back_leave_the_queue() -> None:
    # Else a worker that calls and cancels would fill the queue with inputs beyond every bound.
    bench = Bench()
    for _ in range(300):
        bench.execute(expression="x" * 1000)
        bench.say({"type": "cancel", "id": bench.calls})
    assert bench.session.toolbench._queue == []
    bench.execute(expression="6 * 7")
    sent_on = sent(bench.tool_hello(1))
    assert [each["args"][1] for each in sent_on] == [{"expression": "6 * 7"}]
    (reply,) = sent(bench.returned(1, 1, {"result": 42}))
    assert (reply["id"], reply["value"]) == (301, {"result": 42})


def test_data_that_a_tool_read_is_no_function_of_the_spells() -> None:
    bench = Bench()
    bench.execute("json_processor", json="from the web")
    bench.tool_hello(1)
    (reply,) = sent(bench.returned(1, 1, {"result": [{"on_done": {"$callback": 7}}]}))
    assert (reply["error"]["code"], reply["error"]["kind"]) == (2009, "output")
    (again,) = sent(bench.execute("json_processor", json="more"))
    assert again["type"] == "invoke", "the worker is well"
    (reply,) = sent(bench.returned(1, 2, {"result": {"$callback": 7, "x": 1}}))
    assert reply["value"] == {"result": {"$callback": 7, "x": 1}}, "any other object is data"
