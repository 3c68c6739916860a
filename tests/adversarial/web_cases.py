"""Requests that must be refused before anything is sent, by the case they belong to.

An act's tag is `ID.name`; its URL ends with the tag, so that a request that did leave would be
seen. `DENIED` end as a denial by the rule named, `INVALID` as wrong input; each has its twin in
`ALLOWED`, the nearest request that is granted.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

Act = dict[str, Any]

GRANTS: Final = ("http://exact.test", "http://*.wild.test", "http://other.test",
                 *(f"http://{name}.test" for name in (
                     "rebind", "both", "both-6", "alias", "mapped", "translated", "six-to-four",
                     "local", "metadata", "zero", "loopback", "many", "nowhere")))  # fmt: skip
"""What every session may reach: names, and so no private address that they lead to."""

ADDRESSES: Final = ("127.0.0.1", "[::1]", "localhost", "foo.localhost", "0.0.0.0", "[::]",
                    "10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "169.254.169.254",
                    "[fd00::1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::1]")  # fmt: skip
"""Granted in the control: then the same requests arrive."""

LOOPBACK: Final = {
    "NW-11": ("127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f.0.0.1", "0x7f000001",
              "017700000001", "0177.0.0.1", "0", "0.0.0.0", "localhost", "localhost.", "LOCALHOST",
              "foo.localhost", "１２７.0.0.1", "127。0。0。1", "ⓛocalhost", "0x"),
    "NW-12": ("[::1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[0:0:0:0:0:0:0:1]", "[::]",
              "[64:ff9b::7f00:1]", "[2002:7f00:1::1]", "[fd00::1]"),
}  # fmt: skip
"""This machine, and what leads to it, in spellings that a parser takes."""

PRIVATE: Final = ("10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "169.254.169.254",
                  "0xa9.0xfe.0xa9.0xfe", "2852039166")  # fmt: skip
UNREADABLE: Final = {
    "NW-12": ("[fe80::1%25lo]", "[::1%lo]", "[::1", "::1", "[::1]x", "[::127.0.0.1.1]"),
    "NW-13": ("127.0.0.1%00.exact.test", "%31%32%37.0.0.1", "user@127.0.0.1",
              "exact.test@127.0.0.1", "exact.test:80@127.0.0.1", "exact.test\\@127.0.0.1",
              "exact%2etest", "exact.test%2f", "exact..test", ".exact.test", "-exact.test",
              "exact.test:0", "exact.test:65536",
              "exact.test:0x50", "exact.test:８０", "256.256.256.256", "1.2.3.4.5",
              "09.0.0.1", "exact.test\t", "exact.te\nst", "exact.test ", "xn--", "℀.test",
              "exact．test＠evil.test", "a" * 64 + ".test", "☃.exact.test"),
    "NW-16": ("exact.test\0.evil.test", "exact.test\0", "\0exact.test"),
    "NW-17": ("exact.test\r\nhost: evil.test", "exact.test:80\r\n"),
}  # fmt: skip
STRANGERS: Final = {
    "NW-13": ("еxact.test", "exаct.test", "exact.tеst", "xn--exact-test", "evil.test#@exact.test",
              "evil.test?@exact.test", "evil.test/@exact.test"),
    "NW-14": ("exact.test.evil.test", "evilexact.test", "xact.test", "sub.exact.test", "wild.test",
              "evilwild.test", "a.wild.test.evil.test", "awild.test", "test"),
}  # fmt: skip
"""Hosts that resemble a granted one; every one of them resolves and answers."""
SAME: Final = {
    "NW-13": ("exact.test", "EXACT.TEST", "exact.test.", "ＥＸＡＣＴ.test", "exact。test",
              "exact.test:80", "exact.test:", "exact.test:0080"),
    "NW-14": ("a.wild.test", "a.b.wild.test", "A.WILD.TEST."),
}  # fmt: skip
"""One host, as granted, in other spellings."""

HEADERS: Final[dict[str, list[Act]]] = {
    "NW-17": [
        {"X-A": "1\r\nX-Evil: 1"}, {"X-A": "1\nX-Evil: 1"}, {"X-A": "1\rX-Evil: 1"},
        {"X-A\r\nX-Evil": "1"}, {"X-A:": "1"}, {"X A": "1"}, {"": "1"}, {"X-A": "a\0b"},
        {"X-Ａ": "1"}, {"X-A": "\u010aX-Evil: 1"}, {"X-A": "\u2028"}, {"X-A\0": "1"},
    ],
    "NW-24": [
        {"Host": "evil.test"}, {"hOsT": "evil.test"}, {"Transfer-Encoding": "chunked"},
        {"Content-Length": "3"}, {"Transfer_Encoding": "chunked"}, {"content_length": "3"},
        {"Proxy-Authorization": "x"}, {"PROXY_AUTHORIZATION": "x"}, {"Proxy-Connection": "x"},
        {"X-Forwarded-For": "127.0.0.1"}, {"X_Forwarded_For": "127.0.0.1"}, {"X-Forwarded": "x"},
        {"Forwarded": "for=127.0.0.1"}, {"X-Real-IP": "127.0.0.1"}, {"Via": "x"},
        {"TE": "trailers"}, {"Trailer": "x"}, {"Expect": "100-continue"}, {"Connection": "close"},
        {"Keep-Alive": "1"}, {"X-A": "1", "x-a": "2"}, {f"X-{n}": "1" for n in range(101)},
        {"X-A": "y" * 40_000},
        {"Content-Length": 3, "Transfer-Encoding": "chunked"}, {"X-A": ["1", "2"]},
    ],
    "NW-36": [
        {"Upgrade": "websocket", "Connection": "Upgrade"}, {"Upgrade": "h2c"},
        {"HTTP2-Settings": "AAMAAABkAAQCAAAAAAIAAAAA"}, {"Sec-WebSocket-Key": "x"},
        {"sec-websocket-protocol": "x"},
    ],
}  # fmt: skip
METHODS: Final = ("GE T", "CONNECT", "TRACE", "get", "GET\r\nX-Evil: 1",
                  "GET /evil HTTP/1.1\r\n\r\n", "PRI", "", "ＧET", "GET\0")  # fmt: skip
SCHEMES: Final = ("file:///etc/passwd", "gopher://exact.test/", "ftp://exact.test/", "data:,x",
                  "//exact.test/", "http:exact.test", "http:/exact.test", "ws://exact.test/",
                  "wss://exact.test/", "unix:///run/docker.sock", "javascript:1", "HTTP+UNIX://x/",
                  "exact.test", "/", "jar:http://exact.test/!/")  # fmt: skip
PORTS: Final = ("http://exact.test:8080", "https://exact.test", "https://exact.test:80",
                "http://exact.test:443", "http://exact.test:81")  # fmt: skip


TO: Final = {
    "NW-21": ("http://127.0.0.1/{}", "http://localhost/{}", "http://[::1]/{}", "//127.0.0.1/{}",
              "http://10.0.0.1/{}", "http://169.254.169.254/{}", "http://2130706433/{}",
              "http://both.test/{}", "http://loopback.test/{}", "http://metadata.test/{}"),
    "NW-21.listed": ("http://evil.test/{}", "//evil.test/{}", "http://exact.test:8080/{}",
                     "https://exact.test/{}", "http://exact.test.evil.test/{}"),
    "NW-21.none": ("file:///etc/passwd", "file://localhost/etc/passwd", "gopher://exact.test/{}",
                   "ftp://exact.test/{}", "data:text/plain,{}", "javascript:1", "http:exact.test",
                   "http://exact.test@evil.test/{}", "/\\evil.test/{}", "\\\\evil.test\\{}",
                   "http://exact.test/o\tk/{}", "ws://exact.test/{}",
                   "http://127.0.0.1%00.exact.test/{}", "http://exact.test:0x50/{}"),
}  # fmt: skip
"""Where servers send a request that was allowed: `{}` becomes `ok/TAG-next`."""
NAMES: Final = {
    "NW-18": ("rebind", "alias", "mapped", "translated", "six-to-four", "local", "metadata", "zero",
              "loopback", "many"),
    "NW-19": ("both", "both-6"),
}  # fmt: skip
"""Names that were granted and whose addresses were not."""


def _urls(kinds: dict[str, tuple[str, ...]]) -> dict[str, Act]:
    return {
        f"{case}.{number}": {"url": f"http://{host}/ok/{case}.{number}"}
        for case, hosts in kinds.items()
        for number, host in enumerate(hosts)
    }


def _tagged(case: str, kind: str, acts: list[Act]) -> dict[str, Act]:
    found = {}
    for number, act in enumerate(acts):
        tag = f"{case}.{kind}{number}"
        found[tag] = {"url": f"http://exact.test/ok/{tag}", **act}
    return found


TO_THIS_MACHINE: Final = _urls(LOOPBACK)
TO_PRIVATE: Final = {
    f"NW-11.private{number}": {"url": f"http://{host}/ok/NW-11.private{number}"}
    for number, host in enumerate(PRIVATE)
}
TO_STRANGERS: Final = {
    **{f"{tag}s": {"url": f"{act['url']}s"} for tag, act in _urls(STRANGERS).items()},
    **{
        f"NW-26.{number}": {"url": f"{base}/ok/NW-26.{number}"} for number, base in enumerate(PORTS)
    },
}
HOPS: Final = {
    f"{case}{number}": {
        "url": f"http://exact.test/{act}/{case}{number}?"
        + quote(where.format(f"ok/{case}{number}-next"), safe="")
    }
    for case, places in TO.items()
    for number, where in enumerate(places)
    for act in [("to", "to301", "to303", "to307", "to308")[number % 5]]
}
BY_NAME: Final = {
    # The first of these asks finds a public address.
    "NW-18.first": {"url": "http://rebind.test/ok/NW-18.first"},
    **{
        f"{case}.{name}": {"url": f"http://{name}.test/ok/{case}.{name}"}
        for case, names in NAMES.items()
        for name in names
    },
}
INVALID: Final = {
    **{f"{tag}u": {"url": f"{act['url']}u"} for tag, act in _urls(UNREADABLE).items()},
    **{
        tag: act
        for case, kinds in HEADERS.items()
        for tag, act in _tagged(case, "header", [{"headers": each} for each in kinds]).items()
    },
    **_tagged("NW-17", "method", [{"method": each} for each in METHODS]),
    **_tagged("NW-17", "path", [
        {"url": "http://exact.test/ok/x\r\nX-Evil: 1"}, {"url": "http://exact.test/ok/x y"},
        {"url": "http://exact.test/ok/x\0"}, {"url": "http://exact.test\\ok"},
        {"url": "http://exact.test/ok/\x7f"}, {"url": "http://exact.test/" + "x" * 9000},
    ]),
    **_tagged("NW-21", "scheme", [{"url": each} for each in SCHEMES]),
}  # fmt: skip
ALLOWED: Final = {
    **{f"{tag}a": {"url": f"{act['url']}a"} for tag, act in _urls(SAME).items()},
    **_tagged("NW-16", "twin", [{}]),
    **_tagged("NW-17", "twin", [
        {"headers": {"X-A": "1"}, "method": "POST", "body": "x"},
        {"query": {"a\r\nX-Evil": "1\r\nX-Evil: 1"}},
        {"url": "http://exact.test/ok/NW-17.twin2?a=%0d%0aX-Evil:%201"},
    ]),
    "NW-21.twin0": {"url": "http://exact.test/to/NW-21.twin0?http://other.test/ok/NW-21.twin0-next"},
    "NW-21.twin1": {"url": "http://exact.test/to308/NW-21.twin1?/ok/NW-21.twin1-next%23x"},
    **_tagged("NW-24", "twin", [{"headers": {"X-A": "y" * 1000, "User-Agent": "u"}}]),
    **_tagged("NW-26", "twin", [{}]),
    **_tagged("NW-36", "twin", [{}]),
}  # fmt: skip
