"""Brokered HTTP against a hostile server on loopback, with name resolution of the test's own."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import shutil
import ssl
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llmspell.errors import Denied, InvalidInput, LimitExceeded, OperationFailed
from tests.supervisor.services.desk import Desk
from tests.supervisor.services.webserver import Answer, Server, Visit, drip, reply, serving

NAME = "app.test"


class Names:
    """A resolver: answers by name, one list a question (the last one stays)."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = {name.replace("_", "."): given for name, given in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, name: str, port: int) -> list[str]:
        self.asked.append(name)
        given = self.answers.get(name, [["127.0.0.1"]])
        return given.pop(0) if len(given) > 1 else given[0]


def desk_for(
    base: Path, *servers: Server, profile: str = "medium", names: Any = None, **more: Any
) -> Desk:
    grants: list[str] = list(more.pop("grants", ()))
    for server in servers:
        grants += [f"net:http://{NAME}:{server.port}", f"net:127.0.0.1:{server.port}"]
    return Desk(base, profile, tuple(grants), resolve=names or Names(), **more)


@pytest.fixture
def go(tmp_path: Path) -> Iterator[Callable[..., tuple[Desk, Server, str]]]:
    open_servers: list[Server] = []

    def start(answers: dict[str, Answer], **more: Any) -> tuple[Desk, Server, str]:
        server = Server(answers)
        open_servers.append(server)
        return desk_for(tmp_path, server, **more), server, f"http://{NAME}:{server.port}"

    yield start
    for server in open_servers:
        server.close()


Go = Callable[..., tuple[Desk, Server, str]]


def test_get_post_json(go: Go) -> None:
    desk, server, base = go(
        {
            "/a": reply(b'{"x":1}', content_type="application/json", set_cookie="s=1"),
            "/b": reply(b"\x00\xff", content_type="image/png"),
        }
    )
    answer = desk.call("http.request", url=f"{base}/a", query={"q": "ä b", "n": [1, 2]})
    assert answer["status"] == 200 and json.loads(answer["body"]) == {"x": 1}
    assert server.visits[0].path == "/a?q=%C3%A4+b&n=1&n=2"
    assert server.visits[0].header("host") == f"{NAME}:{server.port}"
    assert answer["url"].startswith(base) and answer["redirects"] == 0
    answer = desk.call("http.request", method="POST", url=f"{base}/b", json={"k": [1]})
    assert answer["body"] == b"\x00\xff"
    assert server.visits[1].body == b'{"k":[1]}'
    assert server.visits[1].header("content-type") == "application/json"
    # No cookie is kept between calls.
    assert server.visits[1].header("cookie") is None


def test_nothing_granted_nothing_asked(tmp_path: Path) -> None:
    with serving({}) as server:
        names = Names()
        desk = Desk(tmp_path, "high", resolve=names)
        with pytest.raises(Denied) as caught:
            desk.call("http.request", url=f"http://{NAME}:{server.port}/secret?token=abc")
        assert caught.value.code == 4008 and caught.value.rule == "high.net.host"
        assert "--allow-net" in (caught.value.hint or "")
        assert "abc" not in caught.value.sentence()
        # Not even a question to a name server: that would carry data out.
        assert names.asked == [] and server.connections == 0


@pytest.mark.parametrize(
    "host",
    [
        "127.1",
        "0x7f.0.0.1",
        "2130706433",
        "017700000001",
        "0",
        "localhost",
        "LOCALHOST.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "169.254.169.254",
        "10.0.0.1",
    ],
)
def test_NW_11_NW_12_spellings_of_private_addresses(tmp_path: Path, host: str) -> None:
    with serving({"/": reply()}) as server:
        desk = Desk(tmp_path, "low", ())
        with pytest.raises(Denied):
            desk.call("http.request", url=f"http://{host}:{server.port}/")
        with pytest.raises(Denied):
            desk.call("http.request", url=f"https://{host}:{server.port}/")
        assert server.connections == 0


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "127.1", "0x7f.0.0.1", "2130706433"])
def test_NW_11_a_granted_loopback_port_is_reached(tmp_path: Path, host: str) -> None:
    with serving({"/": reply(content_type="text/plain")}) as server:
        names = Names()
        grants = (f"net:localhost:{server.port}", f"net:127.0.0.1:{server.port}")
        desk = Desk(tmp_path, "low", grants, resolve=names)
        url = f"http://{host}:{server.port}/"
        assert desk.call("http.request", url=url)["body"] == "ok"
        with pytest.raises(Denied):
            desk.call("http.request", url=f"http://{host}:{server.port + 1}/")
        assert server.visits[0].header("host") in (
            f"localhost:{server.port}",
            f"127.0.0.1:{server.port}",
        )


@pytest.mark.parametrize(
    "url",
    [
        "http://[fe80::1%25eth0]/",
        "http://exa mple.com/",
        "http://example.com\x00.evil.io/",
        "http://user:pw@example.com/",
        "http://example.com\\@evil.io/",
        "http://example.com:99999/",
        "http://example.com:-1/",
        "http:///x",
        "http://exa%6dple.com/",
        "file:///etc/passwd",
        "gopher://example.com/",
        "data:text/plain,x",
        "//example.com/",
        "example.com",
        "http://example.com/a\r\nX: y",
        "http://example.com/\x7f",
        "",
    ],
)
def test_NW_13_NW_16_NW_17_urls_that_are_none(tmp_path: Path, url: str) -> None:
    names = Names()
    desk = Desk(tmp_path, "none", resolve=names)
    with pytest.raises(InvalidInput):
        desk.call("http.request", url=url)
    assert names.asked == []


def test_NW_13_one_canonical_form(go: Go) -> None:
    desk, server, _ = go({"/": reply()})
    for spelled in ("APP.test", "app.TEST.", "App.Test"):
        desk.call("http.request", url=f"HTTP://{spelled}:{server.port}")
    assert {visit.header("host") for visit in server.visits} == {f"{NAME}:{server.port}"}


@pytest.mark.parametrize(
    "headers",
    [
        {"X-A": "b\r\nX-B: c"},
        {"X-A\r\nX-B": "c"},
        {"X-A": "b\x00"},
        {"X A": "b"},
        {"": "b"},
        {"Host": "evil.io"},
        {"host": "evil.io"},
        {"Transfer-Encoding": "chunked"},
        {"Content-Length": "3"},
        {"Proxy-Authorization": "x"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"Connection": "upgrade"},
        {"Upgrade": "websocket"},
        {"Sec-WebSocket-Key": "x"},
        {"HTTP2-Settings": "x"},
        {"TE": "trailers"},
        {"Trailer": "x"},
        {"Expect": "100-continue"},
        {"a": "1", "A": "2"},
        {"X-A": ["b"]},
        {f"x-{index}": "y" for index in range(101)},
    ],
)
def test_NW_17_NW_24_NW_36_headers(go: Go, headers: dict[str, Any]) -> None:
    desk, server, base = go({"/": reply()})
    with pytest.raises(InvalidInput):
        desk.call("http.request", url=base, headers=headers)
    assert server.connections == 0
    desk.call("http.request", url=base, headers={"X-Mine": "ok", "Authorization": "Bearer t"})
    assert server.visits[0].header("x-mine") == "ok"
    assert server.visits[0].header("authorization") == "Bearer t"


def test_NW_17_methods(go: Go) -> None:
    desk, server, base = go({"/": reply()})
    for method in ("GET / HTTP/1.1\r\nX: y", "CONNECT", "TRACE", "get", ""):
        with pytest.raises(InvalidInput):
            desk.call("http.request", url=base, method=method)
    assert server.connections == 0


def test_NW_18_rebinding_dials_the_judged_address(tmp_path: Path) -> None:
    with serving({"/": reply()}) as server:
        names = Names(app_test=[["127.0.0.1"], ["127.0.0.2"]])
        desk = desk_for(tmp_path, server, names=names)
        assert desk.call("http.request", url=f"http://{NAME}:{server.port}/")["status"] == 200
        assert names.asked == [NAME]
        # The second question is answered with an address that nobody granted.
        with pytest.raises(Denied) as caught:
            desk.call("http.request", url=f"http://{NAME}:{server.port}/")
        assert caught.value.rule == "medium.net.loopback"
        assert server.connections == 1


def test_NW_19_any_private_answer_denies(tmp_path: Path) -> None:
    with serving({"/": reply()}) as server:
        for answers in (["127.0.0.1", "10.0.0.1"], ["10.0.0.1", "127.0.0.1"], ["::1"], ["junk"]):
            names = Names(app_test=[answers])
            desk = desk_for(tmp_path, server, names=names)
            with pytest.raises((Denied, InvalidInput)):
                desk.call("http.request", url=f"http://{NAME}:{server.port}/")
        assert server.connections == 0
        with pytest.raises(OperationFailed) as caught:
            desk = desk_for(tmp_path, server, names=Names(app_test=[[]]))
            desk.call("http.request", url=f"http://{NAME}:{server.port}/")
        assert caught.value.code == 6003 and caught.value.kind == "network"


def test_NW_21_each_hop_is_judged(tmp_path: Path) -> None:
    with serving({"/": reply(b"inner secret")}) as inner, serving({}) as outer:
        desk = desk_for(tmp_path, outer)
        base = f"http://{NAME}:{outer.port}"
        for target in (
            f"http://{NAME}:{inner.port}/",
            f"http://127.0.0.1:{inner.port}/",
            f"//{NAME}:{inner.port}/",
            "http://169.254.169.254/latest",
            "file:///etc/passwd",
            "gopher://x/",
            "ftp://x/",
            "data:text/html,x",
            "http://user@evil.io/",
            "http://[",
        ):
            outer.answers["/"] = reply(b"", 302, location=target)
            with pytest.raises(Denied):
                desk.call("http.request", url=base)
        assert inner.connections == 0
        outer.answers["/"] = reply(b"", 302, location="/next?x=1")
        outer.answers["/next"] = reply(b"there", content_type="text/plain")
        answer = desk.call("http.request", url=base)
        assert answer["body"] == "there" and answer["redirects"] == 1
        assert answer["url"] == f"{base}/next?x=1"
        seen = desk.call("http.request", url=base, follow_redirects=False)
        assert seen["status"] == 302 and seen["headers"]["location"] == "/next?x=1"


def test_NW_22_redirects_end(go: Go) -> None:
    desk, server, base = go({"/": reply(b"", 302, location="/")})
    with pytest.raises(OperationFailed, match="redirects"):
        desk.call("http.request", url=base)
    assert len(server.visits) == 11


def test_NW_23_credentials_stay_with_their_origin(tmp_path: Path) -> None:
    with serving({"/": reply(b"got")}) as other, serving({}) as first:
        first.answers["/"] = reply(b"", 307, location=f"http://{NAME}:{other.port}/")
        first.answers["/same"] = reply(b"", 307, location="/end")
        first.answers["/end"] = reply(b"end")
        first.answers["/see"] = reply(b"", 303, location="/end")
        desk = desk_for(tmp_path, first, other)
        headers = {"Authorization": "Bearer t", "Cookie": "a=b", "X-Api-Key": "k", "X-Plain": "p"}
        base = f"http://{NAME}:{first.port}"
        desk.call("http.request", url=base, method="POST", body="data", headers=headers)
        gone = other.visits[0]
        assert gone.header("x-plain") == "p" and gone.body == b"data"
        dropped = ("authorization", "cookie", "x-api-key")
        assert [gone.header(name) for name in dropped] == [None] * 3
        desk.call("http.request", url=f"{base}/same", headers=headers)
        assert first.visits[-1].header("authorization") == "Bearer t"
        desk.call("http.request", url=f"{base}/see", method="POST", body="data", headers=headers)
        assert first.visits[-1].head.startswith(b"GET /end") and first.visits[-1].body == b""


def test_NW_26_other_ports(go: Go) -> None:
    desk, server, _ = go({"/": reply()})
    for port in (server.port + 1, 80, 443):
        with pytest.raises(Denied) as caught:
            desk.call("http.request", url=f"http://{NAME}:{port}/")
        assert caught.value.rule == "medium.net.port"
    with pytest.raises(Denied):
        desk.call("http.request", url=f"https://{NAME}:{server.port}/")


def test_NW_28_bombs(go: Go) -> None:
    zeros = b"\0" * 50_000_000
    packed = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = packed.compress(zeros) + packed.flush()

    def endless(visit: Visit) -> None:
        visit.connection.sendall(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            visit.connection.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n")

    def nothings(visit: Visit) -> None:
        empty = gzip.compress(b"") * 1000
        head = b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\ncontent-encoding: gzip\r\n\r\n"
        visit.connection.sendall(head)
        while True:
            visit.connection.sendall(f"{len(empty):x}\r\n".encode() + empty + b"\r\n")

    desk, _, base = go(
        {
            "/nothings": nothings,
            "/bomb": reply(bomb, content_encoding="gzip"),
            "/twice": reply(gzip.compress(bomb), content_encoding="gzip, gzip"),
            "/br": reply(b"x", content_encoding="br"),
            "/cut": reply(gzip.compress(b"y" * 1000)[:-9], content_encoding="gzip"),
            "/bad": reply(b"nonsense", content_encoding="gzip"),
            "/endless": endless,
            "/big": reply(b"x" * 11_000_000),
            "/good": reply(gzip.compress(b"fine" * 1000), content_encoding="gzip"),
            "/raw": reply(zlib.compress(b"raw")[2:-4], content_encoding="deflate"),
            "/members": reply(gzip.compress(b"a") + gzip.compress(b"b"), content_encoding="gzip"),
        }
    )
    for path in ("/bomb", "/twice", "/br", "/cut", "/bad"):
        with pytest.raises(OperationFailed) as caught:
            desk.call("http.request", url=base + path)
        assert caught.value.code == 6003
    for path in ("/endless", "/big", "/nothings"):
        with pytest.raises(LimitExceeded) as limit:
            desk.call("http.request", url=base + path)
        assert limit.value.limit == "response_body"
    with pytest.raises(OperationFailed, match="max_bytes"):
        desk.call("http.request", url=base + "/good", max_bytes=10)
    assert desk.call("http.request", url=base + "/good")["body"] == "fine" * 1000
    assert desk.call("http.request", url=base + "/raw")["body"] == "raw"
    assert desk.call("http.request", url=base + "/members")["body"] == "ab"


@pytest.mark.parametrize("headers_first", [True, False])
def test_NW_29_a_slow_drip_meets_the_deadline(go: Go, headers_first: bool) -> None:
    desk, _, base = go({"/": drip(0.05, headers_first=headers_first)})
    begun = time.monotonic()
    with pytest.raises(OperationFailed) as caught:
        desk.call("http.request", url=base, timeout=0.5)
    assert caught.value.kind == "timeout" and time.monotonic() - begun < 3


def test_NW_29_interim_answers_without_end(go: Go) -> None:
    def interim(visit: Visit) -> None:
        while True:
            visit.connection.sendall(b"HTTP/1.1 103 X\r\nlink: x\r\n\r\n")

    desk, _, base = go({"/": interim})
    with pytest.raises(OperationFailed):
        desk.call("http.request", url=base, timeout=0.5)


def test_NW_31_too_large_a_request_is_never_sent(go: Go) -> None:
    desk, server, base = go({"/": reply()})
    with pytest.raises(LimitExceeded) as caught:
        desk.call("http.request", url=base, method="POST", body=b"x" * 1_000_001)
    assert caught.value.limit == "request_body" and server.connections == 0
    desk.call("http.request", url=base, method="POST", body=b"x" * 1_000_000)


def test_NW_32_at_most_ten_at_once(go: Go) -> None:
    def slow(visit: Visit) -> None:
        time.sleep(0.1)
        visit.connection.sendall(reply())

    desk, server, base = go({"/": slow})

    async def many() -> list[Any]:
        return await asyncio.gather(*(desk.acall("http.request", url=base) for _ in range(40)))

    answers = asyncio.run(many())
    assert len(answers) == 40 and 2 <= server.most_at_once <= 10


def test_NW_36_a_server_can_not_switch_protocols(go: Go) -> None:
    switch = b"HTTP/1.1 101 X\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n"
    desk, _, base = go({"/": switch})
    with pytest.raises(OperationFailed):
        desk.call("http.request", url=base)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 X\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 X\r\ncontent-length: 50\r\n\r\nshort",
        b"HTTP/1.1 200 X\r\nx: " + b"y" * 300_000 + b"\r\n\r\n",
    ],
)
def test_answers_that_are_no_http(go: Go, answer: bytes) -> None:
    desk, _, base = go({"/": answer})
    with pytest.raises(OperationFailed) as caught:
        desk.call("http.request", url=base, timeout=5)
    assert caught.value.code == 6003 and caught.value.kind == "network"


def test_a_cancelled_request_closes_its_connection(go: Go) -> None:
    desk, server, base = go({"/": drip(0.05, headers_first=True)})

    async def start_and_stop() -> None:
        task = asyncio.ensure_future(desk.acall("http.request", url=base))
        while not server.visits:
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    before = len(os.listdir("/proc/self/fd"))
    asyncio.run(start_and_stop())
    time.sleep(0.3)
    assert len(os.listdir("/proc/self/fd")) <= before


def test_NW_27_a_proxy_gets_the_request_and_names_stay_judged(
    go: Go, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk, target, base = go({"/": reply(b"direct")})
    with serving({}) as proxy:
        proxy.answers[f"{base}/"] = reply(b"by proxy", content_type="text/plain")
        monkeypatch.setenv("http_proxy", f"http://me:word@127.0.0.1:{proxy.port}")
        assert desk.call("http.request", url=f"{base}/")["body"] == "by proxy"
        assert proxy.visits[0].header("proxy-authorization") == "Basic bWU6d29yZA=="
        assert target.connections == 0
        with pytest.raises(Denied):
            desk.call("http.request", url="http://evil.io/")
        private = desk_for(desk.work.parent, target, names=Names(app_test=[["10.0.0.1"]]))
        with pytest.raises(Denied):
            private.call("http.request", url=f"{base}/")
        assert len(proxy.visits) == 1
        monkeypatch.setenv("NO_PROXY", "x.io, .test")
        assert desk.call("http.request", url=f"{base}/")["body"] == "direct"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make a certificate with")
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-subj", "/CN=app.test", "-addext",
         "subjectAltName=DNS:app.test", "-keyout", str(path), "-out", f"{path}.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_bytes(path.read_bytes() + Path(f"{path}.crt").read_bytes())
    return path


def test_tls_is_checked_against_the_name(
    tmp_path: Path, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with serving({"/": reply(b"safe", content_type="text/plain")}, context) as server:
        grants = (f"net:{NAME}:{server.port}", f"net:other.test:{server.port}")
        names = Names()
        desk = desk_for(tmp_path, server, grants=grants, names=names)
        with pytest.raises(OperationFailed) as caught:
            desk.call("http.request", url=f"https://{NAME}:{server.port}/")
        assert caught.value.kind == "tls" and server.visits == []
        monkeypatch.setenv("SSL_CERT_FILE", f"{certificate}.crt")
        desk = desk_for(tmp_path, server, grants=grants, names=names)
        assert desk.call("http.request", url=f"https://{NAME}:{server.port}/")["body"] == "safe"
        with pytest.raises(OperationFailed) as caught:
            desk.call("http.request", url=f"https://other.test:{server.port}/")
        assert caught.value.kind == "tls" and len(server.visits) == 1
        # TLS is required unless plain text was granted.
        strict = Desk(tmp_path, "medium", grants, resolve=names)
        with pytest.raises(Denied):
            strict.call("http.request", url=f"http://{NAME}:{server.port}/")


def test_NW_27_https_tunnels_through_the_proxy_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving({}) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{proxy.port}")
        names = Names(far_test=[[]])
        desk = Desk(tmp_path, "medium", ("net:far.test",), resolve=names)
        with pytest.raises(OperationFailed) as caught:
            desk.call("http.request", url="https://far.test/")
        assert caught.value.code == 6003
        assert proxy.visits[0].head.startswith(b"CONNECT far.test:443 HTTP/1.1")
        with pytest.raises(Denied):
            desk.call("http.request", url="https://near.test/")
        assert len(proxy.visits) == 1


def test_the_system_resolves(tmp_path: Path) -> None:
    with serving({"/": reply(content_type="text/plain")}) as server:
        grants = (f"net:localhost:{server.port}",)
        desk = Desk(tmp_path, "low", grants)
        assert desk.call("http.request", url=f"http://localhost:{server.port}/")["body"] == "ok"
        desk = Desk(tmp_path, "low", ("net:http://no-such-name.invalid",))
        with pytest.raises(OperationFailed, match="no address"):
            desk.call("http.request", url="http://no-such-name.invalid/")


def test_a_name_server_that_hangs_holds_nothing_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def hang(*_: Any, **__: Any) -> Any:
        time.sleep(3)
        return []

    monkeypatch.setattr("llmspell.supervisor.services.dial.socket.getaddrinfo", hang)
    desk = Desk(tmp_path, "low")
    begun = time.monotonic()
    with pytest.raises(OperationFailed) as caught:
        desk.call("http.request", url="https://slow.test/", timeout=0.3)
    assert caught.value.kind == "timeout" and time.monotonic() - begun < 2
