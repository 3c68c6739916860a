"""What a hook's answer means; what a refused act is called. The answer is hostile data.

| answer | meaning |
|---|---|
| nothing, `true`, text, a number, a list | go on |
| `false` | cancel |
| an object without `action` | go on with the context, these keys replaced |
| `{action="continue"}` | go on |
| `{action="modify", context={…}}` (or the keys beside `action`) | the same as an object without |
| `{action="skip", value=…}` (or `result`) | the act is left out, this is its result |
| `{action="redirect", target=…, context={…}?}` (or `tool`, `agent`, `input`) | another target |
| `{action="retry"}` | the act is done again (after and error points) |
| `{action="cancel", reason=…}` | the act is refused |
| `{action="stop"}` | no later hook of this point runs; the act goes on |
"""

from __future__ import annotations

from llmspell.errors import InvalidInput, OperationFailed
from llmspell.records import TYPE_CHECKING
from llmspell.spells.plain import without_functions
from llmspell.spells.ports import HookOutcome

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

    from llmspell.errors import LlmspellError

REASON_MAX: Final = 512
"""Characters of a reason or target that are kept."""

_ACTION_KEYS: Final = frozenset({"action", "context", "value", "result", "target", "reason"})
_ACTIONS: Final = ("continue", "modify", "skip", "redirect", "retry", "cancel", "stop")
_ALIASES: Final[Mapping[str, str]] = {
    "abort": "cancel",
    "block": "cancel",
    "replace": "skip",
    "proceed": "continue",
}


def read(answer: Any, context: Mapping[str, Any]) -> HookOutcome:
    """The outcome that an answer to this context means. Raises `InvalidInput` (5002)."""
    if answer is False:
        return HookOutcome("cancel", context, reason="a hook answered false")
    if type(answer) is not dict or not answer:
        return HookOutcome("continue", context)
    action = answer.get("action")
    if action is None:
        return _changed("continue", context, answer)
    word = _ALIASES.get(action, action) if type(action) is str else None
    if word not in _ACTIONS:
        raise InvalidInput(
            f"a hook answered an action that there is not; there are {', '.join(_ACTIONS)}",
            code=5002,
        )
    changes = answer.get("context")
    if changes is None:
        changes = {key: value for key, value in answer.items() if key not in _ACTION_KEYS}
    elif type(changes) is not dict:
        raise InvalidInput("the context that a hook answered is no object", code=5002)
    if word == "modify":
        return _changed("continue", context, changes)
    if word == "skip":
        value = answer["value"] if "value" in answer else answer.get("result")
        return HookOutcome("skip", context, value=without_functions(value))
    if word == "redirect":
        target = answer.get("target")
        if type(target) is str and 1 <= len(target) <= REASON_MAX:
            changes = {**changes, "target": target}
        return _changed("redirect", context, changes)
    if word == "cancel":
        reason = answer.get("reason")
        shown = reason[:REASON_MAX] if type(reason) is str else "a hook cancelled it"
        return HookOutcome("cancel", context, reason=shown)
    return HookOutcome(str(word), context)


def _changed(action: str, context: Mapping[str, Any], changes: Mapping[str, Any]) -> HookOutcome:
    new = {**context, **{key: without_functions(value) for key, value in changes.items()}}
    is_new = any(key not in context or context[key] != value for key, value in new.items())
    return HookOutcome(action, new if is_new else context, modified=is_new)


def cancelled(outcome: HookOutcome, what: str) -> LlmspellError:
    """The error of an act that a hook cancelled: its own (6006 of a rate limiter), or 2003."""
    if outcome.error is not None:
        return outcome.error
    return OperationFailed(
        f"{what} was cancelled by a hook: {outcome.reason or 'no reason given'}",
        kind="cancelled",
        rule="hook.cancel",
    )
