"""The provider process at work: keys found, fence up, litellm in, requests answered to the end."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import threading
from collections.abc import Mapping
from typing import Any, Final

from llmspell.channel.jsontext import Malformed, decode, encode
from llmspell.config.provider_types import TYPES
from llmspell.errors import LlmspellError
from llmspell.llm.failures import ModelFailure
from llmspell.supervisor.masking import Masker
from llmspell.supervisor.providers import wire
from llmspell.supervisor.providers.fence import Fence, bind_client, bound_memory
from llmspell.supervisor.providers.kernel import hide_memory
from llmspell.supervisor.providers.keys import find_key
from llmspell.supervisor.providers.veil import StreamVeil
from llmspell.supervisor.shards.frames import Frame, Kind
from llmspell.supervisor.shards.pipe import Pipe

REQUESTS_MAX: Final = 256
"""Requests under way; one more fails as a provider that is busy would."""

MEMORY_MAX: Final = 4 << 30
LOOK_MILLISECONDS: Final = 500


def serve(descriptor: int, start: Mapping[str, Any]) -> None:
    """Answers until the pipe ends. `start` holds providers, variables and environment."""
    channel = socket.fromfd(descriptor, socket.AF_UNIX, socket.SOCK_STREAM)
    os.close(descriptor)
    watcher = threading.Thread(
        target=_end_with_home, args=(channel.dup(), start["home"]), daemon=True
    )
    watcher.start()
    hide_memory()
    bound_memory(MEMORY_MAX)
    os.environ.update(start["environ"])
    server = _Server(start)
    asyncio.run(server.serve(channel))


def _end_with_home(channel: socket.socket, home: int) -> None:
    """Without its supervisor the process ends at once, also in the middle of an import."""
    poller = select.poll()
    poller.register(channel, 0)  # nothing but the other end's closing
    while not poller.poll(LOOK_MILLISECONDS):
        if os.getppid() != home:
            break
    os._exit(0)


class _Server:
    def __init__(self, start: Mapping[str, Any]) -> None:
        self._providers = {item["name"]: item for item in start["providers"]}
        self._keys: dict[str, str] = {}
        self._broken: dict[str, ModelFailure] = {}
        secrets = list(start["secrets"])
        variables = start["variables"]
        for name, provider in self._providers.items():
            try:
                self._keys[name] = find_key(provider, variables)
            except ModelFailure as failure:
                self._broken[name] = failure
        secrets += [*self._keys.values(), *variables.values()]
        self._variables = variables
        self._masker = Masker(secrets)
        known = start["providers"]
        self._fence = Fence(
            [*(item["base_url"] for item in known if not item["foreign"]), *start["proxies"]],
            [item["base_url"] for item in known if item["foreign"]],
        )
        self._tasks: dict[int, asyncio.Task[None]] = {}
        self._adapter: Any = None

    async def serve(self, channel: socket.socket) -> None:
        """Loads litellm behind the fence, says that it is ready, answers."""
        ended = asyncio.Event()
        pipe = Pipe(channel, lambda frame: self._received(pipe, frame), ended.set)
        self._fence.close()
        try:
            from llmspell.llm.litellm_adapter import Access, Adapter

            accesses = {
                name: Access(
                    route=TYPES[item["type"]].route,
                    base_url=_other_than_default(item),
                    key=self._keys.get(name, ""),
                    organization=self._variables.get(item["organization"], ""),
                    headers={
                        header: self._variables.get(variable, "")
                        for header, variable in item["headers"]
                    },
                    options=dict(item["options"]),
                )
                for name, item in self._providers.items()
            }
            self._adapter = Adapter(accesses, self._masker.mask_text)
            bind_client(self._fence)
        except ImportError as error:
            self._tell(pipe, wire.FAILURE, 0, _not_installed(error).to_fields())
        except Exception as error:
            words = f"litellm can't be used ({type(error).__name__}: {str(error)[:200]})"
            self._tell(pipe, wire.FAILURE, 0, ModelFailure("unavailable", words).to_fields())
        else:
            pipe.send(wire.READY)
        await ended.wait()

    def _received(self, pipe: Pipe, frame: Frame) -> None:
        if frame.kind is wire.CANCEL:
            task = self._tasks.get(frame.run)
            if task is not None:
                task.cancel()
        elif frame.kind is wire.REQUEST and frame.run not in self._tasks:
            if len(self._tasks) >= REQUESTS_MAX:
                busy = ModelFailure("unavailable", f"over {REQUESTS_MAX} requests are under way")
                self._tell(pipe, wire.FAILURE, frame.run, busy.to_fields())
                return
            task = asyncio.ensure_future(self._answer(pipe, frame.run, frame.payload))
            self._tasks[frame.run] = task
            task.add_done_callback(lambda _: self._tasks.pop(frame.run, None))

    async def _answer(self, pipe: Pipe, number: int, payload: bytes) -> None:
        try:
            reply = await self._perform(pipe, number, decode(payload))
        except LlmspellError as error:
            failed = error if isinstance(error, ModelFailure) else None
            known = failed or ModelFailure("failed", error.message)
            self._tell(pipe, wire.FAILURE, number, known.to_fields())
        except Exception as error:
            # Its text may hold anything, also of the request's headers.
            words = f"the provider process failed ({type(error).__name__})"
            self._tell(pipe, wire.FAILURE, number, ModelFailure("failed", words).to_fields())
        else:
            self._tell(pipe, wire.REPLY, number, reply)

    async def _perform(self, pipe: Pipe, number: int, order: dict[str, Any]) -> Any:
        name, operation = order["provider"], order["operation"]
        if self._adapter is None:
            raise ModelFailure("unavailable", "litellm could not be loaded")
        if operation == "info":
            return self._adapter.info(name, order["model"])
        if operation == "count_tokens":
            return self._adapter.count_tokens(name, order["model"], order["text"])
        self._check_key(name)
        seconds = float(order["seconds"])
        if operation == "embed":
            return await self._adapter.embed(name, order["model"], order["texts"], seconds)
        if not order["stream"]:
            return await self._adapter.complete(name, order["request"], seconds, None)
        veil = StreamVeil(self._masker)

        async def pass_on(piece: str) -> None:
            shown = veil.pass_on(piece)
            if shown:
                pipe.send(wire.CHUNK, number, encode(shown))
                await pipe.room()

        reply = await self._adapter.complete(name, order["request"], seconds, pass_on)
        rest = veil.rest()
        if rest:
            pipe.send(wire.CHUNK, number, encode(rest))
        return reply

    def _check_key(self, name: str) -> None:
        if name in self._broken:
            raise self._broken[name]
        variable = self._providers[name]["api_key_env"]
        if not self._keys.get(name) and (variable or self._providers[name]["api_key_file"]):
            if variable and _is_own_server(self._providers[name]):
                return
            raise ModelFailure(
                "no_key",
                f"there is no key for {name}",
                hint=f"set the variable {variable}, or keep the key in the keyring under "
                f"llmspell/{name}"
                if variable
                else None,
            )

    def _tell(self, pipe: Pipe, kind: Kind, number: int, value: Any) -> None:
        """Sends a value home; no secret is in it when it leaves."""
        try:
            pipe.send(kind, number, encode(self._masker.mask(value)))
        except (Malformed, LlmspellError):
            failure = ModelFailure("malformed", "the provider's answer can't be carried")
            pipe.send(wire.FAILURE, number, encode(failure.to_fields()))


def _other_than_default(provider: Mapping[str, Any]) -> str:
    """The base URL where it is not the kind's own, which the adapter knows best how to use."""
    url = str(provider["base_url"])
    return "" if url == TYPES[provider["type"]].base_url else url


def _is_own_server(provider: Mapping[str, Any]) -> bool:
    """A server of the user's own that speaks a provider's protocol: it may ask for no key."""
    return bool(_other_than_default(provider))


def _not_installed(error: ImportError) -> ModelFailure:
    return ModelFailure(
        "unavailable",
        f"models need a package that is not installed ({error.name})",
        hint="pip install llmspell[llm]",
    )
