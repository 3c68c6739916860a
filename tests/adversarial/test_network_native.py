"""NW: native code in a worker's place has no way to any network, whatever it calls.

Supervisor and attacker live in a network where every address answers. Outside, the same program
reaches a web server and a name server and is given a descriptor; in a worker's place every call is
refused, and nobody hears of it.
"""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmspell.channel.framing import frame
from llmspell.platform.linux.plan import make_zygote_plan
from llmspell.platform.linux.zygote import Zygote
from llmspell.supervisor.worker import BUILT
from tests.adversarial.conftest import Impostor
from tests.adversarial.native import EPERM, WAYS, Way, inside, of_case
from tests.adversarial.proof import Control
from tests.adversarial.web import Net, net
from tests.attackers import build
from tests.attackers.wire import NAME_SERVER, PUBLIC
from tests.parity import zygotes
from tests.platform.test_zygote import receive

__all__ = ["net"]
CASES = ("NW-01", "NW-02", "NW-03", "NW-04", "NW-07", "NW-08")
ECONNREFUSED, ENOENT, EISCONN, EOPNOTSUPP, EINVAL, ENOTCONN = 111, 2, 106, 95, 22, 107
BY_PATH = {"NW_02_resolv_conf"}
"""At `low` files that the spell may read can be opened; Landlock refuses the others (EACCES)."""
UNNAMED = {"NW_08_sendto", "NW_08_wide", "NW_08_sendmsg", "NW_08_sendmmsg", "NW_02_question"}
"""At `low` the call itself is allowed, and the channel takes no other receiver."""


class Doors:
    """A unix socket at a path, and one without: the agents and daemons of a user's machine."""

    def __init__(self, folder: Path) -> None:
        folder.chmod(0o777)
        self.path = folder / "docker.sock"
        self.abstract = f"llmspell-{folder.name}"
        self._open = [self._listening(str(self.path))]
        self.path.chmod(0o777)

    def _listening(self, name: str) -> socket.socket:
        made = socket.socket(socket.AF_UNIX)
        made.bind(name)
        made.listen(8)
        made.setblocking(False)
        return made

    def callers(self) -> int:
        """How many called since the last time."""
        count = 0
        for each in self._open:
            try:
                while True:
                    each.accept()[0].close()
                    count += 1
            except BlockingIOError:
                continue
        return count

    def close(self) -> None:
        for each in self._open:
            each.close()


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Doors]:
    made = Doors(tmp_path_factory.mktemp("doors"))
    yield made
    made.close()


def words(doors: Doors) -> list[str]:
    return [NAME_SERVER, PUBLIC, "80", str(doors.path), doors.abstract]


@pytest.fixture(scope="module")
def free(net: Net, doors: Doors) -> dict[str, int]:
    """What each act comes to without confinement, in the same network."""
    net.names.asked.clear()
    before = net.web.connections
    command = [*net.wire.entering, build.program("network"), "free", *words(doors)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    answers: dict[str, int] = json.loads(done.stdout)
    assert doors.callers() == 2 and net.web.connections - before >= 4
    asked = {name for name, kind in net.names.asked if kind == "A"}
    ways = ("question", "libc", "sendto", "wide", "sendmsg", "sendmmsg")
    assert asked == {f"{way}.exfil.test" for way in ways}
    return answers


def works_outside(free: dict[str, int], case: str) -> bool:
    """Every act of the case, but for what this kernel does not have at all."""
    acts = of_case(free, case)
    if case == "NW-03":
        return not acts["NW_03_family_16"] and sum(not answer for answer in acts.values()) >= 6
    if case == "NW-04":
        return not acts["NW_04_path"]
    if case == "NW-07":
        return not acts["NW_07_setup"]
    return not any(acts.values())


def refused(act: str, answer: int, profile: str) -> bool:
    if answer == EPERM:
        return True
    if profile != "low":
        return False
    by_kernel = {EISCONN, EOPNOTSUPP, EINVAL, ENOTCONN}
    return act in BY_PATH or (act in UNNAMED and answer in by_kernel)


@pytest.fixture(scope="module")
def attacked() -> dict[tuple[str, Way], dict[str, Any]]:
    """Runs by profile and way: each test looks at its own case."""
    return {}


@pytest.mark.parametrize(
    ("profile", "way", "case"),
    [
        (profile, way, case)
        for profile, ways in WAYS.items()
        for way in ways
        for case in (*CASES, "NW-06", "NW-09")
        # Nobody sends a descriptor at `low` either; the call that takes one is allowed there.
        if (profile, case) != ("low", "NW-09")
    ],
    ids=lambda value: value if isinstance(value, str) else "-".join(value),
)
def test_native_code_has_no_network(
    impostor: Impostor,
    net: Net,
    doors: Doors,
    free: dict[str, int],
    attacked: dict[tuple[str, Way], dict[str, Any]],
    control: Control,
    profile: str,
    way: Way,
    case: str,
) -> None:
    if (profile, way) not in attacked:
        net.names.asked.clear()
        before = net.web.connections
        result = inside(
            impostor, "network", *words(doors), profile=profile, way=way, around=net.wire.entering
        )
        reached = (doors.callers(), net.web.connections - before, dict(net.names.asked))
        attacked[profile, way] = {**result, "reached": reached}
    result = attacked[profile, way]
    assert result["status"] == "done", result
    assert result["isolation"]["effects"]["network"] is True
    assert result["reached"] == (0, 0, {})
    acts = of_case(result["value"], case)
    if case == "NW-06":
        pair = 0 if profile != "high" else EPERM
        assert acts.pop("NW_06_pair") == pair
        assert set(acts.values()) == {EPERM}, acts
        control(not free["NW_06_pair"] and not free["NW_06_datagram"])
        return
    if case == "NW-09":
        assert acts == {"NW_09_came": 0, "NW_09_take": EPERM, "NW_09_hand_over": EPERM}
        control(not free["NW_09_hand_over"])
        return
    assert not [act for act, answer in acts.items() if not refused(act, answer, profile)], acts
    control(works_outside(free, case))


@pytest.mark.parametrize("profile", ["medium", "high"])
def test_NW_09_a_connected_socket_that_a_helper_sends(
    net: Net, doors: Doors, free: dict[str, int], control: Control, profile: str
) -> None:
    """Over the channel itself, with the message that starts the spell: it never arrives."""
    program, library = build.program("network"), f"{BUILT}/libconfine.so"
    kind = {"medium": "native", "high": "wasm"}[profile]
    made = make_zygote_plan(profile, kind)
    launch = [f"{BUILT}/llmspell-launch"] if kind == "native" else []
    start = "zygote" if kind == "native" else "wasm-zygote"
    frames = frame(made.stage1) + (frame(made.stage2) if kind == "native" else b"")
    zygote = Zygote([*launch, program, start, library, "x", *words(doors)], frames, {})
    ours, helpers = socket.socketpair()
    try:
        assert zygote.is_ready(10)
        wanted = zygotes.confinement(level=profile, kind=kind)
        forked, channel = zygotes.fork(zygote, wanted)
        with channel, ours:
            assert receive(channel) is not None
            with helpers:
                socket.send_fds(channel, [frame(b'{"type":"run"}')], [helpers.fileno()])
            answer = receive(channel)
            assert answer is not None
            # Nobody holds the helper's end: what was sent with the message is closed.
            ours.settimeout(5)
            gone = ours.recv(1)
        forked.close()
    finally:
        zygote.close()
    acts = answer["value"]
    assert (acts["NW_09_came"], acts["NW_09_take"], gone) == (0, EPERM, b"")
    control(not free["NW_09_hand_over"])
