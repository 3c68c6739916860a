"""Every I/O step of the trusted side has a fault that strikes it, or a reason why it needs none."""

from __future__ import annotations

import ast
import re

import pytest

from tests.faults import page
from tests.faults.failures import failures_of
from tests.faults.points import EXEMPT, TOGETHER, all_points, why_exempt
from tests.faults.seams import STREAM
from tests.faults.sites import Site, all_sites, primitive_of


def test_every_site_is_a_point_or_says_why_not() -> None:
    known = {point.site for point in all_points()}
    missing = [str(site) for site in all_sites() if site not in known and not why_exempt(site)]
    assert not missing, f"run python -m tests.faults.survey, or say why not: {sorted(missing)}"


def test_every_point_is_still_in_the_source() -> None:
    gone = [
        str(point.site)
        for point in all_points()
        if point.site not in all_sites() and point.site[:2] != STREAM
    ]
    assert not gone, gone


def test_every_failure_of_a_point_has_an_observed_end() -> None:
    for point in all_points():
        wanted = {kind for kind in failures_of(point.site) if kind != "hang"}
        assert set(point.endings) == wanted, point


def test_no_exemption_outlives_its_sites() -> None:
    for pattern in EXEMPT:
        assert any(re.fullmatch(pattern, str(site)) for site in all_sites()), pattern


def test_names_are_unique_and_faults_that_strike_together_exist() -> None:
    names = [point.name for point in all_points()]
    assert len(set(names)) == len(names)
    for _, faults in TOGETHER:
        for site, _ in faults:
            assert Site.of(site) in all_sites(), site


@pytest.mark.parametrize(
    "source, primitive",
    [
        ("os.write(1, b'')", "os.write"),
        ("self._channel.send(b'')", "socket.send"),
        ("self.pipe.send({})", None),  # our own queue, whose socket is a site of its own
        ("open(path)", "open"),
        ("os.getpid()", None),
        ("self._database.execute('')", "sqlite.execute"),
        ("host.tools.execute()", None),
        ("os.anything_new()", "os.anything_new"),
    ],
)
def test_the_walk_sees_what_is_io(source: str, primitive: str | None) -> None:
    call = ast.parse(source, mode="eval").body
    assert isinstance(call, ast.Call)
    assert primitive_of(call.func) == primitive


def test_the_page_is_of_these_points() -> None:
    assert page.PAGE.read_text(encoding="utf-8") == page.text(), "python -m tests.faults.page"
