"""`http.request`: one request with its redirects, each hop judged, in one deadline.

No cookies, no .netrc, no credentials from anywhere: what is sent is what the spell gave. httpcore
speaks HTTP/1.1 over connections that `dial` made; every call has its own, so that no verdict on
an address outlives the call it was made for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from llmspell.errors import InvalidInput, LimitExceeded, OperationFailed
from llmspell.policies.limits import Amount, Limits, Unlimited
from llmspell.policies.verdict import deny
from llmspell.records import TYPE_CHECKING, NamedTuple
from llmspell.supervisor.services.bodies import Unpacker, text_or_bytes
from llmspell.supervisor.services.context import Args, CallContext
from llmspell.supervisor.services.webheaders import (
    check_headers,
    decode_headers,
    encode_headers,
    without_credentials,
)
from llmspell.supervisor.services.weburl import WebUrl, parse_url, with_query

if TYPE_CHECKING:
    import asyncio
    import ssl
    from typing import Any, Final

    import httpcore

    from llmspell.supervisor.services.dial import Dialler

REDIRECTS_MAX: Final = 10
AT_ONCE_MAX: Final = 100
"""Requests at once where the limit is spelled unlimited."""

BODY_MAX: Final = 16 * 2**20
"""Bytes of a response body however large the limit: what the channel carries."""

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

Resolve = Callable[[str, int], Awaitable[list[str]]]


class _Hop(NamedTuple):
    method: str
    url: WebUrl
    headers: dict[str, str]
    body: bytes | None


class Web:
    """The web for one session. `resolve` gives every address of a name (default: the system).

    `above` is the web of the run that this one belongs to: its requests at once count both.
    """

    __slots__ = ("_above", "_limits", "_resolve", "_slots", "_tls")

    def __init__(
        self, limits: Limits, resolve: Resolve | None = None, above: Web | None = None
    ) -> None:
        self._above = above
        self._limits = limits
        self._resolve = resolve
        self._slots: asyncio.Semaphore | None = None
        self._tls: ssl.SSLContext | None = None

    async def request(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """{status, headers, body, url, redirects}.

        Raises `Denied`, `InvalidInput`, `LimitExceeded`, and `OperationFailed` (6003) of kind
        network, tls or timeout.
        """
        import asyncio
        from contextlib import AsyncExitStack

        hop = self._first_hop(args)
        self._judge(ctx, hop)
        if hop.body is not None:
            ctx.reserve("transfer", len(hop.body))
        seconds = _least(args.get("timeout", 30), self._limits.request_time)
        try:
            async with asyncio.timeout(seconds), AsyncExitStack() as slots:
                for slot in self._all_slots():
                    await slots.enter_async_context(slot)
                return await self._follow(ctx, hop, args)
        except TimeoutError:
            raise OperationFailed(
                f"{hop.url.authority} took over {seconds:g} s",
                code=6003,
                kind="timeout",
                recoverable=True,
            ) from None

    def _first_hop(self, args: Args) -> _Hop:
        method = args.get("method", "GET")
        if method not in METHODS:
            raise InvalidInput(f"method is one of {', '.join(sorted(METHODS))}")
        url = with_query(parse_url(args["url"]), args.get("query") or {})
        headers = check_headers(args.get("headers") or {})
        body = _request_body(args, headers)
        most = self._limits.request_body
        if body is not None and not isinstance(most, Unlimited) and len(body) > most:
            raise LimitExceeded(
                "request_body",
                f"a request has at most {most} bytes",
                hint="to allow more: --limit request_body=…",
            )
        if body is None and method in ("POST", "PUT", "PATCH"):
            body = b""
        return _Hop(method, url, headers, body)

    def _judge(self, ctx: CallContext, hop: _Hop) -> None:
        verdict = ctx.policy.net.judge_host(hop.url.scheme, hop.url.host, hop.url.port)
        ctx.judge(verdict, action=hop.method, target=hop.url.shown)

    def _all_slots(self) -> list[asyncio.Semaphore]:
        above = [] if self._above is None else self._above._all_slots()
        return [self._slot(), *above]

    def _slot(self) -> asyncio.Semaphore:
        import asyncio

        if self._slots is None:
            most = self._limits.requests_at_once
            count = AT_ONCE_MAX if isinstance(most, Unlimited) else int(most)
            if count < 1:
                raise LimitExceeded("requests_at_once", "no request is allowed at all")
            self._slots = asyncio.Semaphore(min(count, AT_ONCE_MAX))
        return self._slots

    async def _follow(self, ctx: CallContext, hop: _Hop, args: Args) -> dict[str, Any]:
        followed = 0
        while True:
            status, headers, body = await self._exchange(ctx, hop, args.get("max_bytes"))
            location = headers.get("location")
            redirect = status in (301, 302, 303, 307, 308) and location is not None
            if not redirect or not args.get("follow_redirects", True):
                return {
                    "status": status,
                    "headers": headers,
                    "body": text_or_bytes(body, headers.get("content-type", "")),
                    "url": hop.url.text,
                    "redirects": followed,
                }
            followed += 1
            if followed > REDIRECTS_MAX:
                raise OperationFailed(f"over {REDIRECTS_MAX} redirects", code=6003, kind="network")
            hop = self._next_hop(ctx, hop, status, location or "")
            self._judge(ctx, hop)

    def _next_hop(self, ctx: CallContext, hop: _Hop, status: int, location: str) -> _Hop:
        try:
            url = parse_url(location, hop.url)
        except InvalidInput as error:
            verdict = deny("net.redirect", f"the server redirects to no web address: {error}")
            ctx.judge(verdict, action="redirect", target=hop.url.shown)
            raise
        method, headers, body = hop.method, hop.headers, hop.body
        if url.origin != hop.url.origin:
            headers = without_credentials(headers)
        if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
            method, body = "GET", None
            headers = {name: text for name, text in headers.items() if name != "content-type"}
        elif body:
            ctx.reserve("transfer", len(body))
        return _Hop(method, url, headers, body)

    async def _exchange(
        self, ctx: CallContext, hop: _Hop, max_bytes: int | None
    ) -> tuple[int, dict[str, str], bytes]:
        import ssl

        import httpcore

        from llmspell.supervisor.services import dial, proxies, tls

        proxy = proxies.proxy_for(hop.url)
        resolve = self._resolve or dial.system_resolve
        if proxy is not None:
            await _judge_behind_proxy(ctx, hop.url, resolve)
        if self._tls is None:
            self._tls = tls.make_context()
        dialler = dial.Dialler(ctx, hop.url, resolve, proxy)
        pool = httpcore.AsyncConnectionPool(
            ssl_context=self._tls,
            proxy=None if proxy is None else _configured(proxy),
            max_connections=1,
            network_backend=dialler,
        )
        request = httpcore.Request(
            hop.method,
            httpcore.URL(
                scheme=hop.url.scheme.encode("ascii"),
                host=hop.url.host.name.encode("ascii"),
                port=hop.url.port,
                target=hop.url.target.encode("ascii"),
            ),
            headers=encode_headers(hop.url.authority, hop.headers, hop.body),
            content=hop.body or b"",
        )
        try:
            async with pool:
                return await self._receive(ctx, pool, request, dialler, max_bytes)
        except httpcore.TimeoutException:
            raise dial.failed(f"{hop.url.authority} does not answer", "timeout") from None
        except ssl.SSLError as error:
            raise dial.failed(f"{hop.url.authority}: {_tls_words(error)}", "tls") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpcore.ProxyError) as error:
            cause = _tls_cause(error)
            if cause is not None:
                raise dial.failed(f"{hop.url.authority}: {_tls_words(cause)}", "tls") from None
            broken = isinstance(error, httpcore.ProtocolError)
            what = "breaks HTTP" if broken else "can't be reached"
            raise dial.failed(f"{hop.url.authority} {what}") from None

    async def _receive(
        self,
        ctx: CallContext,
        pool: httpcore.AsyncConnectionPool,
        request: httpcore.Request,
        dialler: Dialler,
        max_bytes: int | None,
    ) -> tuple[int, dict[str, str], bytes]:
        response = await pool.handle_async_request(request)
        try:
            headers = decode_headers(response.headers)
            if response.status < 200:
                raise OperationFailed("the server switches protocols", code=6003, kind="network")
            most = int(_least(BODY_MAX, self._limits.response_body))
            if max_bytes is not None:
                most = min(most, max_bytes)
            dialler.expect_body(most)
            unpacker = Unpacker(headers.get("content-encoding", ""))
            pieces: list[bytes] = []
            assert not isinstance(response.stream, (bytes, bytearray))
            async for data in response.aiter_stream():
                ctx.reserve("transfer", len(data))
                # Counted as received too: compressed nothing is endless as well.
                if unpacker.taken + len(data) > most:
                    raise _too_large(most, most == max_bytes)
                for piece in unpacker.feed(data):
                    if unpacker.given > most:
                        raise _too_large(most, most == max_bytes)
                    pieces.append(piece)
            unpacker.finish()
            return response.status, headers, b"".join(pieces)
        finally:
            await response.aclose()


async def _judge_behind_proxy(ctx: CallContext, url: WebUrl, resolve: Resolve) -> None:
    """Where the name resolves here too its addresses are judged; the proxy resolves it again."""
    from llmspell.supervisor.services.dial import judged_addresses

    try:
        await judged_addresses(ctx, url, resolve)
    except OperationFailed:
        return  # Only the proxy knows this name; the verdict on the name stands.


def _configured(proxy: Any) -> httpcore.Proxy:
    import httpcore

    auth = None
    if proxy.user is not None:
        auth = (proxy.user.encode("utf-8"), (proxy.password or "").encode("utf-8"))
    url = httpcore.URL(
        scheme=proxy.scheme.encode("ascii"),
        host=proxy.host.encode("ascii"),
        port=proxy.port,
        target=b"/",
    )
    return httpcore.Proxy(url, auth=auth)


def _request_body(args: Args, headers: dict[str, str]) -> bytes | None:
    body = args.get("body")
    if "json" in args and args["json"] is not None:
        if body is not None:
            raise InvalidInput("give body or json, not both")
        from llmspell.channel import jsontext

        headers.setdefault("content-type", "application/json")
        try:
            return jsontext.encode(args["json"])
        except jsontext.Malformed as error:
            raise InvalidInput(f"json: {error}") from None
    if isinstance(body, str):
        headers.setdefault("content-type", "text/plain; charset=utf-8")
        try:
            return body.encode("utf-8")
        except UnicodeEncodeError:
            raise InvalidInput("body can't hold half of a surrogate pair") from None
    return body


def _least(first: float, second: Amount) -> float:
    return first if isinstance(second, Unlimited) else min(first, second)


def _too_large(most: int, chosen: bool) -> Exception:
    if chosen:
        return OperationFailed(
            f"the answer has over {most} bytes (max_bytes)", code=6003, kind="too_large"
        )
    return LimitExceeded(
        "response_body",
        f"the answer has over {most} bytes",
        hint="to allow more: --limit response_body=…",
    )


def _tls_cause(error: BaseException) -> Exception | None:
    import ssl

    found: BaseException | None = error
    while found is not None:
        if isinstance(found, ssl.SSLError):
            return found
        found = found.__cause__ or found.__context__
    return None


def _tls_words(error: Exception) -> str:
    return str(getattr(error, "verify_message", "") or getattr(error, "reason", "") or "TLS failed")
