"""NW: one listener on loopback that must never be reached, however it is spelled."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.program import Program

TRY = """
local out = {}
for _, a in ipairs(params.tries) do
  local ok, r = pcall(http.request, {
    url = a.url, method = a.method, headers = a.headers, body = a.body,
    timeout = a.timeout or 5, max_bytes = a.max_bytes,
  })
  local text = ok and "worked:" .. r.status or type(r) == "table" and r.kind
  out[#out + 1] = text or "raw:" .. tostring(r)
end
return out
"""


class Host:
    """A web server on loopback that remembers what it was asked."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, str]]] = []
        host = self

        class Answer(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                host.seen.append((self.path, dict(self.headers)))
                act = self.path.strip("/")
                if act.startswith("to?"):
                    self.send_response(302)
                    self.send_header("Location", act.partition("?")[2])
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                elif act == "loop":
                    self.send_response(302)
                    self.send_header("Location", "/loop")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                elif act == "endless":
                    self.send_response(200)
                    self.end_headers()
                    try:
                        while True:
                            self.wfile.write(b"x" * 65536)
                    except OSError:
                        self.close_connection = True
                elif act == "bomb":
                    import gzip

                    body = gzip.compress(b"\0" * 40_000_000)
                    self.send_response(200)
                    self.send_header("Content-Encoding", "gzip")
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)
                elif act == "drip":
                    self.send_response(200)
                    self.send_header("Content-Length", "1000")
                    self.end_headers()
                    stop = threading.Event()
                    try:
                        for _ in range(100):
                            self.wfile.write(b"x")
                            self.wfile.flush()
                            stop.wait(0.1)
                    except OSError:
                        self.close_connection = True
                else:
                    self.send_response(200)
                    self.send_header("Content-Length", "2")
                    self.end_headers()
                    self.wfile.write(b"ok")

            do_POST = do_GET  # noqa: N815  the name that http.server looks for

            def log_message(self, *_: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
        self.server.daemon_threads = True
        self.port: int = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def host() -> Iterator[Host]:
    made = Host()
    yield made
    made.server.shutdown()
    made.server.server_close()


def tried(
    program: Program, tries: list[dict[str, Any]], *flags: str, profile: str = "high"
) -> list[str]:
    given = ("--param", f"tries={json.dumps(tries)}", "--limit", "wall=60s")
    result = program.result(TRY, ".lua", "--profile", profile, *flags, *given)
    assert result["status"] == "done", result
    value: list[str] = result["value"]
    return value


def grant(host: Host) -> tuple[str, str]:
    return "--allow-net", f"http://127.0.0.1:{host.port}"


SPELLINGS = (
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f.0.0.1", "0x7f000001", "017700000001",
    "0177.0.0.1", "0", "0.0.0.0", "localhost", "localhost.", "LOCALHOST", "foo.localhost", "[::1]",
    "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:0:0:1]", "[::]", "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]", "[fe80::1%25lo]", "127.0.0.1%00.example.com", "%31%32%37.0.0.1",
    "user@127.0.0.1", "example.com@127.0.0.1", "１２７.0.0.1", "127。0。0。1",
)  # fmt: skip


@pytest.mark.parametrize("profile", ["low", "medium", "high"])
def test_NW_11_NW_12_NW_13_loopback_by_any_name_is_denied(
    program: Program, host: Host, profile: str
) -> None:
    tries = [{"url": f"http://{name}:{host.port}/"} for name in SPELLINGS]
    found = tried(program, tries, profile=profile)
    for name, what in zip(SPELLINGS, found, strict=True):
        assert what in ("denied", "validation"), (name, what)
    assert host.seen == []
    assert tried(program, tries[:1], *grant(host), profile=profile) == ["worked:200"]
    assert len(host.seen) == 1


@pytest.mark.parametrize("profile", ["low", "medium", "high"])
def test_NW_11_metadata_and_private_addresses_are_denied(program: Program, profile: str) -> None:
    names = (
        "169.254.169.254",
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "100.64.0.1",
        "[fd00::1]",
        "[fe80::1]",
        "metadata.google.internal",
        "224.0.0.1",
        "255.255.255.255",
    )
    found = tried(program, [{"url": f"https://{name}/"} for name in names], profile=profile)
    for name, what in zip(names, found, strict=True):
        assert what == "denied" or (name.startswith("metadata") and what != "worked:200"), found


def test_NW_26_another_port_or_scheme_is_denied(program: Program, host: Host) -> None:
    tries = [{"url": f"http://127.0.0.1:{host.port + 1}/"}, {"url": "file:///etc/passwd"},
             {"url": "gopher://127.0.0.1/"}, {"url": "ftp://127.0.0.1/"}, {"url": "data:,x"},
             {"url": f"//127.0.0.1:{host.port}/"}]  # fmt: skip
    found = tried(program, tries, *grant(host))
    assert all(what in ("denied", "validation") for what in found), found
    assert host.seen == []


def test_NW_21_NW_22_each_hop_of_a_redirect_is_judged(program: Program, host: Host) -> None:
    base = f"http://127.0.0.1:{host.port}"
    other = Host()
    try:
        targets = [f"http://127.0.0.1:{other.port}/", f"http://localhost:{other.port}/",
                   "file:///etc/passwd", "gopher://127.0.0.1/"]  # fmt: skip
        found = tried(program, [{"url": f"{base}/to?{target}"} for target in targets], *grant(host))
        assert not any(what.startswith(("worked", "raw")) for what in found), found
        assert found[0] == "denied" and other.seen == []
        assert tried(program, [{"url": f"{base}/to?{base}/fine"}], *grant(host)) == ["worked:200"]
        host.seen.clear()
        assert not tried(program, [{"url": f"{base}/loop"}], *grant(host))[0].startswith("worked")
        assert len(host.seen) <= 25
    finally:
        other.server.shutdown()
        other.server.server_close()


def test_NW_17_NW_24_headers_can_not_be_forged(program: Program, host: Host) -> None:
    base = f"http://127.0.0.1:{host.port}"
    bad: list[dict[str, Any]] = [
        {"url": f"{base}/a\r\nX-Evil: 1"},
        {"url": f"{base}/", "headers": {"X-A": "1\r\nX-Evil: 1"}},
        {"url": f"{base}/", "headers": {"X-A\r\nX-Evil": "1"}},
        {"url": f"{base}/", "headers": {"Host": "evil.example"}},
        {"url": f"{base}/", "headers": {"Transfer-Encoding": "chunked", "Content-Length": "3"}},
        {"url": f"{base}/", "headers": {"Proxy-Authorization": "x", "X-Forwarded-For": "1.2.3.4"}},
        {"url": f"{base}/", "headers": {"Connection": "Upgrade", "Upgrade": "websocket"}},
        {"url": f"{base}/", "method": "GE T"},
        {"url": f"{base}/", "method": "CONNECT"},
    ]
    tried(program, bad, *grant(host))
    for _, headers in host.seen:
        names = {name.lower(): value for name, value in headers.items()}
        assert "x-evil" not in names and names["host"] == f"127.0.0.1:{host.port}"
        forged = {"proxy-authorization", "x-forwarded-for", "transfer-encoding", "upgrade"}
        assert not forged & set(names), headers
    assert tried(program, [{"url": f"{base}/", "headers": {"X-A": "1"}}], *grant(host)) == [
        "worked:200"
    ]


def test_NW_28_NW_29_answers_are_bounded(program: Program, host: Host) -> None:
    base = f"http://127.0.0.1:{host.port}"
    tries: list[dict[str, Any]] = [
        {"url": f"{base}/endless"},
        {"url": f"{base}/bomb"},
        {"url": f"{base}/drip", "timeout": 1},
        {"url": f"{base}/x", "max_bytes": 1},
    ]
    found = tried(program, tries, *grant(host))
    assert not any(what.startswith(("worked", "raw")) for what in found), found


@pytest.mark.alone
def test_RS_12_a_wall_limit_ends_a_waiting_request(program: Program, host: Host) -> None:
    source = f"return http.get('http://127.0.0.1:{host.port}/drip').status"
    flags = ("--profile", "high", "--limit", "wall=500ms", *grant(host))
    result = program.result(source, ".lua", *flags)
    assert (result["exit"], result["reason"]) == (4, "wall"), result
    assert result["usage"]["wall"] < 0.75


def test_NW_27_a_proxy_of_the_environment_is_no_way_round(program: Program, host: Host) -> None:
    source = "return http.get('http://127.0.0.1:1/').status"
    for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
        env = {name: f"http://127.0.0.1:{host.port}"}
        ended = program.run(source, ".lua", "--profile", "high", env=env)
        assert ended.code == 3 and host.seen == [], ended
