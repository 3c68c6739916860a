"""What a person gets wrong: one paragraph, exit code 2, no traceback, nothing run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.e2e.program import Ended, Program

ROOT = os.geteuid() == 0


def is_usage_error(ended: Ended, *words: str) -> None:
    assert ended.code == 2, ended
    assert ended.out == "" and ended.err.startswith("llmspell: ")
    assert len(ended.err.strip().splitlines()) == 1, ended.err
    assert len(ended.err) < 1000
    for word in words:
        assert word in ended.err, (word, ended.err)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run", "missing.lua"), ("missing.lua", "no file")),
        (("run", "folder"), ("folder", "irectory")),
        (("run", "fifo.lua"), ("fifo.lua", "no regular file")),
        (("run", "/dev/zero"), ("/dev/zero", "no regular file")),
        (("run", "text.txt"), ("text.txt", "--engine")),
        (("run", "typed.ts"), ("typed.ts", "TypeScript", "esbuild")),
        (("run", "--engine", "perl", "ok.lua"), ("perl", "lua, javascript")),
        (("run", "binary.lua"), ("binary.lua", "binary")),
        (("run", "latin.lua"), ("latin.lua", "line 2", "UTF-8")),
        (("run", "huge.lua"), ("maximum size", "--limit script_size")),
        (("run", "-"), ("--engine",)),
        (("run",), ("SPELL",)),
        (("run", "--output", "xml", "ok.lua"), ("xml", "json")),
        (("run", "--profile", "hihg", "ok.lua"), ("hihg", "high")),
        (("run", "--profile", "", "ok.lua"), ()),
        (("run", "--limit", "wall", "ok.lua"), ("--limit", "NAME=VALUE")),
        (("run", "--limit", "wall=", "ok.lua"), ("wall",)),
        (("run", "--limit", "wall=0", "ok.lua"), ("wall", "zero")),
        (("run", "--limit", "wall=-1s", "ok.lua"), ("wall",)),
        (("run", "--limit", "wall=nan", "ok.lua"), ("wall",)),
        (("run", "--limit", "wall=1e9", "ok.lua"), ("wall",)),
        (("run", "--limit", "moonlight=3", "ok.lua"), ("moonlight", "memory")),
        (("run", "--limit", "memory=1s", "ok.lua"), ("memory", "MiB")),
        (("run", "--limit", "wall=1s", "--limit", "wall=2s", "ok.lua"), ("wall", "twice")),
        (("run", "--param", "novalue", "ok.lua"), ("--param",)),
        (("run", "--param", "a=1", "--param", "a=2", "ok.lua"), ("a", "twice")),
        (("run", "--allow-net", "exa mple", "ok.lua"), ("--allow-net",)),
        (("run", "--allow-net", "host:99999", "ok.lua"), ("--allow-net",)),
        (("run", "--allow-env", "LD_PRELOAD", "ok.lua"), ("LD_PRELOAD", "run code")),
        (("run", "--allow-read", "", "ok.lua"), ("--allow-read",)),
        (("run", "--allow-everything", "ok.lua"), ("--allow-everything",)),
        (("run", "--log-level", "loud", "ok.lua"), ("loud", "debug")),
        (("run", "--policy", "missing.toml", "ok.lua"), ("missing.toml",)),
        (("run", "--policy", "bad.toml", "ok.lua"), ("bad.toml", "line 2")),
        (("run", "--policy", "key.toml", "ok.lua"), ("key.toml", "raed")),
        (("run", "--policy", "type.toml", "ok.lua"), ("type.toml", "read")),
        (("run", "--policy", "empty.toml", "ok.lua"), ("empty.toml",)),
        (("run", "--policy", "binary.lua", "ok.lua"), ("binary.lua",)),
        (("run", "--policy", "limit.toml", "ok.lua"), ("limit.toml", "wall")),
        (("run", "--policy", "folder", "ok.lua"), ("folder",)),
        (("run", "--policy", "open.toml", "ok.lua"), ("open.toml", "everybody")),
        (("run", "--policy", "deny.toml", "--allow-read", "data", "ok.lua"), ("data", "denied")),
        (("run", "--policy", "both.toml", "ok.lua"), ("data", "denied")),
        (("explain", "missing.lua"), ("missing.lua",)),
        (("explain", "manifest.lua"), ("reed",)),
        (("audit", "verify", "missing.jsonl"), ("missing.jsonl",)),
        (("audit", "show", "ok.lua"), ("ok.lua", "audit verify")),
        (("audit",), ()),
        (("tool", "info", "hammer"), ("hammer",)),
        (("tool", "invoke", "calculator", "{"), ("JSON",)),
        (("tool", "invoke", "calculator", "[1]"), ("JSON object",)),
        (("tool", "list", "--category", "garden"), ("garden", "util")),
        (("rnu", "ok.lua"), ("rnu", "run")),
        (("--wrong",), ("--wrong",)),
    ],
    ids=lambda value: "_".join(value)[:60] if isinstance(value, tuple) else "",
)
def test_EN_06_EN_11_a_mistake_is_told_in_one_line(
    program: Program, words: tuple[str, ...], told: tuple[str, ...]
) -> None:
    write_everything(program)
    is_usage_error(program(*words), *told)


def write_everything(program: Program) -> None:
    program.write("ok.lua", "return 1")
    program.write("text.txt", "return 1")
    program.write("typed.ts", "return 1")
    program.write("binary.lua", b"\x7fELF\0\0\1\2\3")
    program.write("latin.lua", b"-- fine\n-- caf\xe9\n")
    program.write("huge.lua", b"--" + b"x" * (1 << 20))
    program.write("bad.toml", 'extends = "high"\n[files\n')
    program.write("key.toml", 'extends = "high"\n[files]\nraed = ["a"]\n')
    program.write("type.toml", 'extends = "high"\n[files]\nread = 3\n')
    program.write("limit.toml", 'extends = "high"\n[limits]\nwall = -1\n')
    program.write("deny.toml", 'extends = "high"\n[files]\ndeny_read = ["data"]\n')
    program.write("both.toml", 'extends = "high"\n[files]\nread = ["data"]\ndeny_read = ["data"]\n')
    program.write("empty.toml", "")
    program.write("open.toml", 'extends = "high"\n').chmod(0o666)
    program.write("manifest.lua", "-- /// spell\n-- reed = 3\n-- ///\nreturn 1")
    (program.folder / "folder").mkdir()
    os.mkfifo(program.folder / "fifo.lua")


def test_a_file_that_may_not_be_read_is_told(program: Program) -> None:
    if ROOT:
        pytest.skip("root reads everything")
    program.write("locked.lua", "return 1").chmod(0)
    is_usage_error(program("run", "locked.lua"), "locked.lua", "Permission denied")
    program.write("locked.toml", 'extends = "high"').chmod(0)
    program.write("ok.lua", "return 1")
    is_usage_error(program("run", "--policy", "locked.toml", "ok.lua"), "locked.toml")


def test_a_broken_configuration_names_file_and_key(program: Program, tmp_path: Path) -> None:
    program.write("ok.lua", "return 1")
    folder = tmp_path / "config" / "llmspell"
    folder.mkdir(parents=True)
    (folder / "llmspell.toml").write_text("[security]\nprofil = 'high'\n")
    ended = program("run", "ok.lua", env={"XDG_CONFIG_HOME": str(tmp_path / "config")})
    is_usage_error(ended, "llmspell.toml", "profil")


def test_a_terminal_sequence_in_a_file_name_is_shown_escaped(program: Program) -> None:
    ended = program("run", "evil\x1b]0;title\x07.lua")
    is_usage_error(ended, "\\x1b")
    assert "\x1b" not in ended.err


def test_a_limit_lets_a_larger_script_run(program: Program) -> None:
    program.write("huge.lua", b"--" + b"x" * (1 << 20) + b"\nreturn 1")
    ended = program("run", "--limit", "script_size=2MiB", "huge.lua")
    assert (ended.code, ended.out) == (0, "1\n"), ended


def test_version_and_help(program: Program) -> None:
    import llmspell

    ended = program("--version")
    assert ended.code == 0 and llmspell.__version__ in ended.out
    assert program("--help").code == 0 and program("run", "--help").code == 0
    assert program().code == 2
