"""A confinement as bytes: what is in it, and what is refused before it becomes bytes."""

from __future__ import annotations

import math
import os
import struct
from typing import Any

import pytest

from llmspell.platform import Confinement
from llmspell.platform.linux.plan import LAYERS, WANTED, Machine, make_plan
from tests.platform.channels import confinement

ROOT = Machine(pid=4242, uid=0, may_drop=True, worker_uid=2_000_000_007)
USER = Machine(pid=4242, uid=1000, may_drop=False, worker_uid=1000)


def records(plan: bytes) -> list[tuple[int, bytes]]:
    assert struct.unpack_from("<4sI", plan) == (b"LSPN", 1)
    found, at = [], 8
    while at < len(plan):
        kind, size = struct.unpack_from("<II", plan, at)
        found.append((kind, plan[at + 8 : at + 8 + size]))
        at += 8 + size
    assert at == len(plan)
    return found


def base(plan: bytes) -> dict[str, int]:
    names = ("stages", "wanted", "probe", "drop_stage", "uid", "gid", "parent_pid", "handover")
    first = next(body for kind, body in records(plan) if kind == 1)
    return dict(zip(names, struct.unpack("<8I", first), strict=True))


def limits(plan: bytes) -> dict[int, int]:
    return dict(struct.unpack("<IQ", body) for kind, body in records(plan) if kind == 2)


def test_one_frame_for_a_wasm_worker_two_for_a_native_one() -> None:
    wasm, native = (make_plan(confinement(kind=kind), USER) for kind in ("wasm", "native"))
    assert base(wasm.stage1)["stages"] == 3 and wasm.stage2 == b""
    assert base(native.stage1)["stages"] == 1 and base(native.stage2)["stages"] == 2
    assert base(native.stage1)["handover"] == base(native.stage2)["handover"] == 1


def test_EN_04_root_becomes_the_runs_own_uid_and_a_user_stays() -> None:
    dropped = base(make_plan(confinement(), ROOT).stage1)
    assert (dropped["drop_stage"], dropped["uid"], dropped["gid"]) == (2, *[2_000_000_007] * 2)
    assert base(make_plan(confinement(), USER).stage1)["drop_stage"] == 0
    assert base(make_plan(confinement("low"), ROOT).stage1)["drop_stage"] == 0
    assert base(make_plan(confinement(without=frozenset({"uid"})), ROOT).stage1)["drop_stage"] == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's workers get a uid of their own")
def test_KX_16_two_root_run_workers_share_no_uid() -> None:
    assert Machine.here().worker_uid != Machine.here().worker_uid


@pytest.mark.parametrize("level", ["none", "low", "medium", "high"])
def test_the_wanted_layers_are_the_levels(level: str) -> None:
    wanted = base(make_plan(confinement(level), USER).stage1)["wanted"]
    assert {name for bit, name in enumerate(LAYERS) if wanted >> bit & 1} == WANTED[level]


@pytest.mark.parametrize("layer", LAYERS)
def test_without_takes_exactly_one_layer_away(layer: str) -> None:
    plan = make_plan(confinement(without=frozenset({layer})), USER).stage1
    assert not base(plan)["wanted"] >> LAYERS.index(layer) & 1
    assert any(kind == 5 for kind, _ in records(plan)) == (layer != "seccomp")


def test_limits_are_hard_and_rounded_up() -> None:
    wasm = limits(make_plan(confinement(cpu=1.2, memory=10 << 20), USER).stage1)
    assert wasm[0] == 2 and wasm[2] == (10 << 20) + (48 << 20) and wasm[4] == 0 and wasm[7] == 37
    native = limits(make_plan(confinement(kind="native", memory=10 << 20), USER).stage1)
    assert native[2] == 10 << 20 and native[9] == (10 << 20) + (512 << 20)
    assert 1 not in limits(make_plan(confinement(file_size=0), USER).stage1)
    assert limits(make_plan(confinement("low", file_size=7), USER).stage1)[1] == 7


@pytest.mark.parametrize(
    "changes",
    [
        {"memory": -1},
        {"cpu": math.nan},
        {"cpu": math.inf},
        {"threads": 2},
        {"processes": 1},
        {"processes": None},
        {"level": "highest"},
        {"kind": "container"},
        {"without": frozenset({"seccom"})},
        {"read_paths": ("/usr",)},
        {"level": "low", "read_paths": ("usr",)},
        {"level": "low", "write_paths": ("/tmp/a\0b",)},
        {"kind": "native", "keep_fds": (4,)},
    ],
)
def test_EN_06_what_is_no_confinement_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        make_plan(confinement(**changes), USER)


def test_EN_06_a_limit_has_no_default() -> None:
    with pytest.raises(TypeError):
        Confinement("high", "wasm")  # type: ignore[call-arg]


def test_low_carries_its_folders_and_no_one_else_does() -> None:
    wanted = confinement("low", read_paths=("/usr",), write_paths=("/tmp/w",))
    paths = [body for kind, body in records(make_plan(wanted, USER).stage1) if kind == 4]
    assert paths == [b"\0\0\0\0/usr\0", b"\1\0\0\0/tmp/w\0"]
