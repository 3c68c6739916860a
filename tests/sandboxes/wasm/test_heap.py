"""The guests' allocator, run in wasm: no overlap, no lost byte, no lost memory."""

from __future__ import annotations

import os
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
    folder = tmp_path_factory.mktemp("heap")
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-wasi", "-O2"]
    zig.append("-mexec-model=reactor")
    # Not the tests' own cache folder: there zig would build its C library anew each time.
    environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": str(Path.home() / ".cache" / "zig")}
    for source in (HEAP, HERE / "heap_check.c"):
        command = [*zig, "-Wall", "-Wextra", "-Werror", "-c", str(source), "-o", source.stem + ".o"]
        subprocess.run(command, cwd=folder, env=environment, check=True)
    link = [*zig, "-s", "heap.o", "heap_check.o", "-o", "heap.wasm"]
    subprocess.run(link, cwd=folder, env=environment, check=True)
    output = folder / "heap.wasm"
    engine = wasmtime.Engine()
    return engine, wasmtime.Module.from_file(engine, str(output))


def instance(module: Any, limit: int) -> tuple[Any, Any]:
    engine, compiled = module
    store = wasmtime.Store(engine)
    store.set_limits(memory_size=limit)
    linker = wasmtime.Linker(engine)
    linker.define_unknown_imports_as_traps(compiled)
    return store, linker.instantiate(store, compiled).exports(store)


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
