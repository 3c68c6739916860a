"""What a confined process could still do: here, as nobody, and where the kernel says no."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import pytest

from llmspell.errors import IsolationRefused
from llmspell.platform import EFFECTS, missing_effects
from llmspell.platform.linux.probe import examine, probe
from tests.platform import native
from tests.platform.machines import ENOSYS, EPERM, NOBODY, as_machine

NAMESPACES = frozenset({"userns", "netns", "pidns", "ipcns", "utsns", "mntns", "cgroupns"})
ALL = dict.fromkeys(EFFECTS, True)
KINDS = ["wasm", "native"]
UIDS = [
    pytest.param(None, id="as we are"),
    pytest.param(
        NOBODY,
        id="nobody",
        marks=pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes nobody"),
    ),
]


def look(
    level: str,
    kind: str,
    uid: int | None = None,
    refuse: Mapping[str, int] | None = None,
    without: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    launcher = native.program("launch")
    found: dict[str, Any] = as_machine(
        lambda: examine(level, kind, without, launcher)._asdict(), uid, refuse
    )
    return found


@pytest.mark.parametrize("uid", UIDS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", ["low", "medium", "high"])
def test_EN_every_effect_is_held_here(level: str, kind: str, uid: int | None) -> None:
    report = look(level, kind, uid)
    assert report["effects"] == ALL and report["leaks"] == []
    assert {"seccomp", "no_new_privs", "caps", "fds", "rlimits"} <= set(report["layers"])


@pytest.mark.parametrize("uid", UIDS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("level", ["medium", "high"])
def test_EN_03_effects_hold_without_namespaces_as_in_docker(
    level: str, kind: str, uid: int | None
) -> None:
    report = look(level, kind, uid, {"unshare": EPERM, "mount": EPERM, "pivot_root": EPERM})
    assert report["effects"] == ALL
    assert not NAMESPACES & set(report["layers"])
    tried = NAMESPACES if uid or os.geteuid() else NAMESPACES - {"userns"}
    assert tried <= report["missing"].keys()
    assert all(report["missing"][layer] == "Operation not permitted" for layer in tried)


@pytest.mark.parametrize("uid", UIDS)
@pytest.mark.parametrize("kind", KINDS)
def test_EN_01_effects_hold_on_a_kernel_without_landlock(kind: str, uid: int | None) -> None:
    calls = ("landlock_create_ruleset", "landlock_restrict_self")
    report = look("high", kind, uid, dict.fromkeys(calls, ENOSYS))
    assert report["effects"] == ALL
    assert not {"landlock", "landlock_scope"} & set(report["layers"])
    assert report["missing"]["landlock"] == "Function not implemented"


@pytest.mark.parametrize("uid", UIDS)
@pytest.mark.parametrize("kind", KINDS)
def test_EN_02_a_refused_filter_is_seen_by_its_effects(kind: str, uid: int | None) -> None:
    report = look("high", kind, uid, {"seccomp": EPERM})
    assert "seccomp" not in report["layers"] and report["missing"]["seccomp"]
    missing = missing_effects("high", report["effects"])
    assert {"network", "spawn", "privilege"} <= missing
    # Landlock and the empty root still hold this one: the layers overlap on purpose.
    assert "files" not in missing


@pytest.mark.parametrize("kind", KINDS)
def test_EN_02_without_filter_landlock_and_root_files_are_open(kind: str) -> None:
    taken = frozenset({"seccomp", "landlock", "landlock_scope", "empty_root"})
    report = look("high", kind, without=taken)
    assert missing_effects("high", report["effects"]) >= {"files", "network", "spawn"}
    assert "openat of /" in report["leaks"] and "IPv4 stream socket" in report["leaks"]


def test_EN_the_process_namespace_alone_hides_processes() -> None:
    taken = frozenset({"seccomp", "landlock", "landlock_scope"})
    with_namespace = look("high", "wasm", without=taken)["leaks"]
    without = look("high", "wasm", without=taken | {"pidns"})["leaks"]
    if "pidns" in look("high", "wasm")["layers"]:
        assert "pidfd of the supervisor" not in with_namespace
    assert "pidfd of the supervisor" in without


def test_EN_landlock_alone_holds_files() -> None:
    taken = NAMESPACES | {"seccomp", "empty_root"}
    report = look("high", "wasm", without=taken)
    assert ("files" not in missing_effects("high", report["effects"])) == (
        "landlock" in report["layers"]
    )


@pytest.mark.parametrize("uid", UIDS)
@pytest.mark.parametrize("kind", KINDS)
def test_EN_the_empty_root_alone_holds_files(kind: str, uid: int | None) -> None:
    if "empty_root" not in look("high", kind, uid)["layers"]:
        pytest.skip("no mount namespace here")
    taken = frozenset({"seccomp", "landlock", "landlock_scope"})
    leaks = look("high", kind, uid, without=taken)["leaks"]
    # The empty folder itself can be listed; nothing is in it.
    assert not {"openat of /etc/passwd", "nameless file in /tmp"} & set(leaks)
    opened = look("high", kind, uid, without=taken | {"empty_root"})["leaks"]
    assert "openat of /etc/passwd" in opened


@pytest.mark.skipif(os.geteuid() != 0, reason="only root keeps root")
@pytest.mark.parametrize(
    ("taken", "leak"),
    [
        ({"uid"}, "uid of root"),
        ({"caps", "uid"}, "capabilities left"),
        ({"no_new_privs"}, "privilege by exec"),
    ],
)
@pytest.mark.parametrize("kind", KINDS)
def test_KX_11_a_kept_privilege_is_seen(kind: str, taken: set[str], leak: str) -> None:
    report = look("high", kind, without=frozenset(taken))
    assert leak in report["leaks"]
    assert "privilege" in missing_effects("high", report["effects"])
    assert look("high", kind)["leaks"] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="a user's groups can't be set here")
def test_KX_12_supplementary_groups_are_gone() -> None:
    def with_groups() -> dict[str, Any]:
        os.setgroups([1, 2, 3])
        return examine("high", "wasm", launcher=native.program("launch"))._asdict()

    assert "groups" in as_machine(with_groups)["layers"]

    def as_user() -> dict[str, Any]:
        os.setgroups([1, 2, 3])
        os.setresuid(NOBODY, NOBODY, NOBODY)
        return examine("high", "wasm", launcher=native.program("launch"))._asdict()

    report = as_machine(as_user)
    # An unprivileged user can't leave them; they open nothing, and the report says so.
    assert "groups" in report["missing"] and report["effects"] == ALL


def test_the_probe_tells_what_is_there() -> None:
    found = probe(native.program("launch"))
    assert found.landlock_abi >= 0 and found.uid == os.geteuid()
    assert ("landlock" in found.layers) == (found.landlock_abi > 0)
    assert found.layers.isdisjoint(found.missing)


def test_EN_a_launcher_that_does_not_answer_is_a_refusal() -> None:
    with pytest.raises(IsolationRefused, match="without an answer"):
        examine("high", launcher="/bin/true")
