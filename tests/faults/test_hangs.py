"""A step that hangs: the run still ends at its wall limit, typed, and leaves nothing.

What hangs for a moment (a disk that is waking up) holds the supervisor for that moment, for it
acts on one thread; what may hang for ever (names, hosts, databases of others) waits elsewhere.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import running
from tests.faults.failures import HANG_SECONDS
from tests.faults.judge import judged

MOMENTS = [
    ("files", "supervisor/services/whole write_whole os.fsync"),
    ("files", "supervisor/services/files _read_bytes os.pread"),
    ("files", "supervisor/audit/log AuditLog._append os.write"),
    ("files", "supervisor/audit/log AuditLog.sync os.fsync"),
    ("work", "spells/state/sqlite SqliteStore._put sqlite.execute"),
]
FOR_EVER = [
    "supervisor/services/dial system_resolve.look_up socket.getaddrinfo",
    "supervisor/services/dial Dialler._connected_to net.connect",
    "supervisor/services/web stream net.read",
    "supervisor/services/web stream net.write",
]


@pytest.mark.alone
def test_a_disk_that_hangs_for_a_moment(tmp_path: Path) -> None:
    given = {"wall": "1500ms"}
    cases = [running.case(name, [(site, "hang")], **given) for name, site in MOMENTS]
    twins = {name: running.case(name) for name, _ in MOMENTS}
    accounts = running.run([*twins.values(), *cases], tmp_path)
    controls = dict(zip(twins, accounts, strict=False))
    for account in accounts[len(twins) :]:
        twin = controls[account["case"]["scenario"]]
        assert not judged(twin, twin)
        assert not running.wrong_with(account, twin)
        result = account["result"]
        assert (result["status"], result["reason"]) == ("limit", "wall"), account["case"]
        assert account["took"] < HANG_SECONDS + 2.0, account["took"]


@pytest.mark.alone
def test_names_and_hosts_that_never_answer(tmp_path: Path) -> None:
    cases = [running.case("net", [(site, "hang")], wall="1500ms") for site in FOR_EVER]
    twin, *accounts = running.run([running.case("net"), *cases], tmp_path)
    assert not judged(twin, twin)
    for account in accounts:
        assert not running.wrong_with(account, twin)
        result = account["result"]
        assert (result["status"], result["reason"]) == ("limit", "wall"), account["case"]
        assert account["took"] < 3.5, account["took"]


@pytest.mark.alone
@pytest.mark.parametrize(
    ("scenario", "ends"),
    [
        ("mute", [("internal", "internal")]),
        ("frozen worker", [("limit", "wall")]),
        ("frozen tool", [("limit", "wall")]),
        ("silent zygote", [("done", "done")]),
    ],
)
def test_processes_that_hang(scenario: str, ends: list[tuple[str, str]], tmp_path: Path) -> None:
    (account,) = running.run([running.case(scenario, wall="1500ms")], tmp_path)
    assert "hung" not in account and "broken" not in account, account
    assert "raised" not in account, account["raised"]
    result = account["result"]
    assert (result["status"], result["reason"]) in ends, result
    assert account["took"] < 4.0 and not account["children"] and not account["leaked"], account
    assert all(found["status"] == "ok" for found in account["audits"].values())
