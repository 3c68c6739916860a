"""Runs hooks: order, conditions, time bound, failure policy, modes (HOOK-021, 022, 025, 028).

A hook's function runs in the worker and sees a copy of the context without secrets; only what it
answers changes anything. Whoever asked judges a changed act again from the start.
"""

from __future__ import annotations

from llmspell.channel.jsontext import Callback
from llmspell.config.hooks import HookSettings
from llmspell.errors import InvalidInput, LlmspellError, Missing, OperationFailed
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.options import handle_id
from llmspell.spells.hooks.definition import Hook, from_config, matches
from llmspell.spells.hooks.outcomes import read
from llmspell.spells.hooks.registry import PER_POINT_MAX, Registry
from llmspell.spells.plain import without_functions
from llmspell.spells.ports import HookOutcome

if TYPE_CHECKING:
    from asyncio import Task
    from collections.abc import Mapping, Sequence
    from typing import Any, Final

    from llmspell.spells.ports import Host
    from llmspell.spells.tools.cache import Shelf

USUAL: Final = HookSettings()
NOTES_MAX: Final = 3
"""Failures of one hook that are logged; its figures count all of them."""

BACKGROUND_MAX: Final = 16
"""Runs of asynchronous hooks under way; further ones are left out and counted as filtered."""

ROLLBACK: Final = HookOutcome("rollback")


class HookEngine:
    """The hook points of one run."""

    def __init__(self, host: Host, settings: HookSettings = USUAL) -> None:
        self.host = host
        self.settings = settings
        self.registry = Registry(settings.per_point)
        self.executions = self.failures = self.timeouts = 0
        self.spent = 0.0
        self._background: set[Task[None]] = set()
        self._shelf: Shelf | None = None

    @property
    def shelf(self) -> Shelf:
        """The room that all hooks which cache share: a run may make 256 of them."""
        if self._shelf is None:
            from llmspell.spells.tools.cache import Shelf

            self._shelf = Shelf()
        return self._shelf

    def close(self) -> None:
        """Asynchronous hooks that are still at work are let go."""
        for task in self._background:
            task.cancel()
        self._background.clear()

    # -- the port ------------------------------------------------------------------------------

    def any(self, *points: str) -> bool:
        """Whether one of the points has a hook that is to run."""
        return self.settings.enabled and self.registry.any(points)

    async def run(self, point: str, context: Mapping[str, Any]) -> HookOutcome:
        """Runs the hooks of a point; see `ports.Hooks.run`."""
        hooks = self.registry.at(point)
        if not hooks or not self.settings.enabled:
            return HookOutcome(context=context)
        return await self._run(point, context, hooks)

    def prepare(self, hooks: Any, function: str) -> tuple[Hook, ...]:
        """Checks an agent's or a workflow's own hooks; see `ports.Hooks.prepare`."""
        given = hooks if isinstance(hooks, list) else [hooks]
        if len(given) > PER_POINT_MAX:
            raise InvalidInput(f"{function}: at most {PER_POINT_MAX} hooks at one point")
        prepared = [self.make(one, function) for one in given]
        return tuple(sorted(prepared, key=lambda hook: -hook.priority))

    async def run_inline(
        self, point: str, context: Mapping[str, Any], prepared: Sequence[Hook]
    ) -> HookOutcome:
        """Runs prepared hooks; see `ports.Hooks.run_inline`."""
        hooks = tuple(hook for hook in prepared if hook.enabled)
        if not hooks or not self.settings.enabled:
            return HookOutcome(context=context)
        return await self._run(point, context, hooks)

    # -- hooks from what a spell hands in ------------------------------------------------------

    def make(self, given: Any, function: str) -> Hook:
        """The hook that a function, an object, a handle or a built-in's name means.

        Raises `InvalidInput`, `Missing` 5001.
        """
        identity = handle_id(given, "hook")
        if identity is not None:
            found = self.registry.hook(identity)
            if found is None:
                raise Missing("there is no such hook any more", code=5001)
            return found
        if isinstance(given, str):
            from llmspell.spells.hooks.builtin import make

            return make(self.host, given, {}, self.registry.next_id(), function, self.shelf)
        number = self.registry.next_id()
        if isinstance(given, Callback):
            return self._settled(Hook(number, number, given, on_failure=""))
        if not isinstance(given, dict):
            raise InvalidInput(f"{function}: a hook is a function or an object with a handler")
        hook, unknown = from_config(given, number, self.host.engine, function)
        low, high = self.settings.lowest, self.settings.highest
        if not low <= hook.priority <= high:
            raise InvalidInput(
                f"{function}: priority is from {low} to {high} by the configuration", code=5004
            )
        if unknown:
            names = ", ".join(name[:40] for name in unknown[:8])
            self.host.note("warn", f"{function}: options without a meaning here: {names}")
        return self._settled(hook)

    def _settled(self, hook: Hook) -> Hook:
        """A hook within the user's `[hooks]`; what it leaves open is as that says (HOOK-030)."""
        hook.seconds = min(hook.seconds, self.settings.seconds)
        hook.on_failure = hook.on_failure or self.settings.on_failure
        if not self.settings.parallel and hook.mode.startswith("parallel"):
            hook.mode = "sequential"
        return hook

    # -- running -------------------------------------------------------------------------------

    async def _run(
        self, point: str, context: Mapping[str, Any], hooks: tuple[Hook, ...]
    ) -> HookOutcome:
        sent: dict[str, Any] = {**context, "hook_point": point}
        if any(isinstance(hook.act, Callback) or hook.condition for hook in hooks):
            sent = self.host.mask(without_functions(sent))
        current = sent
        index = 0
        while index < len(hooks):
            hook = hooks[index]
            if hook.mode == "sequential":
                outcome = await self._one(hook, point, current)
                index += 1
            elif hook.mode == "asynchronous":
                self._tell(hook, point, current)
                index += 1
                continue
            else:
                first = index
                while index < len(hooks) and hooks[index].mode.startswith("parallel"):
                    index += 1
                outcome = await self._together(hooks[first:index], point, current)
            if outcome is None:
                continue
            if outcome is ROLLBACK:
                return HookOutcome(context=context)
            if outcome.modified and outcome.context is not None:
                current = dict(outcome.context)
            if outcome.action == "stop":
                break
            if outcome.action != "continue":
                changed = _changed(context, sent, current)
                return outcome._replace(context=changed, modified=changed is not context)
        changed = _changed(context, sent, current)
        return HookOutcome(context=changed, modified=changed is not context)

    async def _one(self, hook: Hook, point: str, context: Mapping[str, Any]) -> HookOutcome | None:
        """One hook's decision; None goes on with nothing changed."""
        if hook.match is not None and not matches(hook.match, context):
            hook.skipped += 1
            return None
        host = self.host
        began = host.now()
        outcome: HookOutcome | None = None
        try:
            if hook.condition is not None:
                wanted = await host.invoke(hook.condition, [context], seconds=hook.seconds)
                if wanted is None or wanted is False:
                    hook.skipped += 1
                    return None
            act = hook.act
            self.executions += 1
            hook.executions += 1
            if isinstance(act, Callback):
                answer = await host.invoke(act, [context], seconds=hook.seconds)
                if answer is not None:
                    outcome = read(answer, context)
            else:
                decided = act.act(point, context)
                if decided is not None and not isinstance(decided, HookOutcome):
                    decided = await decided
                outcome = decided
        except LlmspellError as error:
            return self._failed(hook, point, error)
        finally:
            hook.last = host.now()
            hook.spent += hook.last - began
            self.spent += hook.last - began
        if hook.mode == "asynchronous":
            return None
        if outcome is not None and (outcome.modified or outcome.action != "continue"):
            action = "modify" if outcome.action == "continue" else outcome.action
            host.record("hook", {"point": point, "hook": hook.name, "action": action})
        return outcome

    def _failed(self, hook: Hook, point: str, error: LlmspellError) -> HookOutcome | None:
        timeout = error.kind == "timeout" and isinstance(error, OperationFailed)
        hook.failures += 1
        self.failures += 1
        if timeout:
            hook.timeouts += 1
            self.timeouts += 1
        fields = {"point": point, "hook": hook.name, "code": error.code}
        if hook.failures <= NOTES_MAX:
            self.host.note("warn", f"the hook {hook.name} failed: {error.message}", fields)
        if hook.on_failure == "continue" or (timeout and hook.mode == "parallel_with_timeout"):
            return None
        if hook.on_failure == "rollback":
            self.host.record("hook", {"point": point, "hook": hook.name, "action": "rollback"})
            return ROLLBACK
        raise OperationFailed(
            f"the hook {hook.name} at {point} "
            + ("took too long" if timeout else f"failed: {error.message}"),
            code=5003 if timeout else 5002,
            kind="timeout" if timeout else "hook_failed",
            rule="hook.on_failure.stop",
        ) from None

    def _tell(self, hook: Hook, point: str, context: Mapping[str, Any]) -> None:
        """Runs a hook that nobody waits for."""
        import asyncio

        if len(self._background) >= BACKGROUND_MAX:
            hook.skipped += 1
            return
        task = asyncio.get_running_loop().create_task(self._told(hook, point, context))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _told(self, hook: Hook, point: str, context: Mapping[str, Any]) -> None:
        try:
            await self._one(hook, point, context)
        except LlmspellError:
            # Counted and logged where it was raised; there is nobody to stop.
            return

    async def _together(
        self, hooks: tuple[Hook, ...], point: str, context: Mapping[str, Any]
    ) -> HookOutcome | None:
        """Hooks at once, each with a copy (X27).

        Their changes are joined; of two of the same field that of the higher priority counts, as
        does the decision of the highest that made one.
        """
        import asyncio

        results = await asyncio.gather(
            *(self._one(hook, point, context) for hook in hooks), return_exceptions=True
        )
        joined: dict[str, Any] = {}
        decision: HookOutcome | None = None
        for result in results:
            if isinstance(result, BaseException):
                raise result
            if result is ROLLBACK:
                return ROLLBACK
            if result is None:
                continue
            if result.context is not None and result.modified:
                for key, value in result.context.items():
                    if key not in context or context[key] != value:
                        joined.setdefault(key, value)
            if decision is None and result.action != "continue":
                decision = result
        if not joined and decision is None:
            return None
        merged = {**context, **joined}
        return (decision or HookOutcome())._replace(context=merged, modified=bool(joined))


def _changed(
    given: Mapping[str, Any], sent: Mapping[str, Any], now: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The caller's own context with what hooks changed; what they only saw stays as it was."""
    if now is sent:
        return given
    changes = {key: value for key, value in now.items() if key not in sent or sent[key] != value}
    return {**given, **changes} if changes else given
