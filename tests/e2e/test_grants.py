"""A denial prints its rule and the flag; with that flag it works; both are in the audit."""

from __future__ import annotations

import http.server
import json
import re
import shlex
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e import spells
from tests.e2e.program import LANGUAGES, SUFFIXES, Ended, Program

HINT = re.compile(r"to allow it: (--allow-\S+ (?:'[^']*'|[^\s;(]+))")


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"hello from the host")

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def records(program: Program, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (program.folder / name).read_text().splitlines()]


def decisions(program: Program, name: str, allowed: bool) -> list[dict[str, Any]]:
    return [item for item in records(program, name) if item.get("allowed") is allowed]


def denied_then_granted(
    program: Program, spell: str, profile: str, rule: str, *more: str
) -> tuple[Ended, Ended]:
    """Runs without the flag, reads the flag from what is printed, runs with it."""
    base = ("run", "--profile", profile, *more)
    refused = program(*base, "--audit", "refused.jsonl", spell)
    assert refused.code == 3, refused
    assert f"rule {rule}" in refused.err and refused.err.startswith("llmspell: "), refused.err
    found = HINT.search(refused.err)
    assert found, refused.err
    flag = shlex.split(found.group(1))
    granted = program(*base, *flag, "--audit", "granted.jsonl", spell)
    assert granted.code == 0, granted
    for name in ("refused.jsonl", "granted.jsonl"):
        assert program("audit", "verify", name).code == 0
    assert any(item["rule"] == rule for item in decisions(program, "refused.jsonl", False))
    assert not decisions(program, "granted.jsonl", False)
    assert decisions(program, "granted.jsonl", True)
    return refused, granted


@pytest.mark.parametrize("profile", ["medium", "high"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_denied_file_is_read_with_the_flag_that_was_named(
    program: Program, language: str, profile: str
) -> None:
    program.write("data/in.txt", "content")
    name = f"scripts/reads{SUFFIXES[language]}"  # at medium a spell reads its own folder
    program.write(name, spells.READS[language])
    _, granted = denied_then_granted(program, name, profile, f"{profile}.files.read")
    assert granted.out == "content\n"


@pytest.mark.parametrize("profile", ["medium", "high"])
def test_a_denied_write_writes_nothing_and_works_with_its_flag(
    program: Program, profile: str
) -> None:
    program.write("s/w.lua", "fs.write('out.txt', 'x') return fs.exists('out.txt')")
    program.write("s/check.lua", "return 1")
    base = ("run", "--profile", profile)
    refused = program(*base, "s/w.lua")
    assert refused.code == 3 and not (program.folder / "out.txt").exists()
    denied_then_granted(program, "s/w.lua", profile, f"{profile}.files.write", "--allow-read", ".")
    assert (program.folder / "out.txt").read_text() == "x"


@pytest.mark.parametrize("profile", ["medium", "high"])
def test_a_denied_host_is_reached_with_its_flag(program: Program, profile: str, port: int) -> None:
    program.write("get.lua", f"return http.get('http://127.0.0.1:{port}/').body")
    refused = program("run", "--profile", profile, "--audit", "no.jsonl", "get.lua")
    assert refused.code == 3 and "rule " in refused.err, refused
    flag = HINT.search(refused.err)
    assert flag, refused.err
    granted = program(
        "run", "--profile", profile, "--audit", "yes.jsonl", *shlex.split(flag.group(1)), "get.lua"
    )
    assert (granted.code, granted.out) == (0, "hello from the host\n"), granted
    assert decisions(program, "no.jsonl", False) and not decisions(program, "no.jsonl", True)
    assert decisions(program, "yes.jsonl", True) and not decisions(program, "yes.jsonl", False)


@pytest.mark.parametrize("profile", ["medium", "high"])
def test_a_denied_tool_runs_with_its_flag(program: Program, profile: str, port: int) -> None:
    url = f"http://127.0.0.1:{port}/"
    program.write(
        "tool.lua", f"return Tools.execute('http_client', {{url = '{url}'}}).result ~= nil"
    )
    refused = program("run", "--profile", profile, "--audit", "no.jsonl", "tool.lua")
    assert refused.code == 3 and f"rule {profile}.tools" in refused.err, refused
    # The tool is refused for what it needs; a host makes it available.
    assert "to allow it: --allow-net HOST" in refused.err
    assert decisions(program, "no.jsonl", False)
    flag = ("--allow-net", f"http://127.0.0.1:{port}")
    granted = program("run", "--profile", profile, "--audit", "yes.jsonl", *flag, "tool.lua")
    assert (granted.code, granted.out) == (0, "true\n"), granted
    assert not decisions(program, "yes.jsonl", False)


@pytest.mark.parametrize("profile", ["medium", "high"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_ENG_014_a_denied_module_loads_with_its_flag(
    program: Program, language: str, profile: str
) -> None:
    source = {
        "lua": "local io = require('io') return type(io.open)",
        "javascript": "const helper = await require('helper'); return typeof helper.help",
        "python": "import os\ntype(os.getpid).__name__ and 'function'",
    }[language]
    name = f"m{SUFFIXES[language]}"
    program.write(name, source)
    program.write("helper.js", "exports.help = () => 1")
    more = ("--allow-read", ".") if language == "javascript" else ()
    _, granted = denied_then_granted(program, name, profile, f"{profile}.modules", *more)
    assert granted.out == "function\n"


def test_grants_are_taken_from_the_folder_the_user_stands_in(program: Program) -> None:
    program.write("deep/spell.lua", "return fs.read('data/in.txt')")
    program.write("data/in.txt", "here")
    program.write("deep/data/in.txt", "beside the spell")
    ended = program("run", "--profile", "high", "--allow-read", "data", "deep/spell.lua")
    assert (ended.code, ended.out) == (0, "here\n"), ended


MANIFEST = """-- /// spell
-- description = "reads a file"
-- [requests]
-- read = ["data/**"]
-- [limits]
-- calls = 7
-- ///
return fs.read("data/in.txt")
"""


def test_a_manifest_only_requests(program: Program) -> None:
    program.write("data/in.txt", "asked for")
    program.write("asks.lua", MANIFEST)
    ended = program("run", "--profile", "high", "asks.lua")
    assert ended.code == 3
    told = program("explain", "--profile", "high", "asks.lua")
    assert told.code == 0 and "--allow-read data/**" in told.out
    assert 'the spell says of itself: "reads a file"' in told.out and "not granted" in told.out
    ended = program("run", "--profile", "high", "--grant-requested", "asks.lua")
    assert (ended.code, ended.out) == (0, "asked for\n"), ended


def test_a_manifest_never_loosens_a_limit_by_itself(program: Program) -> None:
    program.write(
        "loose.lua",
        '-- /// spell\n-- [limits]\n-- wall = "unlimited"\n-- ///\nreturn MAX_EXECUTION_TIME',
    )
    ended = program("run", "--profile", "high", "loose.lua")
    assert (ended.code, ended.out) == (0, "60\n"), ended


def test_a_policy_file_extends_a_profile(program: Program) -> None:
    program.write("data/in.txt", "by policy")
    program.write("p.toml", 'extends = "high"\n[files]\nread = ["data"]\n[limits]\ncalls = 5\n')
    program.write("r.lua", "return fs.read('data/in.txt')")
    ended = program("run", "--policy", "p.toml", "r.lua")
    assert (ended.code, ended.out) == (0, "by policy\n"), ended
    told = program("explain", "--policy", "p.toml", "--output", "json", "r.lua").json()
    assert told["policy"]["limits"]["calls"] == 5


def test_what_a_denial_leaves_can_be_caught(program: Program) -> None:
    for language, source in {
        "lua": "local ok, e = pcall(fs.read, '/etc/passwd') return {ok, e.code, e.kind, e.rule}",
        "javascript": (
            "try { await fs.read('/etc/passwd') } "
            "catch (e) { return [false, e.code, e.kind, e.rule] }"
        ),
        "python": (
            "try:\n    await fs.read('/etc/passwd')\nexcept LLMSpellError as e:\n"
            "    result = [False, e.code, e.kind, e.rule]"
        ),
    }.items():
        result = program.result(source, SUFFIXES[language], "--profile", "high")
        assert result["value"] == [False, 4008, "denied", "high.files.read"], result
        assert result["exit"] == 0
        assert [item["rule"] for item in result["denials"]] == ["high.files.read"]
        assert [item["kind"] for item in result["violations"]] in ([], ["UnauthorizedFileAccess"])
