"""What a zygote's answers mean to its workers; the zygote is played by a program of the test's."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from llmspell.errors import OperationFailed
from llmspell.platform.linux.zygote import Forked, Zygote, ZygoteGone

PLAYED = """
import array, errno, os, socket, struct, sys, time
control = socket.socket(fileno=3)
control.sendall(struct.pack("=II", 0x5A50534C, 1))
for step in sys.argv[1:]:
    data, rights, _, _ = control.recvmsg(4, socket.CMSG_SPACE(8))
    handles = array.array("i", rights[0][2])
    (number,) = struct.unpack("=I", data)
    if step == "silent":
        time.sleep(60)
    elif step == "refuse":
        control.sendall(struct.pack("=Ii", number, errno.EAGAIN))
    else:
        child = os.fork()
        if child == 0:
            time.sleep(60)
        handle = os.pidfd_open(child)
        sent = array.array("i", [handle])
        control.sendmsg([struct.pack("=Ii", number, 0)], [(1, socket.SCM_RIGHTS, sent)])
        os.close(handle)
    for handle in handles:
        os.close(handle)
time.sleep(60)
"""


@pytest.fixture
def play(tmp_path: Path) -> Iterator[Callable[..., Zygote]]:
    started: list[Zygote] = []
    script = tmp_path / "played.py"
    script.write_text(PLAYED, "utf-8")

    def start(*steps: str) -> Zygote:
        zygote = Zygote([sys.executable, "-S", str(script), *steps], b"", {})
        started.append(zygote)
        assert zygote.is_ready(20)
        return zygote

    yield start
    for zygote in started:
        zygote.close()


def order(zygote: Zygote) -> Forked:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        return zygote.order(theirs.fileno())


def test_to_close_a_refused_worker_ends_neither_the_zygote_nor_its_siblings(
    play: Callable[..., Zygote],
) -> None:
    zygote = play("fork", "refuse", "fork")
    sibling, refused = order(zygote), order(zygote)
    sibling.settle()
    with pytest.raises(OperationFailed, match="could not fork"):
        refused.settle()
    refused.kill()
    refused.close()
    assert zygote.process.poll() is None and sibling.poll() is None
    third = order(zygote)
    third.settle()
    assert third.pid > 0, "it goes on forking"
    for forked in (sibling, third):
        forked.kill()
        assert forked.wait(10).signal == 9
        forked.close()
    assert zygote.live == 0


def test_a_worker_whose_zygote_was_ended_before_its_answer_is_gone_and_no_error(
    play: Callable[..., Zygote],
) -> None:
    zygote = play("silent")
    waiting = order(zygote)
    zygote.kill()
    waiting.kill()
    assert waiting.wait(10).signal == 9
    with pytest.raises(ZygoteGone):
        waiting.settle()
    waiting.close()
    assert zygote.live == 0
