"""The hooks around one request: the registered ones, then the agent's own (API-035, HOOK-001)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from llmspell.errors import LimitExceeded, LlmspellError
from llmspell.spells.agents import inputs, values

if TYPE_CHECKING:
    from llmspell.spells.agents.agent import Agent
    from llmspell.spells.agents.inputs import Asked
    from llmspell.spells.ports import HookOutcome, Host

NO_RESULTS: Final = {"hooks": 0, "action": "continue", "modified": False}
HOOK_SECONDS: Final = 5.0
"""Time of one function of `on_error`; the other points' times are the hook engine's."""


class RequestHooks:
    """Runs them for one agent; `count` says how many points had any."""

    def __init__(self, host: Host, agent: Agent) -> None:
        self._host = host
        self._agent = agent
        self._began = host.now()
        self.count = 0
        self.results = dict(NO_RESULTS)
        """What the hooks of the last point decided: `{hooks, action, modified}` (EVT-004, 005)."""

    def elapsed(self) -> int:
        """Milliseconds since the request began."""
        return round((self._host.now() - self._began) * 1000)

    def context(self, asked: Asked, **more: Any) -> dict[str, Any]:
        """What hooks are given of a request."""
        agent = self._agent
        return {
            "agent": {**agent.to_wire(), "tools": agent.toolbox.names()},
            "agent_id": agent.id,
            "agent_name": agent.name,
            "input": values.without_functions(asked.input),
            "message": asked.message,
            "context": asked.context,
            "metadata": asked.metadata,
            **more,
        }

    def _listens(self, point: str, inline: str) -> bool:
        return self._host.hooks.any(point) or inline in self._agent.hooks

    async def _at(self, point: str, inline: str, context: dict[str, Any]) -> HookOutcome | None:
        """The outcome of a point's hooks; None: none. `results` tells of it, too."""
        before = self.count
        outcome = await self._decided(point, inline, context)
        if outcome is not None:
            self.results = {
                "hooks": self.count - before,
                "action": outcome.action,
                "modified": outcome.modified,
            }
        return outcome

    async def _decided(
        self, point: str, inline: str, context: dict[str, Any]
    ) -> HookOutcome | None:
        """A point's hooks, the agent's own after the registered."""
        hooks, own = self._host.hooks, self._agent.hooks.get(inline)
        outcome: HookOutcome | None = None
        if hooks.any(point):
            self.count += 1
            outcome = await hooks.run(point, context)
            if outcome.action != "continue":
                return outcome
        if own:
            self.count += 1
            start = context if outcome is None else (outcome.context or context)
            inner = await hooks.run_inline(inline, start, own)
            modified = inner.modified or (outcome is not None and outcome.modified)
            outcome = inner._replace(modified=modified)
        return outcome

    async def before(self, asked: Asked) -> tuple[HookOutcome | None, Asked]:
        """The hooks before: an outcome that ends the matter, or the request to work on."""
        if not self._listens("before_agent_execution", "before_execution"):
            return None, asked
        context = self.context(asked)
        outcome = await self._at("before_agent_execution", "before_execution", context)
        if outcome is None:
            return None, asked
        if outcome.action == "cancel":
            raise _cancelled(outcome, self._agent.name)
        if outcome.modified and outcome.context is not None:
            asked = inputs.changed(asked, {**context, **outcome.context})
        if outcome.action in ("skip", "redirect"):
            return outcome, asked
        return None, asked

    async def after(self, asked: Asked, output: dict[str, Any]) -> tuple[bool, dict[str, Any]]:
        """The hooks after: whether to do it again, and the output as they left it."""
        self.results = dict(NO_RESULTS)
        if not self._listens("after_agent_execution", "after_execution"):
            return False, output
        shown = {**output, "result": output["content"]}
        context = self.context(asked, output=shown, success=True, timing=self._timing())
        outcome = await self._at("after_agent_execution", "after_execution", context)
        if outcome is None:
            return False, output
        if outcome.action == "retry":
            return True, output
        if outcome.action == "cancel":
            raise _cancelled(outcome, self._agent.name)
        if outcome.action == "skip":
            return False, {**output, **inputs.replacement(outcome.value)}
        changed = (outcome.context or {}).get("output")
        if not outcome.modified or changed == shown or changed is None:
            return False, output
        if isinstance(changed, dict):
            text = changed.get("content")
            if text == output["content"] and changed.get("output") != output["output"]:
                text = changed.get("output")
            fresh = {
                key: value
                for key, value in changed.items()
                if key not in ("metadata", "tool_calls", "success", "result")
            }
            values.plain(fresh, "a hook's output", inputs.MESSAGE_MAX)
            text = text if isinstance(text, str) else values.as_json(text)
            return False, {**output, **fresh, "content": text, "output": text}
        return False, {**output, **inputs.replacement(changed)}

    def failure(self, asked: Asked, told: dict[str, Any]) -> dict[str, Any]:
        """What hooks are given of a request that failed."""
        return self.context(asked, error=told, success=False, timing=self._timing())

    async def after_failure(self, context: dict[str, Any]) -> None:
        """The hooks after a request also see one that failed; they can't mend it here."""
        self.results = dict(NO_RESULTS)
        await self._at("after_agent_execution", "after_execution", {**context, "output": None})

    async def on_error(self, context: dict[str, Any]) -> dict[str, Any] | None:
        """The output that a hook put in the place of the error, if one did."""
        host = self._host
        if host.hooks.any("agent_error"):
            self.count += 1
            outcome = await host.hooks.run("agent_error", context)
            if outcome.action == "skip":
                return inputs.replacement(outcome.value)
        for function in self._agent.error_handlers:
            self.count += 1
            try:
                answer = await host.invoke(
                    function, [{**context, "hook_point": "on_error"}], seconds=HOOK_SECONDS
                )
            except LimitExceeded:
                raise
            except LlmspellError as error:
                host.note("warn", f"the agent's hook on_error failed: {error.message}")
                continue
            if answer is None or answer is True or answer is False:
                continue
            if isinstance(answer, dict) and answer.get("action") == "skip":
                answer = answer.get("value", answer.get("result"))
            return inputs.replacement(answer)
        return None

    def _timing(self) -> dict[str, Any]:
        elapsed = self._host.now() - self._began
        return {"duration": round(elapsed, 6), "duration_ms": round(elapsed * 1000)}


def _cancelled(outcome: HookOutcome, name: str) -> LlmspellError:
    from llmspell.spells.hooks.outcomes import cancelled

    return cancelled(outcome, f"the request to {name}")
