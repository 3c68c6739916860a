"""hash_calculator: digests and keyed digests, and their comparison (TOOL-039)."""

from __future__ import annotations

import binascii
import hashlib
import hmac
import zlib
from collections.abc import Callable
from typing import Any, Final

from llmspell.errors import InvalidInput
from llmspell.tools.schema import anything, binary, boolean, enum, integer, record
from llmspell.tools.tool import Example, Host, Tool
from llmspell.tools.util.base64_encoder import decode_base64

_HASHES: Final = (
    "md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_224", "sha3_256", "sha3_384",
    "sha3_512", "blake2b", "blake2s", "shake_128", "shake_256",
)  # fmt: skip
ALGORITHMS: Final = (*_HASHES, "crc32")
WEAK: Final = frozenset({"md5", "sha1", "crc32"})


def preload() -> None:
    """Loads each algorithm once."""
    for name in _HASHES:
        hashlib.new(name, b"", usedforsecurity=False)
    for name in _HASHES[:10]:
        hmac.new(b"k", b"", name)


def digest(data: bytes, algorithm: str, key: bytes | None, size: int | None) -> bytes:
    """The digest. Raises `InvalidInput` for a key or size that the algorithm does not take."""
    if algorithm == "crc32":
        _refuse(algorithm, key=key, size=size)
        return zlib.crc32(data).to_bytes(4, "big")
    if algorithm in ("blake2b", "blake2s"):
        most = 64 if algorithm == "blake2b" else 32
        if (size is not None and size > most) or (key is not None and len(key) > most):
            raise InvalidInput(f"{algorithm} takes a key and a size of at most {most} bytes")
        make: Callable[..., Any] = getattr(hashlib, algorithm)
        made: bytes = make(data, key=key or b"", digest_size=size or most).digest()
        return made
    if algorithm in ("shake_128", "shake_256"):
        _refuse(algorithm, key=key, size=None)
        shake: Callable[..., Any] = getattr(hashlib, algorithm)
        shaken: bytes = shake(data).digest(size or (16 if algorithm == "shake_128" else 32))
        return shaken
    _refuse(algorithm, key=None, size=size)
    if key is not None:
        return hmac.digest(key, data, algorithm)
    return hashlib.new(algorithm, data, usedforsecurity=False).digest()


def _refuse(algorithm: str, *, key: bytes | None, size: int | None) -> None:
    if key is not None:
        raise InvalidInput(f"{algorithm} takes no key", hint="use sha256 or blake2b")
    if size is not None:
        raise InvalidInput(f"{algorithm} has a fixed size; size is for blake2 and shake")


def bytes_of(value: str | bytes, encoding: str, place: str) -> bytes:
    """The bytes that a parameter means. Raises `InvalidInput`."""
    if isinstance(value, bytes):
        return value
    try:
        if encoding == "hex":
            return bytes.fromhex(value)
        if encoding == "base64":
            return decode_base64(value)
    except (ValueError, binascii.Error):
        raise InvalidInput(f"{place} is no {encoding}") from None
    return value.encode("utf-8")


def _written(data: bytes, form: str) -> str | bytes:
    if form == "bytes":
        return data
    if form == "hex":
        return data.hex()
    text = binascii.b2a_base64(data, newline=False).decode("ascii")
    return text.replace("+", "-").replace("/", "_").rstrip("=") if form == "base64url" else text


async def _run(given: dict[str, Any], _: Host) -> dict[str, Any]:
    algorithm = given["algorithm"]
    data = bytes_of(given["data"], given["input_encoding"], "data")
    key = bytes_of(given["key"], given["key_encoding"], "key") if "key" in given else None
    made = digest(data, algorithm, key, given.get("size"))
    metadata: dict[str, Any] = {
        "algorithm": algorithm,
        "keyed": key is not None,
        "bytes": len(data),
        "weak": algorithm in WEAK,
    }
    if "expected" in given:
        equal = _equals(made, given["expected"])
        metadata["digest"] = made.hex() if equal else None
        return {"result": equal, "metadata": metadata}
    result = _written(made, given["output"])
    if given["uppercase"] and isinstance(result, str) and given["output"] == "hex":
        result = result.upper()
    return {"result": result, "metadata": metadata}


def _equals(made: bytes, expected: str | bytes) -> bool:
    """Whether the digest is the expected one, in any form; takes the same time either way."""
    if isinstance(expected, bytes):
        return hmac.compare_digest(made, expected)
    text = expected.strip()
    for encoding in ("hex", "base64"):
        try:
            candidate = bytes_of(text, encoding, "expected")
        except InvalidInput:
            continue
        if len(candidate) == len(made):
            return hmac.compare_digest(made, candidate)
    return False


TOOL = Tool(
    name="hash_calculator",
    category="util",
    description="Computes and compares digests and keyed digests (HMAC).",
    security_level="low",
    capabilities=("hashing", "integrity"),
    preload=preload,
    parameters=record(
        "",
        {
            "data": binary("What to digest.", required=True),
            "algorithm": enum(
                "md5, sha1 and crc32 find accidents, not attackers.", ALGORITHMS, default="sha256"
            ),
            "input_encoding": enum(
                "How data is written.", ("text", "hex", "base64"), default="text"
            ),
            "key": binary("Makes a keyed digest: HMAC, or BLAKE2's own."),
            "key_encoding": enum("How key is written.", ("text", "hex", "base64"), default="text"),
            "size": integer("Bytes of the digest, for blake2 and shake.", 1, 1024),
            "output": enum(
                "How the digest is written.", ("hex", "base64", "base64url", "bytes"), default="hex"
            ),
            "uppercase": boolean("Whether hex letters are capitals.", default=False),
            "expected": binary("Compare with this digest (hex or Base64) instead."),
        },
    ),
    output=anything("the digest, or with `expected` whether it is the same."),
    run=_run,
    examples=(
        Example(
            "SHA-256",
            {"data": "abc"},
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        Example(
            "HMAC",
            {"data": "what do ya want for nothing?", "key": "Jefe", "algorithm": "md5"},
            "750c783e6ab0b503eaa86e310a5db738",
        ),
        Example(
            "Compare",
            {"data": "abc", "algorithm": "md5", "expected": "900150983CD24FB0D6963F7D28E17F72"},
            True,
        ),
    ),
)
