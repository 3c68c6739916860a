"""FS by raw system calls: a native program in the worker's place, exec'ed and forked.

Its acts are those of tests/attackers/filesystem.c; the same program outside any confinement, on a
folder of the same kind, is the control of them all.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from llmspell.channel.framing import frame
from llmspell.platform.linux.plan import make_zygote_plan
from llmspell.platform.linux.zygote import Zygote
from tests.adversarial.conftest import Impostor
from tests.adversarial.fs_acts import tree
from tests.adversarial.proof import Control
from tests.attackers import build
from tests.parity import zygotes
from tests.platform.machines import ENOSYS, EPERM, as_machine
from tests.platform.test_zygote import receive

ROOT = os.geteuid() == 0
MACHINES: Final = {
    "as it is": "",
    # Only the filter is left: no namespaces, no Landlock.
    "bare": "unshare=EPERM,mount=EPERM,landlock_create_ruleset=ENOSYS",
}
FORKED: Final[dict[str, dict[str, int]]] = {
    "as it is": {},
    "bare": {"unshare": EPERM, "mount": EPERM, "landlock_create_ruleset": ENOSYS},
}


def make_folder(folder: Path) -> Path:
    """What filesystem.c acts on: all of it may be changed by everybody outside a sandbox."""
    (folder / "masked").mkdir(parents=True)
    for name in ("secret.txt", "mine.txt", "masked/secret.txt"):
        (folder / name).write_text("secret")
        (folder / name).chmod(0o666)
    for name, mode in (("tool", 0o111), ("setuid", 0o4755)):
        shutil.copyfile("/bin/true", folder / name)
        (folder / name).chmod(mode)
    folder.chmod(0o777)
    return folder


def handle_of(path: Path) -> str:
    """What name_to_handle_at(2) calls the file, in hex; - where its file system has no handles."""
    handle = ctypes.create_string_buffer(8 + 128)
    ctypes.c_uint.from_buffer(handle).value = 128
    mount = ctypes.c_int()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.name_to_handle_at(-100, os.fsencode(path), handle, ctypes.byref(mount), 0):
        return "-"
    size = ctypes.c_uint.from_buffer(handle).value
    return handle.raw[: 8 + size].hex()


@contextmanager
def inheritable(folder: Path) -> Iterator[int]:
    """A descriptor of a folder, left open in everything that is started meanwhile."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield handle
    finally:
        os.close(handle)


@pytest.fixture(scope="session")
def outside(tmp_path_factory: pytest.TempPathFactory) -> dict[str, int]:
    """What the program's acts come to without a sandbox: errno by act, 0 where it worked."""
    folder = make_folder(tmp_path_factory.mktemp("outside") / "mine")
    before = tree(folder)
    with inheritable(folder) as handle, open(folder / "secret.txt", "rb") as secret:
        done = subprocess.run(
            [build.program("filesystem"), "free", str(folder), handle_of(folder / "secret.txt")],
            stdin=secret,
            pass_fds=(handle,),
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        )
    found: dict[str, int] = json.loads(done.stdout)
    assert tree(folder) != before
    return found


ACTS: Final = 50
"""At least so many acts: a program that stops early proves nothing."""
CASES: Final = (
    "FS-03", "FS-09", "FS-11", "FS-12", "FS-13", "FS-14", "FS-17", "FS-18", "FS-19", "FS-21",
    "FS-22", "FS-24", "FS-27", "FS-28", "FS-43", "FS-48", "FS-54",
)  # fmt: skip
ONLY_ABOVE_LOW: Final = ("FS-48",)
"""At `low` a name may still be looked at: Landlock says nothing about stat and chdir."""
HARMLESS_AT_LOW: Final = {
    *("FS_13_o_path", "FS_19_openat2_o_path", "FS_28_listxattr"),  # no content comes by these
    "FS_14_proc_exe",  # its own program, where that lies in a folder of the interpreter's
}


def of_case(case: str, answers: dict[str, int]) -> dict[str, int]:
    """The acts of one case."""
    return {
        name: error for name, error in answers.items() if name.startswith(case.replace("-", "_"))
    }


def exec_attack(impostor: Impostor, folder: Path, profile: str, machine: str) -> dict[str, Any]:
    words = [str(folder), handle_of(folder / "secret.txt")]
    with inheritable(folder) as handle:
        result = impostor(
            [build.program("filesystem"), "@plan", "@lib", "@engine", *words],
            MACHINES[machine],
            profile=profile,
            inherited=(handle,),
        )
    assert result["status"] == "done", result
    assert profile != "low" or "landlock" in result["isolation"]["layers"]
    return {"acts": result["value"], **result["isolation"]}


def forked_attack(folder: Path, profile: str, machine: str) -> dict[str, Any]:
    library = zygotes.command("lua")[-1]
    words = ["zygote", library, "x", str(folder), handle_of(folder / "secret.txt")]

    def attack() -> dict[str, Any]:
        made = make_zygote_plan(profile, "native")
        frames = frame(made.stage1) + frame(made.stage2)
        argv = [zygotes.command("lua")[0], build.program("filesystem"), *words]
        with inheritable(folder) as handle:
            os.set_inheritable(handle, True)
            zygote = Zygote(argv, frames, {})
        assert zygote.is_ready(10)
        try:
            forked, channel = zygotes.fork(zygote, zygotes.confinement(level=profile))
            with channel:
                hello = receive(channel)
                channel.sendall(frame(b'{"type":"run"}'))
                done = receive(channel)
            forked.close()
        finally:
            zygote.close()
        assert hello is not None and done is not None
        return {"acts": done["value"], **hello["achieved"]}

    found: dict[str, Any] = as_machine(attack, None, FORKED[machine])
    return found


RUNS: Final = (
    ("exec", "low", "as it is"),
    *((start, level, machine) for start in ("exec", "fork") for level in ("medium", "high")
      for machine in MACHINES),
)  # fmt: skip


class Runs:
    """Each run of the attacker once, however many cases look at it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[tuple[str, str, str], dict[str, Any]] = {}

    def of(self, run: tuple[str, str, str], impostor: Impostor) -> dict[str, Any]:
        """Its acts and what it achieved; nothing below its folder may have changed."""
        if run not in self._kept:
            start, profile, machine = run
            folder = make_folder(self._folder / "-".join(run).replace(" ", "-") / "mine")
            before = tree(folder)
            if start == "exec":
                found = exec_attack(impostor, folder, profile, machine)
            else:
                found = forked_attack(folder, profile, machine)
            assert tree(folder) == before, "an act had an effect"
            assert all(found["effects"].values()) and not found.get("missing")
            if machine == "bare":
                assert not {"pidns", "netns", "mntns", "landlock"} & set(found["layers"])
            self._kept[run] = found
        return self._kept[run]


@pytest.fixture(scope="session")
def runs() -> Iterator[Runs]:
    # Not below the folder that holds the package, which a worker at `low` may read.
    folder = Path(tempfile.mkdtemp(prefix="fs-native-", dir="/tmp"))
    folder.chmod(0o755)
    yield Runs(folder)
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("case", "profile"),
    [
        pytest.param(case, profile, id=f"{case.replace('-', '_')}-{profile}")
        for profile in ("low", "medium", "high")
        for case in CASES
        if profile != "low" or case not in ONLY_ABOVE_LOW
    ],
)
def test_native_acts(
    impostor: Impostor,
    runs: Runs,
    outside: dict[str, int],
    case: str,
    profile: str,
    control: Control,
) -> None:
    unprivileged = {} if ROOT else {"FS_21_open_by_handle", "FS_54_read_tool", "FS_54_write_tool"}
    expected = set(of_case(case, outside)) - set(unprivileged)
    control(expected and all(outside[name] == 0 for name in expected), case)
    for run in RUNS:
        if run[1] != profile:
            continue
        found = runs.of(run, impostor)
        assert len(found["acts"]) >= ACTS
        works = {name for name, error in of_case(case, found["acts"]).items() if not error}
        assert works <= (HARMLESS_AT_LOW if profile == "low" else set()), (run, works)
