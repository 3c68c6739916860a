"""An agent's own hooks: functions in its settings or registered later (API-035, API-044).

They run one after the other, in the order they were given. nil or true goes on, false cancels, a
table changes what it names; one that fails or takes over five seconds is warned of and left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from llmspell.errors import LimitExceeded, LlmspellError, OperationFailed
from llmspell.spells.agents import values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from llmspell.channel.jsontext import Callback
    from llmspell.spells.ports import Host

HOOK_SECONDS: Final = 5.0
CONTEXT_MAX: Final = 2_097_152


async def run(
    host: Host, point: str, functions: Sequence[Callback], context: dict[str, Any]
) -> dict[str, Any]:
    """The context as the hooks left it, with `replacement` where one gave a result of its own.

    Raises `OperationFailed` 5002 of kind `cancelled` when one said false.
    """
    for function in functions:
        try:
            answer = await host.invoke(function, [context], seconds=HOOK_SECONDS)
        except LimitExceeded:
            raise
        except LlmspellError as error:
            host.note("warn", f"the agent's hook {point} failed: {error.message}")
            continue
        if answer is None or answer is True:
            continue
        if answer is False:
            raise cancelled(f"the agent's own hook {point} said no")
        context = _merge(host, point, context, answer)
    return context


def cancelled(reason: str) -> OperationFailed:
    """The error of a request that a hook cancelled."""
    return OperationFailed(reason, code=5002, kind="cancelled")


def _merge(host: Host, point: str, context: dict[str, Any], answer: Any) -> dict[str, Any]:
    if not values.is_plain(answer):
        host.note("warn", f"the agent's hook {point} gave what is no plain data; it is left out")
        return context
    if point == "on_error":
        return {**context, "replacement": answer}
    if not isinstance(answer, dict):
        return {**context, "output" if point == "after_execution" else "message": answer}
    action = answer.get("action")
    if action == "cancel":
        raise cancelled(str(answer.get("reason") or f"the agent's own hook {point} cancelled")[:500])
    if action == "skip":
        return {**context, "replacement": answer.get("value", answer.get("result", ""))}
    known = {"input", "message", "context", "output"}
    return {**context, **{key: value for key, value in answer.items() if key in known}}
