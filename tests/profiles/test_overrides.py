"""Per-script overrides, loosening, and the advisory scan."""

from __future__ import annotations

import itertools
import time

import pytest

from llmspell.errors import UsageError
from llmspell.policies.policy import Override
from llmspell.profiles.advisory import scan
from llmspell.profiles.grants import Grant
from llmspell.profiles.loosening import loosenings
from llmspell.profiles.overrides import ScriptOverride
from llmspell.profiles.recipe import builtin, merged
from tests.profiles.helpers import Place

SCRIPT = "/spells/nightly.lua"


def override(**fields: object) -> ScriptOverride:
    return ScriptOverride(script=SCRIPT, source="llmspell.toml", **fields)  # type: ignore[arg-type]


def test_SEC_004_an_override_is_recorded(place: Place) -> None:
    item = override(
        profile="low", modules=("io",), grants=(Grant("net", "a.io"),), limits=(("wall", "10m"),)
    )
    policy = place.load(overrides=[item])
    assert policy.profile == "low" and policy.limits.wall == 600
    assert policy.modules.judge("io", "lua").allowed is True
    assert [(note.key, note.value) for note in policy.overrides] == [
        ("profile", "low"), ("modules", "io"), ("allow", "net:a.io"), ("limits.wall", "10m"),
    ]  # fmt: skip
    assert policy.overrides[0] == Override(SCRIPT, "profile", "low", "llmspell.toml")
    assert any(SCRIPT in line for line in policy.origin)


def test_an_override_never_replaces_what_was_asked_for(place: Place) -> None:
    policy = place.load("high", overrides=[override(profile="none", sandbox=False)])
    assert policy.profile == "high" and policy.overrides == ()
    assert place.load(overrides=[override(profile="none")]).profile == "none"


@pytest.mark.parametrize(
    ("default", "sandbox", "expected"),
    [("none", True, "medium"), ("low", True, "medium"), ("high", True, "high"),
     ("high", False, "none"), ("high", None, "high")],
)  # fmt: skip
def test_SEC_006_the_sandbox_switch(
    place: Place, default: str, sandbox: bool | None, expected: str
) -> None:
    policy = place.load(default_profile=default, overrides=[override(sandbox=sandbox)])
    assert policy.profile == expected


def test_ENG_014_one_script_gets_io_another_io_and_os(place: Place) -> None:
    first = place.load("medium", overrides=[override(modules=("io",))])
    second = place.load("medium", overrides=[override(modules=("io", "os"))])
    assert first.modules.granted("lua") == ("io",)
    assert second.modules.granted("lua") == ("io", "os")


def test_a_wrong_override_is_an_error(place: Place) -> None:
    for wrong in (override(profile="hihg"), override(limits=(("memory", "0"),)),
                  override(grants=(Grant("net", "*"),))):  # fmt: skip
        with pytest.raises(UsageError):
            place.load(overrides=[wrong])


def test_each_profile_loosens_the_next_stricter_one() -> None:
    order = ["high", "medium", "low", "none"]
    for strict, loose in itertools.pairwise(order):
        assert loosenings(builtin(strict), builtin(loose))
    assert loosenings(builtin("high"), builtin("high")) == []


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ({"net": {"mode": "any"}}, "net.mode"),
        ({"net": {"mode": "unheard-of"}}, "net.mode"),
        ({"files": {"write": ["/"]}}, "files.write"),
        ({"limits": {"memory": "unlimited"}}, "limits.memory"),
        ({"limits": {"memory": None}}, "limits.memory"),
        ({"audit": {"on_failure": "warn"}}, "audit.on_failure"),
    ],
)
def test_what_counts_as_loosening(change: dict[str, dict[str, object]], key: str) -> None:
    assert loosenings(builtin("medium"), merged(builtin("medium"), change)) == [key]


def test_what_narrows_is_no_loosening() -> None:
    change = {"net": {"mode": "none", "deny": ["a.io"]}, "limits": {"memory": "1MiB"}}
    assert loosenings(builtin("medium"), merged(builtin("medium"), change)) == []


@pytest.mark.parametrize(
    ("source", "pattern"),
    [
        ("os.execute('ls')", "os.execute"),
        ("local p = io . popen('x')", "io.popen"),
        ("require 'ffi'", "require.*ffi"),
        ("loadfile('x')", "loadfile"),
        ("dofile('x')", "dofile"),
        ("require('os')", "require.*os"),
        ("process.exit(1)", "process.exit"),
        ("eval('1')", "eval("),
        ("new Function('x')", "Function("),
        ("require('child_process')", "require.*child_process"),
        ("require('node:fs')", "require.*fs"),
        ("x.__proto__ = 1", "__proto__"),
    ],
)
def test_SEC_012_the_seeds_patterns(source: str, pattern: str) -> None:
    found = scan(f"-- first line\n{source}\n")
    assert [(item.pattern, item.line) for item in found] == [(pattern, 2)]
    assert found[0].message == f"Dangerous pattern detected: {pattern}"


def test_SEC_012_harmless_words_stay_unmentioned() -> None:
    assert scan("local hosts = require_all(positions)\nmedieval(x)\nprint(os.time())\n") == []


def test_SEC_012_the_scan_is_bounded() -> None:
    began = time.perf_counter()
    assert scan("require" * 200_000) == []
    assert scan(("require " * 200 + "\n") * 500) == []
    assert len(scan("eval(\n" * 10_000)) == 50
    assert time.perf_counter() - began < 5
