"""What the services behind the script API may do, and what they offer each other.

The session fills these in (`supervisor/desk.py`). The engines in `spells/` know nothing else of a
run: every act of theirs is a brokered call with all of the broker's steps, every function of the
spell's is invoked over the channel, never run here.
"""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from typing import Any, Final

    from llmspell.channel.jsontext import Callback, Place
    from llmspell.errors import LlmspellError
    from llmspell.policies.budget import Budget
    from llmspell.policies.policy import Policy

DEPTH_MAX: Final = 16
"""Nesting of agents, tools, workflows and hooks that call each other; one more is refused."""


class HookOutcome(NamedTuple):
    """What the hooks of a point decided. `context` is as they left it.

    `action`: "continue"; "skip" (the act is left out, `value` is its result); "cancel" (the act is
    refused with `reason`); "redirect" (`context` names another target, judged from the start);
    "retry" (the act is done again, after points only). `error` is the typed error of a "cancel"
    that has one of its own (6006 of a rate limiter).
    """

    action: str = "continue"
    context: Mapping[str, Any] | None = None
    value: Any = None
    reason: str = ""
    modified: bool = False
    error: LlmspellError | None = None


class Hooks(Protocol):
    """The hook points of a run (HOOK-001 … 019)."""

    def any(self, *points: str) -> bool:
        """Whether anything is registered at one of them: callers skip the matter if not."""

    async def run(self, point: str, context: Mapping[str, Any]) -> HookOutcome:
        """Runs the hooks of a point, highest priority first. `context` is plain data.

        Raises what a hook's failure policy says (5002, 5003), never anything else.
        """

    def prepare(self, hooks: Any, function: str) -> Any:
        """An agent's or a workflow's own hooks (one function, hook or a list), checked once.

        What comes back is for `run_inline`. Raises `InvalidInput`; `function` is named in it.
        """

    async def run_inline(
        self, point: str, context: Mapping[str, Any], prepared: Any
    ) -> HookOutcome:
        """Runs prepared hooks as `run` does the registered ones of a point."""


class Events(Protocol):
    """The event bus of a run (EVT-001 … 025)."""

    def emit(self, name: str, data: Mapping[str, Any], source: str) -> None:
        """Publishes an event of the services themselves. Bounded, never raises, never waits.

        Names: `spells.events.names`. Data is masked, copied and bounded (64 KiB).
        """

    async def ask(self, name: str, data: Mapping[str, Any], source: str) -> dict[str, Any]:
        """Publishes an event and waits for its handlers' word (API-080).

        `{action, data, delivered, failed, stopped}`: `action` is "continue", "stop", "retry" (do
        again what the event tells of) or "retry_with_modified_context" (with `data`). How often
        that is heeded is the caller's to bound. Raises `OperationFailed` 5005.
        """


class Models(Protocol):
    """Models by provider (LLM-001 … 024)."""

    async def complete(
        self,
        request: Mapping[str, Any],
        *,
        origin: str,
        on_chunk: Callable[[str], Awaitable[None]] | None = None,
    ) -> dict[str, Any]:
        """One completion: verdict, reservation, provider, settlement, record.

        Request: `provider?`, `model?`, `messages` [{role, content, tool_calls?, tool_call_id?,
        name?}], `tools?` [{name, description, parameters}], `schema?` (JSON Schema of a structured
        answer), `temperature?`, `max_tokens?`, `stop?`, `timeout?` (seconds), `fallback?`
        [provider or provider/model]. Reply: `content`, `tool_calls` [{id, name, arguments}],
        `structured?`, `usage` {input_tokens, output_tokens, total_tokens}, `cost` (US dollars),
        `provider`, `model`, `finish_reason`.
        """

    async def embed(self, request: Mapping[str, Any], *, origin: str) -> dict[str, Any]:
        """`{model?, provider?, texts}` → `{vectors, usage, cost, provider, model}`."""

    def names(self) -> Sequence[str]:
        """Every provider this run may name, sorted."""

    def settings(self, provider: str) -> dict[str, Any]:
        """A provider's settings in this run, without key, header or anything else secret.

        Raises `Missing` (6001) for a provider that is not there.
        """

    def narrow(self, provider: str, options: Mapping[str, Any]) -> Callable[[], None]:
        """Checks a narrower provider; calling what it gives makes it so for the rest of the run.

        `model` and `temperature` are the spell's to choose, `max_tokens`, `timeout` and `retries`
        go only down, a `base_url` (whose host was judged before) is used without the user's key.
        Raises `InvalidInput` for an unknown option, `policies.narrowed.Looser` for a looser one.
        """


class Tools(Protocol):
    """Built-in tools and the spell's own (TOOL-067 …, API-060 … 069)."""

    def describe(self, name: str) -> dict[str, Any]:
        """`{name, description, parameters (JSON Schema), …}`. Raises `Missing` 2001."""

    def names(self) -> Sequence[str]:
        """Every tool this run may see, sorted."""

    async def execute(self, name: str, given: Mapping[str, Any], *, origin: str) -> Any:
        """The same as a brokered `tools.execute` of this origin: hooks, verdict, act, record."""


class Agents(Protocol):
    """The agents of a run."""

    def find(self, name_or_id: str) -> str | None:
        """The id of an agent by id or name."""

    async def execute(
        self, name_or_id: str, given: Mapping[str, Any], *, origin: str
    ) -> dict[str, Any]:
        """Runs an agent: `{success, content, output, data, error?, metadata, tool_calls, …}`."""


class Workflows(Protocol):
    """The workflows of a run."""

    def find(self, name_or_id: str) -> str | None:
        """The id of a workflow by id or name."""

    async def execute(
        self, name_or_id: str, given: Mapping[str, Any], *, origin: str
    ) -> dict[str, Any]:
        """Runs a workflow to its result."""


class State(Protocol):
    """Kept values of the run's scopes (STO-001 …): `run`, `spell`, `tenant`, `global`.

    `spell` is a database of the spell's own in all its runs (of this one only, with a log line,
    where the spell has no file). Each is a brokered `storage.*` call of origin `state`.
    """

    async def get(self, scope: str, key: str) -> Any:
        """A value, or None."""

    async def set(self, scope: str, key: str, value: Any) -> None:
        """Keeps a value. Raises `LimitExceeded`, `Denied` for a scope that was not granted."""

    async def delete(self, scope: str, key: str) -> bool:
        """Forgets a value; whether there was one."""

    async def list(self, scope: str, prefix: str) -> Sequence[str]:
        """Keys that begin so, sorted."""

    async def store(self, scope: str) -> Any:
        """The store of a scope itself (`supervisor.services.state.Kept`), for services' own data.

        Unjudged: the caller has judged. No spell can name the scope `events`.
        """


class Host(Protocol):
    """What one run gives its services. Everything here belongs to that one session."""

    session: str
    engine: str
    """The spell's language: `lua`, `javascript` or `python`."""
    spell_name: str
    spell_path: str | None
    tenant: str | None
    policy: Policy
    budget: Budget

    hooks: Hooks
    events: Events
    models: Models
    tools: Tools
    agents: Agents
    workflows: Workflows
    state: State

    def now(self) -> float:
        """Monotonic seconds."""

    async def call(self, method: str, args: Mapping[str, Any], *, origin: str) -> Any:
        """A brokered call: counted, checked, judged, recorded like one of the spell's own.

        Raises the typed error that the spell would get.
        """

    async def invoke(
        self,
        function: Callback,
        args: Sequence[Any],
        *,
        seconds: float | None = None,
        functions: Sequence[Place] = (),
    ) -> Any:
        """Calls a function of the spell's in its worker. Its value is hostile: check it.

        Raises the function's own error typed; `OperationFailed` of kind `timeout` after `seconds`
        (the call is taken back). Arguments are plain data; dicts with `handle` and `id` arrive as
        the objects they name. `functions` are the spell's own: each arrives at its place in
        `args`, if that is in an object and still free.
        """

    def note(self, level: str, message: str, fields: Mapping[str, Any] | None = None) -> None:
        """A log record, shown like the spell's own."""

    def record(self, event: str, fields: Mapping[str, Any]) -> None:
        """An audit record. Raises when it can't be kept."""

    def mask(self, value: Any) -> Any:
        """The value without any secret this process knows."""
