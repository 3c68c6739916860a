"""The provider that needs no network and no key: `fake`, also called `mock` (API-118, LLM-016).

    echo        says what the user said (every model whose name is not one of the others)
    mock-model  calls the calculator for a sum if it is on offer, and says its result
    test-model  says "Hello from test model"

A script, which the user chooses, takes the place of all of them. An answer by JSON Schema is the
plainest value that fits. Usage is counted by `counting.estimate`; nothing costs anything.
"""

from __future__ import annotations

import re

from llmspell.llm import counting
from llmspell.llm.failures import ModelFailure
from llmspell.llm.port import ModelInfo
from llmspell.llm.requests import last_user_text
from llmspell.llm.sample import sample
from llmspell.llm.script import Script, scripted_failure
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

    from llmspell.llm.port import OnChunk
    from llmspell.llm.script import Turn

CONTEXT_LENGTH: Final = 1_000_000
VECTOR_SIZE: Final = 64
GREETING: Final = "Hello from test model"

_SUM: Final = re.compile(
    r"-?\d{1,15}(?:\.\d{1,9})?(?:\s{0,3}[-+*/×÷]\s{0,3}-?\d{1,15}(?:\.\d{1,9})?){1,8}"
)
_SIGNS: Final = str.maketrans("×÷", "*/")
_QUESTION_MAX: Final = 10_000


class FakeProvider:
    """One run's fake; how far its script has come is the run's own."""

    def __init__(self, script: str = "") -> None:
        """Raises `ConfigurationError` for a script that can't be used."""
        self._script = Script.load(script) if script else None

    def unfinished(self) -> ModelFailure | None:
        """What to say when the run ends before its script."""
        return None if self._script is None else self._script.unfinished()

    async def complete(
        self, request: Mapping[str, Any], seconds: float, on_chunk: OnChunk | None
    ) -> dict[str, Any]:
        """An answer by script or model; see `Provider.complete`."""
        if self._script is not None:
            turn = self._script.next(request, request["model"])
            await _wait(turn.delay)
            failure = scripted_failure(turn)
            if failure is not None:
                raise failure
            return await _told(request, turn, on_chunk)
        if request["model"] == "script":
            raise ModelFailure(
                "script",
                "fake has no script",
                hint="set [providers.fake] script or LLMSPELL_FAKE_SCRIPT to a file",
            )
        reply = _answer(request)
        if request.get("stop") and "structured" not in reply:
            reply = _stopped(request, reply)
        limit = request.get("max_tokens")
        if limit is not None and "structured" not in reply:
            reply = _cut(reply, limit)
        if on_chunk is not None:
            for piece in _pieces(reply["content"]):
                await on_chunk(piece)
        return reply

    async def embed(self, model: str, texts: list[str], seconds: float) -> dict[str, Any]:
        """Vectors by hashing words: equal texts are equal, texts that share words are near."""
        tokens = sum(counting.estimate(text) for text in texts)
        return {
            "vectors": [_vector(text) for text in texts],
            "usage": counting.usage(tokens, 0),
            "cost": 0.0,
        }

    async def count_tokens(self, model: str, text: str) -> int:
        """Four bytes a token."""
        return counting.estimate(text)

    async def info(self, model: str) -> ModelInfo:
        """Everything is there and free."""
        return ModelInfo(CONTEXT_LENGTH, None, 0.0, 0.0, True, True, True, True)


def _answer(request: Mapping[str, Any]) -> dict[str, Any]:
    model = request["model"]
    if model == "test-model":
        return _reply(request, GREETING)
    if model == "mock-model":
        found = _calculation(request)
        if found is not None:
            return found
    if "schema" in request:
        return _structured(request, sample(request["schema"]))
    return _reply(request, _echoed(request))


def _echoed(request: Mapping[str, Any]) -> str:
    last = request["messages"][-1]
    if last["role"] == "tool":
        return counting.texts_of(last)
    return last_user_text(request) or counting.texts_of(last)


def _calculation(request: Mapping[str, Any]) -> dict[str, Any] | None:
    """The calculator's call, or its result put in words; None where no sum is asked for."""
    last = request["messages"][-1]
    found = _SUM.search(last_user_text(request)[:_QUESTION_MAX])
    if found is None or "calculator" not in {tool["name"] for tool in request.get("tools", ())}:
        return None
    expression = found[0].translate(_SIGNS)
    if last["role"] == "tool":
        return _reply(request, f"{expression} = {_result(counting.texts_of(last))}")
    call = {"id": "call_1", "name": "calculator", "arguments": {"expression": expression}}
    return {**_reply(request, ""), "tool_calls": [call], "finish_reason": "tool_calls"}


def _result(text: str) -> str:
    """The number a calculator's answer holds, in whatever shape the answer is."""
    from llmspell.channel.jsontext import Malformed, decode

    try:
        value = decode(text.encode("utf-8", "replace"))
    except Malformed:
        return text
    while isinstance(value, dict):
        value = next((value[key] for key in ("result", "value", "output") if key in value), None)
    return text if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _reply(request: Mapping[str, Any], content: str) -> dict[str, Any]:
    return {
        "content": content,
        "tool_calls": [],
        "usage": counting.usage(counting.input_tokens(request), counting.estimate(content)),
        "cost": 0.0,
        "finish_reason": "stop",
    }


def _structured(request: Mapping[str, Any], value: Any) -> dict[str, Any]:
    return {**_reply(request, counting.compact(value)), "structured": value}


def _stopped(request: Mapping[str, Any], reply: dict[str, Any]) -> dict[str, Any]:
    """The answer up to the first of the words that end it."""
    content = reply["content"]
    ends = [found for word in request["stop"] if (found := content.find(word)) >= 0]
    return {**reply, **_reply(request, content[: min(ends)])} if ends else reply


def _cut(reply: dict[str, Any], tokens: int) -> dict[str, Any]:
    content = reply["content"].encode("utf-8")
    room = tokens * counting.BYTES_A_TOKEN
    if len(content) <= room:
        return reply
    shorter = content[:room].decode("utf-8", "ignore")
    usage = counting.usage(reply["usage"]["input_tokens"], tokens)
    return {**reply, "content": shorter, "usage": usage, "finish_reason": "length"}


def _pieces(text: str) -> list[str]:
    """A text in words with the spaces after them, as models stream."""
    return re.findall(r"\S+\s*|\s+", text)


async def _told(request: Mapping[str, Any], turn: Turn, on_chunk: OnChunk | None) -> dict[str, Any]:
    says = turn.says
    if "structured" in says and "text" not in says:
        reply = _structured(request, says["structured"])
    else:
        reply = _reply(request, says.get("text", ""))
    if says.get("tool_calls"):
        reply["tool_calls"] = [
            {
                "id": str(call.get("id", f"call_{turn.number}_{index}")),
                "name": call["name"],
                "arguments": call.get("arguments") or {},
            }
            for index, call in enumerate(says["tool_calls"], start=1)
        ]
        reply["finish_reason"] = "tool_calls"
    if "usage" in says:
        told = says["usage"]
        reply["usage"] = counting.usage(
            int(told.get("input_tokens", 0)), int(told.get("output_tokens", 0))
        )
    reply["cost"] = float(says.get("cost", 0.0))
    reply["finish_reason"] = str(says.get("finish_reason", reply["finish_reason"]))
    if on_chunk is not None:
        pieces = turn.chunks if turn.chunks is not None else _pieces(reply["content"])
        for piece in pieces:
            await on_chunk(piece)
    return reply


async def _wait(seconds: float) -> None:
    if seconds:
        import asyncio

        await asyncio.sleep(seconds)


def _vector(text: str) -> list[float]:
    from llmspell.digests import sha256

    vector = [0.0] * VECTOR_SIZE
    for word in text.lower().split() or [""]:
        digest = sha256(word.encode("utf-8", "replace"))
        vector[int(digest[:8], 16) % VECTOR_SIZE] += 1.0 if int(digest[8:10], 16) % 2 else -1.0
    length = sum(value * value for value in vector) ** 0.5
    return [value / length for value in vector] if length else vector
