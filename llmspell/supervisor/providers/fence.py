"""What the provider process may reach: the configured providers' hosts and ports, nothing else.

An audit hook sees every connect and look-up of this interpreter, whichever library makes it, and
can't be taken out again; the HTTP client's transport checks once more and bounds what it reads.
Programs can't be started, and litellm's native client, which no audit event shows, can't be loaded.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import AsyncIterator, Iterable
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from llmspell.policies.addresses import PUBLIC, classify
from llmspell.supervisor.providers.kernel import hold_to_ports

RESPONSE_MAX: Final = 33_554_432
"""Bytes of one response of a provider."""

ADDRESSES_MAX: Final = 4_096
_PORTS: Final = {"http": 80, "https": 443}
_INET: Final = frozenset({int(socket.AF_INET), int(socket.AF_INET6)})
_STARTS: Final = frozenset(
    {"os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system",
     "os.startfile", "subprocess.Popen", "pty.spawn"}
)  # fmt: skip
_DIALS: Final = frozenset({"socket.connect", "socket.sendto", "socket.sendmsg"})
_LOOKS: Final = frozenset({"socket.getaddrinfo", "socket.gethostbyname"})
_CLOSED_MODULES: Final = ("litellm.rust_bridge._native",)


class FenceRefusal(PermissionError):
    """The process was about to reach what it may not."""


def endpoint_of(url: str) -> tuple[str, int]:
    """Host and port of a URL. Raises `ValueError`."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError(f"{url[:200]!r} is no http or https URL")
    return parts.hostname.lower().rstrip("."), parts.port or _PORTS[parts.scheme]


class Fence:
    """The allowed ends. Closing it is for good."""

    def __init__(self, urls: Iterable[str], public: Iterable[str] = ()) -> None:
        """`public` are URLs that spells chose: a name there leads to public addresses alone, so
        that it can't be made to mean this machine or its network (NW-18)."""
        public = tuple(public)
        urls = (*urls, *public)
        self._public = {endpoint_of(url)[0] for url in public}
        self._ends = {endpoint_of(url) for url in urls}
        self._hosts = {host for host, _ in self._ends}
        self._addresses: set[tuple[str, int]] = set(self._ends)
        self._resolve = socket.getaddrinfo
        self.by_kernel = False
        """Whether the kernel holds native code to the ports, too."""

    def close(self) -> None:
        """Puts it up: from here on every act of this interpreter is seen."""
        for name in _CLOSED_MODULES:
            sys.modules[name] = None  # type: ignore[assignment]
        socket.getaddrinfo = self._looked_up
        self.by_kernel = hold_to_ports({port for _, port in self._ends})
        sys.addaudithook(self._audit)

    def check(self, host: str, port: int) -> None:
        """Raises `FenceRefusal` unless a provider is there."""
        if (host.lower().rstrip("."), port) not in self._ends:
            raise FenceRefusal(f"no provider is configured at {host[:200]}:{port}")

    def _audit(self, event: str, args: tuple[Any, ...]) -> None:
        if event in _DIALS:
            self._dial(event, args)
        elif event in _LOOKS:
            host = args[0]
            name = host.decode("utf-8", "replace") if isinstance(host, bytes) else host
            if name is not None and str(name).lower().rstrip(".") not in self._hosts:
                raise FenceRefusal(f"no provider is configured at {str(name)[:200]}")
        elif event == "socket.bind":
            if int(args[0].family) in _INET:
                raise FenceRefusal("the provider process listens to nobody")
        elif event in _STARTS:
            raise FenceRefusal("the provider process starts no program")

    def _dial(self, event: str, args: tuple[Any, ...]) -> None:
        address = args[1]
        if address is None:
            return  # on a connected socket: its other end was judged
        if int(args[0].family) not in _INET:
            raise FenceRefusal("the provider process reaches no socket in the file system")
        if (str(address[0]).lower(), address[1]) not in self._addresses:
            raise FenceRefusal(f"no provider is configured at {str(address[0])[:200]}:{address[1]}")

    def _looked_up(self, host: Any, port: Any, *args: Any, **named: Any) -> Any:
        """`socket.getaddrinfo`, which the hook has judged by name; its answers may be dialled."""
        found = self._resolve(host, port, *args, **named)
        name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
        ports = [each for known, each in self._ends if known == name.lower().rstrip(".")]
        if name.lower().rstrip(".") in self._public:
            _refuse_private(name, [str(answer[4][0]) for answer in found])
        if len(self._addresses) > ADDRESSES_MAX:
            self._addresses = set(self._ends)
        for answer in found:
            self._addresses |= {(str(answer[4][0]).lower(), each) for each in ports}
        return found


def _refuse_private(name: str, answers: list[str]) -> None:
    """A host that was granted by its own address, or as this machine, means what it says."""
    plain = name.lower().rstrip(".")
    if plain == "localhost" or plain.endswith(".localhost"):
        return
    for answer in answers:
        address = ip_address(answer.partition("%")[0])
        if plain != str(address) and classify(address) != PUBLIC:
            raise FenceRefusal(f"{name[:200]} leads to the {classify(address)} address {answer}")


def bind_client(fence: Fence) -> None:
    """Holds httpx, which every client here uses, to the fence, and bounds what it reads."""
    import httpx

    plain = httpx.AsyncHTTPTransport.handle_async_request

    async def handle(self: Any, request: Any) -> Any:
        default = _PORTS.get(request.url.scheme, 0)
        fence.check(request.url.host, request.url.port or default)
        response = await plain(self, request)
        _refuse_leading_away(request, response)
        response.stream = _Bounded(response.stream)
        return response

    httpx.AsyncHTTPTransport.handle_async_request = handle

    def refuse(self: Any, request: Any) -> Any:
        raise FenceRefusal("requests of the provider process are asynchronous")

    httpx.HTTPTransport.handle_request = refuse

    class _Bounded(httpx.AsyncByteStream):  # type: ignore[misc]
        def __init__(self, stream: Any) -> None:
            self._stream = stream
            self._size = 0

        async def __aiter__(self) -> AsyncIterator[bytes]:
            async for piece in self._stream:
                self._size += len(piece)
                if self._size > RESPONSE_MAX:
                    raise httpx.RemoteProtocolError(f"a response of over {RESPONSE_MAX} bytes")
                yield piece

        async def aclose(self) -> None:
            await self._stream.aclose()


def _refuse_leading_away(request: Any, response: Any) -> None:
    """A redirect to another host would take headers along that only this one may see."""
    location = response.headers.get("location")
    if location is None or not 300 <= response.status_code < 400:
        return
    target = request.url.join(location)
    if (target.scheme, target.host, target.port) != (
        request.url.scheme,
        request.url.host,
        request.url.port,
    ):
        raise FenceRefusal(f"the provider leads to another host, {str(target.host)[:200]}")


def bound_memory(limit: int) -> None:
    """Bytes of data this process may hold: an endless answer ends it, not the machine."""
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.umask(0o077)
