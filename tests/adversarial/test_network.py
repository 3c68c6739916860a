"""NW: what a spell may ask of the web, in a network where every address answers.

One run for each profile makes all the requests; the control is the same requests in a run that was
granted the addresses, or the nearest request that is allowed.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import pytest

from tests.adversarial import web_cases as cases
from tests.adversarial.proof import Control
from tests.adversarial.web import Acted, Net, net
from tests.attackers.wire import PUBLIC
from tests.e2e.program import Program

__all__ = ["net"]
BOUNDED = ["low", "medium", "high"]
LISTED = ["medium", "high"]
"""Profiles with a list of hosts; `low` allows every public one."""
DENIED, WRONG, FAILED = 4008, 2002, 6003

PRIVATE_HOPS = {tag: act for tag, act in cases.HOPS.items() if ".listed" not in tag}
TO_PLAIN_STRANGERS = {
    tag: act for tag, act in cases.TO_STRANGERS.items() if not act["url"].startswith("https")
}
BY_ADDRESS = {**cases.TO_THIS_MACHINE, **cases.TO_PRIVATE}


class Runs:
    """The runs of a module: with the names alone, and with the addresses as well."""

    def __init__(self, net: Net) -> None:
        self.net = net
        self.names = cache(self._names)
        self.addresses = cache(self._addresses)

    def _names(self, profile: str) -> Acted:
        acts: dict[str, Any] = {**BY_ADDRESS, **cases.INVALID, **cases.ALLOWED, **cases.BY_NAME}
        acts |= cases.HOPS if profile in LISTED else PRIVATE_HOPS
        acts |= cases.TO_STRANGERS if profile in LISTED else {}
        acts["NW-22.loop"] = {"url": "http://exact.test/loop/NW-22.loop"}
        acts["NW-22.long"] = {"url": "http://exact.test/countdown/NW-22.long?11"}
        acts["NW-22.ten"] = {"url": "http://exact.test/countdown/NW-22.ten?10"}
        acts["NW-22.none"] = {
            "url": "http://exact.test/loop/NW-22.none", "follow_redirects": False,
        }  # fmt: skip
        return self.net.act(profile, acts, cases.GRANTS)

    def _addresses(self) -> Acted:
        """Everything that was denied, at the strictest profile, where it is granted."""
        strangers = ("evil.test", "*.evil.test", "*.exact.test", "exact.test:8080", "wild.test")
        grants = [f"http://{host}" for host in (*cases.ADDRESSES, *strangers)]
        acts: dict[str, Any] = {**BY_ADDRESS, **PRIVATE_HOPS}
        acts |= TO_PLAIN_STRANGERS
        acts |= {tag: act for tag, act in cases.BY_NAME.items() if tag != "NW-18.many"}
        return self.net.act("high", acts, [*cases.GRANTS, *grants])


@pytest.fixture(scope="module")
def runs(net: Net) -> Runs:
    return Runs(net)


def of(case: str, acts: dict[str, Any]) -> list[str]:
    found = [tag for tag in acts if tag.startswith(case)]
    assert found
    return found


def assert_denied(acted: Acted, tag: str, rule: str, *, asked: int = 0) -> None:
    """The typed denial, its one record, and nothing that arrived after `asked` requests."""
    told = acted.told[tag]
    assert (told.get("code"), told.get("kind")) == (DENIED, "denied"), (tag, told)
    assert re.fullmatch(rule, told["rule"]), (tag, told)
    refused = acted.refused(tag)
    assert [(each["rule"], each["code"]) for each in refused] == [(told["rule"], DENIED)], tag
    assert len(acted.seen(tag)) == asked, tag
    assert acted.seen(f"{tag}-next") == [], tag


def worked(acted: Acted, tag: str) -> bool:
    return acted.told[tag].get("worked") == 200 and len(acted.seen(tag)) == 1


@pytest.mark.parametrize("profile", BOUNDED)
@pytest.mark.parametrize("case", ["NW-11", "NW-12"])
def test_this_machine_and_private_addresses_by_any_spelling(
    runs: Runs, control: Control, case: str, profile: str
) -> None:
    acted = runs.names(profile)
    rule = {
        "low": r"low\.net\.(loopback|private|metadata|unspecified|link-local|reserved)",
        "medium": r"medium\.net\.host",
        "high": r"high\.net\.host",
    }[profile]
    tags = of(case, BY_ADDRESS)
    for tag in tags:
        assert_denied(acted, tag, rule)
    granted = runs.addresses()
    control(all(worked(granted, tag) for tag in tags), case)


@pytest.mark.parametrize("profile", LISTED)
@pytest.mark.parametrize("case", ["NW-13", "NW-14", "NW-26"])
def test_hosts_and_ports_beside_the_granted_ones(
    runs: Runs, control: Control, case: str, profile: str
) -> None:
    acted = runs.names(profile)
    for tag in of(case, cases.TO_STRANGERS):
        assert_denied(acted, tag, rf"{profile}\.net\.(host|port)")
    # Nobody asked a name server either: a name that is looked up is a message.
    hosts = {name for name, _ in acted.asked}
    assert not [name for name in hosts if "evil" in name or name.startswith("xn--")], hosts
    granted = runs.addresses()
    reached = [tag for tag in of(case, TO_PLAIN_STRANGERS) if "worked" in granted.told[tag]]
    control(reached and all(worked(acted, tag) for tag in of(case, cases.ALLOWED)), case)


@pytest.mark.parametrize("profile", BOUNDED)
@pytest.mark.parametrize("case", ["NW-12", "NW-13", "NW-16", "NW-17", "NW-21", "NW-24", "NW-36"])
def test_requests_that_are_none(runs: Runs, control: Control, case: str, profile: str) -> None:
    acted = runs.names(profile)
    for tag in of(case, cases.INVALID):
        told = acted.told[tag]
        assert (told.get("code"), told.get("kind")) == (WRONG, "validation"), (tag, told)
        assert [each["code"] for each in acted.failed(tag)] == [WRONG], tag
        assert acted.seen(tag) == [], tag
    for request in acted.requests:
        evil = [line for line in request.head.split(b"\r\n") if line.lower().startswith(b"x-evil")]
        assert not evil, request.head
    if case == "NW-12":
        granted = runs.addresses()
        control(all(worked(granted, tag) for tag in of(case, BY_ADDRESS)), case)
        return
    twins = [acted.told[tag] for tag in of(case, cases.ALLOWED)]
    control(all(told.get("worked") == 200 for told in twins), case)


@pytest.mark.parametrize("profile", BOUNDED)
def test_NW_13_one_host_has_one_spelling(runs: Runs, control: Control, profile: str) -> None:
    acted = runs.names(profile)
    tags = [*of("NW-13", cases.ALLOWED), *of("NW-14", cases.ALLOWED)]
    for tag in tags:
        assert worked(acted, tag), (tag, acted.told[tag])
        (request,) = acted.seen(tag)
        assert request.headers["host"] in ("exact.test", "a.wild.test", "a.b.wild.test")
        assert (request.address, acted.told[tag]["url"].count("@")) == (PUBLIC, 0)
    control(tags)


@pytest.mark.parametrize("profile", BOUNDED)
def test_NW_18_a_name_that_leads_elsewhere_the_second_time(
    runs: Runs, control: Control, profile: str
) -> None:
    acted = runs.names(profile)
    assert_denied(acted, "NW-18.rebind", rf"{profile}\.net\.loopback")
    # One question for each request, and each dialled the very address that was judged.
    assert acted.asked["rebind.test", "A"] == 2
    (first,) = acted.seen("NW-18.first")
    granted = runs.addresses()
    (second,) = granted.seen("NW-18.rebind")
    control((first.address, second.address) == (PUBLIC, "127.0.0.1"))


@pytest.mark.parametrize("profile", BOUNDED)
@pytest.mark.parametrize("case", ["NW-18", "NW-19"])
def test_granted_names_of_addresses_that_were_not(
    runs: Runs, control: Control, case: str, profile: str
) -> None:
    acted = runs.names(profile)
    kinds = "loopback|private|metadata|unspecified|reserved"
    for name in cases.NAMES[case]:
        rule = r"net\.answers" if name == "many" else rf"{profile}\.net\.({kinds})"
        assert_denied(acted, f"{case}.{name}", rule)
    granted = runs.addresses()
    names = [name for name in cases.NAMES[case] if name != "many"]
    control(all(worked(granted, f"{case}.{name}") for name in names), case)


@pytest.mark.parametrize("profile", BOUNDED)
def test_NW_21_each_hop_of_a_redirect_is_judged(runs: Runs, control: Control, profile: str) -> None:
    acted = runs.names(profile)
    listed = of("NW-21.listed", cases.HOPS) if profile != "low" else []
    nowhere = of("NW-21.none", cases.HOPS)
    private = [f"NW-21{number}" for number in range(len(cases.TO["NW-21"]))]
    for tag in [*private, *listed]:
        assert_denied(acted, tag, rf"{profile}\.net\.[a-z-]+", asked=1)
    for tag in nowhere:
        assert_denied(acted, tag, r"net\.redirect", asked=1)
    granted = runs.addresses()
    for tag in private:
        assert len(granted.seen(f"{tag}-next")) == 1, (tag, granted.told[tag])
    for tag in ("NW-21.twin0", "NW-21.twin1"):
        assert (acted.told[tag]["worked"], acted.told[tag]["redirects"]) == (200, 1)
    control(acted.told["NW-21.twin0"]["url"].startswith("http://other.test/"))


@pytest.mark.parametrize("profile", BOUNDED)
def test_NW_22_redirects_come_to_an_end(runs: Runs, control: Control, profile: str) -> None:
    acted = runs.names(profile)
    for tag in ("NW-22.loop", "NW-22.long"):
        told = acted.told[tag]
        assert (told.get("code"), told.get("kind")) == (FAILED, "network"), told
        assert told["message"] == "over 10 redirects"
        assert [each["code"] for each in acted.failed(tag)] == [FAILED]
        assert len(acted.seen(tag)) == 11
    assert (acted.told["NW-22.none"]["worked"], len(acted.seen("NW-22.none"))) == (302, 1)
    ten = acted.told["NW-22.ten"]
    control((ten.get("worked"), ten.get("redirects")) == (200, 10))


@pytest.mark.parametrize("profile", BOUNDED)
def test_NW_27_a_proxy_of_the_environment_is_no_way_round(
    net: Net, control: Control, profile: str
) -> None:
    """Whatever a proxy could reach, the verdict on the host comes first."""
    env = dict.fromkeys(("http_proxy", "HTTPS_PROXY", "ALL_PROXY"), f"http://{PUBLIC}:8080")
    acts = {
        "denied": {"url": "http://10.0.0.1/ok/denied"},
        "metadata": {"url": "http://metadata.test/ok/metadata"},
        "granted": {"url": "http://exact.test/ok/granted"},
    }
    acted = net.act(profile, acts, ["http://exact.test", "http://metadata.test"], env=env)
    assert_denied(acted, "denied", rf"{profile}\.net\.(host|private)")
    assert_denied(acted, "metadata", rf"{profile}\.net\.metadata")
    seen = [request.head.split(b"\r\n")[0] for request in acted.requests]
    control(seen == [b"GET http://exact.test:80/ok/granted HTTP/1.1"])


@pytest.mark.parametrize("profile", ["low", "medium"])
def test_NW_27_a_spell_can_not_set_a_proxy(
    net: Net, program: Program, control: Control, profile: str
) -> None:
    """The variables of its own environment change nothing: it has none that anybody reads."""
    source = f"""
import os
os.environ["http_proxy"] = os.environ["HTTP_PROXY"] = "http://{PUBLIC}:8080"
reply = await http.get("http://exact.test/ok/direct")
result = reply.status
"""
    flags = ("--profile", profile, "--allow-net", "http://exact.test", "--allow-module", "os")
    before = len(net.web.requests)
    result = program.result(source, ".py", *flags, wrapper=net.wire.entering)
    (request,) = net.web.requests[before:]
    assert request.target == "/ok/direct" and request.connection.fileno() == -1
    control(result["value"] == 200)
