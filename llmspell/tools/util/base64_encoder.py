"""base64_encoder: Base64, URL and hex, both ways (TOOL-040)."""

from __future__ import annotations

import binascii
from typing import Any
from urllib.parse import quote, quote_plus, unquote_plus, unquote_to_bytes

from llmspell.errors import InvalidInput
from llmspell.tools.schema import anything, binary, boolean, enum, record
from llmspell.tools.tool import Example, Host, Tool

VARIANTS = ("base64", "base64url", "url", "form", "hex")


def encode(data: bytes, variant: str, *, padding: bool) -> str:
    """`data` in a variant's characters."""
    if variant == "hex":
        return data.hex()
    if variant == "url":
        return quote(data, safe="")
    if variant == "form":
        return quote_plus(data)
    text = binascii.b2a_base64(data, newline=False).decode("ascii")
    if variant == "base64url":
        text = text.replace("+", "-").replace("/", "_")
    return text if padding else text.rstrip("=")


def decode(text: str, variant: str) -> bytes:
    """The bytes of a variant's text. Raises `InvalidInput` when it is none."""
    try:
        if variant == "hex":
            return bytes.fromhex(text.removeprefix("0x").replace(":", ""))
        if variant in ("url", "form"):
            _check_percent(text)
            if variant == "form":
                return unquote_plus(text, "latin-1").encode("latin-1")
            return unquote_to_bytes(text)
        return decode_base64(text)
    except (ValueError, binascii.Error):
        raise InvalidInput(f"data is no {variant}") from None


def decode_base64(text: str) -> bytes:
    """The bytes of Base64 in either alphabet, padded or not, with breaks. Raises ValueError."""
    compact = "".join(text.split()).replace("-", "+").replace("_", "/").rstrip("=")
    if len(compact) % 4 == 1:
        raise ValueError("a length that no Base64 has")
    padded = compact + "=" * (-len(compact) % 4)
    return binascii.a2b_base64(padded.encode("ascii"), strict_mode=True)


def _check_percent(text: str) -> None:
    for piece in text.split("%")[1:]:
        int(piece[:2], 16)
        if len(piece) < 2 or not piece[:2].isalnum():
            raise ValueError("a % that is no code")


async def _run(given: dict[str, Any], _: Host) -> dict[str, Any]:
    data, variant = given["data"], given["variant"]
    if given["operation"] == "encode":
        raw = data.encode("utf-8") if isinstance(data, str) else data
        text = encode(raw, variant, padding=given["padding"])
        return {"result": text, "metadata": {"bytes": len(raw), "characters": len(text)}}
    if isinstance(data, bytes):
        data = data.decode("latin-1")
    raw = decode(data, variant)
    metadata: dict[str, Any] = {"bytes": len(raw), "binary": False}
    if given["output"] == "bytes":
        return {"result": raw, "metadata": metadata | {"binary": True}}
    try:
        return {"result": raw.decode("utf-8"), "metadata": metadata}
    except UnicodeDecodeError:
        if given["output"] == "text":
            raise InvalidInput(
                "data decodes to bytes that are no UTF-8 text", hint='ask for output: "bytes"'
            ) from None
        return {"result": raw, "metadata": metadata | {"binary": True}}


TOOL = Tool(
    name="base64_encoder",
    category="util",
    description="Encodes and decodes Base64, URL and hex text.",
    security_level="low",
    capabilities=("encoding",),
    parameters=record(
        "",
        {
            "operation": enum("What to do.", ("encode", "decode"), default="encode"),
            "data": binary("Text or bytes to encode, or text to decode.", required=True),
            "variant": enum(
                "url is percent-encoding, form the same with + for a space.",
                VARIANTS,
                default="base64",
            ),
            "padding": boolean("Whether Base64 ends with =.", default=True),
            "output": enum(
                "Of decode: text must be UTF-8; auto gives text when it is, else bytes.",
                ("auto", "text", "bytes"),
                default="auto",
            ),
        },
    ),
    output=anything("the encoded text, or what was decoded."),
    run=_run,
    examples=(
        Example("Encode", {"data": "Hello, 世界"}, "SGVsbG8sIOS4lueVjA=="),
        Example("Decode", {"operation": "decode", "data": "SGVsbG8"}, "Hello"),
        Example("For a URL", {"data": "a b&c/ü", "variant": "url"}, "a%20b%26c%2F%C3%BC"),
    ),
)
