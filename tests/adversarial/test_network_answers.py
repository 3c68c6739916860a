"""NW: a hostile web server's answers are bounded in bytes and time, and taken as they are or not.

Each answer is bytes that the server chose (`tests/attackers/web_server.py`); one run for each
profile asks for all of them. What a server may do and an honest one does is the control.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from tests.adversarial.proof import Control
from tests.adversarial.web import Acted, Net, net
from tests.e2e.program import Program

__all__ = ["net"]
BOUNDED = ["low", "medium", "high"]
FAILED, LIMIT, DENIED = 6003, 4009, 4008
GRANTS = ("http://exact.test", "http://other.test")
DRIP_SECONDS = 0.7

NO_HTTP = (
    "two-lengths", "negative", "plus", "huge-length", "chunk-minus", "chunk-0x", "chunk-wide",
    "chunk-space", "chunk-no-end", "coding-twice", "coding-odd", "nothing", "nonsense", "http-0.9",
    "http-2", "h2-frames", "status-99", "status-1e3", "nul", "cr", "space-name", "no-colon",
    "long-header", "long-status", "many-headers", "cut-length", "cut-chunk", "cut-gzip", "trailers",
)  # fmt: skip
SWITCHES = ("switch", "switch-h2c")
TOO_LARGE = ("large", "endless", "endless-chunks", "nothings")
BOMBS = ("bomb", "bomb-deflate", "bomb-nested", "bomb-br", "bomb-zstd")
FLOODS = ("interim", "chunk-words")
DRIPS = ("drip-head", "drip-body", "drip-interim", "silence")
LARGEST = 1_000_000
"""Bytes of a request's body."""


def acts_of(*names: str, **more: Any) -> dict[str, Any]:
    return {name: {"url": f"http://exact.test/{name}/{name}", **more} for name in names}


def _answers(net: Net, profile: str) -> Acted:
    acts = acts_of(*NO_HTTP, *SWITCHES, *TOO_LARGE, *BOMBS, *FLOODS)
    acts |= acts_of("both-lengths", "bomb-in-bomb", "packed", "ok", "smuggle", "cookie")
    acts["after"] = {"url": "http://exact.test/ok/after"}
    acts["asked-for-less"] = {"url": "http://exact.test/packed/asked-for-less", "max_bytes": 10}
    acts["post-denied"] = {
        "url": "http://10.0.0.1/echo/post-denied", "method": "POST", "body": "x" * 1000,
    }  # fmt: skip
    acts["post-large"] = {
        "url": "http://exact.test/ok/post-large", "method": "POST",
    }  # fmt: skip
    acts["large-ok"] = {"url": "http://exact.test/ok/large-ok", "method": "POST"}
    acts["post-on"] = {
        "url": "http://exact.test/to307/post-on?http://10.0.0.1/echo/post-on-next",
        "method": "POST", "body": "secret body",
    }  # fmt: skip
    acts["post-along"] = {
        "url": "http://exact.test/to307/post-along?http://other.test/echo/post-along-next",
        "method": "POST", "body": "secret body",
    }  # fmt: skip
    return net.act(profile, acts, GRANTS, large={"post-large": LARGEST + 1, "large-ok": LARGEST})


class Answers:
    def __init__(self, net: Net) -> None:
        self.all = cache(lambda profile: _answers(net, profile))
        self.slow = cache(
            lambda profile: net.act(
                profile,
                acts_of("ok") | acts_of(*DRIPS, "late", timeout=DRIP_SECONDS),
                GRANTS,
                together=True,
            )
        )


@pytest.fixture(scope="module")
def answers(net: Net) -> Answers:
    return Answers(net)


def assert_failed(acted: Acted, tag: str, code: int, kind: str, asked: int = 1) -> dict[str, Any]:
    """The typed error, its one record, and that it was asked for once."""
    told = acted.told[tag]
    assert (told.get("code"), told.get("kind")) == (code, kind), (tag, told)
    assert [each["code"] for each in acted.failed(tag)] == [code], tag
    assert len(acted.seen(tag)) == asked, tag
    return told


@pytest.mark.parametrize("profile", BOUNDED)
def test_NW_63_answers_that_are_no_http(answers: Answers, control: Control, profile: str) -> None:
    acted = answers.all(profile)
    for name in NO_HTTP:
        assert_failed(acted, name, FAILED, "network")
    # Where a length and chunks are given, the chunks count (RFC 9112, 6.3), and nothing beyond.
    assert acted.told["both-lengths"]["body"] == "fine"
    control(acted.told["ok"]["body"] == "fine")


@pytest.mark.parametrize("profile", BOUNDED)
def test_NW_36_a_server_can_not_switch_protocols(
    answers: Answers, control: Control, profile: str
) -> None:
    acted = answers.all(profile)
    for name in SWITCHES:
        assert_failed(acted, name, FAILED, "network")
        (asked,) = acted.seen(name)
        assert not {"upgrade", "connection", "http2-settings"} & asked.headers.keys()
    control(acted.told["ok"]["worked"] == 200)


@pytest.mark.parametrize("profile", BOUNDED)
def test_NW_28_bombs_and_floods(answers: Answers, control: Control, profile: str) -> None:
    acted = answers.all(profile)
    for name in TOO_LARGE:
        told = assert_failed(acted, name, LIMIT, "limit")
        assert told["rule"] == "limit.response_body"
    for name in BOMBS:
        told = assert_failed(acted, name, FAILED, "network")
        assert "unpacks to far more" in told["message"] or "not asked for" in told["message"]
    for name in FLOODS:
        told = assert_failed(acted, name, FAILED, "network")
        assert "far more than an answer has" in told["message"]
    assert_failed(acted, "asked-for-less", FAILED, "too_large")
    # One layer was asked for, one is undone.
    assert acted.told["bomb-in-bomb"]["size"] < 100_000
    assert acted.result["usage"]["transfer"] < 60_000_000
    control(acted.told["packed"]["body"] == "fine" * 500)


@pytest.mark.parametrize("profile", BOUNDED)
def test_NW_29_one_deadline_for_it_all(answers: Answers, control: Control, profile: str) -> None:
    acted = answers.slow(profile)
    for name in DRIPS:
        told = assert_failed(acted, name, FAILED, "timeout")
        assert told["ms"] >= DRIP_SECONDS * 1000 - 50, told
        # The server drips for 20 seconds; each read succeeds long before any time-out of its own.
        assert told["ms"] < DRIP_SECONDS * 1000 + 3000, told
    control(acted.told["late"].get("worked") == acted.told["ok"].get("worked") == 200)


@pytest.mark.parametrize("profile", BOUNDED)
def test_NW_31_a_body_goes_nowhere_before_the_verdict(
    answers: Answers, control: Control, profile: str
) -> None:
    acted = answers.all(profile)
    told = acted.told["post-denied"]
    rule = "private" if profile == "low" else "host"
    assert (told["code"], told["rule"]) == (DENIED, f"{profile}.net.{rule}")
    assert len(acted.refused("post-denied")) == 1
    assert acted.seen("post-denied") == []
    told = assert_failed(acted, "post-large", LIMIT, "limit", asked=0)
    assert told["rule"] == "limit.request_body"
    told = acted.told["post-on"]
    assert (told["code"], len(acted.refused("post-on"))) == (DENIED, 1)
    assert len(acted.seen("post-on")) == 1 and acted.seen("post-on-next") == []
    (along,) = acted.seen("post-along-next")
    assert acted.told["large-ok"]["worked"] == 200
    control(along.body == b"secret body")


@pytest.mark.parametrize("profile", BOUNDED)
def test_NW_64_no_answer_is_taken_for_another_request(
    answers: Answers, control: Control, profile: str
) -> None:
    """What follows an answer on its connection is dropped with the connection."""
    acted = answers.all(profile)
    numbers = [request.number for request in acted.requests]
    assert len(set(numbers)) == len(numbers), "every request has a connection of its own"
    assert acted.told["smuggle"]["body"] == "fine"
    control(acted.told["after"]["body"] == "fine" and len(acted.seen("after")) == 1)


@pytest.mark.parametrize("profile", BOUNDED)
def test_NW_65_cookies_are_not_kept(answers: Answers, control: Control, profile: str) -> None:
    acted = answers.all(profile)
    (next_one,) = acted.seen("cookie-next")
    assert "cookie" not in next_one.headers
    assert not [each for each in acted.requests if "cookie" in each.headers]
    control(acted.told["cookie"]["redirects"] == 1)


CHILD = """
const ask = () => http.get("http://exact.test/late/nested").then((r) => r.status);
return await Promise.all(Array.from({length: 15}, ask));
"""


@pytest.mark.parametrize("profile", BOUNDED)
def test_NW_32_requests_at_once(net: Net, program: Program, control: Control, profile: str) -> None:
    """Also those of the spells that a spell runs: they share its places."""
    program.write("child.js", CHILD)
    net.web.requests.clear()
    source = """
const ask = () => http.get("http://exact.test/late/own").then((r) => r.status);
const own = Array.from({length: 15}, ask);
const nested = [1, 2].map(async () => (await Spell.runFile("spell:child.js", {}, {})).value);
return (await Promise.all([...own, ...nested])).flat().filter((s) => s === 200).length;
"""
    reads = ("--allow-read", "child.js") if profile == "high" else ()
    flags = ("--profile", profile, "--allow-net", "http://exact.test", *reads)
    result = program.result(source, ".js", *flags, wrapper=net.wire.entering)
    assert result["status"] == "done", result
    assert net.web.most_at_once("late") <= 10
    control(result["value"] == 45 and net.web.most_at_once("late") >= 5)
