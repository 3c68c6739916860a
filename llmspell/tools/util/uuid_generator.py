"""uuid_generator: identifiers after RFC 9562 (TOOL-038)."""

from __future__ import annotations

import hashlib
import os
import time
from typing import Any, Final

from llmspell.errors import InvalidInput
from llmspell.tools.naming import near
from llmspell.tools.schema import array, boolean, enum, integer, record, string, union
from llmspell.tools.tool import VARIES, Example, Host, Tool

COUNT_MAX: Final = 10_000

NAMESPACES: Final = {
    "dns": 0x6BA7B8109DAD11D180B400C04FD430C8,
    "url": 0x6BA7B8119DAD11D180B400C04FD430C8,
    "oid": 0x6BA7B8129DAD11D180B400C04FD430C8,
    "x500": 0x6BA7B8149DAD11D180B400C04FD430C8,
}
"""RFC 9562, section 6.6."""

_GREGORIAN: Final = 0x01B21DD213814000
"""100 ns steps between 1582-10-15, where version 1 counts from, and 1970-01-01."""

_ALPHABET: Final = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
"""Of the short format: no characters that look alike."""

VERSIONS: Final = ("v1", "v3", "v4", "v5", "v6", "v7", "nil", "max")
FORMATS: Final = ("standard", "hex", "urn", "braces", "short", "integer")


def _stamped(value: int, version: int) -> int:
    """`value` with the bits of variant and version set (RFC 9562, section 4)."""
    value &= ~(0xF << 76) & ~(0x3 << 62)
    return value | version << 76 | 0x2 << 62


def _random(bits: int) -> int:
    return int.from_bytes(os.urandom((bits + 7) // 8), "big") >> (-bits % 8)


class _Clock:
    """Times for a row of identifiers that must rise."""

    def __init__(self) -> None:
        self._last = 0

    def ticks(self) -> int:
        """100 ns steps since 1582, never the same twice."""
        self._last = max(time.time_ns() // 100 + _GREGORIAN, self._last + 1)
        return self._last


def _time_based(version: int, clock: _Clock, node: int, sequence: int) -> int:
    ticks = clock.ticks() & (1 << 60) - 1
    if version == 6:
        high, low = ticks >> 12, ticks & 0xFFF
        return _stamped(high << 80 | low << 64 | sequence << 48 | node, 6)
    low, middle, high = ticks & 0xFFFFFFFF, ticks >> 32 & 0xFFFF, ticks >> 48
    return _stamped(low << 96 | middle << 80 | high << 64 | sequence << 48 | node, 1)


def _named(version: int, namespace: int, name: str) -> int:
    data = namespace.to_bytes(16, "big") + name.encode("utf-8")
    make = hashlib.md5 if version == 3 else hashlib.sha1
    return _stamped(int.from_bytes(make(data, usedforsecurity=False).digest()[:16], "big"), version)


def _sortable(milliseconds: int, counter: int) -> int:
    # Of one call the identifiers share a millisecond and rise by a counter in the 12 bits after it.
    return _stamped(milliseconds << 80 | counter << 64 | _random(62), 7)


def parse_uuid(text: str, place: str) -> int:
    """The number of an identifier in any of the formats but short. Raises `InvalidInput`."""
    digits = text.strip().lower().removeprefix("urn:uuid:").strip("{}").replace("-", "")
    if len(digits) != 32 or any(digit not in "0123456789abcdef" for digit in digits):
        raise InvalidInput(f"{place} is no UUID")
    return int(digits, 16)


def _shown(value: int, form: str, *, upper: bool) -> str:
    digits = f"{value:032x}"
    text = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    if form == "short":
        letters = ""
        for _ in range(22):
            value, letter = divmod(value, len(_ALPHABET))
            letters = _ALPHABET[letter] + letters
        return letters
    if form == "integer":
        return str(value)
    text = digits if form == "hex" else text
    text = text.upper() if upper else text
    return {"urn": f"urn:uuid:{text}", "braces": f"{{{text}}}"}.get(form, text)


def _namespace(text: str) -> int:
    known = NAMESPACES.get(text.lower())
    if known is not None:
        return known
    try:
        return parse_uuid(text, "namespace")
    except InvalidInput:
        raise InvalidInput(
            "namespace is neither a UUID nor dns, url, oid, x500", hint=near(text, NAMESPACES)
        ) from None


def _make(given: dict[str, Any]) -> list[int]:
    version, count = given["version"], given.get("count", 1)
    if version == "nil":
        return [0] * count
    if version == "max":
        return [(1 << 128) - 1] * count
    if version in ("v3", "v5"):
        if "name" not in given:
            raise InvalidInput(f"name is missing; {version} is made of a namespace and a name")
        return [_named(int(version[1]), _namespace(given["namespace"]), given["name"])] * count
    if version in ("v1", "v6"):
        # A random node with the multicast bit, not the machine's address (RFC 9562, section 6.10).
        node, sequence, clock = _random(48) | 1 << 40, _random(14), _Clock()
        return [_time_based(int(version[1]), clock, node, sequence) for _ in range(count)]
    if version == "v7":
        now, start = time.time_ns() // 1_000_000, _random(8)
        return [
            _sortable(now + (start + index) // 4096, (start + index) % 4096)
            for index in range(count)
        ]
    return [_stamped(_random(128), 4) for _ in range(count)]


async def _run(given: dict[str, Any], _: Host) -> dict[str, Any]:
    if given["operation"] == "validate":
        return _validate(given)
    shown = [_shown(value, given["format"], upper=given["uppercase"]) for value in _make(given)]
    result: Any = shown if "count" in given else shown[0]
    return {"result": result, "metadata": {"version": given["version"], "count": len(shown)}}


def _validate(given: dict[str, Any]) -> dict[str, Any]:
    if "uuid" not in given:
        raise InvalidInput("uuid is missing; validate needs one")
    try:
        value = parse_uuid(given["uuid"], "uuid")
    except InvalidInput as error:
        return {"result": False, "metadata": {"reason": error.message}}
    has_variant = value >> 62 & 0x3 == 0x2
    version = value >> 76 & 0xF if has_variant else None
    metadata: dict[str, Any] = {"version": version, "standard": _shown(value, "", upper=False)}
    if version == 7:
        metadata["milliseconds"] = value >> 80
    return {"result": True, "metadata": metadata}


TOOL = Tool(
    name="uuid_generator",
    category="util",
    description="Makes and checks unique identifiers (UUID versions 1, 3 to 7).",
    security_level="low",
    capabilities=("identifiers",),
    parameters=record(
        "",
        {
            "operation": enum("What to do.", ("generate", "validate"), default="generate"),
            "version": enum("v4 is random, v7 random and sortable.", VERSIONS, default="v4"),
            "count": integer("How many; when given, the result is a list.", 1, COUNT_MAX),
            "format": enum("How it is written.", FORMATS, default="standard"),
            "uppercase": boolean("Whether letters are capitals.", default=False),
            "namespace": string(
                "Of v3 and v5: dns, url, oid, x500 or a UUID.", default="dns", max_length=64
            ),
            "name": string("Of v3 and v5.", max_length=65_536),
            "uuid": string("Of validate.", max_length=128),
        },
    ),
    output=union(
        "the identifier, a list of them when `count` is given, or whether `uuid` is one.",
        (string(""), array("", string(""))),
    ),
    run=_run,
    examples=(
        Example("A random one", {}, VARIES),
        Example(
            "From a name",
            {"version": "v5", "namespace": "dns", "name": "python.org"},
            "886313e1-3b8a-5372-9b90-0c9aee199e5d",
        ),
        Example(
            "Three sortable ones without hyphens",
            {"version": "v7", "count": 3, "format": "hex"},
            VARIES,
        ),
    ),
)
