"""A run without a model imports neither litellm nor an HTTP client, and starts no provider."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest

PROGRAM: Final = """
import os, sys
sys.path[:] = {path!r}
started = []
def note(event, args):
    if event in ("os.posix_spawn", "subprocess.Popen", "os.exec"):
        started.append([str(word) for word in args[1]])
sys.addaudithook(note)
from llmspell.cli import main
code = main(["run", "--profile", {profile!r}, *{flags!r}, {spell!r}])
import json
os.write(2, json.dumps({{"modules": sorted(sys.modules), "started": started}}).encode())
os._exit(code)
"""
CLIENTS: Final = (
    *("litellm", "openai", "anthropic", "httpx", "httpcore", "h11", "h2", "aiohttp", "requests"),
    *("urllib3", "http.client", "urllib.request", "llmspell.llm.litellm_adapter"),
)
"""Whoever speaks HTTP needs one of these."""

MUCH: Final = """
local double = Tools.create("double", { execute = function(input) return input.n * 2 end })
Hooks.register("before_tool_execution", function() end)
Events.subscribe("*", function() end)
Events.emit_sync("x", {})
Storage.set("k", 1)
Storage.set("k", 1, { scope = "spell" })
fs.exists("x")
local flow = Workflow.sequential({ { tool = "calculator", input = { expression = "6 * 7" } } })
Agent.create({ name = "idle", provider = "openai" })
print(flow:execute().output.result, double:execute({ n = 1 }).result)
"""
LITTLE: Final = {
    "lua": "print(Tools.execute('calculator', {expression = '6 * 7'}).result, 2)",
    "js": "console.log((await Tools.execute('calculator', {expression: '6 * 7'})).result, 2)",
    "py": "print((await Tools.execute('calculator', {'expression': '6 * 7'}))['result'], 2)",
}
ASKS: Final = "print(#llm.complete({ provider = 'fake', prompt = string.rep('x', 42) }).content, 2)"


def run(folder: Path, source: str, suffix: str, profile: str, *flags: str) -> dict[str, Any]:
    spell = folder / f"one.{suffix}"
    spell.write_text(source)
    path = [part for part in sys.path if part]
    program = PROGRAM.format(path=path, profile=profile, flags=flags, spell=str(spell))
    environ = {"HOME": str(folder), "PATH": "/usr/bin:/bin", "OPENAI_API_KEY": "sk-not-used"}
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        capture_output=True, text=True, timeout=60, env=environ,
    )  # fmt: skip
    assert done.stdout.split() == ["42", "2"], done.stderr
    found: dict[str, Any] = json.loads(done.stderr[done.stderr.rindex('{"modules"') :])
    return found


@pytest.mark.parametrize("profile", ["medium", "high"])
def test_a_run_without_a_model_has_no_client(tmp_path: Path, profile: str) -> None:
    found = run(tmp_path, MUCH, "lua", profile)
    assert "llmspell.supervisor.services.workflows" in found["modules"], "the run does much"
    assert not set(CLIENTS) & set(found["modules"])
    assert not [name for name in found["modules"] if name.startswith("llmspell.llm.")]
    assert not [words for words in found["started"] if "llmspell.supervisor.providers" in words]
    assert found["started"]


@pytest.mark.parametrize("suffix", LITTLE)
def test_nor_has_one_in_any_language(tmp_path: Path, suffix: str) -> None:
    found = run(tmp_path, LITTLE[suffix], suffix, "medium")
    assert not set(CLIENTS) & set(found["modules"])


def test_a_run_with_the_fake_model_has_no_client_either(tmp_path: Path) -> None:
    found = run(tmp_path, ASKS, "lua", "medium")
    assert "llmspell.llm.fake" in found["modules"], "the control: this is where models are"
    assert not set(CLIENTS) & set(found["modules"])
    assert not [words for words in found["started"] if any("provider" in word for word in words)]
