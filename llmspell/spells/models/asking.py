"""One completion, from the request as a spell wrote it to the reply it gets.

hooks before → check → verdict → images' hosts → reservation → rate → provider, again and elsewhere
as its failures allow → settlement → check of a structured answer → record → hooks after. What a
hook changed starts again from the check, so nothing that a hook asks for goes past the verdict.
"""

from __future__ import annotations

import asyncio
from time import monotonic

from llmspell.channel.jsontext import Malformed
from llmspell.errors import Denied, LimitExceeded, LlmspellError, OperationFailed
from llmspell.llm.failures import ELSEWHERE, ModelFailure
from llmspell.llm.requests import check_request
from llmspell.policies.verdict import allow
from llmspell.records import TYPE_CHECKING, NamedTuple, Protocol
from llmspell.spells.models import hooking, structured
from llmspell.spells.models.choosing import choose
from llmspell.spells.models.images import judge_images
from llmspell.spells.models.replies import ANSWER_MAX, added, checked
from llmspell.spells.models.spending import Spending
from llmspell.spells.models.targets import Target, Targets
from llmspell.spells.models.tries import tried

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final

    from llmspell.llm.port import OnChunk, Provider
    from llmspell.policies.policy import Policy
    from llmspell.policies.verdict import Verdict
    from llmspell.spells.models.rates import Rates
    from llmspell.spells.ports import Host

HOOK_RETRIES_MAX: Final = 3
"""Times an `after_llm_call` hook may have a call done again."""


class Context(Protocol):
    """The part of a brokered call that is needed: its policy, its origin, its verdicts."""

    policy: Policy
    origin: str

    def judge(self, verdict: Verdict, *, action: str, target: str) -> None:
        """Records a verdict and raises `Denied` unless it is an allow."""


class Settings(NamedTuple):
    """How a request is to be carried out, beside what the model is told."""

    seconds: float | None = None
    fallback: list[str] | None = None
    prefer: str | None = None
    needs: tuple[str, ...] = ()


class Asking:
    """Completions of one run. `provider_of` gives what answers for a target, `rates_of` the
    shared rates of a provider, or None."""

    def __init__(
        self,
        host: Host,
        targets: Targets,
        provider_of: Callable[[Target], Provider],
        rates_of: Callable[[Target], Rates | None],
        random: Callable[[], float],
    ) -> None:
        self._host = host
        self._targets = targets
        self._provider_of = provider_of
        self._rates_of = rates_of
        self._random = random
        self.latencies: dict[str, float] = {}
        """Seconds of the last calls of each target, smoothed: what `prefer = "fastest"` goes by."""

    async def complete(
        self,
        ctx: Context,
        given: Mapping[str, Any],
        settings: Settings,
        on_chunk: OnChunk | None = None,
    ) -> dict[str, Any]:
        """The reply to a request; see `ports.Models.complete`."""
        fields = dict(given)
        if self._host.hooks.any(hooking.BEFORE):
            outcome = await self._host.hooks.run(hooking.BEFORE, hooking.shown(fields, ctx.origin))
            if outcome.action == "skip":
                skipped = allow("hooks.skip", "a hook answers in the model's place")
                ctx.judge(skipped, action="model", target="hook")
                return hooking.instead(fields, outcome.value)
            hooking.refuse_cancelled(outcome)
            fields = hooking.changed(fields, outcome)
        heard = _Heard(on_chunk)
        for tries in range(HOOK_RETRIES_MAX + 1):
            reply = await self._ask(ctx, check_request(fields), settings, heard)
            if not self._host.hooks.any(hooking.AFTER):
                return reply
            context = {**hooking.shown(fields, ctx.origin), "response": reply}
            outcome = await self._host.hooks.run(hooking.AFTER, context)
            if outcome.action == "retry" and heard.text:
                self._host.note("warn", "an answer that was streamed is not asked for again", {})
            elif outcome.action == "retry" and tries < HOOK_RETRIES_MAX:
                continue
            if outcome.action == "skip":
                return hooking.instead(fields, outcome.value)
            hooking.refuse_cancelled(outcome)
            return hooking.changed_reply(reply, outcome)
        return reply

    async def _ask(
        self, ctx: Context, request: dict[str, Any], settings: Settings, heard: _Heard
    ) -> dict[str, Any]:
        if request.get("provider") == "auto":
            first = await self._chosen(ctx, settings)
        else:
            first = self._targets.primary(request)
        targets = [first, *self._targets.fallbacks(first, settings.fallback)]
        failure: LlmspellError | None = None
        for target in targets:
            try:
                return await self._ask_target(ctx, target, request, settings, heard)
            except Denied:
                if failure is None:
                    raise
                # The record has the denial; what the spell must hear of is the first failure.
                continue
            except (OperationFailed, LimitExceeded) as error:
                failure = error if failure is None else failure
                if not _is_for_another(error) or heard.text:
                    raise
                if len(targets) > 1:
                    self._host.note("warn", f"{target.name} failed ({error.kind})", {})
        assert failure is not None
        raise failure

    async def _chosen(self, ctx: Context, settings: Settings) -> Target:
        """What `provider = "auto"` means now (LLM-008)."""

        def is_busy(target: Target) -> bool:
            rates = self._rates_of(target)
            return rates is not None and rates.is_used_up()

        models, every = ctx.policy.models, self._targets.every()
        if self._targets.mock and all(target.provider.name == "fake" for target in every):
            return self._targets.target("fake", None)
        return await choose(
            every,
            models,
            self._provider_of,
            self.latencies,
            settings.prefer,
            settings.needs,
            is_busy,
        )

    async def _ask_target(
        self,
        ctx: Context,
        target: Target,
        request: dict[str, Any],
        settings: Settings,
        heard: _Heard,
    ) -> dict[str, Any]:
        ctx.judge(target.judge(ctx.policy.models), action="model", target=target.name)
        if target.stand_in is None:
            judge_images(ctx, request)
        seconds = settings.seconds or target.provider.timeout
        deadline = monotonic() + seconds
        asked = {**request, "provider": target.provider.name, "model": target.model}
        if "temperature" not in asked and target.provider.temperature is not None:
            asked["temperature"] = target.provider.temperature
        reply = await self._within(target, asked, deadline, heard)
        if "schema" in request and not reply["tool_calls"]:
            reply = await self._structured(ctx, target, asked, reply, deadline, heard)
        used = reply["usage"]
        self._host.record(
            "model",
            {
                "origin": ctx.origin,
                "target": target.name,
                "stand_in": target.stand_in,
                "input_tokens": used["input_tokens"],
                "output_tokens": used["output_tokens"],
                "cost": reply["cost"],
            },
        )
        return reply

    async def _within(
        self, target: Target, request: dict[str, Any], deadline: float, heard: _Heard
    ) -> dict[str, Any]:
        """One answer, with as many tries as the provider's configuration allows."""
        begun = monotonic()

        async def once() -> dict[str, Any]:
            nonlocal begun
            begun = monotonic()
            return await self._once(target, request, deadline, heard)

        reply = await tried(target.provider, deadline, self._random, once, lambda: bool(heard.text))
        took = monotonic() - begun
        before = self.latencies.get(target.name, took)
        self.latencies[target.name] = 0.7 * before + 0.3 * took
        return reply

    async def _once(
        self, target: Target, request: dict[str, Any], deadline: float, heard: _Heard
    ) -> dict[str, Any]:
        provider = self._provider_of(target)
        info = await provider.info(target.model)
        spending = Spending(self._host.budget, target, info)
        room = spending.reserve(request)
        if target.stand_in is None and "max_tokens" not in request:
            request = {**request, "max_tokens": room}
        rates, taken = self._rates_of(target), 0.0
        try:
            if rates is not None:
                taken = await rates.take(target.provider, spending.tokens, deadline)
        except BaseException:
            spending.give_back()
            raise
        used = taken
        left = max(0.001, deadline - monotonic())
        try:
            reply = await asyncio.wait_for(provider.complete(request, left, heard.hear()), left)
            reply = checked(reply, target, request)
            used = float(reply["usage"]["total_tokens"])
        except TimeoutError:
            spending.settle_broken_off(heard.text)
            raise ModelFailure("timeout", f"{target.name} did not answer in time") from None
        except ModelFailure as error:
            if error.kind in ("timeout", "malformed"):
                spending.settle_broken_off(heard.text)
            else:
                spending.give_back()
                used = 0.0
            raise
        except BaseException:
            # Cancelled, or the function that listens raised: the provider has worked all the same.
            spending.settle_broken_off(heard.text)
            raise
        finally:
            if rates is not None:
                rates.settle(taken, used)
        reply["cost"] = spending.settle(reply)
        return reply

    async def _structured(
        self,
        ctx: Context,
        target: Target,
        request: dict[str, Any],
        reply: dict[str, Any],
        deadline: float,
        heard: _Heard,
    ) -> dict[str, Any]:
        value, wrong = await self._judged_answer(ctx, request, reply)
        if wrong:
            again = [
                *request["messages"],
                {"role": "assistant", "content": reply["content"]},
                {"role": "user", "content": structured.repair_prompt(wrong, request["schema"])},
            ]
            first = reply
            # Whoever listens has heard the first answer; the second one comes as the reply alone.
            silent = _Heard(None)
            reply = await self._within(target, {**request, "messages": again}, deadline, silent)
            reply = added(first, reply)
            value, wrong = await self._judged_answer(ctx, request, reply)
        if wrong:
            raise ModelFailure(
                "structured", f"{target.name} gave no answer that fits: {'; '.join(wrong)}"
            )
        return {**reply, "structured": value}

    async def _judged_answer(
        self, ctx: Context, request: Mapping[str, Any], reply: Mapping[str, Any]
    ) -> tuple[Any, list[str]]:
        if "structured" in reply:
            value = reply["structured"]
        else:
            try:
                value = structured.find_json(reply["content"])
            except Malformed as error:
                return None, [f"it is no JSON ({error})"]
        return value, await structured.mistakes(self._host, value, request["schema"], ctx.origin)


def _is_for_another(error: LlmspellError) -> bool:
    """Whether another provider may do better: this one failed, or its rate is used up."""
    if isinstance(error, LimitExceeded):
        return error.limit == "model_rate"
    return error.kind in ELSEWHERE


class _Heard:
    """Passes a stream's pieces on and keeps their text, bounded."""

    def __init__(self, listener: OnChunk | None) -> None:
        self._listener = listener
        self.text = ""

    def hear(self) -> OnChunk | None:
        """What a provider is given; None where nobody listens."""
        return None if self._listener is None else self._take

    async def _take(self, piece: str) -> None:
        assert self._listener is not None
        if not piece:
            return
        if len(self.text) + len(piece) > ANSWER_MAX:
            raise ModelFailure("malformed", f"an answer of over {ANSWER_MAX} characters")
        self.text += piece
        await self._listener(piece)
