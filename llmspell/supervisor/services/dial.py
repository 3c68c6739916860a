"""The one function that dials: resolve once, judge every answer, connect to exactly one of them.

Imported at a run's first request only (it needs httpcore and asyncio). The name that TLS checks
and the Host header carries stays the spell's; the address is the judged one (NW-11, 12, 18, 19).
"""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable

import httpcore

from llmspell.errors import InternalError, OperationFailed
from llmspell.policies.verdict import deny
from llmspell.records import TYPE_CHECKING
from llmspell.supervisor.services.context import CallContext
from llmspell.supervisor.services.proxies import Proxy
from llmspell.supervisor.services.weburl import WebUrl

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterable
    from typing import Any, Final

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Every address of a name, as text."""

ANSWERS_MAX: Final = 64
TRIES_MAX: Final = 4
"""Addresses a name may have, and those that are tried."""

LOOKUPS_MAX: Final = 64
"""Questions to name servers at once, in all sessions, also those that nobody waits for."""

CONNECT_SECONDS: Final = 10.0

CONNECTIONS_MAX: Final = 256
"""Connections open at once, of all sessions of this process together (NW-32)."""

HEAD_MAX: Final = 262_144
"""Bytes received until an answer's head is complete: interim answers count (NW-28)."""

WIRE_FACTOR: Final = 8
WIRE_MIN: Final = 1_048_576
"""Bytes received per byte that a body may have, and those on top: a chunk of one byte has six."""


_looking_up: set[object] = set()
_connected: set[object] = set()


async def system_resolve(name: str, port: int) -> list[str]:
    """The operating system's answer. Raises `OSError`.

    In a thread of its own that nobody waits for: a name server that does not answer holds up
    neither the deadline nor the end of the run, as the event loop's own threads would.
    """
    import asyncio
    import threading

    if len(_looking_up) >= LOOKUPS_MAX:
        raise OSError(11, "too many names are being looked up")
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[str]] = loop.create_future()

    def settle(answers: list[str], error: OSError | None) -> None:
        if found.done():
            return
        if error is None:
            found.set_result(answers)
        else:
            found.set_exception(error)

    def look_up() -> None:
        answers: list[str] = []
        problem: OSError | None = None
        try:
            given = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM)
            answers = list(dict.fromkeys(str(answer[4][0]) for answer in given))
        except OSError as error:
            problem = error
        except UnicodeError:
            problem = OSError(22, "no host name")
        finally:
            _looking_up.discard(token)
        try:
            loop.call_soon_threadsafe(settle, answers, problem)
        except RuntimeError:
            return  # The run has ended meanwhile.

    token = object()
    _looking_up.add(token)
    try:
        threading.Thread(target=look_up, name="resolve", daemon=True).start()
    except RuntimeError:
        _looking_up.discard(token)
        raise OSError(11, "no thread to look a name up in") from None
    return await found


async def judged_addresses(ctx: CallContext, url: WebUrl, resolve: Resolve) -> list[str]:
    """All addresses of the URL's host; one that is denied denies them all.

    Raises `Denied`, `OperationFailed` (kind network) when the name has none.
    """
    if url.host.address is not None:
        answers = [str(url.host.address)]
    else:
        try:
            answers = await resolve(url.host.name, url.port)
        except OSError:
            answers = []
        if not answers:
            raise failed(f"{url.host.name} has no address")
    if len(answers) > ANSWERS_MAX:
        refuse = deny("net.answers", f"the name has over {ANSWERS_MAX} addresses")
        ctx.judge(refuse, action="connect", target=url.shown)
    for address in answers:
        verdict = ctx.policy.net.judge_address(url.host, address, url.port)
        if verdict.allowed is not True:
            ctx.judge(verdict, action="connect", target=url.shown)
            raise InternalError("a denial was taken for an allow")
    return answers


class Dialler(httpcore.AsyncNetworkBackend):
    """What httpcore is given instead of the network: it can reach one URL's host, or the proxy.

    `room` is how many bytes may still be received, of whatever kind: what a parser skips (interim
    answers, words in chunk sizes) costs as much as what it keeps, and no body's limit counts it.
    """

    def __init__(
        self, ctx: CallContext, url: WebUrl, resolve: Resolve, proxy: Proxy | None
    ) -> None:
        self.room = HEAD_MAX
        self._ctx = ctx
        self._url = url
        self._resolve = resolve
        self._proxy = proxy
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Dials. Raises `Denied`, httpcore's connect errors."""
        if self._proxy is not None:
            if (host, port) != (self._proxy.host, self._proxy.port):
                raise InternalError("a request was about to leave past the proxy")
            # The proxy is the user's own configuration, so wherever it is it may be reached.
            return await self._connected_to(host, port)
        if (host, port) != (self._url.host.name, self._url.port):
            raise InternalError("a request was about to leave for another host")
        addresses = await judged_addresses(self._ctx, self._url, self._resolve)
        problem: Exception | None = None
        for address in addresses[:TRIES_MAX]:
            try:
                return await self._connected_to(address, port)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                problem = error
        raise problem or httpcore.ConnectError("no address answered")

    async def _connected_to(self, address: str, port: int) -> httpcore.AsyncNetworkStream:
        if len(_connected) >= CONNECTIONS_MAX:
            raise failed(f"over {CONNECTIONS_MAX} connections are open")
        place = object()
        _connected.add(place)
        try:
            stream = await self._network.connect_tcp(address, port, timeout=CONNECT_SECONDS)
        except BaseException:
            _connected.discard(place)
            raise
        return _Metered(stream, self, place)

    def expect_body(self, most: int) -> None:
        """The head is complete; a body of at most so many bytes may follow."""
        self.room = WIRE_FACTOR * most + WIRE_MIN

    def take(self, received: int) -> None:
        """Counts received bytes. Raises `OperationFailed` for too many."""
        self.room -= received
        if self.room < 0:
            raise failed(f"{self._url.authority} sends far more than an answer has")

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore.AsyncNetworkStream:
        """Refused: spells reach hosts, never sockets in the file system."""
        raise InternalError("a request was about to leave for a unix socket")

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        await self._network.sleep(seconds)


class _Metered(httpcore.AsyncNetworkStream):
    """A connection whose received bytes its dialler counts, and which counts as open itself."""

    def __init__(
        self, stream: httpcore.AsyncNetworkStream, dialler: Dialler, place: object
    ) -> None:
        self._stream = stream
        self._dialler = dialler
        self._place = place

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        data = await self._stream.read(max_bytes, timeout)
        self._dialler.take(len(data))
        return data

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        _connected.discard(self._place)
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        stream = await self._stream.start_tls(ssl_context, server_hostname, timeout)
        return _Metered(stream, self._dialler, self._place)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def failed(what: str, kind: str = "network") -> OperationFailed:
    """A request that was allowed and did not work."""
    return OperationFailed(what, code=6003, kind=kind, recoverable=True)
