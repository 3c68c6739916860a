"""Native code in a worker's place finds no memory that goes uncounted and raises no limit (RS)."""

from __future__ import annotations

import os
from typing import Any

import pytest

from tests.adversarial.batches import once, shared_folder
from tests.adversarial.conftest import Impostor
from tests.adversarial.native import EPERM, WAYS, inside, of_case, outside
from tests.adversarial.proof import Control

MIB_TRIED = 640
LIMIT_MIB = 64
ABOVE_THE_LIMIT = {"low": 512, "medium": 512, "high": 48}
"""MiB that may be had beyond the limit: what an interpreter maps besides its memory (RLIMIT_AS), or
what the worker around a guest needs (RLIMIT_DATA)."""
KERNEL_KIB = {"medium": 17 * 1024, "high": 24 * 1024}
"""KiB in the kernel that no limit counts: 69 descriptors' buffers, or the page tables of 12 GiB."""
EACCES = 13


@pytest.fixture(scope="session")
def free() -> dict[str, int]:
    """What is had outside: everything that was tried for."""
    return outside("resources", str(MIB_TRIED))


@pytest.fixture
def attacks(impostor: Impostor, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Runs the attacker at a profile as it starts there, once for all tests."""

    def run(profile: str) -> list[dict[str, Any]]:
        def attack() -> list[dict[str, Any]]:
            ways = [way for way in WAYS[profile] if way.machine == "as it is"]
            limits = {"wall": "20s", "memory": f"{LIMIT_MIB}MiB"}
            return [
                inside(
                    impostor, "resources", str(MIB_TRIED), profile=profile, way=way, limits=limits
                )
                for way in ways
            ]

        found: list[dict[str, Any]] = once(
            shared_folder(tmp_path_factory), f"resources {profile}", attack
        )
        assert found and all(one["status"] == "done" for one in found), found
        return found

    return run


@pytest.mark.parametrize("profile", ["low", "medium", "high"])
def test_RS_02_no_kind_of_mapping_is_more_than_the_limit(
    attacks: Any, free: dict[str, int], control: Control, profile: str
) -> None:
    """Private, reserved, first unreadable, shared, growing down, moved, and the stack moved."""
    for result in attacks(profile):
        for act, mebibytes in of_case(result["value"], "RS-02").items():
            # What the kernel does not count as data is counted as addresses.
            most = LIMIT_MIB + ABOVE_THE_LIMIT[profile]
            assert mebibytes <= most < MIB_TRIED, (act, mebibytes)
        answers = result["value"]
        assert answers["RS_02_private_mib"] <= LIMIT_MIB + 48
        assert answers["RS_02_grows_down_mib"] == 0
        if profile != "low":
            assert answers["RS_02_shared_mib"] == 0
        if profile == "high":
            assert answers["RS_02_stack_mib"] == 0
            assert result["usage"]["peak_memory"] < (LIMIT_MIB + 48) << 20
    control(min(of_case(free, "RS-02").values()) >= MIB_TRIED)


@pytest.mark.parametrize("profile", ["low", "medium", "high"])
def test_RS_03_no_child_and_no_file_holds_memory_instead(
    attacks: Any, free: dict[str, int], control: Control, profile: str
) -> None:
    for result in attacks(profile):
        assert result["value"]["RS_03_child"] == EPERM
        if profile != "low":  # there its interpreter's files can be: addresses, which are counted
            assert result["value"]["RS_03_file_map"] == EPERM
    control(set(of_case(free, "RS-03").values()) == {0})


@pytest.mark.parametrize("profile", ["medium", "high"])
def test_RS_04_what_the_kernel_holds_for_a_worker_is_little(
    attacks: Any, free: dict[str, int], control: Control, profile: str
) -> None:
    for result in attacks(profile):
        answers = of_case(result["value"], "RS-04")
        had = sum(kib for act, kib in answers.items() if act.endswith("_kib"))
        assert had <= KERNEL_KIB[profile], answers
        refused = {act: error for act, error in answers.items() if not act.endswith("_kib")}
        assert set(refused.values()) == {EPERM}, refused
    had = sum(kib for act, kib in free.items() if act.endswith("_kib"))
    control(had > 4 * max(KERNEL_KIB.values()))
    control(all(free[act] == 0 for act in refused))


@pytest.mark.parametrize("profile", ["low", "medium", "high"])
def test_RS_16_no_limit_is_raised(
    attacks: Any, free: dict[str, int], control: Control, profile: str
) -> None:
    for result in attacks(profile):
        assert set(of_case(result["value"], "RS-16").values()) == {EPERM}
    control(set(of_case(free, "RS-16").values()) == {0})


@pytest.mark.parametrize("profile", ["low", "medium", "high"])
def test_RS_24_no_control_group_is_seen(
    attacks: Any, free: dict[str, int], control: Control, profile: str
) -> None:
    for result in attacks(profile):
        assert set(of_case(result["value"], "RS-24").values()) <= {EPERM, EACCES}
    control(free["RS_24_own_group"] == 0 and os.path.exists("/proc/self/cgroup"))
