"""Each script of the seeds keeps its verdict; docs/seed-examples.md says the same."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

import llmspell
from llmspell.errors import UsageError
from tests.seeds.case import VERDICTS, Case
from tests.seeds.cases import CASES
from tests.seeds.page import PAGE, render
from tests.seeds.scripts import BY_NAME, SCRIPTS, SEEDS, present

needs_seeds = pytest.mark.skipif(not present(), reason=f"the seed documents are not at {SEEDS}")

SUFFIX = {"lua": ".lua", "javascript": ".js", "python": ".py", "typescript": ".ts"}


def source(case: Case) -> str:
    return "\n".join(filter(None, (case.before, BY_NAME[case.name].text(), case.after)))


@needs_seeds
@pytest.mark.parametrize("name", CASES)
def test_a_seed_script_keeps_its_verdict(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[name]
    for file, text in case.files.items():
        place = tmp_path / file
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, "utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LLMSPELL_DEVELOPMENT__MOCK_LLM_RESPONSES", "true")
    if case.turns is not None:
        (tmp_path / "turns.toml").write_text(case.turns, "utf-8")
        monkeypatch.setenv("LLMSPELL_FAKE_SCRIPT", str(tmp_path / "turns.toml"))
    spell = tmp_path / f"spell{case.suffix or SUFFIX[BY_NAME[name].language]}"
    spell.write_text(source(case), "utf-8")
    assert case.profile != "none", "none of them at `none`"
    try:
        result = llmspell.run(
            spell, profile=case.profile, grants=case.grants, params=dict(case.params)
        )
    except UsageError as error:
        assert case.verdict == "broken" and case.code == error.code, error
        assert BY_NAME[name].language == "typescript" and "is TypeScript" in str(error), error
    else:
        check(case, result)


def check(case: Case, result: Any) -> None:
    told = (result.status, result.reason, result.error, result.output[-2000:])
    if case.code is None:
        assert str(result.status.value) == "done", told
        if case.check is None:
            assert result.value == case.value, told
        else:
            case.check(result)
    else:
        assert result.error is not None and result.error.code == case.code, told
        if case.check is not None:
            case.check(result)
    for text in case.output:
        assert text in result.output, told


@needs_seeds
def test_every_script_is_cut() -> None:
    assert len(SCRIPTS) == 90
    for script in SCRIPTS:
        text = script.text()
        assert text.strip() and "```" not in text, script.name


def test_every_script_has_one_verdict_and_most_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(CASES) == [script.name for script in SCRIPTS]
    counts = Counter(case.verdict for case in CASES.values())
    with capsys.disabled():
        print(", ".join(f"{counts[verdict]} {verdict}" for verdict in VERDICTS), end=" ")
    assert counts["runs"] >= 60
    for case in CASES.values():
        assert case.why, case.name
        assert (case.verdict == "runs") == (case.code is None), case.name


def test_the_page_says_the_same() -> None:
    assert PAGE.read_text("utf-8") == render(), "run python -m tests.seeds.page"
