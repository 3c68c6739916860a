"""The guests' numerals: the quick ways in and out give what the C library gives, to the bit."""

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
GUESTS = HERE.parents[2] / "llmspell" / "sandboxes" / "wasm" / "guests"


@pytest.fixture(scope="module")
def call(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("numbers")
    zig = [sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-wasi", "-O2", f"-I{GUESTS}"]
    zig += ["-mexec-model=reactor", "-Wall", "-Wextra", "-Werror", "-s"]
    # Not the tests' own cache folder: there zig would build its C library anew each time.
    environment = {**os.environ, "ZIG_GLOBAL_CACHE_DIR": str(Path.home() / ".cache" / "zig")}
    sources = [str(GUESTS / "numbers.c"), str(HERE / "numbers_check.c")]
    command = [*zig, *sources, "-o", "numbers.wasm"]
    subprocess.run(command, cwd=folder, env=environment, check=True)
    engine = wasmtime.Engine()
    compiled = wasmtime.Module.from_file(engine, str(folder / "numbers.wasm"))
    store = wasmtime.Store(engine)
    linker = wasmtime.Linker(engine)
    linker.define_unknown_imports_as_traps(compiled)
    exports = linker.instantiate(store, compiled).exports(store)
    return lambda name, *arguments: exports[name](store, *arguments)


def test_edges(call: Any) -> None:
    assert call("check_edges") == 0


@pytest.mark.parametrize("seed", [1, 20260101, 987654321])
def test_numbers_are_written_as_printf_writes_them(call: Any, seed: int) -> None:
    assert call("check_writing", seed, 20_000) == 0


@pytest.mark.parametrize("seed", [2, 20260101, 123456789])
def test_numerals_are_read_as_strtod_reads_them(call: Any, seed: int) -> None:
    assert call("check_reading", seed, 50_000) == 0
