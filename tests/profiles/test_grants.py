"""Grants: what they mean, where they start, and what can't be granted."""

from __future__ import annotations

import os

import pytest

from llmspell.errors import UsageError
from llmspell.profiles.context import PolicyContext
from llmspell.profiles.grants import Grant, from_flags
from tests.profiles.helpers import Place


def test_flags_and_text_mean_the_same(place: Place) -> None:
    flags = from_flags(
        allow_read=["data"], allow_write=["out"], allow_net=["example.com"],
        allow_tool=["http_client"], allow_llm=["fake"], allow_env=["LANG"], allow_module=["io"],
    )  # fmt: skip
    text = [Grant.parse(item) for item in
            ("read:data", "write:out", "net:example.com", "tool:http_client", "llm:fake",
             "env:LANG", "module:io")]  # fmt: skip
    for grants in (flags, text):
        policy = place.load("high", grants=grants)
        assert policy.files.judge("read", place.path("work/data/a")).rule == "grant.read"
        assert policy.files.judge("write", place.path("work/out/a")).rule == "grant.write"
        assert policy.net.judge_host("https", "example.com", 443).allowed is True
        assert policy.tools.judge("http_client", {"net"}).allowed is True
        assert policy.models.judge("fake").allowed is True
        assert policy.env.judge("LANG").allowed is True
        assert policy.modules.judge("io", "lua").allowed is True
    assert "read:data (command line)" in place.load("high", grants=flags).origin


def test_a_grant_opens_nothing_else(place: Place) -> None:
    policy = place.load("high", grants=[Grant("read", "data")])
    assert policy.files.judge("write", place.path("work/data/a")).allowed is False
    assert policy.files.judge("read", place.path("work/data-secret")).allowed is False
    assert policy.net.judge_host("https", "example.com", 443).allowed is False
    assert policy.tools.judge("http_client", {"net"}).allowed is False


def test_a_granted_need_lets_its_tools_run(place: Place) -> None:
    policy = place.load("medium", grants=[Grant("net", "example.com")])
    assert policy.tools.judge("http_client", {"net"}).allowed is True
    assert place.load("medium").tools.judge("http_client", {"net"}).allowed is False


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ("data/**", "work/data/x/y"),
        ("./data", "work/data/x"),
        ("../other", "other/x"),
        ("~/other", "other/x"),
        ("spell:lib", "spells/lib/x"),
        ("workspace:", "data/llmspell/workspaces/s-1/x"),
        ("data/../data2", "work/data2/x"),
        ("not/there/yet", "work/not/there/yet/x"),
        (".", "work/x"),
    ],
)
def test_where_a_granted_path_starts(place: Place, value: str, path: str) -> None:
    policy = place.load("high", grants=[Grant("read", value)])
    assert policy.files.judge("read", place.path(path)).allowed is True
    assert policy.files.judge("read", place.path("elsewhere/x")).allowed is False


def test_FS_03_a_granted_link_means_where_it_leads(place: Place) -> None:
    os.symlink(place.path("other"), place.path("work/link"))
    policy = place.load("high", grants=[Grant("read", "link/*.txt")])
    assert policy.files.judge("read", place.path("other/a.txt")).allowed is True
    assert policy.files.judge("read", place.path("work/link/a.txt")).allowed is True
    assert policy.files.judge("read", place.path("other/a.key")).allowed is False


def test_a_folder_whose_name_looks_like_a_pattern(place: Place) -> None:
    odd = place.path("w[or]k")
    os.makedirs(odd)
    context = place.context._replace(working_folder=odd)
    policy = place._replace(context=context).load("low")
    assert policy.files.judge("read", f"{odd}/a").allowed is True
    assert policy.files.judge("read", place.path("wok/a")).allowed is False


def test_FS_32_an_alias_of_an_own_folder_is_closed_too(place: Place) -> None:
    os.symlink(place.path("config"), place.path("work/alias"))
    context = place.context._replace(own_folders=(place.path("work/alias/llmspell"),))
    policy = place._replace(context=context).load("low", grants=[Grant("read", "/")])
    for name in ("config/llmspell/x", "work/alias/llmspell/x"):
        assert policy.files.judge("read", place.path(name)).rule == "protected.llmspell"
    assert policy.files.judge("read", place.path("config/other")).allowed is True


def test_no_grant_opens_what_is_protected(place: Place) -> None:
    policy = place.load("low", grants=[Grant("write", "/"), Grant("write", ".git/hooks/x")])
    assert policy.files.judge("write", place.path("work/.git/hooks/x")).allowed is False
    assert policy.files.judge("write", place.path("work/x")).allowed is True


@pytest.mark.parametrize(
    "text",
    ["", "read", "read:", "read: ", "execute:x", "deny:read:x", "net:http://a.com/path", "net:*",
     "net:", "env:A=b", "env:LD_PRELOAD", "read:a\x00b", "read:a\nb", "tool:[",
     "read:" + "a" * 5000],
)  # fmt: skip
def test_what_can_not_be_granted(text: str) -> None:
    with pytest.raises(UsageError):
        Grant.parse(text)


def test_conflicts_are_usage_errors(place: Place) -> None:
    grants = [Grant("read", "data/"), Grant("read", "data", False)]
    for order in (grants, grants[::-1]):
        with pytest.raises(UsageError, match="both"):
            place.load("high", grants=order)


def test_a_denied_grant_closes(place: Place) -> None:
    grants = [Grant.parse("deny-read:secret"), Grant.parse("deny-net:bad.com"),
              Grant.parse("deny-tool:http_client")]  # fmt: skip
    policy = place.load("low", grants=grants)
    assert policy.files.judge("read", place.path("work/secret/a")).rule == "deny.read"
    assert policy.files.judge("write", place.path("work/secret/a")).allowed is False
    assert policy.net.judge_host("https", "bad.com", 443).allowed is False
    assert policy.tools.judge("http_client", {"net"}).allowed is False
    assert policy.files.judge("read", place.path("work/a")).allowed is True


def test_limits_from_the_command_line(place: Place) -> None:
    assert place.load("high", limits={"memory": "1GiB"}).limits.memory == 2**30
    for limits in ({"memory": "0"}, {"memory": ""}, {"nope": "1"}, {"wall": "-1s"}):
        with pytest.raises(UsageError):
            place.load("high", limits=limits)


def test_an_unknown_profile_names_the_known_ones(place: Place) -> None:
    for name in ("hihg", "", "HIGH", "custom"):
        with pytest.raises(UsageError) as caught:
            place.load(name)
        assert "none, low, medium, high" in str(caught.value.hint)


def test_a_relative_context_is_refused(place: Place) -> None:
    with pytest.raises(UsageError):
        place._replace(context=PolicyContext("work", "/s", None, (), "/h")).load("low")


def test_the_folders_for_the_kernel(place: Place) -> None:
    files = place.load("low", grants=[Grant("read", "/usr/share/d*/x")]).files
    assert "/usr/share" in files.folders("read") and "/usr/share" not in files.folders("write")
    assert place.path("work") in files.folders("write")
