"""litellm, wrapped: requests in our form to any of its providers, its answers and errors in ours.

Imported in the provider process only: litellm takes 3 s and 165 MB, and was trojaned once.
Nothing it can be told by a request names a host, a key, a file or a callback.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from collections.abc import Awaitable, Callable, Mapping
from time import time
from typing import Any, Final, NamedTuple

from llmspell.llm import counting
from llmspell.llm.backoff import asked_for
from llmspell.llm.failures import ModelFailure

ENVIRONMENT: Final = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # no list of prices is fetched at import
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_MODE": "PRODUCTION",  # no .env file is read
    # Its own redaction knows no key, takes a part of one out and leaves the rest: ours is whole.
    "LITELLM_DISABLE_REDACT_SECRETS": "true",
    "LITELLM_RUST": "False",  # its native client dials past Python's audit events
    "DISABLE_AIOHTTP_TRANSPORT": "True",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}
"""Set before litellm is imported."""

MESSAGE_MAX: Final = 500
"""Characters of an error's text: providers echo whole requests."""

TEXT_MAX: Final = 65_536
"""Characters of an error's text that are looked at."""

ANSWER_MAX: Final = 4_194_304
CHUNKS_MAX: Final = 200_000


class Access(NamedTuple):
    """How one provider is reached. `key` "" where none is needed."""

    route: str
    base_url: str
    key: str
    organization: str
    headers: Mapping[str, str]
    options: Mapping[str, Any]


class Adapter:
    """All configured providers, by name."""

    def __init__(self, accesses: Mapping[str, Access], mask: Callable[[str], str]) -> None:
        """`mask` takes keys out of a text: errors are cut, and half a key would stay unseen."""
        self._mask = mask
        os.environ.update(ENVIRONMENT)
        import litellm

        litellm.telemetry = False
        litellm.suppress_debug_info = True
        litellm.drop_params = True
        litellm.disable_aiohttp_transport = True
        litellm.set_verbose = False
        for hooks in ("callbacks", "success_callback", "failure_callback", "input_callback"):
            setattr(litellm, hooks, [])
        self._litellm: Any = litellm
        self._accesses = dict(accesses)

    async def complete(
        self,
        name: str,
        request: Mapping[str, Any],
        seconds: float,
        on_chunk: Callable[[str], Awaitable[None]] | None,
    ) -> dict[str, Any]:
        """One completion. Raises `ModelFailure`."""
        access = self._accesses[name]
        given = self._common(access, request["model"], seconds)
        given |= _messages_of(request)
        given |= dict(access.options)
        try:
            async with asyncio.timeout(seconds):
                if on_chunk is None:
                    reply = _reply(await self._litellm.acompletion(**given))
                else:
                    given |= {"stream": True, "stream_options": {"include_usage": True}}
                    reply = await _streamed(await self._litellm.acompletion(**given), on_chunk)
        except ModelFailure:
            raise
        except Exception as error:
            raise failure(error, self._mask) from None
        reply["cost"] = self._cost(access, request["model"], reply["usage"])
        return reply

    async def embed(
        self, name: str, model: str, texts: list[str], seconds: float
    ) -> dict[str, Any]:
        """Vectors. Raises `ModelFailure`."""
        access = self._accesses[name]
        given = self._common(access, model, seconds)
        try:
            async with asyncio.timeout(seconds):
                answer = await self._litellm.aembedding(input=texts, **given)
            vectors = [list(map(float, item["embedding"])) for item in answer.data]
        except Exception as error:
            raise failure(error, self._mask) from None
        if len(vectors) != len(texts):
            raise ModelFailure("malformed", f"{len(texts)} texts, but {len(vectors)} vectors")
        usage = counting.usage(_count(answer.usage, "prompt_tokens"), 0)
        return {"vectors": vectors, "usage": usage, "cost": self._cost(access, model, usage)}

    def count_tokens(self, name: str, model: str, text: str) -> int:
        """By the model's tokenizer where litellm carries one, else by estimate."""
        known = f"{self._accesses[name].route}/{model}"
        try:
            return int(self._litellm.token_counter(model=known, text=text))
        except Exception:
            return counting.estimate(text)

    def info(self, name: str, model: str) -> dict[str, Any]:
        """What the price list knows of a model; asks nobody."""
        entry = self._entry(self._accesses[name], model)
        return {
            "context_length": _whole(entry.get("max_input_tokens") or entry.get("max_tokens")),
            "output_max": _whole(entry.get("max_output_tokens")),
            "input_price": _price(entry.get("input_cost_per_token")),
            "output_price": _price(entry.get("output_cost_per_token")),
            "tools": entry.get("supports_function_calling") is True,
            "vision": entry.get("supports_vision") is True,
            "structured": entry.get("supports_response_schema") is True,
            "streaming": True,
        }

    def _common(self, access: Access, model: str, seconds: float) -> dict[str, Any]:
        given: dict[str, Any] = {
            "model": f"{access.route}/{model}",
            "api_key": access.key or "none",
            "timeout": seconds,
            "num_retries": 0,
            "max_retries": 0,
            # Else a request with tools imports the proxy's packages, which are not installed.
            "_skip_mcp_handler": True,
        }
        if access.base_url:
            given["api_base"] = access.base_url
        if access.headers:
            given["extra_headers"] = dict(access.headers)
        if access.organization:
            given["organization"] = access.organization
        return given

    def _entry(self, access: Access, model: str) -> Mapping[str, Any]:
        prices = self._litellm.model_cost
        for key in (f"{access.route}/{model}", model):
            entry = prices.get(key)
            if isinstance(entry, dict):
                return entry
        return {}

    def _cost(self, access: Access, model: str, usage: Mapping[str, int]) -> float | None:
        entry = self._entry(access, model)
        prices = _price(entry.get("input_cost_per_token")), entry.get("output_cost_per_token")
        if prices[0] is None:
            return None
        out = _price(prices[1]) or 0.0
        return usage["input_tokens"] * prices[0] + usage["output_tokens"] * out


def _messages_of(request: Mapping[str, Any]) -> dict[str, Any]:
    """The request as litellm takes it."""
    given: dict[str, Any] = {"messages": [_message(item) for item in request["messages"]]}
    if request.get("tools"):
        given["tools"] = [{"type": "function", "function": dict(tool)} for tool in request["tools"]]
        choice = request.get("tool_choice")
        if choice is not None and choice.startswith("name:"):
            choice = {"type": "function", "function": {"name": choice[5:]}}
        if choice is not None:
            given["tool_choice"] = choice
    if request.get("schema"):
        schema = {"name": "answer", "schema": request["schema"]}
        given["response_format"] = {"type": "json_schema", "json_schema": schema}
    for key in ("temperature", "max_tokens", "stop"):
        if request.get(key) is not None:
            given[key] = request[key]
    return given


def _message(message: Mapping[str, Any]) -> dict[str, Any]:
    content = message["content"]
    if isinstance(content, list):
        content = [
            part
            if part["type"] == "text"
            else {"type": "image_url", "image_url": {"url": part["url"]}}
            for part in content
        ]
    given: dict[str, Any] = {"role": message["role"], "content": content}
    if message.get("tool_calls"):
        given["tool_calls"] = [
            {
                "id": call["id"],
                "type": "function",
                "function": {"name": call["name"], "arguments": json.dumps(call["arguments"])},
            }
            for call in message["tool_calls"]
        ]
    for key in ("tool_call_id", "name"):
        if key in message:
            given[key] = message[key]
    return given


def _reply(answer: Any) -> dict[str, Any]:
    choice = answer.choices[0]
    calls = [_call(call.id, call.function) for call in choice.message.tool_calls or ()]
    return {
        "content": choice.message.content or "",
        "tool_calls": calls,
        "usage": _usage(getattr(answer, "usage", None)),
        "finish_reason": choice.finish_reason or "stop",
    }


def _call(identity: Any, function: Any) -> dict[str, Any]:
    return {"id": identity or "call", "name": function.name, "arguments": function.arguments}


async def _streamed(stream: Any, on_chunk: Callable[[str], Awaitable[None]]) -> dict[str, Any]:
    pieces: list[str] = []
    calls: dict[int, dict[str, Any]] = {}
    usage: Any = None
    reason, size, count = "stop", 0, 0
    async for chunk in stream:
        count += 1
        usage = getattr(chunk, "usage", None) or usage
        if count > CHUNKS_MAX or size > ANSWER_MAX:
            raise ModelFailure("malformed", "the stream is longer than any answer may be")
        if not chunk.choices:
            continue
        choice = chunk.choices[0]
        reason = choice.finish_reason or reason
        text = choice.delta.content
        if text:
            size += len(text)
            pieces.append(text)
            await on_chunk(text)
        for part in choice.delta.tool_calls or ():
            call = calls.setdefault(part.index, {"id": "", "name": "", "arguments": ""})
            call["id"] = part.id or call["id"]
            call["name"] = part.function.name or call["name"]
            call["arguments"] += part.function.arguments or ""
            size += len(part.function.arguments or "")
    for index, call in calls.items():
        call["id"] = call["id"] or f"call_{index + 1}"
    return {
        "content": "".join(pieces),
        "tool_calls": [calls[index] for index in sorted(calls)],
        "usage": _usage(usage),
        "finish_reason": reason,
    }


def _usage(told: Any) -> dict[str, int]:
    return counting.usage(_count(told, "prompt_tokens"), _count(told, "completion_tokens"))


def _count(told: Any, name: str) -> int:
    value = getattr(told, name, 0)
    return value if type(value) is int and value >= 0 else 0


def _whole(value: Any) -> int | None:
    return value if type(value) is int and value > 0 else None


def _price(value: Any) -> float | None:
    known = isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < 1
    return float(value) if known else None


_KINDS: Final = (
    ("Timeout", "timeout"),
    ("TimeoutError", "timeout"),
    ("APITimeoutError", "timeout"),
    ("RateLimitError", "rate_limit"),
    ("AuthenticationError", "authentication"),
    ("PermissionDeniedError", "authorization"),
    ("ContextWindowExceededError", "context_length"),
    ("ContentPolicyViolationError", "content_filter"),
    ("NotFoundError", "model_not_found"),
    ("APIResponseValidationError", "malformed"),
    ("JSONSchemaValidationError", "malformed"),
    ("JSONDecodeError", "malformed"),
    ("BadRequestError", "bad_request"),
    ("UnprocessableEntityError", "bad_request"),
    ("UnsupportedParamsError", "bad_request"),
    ("ServiceUnavailableError", "unavailable"),
    ("InternalServerError", "unavailable"),
    ("BadGatewayError", "unavailable"),
    ("APIConnectionError", "network"),
)
_PREFIXES: Final = re.compile(
    r"^(?:litellm\.\w{1,60}: ?|\w{1,60}(?:Error|Exception): ?|\w{1,60}Exception - ?)+"
)
"""The classes that litellm puts before a provider's own words."""

_STATUSES: Final = {
    400: "bad_request",
    401: "authentication",
    403: "authorization",
    404: "model_not_found",
    408: "timeout",
    422: "bad_request",
    429: "rate_limit",
}


def failure(error: Exception, mask: Callable[[str], str]) -> ModelFailure:
    """Any exception of litellm's, as one of ours, masked before it is cut."""
    chain = list(_chain(error))
    refusal = next((one for one in chain if type(one).__name__ == "FenceRefusal"), None)
    if refusal is not None:
        return ModelFailure("authorization", str(refusal))
    if any(type(one).__name__ == "JSONDecodeError" for one in chain):
        return ModelFailure("malformed", "the provider's answer is no JSON")
    names = [kind.__name__ for kind in type(error).__mro__]
    kind = next((kind for name, kind in _KINDS if name in names), "")
    status = getattr(error, "status_code", None)
    if kind in ("", "network") and isinstance(status, int):
        # litellm calls much a connection error that the server did answer.
        told = "unavailable" if 502 <= status <= 599 else _STATUSES.get(status, "")
        kind = told or kind
    offline = any(_is_network(one) for one in chain)
    if kind in ("", "unavailable") and offline:
        kind = "network"
    if kind == "network" and not offline:
        kind = "malformed" if not isinstance(status, int) or status < 500 else "unavailable"
    whole = str(getattr(error, "message", None) or error)[:TEXT_MAX]
    text = " ".join(mask(whole.partition("Traceback (most recent call last)")[0]).split())
    plain = _PREFIXES.sub("", text)[:MESSAGE_MAX]
    words = f"the provider says: {plain}" if plain else "the provider does not say why"
    return ModelFailure(kind or "failed", words, retry_after=_retry_after(chain))


def _chain(error: BaseException) -> Any:
    seen: set[int] = set()
    current: BaseException | None = error
    while current is not None and id(current) not in seen and len(seen) < 20:
        seen.add(id(current))
        yield current
        current = current.__cause__ or current.__context__


def _is_network(error: BaseException) -> bool:
    names = {kind.__name__ for kind in type(error).__mro__}
    return isinstance(error, OSError) or bool(
        names & {"ConnectError", "ReadError", "WriteError", "RemoteProtocolError", "NetworkError"}
    )


def _retry_after(chain: list[BaseException]) -> float | None:
    for error in chain:
        response = getattr(error, "response", None)
        for headers in (
            getattr(error, "litellm_response_headers", None),
            getattr(response, "headers", None),
        ):
            try:
                value = headers.get("retry-after") if headers is not None else None
                if value is not None:
                    return asked_for(str(value), time())
            except (ValueError, TypeError, AttributeError):
                continue
    return None
