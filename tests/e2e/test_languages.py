"""One spell, three languages, four profiles: the same result."""

from __future__ import annotations

import re

import pytest

from tests.e2e import spells
from tests.e2e.program import LANGUAGES, PROFILES, SUFFIXES, Program


def without_first_use(told: str) -> str:
    """What was said, but for the line that a guest is compiled, once for this machine."""
    lines = told.splitlines(keepends=True)
    return "".join(
        line
        for line in lines
        if not re.fullmatch(r"llmspell: compiling the \w+ guest, once for this machine\n?", line)
    )


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_spell_gives_the_same_result(
    program: Program, language: str, profile: str
) -> None:
    name = f"spell{SUFFIXES[language]}"
    program.write(name, spells.SAME[language])
    flags = ["--profile", profile, "--output", "json", *spells.SAME_FLAGS]
    ended = program("run", *flags, name, "--", "a b", "--flag")
    result = ended.json()
    assert (ended.code, result["status"], result["error"]) == (0, "done", None), ended
    assert result["value"] == spells.SAME_VALUE
    assert result["output"] in ("hello\tmoon\n", "hello moon\n")
    assert result["isolation"]["requested"] == profile and not result["isolation"]["missing"]
    assert result["usage"]["calls"] == 3 and result["denials"] == []
    assert without_first_use(ended.err) == ""


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_result_is_printed_for_people_and_programs(program: Program, language: str) -> None:
    text = {"lua": "return 'a\tb'", "javascript": "return 'a\\tb'", "python": "'a\\tb'"}[language]
    ended = program.run(text, SUFFIXES[language], "--profile", "high")
    assert (ended.code, ended.out, ended.err) == (0, "a\tb\n", "")
    nothing = {"lua": "local x", "javascript": "let x", "python": "x = 1"}[language]
    ended = program.run(nothing, SUFFIXES[language], "--profile", "high")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


@pytest.mark.parametrize("profile", ["none", "high"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_stdin_is_the_spells_own(program: Program, language: str, profile: str) -> None:
    source = {
        "lua": "return stdin.read_all():upper()",
        "javascript": "return (await stdin.readAll()).toUpperCase()",
        "python": "(await stdin.read_all()).upper()",
    }[language]
    ended = program.run(source, SUFFIXES[language], "--profile", profile, stdin="één\ntwo\n")
    assert (ended.code, ended.out) == (0, "ÉÉN\nTWO\n\n" if language != "lua" else ended.out)
    assert "TWO" in ended.out


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_spell_on_standard_input_runs(program: Program, language: str) -> None:
    source = {"lua": "return 6*7", "javascript": "return 6*7", "python": "6*7"}[language]
    ended = program("run", "--engine", language, "--profile", "high", "-", stdin=source)
    assert (ended.code, ended.out) == (0, "42\n"), ended


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_shebang_names_the_engine(program: Program, language: str) -> None:
    line = {"lua": "llmspell-lua", "javascript": "llmspell-js", "python": "llmspell-python"}
    source = {"lua": "return 6*7", "javascript": "return 6*7", "python": "6*7"}[language]
    # The shebang wins over the extension.
    program.write("tool.txt", f"#!/usr/bin/env {line[language]}\n{source}\n")
    ended = program("run", "--profile", "high", "tool.txt")
    assert (ended.code, ended.out) == (0, "42\n"), ended


@pytest.mark.parametrize("language", LANGUAGES)
def test_logs_go_to_stderr_by_level(program: Program, language: str) -> None:
    source = {
        "lua": "log.debug('quiet') log.warn('loud', {n = 1}) print('out')",
        "javascript": "log.debug('quiet'); log.warn('loud', {n: 1}); console.log('out')",
        "python": "log.debug('quiet')\nlog.warn('loud', {'n': 1})\nprint('out')\nNone",
    }[language]
    ended = program.run(source, SUFFIXES[language], "--profile", "high")
    assert (ended.code, ended.out) == (0, "out\n"), ended
    assert ended.err.startswith("warn: loud") and "quiet" not in ended.err
    ended = program.run(source, SUFFIXES[language], "--profile", "high", "--log-level", "debug")
    assert "quiet" in ended.err


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_an_error_of_the_spell_names_its_line(
    program: Program, language: str, profile: str
) -> None:
    source = {
        "lua": "local x = 1\nerror('broken on purpose')",
        "javascript": "const x = 1\nthrow new Error('broken on purpose')",
        "python": "x = 1\nraise ValueError('broken on purpose')",
    }[language]
    name = f"spell{SUFFIXES[language]}"
    result = program.result(source, SUFFIXES[language], "--profile", profile)
    assert (result["exit"], result["status"]) == (1, "spell_error")
    assert (result["error"]["code"], result["error"]["line"]) == (4002, 2)
    ended = program.run(source, SUFFIXES[language], "--profile", profile)
    assert ended.code == 1 and ended.out == ""
    assert ended.err.startswith(f"llmspell: {name}:2: ") and "broken on purpose" in ended.err


@pytest.mark.parametrize("profile", ["none", "high"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_syntax_error_names_file_and_line(program: Program, language: str, profile: str) -> None:
    source = {
        "lua": "local x = 1\nlocal = 2",
        "javascript": "const x = 1\nconst = 2",
        "python": "x = 1\nx = = 2",
    }[language]
    ended = program.run(source, SUFFIXES[language], "--profile", profile)
    (told,) = without_first_use(ended.err).splitlines()
    assert ended.code == 2 and told.endswith("(4001)"), ended
    assert told.startswith(f"llmspell: spell{SUFFIXES[language]}:2: ")


@pytest.mark.parametrize("language", LANGUAGES)
def test_SL_01_only_granted_environment_is_seen(program: Program, language: str) -> None:
    source = {
        "lua": "return {os.getenv('SHOWN') or 'none', os.getenv('HIDDEN') or 'none'}",
        "javascript": "return [env.SHOWN ?? 'none', env.HIDDEN ?? 'none']",
        "python": "[env.get('SHOWN', 'none'), env.get('HIDDEN', 'none')]",
    }[language]
    given = {"SHOWN": "yes", "HIDDEN": "s3cret"}
    for profile in ("medium", "high"):
        flags = ("--profile", profile, "--allow-env", "SHOWN")
        result = program.result(source, SUFFIXES[language], *flags, env=given)
        assert result["value"] == ["yes", "none"], result
