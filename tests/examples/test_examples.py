"""Each example prints what stands beside it, at `high`, and nothing without its grants."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.examples.programs import EXAMPLES, Example, command, copy_to, examples, run

LISTED = examples()
SPELLS = (".lua", ".js", ".mjs", ".py")
NAMES_OF_THE_SEEDS = {
    "basic/hello_world.lua",
    "basic/simple_agent.js",
    "basic/tool_usage.lua",
    "advanced/multi_agent_research.lua",
    "advanced/workflow_orchestration.js",
    "advanced/custom_tools.lua",
    "production/content_pipeline.lua",
    "production/data_analysis.js",
    "production/monitoring_setup.lua",
}
"""DEP-015."""


SAYS_WHERE_IT_RUNS = {
    "basic/hello_world.lua",
    "basic/handling_denials.lua",
    "advanced/parallel_fetch.js",
}
"""Their output names the profile, or what it denies."""


def split_result(text: str) -> tuple[str, Any]:
    """What was printed, and the JSON value after it (None when there is none).

    A Lua table has no order, so an object that comes from one is compared as a value.
    """
    for start in [0, *(index + 1 for index, char in enumerate(text) if char == "\n")]:
        if text[start : start + 1] == "{":
            try:
                return text[:start], json.loads(text[start:])
            except ValueError:
                continue
    return text, None


def spelled(example: Example) -> str:
    return example.spell


def assert_prints_the_expected(example: Example, printed: str) -> None:
    expected = example.expected.read_text("utf-8")
    if example.spell.endswith(".lua"):
        assert split_result(printed) == split_result(expected)
    else:
        assert printed == expected


@pytest.mark.parametrize("example", LISTED, ids=spelled)
def test_example_prints_what_is_expected(example: Example, tmp_path: Path) -> None:
    folder = copy_to(tmp_path)
    audit = tmp_path / "audit.jsonl"
    ended = run(example, folder, audit=audit)
    assert ended.returncode == 0, ended.stderr.decode()
    assert_prints_the_expected(example, ended.stdout.decode())
    for name in example.creates:
        assert (folder / name).stat().st_size > 0
    verified = command(["audit", "verify", str(audit)], folder)
    assert verified.returncode == 0, verified.stderr.decode()


@pytest.mark.parametrize("example", [one for one in LISTED if one.asks], ids=spelled)
def test_example_without_its_grants_is_denied(example: Example, tmp_path: Path) -> None:
    folder = copy_to(tmp_path)
    ended = run(example, folder, granted=False)
    message = ended.stderr.decode()
    assert ended.returncode == 3, message
    assert f"rule {example.profile}." in message
    assert "to allow it: --allow-" in message
    for name in example.creates:
        assert not (folder / name).exists()


@pytest.mark.parametrize("profile", ["low", "medium"])
@pytest.mark.parametrize(
    "example", [one for one in LISTED if one.spell not in SAYS_WHERE_IT_RUNS], ids=spelled
)
def test_example_runs_unchanged_at_other_profiles(
    example: Example, profile: str, tmp_path: Path
) -> None:
    ended = run(example._replace(profile=profile), copy_to(tmp_path))
    assert ended.returncode == 0, ended.stderr.decode()
    assert_prints_the_expected(example, ended.stdout.decode())


def test_second_run_of_the_manifest_finds_what_changed(tmp_path: Path) -> None:
    folder = copy_to(tmp_path)
    [example] = [one for one in LISTED if one.spell.endswith("checksum_manifest.py")]
    assert run(example, folder).returncode == 0
    (folder / "data/site/style.css").write_text("body { color: red; }\n")
    (folder / "data/site/robots.txt").unlink()
    (folder / "data/site/new.html").write_text("new\n")
    assert json.loads(run(example, folder).stdout) == {
        "changed": ["data/site/style.css"],
        "new": ["data/site/new.html"],
        "gone": ["data/site/robots.txt"],
    }


def test_every_spell_is_listed_and_has_its_expected_output() -> None:
    present = {
        path.relative_to(EXAMPLES).as_posix()
        for path in EXAMPLES.rglob("*")
        if path.suffix in SPELLS
    }
    listed = [example.spell for example in LISTED]
    assert sorted(listed) == sorted(present)
    assert {example.expected for example in LISTED} == set(EXAMPLES.rglob("*.expected"))
    readme = (EXAMPLES / "README.md").read_text("utf-8")
    assert [spell for spell in listed if f"`{spell}`" not in readme] == []


def test_DEP_015_names_and_counts() -> None:
    listed = {example.spell for example in LISTED}
    assert listed >= NAMES_OF_THE_SEEDS
    assert len(listed) >= 14
    languages = Counter(Path(spell).suffix.replace(".mjs", ".js") for spell in listed)
    assert min(languages[suffix] for suffix in (".lua", ".js", ".py")) >= 4


def test_every_example_runs_at_the_strictest_profile() -> None:
    assert {example.profile for example in LISTED} == {"high"}
