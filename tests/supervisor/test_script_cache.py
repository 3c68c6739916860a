"""The cache of what sources tell (ENG-021): bounded, exact, and without effect on any result."""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path

import pytest

import llmspell
from llmspell.errors import UsageError
from llmspell.sandboxes.engines import safe_modules
from llmspell.spells.spell import Spell
from llmspell.supervisor import script_cache
from llmspell.supervisor.script_cache import ScriptCache


def spell(source: str, language: str = "python") -> Spell:
    return Spell.from_source(source, language)


def test_a_script_says_what_its_source_says() -> None:
    script = ScriptCache().script(spell("import json\n'ä'"))
    assert script.digest == hashlib.sha256("import json\n'ä'".encode()).hexdigest()
    assert script.needs == safe_modules.named_in("import json\n'ä'")
    assert ScriptCache().script(spell("json", "lua")).needs == ()


def test_the_same_source_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[str] = []

    def named_in(source: str) -> tuple[str, ...]:
        read.append(source)
        return ("json",)

    monkeypatch.setattr(safe_modules, "named_in", named_in)
    cache = ScriptCache(2)
    needs = [cache.script(spell("import json")).needs for _ in range(3)]
    assert needs == [("json",)] * 3 and read == ["import json"]
    assert cache.counts() == (2, 1, 1, len("import json"))


def test_engine_and_every_character_count() -> None:
    cache = ScriptCache()
    scripts = {
        id(cache.script(spell(*chosen)))
        for chosen in (("1", "python"), ("1", "lua"), ("1 ", "python"), ("１", "python"))
    }
    assert len(scripts) == 4 and cache.counts().hits == 0


def test_what_was_not_used_longest_goes_first() -> None:
    cache = ScriptCache(2)
    first = cache.script(spell("1"))
    cache.script(spell("2"))
    assert cache.script(spell("1")) is first
    cache.script(spell("3"))
    assert cache.script(spell("1")) is first
    before = cache.counts()
    cache.script(spell("2"))
    assert cache.counts().misses == before.misses + 1 and cache.counts().scripts == 2


def test_large_sources_are_bounded_in_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(script_cache, "SOURCE_MOST", 100)
    cache = ScriptCache(10)
    for letter in "abcdef":
        cache.script(spell(letter * 40))
    assert cache.counts()[2:] == (2, 80)
    cache.script(spell("g" * 101))
    assert cache.counts()[2:] == (2, 80)


def test_zero_is_off_and_nonsense_is_refused() -> None:
    cache = ScriptCache(0)
    assert cache.script(spell("1")) is not cache.script(spell("1"))
    assert cache.counts() == (0, 2, 0, 0)
    for size in (-1, True, 1.5, "100"):
        with pytest.raises(UsageError, match="script_cache_size"):
            ScriptCache(size)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, 100])
def test_a_kept_script_changes_no_result_and_no_record(tmp_path: Path, size: int) -> None:
    source = "import json\njson.dumps([params['n']])"

    async def runs() -> list[llmspell.Result]:
        async with llmspell.Supervisor(zygotes=False, script_cache_size=size) as supervisor:
            return [
                await supervisor.run(
                    spell(source),
                    profile="medium",
                    params={"n": number},
                    audit=str(tmp_path / f"{number}.jsonl"),
                )
                for number in range(2)
            ]

    assert [result.value for result in asyncio.run(runs())] == ["[0]", "[1]"]
    for number in range(2):
        with open(tmp_path / f"{number}.jsonl", encoding="utf-8") as file:
            start = json.loads(file.readline())
        assert hashlib.sha256(source.encode()).hexdigest() in json.dumps(start)
