"""The plan's parser under the address and undefined-behaviour sanitizers."""

from __future__ import annotations

import socket
import struct
import subprocess
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmspell.platform import plan
from tests.platform import native
from tests.platform.channels import confinement, read_all, start

WASM = plan(confinement()).stage1
LOW = plan(confinement("low", read_paths=("/usr", "/etc"), write_paths=("/tmp",))).stage1
NATIVE = plan(confinement(kind="native", keep_fds=(7, 9)))
VALID = (WASM, LOW, NATIVE.stage1)


class Parser:
    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel

    def takes(self, content: bytes) -> bool:
        self._channel.sendall(struct.pack("<I", len(content)) + content)
        answer = self._channel.recv(1)
        assert answer in (b"y", b"n"), "the parser died"
        return answer == b"y"


@pytest.fixture(scope="module")
def parser() -> Iterator[Parser]:
    process, channel = start([sanitized("parser")], None)
    with process:
        yield Parser(channel)
        channel.shutdown(socket.SHUT_WR)
        assert read_all(channel) == b""
        assert process.wait(20).code == 0


def sanitized(name: str) -> str:
    command = [*native.compiler(), *native.SANITIZED, "-x", "c", "-", "-o", "/dev/null"]
    if subprocess.run(command, input=b"int main(void){return 0;}", capture_output=True).returncode:
        pytest.skip("no sanitizers here")
    return native.program(name, *native.SANITIZED)


def record(kind: int, body: bytes) -> bytes:
    return struct.pack("<II", kind, len(body)) + body


def base(**changes: int) -> bytes:
    fields = dict.fromkeys(
        ("stages", "wanted", "probe", "drop", "uid", "gid", "parent", "handover"), 0
    ) | {"stages": 1}
    return record(1, struct.pack("<8I", *(fields | changes).values()))


HEADER = struct.pack("<4sI", b"LSPN", 1)


def test_real_plans_are_taken(parser: Parser) -> None:
    assert all(parser.takes(content) for content in VALID)
    assert parser.takes(HEADER + base())


def test_every_cut_and_every_extra_byte_is_refused(parser: Parser) -> None:
    for content in VALID:
        # A cut between two records leaves a shorter list, which only the filter's absence shows.
        boundaries = set()
        at = 8
        while at < len(content):
            boundaries.add(at)
            at += 8 + struct.unpack_from("<I", content, at + 4)[0]
        for end in range(min(len(content), 600)):
            taken = parser.takes(content[:end])
            assert not taken or (end in boundaries and content is NATIVE.stage1), end
        assert not parser.takes(content + b"\0")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        HEADER,
        b"LSPN\2\0\0\0" + base(),
        HEADER + base() + base(),
        HEADER + base(stages=0),
        HEADER + base(stages=4),
        HEADER + base(wanted=1 << 21),
        HEADER + base(probe=3),
        HEADER + base(handover=2),
        HEADER + base(drop=3, uid=5, gid=5),
        HEADER + base(drop=1, uid=0, gid=5),
        HEADER + base(drop=1, uid=5, gid=0),
        HEADER + base(drop=1, uid=0xFFFFFFFF, gid=5),
        HEADER + base(stages=3, wanted=1 << 19),
        HEADER + base(stages=3) + record(5, b"\0" * 8),
        HEADER + base(stages=3, wanted=1 << 19) + record(5, b"\0" * 7),
        HEADER + base(stages=3, wanted=1 << 19) + record(5, b"\0" * 8 * 4097),
        HEADER + base() + record(6, b""),
        HEADER + base() + record(0, b""),
        HEADER + base() + record(2, b"\0" * 11),
        HEADER + base() + record(2, b"\0" * 12) * 17,
        HEADER + base() + record(2, struct.pack("<IQ", 64, 0)),
        HEADER + base() + record(3, struct.pack("<I", 3)),
        HEADER + base() + record(3, struct.pack("<I", 65536)),
        HEADER + base() + record(3, struct.pack("<I", 9)) * 17,
        HEADER + base() + record(4, b"\0\0\0\0etc\0"),
        HEADER + base() + record(4, b"\0\0\0\0/etc"),
        HEADER + base() + record(4, b"\0\0\0\0/e\0tc\0"),
        HEADER + base() + record(4, b"\2\0\0\0/etc\0"),
        HEADER + base() + record(4, b"\0\0\0\0/etc\0") * 129,
        HEADER + base() + struct.pack("<II", 2, 0xFFFFFFFF),
    ],
)
def test_EN_11_what_is_no_plan_is_refused(parser: Parser, content: bytes) -> None:
    assert not parser.takes(content)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    content=st.sampled_from(VALID),
    edits=st.lists(st.tuples(st.integers(0, 500), st.binary(max_size=6)), min_size=1, max_size=4),
)
def test_damaged_plans_never_break_the_parser(
    parser: Parser, content: bytes, edits: list[tuple[int, bytes]]
) -> None:
    for at, replacement in edits:
        content = content[:at] + replacement + content[at + len(replacement) :]
    parser.takes(content)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(content=st.binary(max_size=300))
def test_noise_never_breaks_the_parser(parser: Parser, content: bytes) -> None:
    assert not parser.takes(HEADER + content) or content


@pytest.mark.parametrize("level", ["low", "medium", "high"])
def test_the_appliers_run_clean_under_the_sanitizers(level: str) -> None:
    launcher = sanitized("launch")
    # The sanitizers' own memory needs more than a worker may have; leaks can't be traced inside.
    taken = frozenset({"rlimits", "undumpable"})
    wanted = confinement(level, without=taken)
    reader, writer = socket.socketpair()
    process, channel = start([launcher, "--check"], wanted, stderr=writer.fileno())
    writer.close()
    with process, reader:
        answer = read_all(channel)
        process.wait(20)
        complaints = read_all(reader).decode()
    assert b'"effects"' in answer
    assert "AddressSanitizer: " not in complaints and "runtime error" not in complaints
