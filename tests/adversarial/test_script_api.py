"""A denied tool, file, host or model by the script API's less trodden ways; beside the twins.

`test_tools`, `test_models` and `test_nested` hold the plain ways. The tool here writes a file, so
that what did not happen can be seen from outside.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.adversarial import script_api_spells as spells
from tests.e2e.program import Program


def run(program: Program, source: str, *flags: str, suffix: str = ".lua", **options: Any) -> Any:
    """The result of a spell; its records are in `a.jsonl`."""
    (program.folder / "a.jsonl").unlink(missing_ok=True)
    return program.result(source, suffix, "--audit", "a.jsonl", *flags, **options)


def records(program: Program) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (program.folder / "a.jsonl").read_text().splitlines()]


def attempts(program: Program, out: Path, *flags: str) -> tuple[dict[str, str], set[str]]:
    """What each way came to in the spell's eyes, and the files that are there."""
    turns = program.write("turns.toml", spells.turns())
    program.write("elsewhere.js", spells.ELSEWHERE)
    flags = (*flags, "--allow-write", "out", f"--param=ways={json.dumps(spells.WAYS)}")
    told = run(program, spells.ATTACK, *flags, env={"LLMSPELL_FAKE_SCRIPT": str(turns)})
    assert told["status"] == "done", told
    return told["value"], {path.name for path in out.iterdir()}


def test_COD_2006_a_denied_tool_is_out_of_reach_by_other_ways(program: Program) -> None:
    out = program.folder / "out"
    out.mkdir()
    program.write("no.toml", spells.POLICY)
    came_to, files = attempts(program, out, "--policy", "no.toml")
    assert files == set(), "no way leads to the effect"
    assert came_to == {way: "done" if way in spells.TOLD else "2006" for way in spells.WAYS}
    asked = [item for item in records(program) if item.get("target") == "file_writer"]
    assert len(asked) == len(spells.WAYS)
    for item in asked:
        assert (item["allowed"], item["code"]) == (False, 2006)
        assert item["rule"].endswith("tools.denied")
    assert program("audit", "verify", "a.jsonl").code == 0
    came_to, files = attempts(program, out, "--profile", "medium")
    assert files == set(spells.WAYS), "every way is one where the tool is allowed"
    assert set(came_to.values()) == {"done"}
