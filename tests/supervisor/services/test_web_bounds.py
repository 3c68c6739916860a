"""Brokered HTTP: bombs, drips, too many requests, proxies, TLS and slow name servers."""

from __future__ import annotations

import asyncio
import gzip
import os
import shutil
import ssl
import subprocess
import time
import zlib
from pathlib import Path
from typing import Any

import pytest

from llmspell.errors import Denied, LimitExceeded, OperationFailed
from tests.supervisor.services.desk import Desk
from tests.supervisor.services.web_kit import NAME, Go, Names, desk_for
from tests.supervisor.services.webserver import Visit, drip, reply, serving


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


def test_NW_32_connections_of_all_sessions_together(
    go: Go, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow(visit: Visit) -> None:
        time.sleep(0.2)
        visit.connection.sendall(reply())

    monkeypatch.setattr("llmspell.supervisor.services.dial.CONNECTIONS_MAX", 3)
    desk, server, base = go({"/": slow})

    async def many() -> list[Any]:
        asked = (desk.acall("http.request", url=base) for _ in range(8))
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = asyncio.run(many())
    refused = [each for each in answers if isinstance(each, OperationFailed)]
    assert (len(refused), server.most_at_once) == (5, 3)
    assert all(each.code == 6003 and each.recoverable for each in refused)
    # Every place is given back.
    assert len([each for each in asyncio.run(many()) if isinstance(each, dict)]) == 3


def test_NW_28_what_a_parser_skips_is_counted(go: Go) -> None:
    def interim(visit: Visit) -> None:
        while True:
            visit.connection.sendall(b"HTTP/1.1 103 X\r\n\r\n" * 1000)

    def wordy(visit: Visit) -> None:
        visit.connection.sendall(b"HTTP/1.1 200 X\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            visit.connection.sendall(b"1;" + b"a" * 8000 + b"\r\nx\r\n")

    single = b"".join(b"1\r\n%c\r\n" % byte for byte in b"fine" * 20_000) + b"0\r\n\r\n"
    plain = b"HTTP/1.1 200 X\r\ncontent-type: text/plain\r\ntransfer-encoding: chunked\r\n\r\n"
    desk, _, base = go({"/interim": interim, "/wordy": wordy, "/single": plain + single})
    for path in ("/interim", "/wordy"):
        with pytest.raises(OperationFailed, match="far more than an answer has"):
            desk.call("http.request", url=base + path, max_bytes=100_000)
    assert desk.call("http.request", url=base + "/single")["body"] == "fine" * 20_000


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
