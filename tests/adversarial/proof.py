"""Which claims a session of tests showed: `pytest tests/adversarial --threats-json FILE`.

A test carries its cases in its name (`test_FS_06_…`) or, narrower, in the id of its parameter; the
profile is its parameter `profile` or its mark `profile`. It must call the fixture `control` for
each case: a probe that cannot succeed anywhere proves nothing by failing. A file of the session
holds one `{id, profile, user, control_ok, held}` per case, profile and user; all tests of a case
must have held. What contradicts the claims ends the session as failed.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Generator, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.adversarial.claims import AREAS, PROFILES, all_claims, pairs

HERE = Path(__file__).parent
CASE = re.compile(rf"(?<![A-Z])({'|'.join(AREAS)})[_-](\d{{2}})(?!\d)")
USER = "root" if os.geteuid() == 0 else "ordinary"
PROPERTY = "threat"
SHOWN: pytest.StashKey[set[str]] = pytest.StashKey()

Control = Callable[..., None]


class Row(NamedTuple):
    """What one case came to."""

    id: str
    profile: str
    user: str
    control_ok: bool
    held: bool


def cases_in(text: str) -> tuple[str, ...]:
    """The ids in a name, once each, in order."""
    return tuple(dict.fromkeys(f"{name}-{number}" for name, number in CASE.findall(text)))


def cases_of(item: pytest.Item) -> tuple[str, ...]:
    """The cases a test shows: those of its parameters, else those of its name."""
    if HERE not in item.path.parents:
        return ()
    name, _, parameters = item.name.partition("[")
    return cases_in(parameters) or cases_in(name)


def profiles_of(item: pytest.Item) -> tuple[str, ...]:
    """The profiles at which a test shows its cases."""
    chosen = getattr(item, "callspec", None)
    if chosen is not None and "profile" in chosen.params:
        return (str(chosen.params["profile"]),)
    mark = item.get_closest_marker("profile")
    return tuple(mark.args) if mark else ()


def pairs_of(items: Iterable[pytest.Item]) -> set[tuple[str, str]]:
    """(case, profile) of everything that these tests show."""
    return {
        (case, profile)
        for item in items
        for case in cases_of(item)
        for profile in profiles_of(item)
    }


def merged(rows: Iterable[Row]) -> list[Row]:
    """One row per case, profile and user: true where it is true of all."""
    found: dict[tuple[str, str, str], Row] = {}
    for row in rows:
        key = row[:3]
        before = found.get(key, row)
        found[key] = Row(*key, before.control_ok and row.control_ok, before.held and row.held)
    return sorted(found.values())


def contradictions(rows: Iterable[Row], *, whole: bool) -> list[str]:
    """Where what ran and what is claimed differ; `whole`: what did not run counts as well."""
    claims = all_claims()
    said = []
    ran = {user: set[tuple[str, str]]() for user in ("root", "ordinary")}
    for row in rows:
        at = f"{row.id} at {row.profile} as {row.user}"
        ran[row.user].add((row.id, row.profile))
        if row.id not in claims or row.profile not in claims[row.id].held:
            said.append(f"{at}: shown, and not claimed")
        elif not row.control_ok:
            said.append(f"{at}: its positive control did not succeed")
        elif not row.held:
            said.append(f"{at}: claimed, and not held")
    if whole:
        for case, profile in sorted(pairs(claims.values())):
            said += [
                f"{case} at {profile} as {user}: claimed, and no test of it ran"
                for user in claims[case].users
                if ran[user] and (case, profile) not in ran[user]
            ]
    return said


class Proof:
    """The plugin: refuses tests that show nothing, and collects what the others show."""

    def __init__(self) -> None:
        self.rows: list[Row] = []

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item) -> Generator[None, Any, None]:
        report: pytest.TestReport = (yield).get_result()
        cases = cases_of(item)
        if report.when != "call" or not cases or report.skipped:
            return
        shown = item.stash.get(SHOWN, set())
        without = [case for case in cases if case not in shown]
        if report.passed and without:
            _fail(report, f"no positive control for {', '.join(without)} (fixture `control`)")
        if not profiles_of(item) or set(profiles_of(item)) - set(PROFILES):
            _fail(report, "carries a case and says no profile (parameter or mark `profile`)")
        rows = [
            Row(case, profile, USER, case in shown, report.passed)
            for case in cases
            for profile in profiles_of(item)
        ]
        report.user_properties.append((PROPERTY, json.dumps(rows)))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        for name, value in report.user_properties:
            if name == PROPERTY and report.when == "call":
                self.rows += [Row(*row) for row in json.loads(str(value))]

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        file = session.config.getoption("threats_json")
        if file is None or hasattr(session.config, "workerinput"):
            return
        rows = merged(self.rows)
        Path(file).write_text(json.dumps([row._asdict() for row in rows], indent=1) + "\n")
        if contradictions(rows, whole=False) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        for line in contradictions(merged(self.rows), whole=False):
            terminalreporter.write_line(f"threats: {line}", red=True)


def _fail(report: pytest.TestReport, why: str) -> None:
    report.outcome = "failed"
    report.longrepr = f"{report.longreprtext}\n{why}".strip()


def add_option(parser: pytest.Parser) -> None:
    """For the conftest that a session loads first."""
    parser.addoption(
        "--threats-json",
        metavar="FILE",
        default=None,
        help="write which threat case was held, at which profile, as which user",
    )


def read(files: Iterable[Path]) -> list[Row]:
    """What several sessions showed, merged."""
    return merged(Row(**row) for file in files for row in json.loads(file.read_text()))


@pytest.fixture
def control(request: pytest.FixtureRequest) -> Control:
    """`control(succeeded, *cases)`: the same act works where it is allowed. Default: all cases."""
    cases = cases_of(request.node)
    shown = request.node.stash.setdefault(SHOWN, set())

    def succeed(condition: object, *of: str) -> None:
        strangers = set(of) - set(cases)
        assert not strangers, f"the test carries no {strangers}"
        assert condition, f"the positive control of {of or cases} did not succeed"
        shown.update(of or cases)

    return succeed


def main(files: list[str]) -> int:
    """Holds the files of whole passes to the claims; 1 where they differ."""
    rows = read(map(Path, files))
    said = contradictions(rows, whole=True)
    print(*said, sep="\n")
    for user in sorted({row.user for row in rows}):
        held = [row for row in rows if row.user == user and row.held]
        cases = len({row.id for row in held})
        print(f"as {user}: {cases} cases held, {len(held)} with their profiles")
    return bool(said)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
