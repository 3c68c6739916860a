"""FS: what is not a path rule: mounts, quotas, depth, crashes, and what does not exist."""

from __future__ import annotations

import os
import subprocess

import pytest

from tests.adversarial.fs_acts import Act, attempt
from tests.adversarial.fs_cases import Expected
from tests.adversarial.proof import Control
from tests.adversarial.test_filesystem import assert_as_expected
from tests.e2e.program import Program

PROFILES = ("low", "medium", "high")
ROOT = os.geteuid() == 0

MOUNTS = """
mount -t tmpfs none proj/other
mount --bind /dev/shm proj/memory
mount --rbind /proc proj/kernel
echo there > proj/other/x
exec "$@"
"""
AS_ROOT = ("unshare", "--mount")
AS_ORDINARY = ("unshare", "--user", "--map-current-user", "--keep-caps", "--mount")
DROP = ("setpriv", "--ambient-caps=-all", "--inh-caps=-all")


def mounting() -> tuple[str, ...]:
    """Words before a command so that it runs where MOUNTS are; skips where that can't be."""
    if ROOT:
        return (*AS_ROOT, "sh", "-ec", MOUNTS, "sh")
    if subprocess.run([*AS_ORDINARY, "true"], capture_output=True, check=False).returncode:
        pytest.skip("an ordinary user mounts nothing on this machine")
    return (*AS_ORDINARY, "sh", "-ec", MOUNTS, "sh", *DROP)


@pytest.mark.parametrize("profile", PROFILES)
def test_FS_51_FS_62_mounts_in_a_granted_folder(
    program: Program, profile: str, control: Control
) -> None:
    for name in ("other", "memory", "kernel", "sub"):
        (program.folder / "proj" / name).mkdir(parents=True)
    program.write("proj/in.txt", "inside")
    program.write("proj/sub/a", "a")
    acts: tuple[Expected, ...] = (
        (("move", "proj/in.txt", "proj/other/in.txt"), "other_file_system"),
        (("move", "proj/other/x", "proj/x"), "other_file_system"),
        (("move", "proj", "moved"), "denied {p}.files.write" if profile != "low" else "other_file_system"),
        (("remove", "proj", {"recursive": True}), "other_file_system"),
        (("read", "proj/kernel/self/environ"), "denied files.special-filesystem"),
        (("list", "proj/kernel"), "denied files.special-filesystem"),
        (("append", "proj/memory/x", ""), "denied files.special-filesystem"),
        (("list", "proj/memory"), "denied files.special-filesystem"),
        (("remove", "proj/kernel", {"recursive": True}), "denied files.special-filesystem"),
    )
    twins: list[Act] = [
        ("list", "proj", {"recursive": True}),
        ("read", "proj/other/x"),
        ("move", "proj/in.txt", "proj/sub/in.txt"),
        ("remove", "proj/sub", {"recursive": True}),
    ]
    tried = attempt(
        program, [*(act for act, _ in acts), *twins],
        *("--profile", profile, "--allow-read", "proj", "--allow-write", "proj"),
        wrapper=mounting(),
    )  # fmt: skip
    assert_as_expected(acts, tried._replace(answers=tried.answers[: len(acts)]), profile)
    listed, *others = tried.answers[len(acts) :]
    control(others[0].value == "there\n" and all(one.kind == "worked" for one in others))
    # A walk goes into a disk of the user's and not into the kernel's.
    paths = {item["path"] for item in listed.value}
    assert "proj/other/x" in paths and {"proj/kernel", "proj/memory"} <= paths
    assert not [path for path in paths if path.startswith(("proj/kernel/", "proj/memory/"))]
