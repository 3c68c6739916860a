"""Several agents at one task (ORC-001 … ORC-016)."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.model import Class, Function, Module, Param

if TYPE_CHECKING:
    from typing import Final

_AGENTS: Final = Param(
    "agents",
    ("array",),
    "agents or their names, or {agent, weight, about}",
    required=True,
    minimum=1,
    maximum=50,
)
_STRATEGY: Final = Param(
    "strategy",
    ("string",),
    "sequential, parallel, consensus, hierarchical or dynamic",
    default="dynamic",
    maximum=64,
)
_CONTEXT: Final = Param("context", ("object",), "what all agents are told", default={})
_OPTIONS: Final = Param(
    "options",
    ("object",),
    "concurrency_limit, timeout, on_failure, adaptive, supervisor, consensus_threshold, "
    "voting_mechanism, conflict_resolution, resolver",
    default={},
)
_WORKFLOW: Final = Param(
    "workflow",
    ("object", "string"),
    "a task, or {task, steps = {{step_id, agent_id, action, input, expected_output, depends_on, "
    "timeout, max_retries, fallback}}}",
    required=True,
)
_TASK: Final = Param("task", ("string",), "what is to be done", required=True, minimum=1)
_RESULT: Final = (
    "{session_id, execution_strategy, success, output, step_results, final_context, "
    "execution_metrics, metadata}"
)

COLLABORATION: Final = Class(
    "collaboration",
    "Agents that work together. It is Initializing, Active, Synchronizing, Completing, Completed "
    "or Failed.",
    (
        Function(
            "execute",
            "Runs a task, or a workflow of steps, by the session's strategy.",
            (_WORKFLOW,),
            _RESULT,
            wire="orchestrator.execute",
            positional=1,
            aliases=("execute_collaborative_workflow", "run"),
            unjudged=True,
        ),
        Function(
            "get_status",
            "State, participants, shared context.",
            (),
            "{session_id, strategy, state, error, participants, shared_context, messages}",
            wire="orchestrator.status",
            aliases=("status",),
            unjudged=True,
        ),
        Function(
            "get_messages",
            "Questions and answers, oldest first.",
            (Param("limit", ("integer",), "the last so many", default=100, minimum=1,
                   maximum=1000),),
            "array of {from, to, content, kind}",
            wire="orchestrator.messages",
            positional=1,
            unjudged=True,
        ),
        Function(
            "share",
            "Adds to what all agents are told.",
            (_CONTEXT._replace(required=True, default=None),),
            wire="orchestrator.share",
            positional=1,
            unjudged=True,
        ),
        Function(
            "delegate",
            "One task for one of the agents.",
            (
                Param("agent", ("any",), "an agent of the session", required=True),
                _TASK,
                Param("sender", ("any",), "the agent in whose name"),
            ),
            "{success, agent_id, delegated_by, task, content, result}",
            wire="orchestrator.delegate",
            positional=3,
            aliases=("delegate_to", "delegate_task"),
            unjudged=True,
        ),
        Function(
            "negotiate",
            "The agents bid for a task, in at most `rounds` rounds (3; 10 at most).",
            (_TASK, Param("options", ("object",), "rounds, accepted", default={})),
            "{agreed, agent_id, bid, bids, rounds}",
            wire="orchestrator.negotiate",
            positional=2,
            aliases=("negotiate_task",),
            unjudged=True,
        ),
        Function(
            "vote",
            "The agents vote on texts: majority, weighted, unanimous or ranked.",
            (
                Param("question", ("string",), "what is decided", required=True),
                Param("choices", ("array",), "the texts", required=True, minimum=1, maximum=50),
                Param("options", ("object",), "voting_mechanism, threshold", default={}),
            ),
            "{winner, option, share, reached, counts, rounds, votes}",
            wire="orchestrator.vote",
            positional=3,
            unjudged=True,
        ),
        Function(
            "adapt",
            "What conditions change in a workflow: NoChangeNeeded, MinorAdjustments, "
            "MajorRestructure or CompleteRegeneration, by severity.",
            (
                _WORKFLOW,
                Param(
                    "conditions",
                    ("object",),
                    "severity, performance_impact, reliability_impact, affected_steps, "
                    "failed_steps, unavailable_agents, new_requirements, new_goal",
                    required=True,
                ),
            ),
            "{type, severity, workflow, …}",
            wire="orchestrator.adapt",
            positional=2,
            aliases=("adapt_workflow", "adapt_running_workflow"),
            unjudged=True,
        ),
        Function(
            "handle_agent_failure",
            "What the strategy does about an agent's failure: RetryWithTimeout, "
            "RetryWithIncreasedResources, SkipAgent or AbortWorkflow.",
            (
                Param("agent", ("any",), "an agent of the session", required=True),
                Param("error", ("any",), "its error", required=True),
            ),
            "{action, agent_id, …}",
            wire="orchestrator.handle_failure",
            positional=2,
            unjudged=True,
        ),
    ),
    (
        Param("session_id", ("string",), "the session"),
        Param("strategy", ("string",), "its strategy"),
        Param("participants", ("array",), "names of its agents"),
    ),
)  # fmt: skip

MODULE: Final = Module(
    "orchestrator",
    ("Orchestrator", "Collaboration", "orchestrator"),
    "Several agents at one task: in order, at once, by consensus, under a supervisor, or as the "
    "task asks.",
    (
        Function(
            "start_collaboration",
            "Agents that work together by a strategy.",
            (_AGENTS, _STRATEGY, _CONTEXT, _OPTIONS),
            "collaboration",
            wire="orchestrator.start",
            positional=4,
            after="handle",
            spread="options",
            aliases=("create", "new_session"),
            unjudged=True,
        ),
        Function(
            "get_collaboration",
            "A session by its id.",
            (Param("session", ("string",), "its id", required=True, maximum=128),),
            "collaboration",
            wire="orchestrator.get",
            positional=1,
            after="handle",
            unjudged=True,
        ),
        Function(
            "run",
            "A session for one task or workflow.",
            (_AGENTS, _WORKFLOW, _STRATEGY, _CONTEXT, _OPTIONS),
            _RESULT,
            wire="orchestrator.run",
            positional=3,
            spread="options",
            aliases=("collaborate",),
            unjudged=True,
        ),
        Function(
            "execute_collaborative_workflow",
            "Runs a task or a workflow of steps in a session.",
            (
                Param(
                    "session",
                    ("object", "string"),
                    "the session, or its id",
                    required=True,
                    minimum=1,
                    maximum=128,
                ),
                _WORKFLOW,
            ),
            _RESULT,
            wire="orchestrator.execute_in",
            positional=2,
            unjudged=True,
        ),
        Function(
            "register_agent",
            "Another name for an agent in collaborations.",
            (
                Param("name", ("string",), "the name", required=True, minimum=1, maximum=128),
                Param("agent", ("any",), "an agent or its name", required=True),
            ),
            wire="orchestrator.register_agent",
            positional=2,
            unjudged=True,
        ),
        Function(
            "generate_workflow",
            "A workflow for {task, steps, capabilities, parallel}: each step by the agent that "
            "fits it best.",
            (Param("requirements", ("object",), "what is needed", required=True), _AGENTS),
            "{task, strategy, steps}",
            wire="orchestrator.generate",
            positional=2,
            aliases=("generate_adaptive_workflow",),
            unjudged=True,
        ),
    ),
    classes=(COLLABORATION,),
    construct="start_collaboration",
)
