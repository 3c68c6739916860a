"""Targets of documents: manifest, policy, configuration, grants, limits, audit files."""

from __future__ import annotations

import functools
import os
from typing import Any, Final

from llmspell.config.events import check_events
from llmspell.config.hooks import check_hooks
from llmspell.config.provider_table import check_table
from llmspell.config.security import check_security
from llmspell.config.storage import check_storage
from llmspell.errors import ConfigurationError, InvalidInput, LlmspellError, UsageError
from llmspell.policies.limits import parse_limit
from llmspell.profiles.context import PolicyContext
from llmspell.profiles.document import check_policy
from llmspell.profiles.files import parse_toml
from llmspell.profiles.grants import KINDS, Grant
from llmspell.profiles.loader import load_policy
from llmspell.spells.manifest import REQUESTS_MAX, block_of, parse
from llmspell.supervisor.audit.records import FIRST, LINE_MAX, make_record, seal
from llmspell.supervisor.audit.spelling import CALL, DECISION, Speller
from llmspell.supervisor.audit.verify import Report, verify
from tests.fuzz.inputs import json_of, lines_of, text_of

_CONTEXT: Final = PolicyContext(
    "/home/u/work", "/home/u/spells", "/home/u/ws", ("/home/u/.config/llmspell",), "/home/u"
)
_PROFILES: Final = ("none", "low", "medium", "high")


def manifest(data: bytes) -> None:
    """A spell's own words about itself are taken, or refused with a sentence."""
    source = text_of(data)
    for engine in ("lua", "javascript", "python"):
        try:
            block = block_of(source, engine)
        except ConfigurationError:
            block = None
        if block is not None:
            _parsed(block)
    _parsed(source)


def _parsed(text: str) -> None:
    try:
        found = parse(text, "spell.toml")
    except ConfigurationError:
        return
    assert len(found.description) <= 500 and len(found.requests) <= REQUESTS_MAX
    for _, value in found.requests:
        assert value.isprintable() or not set(value) & set(map(chr, range(32))), value


def policy_file(data: bytes) -> None:
    """A policy file is taken, or refused with file and key; with it a policy can be made."""
    try:
        table = check_policy(parse_toml(data, "policy.toml"), "policy.toml")
        policy = load_policy(table, context=_CONTEXT)
    except LlmspellError as error:
        assert isinstance(error, (UsageError, InvalidInput)), repr(error)
        return
    assert policy.profile
    for folder in ("/home/u/.config/llmspell/grants", "/home/u/work/.git/hooks/pre-commit"):
        if policy.confinement.level != "none":
            assert policy.files.judge("write", folder).allowed is not True, folder


def settings(data: bytes) -> None:
    """The sections of `llmspell.toml` are taken, or refused with file and key."""
    try:
        table = parse_toml(data, "llmspell.toml")
    except ConfigurationError:
        return
    for name, check in _SECTIONS.items():
        if name not in table:
            continue
        try:
            check(table[name])
        except LlmspellError as error:
            assert isinstance(error, (UsageError, InvalidInput)), repr(error)
    providers = table.get("providers")
    if isinstance(providers, dict):
        for name, given in providers.items():
            if isinstance(given, dict):
                try:
                    check_table(name, given, "llmspell.toml")
                except UsageError:
                    continue


_SECTIONS: Final[dict[str, Any]] = {
    "security": lambda table: check_security(table, "llmspell.toml", "/home/u"),
    "storage": lambda table: check_storage(table, "llmspell.toml", "/home/u"),
    "hooks": lambda table: check_hooks(table, "llmspell.toml"),
    "events": lambda table: check_events(table, "llmspell.toml"),
}


def grants(data: bytes) -> None:
    """Grants and limits from flags: `kind:value` or `limit:name=value`, one a line."""
    found: list[Grant] = []
    limits: dict[str, object] = {}
    for line in lines_of(data, 1)[:6]:
        kind, _, value = line.partition(":")
        if kind == "limit":
            name, _, amount = value.partition("=")
            limits[name] = amount
            try:
                parse_limit(name, amount)
            except (UsageError, InvalidInput):
                del limits[name]
        elif kind.lstrip("-") in KINDS:
            found.append(Grant(kind.lstrip("-"), value, not kind.startswith("-"), "fuzz"))
    for profile in _PROFILES:
        try:
            policy = load_policy(profile, context=_CONTEXT, grants=found, limits=limits)
        except LlmspellError as error:
            assert isinstance(error, (UsageError, InvalidInput)), repr(error)
            continue
        assert policy.profile == profile


@functools.cache
def _file() -> tuple[int, str]:
    handle = os.memfd_create("fuzz")
    return handle, f"/proc/self/fd/{handle}"


def verified(data: bytes, head: str | None = None) -> Report:
    """The verifier's report on these bytes."""
    handle, path = _file()
    os.ftruncate(handle, 0)
    os.pwrite(handle, data, 0)
    return verify(path, head)


@functools.cache
def trail() -> tuple[bytes, str]:
    """A whole trail, and its head."""
    lines: list[bytes] = []
    head = FIRST
    events: tuple[tuple[str, dict[str, Any]], ...] = (
        ("session_start", {"profile": "high", "spell": "s.lua"}),
        ("decision", {"origin": "spell", "method": "fs.read", "action": "read",
                      "target": "a\u202e\n", "allowed": False, "rule": "high.files.read"}),
        ("call", {"origin": "spell", "method": "fs.read", "code": 4008, "ms": 1.5}),
        ("session_end", {}),
    )  # fmt: skip
    for number, (event, fields) in enumerate(events, 1):
        given = {"records": number - 1, "head": head} if event == "session_end" else fields
        record = make_record(number, "2026-11-21T10:00:00.000Z", "s1", event, given)
        line, head = seal(record, head)
        lines.append(line)
    return b"".join(lines), head


def audit_file(data: bytes) -> None:
    """Any bytes at all get a report; what is not a trail is never called whole."""
    report = verified(data)
    assert report.status in ("ok", "incomplete", "broken")
    whole, head = trail()
    if report.ok:
        assert data.count(b"\n") == report.records and data.endswith(b"\n")
        assert data == whole or report.head != head


def audit_edits(data: bytes) -> None:
    """Any change of a whole trail is found. Each three bytes: a place, how, and a byte."""
    whole, head = trail()
    assert verified(whole, head).ok
    edited = bytearray(whole)
    for at in range(0, len(data) - 2, 3):
        place = (data[at] * 256 + data[at + 1]) * len(edited) // 65536 if edited else 0
        how, byte = data[at + 2] % 4, data[at + 2]
        if how == 0 and edited:
            edited[place] = byte
        elif how == 1:
            del edited[place : place + 1 + byte]
        elif how == 2:
            edited[place:place] = edited[place : place + byte]
        else:
            lines = bytes(edited).splitlines(keepends=True)
            lines.insert(0, lines.pop()) if lines else None
            edited = bytearray(b"".join(lines))
    report = verified(bytes(edited))
    assert report.ok == (bytes(edited) == whole), report
    assert not verified(bytes(edited), "0" * 64).ok


def audit_records(data: bytes) -> None:
    """Whatever an event says becomes one line that verifies; the quick spelling is the same."""
    lines = lines_of(data, 4)
    try:
        details = json_of(lines[0])
    except ValueError:
        details = {}
    fields = (
        {str(key): value for key, value in details.items()} if isinstance(details, dict) else {}
    )
    for reserved in ("seq", "time", "session", "event"):
        fields.pop(reserved, None)
    session = "s"
    start, head = seal(make_record(1, "t", session, "session_start", {}), FIRST)
    line, head = seal(make_record(2, "t", session, lines[1][:64] or "call", fields), head)
    assert len(line) <= LINE_MAX and line.count(b"\n") == 1 and line.isascii()
    assert all(byte >= 32 for byte in line[:-1]) and 0x7F not in line
    if lines[1] != "session_start" and lines[1] != "session_end":
        report = verified(start + line)
        assert report.status == "incomplete" and report.head == head, report
    decision = dict(zip(DECISION, (*lines[1:4], "target" + lines[0], True, "rule"), strict=True))
    for event, shape, given in (
        ("decision", DECISION, decision),
        ("call", CALL, {name: decision[name] for name in CALL}),
    ):
        assert tuple(given) == shape
        quick = Speller(session, lambda found: found).line(3, "t", event, given, head)
        if quick is not None:
            assert quick == seal(make_record(3, "t", session, event, given), head), given
