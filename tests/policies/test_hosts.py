"""Hosts: one canonical form, listed hosts, and addresses nobody's spell may dial."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell.errors import InvalidInput
from llmspell.policies.addresses import classify
from llmspell.policies.hosts import NetRules, parse_host, parse_net_rule


def net(*granted: str, mode: str = "listed", denied: tuple[str, ...] = ()) -> NetRules:
    return NetRules(
        "medium",
        mode,
        tuple(parse_net_rule(text) for text in granted),
        tuple(parse_net_rule(text) for text in denied),
    )


def opens(rules: NetRules, host: str, port: int | None = None, scheme: str = "https") -> bool:
    return rules.judge_host(scheme, host, port).allowed is True


LOOPBACK = [
    "127.1",
    "127.0.1",
    "0x7f.0.0.1",
    "0x7f000001",
    "0X7F.1",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "127.0.0.1.",
    "１２７.0.0.1",
    "127。0。0。1",
    "①②⑦.0.0.1",
    "::ffff:127.0.0.1",
    "[::ffff:7f00:1]",
]


@pytest.mark.parametrize("text", LOOPBACK)
def test_NW_11_every_spelling_of_loopback_is_one(text: str) -> None:
    assert parse_host(text).name == "127.0.0.1"
    for rules in (net("example.com"), net("127.0.0.1.nip.io"), net(mode="public")):
        assert not opens(rules, text)
    assert opens(net("127.0.0.1"), text)
    assert opens(net(mode="public"), "93.184.216.34")


@pytest.mark.parametrize("text", ["0", "0.0.0.0", "00", "0x0", "0.0", "0x"])
def test_NW_11_zero_is_unspecified(text: str) -> None:
    assert parse_host(text).name == "0.0.0.0"
    assert net(mode="public").judge_host("https", text).rule == "medium.net.unspecified"


@pytest.mark.parametrize(
    "text",
    ["256.1.1.1", "1.2.3.4.5", "08", "1.2.3.256", "1..2", "4294967296", "a.1", "1.2.3.0x100"],
)
def test_NW_11_numbers_that_are_no_address_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_host(text)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("::1", "loopback"),
        ("[::1]", "loopback"),
        ("0:0:0:0:0:0:0:1", "loopback"),
        ("::ffff:127.0.0.1", "loopback"),
        ("::127.0.0.1", "loopback"),
        ("::ffff:0:127.0.0.1", "loopback"),
        ("64:ff9b::7f00:1", "loopback"),
        ("64:ff9b::169.254.169.254", "metadata"),
        ("2002:7f00:1::", "loopback"),
        ("2002:c0a8:101::1", "private"),
        ("64:ff9b:1::1", "private"),
        ("fe80::1", "link-local"),
        ("fd12::1", "private"),
        ("fd00:ec2::254", "metadata"),
        ("ff02::1", "multicast"),
        ("::", "unspecified"),
        ("2001:0:1234::1", "reserved"),
        ("2001:db8::1", "reserved"),
        ("100::1", "reserved"),
    ],
)
def test_NW_12_ipv6_forms(text: str, kind: str) -> None:
    address = parse_host(text).address
    assert address is not None and classify(address) == kind
    assert not opens(net(mode="public"), text)
    assert opens(net(mode="public"), "2606:2800:220:1::1")
    assert opens(net(mode="public"), "[64:ff9b::93.184.216.34]")


@pytest.mark.parametrize(
    "text", ["fe80::1%eth0", "[fe80::1%25eth0]", "::1%lo", "[::1", "::g", ":::"]
)
def test_NW_12_zones_and_broken_forms_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_host(text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("bücher.de", "xn--bcher-kva.de"),
        ("BÜCHER.de", "xn--bcher-kva.de"),
        ("bu\u0308cher.de", "xn--bcher-kva.de"),
        ("faß.de", "xn--fa-hia.de"),
        ("例え。jp", "xn--r8jz45g.jp"),
        ("ｅｘａｍｐｌｅ.com", "example.com"),
        ("xn--bcher-kva.de", "xn--bcher-kva.de"),
        ("a_b.example", "a_b.example"),
    ],
)
def test_NW_13_one_canonical_form(text: str, name: str) -> None:
    assert parse_host(text).name == name
    assert opens(net(name), text)


def test_NW_13_look_alikes_are_other_hosts() -> None:
    assert parse_host("ехample.com").name != "example.com"  # cyrillic
    assert not opens(net("example.com"), "ехample.com")


@pytest.mark.parametrize(
    "text",
    [
        "ex%61mple.com",
        "example.com%00",
        "exa mple.com",
        "a\x00.com",
        "a\r\nb.com",
        "a/b",
        "user@example.com",
        "a..b",
        ".example.com",
        "-a.com",
        "a-.com",
        "",
        ".",
        "a" * 64 + ".com",
        "a." * 130 + "com",
        "℀.com",
        "a\u200db.com",
        "x" * 5000,
        "*.example.com",
        "[example.com]",
        None,
        7,
    ],
)
def test_NW_16_what_is_no_host_is_refused(text: object) -> None:
    with pytest.raises(InvalidInput):
        parse_host(text)


@pytest.mark.parametrize(
    ("granted", "host", "allowed"),
    [
        ("example.com", "example.com", True),
        ("example.com", "www.example.com", False),
        ("*.example.com", "www.example.com", True),
        ("*.example.com", "a.b.example.com", True),
        ("*.example.com", "example.com", False),
        ("*.example.com", "evilexample.com", False),
        ("example.com", "evilexample.com", False),
        ("example.com", "example.com.evil.io", False),
        ("*.example.com", "www.example.com.evil.io", False),
    ],
)
def test_NW_14_labels_match_exactly(granted: str, host: str, allowed: bool) -> None:
    assert opens(net(granted), host) is allowed


def test_NW_26_the_port_is_part_of_the_grant() -> None:
    rules = net("example.com", "api.example.com:8443")
    assert opens(rules, "example.com") and opens(rules, "example.com", 443)
    assert not opens(rules, "example.com", 8443)
    assert opens(rules, "api.example.com", 8443)
    assert not opens(rules, "api.example.com", 443)
    verdict = rules.judge_host("https", "example.com", 22)
    assert verdict.rule == "medium.net.port"
    assert verdict.hint == "to allow it: --allow-net example.com:22"


def test_plain_text_needs_its_own_grant() -> None:
    assert not opens(net("example.com"), "example.com", scheme="http")
    assert not opens(net("example.com:8080"), "example.com", 8080, scheme="http")
    rules = net("http://example.com")
    assert opens(rules, "example.com", scheme="http") and opens(rules, "example.com", 80, "http")
    assert not opens(rules, "example.com")
    verdict = net().judge_host("http", "example.com", 8080)
    assert verdict.hint == "to allow it: --allow-net http://example.com:8080"
    assert opens(net("http://example.com:8080"), "example.com", 8080, "http")
    assert not opens(NetRules("low", "public", require_tls=True), "example.com", scheme="http")
    assert opens(NetRules("low", "public", require_tls=False), "example.com", scheme="http")


@pytest.mark.parametrize("scheme", ["ftp", "file", "gopher", "data", "ws", "HTTPS", ""])
def test_NW_21_other_schemes_are_denied(scheme: str) -> None:
    assert not opens(net("example.com", mode="any"), "example.com", 443, scheme)


def test_localhost_is_granted_for_its_port_only() -> None:
    rules = net("localhost:8000")
    assert opens(rules, "localhost", 8000, "http") and opens(rules, "localhost", 8000)
    assert not opens(rules, "localhost", 8001, "http")
    assert rules.judge_address("localhost", "127.0.0.1", 8000).allowed is True
    assert rules.judge_address("localhost", "::1", 8000).allowed is True
    assert rules.judge_address("localhost", "127.0.0.1", 8001).allowed is False
    assert rules.judge_address("localhost", "10.0.0.1", 8000).allowed is False
    assert rules.judge_address("example.com", "127.0.0.1", 8000).allowed is False


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "::ffff:10.0.0.1", "100.64.0.1"]
)
def test_NW_18_NW_19_a_granted_name_does_not_grant_private_addresses(address: str) -> None:
    rules = net("example.com", "*.internal.corp")
    for name in ("example.com", "git.internal.corp"):
        verdict = rules.judge_address(name, address, 443)
        assert verdict.allowed is False and str(verdict.hint).startswith("to allow it: --allow-net")
        assert rules.judge_address(name, "93.184.216.34", 443).allowed is True


@pytest.mark.parametrize("answer", ["fe80::1%eth0", "not-an-address", "", "1.2.3.4.5", "::1%lo"])
def test_NW_18_what_a_resolver_gives_that_is_no_address_is_denied(answer: str) -> None:
    rules = NetRules("none", "any")
    verdict = rules.judge_address("example.com", answer, 443)
    assert (verdict.allowed, verdict.rule) == (False, "none.net.address")


def test_a_block_of_addresses_can_be_granted() -> None:
    rules = net("git.corp.example", "10.0.0.0/8")
    assert rules.judge_address("git.corp.example", "10.1.2.3", 443).allowed is True
    assert rules.judge_address("git.corp.example", "192.168.1.1", 443).allowed is False
    assert opens(rules, "10.1.2.3") and not opens(rules, "11.1.2.3")
    assert not opens(rules, "evil.example")


def test_a_granted_block_does_not_open_the_metadata_service() -> None:
    block = net("aws.example", "169.254.0.0/16")
    assert block.judge_address("aws.example", "169.254.1.1", 443).allowed is True
    assert block.judge_address("aws.example", "169.254.169.254", 443).allowed is False
    assert not opens(block, "169.254.169.254")
    named = net("aws.example", "169.254.169.254")
    assert named.judge_address("aws.example", "169.254.169.254", 443).allowed is True
    assert opens(named, "169.254.169.254")


def test_azure_and_other_metadata_addresses_are_never_public() -> None:
    for address in ("168.63.129.16", "169.254.170.2", "100.100.100.200", "192.0.0.192"):
        assert classify(ip_address(address)) == "metadata"
        assert not opens(net(mode="public"), address)
    assert opens(net(mode="any"), "169.254.169.254")


def test_a_denial_always_wins() -> None:
    rules = net("*.example.com", "10.0.0.0/8", denied=("bad.example.com", "10.9.0.0/16"))
    assert opens(rules, "good.example.com") and not opens(rules, "bad.example.com")
    assert rules.judge_address("good.example.com", "10.9.1.1", 443).allowed is False
    assert rules.judge_address("good.example.com", "64:ff9b::10.9.1.1", 443).allowed is False
    assert rules.judge_address("good.example.com", "10.8.1.1", 443).allowed is True
    assert not opens(net(mode="any", denied=("evil.io",)), "evil.io")


def test_EN_07_an_empty_list_denies_and_so_does_an_unknown_mode() -> None:
    for mode in ("none", "listed", "", "Public", "all"):
        assert not opens(net(mode=mode), "example.com")
    assert opens(net("example.com", mode="none"), "example.com")


@pytest.mark.parametrize(
    "text",
    [
        "http://example.com/path",
        "example.com/path",
        "https://user:pw@example.com",
        "ftp://example.com",
        "*",
        "*.com",
        "a.*.com",
        "*example.com",
        "example.com:0",
        "example.com:99999",
        "example.com:http",
        "10.0.0.1/8",
        "[::1]8080",
        "[::1",
        "",
        "example.com?x",
        "*.10.0.0.1",
        "0.0.0.0/0",
        "128.0.0.0/1",
        "::/0",
    ],
)
def test_grants_that_are_no_host_are_refused(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_net_rule(text)


@given(st.text(max_size=40))
def test_parsing_is_idempotent_and_never_fails_in_another_way(text: str) -> None:
    try:
        host = parse_host(text)
    except InvalidInput:
        return
    assert parse_host(host.name) == host
    assert host.name.isascii() and host.name == host.name.lower()


@given(st.integers(0, 2**32 - 1), st.sampled_from(["dotted", "number", "hex", "octal", "mapped"]))
def test_NW_11_all_spellings_agree(value: int, form: str) -> None:
    address = IPv4Address(value)
    spelled = {
        "dotted": str(address),
        "number": str(value),
        "hex": hex(value),
        "octal": "0" + oct(value)[2:],
        "mapped": f"::ffff:{address}",
    }[form]
    assert parse_host(spelled).name == str(address)


@given(st.integers(0, 2**32 - 1))
def test_NW_12_what_is_private_stays_so_inside_ipv6(value: int) -> None:
    inner = classify(IPv4Address(value))
    for outer in ((0x0064_FF9B << 96) | value, (0x2002 << 112) | (value << 80)):
        assert classify(IPv6Address(outer)) == inner


@given(st.integers(0, 2**32 - 1))
def test_public_is_never_more_than_the_standard_library_says(value: int) -> None:
    address = IPv4Address(value)
    if classify(address) == "public":
        assert address.is_global and not address.is_multicast


@given(st.integers(0, 2**128 - 1))
def test_public_ipv6_is_never_more_than_the_standard_library_says(value: int) -> None:
    address = IPv6Address(value)
    if classify(address) == "public" and value >> 96 != 0x0064_FF9B:
        assert not (address.is_private or address.is_multicast or address.is_link_local)
