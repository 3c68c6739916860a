"""A hostile web server: every answer is bytes that it chose, sent as it likes.

A request for `/ACT/TAG` is answered as `ACTS[ACT]` says and remembered under `TAG`, with the
address that it came to, so that a test sees what reached whom. Connections are kept open after an
answer: it is the client who must not use them again.
"""

from __future__ import annotations

import base64
import gzip
import json
import select
import socket
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from typing import Final
from urllib.parse import quote, unquote

PATIENCE: Final = 20.0
"""Seconds after which a connection ends, whatever the act."""


class Request:
    """One request as it came, and the connection to answer it on."""

    def __init__(self, connection: socket.socket, number: int, head: bytes) -> None:
        self.connection = connection
        self.number = number
        self.head = head
        self.body = b""
        self.came = self.left = time.monotonic()
        self.address = connection.getsockname()[0].removeprefix("::ffff:")
        self.target = head.split(b" ")[1].decode("latin-1")
        if self.target.startswith("http://"):  # As a proxy is asked.
            self.target = "/" + self.target.split("/", 3)[3]
        path, _, query = self.target.partition("?")
        self.act, _, self.tag = path.strip("/").partition("/")
        self.query = unquote(query)

    @property
    def proxy_credentials(self) -> tuple[str, str]:
        """User and password that came for a proxy."""
        given = self.headers.get("proxy-authorization", "Basic Og==").partition(" ")[2]
        user, _, password = base64.b64decode(given).decode().partition(":")
        return user, password

    @property
    def headers(self) -> dict[str, str]:
        """By lower-case name; of repeated ones the last."""
        lines = [line.partition(b":") for line in self.head.split(b"\r\n")[1:]]
        return {
            name.decode("latin-1").lower(): text.decode("latin-1").strip()
            for name, _, text in lines
        }

    def send(self, *pieces: bytes, pause: float = 0.0) -> None:
        """Sends the pieces one by one."""
        for piece in pieces:
            self.connection.sendall(piece)
            if pause:
                time.sleep(pause)


Act = bytes | Callable[[Request], None]


class WebServer:
    """Serves on listening sockets until closed; `requests` are all that came."""

    def __init__(self, listening: Iterable[socket.socket]) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self._listening = list(listening)
        self._lock = threading.Lock()
        self._open = True
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends; the listening sockets are closed."""
        self._open = False
        self._thread.join(5)
        for each in self._listening:
            each.close()

    def of(self, tag: str) -> list[Request]:
        """The requests that carried a tag."""
        return [request for request in self.requests if request.tag == tag]

    def most_at_once(self, act: str) -> int:
        """How many requests of an act were under way at the same time."""
        asked = [request for request in self.requests if request.act == act]
        return max(sum(one.came <= each.came < one.left for one in asked) for each in asked)

    def _serve(self) -> None:
        while self._open:
            for ready in select.select(self._listening, [], [], 0.05)[0]:
                connection, _ = ready.accept()
                with self._lock:
                    self.connections += 1
                    number = self.connections
                threading.Thread(target=self._talk, args=(connection, number), daemon=True).start()

    def _talk(self, connection: socket.socket, number: int) -> None:
        connection.settimeout(PATIENCE)
        try:
            with connection:
                while self._one(connection, number):
                    continue
        except OSError:
            return  # The client left, as it should.

    def _one(self, connection: socket.socket, number: int) -> bool:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = connection.recv(65536)
            if not piece:
                return False
            data += piece
        head, _, body = data.partition(b"\r\n\r\n")
        request = Request(connection, number, head)
        missing = int(request.headers.get("content-length", "0"))
        while len(body) < missing:
            body += connection.recv(65536)
        request.body = body
        self.requests.append(request)
        act = ACTS.get(request.act, ACTS["none"])
        if isinstance(act, bytes):
            request.send(act)
        else:
            act(request)
        return True


def answer(body: bytes = b"fine", status: int = 200, **headers: str) -> bytes:
    """A whole answer; `_` in names of headers becomes `-`."""
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {text}" for name, text in headers.items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def head(*lines: str | bytes, first: bytes = b"HTTP/1.1 200 X") -> bytes:
    """The beginning of an answer, of lines as they are."""
    rest = [line.encode("latin-1") if isinstance(line, str) else line for line in lines]
    return b"\r\n".join([first, *rest]) + b"\r\n\r\n"


CHUNKED: Final = "transfer-encoding: chunked"


def _endless(*pieces: bytes) -> Act:
    """The first piece, then the others for ever."""

    def act(request: Request) -> None:
        request.send(pieces[0])
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            request.send(*pieces[1:])

    return act


def _drip(start: bytes, drop: bytes) -> Act:
    """The start, then a drop every 50 ms: each read succeeds long before any time-out."""

    def act(request: Request) -> None:
        request.send(start)
        request.send(*[drop] * int(PATIENCE / 0.05), pause=0.05)

    return act


def _closing(*pieces: bytes) -> Act:
    """The pieces, and no more: the connection ends early."""

    def act(request: Request) -> None:
        request.send(*pieces)
        request.connection.shutdown(socket.SHUT_RDWR)

    return act


def _redirect(request: Request) -> None:
    request.send(answer(b"", 302, location=request.query))


def _redirect_as(status: int) -> Act:
    def act(request: Request) -> None:
        request.send(answer(b"", status, location=request.query))

    return act


def _countdown(request: Request) -> None:
    left = int(request.query)
    where = f"/countdown/{request.tag}?{left - 1}" if left > 1 else f"/ok/{request.tag}"
    request.send(answer(b"", 302, location=where))


def _loop(request: Request) -> None:
    request.send(answer(b"", 302, location=request.target))


def _echo(request: Request) -> None:
    request.send(answer(request.head + b"\r\n\r\n" + request.body, content_type="text/plain"))


_ZEROS: Final = b"\0" * 16 * 2**20
"""A thousand times less when packed, and more than an answer may have."""


def spellings(secret: str) -> dict[str, str]:
    """The ways in which a server may write a secret back, that any client can read."""
    data = secret.encode()
    return {
        "plain": secret,
        "base64": base64.b64encode(data).decode(),
        "base64-url": base64.urlsafe_b64encode(data).decode(),
        "base64-1": base64.b64encode(b"u" + data + b"tail").decode(),
        "base64-2": base64.b64encode(b"us" + data + b"t").decode(),
        "hex": data.hex(),
        "HEX": data.hex().upper(),
        "url": quote(secret, safe=""),
        "json": json.dumps(secret)[1:-1],
        "json-slash": json.dumps(secret)[1:-1].replace("/", "\\/"),
    }


def _leak(request: Request) -> None:
    """Writes the proxy's password back in the spelling that the query names, everywhere."""
    user, password = request.proxy_credentials
    secret = spellings(password or user)[request.query]
    twice = secret.encode().decode("latin-1")
    body = f"it is {secret}, yes".encode()
    request.send(answer(body, content_type="text/plain", x_echo=secret, x_utf_8=twice))


def _leak_as(content_type: str, encoding: str) -> Act:
    def act(request: Request) -> None:
        body = b"it is " + request.proxy_credentials[1].encode(encoding)
        request.send(answer(body, content_type=content_type))

    return act


def _leak_in_pieces(request: Request) -> None:
    user, password = request.proxy_credentials
    pieces = [b"1\r\n%c\r\n" % byte for byte in (password or user).encode()]
    request.send(head(CHUNKED, "content-type: text/plain"), *pieces, b"0\r\n\r\n", pause=0.001)


def _leak_by_redirect(request: Request) -> None:
    password = quote(request.proxy_credentials[1], safe="")
    request.send(answer(b"", 302, location=f"/ok/{request.tag}-next?{password}"))


def _leak_in_status(request: Request) -> None:
    """As a proxy that refuses, in its reason."""
    password = quote(request.proxy_credentials[1], safe="")
    request.send(head("content-length: 0", first=f"HTTP/1.1 407 {password}".encode()))


def _late(request: Request) -> None:
    time.sleep(0.15)
    request.left = time.monotonic()
    request.send(answer())


_ZSTD: Final = bytes.fromhex("28b52ffd0458" + "21" + "00" * 8)
_CHUNK: Final = b"10000\r\n" + b"x" * 65536 + b"\r\n"
_BOMB: Final = gzip.compress(_ZEROS)
_NESTED: Final = gzip.compress(_BOMB)

ACTS: Final[dict[str, Act]] = {
    "ok": answer(content_type="text/plain"),
    "none": answer(b"nothing here", 404),
    "echo": _echo,
    "late": _late,
    "leak": _leak,
    "leak-as-bytes": _leak_as("application/octet-stream", "utf-8"),
    "leak-as-latin-bytes": _leak_as("application/octet-stream", "latin-1"),
    "leak-as-other-text": _leak_as("text/plain; charset=latin-1", "utf-8"),
    "leak-as-wrong-text": _leak_as("text/plain; charset=utf-8", "latin-1"),
    "leak-as-utf-16": _leak_as("text/plain; charset=utf-16", "utf-16"),
    "leak-in-pieces": _leak_in_pieces,
    "leak-by-redirect": _leak_by_redirect,
    "leak-in-status": _leak_in_status,
    "exact.test:443": _leak_in_status,
    # -- redirects
    "to": _redirect,
    "to301": _redirect_as(301),
    "to303": _redirect_as(303),
    "to307": _redirect_as(307),
    "to308": _redirect_as(308),
    "loop": _loop,
    "countdown": _countdown,
    "two-locations": head("location: /ok/two-a", "location: /ok/two-b", "content-length: 0",
                          first=b"HTTP/1.1 302 X"),
    # -- two readings of one length
    "two-lengths": head("content-length: 4", "content-length: 9") + b"fineEVIL!",
    "both-lengths": head("content-length: 4", CHUNKED) + b"4\r\nfine\r\n0\r\n\r\nEVIL",
    "negative": head("content-length: -4") + b"fine",
    "plus": head("content-length: +4") + b"fine",
    "huge-length": _closing(head("content-length: 99999999999999999999") + b"fine"),
    "chunk-minus": head(CHUNKED) + b"-4\r\nfine\r\n0\r\n\r\n",
    "chunk-0x": head(CHUNKED) + b"0x4\r\nfine\r\n0\r\n\r\n",
    "chunk-wide": head(CHUNKED) + b"1" * 30 + b"\r\nfine\r\n0\r\n\r\n",
    "chunk-space": head(CHUNKED) + b"4 4\r\nfine\r\n0\r\n\r\n",
    "chunk-no-end": head(CHUNKED) + b"4\r\nfineEVIL\r\n0\r\n\r\n",
    "coding-twice": head("transfer-encoding: chunked, chunked") + b"4\r\nfine\r\n0\r\n\r\n",
    "coding-odd": head("transfer-encoding: xchunked") + b"4\r\nfine\r\n0\r\n\r\n",
    # -- heads that are none
    "nothing": _closing(b""),
    "nonsense": b"\x16\x03\x01 no http at all\r\n\r\n",
    "http-0.9": _closing(b"<html>fine</html>"),
    "http-2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "h2-frames": bytes.fromhex("000000040000000000") * 8,
    "status-99": head("content-length: 4", first=b"HTTP/1.1 99 X") + b"fine",
    "status-1e3": head("content-length: 4", first=b"HTTP/1.1 1000 X") + b"fine",
    "nul": head(b"x-a: a\0b", "content-length: 4") + b"fine",
    "cr": head(b"x-a: a\rx-b: b", "content-length: 4") + b"fine",
    "space-name": head(b"x a: b", "content-length: 4") + b"fine",
    "no-colon": head(b"x-nothing", "content-length: 4") + b"fine",
    "long-header": head(b"x-a: " + b"y" * 300_000, "content-length: 4") + b"fine",
    "long-status": head("content-length: 4", first=b"HTTP/1.1 200 " + b"y" * 300_000) + b"fine",
    "many-headers": _endless(b"HTTP/1.1 200 X\r\n", b"x-a: b\r\n" * 1000),
    "interim": _endless(b"", head(first=b"HTTP/1.1 103 X") * 1000),
    "switch": head("upgrade: websocket", "connection: upgrade", first=b"HTTP/1.1 101 X"),
    "switch-h2c": head("upgrade: h2c", "connection: upgrade", first=b"HTTP/1.1 101 X"),
    # -- bodies that end too early, or never
    "cut-length": _closing(head("content-length: 50") + b"fine"),
    "cut-chunk": _closing(head(CHUNKED) + b"50\r\nfine"),
    "cut-gzip": answer(gzip.compress(b"fine" * 1000)[:-9], content_encoding="gzip"),
    "endless": _endless(head(), b"x" * 65536),
    "endless-chunks": _endless(head(CHUNKED), _CHUNK),
    "chunk-words": _endless(head(CHUNKED), b"1;" + b"a" * 8000 + b"\r\nx\r\n"),
    "trailers": _endless(head(CHUNKED) + b"0\r\n", b"x-a: b\r\n" * 1000),
    "large": answer(b"x" * 11_000_000),
    # -- bombs
    "bomb": answer(_BOMB, content_encoding="gzip"),
    "bomb-nested": answer(_NESTED, content_encoding="gzip, gzip"),
    "bomb-in-bomb": answer(_NESTED, content_encoding="gzip"),
    "bomb-br": answer(b"\x5b\xff\xff\xff\x03" + b"\0" * 200, content_encoding="br"),
    "bomb-zstd": answer(_ZSTD, content_encoding="zstd"),
    "bomb-deflate": answer(zlib.compress(_ZEROS), content_encoding="deflate"),
    "nothings": _endless(head("content-encoding: gzip"), gzip.compress(b"") * 1000),
    "packed": answer(gzip.compress(b"fine" * 1000), content_encoding="gzip"),
    # -- one byte at a time
    "drip-head": _drip(b"HTTP/1.1 200 X\r\nx-slow: ", b"x"),
    "drip-body": _drip(head("content-length: 100000"), b"x"),
    "drip-size": _drip(head(CHUNKED), b"0"),
    "drip-interim": _drip(b"", head(first=b"HTTP/1.1 100 X")),
    "silence": _drip(b"", b""),
    # -- what the next request must not get
    "smuggle": answer() + answer(b"EVIL", content_type="text/plain"),
    "cookie": answer(b"", 302, location="/echo/cookie-next", set_cookie="session=stolen; Path=/"),
}  # fmt: skip
