"""The core alone, fed by hand: order, identity, limits, ends. No worker, no clock of its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from llmspell.channel import bounds
from llmspell.channel.framing import frame
from llmspell.channel.jsontext import Callback, decode, encode
from llmspell.errors import Denied, LlmspellError, OperationFailed
from llmspell.platform import ExitStatus
from llmspell.policies.budget import Budget
from llmspell.policies.limits import Limits
from llmspell.policies.verdict import Verdict, allow, deny
from llmspell.profiles.context import PolicyContext
from llmspell.profiles.loader import load_policy
from llmspell.spells.spell import Spell
from llmspell.supervisor.broker import Broker, CallContext, Method
from llmspell.supervisor.effects import Abandon, End, Finish, Perform, Send, Show
from llmspell.supervisor.plan import SessionPlan
from llmspell.supervisor.result import Status
from llmspell.supervisor.session import CLOSE_SECONDS, START_SECONDS, Session

from .fakes import MemoryAudit

HELD = dict.fromkeys(("files", "network", "processes", "spawn", "privilege"), True)
GONE = ExitStatus(0, None, 0.01, 1000)


def passed(args: Mapping[str, Any]) -> dict[str, Any]:
    return dict(args)


def read(context: CallContext, args: dict[str, Any]) -> Any:
    verdict = args.get("verdict", allow("test.allow", "a test"))
    context.judge(verdict, action="read", target="a.txt")
    return "content"


METHODS = {
    "test.read": Method("test.read", passed, read, "read", True),
    "test.forgets": Method("test.forgets", passed, lambda context, args: 1, None, True),
    "test.pure": Method("test.pure", passed, lambda context, args: args, None, False),
}


class Run:
    """A session and the worker's side of its channel, played by the test."""

    def __init__(self, *, profile: str = "medium", **limits: Any) -> None:
        policy = load_policy(profile, context=PolicyContext.of("/tmp"))
        policy = policy._replace(limits=policy.limits._replace(**limits))
        self.audit = MemoryAudit()
        budget = Budget(policy.limits)
        broker = Broker(METHODS, policy, budget, self.audit, lambda value: value)
        plan = SessionPlan(
            session="test",
            spell=Spell.from_source("return 1", "lua"),
            policy=policy,
            budget=budget,
            broker=broker,
            audit=self.audit,  # type: ignore[arg-type]
            mask=lambda value: value,
            params={},
            args=(),
            env={},
            keep_output=True,
        )
        self.session = Session(plan, 0.0)
        self.calls = 0

    def say(self, *messages: Mapping[str, Any], now: float = 1.0) -> list[Any]:
        data = b"".join(frame(encode(message)) for message in messages)
        self.session.receive(0, data, now)
        return self.session.take_effects()

    def hello(self, effects: Mapping[str, Any] = HELD, engine: str = "lua") -> list[Any]:
        achieved = {"layers": ["rlimits", "seccomp"], "effects": effects}
        return self.say({"type": "hello", "version": 1, "engine": engine, "achieved": achieved})

    def call(self, method: str, **args: Any) -> list[Any]:
        self.calls += 1
        return self.say({"type": "call", "id": self.calls, "method": method, "args": args})

    def exit(self, status: ExitStatus = GONE, now: float = 2.0) -> Any:
        self.session.exited(0, status, now)
        assert Finish() in self.session.take_effects()
        return self.session.result


def sent(effects: list[Any]) -> list[Any]:
    found = []
    for effect in effects:
        if isinstance(effect, Send):
            data = effect.data
            while data:
                size = int.from_bytes(data[:4], "little")
                found.append(decode(data[4 : 4 + size]))
                data = data[4 + size :]
    return found


def perform(run: Run, effects: list[Any]) -> list[Any]:
    for effect in effects:
        if isinstance(effect, Perform):
            try:
                value = effect.function(effect.context, effect.args)
            except LlmspellError as error:
                run.session.not_performed(effect.token, error, 1.0)
            else:
                run.session.performed(effect.token, value, 1.0)
    return sent(run.session.take_effects())


def test_a_run_from_hello_to_its_result() -> None:
    run = Run()
    (message,) = sent(run.hello())
    assert (message["type"], message["source"], message["profile"]) == ("run", "return 1", "medium")
    (reply,) = perform(run, run.call("test.read"))
    assert reply == {"type": "reply", "id": 1, "ok": True, "value": "content"}
    assert run.say({"type": "output", "stream": "stdout", "text": "hi\n"}) == [
        Show("stdout", "hi\n")
    ]
    assert run.say({"type": "done", "value": {"a": 1}}) == [End(0)]
    result = run.exit()
    assert (result.status, result.value, result.output) == (Status.DONE, {"a": 1}, "hi\n")
    assert result.exit_code == 0
    assert result.isolation.achieved == "medium"
    assert result.usage.calls == 1
    assert run.audit.events() == ["session_start", "isolation", "decision", "session_end"]


def test_nothing_of_the_spell_is_sent_before_isolation_is_proven() -> None:
    run = Run(profile="high")
    effects = run.hello({**HELD, "network": False})
    assert sent(effects) == []
    assert effects == [End(0)]
    result = run.exit()
    assert (result.status, result.exit_code) == (Status.ISOLATION_REFUSED, 5)
    assert "network" in result.error.message
    assert result.isolation.missing == ("network",)


def test_EN_08_an_effect_that_is_merely_truthy_is_not_held() -> None:
    run = Run(profile="high")
    assert sent(run.hello({**HELD, "files": "yes"})) == []
    assert run.exit().status is Status.ISOLATION_REFUSED


def test_low_goes_on_with_a_missing_effect_and_says_so() -> None:
    run = Run(profile="low")
    assert sent(run.hello({**HELD, "network": False}))[0]["type"] == "run"
    run.say({"type": "done"})
    assert run.exit().isolation.degraded


def test_a_denial_is_typed_recorded_and_listed_and_its_twin_succeeds() -> None:
    run = Run()
    run.hello()
    verdict = deny("test.rule", "no", "to allow it: --allow-read a.txt")
    (reply,) = perform(run, run.call("test.read", verdict=None) and _denied(run, verdict))
    assert reply["ok"] is False
    assert reply["error"]["code"] == 4008
    assert reply["error"]["rule"] == "test.rule"
    assert ("decision", False) in [
        (event, fields.get("allowed")) for event, fields in run.audit.records
    ]
    (good,) = perform(run, run.call("test.read"))
    assert good["ok"] is True
    error = {**reply["error"]}
    run.say({"type": "failed", "error": error})
    result = run.exit()
    assert (result.status, result.exit_code) == (Status.DENIED, 3)
    assert result.denials[0].rule == "test.rule"


def _denied(run: Run, verdict: Verdict) -> list[Any]:
    run.session.take_effects()
    run.calls += 1
    effects = run.say({"type": "call", "id": run.calls, "method": "test.read", "args": {}})
    return [
        effect._replace(args={"verdict": verdict}) if isinstance(effect, Perform) else effect
        for effect in effects
    ]


@pytest.mark.parametrize("answer", [None, "yes", 1, True])
def test_IP_22_only_a_verdict_that_allows_in_so_many_words_allows(answer: Any) -> None:
    run = Run()
    run.hello()
    verdict = Verdict(answer, "test.rule", "reason", None)
    (reply,) = perform(run, _denied(run, verdict))
    assert reply["ok"] is (answer is True)


def test_a_service_that_forgets_its_verdict_is_our_own_error() -> None:
    run = Run()
    run.hello()
    (reply,) = perform(run, run.call("test.forgets"))
    assert reply["error"]["code"] == 6009


def test_a_claimed_denial_that_never_was_is_a_spell_error() -> None:
    run = Run()
    run.hello()
    error = {"code": 4008, "kind": "denied", "message": "denied", "rule": "high.files.read"}
    run.say({"type": "failed", "error": error})
    assert run.exit().status is Status.SPELL_ERROR


def test_an_unknown_function_is_typed() -> None:
    run = Run()
    run.hello()
    (reply,) = sent(run.call("os.system"))
    assert reply["error"]["code"] == 4007


def test_RS_27_the_call_budget_is_terminal_and_counts_failures() -> None:
    run = Run(calls=3)
    run.hello()
    for _ in range(3):
        run.call("no.such")
    effects = run.call("test.pure")
    assert End(0) in effects
    result = run.exit()
    assert (result.status, result.reason, result.exit_code) == (Status.LIMIT, "calls", 4)


def test_RS_06_output_is_cut_with_a_marker_and_ends_the_run() -> None:
    run = Run(output=10)
    run.hello()
    effects = run.say({"type": "output", "stream": "stdout", "text": "é" * 20})
    shown = [effect.text for effect in effects if isinstance(effect, Show)]
    assert shown == ["é" * 5 + "\n[output cut here by its limit]\n"]
    result = run.exit()
    assert (result.status, result.reason) == (Status.LIMIT, "output")
    assert result.error.code == 4009


def test_IP_14_logs_count_as_output() -> None:
    run = Run(output=1000)
    run.hello()
    for _ in range(3):
        run.say({"type": "log", "level": "info", "message": "x" * 500})
    assert run.exit().reason == "output"


def test_RS_11_the_wall_limit_bites_also_while_a_call_is_under_way() -> None:
    run = Run(wall=5)
    run.hello()
    effects = run.call("test.pure")
    token = next(effect.token for effect in effects if isinstance(effect, Perform))
    assert run.session.next_deadline() == 5.0
    run.session.tick(4.99)
    assert run.session.take_effects() == []
    run.session.tick(5.0)
    assert run.session.take_effects() == [Abandon(token), End(0)]
    run.session.performed(token, "late", 5.1)
    result = run.exit(ExitStatus(None, 9, 0.1, 1000), now=5.05)
    assert (result.status, result.reason, result.error.code) == (Status.LIMIT, "wall", 4004)
    assert [item.kind.value for item in result.violations] == ["ExecutionTimeExceeded"]


def test_a_worker_that_never_says_hello_is_ended() -> None:
    run = Run(wall=1000)
    run.session.tick(START_SECONDS)
    assert run.session.take_effects() == [End(0)]
    assert run.exit().status is Status.INTERNAL


def test_IP_18_a_worker_that_closes_its_channel_and_goes_on_is_killed() -> None:
    run = Run()
    run.hello()
    run.session.closed(0, 1.0)
    run.session.tick(1.0 + CLOSE_SECONDS)
    assert run.session.take_effects() == [End(0)]
    assert run.exit().status is Status.VIOLATION


def test_PR_24_an_early_exit_with_a_call_outstanding_is_typed() -> None:
    run = Run()
    run.hello()
    run.call("test.pure")
    result = run.exit(ExitStatus(0, None, 0.0, 0))
    assert (result.status, result.reason) == (Status.SPELL_ERROR, "worker_gone")


@pytest.mark.parametrize(
    ("status", "reason"),
    [
        (ExitStatus(None, 9, 60.0, 1000), "cpu"),
        (ExitStatus(None, 24, 1.0, 1000), "cpu"),
        (ExitStatus(None, 9, 1.0, 500 << 20), "memory"),
        (ExitStatus(None, 6, 1.0, 500 << 20), "memory"),
        (ExitStatus(None, 11, 1.0, 1000), "crash"),
        (ExitStatus(None, 31, 1.0, 1000), "seccomp"),
    ],
)
def test_PR_23_an_exit_nobody_asked_for_is_classified(status: ExitStatus, reason: str) -> None:
    run = Run()
    run.hello()
    assert run.exit(status).reason == reason


def test_IP_29_calls_beyond_the_window_are_refused_not_fatal() -> None:
    run = Run()
    run.hello()
    for _ in range(bounds.OUTSTANDING_MAX):
        run.call("test.pure")
    (reply,) = sent(run.call("test.pure"))
    assert reply["error"]["rule"] == "limit.outstanding"
    assert run.session.result is None


def test_IP_16_a_worker_that_does_not_read_is_ended() -> None:
    run = Run()
    run.hello()
    run.session.outbox(0, bounds.OUTBOX_MAX + 1)
    assert run.exit().status is Status.VIOLATION


def test_IP_23_a_record_that_can_not_be_kept_denies_the_act() -> None:
    run = Run(profile="high")
    run.hello()
    effects = run.call("test.read")
    run.audit.broken = OperationFailed("disk full", code=6002, kind="audit")
    perform(run, effects)
    assert run.exit().status is Status.INTERNAL


def test_the_supervisor_calls_back_while_the_spell_waits() -> None:
    run = Run()
    run.hello()
    pending = run.call("test.pure", x=1)
    got: list[Any] = []
    run.session.invoke(0, Callback(7), [1, 2], lambda value, error: got.append((value, error)))
    (invoke,) = sent(run.session.take_effects())
    assert invoke == {"type": "invoke", "id": 1, "callback": 7, "args": [1, 2]}
    run.say({"type": "returned", "id": 1, "ok": True, "value": 3})
    assert got == [(3, None)]
    (reply,) = perform(run, pending)
    assert reply["value"] == {"x": 1}


def test_an_answer_to_nothing_asked_is_a_violation() -> None:
    run = Run()
    run.hello()
    run.say({"type": "returned", "id": 9, "ok": True})
    assert run.exit().status is Status.VIOLATION


def test_a_cancelled_call_is_abandoned_and_never_answered() -> None:
    run = Run()
    run.hello()
    effects = run.call("test.pure")
    token = effects[0].token
    assert run.say({"type": "cancel", "id": 1}) == [Abandon(token)]
    run.session.performed(token, "late", 1.0)
    assert run.session.take_effects() == []


def test_what_comes_after_the_end_is_not_looked_at() -> None:
    run = Run()
    run.hello()
    run.say({"type": "done", "value": 1}, {"type": "output", "stream": "stdout", "text": "x"})
    assert run.exit().output == ""


def test_limits_default_to_the_strict_end() -> None:
    assert Limits().wall == 60 and Limits().processes == 0
    assert issubclass(Denied, LlmspellError)
