"""Targets of what `http` is judged by: hosts, addresses, grants, URLs, headers; also masks."""

from __future__ import annotations

import base64
import ipaddress
import json
import socket
import urllib.parse
from typing import Final

import h11
import idna

from llmspell.errors import InvalidInput
from llmspell.policies.addresses import PUBLIC, classify
from llmspell.policies.hostnames import Host, parse_host
from llmspell.policies.hosts import NetRule, NetRules, parse_net_rule
from llmspell.supervisor.masking import MASK, Masker
from llmspell.supervisor.providers.veil import StreamVeil
from llmspell.supervisor.services.webheaders import (
    check_headers,
    decode_headers,
    encode_headers,
    without_credentials,
)
from llmspell.supervisor.services.weburl import WebUrl, parse_url
from tests.fuzz.inputs import json_of, lines_of

_BASE: Final = parse_url("https://example.com/a/b?c")


def hosts(data: bytes) -> None:
    """A host has one canonical form; other parsers that take the text mean the same by it."""
    text = lines_of(data, 1)[0]
    try:
        host = parse_host(text)
    except InvalidInput:
        return
    assert host.name.isascii() and host.name == host.name.lower()
    assert not set(host.name) & set(" %/@?#\\\r\n\t\0[]"), host
    assert parse_host(host.name) == host, "the canonical form means something else"
    bare = text[1:-1] if text.startswith("[") else text
    _same_address(bare, host)
    if host.address is not None:
        _judged_alike(host)
    elif not text.isascii():
        _same_as_idna(text, host)


def _same_address(text: str, host: Host) -> None:
    """The machine's own resolver takes `127.1` and `0x7f.1`: what it would dial is what we say."""
    try:
        packed = socket.inet_aton(text) if text.isascii() and text.strip() == text else None
    except (OSError, ValueError):
        packed = None
    if packed is not None and not set(text) & set(" \t\n\v\f\r"):
        assert host.address == ipaddress.IPv4Address(packed), (text, host)
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return
    mapped = getattr(address, "ipv4_mapped", None)
    assert host.address == (mapped or address), (text, host)


def _judged_alike(host: Host) -> None:
    assert host.address is not None
    kind = classify(host.address)
    if kind == PUBLIC:
        # Python's own table differs between versions; what it calls private may not be public.
        assert not host.address.is_private and not host.address.is_loopback, host
        assert not host.address.is_link_local and not host.address.is_multicast, host
    rules = NetRules("fuzz", "public")
    for scheme in ("https", "http"):
        allowed = rules.judge_host(scheme, host).allowed is True
        assert not allowed or (kind == PUBLIC and scheme == "https"), host


def _same_as_idna(text: str, host: Host) -> None:
    try:
        expected = idna.encode(text, uts46=True, std3_rules=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return
    assert host.name == expected.lower().removesuffix("."), (text, host.name, expected)


def net_rules(data: bytes) -> None:
    """A grant allows what it names and nothing else. First line the grant, then a host each."""
    granted, *others = lines_of(data, 2)
    try:
        rule = parse_net_rule(granted)
    except InvalidInput:
        return
    rules = NetRules("fuzz", "listed", (rule,))
    refusing = NetRules("fuzz", "any", (), (rule,))
    assert parse_net_rule(granted) == rule
    for other in others[:4]:
        try:
            host = parse_host(other)
        except InvalidInput:
            continue
        for scheme, port in (("https", None), ("http", None), ("https", 8443), ("http", 8080)):
            verdict = rules.judge_host(scheme, host, port)
            named = _means(rule, host)
            assert named or verdict.allowed is not True, (granted, other)
            if named and rule.port is None and port is None:
                assert refusing.judge_host(scheme, host, port).allowed is not True
            at = port or {"https": 443, "http": 80}[scheme]
            if verdict.allowed is True and rule.port is not None:
                assert at == rule.port, (granted, other, at)


def _means(rule: NetRule, host: Host) -> bool:
    if rule.network is not None:
        return host.address is not None and host.address in rule.network
    if rule.wildcard:
        return host.name.split(".")[1:][-len(rule.host.split(".")) :] == rule.host.split(".")
    return host.name == rule.host


def urls(data: bytes) -> None:
    """A URL is read once; whoever reads its text again reads the same. Second line: a redirect."""
    first, second = lines_of(data, 2)[:2]
    for text, base in ((first, None), (second, _BASE), (first, _BASE)):
        try:
            url = parse_url(text, base)
        except InvalidInput:
            continue
        _read_alike(url)


def _read_alike(url: WebUrl) -> None:
    text = url.text
    assert text.isascii() and not any(c <= " " or c in "\x7f\\" for c in text), url
    assert url.target.startswith("/") and "#" not in url.target, url
    assert parse_url(text) == url, (text, url)
    other = urllib.parse.urlsplit(text)
    assert (other.hostname, other.scheme, other.username) == (url.host.name, url.scheme, None)
    assert (other.port or {"https": 443, "http": 80}[url.scheme]) == url.port
    # What the HTTP library would send is accepted by it and is exactly this target.
    h11.Request(method="GET", target=url.target, headers=[("Host", url.authority)])


def headers(data: bytes) -> None:
    """Headers that pass the check make one head that another parser reads as the same ones."""
    try:
        given = json_of(lines_of(data, 1)[0])
        if not isinstance(given, dict):
            return
        checked = check_headers(given)
    except (ValueError, InvalidInput):
        return
    encoded = encode_headers("example.com", checked, b"body")
    for name, value in encoded:
        assert not set(name + value) & set(b"\r\n\0"), (name, value)
    client, server = h11.Connection(h11.CLIENT), h11.Connection(h11.SERVER)
    sent = client.send(h11.Request(method="POST", target="/", headers=encoded))
    assert sent is not None
    server.receive_data(sent)
    request = server.next_event()
    assert isinstance(request, h11.Request)
    arrived = decode_headers(list(request.headers))
    for header, sent_text in checked.items():
        assert arrived[header] == sent_text, (header, sent_text, arrived[header])
    assert len(request.headers) == len(encoded), "a header more, or less"
    left = without_credentials(checked)
    assert not any("auth" in name or "cookie" in name for name in left)


def masks(data: bytes) -> None:
    """No secret is left in what goes out: plain, encoded, in keys, or cut into pieces.

    Lines: secrets separated by blanks, text before, text behind.
    """
    first, before, behind = lines_of(data, 3)[:3]
    secrets = [word for word in first.split() if len(word) >= 4 and not set(word) & set(MASK)]
    if (
        not secrets
        or len(first) > 80
        or len(before + behind) > 120
        or not _is_text(first + before + behind)
    ):
        return
    masker = Masker(secrets)
    for secret in secrets[:2]:
        for spelled in _spellings(secret):
            text = before + spelled + behind
            _clean(secrets, masker.mask_text(text), text)
            _clean(secrets, json.dumps(masker.mask({text: [text, {"k": text}]})), text)
            _streamed(masker, secrets, text)


def _is_text(text: str) -> bool:
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _spellings(secret: str) -> list[str]:
    data = secret.encode()
    found = [secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]]
    if len(data) >= 8:
        encoded = base64.b64encode(b"user:" + data).decode()
        found += [data.hex(), data.hex().upper(), urllib.parse.quote(secret, safe=""), encoded]
    return found


def _clean(secrets: list[str], shown: str, text: str) -> None:
    for secret in secrets:
        for spelled in _spellings(secret)[:3]:
            assert spelled not in shown, (spelled, text, shown)
        if len(secret.encode()) >= 8:
            assert secret.encode().hex() not in shown, (secret, text, shown)


def _streamed(masker: Masker, secrets: list[str], text: str) -> None:
    for size in (1, max(1, len(text) // 2)):
        veil = StreamVeil(masker)
        pieces = [text[place : place + size] for place in range(0, len(text), size)]
        shown = "".join(map(veil.pass_on, pieces)) + veil.rest()
        _clean(secrets, shown, text)
