"""What an IP address is for: public, or one of the ranges that no stranger's code may dial.

A table of our own, because what `ipaddress` calls private differs between Python versions.
Sources: IANA special-purpose registries (RFC 6890, RFC 8190), cloud vendors' metadata addresses.
"""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from ipaddress import IPv4Address, IPv6Address
    from typing import Final

    Address = IPv4Address | IPv6Address

PUBLIC: Final = "public"

_METADATA: Final = {
    4: (
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "100.100.100.200",
        "192.0.0.192",
        "168.63.129.16",
    ),
    6: ("fd00:ec2::254", "fd00:ec2::23", "fd20:ce::254", "fd00:42::42", "fd00:c1::a9fe:a9fe"),
}

_NETWORKS_4: Final = (
    ("0.0.0.0/8", "unspecified"),
    ("10.0.0.0/8", "private"),
    ("100.64.0.0/10", "private"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local"),
    ("172.16.0.0/12", "private"),
    ("192.0.0.0/24", "reserved"),
    ("192.0.2.0/24", "reserved"),
    ("192.31.196.0/24", "reserved"),
    ("192.52.193.0/24", "reserved"),
    ("192.88.99.0/24", "reserved"),
    ("192.168.0.0/16", "private"),
    ("192.175.48.0/24", "reserved"),
    ("198.18.0.0/15", "reserved"),
    ("198.51.100.0/24", "reserved"),
    ("203.0.113.0/24", "reserved"),
    ("224.0.0.0/4", "multicast"),
    ("240.0.0.0/4", "reserved"),
)

_NETWORKS_6: Final = (
    ("::/128", "unspecified"),
    ("::1/128", "loopback"),
    ("fc00::/7", "private"),
    ("fec0::/10", "private"),
    ("fe80::/10", "link-local"),
    ("ff00::/8", "multicast"),
    ("64:ff9b:1::/48", "private"),
    ("2001::/23", "reserved"),
    ("2001:db8::/32", "reserved"),
    ("3fff::/20", "reserved"),
)

_tables: dict[int, tuple[tuple[int, int, str], ...]] = {}


def classify(address: Address) -> str:
    """`public`, or `loopback`, `private`, `link-local`, `metadata`, `multicast`, `unspecified`,
    `reserved`. An IPv6 address that carries an IPv4 one is judged by both."""
    value = int(address)
    for network, shift, label in _table(address.version):
        if value >> shift == network:
            return label
    if address.version == 4:
        return PUBLIC
    inner = embedded(value)
    if inner is not None:
        return classify(inner)
    # Nothing outside 2000::/3 is handed out to anybody.
    return PUBLIC if value >> 125 == 1 else "reserved"


def embedded(value: int) -> IPv4Address | None:
    """The IPv4 address inside an IPv6 one: mapped, compatible, translated, NAT64, 6to4 (NW-12)."""
    from ipaddress import IPv4Address

    if value >> 32 in (0xFFFF, 0xFFFF_0000, 0x0064_FF9B << 64) or (
        value >> 32 == 0 and value > 0xFFFF
    ):
        return IPv4Address(value & 0xFFFF_FFFF)
    if value >> 112 == 0x2002:
        return IPv4Address(value >> 80 & 0xFFFF_FFFF)
    return None


def mapped(value: int) -> IPv4Address | None:
    """The IPv4 address that an IPv6 spelling *is* (the kernel dials the IPv4 one)."""
    from ipaddress import IPv4Address

    return IPv4Address(value & 0xFFFF_FFFF) if value >> 32 == 0xFFFF else None


def _table(version: int) -> tuple[tuple[int, int, str], ...]:
    known = _tables.get(version)
    if known is not None:
        return known
    from ipaddress import ip_address, ip_network

    bits = 32 if version == 4 else 128
    rows = [(int(ip_address(text)), 0, "metadata") for text in _METADATA[version]]
    for text, label in _NETWORKS_4 if version == 4 else _NETWORKS_6:
        network = ip_network(text)
        shift = bits - network.prefixlen
        rows.append((int(network.network_address) >> shift, shift, label))
    _tables[version] = tuple(rows)
    return _tables[version]
