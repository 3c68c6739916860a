"""One completion, from the request as a spell wrote it to the reply it gets.

hooks before → check → verdict → images' hosts → reservation → rate → provider, again and elsewhere
as its failures allow → settlement → check of a structured answer → record → hooks after. What a
hook changed starts again from the check, so nothing that a hook asks for goes past the verdict.
"""

from __future__ import annotations

import asyncio
from time import monotonic

from llmspell.channel.jsontext import Malformed
from llmspell.errors import Denied, InvalidInput, LimitExceeded, LlmspellError, OperationFailed
from llmspell.llm import backoff, counting
from llmspell.llm.failures import AGAIN, ELSEWHERE, ModelFailure
from llmspell.llm.requests import check_calls, check_request, last_user_text
from llmspell.records import TYPE_CHECKING, NamedTuple, Protocol
from llmspell.spells.models import structured
from llmspell.spells.models.choosing import choose
from llmspell.spells.models.spending import Spending
from llmspell.spells.models.targets import Target, Targets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final

    from llmspell.llm.port import OnChunk, Provider
    from llmspell.policies.policy import Policy
    from llmspell.policies.rate import RateLimiter
    from llmspell.policies.verdict import Verdict
    from llmspell.spells.ports import HookOutcome, Host

HOOK_RETRIES_MAX: Final = 3
"""Times an `after_llm_call` hook may have a call done again."""

ANSWER_MAX: Final = 4_194_304
"""Characters of an answer."""

BEFORE: Final = "before_llm_call"
AFTER: Final = "after_llm_call"

_CHANGEABLE: Final = ("provider", "model", "messages", "temperature", "max_tokens", "stop")
"""What a hook may change of a request."""


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
    """Completions of one run. `provider_of` gives what answers for a target, `limiter_of` the
    shared rate limit of a provider, or None."""

    def __init__(
        self,
        host: Host,
        targets: Targets,
        provider_of: Callable[[Target], Provider],
        limiter_of: Callable[[Target], RateLimiter | None],
        random: Callable[[], float],
    ) -> None:
        self._host = host
        self._targets = targets
        self._provider_of = provider_of
        self._limiter_of = limiter_of
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
        if self._host.hooks.any(BEFORE):
            outcome = await self._host.hooks.run(BEFORE, self._shown(ctx, fields))
            if outcome.action == "skip":
                return self._instead(fields, outcome.value)
            _refuse_cancelled(outcome)
            fields = _changed(fields, outcome)
        for tries in range(HOOK_RETRIES_MAX + 1):
            reply = await self._ask(ctx, check_request(fields), settings, on_chunk)
            if not self._host.hooks.any(AFTER):
                return reply
            context = {**self._shown(ctx, fields), "response": reply}
            outcome = await self._host.hooks.run(AFTER, context)
            if outcome.action == "retry" and tries < HOOK_RETRIES_MAX:
                continue
            if outcome.action == "skip":
                return self._instead(fields, outcome.value)
            _refuse_cancelled(outcome)
            return _changed_reply(reply, outcome)
        return reply

    async def _ask(
        self, ctx: Context, request: dict[str, Any], settings: Settings, on_chunk: OnChunk | None
    ) -> dict[str, Any]:
        if request.get("provider") == "auto":
            first = await choose(
                self._targets.every(),
                ctx.policy.models,
                self._provider_of,
                self.latencies,
                settings.prefer,
                settings.needs,
            )
        else:
            first = self._targets.primary(request)
        targets = [first, *self._targets.fallbacks(first, settings.fallback)]
        failure: LlmspellError | None = None
        heard = _Heard(on_chunk)
        for target in targets:
            try:
                return await self._ask_target(ctx, target, request, settings, heard)
            except Denied:
                if failure is None:
                    raise
                # The record has the denial; what the spell must hear of is the first failure.
                continue
            except OperationFailed as error:
                failure = error if failure is None else failure
                if error.kind not in ELSEWHERE or heard.text:
                    raise
                if len(targets) > 1:
                    self._host.note("warn", f"{target.name} failed ({error.kind})", {})
        assert failure is not None
        raise failure

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
            _judge_images(ctx, request)
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
        attempts = 1 + target.provider.retries
        for attempt in range(1, attempts + 1):
            await self._take_rate(target, deadline)
            begun = monotonic()
            try:
                reply = await self._once(target, request, deadline, heard)
            except ModelFailure as error:
                if error.kind not in AGAIN or attempt == attempts or heard.text:
                    raise
                base = target.provider.retry_delay
                pause = backoff.delay(attempt, base, error.retry_after, self._random())
                if monotonic() + pause >= deadline:
                    raise
                await asyncio.sleep(pause)
                continue
            took = monotonic() - begun
            before = self.latencies.get(target.name, took)
            self.latencies[target.name] = 0.7 * before + 0.3 * took
            return reply
        raise AssertionError("every try either answers or raises")

    async def _once(
        self, target: Target, request: dict[str, Any], deadline: float, heard: _Heard
    ) -> dict[str, Any]:
        provider = self._provider_of(target)
        info = await provider.info(target.model)
        spending = Spending(self._host.budget, target, info)
        room = spending.reserve(request)
        if target.stand_in is None and "max_tokens" not in request:
            request = {**request, "max_tokens": room}
        left = max(0.001, deadline - monotonic())
        try:
            reply = await asyncio.wait_for(provider.complete(request, left, heard.hear()), left)
            reply = _checked(reply, target)
        except TimeoutError:
            spending.settle_broken_off(heard.text)
            raise ModelFailure("timeout", f"{target.name} did not answer in time") from None
        except ModelFailure as error:
            if error.kind in ("timeout", "malformed"):
                spending.settle_broken_off(heard.text)
            else:
                spending.give_back()
            raise
        except BaseException:
            # Cancelled, or the function that listens raised: the provider has worked all the same.
            spending.settle_broken_off(heard.text)
            raise
        reply["cost"] = spending.settle(reply)
        return reply

    async def _take_rate(self, target: Target, deadline: float) -> None:
        limiter = self._limiter_of(target)
        while limiter is not None and not limiter.take(monotonic()):
            pause = limiter.wait(monotonic())
            if monotonic() + pause >= deadline:
                raise LimitExceeded(
                    "model_rate",
                    f"{target.provider.name} takes {target.provider.requests_per_minute:g} "
                    "requests a minute",
                    hint=f"wait {pause:.0f} s, or set providers.{target.provider.name}."
                    "rate_limit_requests_per_minute",
                )
            await asyncio.sleep(pause + 0.001)

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
            reply = await self._within(target, {**request, "messages": again}, deadline, heard)
            reply = _added(first, reply)
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

    def _shown(self, ctx: Context, fields: Mapping[str, Any]) -> dict[str, Any]:
        """What a hook gets to see: plain data of the request as it stands."""
        checked = check_request(fields)
        context: dict[str, Any] = {key: checked[key] for key in _CHANGEABLE if key in checked}
        context["prompt"] = last_user_text(checked)
        context["tools"] = [tool["name"] for tool in checked.get("tools", ())]
        context["origin"] = ctx.origin
        return context

    def _instead(self, fields: Mapping[str, Any], value: Any) -> dict[str, Any]:
        """The reply that a hook gives in a model's place; it costs nothing."""
        told = value if isinstance(value, dict) else {"content": value}
        content = told.get("content")
        usage = {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0}
        reply = {
            "content": content
            if isinstance(content, str)
            else ""
            if content is None
            else counting.compact(content),
            "tool_calls": check_calls(told.get("tool_calls") or [], "tool_calls"),
            "usage": usage,
            "cost": 0.0,
            "provider": str(fields.get("provider") or "hook")[:64],
            "model": str(fields.get("model") or "hook")[:256],
            "finish_reason": "skipped",
        }
        if "structured" in told:
            reply["structured"] = told["structured"]
        return reply


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


def _checked(reply: Mapping[str, Any], target: Target) -> dict[str, Any]:
    """A provider's reply, in our form: what a model says is a stranger's text."""
    content = reply.get("content")
    if not isinstance(content, str) or len(content) > ANSWER_MAX:
        raise ModelFailure("malformed", f"{target.name} answered with no text that can be used")
    try:
        calls = check_calls(reply.get("tool_calls") or [], "tool_calls")
    except InvalidInput as error:
        raise ModelFailure("malformed", f"{target.name}: {error.message}") from None
    checked = {
        "content": content,
        "tool_calls": calls,
        "usage": _usage(reply.get("usage")),
        "cost": reply.get("cost"),
        "provider": target.provider.name,
        "model": target.model,
        "finish_reason": str(reply.get("finish_reason") or "stop")[:40],
    }
    if "structured" in reply:
        checked["structured"] = reply["structured"]
    return checked


def _usage(told: Any) -> dict[str, int]:
    counts = []
    for key in ("input_tokens", "output_tokens"):
        count = told.get(key) if isinstance(told, dict) else 0
        counts.append(count if type(count) is int and 0 <= count < 2**40 else 0)
    return counting.usage(counts[0], counts[1])


def _added(first: Mapping[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """The second reply with what both used."""
    usage = {key: first["usage"][key] + count for key, count in second["usage"].items()}
    return {**second, "usage": usage, "cost": first["cost"] + second["cost"]}


def _changed(fields: dict[str, Any], outcome: HookOutcome) -> dict[str, Any]:
    """The request as a hook left it. Its messages win over a prompt that stands beside them."""
    context = outcome.context
    if context is None or not (outcome.modified or outcome.action == "redirect"):
        return fields
    before = check_request(fields)
    changed = dict(fields)
    for key in _CHANGEABLE:
        if key in context:
            changed[key] = context[key]
    if context.get("messages") is not None:
        # They were shown with the system's and the prompt's among them.
        for key in ("prompt", "system", "system_prompt"):
            changed.pop(key, None)
    prompt = context.get("prompt")
    same = context.get("messages") == before["messages"]
    if same and isinstance(prompt, str) and prompt != last_user_text(before):
        changed["messages"] = _with_prompt(before["messages"], prompt)
    return changed


def _with_prompt(messages: list[dict[str, Any]], prompt: str) -> list[dict[str, Any]]:
    for index in range(len(messages) - 1, -1, -1):
        if messages[index]["role"] == "user":
            new = {**messages[index], "content": prompt}
            return [*messages[:index], new, *messages[index + 1 :]]
    return [*messages, {"role": "user", "content": prompt}]


def _changed_reply(reply: dict[str, Any], outcome: HookOutcome) -> dict[str, Any]:
    response = (outcome.context or {}).get("response")
    if not outcome.modified or not isinstance(response, dict):
        return reply
    content = response.get("content")
    changed = dict(reply)
    if isinstance(content, str) and len(content) <= ANSWER_MAX:
        changed["content"] = content
    if "tool_calls" in response:
        changed["tool_calls"] = check_calls(response["tool_calls"] or [], "tool_calls")
    if "structured" in response:
        changed["structured"] = response["structured"]
    return changed


def _refuse_cancelled(outcome: HookOutcome) -> None:
    if outcome.action == "cancel":
        raise ModelFailure("cancelled", f"a hook cancelled the call: {outcome.reason[:200]}")


def _judge_images(ctx: Context, request: Mapping[str, Any]) -> None:
    """An image by URL is fetched by the provider: only from hosts the run may reach itself."""
    for message in request["messages"]:
        if isinstance(message["content"], str):
            continue
        for part in message["content"]:
            if part["type"] == "image" and not part["url"].startswith("data:"):
                _judge_url(ctx, part["url"])


def _judge_url(ctx: Context, url: str) -> None:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise InvalidInput("llm: an image's url can't be read") from None
    if parts.username is not None or not host:
        raise InvalidInput("llm: an image's url has a host and no user name")
    verdict = ctx.policy.net.judge_host(parts.scheme, host, port)
    ctx.judge(verdict, action="connect", target=f"{parts.scheme}://{host}")
