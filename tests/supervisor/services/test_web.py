"""Brokered HTTP: grants, names, addresses, redirects and headers, against a hostile server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmspell.errors import Denied, InvalidInput, OperationFailed
from tests.supervisor.services.desk import Desk
from tests.supervisor.services.web_kit import NAME, Go, Names, desk_for
from tests.supervisor.services.webserver import reply, serving


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
        {"Transfer_Encoding": "chunked"},
        {"x_forwarded_for": "127.0.0.1"},
        {"X-Forwarded": "127.0.0.1"},
        {"X-Real-IP": "127.0.0.1"},
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
