"""The fork server under the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import array
import errno
import json
import socket
import struct
from collections.abc import Iterator

import pytest

from llmspell.channel.framing import frame
from llmspell.errors import OperationFailed
from llmspell.platform import EFFECTS
from llmspell.platform.linux.plan import make_child_plan, make_zygote_plan
from llmspell.platform.linux.zygote import Forked, Zygote, ZygoteGone
from tests.platform.channels import confinement
from tests.sandboxes.confine.test_parser import sanitized

SANITIZERS_EXIT = 99
ANY = confinement("high", memory=None, without=frozenset({"rlimits", "undumpable"}))
"""The sanitizers' own memory needs more than a worker may have."""


@pytest.fixture(scope="module")
def program() -> str:
    return sanitized("zygote")


@pytest.fixture
def zygote(program: str) -> Iterator[Zygote]:
    one = Zygote([program], frame(make_zygote_plan("high", "wasm").stage1), {})
    try:
        assert one.is_ready(20)
        yield one
    finally:
        one.close()


def fork(zygote: Zygote, plan: bytes) -> tuple[Forked, socket.socket]:
    ours, theirs = socket.socketpair()
    ours.settimeout(20)
    ours.sendall(frame(plan))
    with theirs:
        return zygote.order(theirs.fileno()), ours


def answer(forked: Forked, channel: socket.socket) -> str:
    with channel:
        text = channel.recv(1 << 16).decode()
        channel.shutdown(socket.SHUT_WR)
        status = forked.wait(10)
    assert (status.code, status.signal) == (0, None), (status, text)
    forked.close()
    return text


def test_children_run_clean_one_after_the_other_and_at_once(zygote: Zygote) -> None:
    plan = make_child_plan(ANY)
    for _ in range(3):
        batch = [fork(zygote, plan) for _ in range(4)]
        for forked, channel in batch:
            report = json.loads(answer(forked, channel))
            assert report["effects"] == dict.fromkeys(EFFECTS, True), report


def test_EN_11_every_damaged_plan_is_refused_cleanly(zygote: Zygote) -> None:
    plan = make_child_plan(ANY)
    damaged = [plan[:size] for size in range(1, 60)] + [
        plan[:at] + b"\xff" + plan[at + 1 :] for at in range(60)
    ]
    for content in damaged:
        text = answer(*fork(zygote, content))
        assert text.startswith(("plan: ", "stage 2: ", '{"layers"', "the zygote")), text
    assert json.loads(answer(*fork(zygote, plan)))["effects"]["spawn"] is True


@pytest.mark.parametrize(
    ("order", "handles"), [(b"", 2), (b"\1\0\0", 2), (b"\1\0\0\0", 0), (b"\1\0\0\0", 1)]
)
def test_what_is_no_order_ends_it_cleanly(program: str, order: bytes, handles: int) -> None:
    one = Zygote([program], frame(make_zygote_plan("high", "wasm").stage1), {})
    assert one.is_ready(20)
    rights = array.array("i", [0] * handles)
    control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if handles else []
    if order:
        one._control.sendmsg([order], control)
    else:
        one._control.shutdown(socket.SHUT_WR)
    status = one.process.wait(10)
    assert status.code in (0, 77), status
    with pytest.raises(ZygoteGone):
        one.order(0)
    one.close()


def test_an_order_with_more_descriptors_than_it_has_is_refused(zygote: Zygote) -> None:
    rights = array.array("i", [0] * 3)
    zygote._control.sendmsg([b"\1\0\0\0"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    assert zygote._receive(8) == (struct.pack("=Ii", 1, errno.EMFILE), -1)
    forked, channel = fork(zygote, make_child_plan(ANY))
    assert json.loads(answer(forked, channel))["effects"]["spawn"] is True


def test_an_order_without_room_for_its_descriptors_is_refused(program: str) -> None:
    argv = ["/usr/bin/prlimit", "--nofile=9:9", "--", program]
    one = Zygote(argv, frame(make_zygote_plan("high", "wasm").stage1), {})
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert one.is_ready(20)
        kept = []
        with pytest.raises(OperationFailed):
            for _ in range(9):
                kept.append(one.order(theirs.fileno()))
                kept[-1].settle()
        assert len(kept) > 1
    one.close()


def test_it_does_not_become_one_by_a_workers_plan(program: str) -> None:
    from llmspell.platform import plan

    for wrong in (plan(ANY).stage1, make_child_plan(ANY), b"no plan"):
        one = Zygote([program], frame(wrong), {})
        with pytest.raises(ZygoteGone):
            one.is_ready(20)
        one.close()
        assert one.process.poll() is not None
