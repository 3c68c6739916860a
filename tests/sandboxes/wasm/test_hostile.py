"""The worker's C under sanitizers: guests lie about pointers, peers about lengths."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent
WORKER = HERE.parents[2] / "llmspell" / "sandboxes" / "wasm" / "worker"
CONFINE = HERE.parents[2] / "llmspell" / "sandboxes" / "confine"
PARTS = ("channel", "entropy", "hostcalls", "messages", "plan", "refuse")
WASI = ("wasi", "wasi_poll", "zygote")


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler with sanitizers")
    output = tmp_path_factory.mktemp("hostile") / "hostile"
    command = [compiler, "-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-pthread"]
    command += ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    command += [f"-I{WORKER}", f"-I{CONFINE}"]
    command += [f"-Wl,--wrap={name}" for name in ("poll", "clock_nanosleep", "clock_gettime")]
    command += [str(WORKER / f"{name}.c") for name in PARTS + WASI] + [str(HERE / "hostile.c")]
    command += [str(path) for path in CONFINE.glob("confine*.c")]
    subprocess.run([*command, "-o", str(output)], check=True, timeout=120)
    return output


@pytest.mark.parametrize("seed", range(4))
def test_WA_03_hostile_pointers_lengths_and_frames(seed: int, program: Path) -> None:
    done = subprocess.run(
        [str(program), str(seed), "30000"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout == "survived\n"
