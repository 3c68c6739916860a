"""`errors.*`: what the spell asks about its errors; parsing needs no waiting, recovery does."""

from __future__ import annotations

import time

from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.options import handle_id, normalise
from llmspell.spells.recovery import strategies
from llmspell.spells.recovery.parsing import parse_error
from llmspell.spells.recovery.stats import ErrorStats

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

    from llmspell.spells.ports import Host
    from llmspell.spells.recovery.attempts import Operation, Recovery
    from llmspell.supervisor.services.context import Args, CallContext

QUERY_KEPT: Final = 200
"""Characters that are left of a shortened question at least."""

KEY_MAX: Final = 256


class ErrorService:
    """One run's error handling: its counts, its breakers, what its operations last gave."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._stats = ErrorStats()
        self._recovery: Recovery | None = None
        self._traced = 0
        self.table = {
            "errors.parse": self.parse,
            "errors.enrich": self.enrich,
            "errors.create_strategy": self.create_strategy,
            "errors.attempt_recovery": self.attempt_recovery,
            "errors.report": self.report,
            "errors.stats": self.stats,
        }

    def close(self) -> None:
        """Holds nothing that must be let go."""

    def parse(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """What an error means (API-102)."""
        return self._parsed(args.get("error"))

    def enrich(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """The error with where and in what circumstances it happened (TRT-039 … TRT-041)."""
        parsed = self._parsed(args.get("error"))
        given = normalise(args["context"])
        known = ("component_id", "component", "operation", "trace_id", "span_id", "metadata")
        rest = {key: value for key, value in given.items() if key not in known}
        metadata = given.get("metadata")
        context = {
            "component_id": given.get("component_id", given.get("component")),
            "operation": given.get("operation"),
            "trace_id": parsed["trace_id"],
            "security_context": self._security(),
            "resource_usage": dict(self._host.budget.usage()),
            "timing_info": {"timestamp": round(time.time(), 3)},
            "metadata": {**(metadata if isinstance(metadata, dict) else {}), **rest},
        }
        return {
            **parsed,
            "context": context,
            "recovery_suggestions": parsed["suggestions"],
            "user_facing": {
                "message": _people(parsed, context),
                "error_code": parsed["code"],
                "suggestions": parsed["suggestions"],
                "trace_id": parsed["trace_id"],
            },
        }

    def create_strategy(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """A recovery strategy as a plain object (ERR-008, ERR-012)."""
        return strategies.told(strategies.create(args["config"], self._host.engine))

    async def attempt_recovery(self, ctx: CallContext, args: Args) -> Any:
        """Does what the strategy says, or what the error's own says (API-104, X54).

        `(error, strategy, operation?)` gives `{success, data, result, action, attempts, …}`;
        `(agent, question, information)` asks the agent again and gives its text, or raises.
        """
        agent = handle_id(args["error"], "agent")
        if agent is not None:
            return await self._ask_again(agent, args)
        parsed = self._parsed(args["error"])
        given = args.get("strategy")
        chosen = strategies.create(
            parsed["recovery_strategy"] if given is None else given, self._host.engine
        )
        chosen = strategies.choose(chosen, parsed["type"], self._host.engine)
        context = parsed.get("context", {})
        key = args.get("key") or chosen.get("key") or context.get("operation") or parsed["type"]
        if not isinstance(key, str) or len(key) > KEY_MAX:
            raise InvalidInput(f"errors.attempt_recovery: key must be text of at most {KEY_MAX}")
        function = args.get("operation")
        operation: Operation | None = None
        if function is not None:

            async def invoked(told: dict[str, Any]) -> Any:
                return await self._host.invoke(function, [{**told, "error": parsed}])

            operation = invoked
        return await self._attempts().attempt(parsed, chosen, operation, key)

    def report(self, ctx: CallContext, args: Args) -> None:
        """Counts an error, logs it, records it and publishes `error_reported` (API-105)."""
        parsed = self._parsed(args.get("error"))
        context = normalise(args["context"])
        told = {name: parsed[name] for name in ("code", "type", "category", "trace_id")}
        component = context.get("component_id", context.get("component", ""))
        told["component"] = component if isinstance(component, str) else ""
        self._host.record("error_report", told)
        self._host.note("error", f"{parsed['type']}: {parsed['message']}", told)
        self._host.events.emit(
            "error_reported", {**told, "message": parsed["message"]}, "error_handler"
        )

    def stats(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """Counts by code, type and category, and of recoveries (ERR-016)."""
        return self._stats.tell()

    async def _ask_again(self, agent: str, args: Args) -> Any:
        from llmspell.errors import from_wire

        question = args.get("strategy")
        if not isinstance(question, str):
            raise InvalidInput(
                "errors.attempt_recovery: after an agent comes its question as text",
                hint="attempt_recovery(agent, question, error_information)",
            )
        parsed = self._parsed(args.get("operation"))
        chosen = strategies.create(parsed["recovery_strategy"], self._host.engine)

        async def ask(told: dict[str, Any]) -> Any:
            given: dict[str, Any] = {"input": question}
            if "context_fraction" in told:
                given["input"] = shortened(question, told["context_fraction"])
            if "provider" in told:
                given["provider"] = told["provider"]
            return await self._host.agents.execute(agent, given, origin="recovery")

        outcome = await self._attempts().attempt(parsed, chosen, ask, f"agent:{agent}")
        if not outcome["success"]:
            failure = outcome.get("error") or parsed
            raise from_wire({**failure, "message": f"the recovery failed: {outcome['reason']}"})
        value = outcome["result"]
        return value.get("content") if isinstance(value, dict) else value

    def _attempts(self) -> Recovery:
        if self._recovery is None:
            # asyncio comes with it, which a run that only parses errors does not need.
            from llmspell.spells.recovery.attempts import Recovery

            self._recovery = Recovery(self._host, self._stats)
        return self._recovery

    def _parsed(self, error: Any) -> dict[str, Any]:
        parsed = parse_error(error)
        if "trace_id" not in parsed:
            self._traced += 1
            parsed["trace_id"] = f"{self._host.session}-e{self._traced}"
        self._stats.saw(parsed)
        return parsed

    def _security(self) -> dict[str, Any]:
        level = self._host.policy.confinement.level
        return {
            "principal": self._host.tenant or "user",
            "security_level": level,
            "sandboxed": level != "none",
        }


def shortened(text: str, fraction: float) -> str:
    """The beginning and the end of a text: where a question says what it wants."""
    keep = max(int(len(text) * fraction), QUERY_KEPT)
    if keep >= len(text):
        return text
    head = keep * 2 // 3
    return f"{text[:head]}\n[…]\n{text[len(text) - (keep - head) :]}"


def _people(parsed: Mapping[str, Any], context: Mapping[str, Any]) -> str:
    where = context["operation"] or context["component_id"]
    prefix = f"{where}: " if isinstance(where, str) and where else ""
    return f"{prefix}{parsed['message']}"
