"""Two rule sets that must both allow: whatever the second says, nothing is gained (EN-13)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell.policies.limits import UNLIMITED, Limits, number_of
from llmspell.policies.narrowed import TIGHTENED, Looser, narrowed, stricter_limits
from llmspell.policies.policy import LEVELS, Policy
from llmspell.profiles.context import PolicyContext
from llmspell.profiles.grants import Grant
from llmspell.profiles.loader import load_policy
from llmspell.supervisor.tightening import at_level, tightened

FOLDER = Path("/srv/work")
PATHS = ("/srv/work/a.txt", "/srv/work/out/b", "/etc/passwd", "/srv/kept/x", "/srv/spell/one.lua")
HOSTS = (
    ("https", "example.com"),
    ("http", "example.com"),
    ("https", "127.0.0.1"),
    ("https", "x.org"),
)
TOOLS: tuple[tuple[str, frozenset[str]], ...] = (
    ("calculator", frozenset()), ("file_writer", frozenset({"write"})),
    ("http_client", frozenset({"net"})), ("process", frozenset({"process"})),
)  # fmt: skip
MODELS = ("fake/echo", "openai/gpt-4", "fake")
SCOPES = ("run", "spell", "tenant", "global")


def policy(profile: str, *grants: str) -> Policy:
    context = PolicyContext.of(
        str(FOLDER), "/srv/spell", workspace_folder="/srv/kept", home="/home/me"
    )
    return load_policy(profile, context=context, grants=[Grant.parse(text) for text in grants])


def allowed(rules: Policy) -> set[Any]:
    """Everything of a sample that the policy allows."""
    found: set[Any] = set()
    for path in PATHS:
        for operation in ("read", "write", "list", "stat"):
            if rules.files.judge(operation, path).allowed is True:
                found.add((operation, path))
            if rules.files.judge_tree(operation, path).allowed is True:
                found.add(("tree", operation, path))
    found |= {("scratch", one) for one in ("read", "write")
              if rules.files.judge_scratch(one).allowed is True}  # fmt: skip
    found |= {host for host in HOSTS if rules.net.judge_host(*host).allowed is True}
    found |= {
        ("address", at) for at in ("93.184.216.34", "127.0.0.1", "10.0.0.1")
        if rules.net.judge_address("example.com", at, 443).allowed is True
    }  # fmt: skip
    found |= {name for name, needs in TOOLS if rules.tools.judge(name, needs).allowed is True}
    found |= {("model", name) for name in MODELS if rules.models.judge(name).allowed is True}
    found |= {("env", name) for name in ("HOME", "X") if rules.env.judge(name).allowed is True}
    found |= {("state", one) for one in SCOPES if rules.state.judge(one).allowed is True}
    for language in ("lua", "javascript", "python"):
        found |= {
            (language, one) for one in ("json", "os", "math", "socket")
            if rules.modules.judge(one, language).allowed is True
        }  # fmt: skip
        found |= {(language, "listed", one) for one in rules.modules.granted(language)}
    return found


GRANTS = (
    (), ("read:/etc/passwd",), ("net:example.com",), ("tool:process",), ("llm:openai/*",),
    ("write:/srv/work/out", "net:127.0.0.1"),
)  # fmt: skip


@pytest.mark.parametrize("second", LEVELS)
@pytest.mark.parametrize("first", LEVELS)
def test_en_13_what_both_allow_and_no_more(first: str, second: str) -> None:
    for one in GRANTS:
        for other in (GRANTS[0], GRANTS[-1]):
            before, also = policy(first, *one), policy(second, *other)
            both = narrowed(before, also, "test")
            gained = {
                item for item in allowed(both) - allowed(before)
                # A listed module is one that the first gives with everything else.
                if not ("listed" in item and before.modules.mode == "all")
            }  # fmt: skip
            assert gained == set()
            assert allowed(both) <= allowed(also) | {
                item for item in allowed(both) if "listed" in item
            }
            levels = LEVELS.index(first), LEVELS.index(second)
            assert both.confinement.level == LEVELS[max(levels)]
            assert all(
                (number_of(x) or 0) <= (number_of(y) or float("inf"))
                for x, y in zip(both.limits, before.limits, strict=True)
                if number_of(x) is not None
            )


def test_the_first_refusal_is_told_and_no_flag_that_would_not_help() -> None:
    both = narrowed(policy("medium", "net:example.com"), policy("high"), "test")
    verdict = both.net.judge_host("https", "example.com")
    assert (verdict.allowed, verdict.hint) == (False, TIGHTENED)
    verdict = both.net.judge_host("https", "x.org")
    assert verdict.rule.startswith("medium.net")


amounts = st.sampled_from([UNLIMITED, 1, 10, 1000])


@given(st.tuples(*[amounts] * len(Limits())), st.tuples(*[amounts] * len(Limits())))
def test_the_stricter_of_each_limit(first: Any, second: Any) -> None:
    found = stricter_limits(Limits(*first), Limits(*second))
    for one, other, both in zip(first, second, found, strict=True):
        numbers = [number_of(amount) for amount in (one, other)]
        known = [number for number in numbers if number is not None]
        assert number_of(both) == (min(known) if known else None)


OPTIONS: tuple[dict[str, Any], ...] = (
    {"level": "high"}, {"network": False}, {"allowed_hosts": ["example.com"]},
    {"denied_hosts": ["example.com"]}, {"allowed_tools": ["*"]}, {"denied_tools": ["calc*"]},
    {"allowed_models": ["*"]}, {"denied_models": ["fake*"]}, {"allow_degraded": False},
    {"sandbox_enabled": True},
)  # fmt: skip


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: next(iter(options)))
@pytest.mark.parametrize("profile", ["low", "medium", "high"])
def test_no_option_of_configure_security_allows_more(profile: str, options: dict[str, Any]) -> None:
    for grants in GRANTS:
        before = policy(profile, *grants)
        after = tightened(before, options)
        assert allowed(after) <= allowed(before)
        again = tightened(after, {"denied_tools": ["*"]})
        assert allowed(again) <= allowed(after)
        assert "calculator" not in allowed(again)


@pytest.mark.parametrize(
    "options",
    [{"level": "none"}, {"level": "low"}, {"sandbox_enabled": False}, {"allow_degraded": True},
     {"network": True}],
)  # fmt: skip
def test_what_asks_for_more_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(Looser):
        tightened(policy("medium"), options)


def test_the_same_level_is_the_same_policy() -> None:
    before = policy("medium")
    assert at_level(before, "medium") is before
