"""The guests' allocator, run in wasm: no overlap, no lost byte, no lost memory."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

wasmtime = pytest.importorskip("wasmtime")
pytest.importorskip("ziglang")

HERE = Path(__file__).parent
HEAP = HERE.parents[2] / "llmspell" / "sandboxes" / "wasm" / "guests" / "heap.c"


@pytest.fixture(scope="module")
def module(tmp_path_factory: pytest.TempPathFactory) -> Any:
    output = tmp_path_factory.mktemp("heap") / "heap.wasm"
    command = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-wasi", "-O2"]
    command += ["-mexec-model=reactor", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(
        [*command, str(HEAP), str(HERE / "heap_check.c"), "-o", str(output)], check=True
    )
    return wasmtime.Module.from_file(wasmtime.Engine(), str(output))


def instance(module: Any, limit: int) -> tuple[Any, Any]:
    store = wasmtime.Store(module.engine)
    store.set_limits(memory_size=limit)
    linker = wasmtime.Linker(module.engine)
    linker.define_unknown_imports_as_traps(module)
    return store, linker.instantiate(store, module).exports(store)


@pytest.mark.parametrize("seed", [1, 7, 1234567, 0xDEADBEEF])
@pytest.mark.parametrize("limit", [20 << 20, 256 << 20])
def test_random_calls_keep_every_byte(module: Any, seed: int, limit: int) -> None:
    store, exports = instance(module, limit)
    for round_number in range(3):
        signed = (seed + round_number) & 0x7FFFFFFF
        assert exports["check"](store, signed, 10000) == 0


@pytest.mark.parametrize("each", [8, 24, 100, 1000, 70000])
def test_freed_memory_serves_one_large_block(module: Any, each: int) -> None:
    store, exports = instance(module, 64 << 20)
    assert exports["refill"](store, each, 40 << 20) == 1
    assert exports["check"](store, 5, 1000) == 0
