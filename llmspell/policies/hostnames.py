"""The one parser of host names: whatever the spelling, one canonical form or an error.

Without it `127.1`, `0x7f.0.0.1`, `LOCALHOST.`, `１２７.0.0.1` and `::ffff:127.0.0.1` are five
strangers to a rule about `127.0.0.1` (NW-11 … NW-13). The canonical form is what must be dialled.
"""

from __future__ import annotations

from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Final

    from llmspell.policies.addresses import Address

HOST_MAX: Final = 253
"""Characters of a name (RFC 1035)."""

LABEL_MAX: Final = 63
"""Characters of one label (RFC 1035)."""

_LABEL: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_")
_DOTS: Final = str.maketrans({"\u3002": ".", "\uff0e": ".", "\uff61": "."})


class Host(NamedTuple):
    """A canonical host: `name` in lower-case ASCII, and its address when it is a literal one."""

    name: str
    address: Address | None

    @property
    def local_name(self) -> bool:
        """Whether the name always means this machine (RFC 6761)."""
        return self.name == "localhost" or self.name.endswith(".localhost")

    def with_port(self, port: int | None) -> str:
        """`name:port`, or `[name]:port` for IPv6."""
        shown = f"[{self.name}]" if ":" in self.name else self.name
        return shown if port is None else f"{shown}:{port}"


def parse_host(text: object) -> Host:
    """The host that a text means; `[::1]` and `::1` are the same.

    Raises `InvalidInput` for what is not text, empty, too long, or holds a zone id, a percent
    sign, NUL, CR, LF, a space or any character that no host name has (NW-12, 13, 16, 17).
    """
    if not isinstance(text, str) or not text:
        raise InvalidInput("a host is a name or an address")
    if len(text) > 4 * HOST_MAX:
        raise InvalidInput(f"a host name has at most {HOST_MAX} characters")
    bracketed = text.startswith("[") and text.endswith("]")
    if bracketed or ":" in text:
        return _ipv6(text[1:-1] if bracketed else text)
    name = text if text.isascii() else _to_ascii(text)
    name = name.lower().removesuffix(".")
    labels = name.split(".")
    if _is_number(labels[-1]):
        return _ipv4(labels, text)
    for label in labels:
        _check_label(label, text)
    if len(name) > HOST_MAX:
        raise InvalidInput(f"a host name has at most {HOST_MAX} characters")
    return Host(name, None)


def _check_label(label: str, text: str) -> None:
    if not label or len(label) > LABEL_MAX:
        raise InvalidInput(f"{text!r} is no host name: a part is empty or over {LABEL_MAX} long")
    if not _LABEL.issuperset(label) or label[0] == "-" or label[-1] == "-":
        raise InvalidInput(f"{text!r} is no host name: {label!r} holds what a name can't")


def _ipv6(text: str) -> Host:
    from ipaddress import AddressValueError, IPv6Address

    from llmspell.policies.addresses import mapped

    if "%" in text:
        raise InvalidInput(f"{text!r} has a zone; name an address without one")
    try:
        address = IPv6Address(text)
    except AddressValueError:
        raise InvalidInput(f"{text!r} is no host name and no IPv6 address") from None
    inner = mapped(int(address))
    return Host(str(address), address) if inner is None else Host(str(inner), inner)


def _is_number(label: str) -> bool:
    """Whether a name ending in this label is an IPv4 address or nothing (WHATWG URL)."""
    if not label.isascii():
        return False
    return label.isdigit() or (
        label.startswith("0x") and all(digit in "0123456789abcdef" for digit in label[2:])
    )


def _ipv4(parts: list[str], text: str) -> Host:
    from ipaddress import IPv4Address

    numbers = [_number(part, text) for part in parts]
    *leading, last = numbers
    if len(numbers) > 4 or any(n > 255 for n in leading) or last >= 256 ** (5 - len(numbers)):
        raise InvalidInput(f"{text!r} is no IPv4 address")
    value = last
    for index, number in enumerate(leading):
        value += number << 8 * (3 - index)
    address = IPv4Address(value)
    return Host(str(address), address)


def _number(part: str, text: str) -> int:
    base, digits = 10, part
    if part.startswith("0x"):
        base, digits = 16, part[2:] or "0"
    elif len(part) > 1 and part.startswith("0"):
        base, digits = 8, part[1:]
    allowed = "0123456789abcdef"[:base]
    if not digits or len(digits) > 64 or any(digit not in allowed for digit in digits):
        raise InvalidInput(f"{text!r} is no IPv4 address")
    return int(digits, base)


def _to_ascii(text: str) -> str:
    """Lower case, compatibility forms folded, each label in punycode (as IDNA 2008 with UTS 46).

    Own code, because the standard library's IDNA 2003 turns `ß` into `ss`: another host.
    """
    import unicodedata

    composed = unicodedata.normalize("NFKC", text.translate(_DOTS))
    # One by one: `lower` of a whole word makes its last Σ another letter than UTS 46 does.
    lowered = "".join(character.lower() for character in composed)
    folded = unicodedata.normalize("NFKC", lowered)
    labels = []
    for label in folded.split("."):
        if label.isascii():
            labels.append(label)
            continue
        if any(unicodedata.category(c)[0] not in "LMN" and c != "-" for c in label):
            raise InvalidInput(f"{text!r} is no host name: it holds a sign that no name has")
        if unicodedata.category(label[0])[0] == "M" or label.startswith("xn--"):
            raise InvalidInput(f"{text!r} is no host name: {label!r} can't be a part of one")
        labels.append("xn--" + label.encode("punycode").decode("ascii").lower())
    return ".".join(labels)


def parse_port(text: str) -> int:
    """A port 1…65535. Raises `InvalidInput`."""
    if not (text.isascii() and text.isdigit() and len(text) <= 5 and 1 <= int(text) <= 65535):
        raise InvalidInput(f"{text!r} is no port: write a number from 1 to 65535")
    return int(text)
