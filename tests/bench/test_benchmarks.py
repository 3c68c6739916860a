"""Every benchmark runs, gives figures in the promised shape, and says which peers it left out.

Their speed is no test's business.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.catalogue import NAMES
from tests.e2e.program import Place

ROOT = Path(__file__).resolve().parents[2]

PEERS = {
    "start": {"python -I -S", "node -e", "deno run", "bwrap python", "sandlock python",
              "gVisor runsc do python", "monty FILE"},
    "warm": {"pydantic-monty pool: checkout, run, result", "quickjs-rs: context, run, result",
             "sandlock (SDK) python", "llm-sandbox (bubblewrap) python", "deno run",
             "bwrap python", "gVisor runsc do python"},
    "calls": {"round trip: pydantic-monty, host function", "round trip: quickjs-rs, host function"},
    "memory": {"idle: node -e: USS", "idle: deno run: USS", "idle: pydantic-monty worker: USS"},
}  # fmt: skip
OURS = {
    "start": {"llmspell run, medium Lua", "llmspell run, high Lua"},
    "warm": {"llmspell medium Lua (exec)", "llmspell high Lua (exec)"},
    "handout": {"llmspell medium Lua (exec)", "llmspell high Lua (exec)"},
    "calls": {"round trip: llmspell high Lua", "calls by processor: 1 high Lua worker"},
    "payload": {"64 B: llmspell high Lua", "16 KiB: llmspell medium Lua"},
    "engines": {"fibonacci(20), Lua: wasm, high", "fibonacci(20), JS: native, medium"},
    "memory": {"idle: llmspell high Lua (exec): USS", "idle: llmspell high Lua (exec): PSS"},
    "density": {"call: 20 × llmspell high Lua (exec)"},
    "throughput": {"llmspell medium Lua (exec)", "llmspell high Lua (exec)"},
    "kill": {"llmspell medium Lua (exec)", "llmspell high Lua (exec)"},
    "policy": {"path allowed, varied", "host allowed, the same", "tool that reads"},
    "audit": {"record", "verify 1000 records"},
    "services": {
        "emit, filter, handle: llmspell medium Lua",
        "set and get, scope spell: Lua",
        "agent call, own function, instant model: Lua",
        "nested spell: Lua",
        "agent call, built-in hook, model of 20 ms: Lua",
        "checkpoint restored: Lua",
    },
    "tools": {"call: calculator, 3 at a time", "rate: file_reader, 10 at a time"},
}
ONLY_ROOT = {"memory"}
"""Nobody else may read what confined processes hold."""


@pytest.mark.parametrize("name", NAMES)
def test_BEN_a_smoke_run_gives_figures(name: str, place: Place) -> None:
    if name in ONLY_ROOT and os.geteuid() != 0:
        pytest.skip("only root may read the memory of confined processes")
    done = subprocess.run(
        [sys.executable, "-m", "bench", name, "--quick", "--json"],
        cwd=ROOT,
        env={**place.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{place.environ['PYTHONPATH']}"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)
    for figure, summary in figures.items():
        assert set(summary) == {"p50", "p95", "p99", "n", "unit"}, figure
        assert summary["n"] >= 1, figure
        assert summary["p50"] > 0, figure
    assert OURS[name] <= set(figures)
    said = {line.removeprefix("left out: ").split(": ")[0] for line in done.stderr.splitlines()}
    for peer in PEERS.get(name, set()):
        kind = peer.removesuffix(": USS")
        assert peer in figures or any(kind.startswith(one) for one in said), f"{peer} unsaid"
