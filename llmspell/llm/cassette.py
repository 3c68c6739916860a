"""Record and replay: what providers answered, by the request they were asked.

A cassette is a JSONL file of the user's choice, mode 0600: a line per reply with the SHA-256 of the
canonical request (provider, model, messages, tools, schema, settings; no times, no fallbacks). No
key is in it: none ever reaches the process that writes it.
"""

from __future__ import annotations

import os
import stat

from llmspell.errors import ConfigurationError
from llmspell.llm import counting
from llmspell.llm.failures import ModelFailure
from llmspell.llm.port import ModelInfo
from llmspell.llm.requests import last_user_text
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

    from llmspell.llm.port import OnChunk, Provider

SIZE_MAX: Final = 268_435_456
"""Bytes of a cassette."""

SHOWN_MAX: Final = 200
_MARK: Final = "llmspell cassette"


def canonical(request: Mapping[str, Any]) -> str:
    """The SHA-256 of a request's canonical JSON."""
    import hashlib

    return hashlib.sha256(counting.compact(dict(request)).encode("utf-8")).hexdigest()


class Cassette:
    """Recorded replies by request; the same request twice has its replies in their order."""

    def __init__(self, path: str) -> None:
        """Reads a cassette. Raises `ConfigurationError` for one that can't be used."""
        from llmspell.channel.jsontext import Malformed, decode

        self.path = path
        self._replies: dict[str, list[Any]] = {}
        for number, line in enumerate(_read(path).splitlines(), start=1):
            if not line.strip():
                continue
            try:
                entry = decode(line)
                self._replies.setdefault(entry["sha256"], []).append(entry["reply"])
            except (Malformed, KeyError, TypeError):
                raise ConfigurationError(f"{path}: line {number} is no recording") from None

    def take(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """The next reply to this request; the last one stays. Raises `ModelFailure`."""
        found = self._replies.get(canonical(request))
        if not found:
            said = repr(last_user_text(request) if "messages" in request else request)[:SHOWN_MAX]
            asked = f"{request.get('provider')}/{request.get('model')}"
            raise ModelFailure(
                "replay",
                f"{self.path} holds no answer of {asked} to this request (sha256 "
                f"{canonical(request)[:16]}…), which ends with {said}",
                hint="record it again: [providers] record = the same file",
            )
        reply: dict[str, Any] = dict(found.pop(0) if len(found) > 1 else found[0])
        return reply


class Replayed:
    """A provider that answers from a cassette alone (`llm.port.Provider`)."""

    def __init__(self, cassette: Cassette, name: str) -> None:
        self._cassette = cassette
        self._name = name

    async def complete(
        self, request: Mapping[str, Any], seconds: float, on_chunk: OnChunk | None
    ) -> dict[str, Any]:
        """The recorded reply, in one piece; see `Provider.complete`."""
        reply = self._cassette.take(request)
        if on_chunk is not None and reply.get("content"):
            await on_chunk(reply["content"])
        return reply

    async def embed(self, model: str, texts: list[str], seconds: float) -> dict[str, Any]:
        """The recorded vectors; see `Provider.embed`."""
        return self._cassette.take(_embedding(self._name, model, texts))

    async def count_tokens(self, model: str, text: str) -> int:
        """By estimate."""
        return counting.estimate(text)

    async def info(self, model: str) -> ModelInfo:
        """A replay costs nothing and is able to do whatever was recorded."""
        return ModelInfo(None, None, 0.0, 0.0, True, True, True, True)


class Recorded:
    """A provider whose replies are kept in a cassette as they come (`llm.port.Provider`)."""

    def __init__(self, provider: Provider, path: str, name: str) -> None:
        self._provider = provider
        self._path = path
        self._name = name

    async def complete(
        self, request: Mapping[str, Any], seconds: float, on_chunk: OnChunk | None
    ) -> dict[str, Any]:
        """See `Provider.complete`. Raises `ConfigurationError` when the reply can't be kept."""
        reply = await self._provider.complete(request, seconds, on_chunk)
        _append(self._path, dict(request), reply)
        return reply

    async def embed(self, model: str, texts: list[str], seconds: float) -> dict[str, Any]:
        """See `Provider.embed`."""
        reply = await self._provider.embed(model, texts, seconds)
        _append(self._path, _embedding(self._name, model, texts), reply)
        return reply

    async def count_tokens(self, model: str, text: str) -> int:
        """The provider's."""
        return await self._provider.count_tokens(model, text)

    async def info(self, model: str) -> ModelInfo:
        """The provider's."""
        return await self._provider.info(model)


def _embedding(provider: str, model: str, texts: list[str]) -> dict[str, Any]:
    return {"embed": texts, "provider": provider, "model": model}


def _read(path: str) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        try:
            with os.fdopen(handle, "rb", closefd=False) as file:
                data = file.read(SIZE_MAX + 1)
        finally:
            os.close(handle)
    except OSError as error:
        raise ConfigurationError(f"{path}: it can't be read ({error.strerror})") from None
    if len(data) > SIZE_MAX:
        raise ConfigurationError(f"{path}: it is over {SIZE_MAX} bytes")
    return data


def _append(path: str, request: dict[str, Any], reply: Mapping[str, Any]) -> None:
    entry = {
        "kind": _MARK,
        "sha256": canonical(request),
        "request": request,
        "reply": dict(reply),
    }
    line = counting.compact(entry).encode("utf-8") + b"\n"
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        handle = os.open(path, flags, 0o600)
        try:
            there = os.fstat(handle)
            if not stat.S_ISREG(there.st_mode):
                raise ConfigurationError(f"{path}: it is no regular file")
            before = there.st_size
            if before + len(line) > SIZE_MAX:
                raise ConfigurationError(f"{path}: it would be over {SIZE_MAX} bytes")
            try:
                if os.write(handle, line) != len(line):
                    raise OSError(28, "the disk took only a part of an answer")
            except OSError:
                # Half a line would spoil all that was recorded before it.
                os.ftruncate(handle, before)
                raise
        finally:
            os.close(handle)
    except OSError as error:
        raise ConfigurationError(f"{path}: it can't be written ({error.strerror})") from None
