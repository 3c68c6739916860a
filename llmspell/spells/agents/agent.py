"""One agent of a run: its settings, what it keeps, what it used. Acts by `execution.Runner`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from llmspell.errors import LimitExceeded, LlmspellError, OperationFailed
from llmspell.policies.breaker import BreakerState, CircuitBreaker
from llmspell.policies.rate import RateLimiter
from llmspell.spells.agents import values
from llmspell.spells.agents.learning import Lessons
from llmspell.spells.agents.memory import Conversation, Facts
from llmspell.spells.agents.recovery import kind_of
from llmspell.spells.agents.toolbox import Toolbox

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmspell.channel.jsontext import Callback
    from llmspell.spells.agents.handoff import Specialist
    from llmspell.spells.agents.settings import Settings

ACTIVE_MAX: Final = 16
"""Requests under way at one agent: what calls itself through the spell's own code ends here."""

STATE_CHARACTERS_MAX: Final = 262_144
CACHED_ANSWERS_MAX: Final = 32
CACHED_CHARACTERS_MAX: Final = 65_536
"""Answers kept for `use_cached_results`, and the characters of one."""


class Agent:
    """State of one agent. `key` tells it from the agents of other runs in this process."""

    def __init__(self, identity: str, session: str, settings: Settings, now: float) -> None:
        self.id = identity
        self.key = f"{session}:{identity}"
        self.settings = settings
        self.template: str | None = None
        self.toolbox = Toolbox()
        self.missing_tools: list[str] = []
        self.own_tools: list[str] = []
        self.specialists: list[Specialist] = []
        self.hooks: dict[str, Any] = {}
        self.given_hooks: dict[str, list[Any]] = {}
        self.error_handlers: list[Callback] = []
        self.memory = Conversation(settings.memory)
        self.facts = Facts()
        self.lessons = Lessons(settings.learning)
        self.state: dict[str, Any] = dict(settings.state)
        self.iteration_count = 0
        self.requests = 0
        self.usage = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
        self.cost = 0.0
        self.active = 0
        self.is_shut_down = False
        self.last_error: LlmspellError | None = None
        self._answers: dict[str, dict[str, Any]] = {}
        self._breaker: CircuitBreaker | None = None
        self._limiter: RateLimiter | None = None
        self.limit(now)

    @property
    def name(self) -> str:
        """The agent's name; several may have the same."""
        return self.settings.name

    @property
    def origin(self) -> str:
        """Who acts, in records."""
        return f"agent:{self.settings.name}"

    def limit(self, now: float) -> None:
        """Makes breaker and rate limit of the settings."""
        limits, numbers = self.settings.limits, self.settings.strategy.breaker
        self._breaker = (
            None
            if numbers is None
            else CircuitBreaker(
                numbers.failure_threshold, numbers.timeout, numbers.recovery_timeout
            )
        )
        self._limiter = (
            None
            if limits.requests_per_minute is None
            else RateLimiter.per_minute(limits.requests_per_minute, limits.burst, now)
        )

    def enter(self, now: float) -> None:
        """Counts a request that begins. Raises when the agent may take none now."""
        if self.is_shut_down:
            raise OperationFailed(f"the agent {self.name} was shut down", code=1003, kind="state")
        if self.active >= ACTIVE_MAX:
            raise LimitExceeded(
                "agent_requests", f"over {ACTIVE_MAX} requests are under way at {self.name}"
            )
        if self._breaker is not None and not self._breaker.allow(now):
            raise OperationFailed(
                f"the circuit breaker of {self.name} is open: it failed too often",
                code=1003,
                kind="circuit_open",
                hint="it tries again after its reset_timeout",
                recoverable=True,
            )
        if self._limiter is not None and not self._limiter.take(now):
            wait = self._limiter.wait(now)
            raise LlmspellError(
                f"the agent {self.name} gets too many requests",
                code=6006,
                kind="rate_limit",
                rule="agent.rate_limit",
                hint=f"wait {wait:.1f} s, or raise rate_limit.requests_per_minute",
                recoverable=True,
            )
        self.active += 1
        self.requests += 1

    def leave(self, now: float, error: LlmspellError | None, ended: bool) -> None:
        """Counts a request that is over; one that was taken back (not `ended`) says nothing."""
        self.active -= 1
        if not ended:
            return
        self.last_error = error
        if self._breaker is None:
            return
        if error is None:
            self._breaker.succeeded(now)
        elif kind_of(error) != "final":
            self._breaker.failed(now)

    def check_budget(self) -> None:
        """Refuses a further model call over the agent's own budget: raises 6007."""
        limits = self.settings.limits
        over = None
        if limits.max_total_tokens is not None and (
            self.usage["total_tokens"] >= limits.max_total_tokens
        ):
            over = f"max_total_tokens ({limits.max_total_tokens})"
        elif limits.max_cost is not None and self.cost >= limits.max_cost:
            over = f"max_cost ({limits.max_cost:g})"
        if over is not None:
            raise LlmspellError(
                f"the agent {self.name} reached its {over}",
                code=6007,
                kind="limit",
                rule="agent.budget",
            )

    def spend(self, reply: Mapping[str, Any]) -> dict[str, int]:
        """Adds what a model call used; gives its tokens."""
        used = reply.get("usage") or {}
        tokens = {key: int(used.get(key) or 0) for key in self.usage}
        if not tokens["total_tokens"]:
            tokens["total_tokens"] = tokens["input_tokens"] + tokens["output_tokens"]
        for key, amount in tokens.items():
            self.usage[key] += amount
        self.cost += float(reply.get("cost") or 0)
        return tokens

    def keep_answer(self, message: str, output: dict[str, Any]) -> None:
        """Remembers a good answer, for `use_cached_results`."""
        short = len(message) + len(output["content"]) <= CACHED_CHARACTERS_MAX
        if short and self.settings.strategy.use_cached_results:
            self._answers.pop(message, None)
            self._answers[message] = output
            if len(self._answers) > CACHED_ANSWERS_MAX:
                del self._answers[next(iter(self._answers))]

    def kept_answer(self, message: str) -> dict[str, Any] | None:
        """The last good answer to this message, else the last one at all."""
        if message in self._answers:
            return self._answers[message]
        return next(reversed(self._answers.values()), None)

    # -- state ---------------------------------------------------------------------------------

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Replaces the state. Raises `InvalidInput` for what is no data, or too much."""
        fresh = dict(state)
        count = fresh.pop("iteration_count", None)
        values.plain(fresh, "an agent's state", STATE_CHARACTERS_MAX)
        self.state = fresh
        if type(count) is int and count >= 0:
            self.iteration_count = count

    def update_state(self, changes: Mapping[str, Any]) -> None:
        """Lays changes over the state."""
        self.set_state({**self.state, **changes})

    def get_state(self) -> dict[str, Any]:
        """The state, with the number of model calls so far (STO-008)."""
        return {**self.state, "iteration_count": self.iteration_count}

    def snapshot(self) -> dict[str, Any]:
        """Everything that `restore` brings back."""
        return {
            "version": 1,
            "name": self.name,
            "state": dict(self.state),
            "iteration_count": self.iteration_count,
            "memory": self.memory.snapshot(),
            "facts": self.facts.snapshot(),
            "lessons": self.lessons.snapshot(),
        }

    def restore(self, snapshot: Any) -> None:
        """The agent as it was saved. Raises 1007 and changes nothing when that can't be read."""
        fresh, facts = Conversation(self.settings.memory), Facts()
        lessons = Lessons(self.settings.learning)
        try:
            if not isinstance(snapshot, dict) or snapshot.get("version") != 1:
                raise OperationFailed("the saved state has no version that is known")
            fresh.restore(snapshot.get("memory"))
            facts.restore(snapshot.get("facts"))
            lessons.restore(snapshot.get("lessons"))
            state = values.table(snapshot.get("state"), "state")
            values.plain(state, "an agent's state", STATE_CHARACTERS_MAX)
        except LlmspellError as error:
            raise OperationFailed(
                f"the saved state of {self.name} can't be read: {error.message}",
                code=1007,
                kind="corrupted",
            ) from None
        count = snapshot.get("iteration_count")
        self.memory, self.facts, self.lessons = fresh, facts, lessons
        self.state = dict(state)
        self.iteration_count = count if type(count) is int and count >= 0 else 0

    # -- as others see it ----------------------------------------------------------------------

    def to_wire(self) -> dict[str, Any]:
        """The handle that a spell gets (API-031)."""
        settings = self.settings
        return {
            "handle": "agent",
            "id": self.id,
            "name": settings.name,
            "description": settings.description,
            "provider": settings.provider,
            "model": settings.model,
            "type": settings.type,
            "capabilities": list(settings.capabilities),
        }

    def health(self, now: float) -> dict[str, Any]:
        """TRT-003: `healthy`, `degraded` (breaker open, tools missing) or `shut_down`."""
        breaker = "none" if self._breaker is None else self._breaker.state(now).value
        status = "healthy"
        if self.is_shut_down:
            status = "shut_down"
        elif breaker == BreakerState.OPEN.value or self.missing_tools or self.last_error:
            status = "degraded"
        found: dict[str, Any] = {
            "status": status,
            "healthy": status == "healthy",
            "agent_id": self.id,
            "circuit_breaker": breaker,
            "active_requests": self.active,
            "requests": self.requests,
            "missing_tools": list(self.missing_tools),
        }
        if self.last_error is not None:
            found["last_error"] = self.last_error.message
        return found
