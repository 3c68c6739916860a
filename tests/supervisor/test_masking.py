"""Registered secrets are found in every spelling that a server may echo (NW-34)."""

from __future__ import annotations

import base64
import json
import re
import time
import urllib.parse

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmspell.supervisor import masking, prepare
from llmspell.supervisor.masking import MASK, Masker

SECRET = 'hunter2/"Geheim"+ü'


@pytest.mark.parametrize(
    "spelled",
    [
        SECRET,
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        SECRET.encode().hex(),
        SECRET.encode().hex().upper(),
        urllib.parse.quote(SECRET, safe=""),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        base64.b64encode(b"u:" + SECRET.encode()).decode(),
        base64.b64encode(b"us:" + SECRET.encode() + b"tail").decode(),
        base64.b64encode(b"use:" + SECRET.encode() + b"ta").decode(),
    ],
)
def test_NW_34_spellings(spelled: str) -> None:
    masked = Masker([SECRET]).mask({"k": [f"before {spelled} after"], spelled: 1})
    assert MASK in masked["k"][0] and masked["k"][0].startswith("before ")
    assert not any(part in json.dumps(masked) for part in ("hunter2", spelled[4:-6]))


@given(st.binary(max_size=20), st.text("abcXYZ019+/=-_", min_size=8, max_size=40), st.binary())
def test_NW_34_base64_at_any_place(before: bytes, secret: str, after: bytes) -> None:
    text = base64.b64encode(before + secret.encode() + after).decode()
    masked = Masker([secret]).mask_text(text)
    assert MASK in masked
    with pytest.raises((ValueError, AssertionError)):
        assert secret.encode() not in base64.b64decode(masked.replace(MASK, ""))
        raise ValueError


def test_bytes_keys_and_other_values() -> None:
    masker = Masker([SECRET, "", "abc"])
    assert masker.mask(b"x" + SECRET.encode()) == b"x" + MASK.encode()
    assert masker.mask([1, None, True, 2.5, "abc"]) == [1, None, True, 2.5, "abc"]
    value = {"a": [1]}
    assert Masker().mask(value) is value


def test_every_place_in_a_value_is_masked() -> None:
    masked = Masker([SECRET]).mask({SECRET: [SECRET, {"a": (SECRET, b"x" + SECRET.encode())}]})
    assert masked == {MASK: [MASK, {"a": [MASK, b"x" + MASK.encode()]}]}


def test_NW_34_what_is_read_in_another_encoding() -> None:
    masker = Masker([SECRET])
    for text in (
        SECRET.encode().decode("latin-1"),
        SECRET.encode("latin-1").decode(errors="replace"),
    ):
        assert masker.mask(f"a {text} b") == f"a {MASK} b"
    assert masker.mask(b"a " + SECRET.encode("latin-1")) == b"a " + MASK.encode()
    # Nothing ordinary becomes a secret by it.
    cyrillic = Masker(["\u043f\u0430\u0440\u043e\u043b\u044c"])
    assert cyrillic.mask("?????? \ufffd\ufffd\ufffd\ufffd") == "?????? \ufffd\ufffd\ufffd\ufffd"
    assert Masker(["\u00fc\u00fc\u00fc\u00fc"]).mask("\ufffd" * 4) == "\ufffd" * 4


@pytest.mark.parametrize(
    ("written", "secrets"),
    [
        ("http://me:hunter2-hunter2@proxy:3128", {"hunter2-hunter2"}),
        ("me:hunter2-hunter2@proxy:3128", {"hunter2-hunter2"}),
        ("http://me:a%2Fb%40c@proxy/", {"a%2Fb%40c", "a/b@c"}),
        ("https://token-alone@proxy", {"token-alone"}),
    ],
)
def test_NW_34_credentials_of_a_proxy_however_it_is_written(
    monkeypatch: pytest.MonkeyPatch, written: str, secrets: set[str]
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.setenv("all_proxy", written)
    found = set(prepare._known_secrets())
    user, _, password = written.rpartition("//")[2].rpartition("@")[0].partition(":")
    sent = f"{user}:{urllib.parse.unquote(password)}"
    assert found == secrets | {base64.b64encode(sent.encode()).decode()}


@pytest.mark.parametrize("levels", [100, 200, 100_000])
def test_deep_values_end_closed(levels: int) -> None:
    value: object = SECRET
    for _ in range(levels):
        value = [value]
    assert "hunter2" not in json.dumps(Masker([SECRET]).mask(value))


@pytest.mark.parametrize(
    "text",
    [
        "sk-proj-abcdefghijklmnop1234",
        "ghp_abcdefghijklmnopqrstuvwxyz0123",
        "AKIAIOSFODNN7EXAMPLE",
        "Authorization: Bearer abcdefgh12345678",
        "https://user:password@example.com/",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0abc.c2lnbmF0dXJl",
    ],
)
def test_patterns_in_what_people_read(text: str) -> None:
    assert MASK in Masker().mask_record({"t": text})["t"]
    assert Masker().mask({"t": text})["t"] == text


def test_plain_words_stay() -> None:
    text = "denied write out/report.md for task-list at https://example.com/a:b"
    assert Masker(["s3cret-value"]).mask_record(text) == text


@pytest.mark.parametrize("text", ["sk-" * 100_000, "://" + "a" * 500_000, "eyJ" + "a." * 200_000])
def test_time_is_bounded(text: str) -> None:
    begun = time.monotonic()
    Masker(["0123456789abcdef"]).mask_record(text)
    assert time.monotonic() - begun < 5


# -- what can't hold a key is not searched for one ------------------------------------------------

PIECES = st.sampled_from(
    [
        *("sk-", "ghp_", "GHP_", "github_pat_", "AKIA", "akia", "xoxb-", "AIza", "eyJ", "://", "@"),
        *("Bearer ", "bEarer ", "BASIC ", "Ba\u017fic ", "bear\u0435r ", "bas\u0131c ", ":", "."),
        *("a" * 8, "A1" * 10, "0123456789abcdef", " ", "\n", "é"),
    ]
)


@given(st.lists(PIECES, max_size=8).map("".join))
@example("basic " + "a" * 8)
@example("ba\u017fic " + "a" * 20)
@example("http://u:p@h")
def test_the_quick_look_hides_nothing_from_the_patterns(text: str) -> None:
    searched = re.sub(masking._KEYS, MASK, text)
    assert Masker().mask_text(text, patterns=True) == (
        searched if len(text) >= masking.KEY_MIN or "@" in text else text
    )
