"""Each mechanism of the confinement alone: its effect is there, and gone when it is taken away."""

from __future__ import annotations

import os
import resource
import select
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from llmspell.channel.framing import frame
from llmspell.platform.linux.plan import LAYERS
from tests.adversarial.placed import Told, outside, placed
from tests.adversarial.test_kernel import word
from tests.adversarial.test_kernel_neighbours import innermost
from tests.attackers import build
from tests.mutants.confinement import ALONE, NAMESPACES, SEEN, Alone
from tests.platform.machines import as_machine, is_running
from tests.platform.test_zygote import receive

ROOT = os.geteuid() == 0
USER = "root" if ROOT else "ordinary"
KEY = 0x6B78
GROUP = 4242


class Place:
    """Files, a port and a segment that acts aim at."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o777)
        self.folder = folder
        self.open = folder / "open"
        self.open.write_text("four")
        self.open.chmod(0o666)
        self.root = folder / "roots"
        self.root.write_text("x")
        self.root.chmod(0o600)
        self.group = folder / "groups"
        self.group.write_text("x")
        self.rootgroup = folder / "rootgroups"
        self.rootgroup.write_text("x")
        if ROOT:
            os.chown(self.group, 0, GROUP)
        for file in (self.group, self.rootgroup):
            file.chmod(0o040)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]

    def act(self, text: str) -> str:
        """The act with its places filled; what an act would find or make is there or not."""
        (self.folder / "empty").mkdir(exist_ok=True)
        (self.folder / "empty").chmod(0o777)
        (self.folder / "file").touch()
        for name in "cdrspbl":
            path = self.folder / name
            path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink(
                missing_ok=True
            )
        return text.format(
            open=self.open, root=self.root, group=self.group, rootgroup=self.rootgroup,
            folder=self.folder, port=self.port, pid=os.getpid(), key=KEY, queue=f"kx{os.getpid()}",
        )  # fmt: skip


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    # pytest's own folders are closed to the uid that a worker gets.
    folder = Path(tempfile.mkdtemp(prefix="llmspell-mutants-"))
    made = Place(folder)
    assert set(
        outside("kernel", [f"m={word(f'shmget,{KEY},4096,0x3b6').partition('=')[2]}"]).values()
    ) == {0}
    yield made
    outside("kernel", [f"{name}={word(call).partition('=')[2]}" for name, call in (
        ("f", f"shmget,{KEY},0,0"), ("r", "shmctl,l,0,0"), ("q", f"mq_unlink,t:kx{os.getpid()}"),
    )])  # fmt: skip
    made.listener.close()
    shutil.rmtree(folder)


@contextmanager
def only(layers: str, taken: str, words: list[str], **changes: Any) -> Iterator[Any]:
    """kernel.c under a plan with these mechanisms alone, `taken` left out."""
    wanted = set(layers.split()) - {taken}
    if not ROOT:
        wanted -= {"uid", "groups"}
        # Without it an ordinary user may set no Landlock domain.
        wanted |= {"no_new_privs"} if "landlock" in wanted else set()
    changes.setdefault("profile", "high")
    steps = [taken] if "=" in taken else []
    with placed(
        "kernel", [*steps, *words], without=frozenset(LAYERS) - wanted, kind="wasm", **changes
    ) as given:
        yield given


def tried(layers: str, taken: str, act: str, **changes: Any) -> int:
    """The error of the act's last call, or the signal that ended the program as a negative."""

    def run() -> Told:
        words = [f"a{at}={word(call).partition('=')[2]}" for at, call in enumerate(act.split("+"))]
        with only(layers, taken, words, **changes) as (process, channel, achieved):
            channel.sendall(frame(b'{"type":"run"}'))
            done = receive(channel)
            status = process.wait(10)
        return Told(achieved, done["value"] if done else {}, status.signal)

    def as_a_member() -> Told:
        if ROOT:
            os.setgroups([GROUP])
        return run()

    told = Told(*as_machine(as_a_member))
    return -told.signal if told.signal else list(told.acts.values())[-1]


@pytest.mark.parametrize("one", ALONE, ids=lambda one: one.name)
def test_a_mechanism_holds_alone(one: Alone, place: Place) -> None:
    if one.users not in ("both", USER):
        pytest.skip(f"only {one.users} has this to lose")
    changes: dict[str, Any] = {"profile": one.level}
    null = os.open(os.devnull, os.O_RDONLY)
    try:
        if one.name == "fds":
            changes["pass_fds"] = {7: null}
        assert tried(one.layers, "", place.act(one.act), **changes) == one.held
        assert tried(one.layers, one.taken, place.act(one.act), **changes) in one.broken
    finally:
        os.close(null)


@pytest.mark.parametrize("name", NAMESPACES)
def test_a_namespace_is_ones_own(name: str) -> None:
    link = {"netns": "net", "pidns": "pid", "ipcns": "ipc", "utsns": "uts", "mntns": "mnt"}
    which = link.get(name, "cgroup")

    def differs(taken: str) -> bool:
        with only(f"userns {name}", taken, ["stay"]) as (process, _, _):
            pid = innermost(process.pid)
            return os.readlink(f"/proc/{pid}/ns/{which}") != os.readlink(f"/proc/self/ns/{which}")

    assert differs("") and not differs(name)


def seen_undumpable(taken: str) -> bool:
    if ROOT:
        pytest.skip("to leave root's uid does the same in the kernel: there it has no own effect")
    with only("undumpable", taken, ["stay"]) as (process, _, _):
        return os.stat(f"/proc/{innermost(process.pid)}/environ").st_uid == 0


def seen_session(taken: str) -> bool:
    # An exec'ed worker is started in a session of its own: the layer is for the forks.
    without = frozenset({taken} - {""})
    with placed("kernel", ["stay"], "high", "fork", without=without) as (process, _, _):
        return os.getsid(process.pid) == process.pid


def seen_rlimit(which: int, taken: bool) -> bool:
    step = f"skip=setrlimit:{which}" if taken else ""
    own = resource.getrlimit(which)
    with only("rlimits", step, ["stay"]) as (process, _, _):
        return resource.prlimit(innermost(process.pid), which) != own


def seen_no_new_privs(taken: str) -> bool:
    """As root a setuid program is made; an ordinary user needs it to set a filter at all."""
    if not ROOT:
        with only("seccomp no_new_privs", taken, ["stay"]) as (_, _, achieved):
            return bool("seccomp" in achieved["layers"])
    suid = Path(build.program("kernel")).with_name("setuid-kernel")
    suid.write_bytes(Path(build.program("kernel")).read_bytes())
    os.chown(suid, 12345, 12345)
    suid.chmod(0o4755)
    assert subprocess.run([suid, "whoami"], check=False).returncode == 42
    with only("no_new_privs", taken, [f"e={word(f'execve,t:{suid},w,0').partition('=')[2]}"]) as (
        process, channel, _,
    ):  # fmt: skip
        channel.sendall(frame(b'{"type":"run"}'))
        return bool(process.wait(10).code == 43)


def seen_parent_death(taken: str) -> bool:
    """Whether a worker that hears nothing of its channel is gone after its supervisor."""
    reader, writer = os.pipe()
    supervisor = os.fork()
    if not supervisor:
        try:
            wait = [f"p={word('poll,0,0,20000').partition('=')[2]}"]
            with only("parent_death", taken, wait, measured=False) as (process, channel, _):
                channel.sendall(frame(b'{"type":"run"}'))
                os.write(writer, str(innermost(process.pid)).encode())
                signal.pause()
        finally:
            os._exit(1)
    os.close(writer)
    worker = int(os.read(reader, 20))
    os.close(reader)
    os.kill(supervisor, signal.SIGKILL)
    os.waitpid(supervisor, 0)
    handle = os.pidfd_open(worker) if is_running(worker) else -1
    try:
        if handle < 0:
            return True
        return bool(select.select([handle], [], [], 1.0)[0])
    finally:
        if handle >= 0:
            if is_running(worker):
                signal.pidfd_send_signal(handle, signal.SIGKILL)
            os.close(handle)


@pytest.mark.parametrize("name", SEEN)
def test_what_is_seen_of_a_worker(name: str) -> None:
    if name.startswith("rlimit"):
        which = {"rlimit-core": resource.RLIMIT_CORE, "rlimit-cpu": resource.RLIMIT_CPU}[name]
        if resource.getrlimit(which) == (0, 0):
            pytest.skip("nobody here may leave a core file")
        assert seen_rlimit(which, False) and not seen_rlimit(which, True)
        return
    seen = {
        "undumpable": seen_undumpable,
        "session": seen_session,
        "parent_death": seen_parent_death,
        "no_new_privs": seen_no_new_privs,
    }[name]
    assert seen("") and not seen(name)
