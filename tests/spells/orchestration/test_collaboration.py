"""Collaborations of agents that are Python's here: every strategy, failures, bounds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

from llmspell.errors import Denied, InvalidInput, LimitExceeded, LlmspellError, OperationFailed
from llmspell.policies.budget import Budget
from llmspell.policies.limits import Limits
from llmspell.spells.orchestration.engine import SESSIONS_MAX, Orchestra
from llmspell.spells.orchestration.model import Collaboration, Participant
from llmspell.spells.orchestration.strategies import choose
from tests.spells.fake_host import FakeHost

Answerer = Callable[[str, dict[str, Any]], Any]


class Agents:
    """Agents by name; each answers by a function of its input and context."""

    def __init__(self, **answers: Answerer) -> None:
        self.answers = answers
        self.asked: list[tuple[str, str, dict[str, Any], str]] = []
        self.at_once = self.most = 0

    def find(self, name: str) -> str | None:
        return name if name in self.answers else None

    async def execute(self, name: str, given: Any, *, origin: str) -> dict[str, Any]:
        self.asked.append((name, given["input"], given.get("context", {}), origin))
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            await asyncio.sleep(0)
            answer = self.answers[name](given["input"], given.get("context", {}))
            if isinstance(answer, float):
                await asyncio.sleep(answer)
                answer = "late"
        finally:
            self.at_once -= 1
        text = answer if isinstance(answer, str) else json.dumps(answer)
        return {"success": True, "content": text}


def saying(text: str) -> Answerer:
    return lambda asked, context: text


def failing(error: LlmspellError, times: int = 99, then: str = "at last") -> Answerer:
    left = [times]

    def answer(asked: str, context: dict[str, Any]) -> str:
        if left[0] > 0:
            left[0] -= 1
            raise error
        return then

    return answer


def orchestra(**answers: Answerer) -> tuple[Orchestra, FakeHost, Agents]:
    agents = Agents(**answers)
    host = FakeHost(agents=agents)
    return Orchestra(host), host, agents


def run(
    made: Orchestra, workflow: Any, strategy: str = "sequential", **options: Any
) -> dict[str, Any]:
    known: Any = made._host.agents
    agents = options.pop("agents", None) or list(known.answers)
    session = made.start(agents, strategy, options.pop("context", {}), options)
    return asyncio.run(made.execute(session, workflow))


# -- sequential and parallel ---------------------------------------------------------------------


def test_orc_005_each_step_knows_the_earlier_ones() -> None:
    made, host, agents = orchestra(ann=saying("facts"), bob=lambda asked, context: asked.upper())
    workflow = {
        "steps": [
            {"step_id": "find", "agent_id": "ann", "action": "find {{topic}}",
             "expected_output": "research"},
            {"step_id": "write", "agent_id": "bob", "action": "write from {{research}}"},
        ]
    }  # fmt: skip
    result = run(made, workflow, context={"topic": "moons"})
    assert agents.asked[0][1] == "find moons"
    assert agents.asked[1][1] == "write from facts"
    assert agents.asked[1][2]["previous_results"] == {"find": "facts"}
    assert result["output"] == "WRITE FROM FACTS"
    assert result["final_context"]["research"] == "facts"
    assert {"session_id", "execution_strategy", "step_results", "final_context",
            "execution_metrics"} <= result.keys()  # fmt: skip
    assert result["execution_metrics"]["agents_used"] == ["ann", "bob"]
    assert {origin for *_, origin in agents.asked} == {"orchestrator:collaboration-1"}
    names = [name for name, *_ in host.events.emitted]
    assert names == ["collaboration_started", "collaboration_progress", "collaboration_progress",
                     "collaboration_completed"]  # fmt: skip


def test_orc_006_parallel_groups_wait_for_each_other_and_are_bounded() -> None:
    made, host, agents = orchestra(a=saying("1"), b=saying("2"), c=saying("3"), d=saying("4"))
    workflow = {
        "steps": [
            *[{"id": name, "agent": name, "action": "go"} for name in "abc"],
            {"id": "d", "agent": "d", "action": "sum {{a.output}}{{b.output}}{{c.output}}",
             "depends_on": ["a", "b", "c"]},
        ]
    }  # fmt: skip
    result = run(made, workflow, "parallel", concurrency_limit=2)
    assert agents.most == 2
    assert agents.asked[-1][1] == "sum 123"
    assert [step["step_id"] for step in result["step_results"]] == ["a", "b", "c", "d"]
    groups = [data["steps"] for name, data, _ in host.events.emitted if name.startswith("sync")]
    assert groups == [["a", "b", "c"], ["d"]]


def test_a_task_alone_goes_to_everybody() -> None:
    made, _, agents = orchestra(a=saying("1"), b=saying("2"))
    assert len(run(made, "think", "parallel")["step_results"]) == 2
    assert [asked for _, asked, *_ in agents.asked] == ["think", "think"]


# -- failures ------------------------------------------------------------------------------------

SLOW = OperationFailed("slow", code=1005, kind="timeout")
FULL = OperationFailed("full", code=1006)
BROKEN = OperationFailed("broken", code=1003)


@pytest.mark.parametrize(
    ("error", "action"),
    [(SLOW, "RetryWithTimeout"), (FULL, "RetryWithIncreasedResources")],
)
def test_orc_005_time_and_memory_are_tried_once_more(error: LlmspellError, action: str) -> None:
    made, host, agents = orchestra(a=failing(error, 1))
    result = run(made, "t")
    assert (result["output"], len(agents.asked)) == ("at last", 2)
    assert result["recoveries"][0]["action"] == action
    assert [data["action"] for name, data, _ in host.events.emitted
            if name == "collaboration_agent_failed"] == [action]  # fmt: skip
    made, _, agents = orchestra(a=failing(error))
    with pytest.raises(OperationFailed) as raised:
        run(made, "t")
    assert (raised.value.code, len(agents.asked)) == (3004, 2)


def test_orc_005_anything_else_aborts() -> None:
    made, host, agents = orchestra(a=failing(BROKEN), b=saying("never"))
    session = made.start(["a", "b"], "sequential", {}, {})
    with pytest.raises(OperationFailed, match="step a: broken"):
        asyncio.run(made.execute(session, "t"))
    assert (session.state, len(agents.asked)) == ("Failed", 1)
    assert host.events.emitted[-1][0] == "collaboration_failed"
    status = made.failure(session, "a", BROKEN)
    assert (status["action"], status["reason"]) == (
        "AbortWorkflow", "Unrecoverable agent failure: broken",
    )  # fmt: skip


def test_going_on_without_an_agent() -> None:
    made, _, _ = orchestra(a=failing(BROKEN), b=saying("fine"))
    result = run(made, "t", "parallel", on_failure="continue")
    assert (result["success"], result["output"]) == (False, "fine")
    assert result["step_results"][0]["error"]["message"] == "broken"
    assert result["execution_metrics"]["failed"] == 1


def test_a_refusal_is_never_tried_again() -> None:
    made, _, agents = orchestra(a=failing(Denied("denied model x", rule="high.models")))
    with pytest.raises(OperationFailed):
        run(made, "t")
    assert len(agents.asked) == 1


def test_retries_and_fallback_of_a_step() -> None:
    made, _, agents = orchestra(a=failing(BROKEN), b=saying("instead"))
    step = {"id": "s", "agent": "a", "action": "t", "max_retries": 2, "fallback": "b"}
    result = run(made, {"steps": [step]})
    assert [name for name, *_ in agents.asked] == ["a", "a", "a", "b"]
    assert result["step_results"][0]["agent_id"] == "b"


def test_a_step_has_its_own_time() -> None:
    made, _, _ = orchestra(a=lambda asked, context: 5.0)
    step = {"id": "s", "agent": "a", "action": "t", "timeout": "10ms"}
    session = made.start(["a"], "sequential", {}, {"timeout": "60ms"})
    with pytest.raises(OperationFailed) as raised:
        asyncio.run(made.execute(session, {"steps": [step]}))
    assert raised.value.code == 3007, "the retry had longer, the whole had not"


def test_orc_014_an_adaptive_workflow_changes_itself() -> None:
    made, _, agents = orchestra(a=failing(BROKEN), b=failing(BROKEN, 1, "done"))
    result = run(made, {"steps": [{"id": "s", "agent": "a", "action": "t"}]}, adaptive=True)
    assert [one["type"] for one in result["adaptations"]] == [
        "MinorAdjustments",
        "MajorRestructure",
    ]
    assert result["output"] == "done"
    made, _, agents = orchestra(a=failing(BROKEN))
    with pytest.raises(OperationFailed):
        run(made, {"steps": [{"id": "s", "agent": "a", "action": "t"}]}, adaptive=True)
    assert len(agents.asked) < 20


# -- consensus -----------------------------------------------------------------------------------


def voting(proposal: str, vote: Any) -> Answerer:
    def answer(asked: str, context: dict[str, Any]) -> Any:
        return vote if "Vote on" in asked or "Decide by evidence" in asked else proposal

    return answer


def test_orc_007_agreement_by_vote() -> None:
    made, host, _ = orchestra(
        a=voting("red", {"vote": 1}), b=voting("blue", {"vote": 1}), c=voting("red", {"vote": 2})
    )
    result = run(made, "colour?", "consensus", consensus_threshold=0.6)
    assert result["output"] == "red"
    told = result["metadata"]
    assert (told["consensus_reached"], told["proposed_by"]) == (True, ["a", "c"])
    assert told["share"] == pytest.approx(2 / 3, abs=1e-3)
    assert any(name == "consensus_reached" for name, *_ in host.events.emitted)


def test_the_same_proposal_of_all_needs_no_vote() -> None:
    made, _, agents = orchestra(a=saying("Yes"), b=saying("yes "), c=saying("YES"))
    assert run(made, "?", "consensus", voting_mechanism="unanimous")["metadata"]["share"] == 1
    assert len(agents.asked) == 3


def test_orc_013_conflicts() -> None:
    def people() -> dict[str, Answerer]:
        return {
            "a": voting("red", {"vote": 1, "confidence": 0.2, "reason": "old"}),
            "b": voting("blue", {"vote": 2, "confidence": 0.9, "reason": "measured"}),
        }

    made, _, _ = orchestra(**people())
    result = run(made, "?", "consensus", consensus_threshold=0.9)
    assert (result["output"], result["metadata"]["decided_by"]) == ("blue", "weighted")
    judge = voting("green", {"vote": 1})
    made, _, agents = orchestra(**people(), judge=judge)
    result = run(made, "?", "consensus", consensus_threshold=0.9,
                 conflict_resolution="evidence_based", resolver="judge")  # fmt: skip
    assert (result["output"], result["metadata"]["decided_by"]) == ("red", "evidence_based")
    assert "measured" in agents.asked[-1][1]
    made, _, _ = orchestra(**people())
    with pytest.raises(OperationFailed) as raised:
        run(made, "?", "consensus", consensus_threshold=0.9, conflict_resolution="fail")
    assert raised.value.code == 3010


def test_who_fails_abstains() -> None:
    made, _, _ = orchestra(
        a=voting("red", {"vote": 1}), b=failing(BROKEN), c=voting("blue", {"vote": 1})
    )
    result = run(made, "?", "consensus")
    assert (result["output"], len(result["metadata"]["votes"])) == ("red", 2)
    made, _, _ = orchestra(a=failing(BROKEN), b=failing(BROKEN))
    with pytest.raises(OperationFailed, match="no agent made a proposal"):
        run(made, "?", "consensus")


# -- hierarchical --------------------------------------------------------------------------------


def boss(plan: Any) -> Answerer:
    def answer(asked: str, context: dict[str, Any]) -> Any:
        return "final: " + asked[-60:] if "Synthesize" in asked else plan

    return answer


def test_trt_029_a_supervisor_plans_and_puts_it_together() -> None:
    plan = {"delegations": [
        {"worker_id": "ann", "task": "dig", "context": {"deep": True}},
        {"worker_id": "nobody", "task": "x"}, "rubbish",
        {"worker_id": "bob", "task": "carry"},
    ]}  # fmt: skip
    made, host, agents = orchestra(boss=boss(plan), ann=saying("hole"), bob=saying("heap"))
    result = run(made, "a pond", "hierarchical", supervisor="boss")
    assert result["metadata"] == {
        "coordination_type": "hierarchical", "workers_used": ["ann", "bob"],
        "delegation_count": 2, "plan_source": "supervisor",
    }  # fmt: skip
    assert "hole" in agents.asked[-1][1] and "heap" in agents.asked[-1][1]
    assert result["content"].startswith("final: ")
    names = [name for name, *_ in host.events.emitted]
    assert names.count("delegation_completed") == 2
    assert names.index("coordination_started") < names.index("delegation_completed")
    assert "Available workers: ann, bob" in agents.asked[0][1]


def test_a_plan_in_a_code_fence_and_one_that_never_comes() -> None:
    text = 'Here:\n```json\n{"delegations": [{"worker_id": "ann", "task": "dig"}]}\n```'
    made, _, _ = orchestra(boss=boss(text), ann=saying("hole"), bob=saying("heap"))
    assert run(made, "t", "hierarchical")["metadata"]["workers_used"] == ["ann"]
    made, _, agents = orchestra(boss=boss("I can't"), ann=saying("hole"), bob=saying("heap"))
    result = run(made, "t", "hierarchical", supervisor="boss")
    assert result["metadata"]["plan_source"] == "default"
    assert sum(name == "boss" for name, *_ in agents.asked) == 3


def test_the_work_of_a_worker_that_fails_goes_to_another() -> None:
    plan = {"delegations": [{"worker_id": "ann", "task": "dig"}]}
    made, _, _ = orchestra(boss=boss(plan), ann=failing(BROKEN), bob=saying("heap"))
    result = run(made, "t", "hierarchical", supervisor="boss")
    assert result["step_results"][0]["agent_id"] == "bob"
    assert result["step_results"][0]["metadata"] == {"reassigned_from": "ann"}


def test_a_hierarchy_needs_a_worker() -> None:
    made, _, _ = orchestra(a=saying("x"))
    with pytest.raises(InvalidInput):
        run(made, "t", "hierarchical")


# -- dynamic -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "names", "options", "expected"),
    [
        ("anything", ["a"], {}, "sequential"),
        ("decide on a name", ["a", "b"], {}, "consensus"),
        ("compare both", ["a", "b"], {}, "parallel"),
        ("write a page", ["a", "b"], {}, "sequential"),
        ("decide on a name", ["a", "b"], {"supervisor": "a"}, "hierarchical"),
        ("write a page", ["a", "coordinator"], {}, "hierarchical"),
    ],
)
def test_orc_008_the_rule_of_dynamic(
    task: str, names: list[str], options: dict[str, Any], expected: str
) -> None:
    people = [Participant(name, name) for name in names]
    assert choose(task, people, [], options) == expected


def test_dynamic_says_what_it_chose() -> None:
    made, _, _ = orchestra(a=saying("x"), b=saying("x"))
    result = run(made, "vote on it", "dynamic")
    assert (result["execution_strategy"], result["chosen_strategy"]) == ("dynamic", "consensus")
    steps = [{"id": "1", "agent": "a", "action": "x"},
             {"id": "2", "agent": "b", "action": "y", "depends_on": ["1"]}]  # fmt: skip
    assert run(made, {"steps": steps}, "dynamic")["chosen_strategy"] == "parallel"


# -- delegation, negotiation, votes --------------------------------------------------------------


def test_orc_012_delegation_and_negotiation() -> None:
    bids = iter([0.4, 0.9])
    made, _, agents = orchestra(
        ann=lambda asked, context: (
            {"can_do": True, "confidence": next(bids), "cost": 3} if "Can you" in asked else "did"
        ),
        bob=saying('{"can_do": true, "confidence": 0.5, "cost": 1}'),
        cid=saying("no idea"),
    )
    session = made.start(["ann", "bob", "cid"], "sequential", {}, {})
    found = asyncio.run(made.negotiate(session, "dig", {"rounds": 5}))
    assert (found["agreed"], found["agent_id"], found["rounds"]) == (True, "ann", 2)
    assert "The offers so far" in agents.asked[-1][1]
    done = asyncio.run(made.delegate(session, found["agent_id"], "dig", "bob"))
    assert (done["result"], done["delegated_by"]) == ("did", "bob")
    assert session.history[-1] == {"from": "ann", "to": "bob", "content": "did", "kind": "answer"}
    made, _, _ = orchestra(a=saying("no"))
    session = made.start(["a"], "sequential", {}, {})
    assert asyncio.run(made.negotiate(session, "x", {"rounds": 1}))["agreed"] is False
    with pytest.raises(InvalidInput):
        asyncio.run(made.negotiate(session, "x", {"rounds": 11}))


def test_a_vote_on_texts_with_weights() -> None:
    made, _, _ = orchestra(a=saying('{"vote": 1}'), b=saying('{"vote": 2}'))
    session = made.start(["a", {"agent": "b", "weight": 3}], "consensus", {}, {})
    found = asyncio.run(made.vote(session, "which?", ["x", "y"], {"voting_mechanism": "weighted"}))
    assert (found["winner"], found["option"], found["reached"]) == (2, "y", True)


# -- sessions ------------------------------------------------------------------------------------


def test_orc_003_states_follow_each_other() -> None:
    session = Collaboration("c", "sequential", (Participant("a", "a"),), {}, {})
    assert session.state == "Initializing"
    for state in ("Active", "Synchronizing", "Active", "Completing", "Completed", "Active"):
        session.move(state)
    with pytest.raises(OperationFailed) as raised:
        session.move("Completed")
    assert raised.value.code == 3008


def test_what_is_refused() -> None:
    made, _, _ = orchestra(a=saying("x"), b=saying("x"))
    for agents, strategy, code in (
        (["nobody"], "sequential", 1001),
        (["a"], "magic", 3002),
        (["a", "a"], "sequential", 3002),
        ([5], "sequential", 2002),
        ([{"agent": "a", "weight": -1}], "sequential", 2002),
    ):
        with pytest.raises(InvalidInput) as raised:
            made.start(agents, strategy, {}, {})
        assert raised.value.code == code
    circle = [{"id": "1", "agent": "a", "action": "x", "depends_on": ["2"]},
              {"id": "2", "agent": "a", "action": "x", "depends_on": "1"}]  # fmt: skip
    for workflow, code in (
        ({"steps": circle}, 3006),
        ({"steps": [{"agent": "zoe", "action": "x"}]}, 1001),
        ({"steps": [{"id": "1", "action": "x", "depends_on": ["9"]}]}, 3002),
        ({"steps": [{"id": "1", "action": "x"}, {"id": "1", "action": "x"}]}, 3002),
        ({}, 3002),
        ({"steps": [5]}, 3002),
        ({"steps": [{"action": "x"}] * 101}, 3002),
    ):
        with pytest.raises(InvalidInput) as raised:
            run(made, workflow)
        assert raised.value.code == code, workflow
    with pytest.raises(InvalidInput):
        made.session("collaboration-99")


def test_sessions_and_questions_are_bounded() -> None:
    made, host, _ = orchestra(a=saying("x"))
    sessions = [made.start(["a"], "sequential", {}, {}) for _ in range(SESSIONS_MAX)]
    with pytest.raises(LimitExceeded):
        made.start(["a"], "sequential", {}, {})
    asyncio.run(made.execute(sessions[3], "t"))
    made.start(["a"], "sequential", {}, {})
    host.budget = Budget(Limits(calls=3))
    with pytest.raises(LimitExceeded):
        for _ in range(9):
            asyncio.run(made.execute(sessions[5], "t"))


def test_a_shared_context_is_bounded_and_names_are_filled_once() -> None:
    made, _, agents = orchestra(a=saying("x"))
    with pytest.raises(LimitExceeded):
        made.start(["a"], "sequential", {"x": "y" * 1_100_000}, {})
    run(made, {"steps": [{"action": "see {{a}} {{missing}} {{b.c}}"}]},
        context={"a": "{{b.c}}", "b": {"c": 5}})  # fmt: skip
    assert agents.asked[-1][1] == "see {{b.c}} {{missing}} 5"
