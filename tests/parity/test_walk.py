"""Every function and method of the description against the real services, in three languages.

The spells are written from one table of arguments (`walk_steps.py`) and run as a person runs
them, at `medium` and `high`. What each call comes to must be what the table says, and equal.
"""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.e2e.program import SUFFIXES, Place, Program
from tests.parity.walk import Step, class_of, described, source
from tests.parity.walk_steps import WALK

PROFILES: Final = ("medium", "high")
LANGUAGES: Final = tuple(SUFFIXES)


VOLATILE: Final = {
    *("execution_time", "total_time", "avg_time", "max_time", "min_time", "average_time_ms"),
    *("execution_time_ms", "total_execution_time_ms", "duration_ms", "total_duration_ms"),
    *("timestamp", "modified", "created_at", "date", "cpu", "wall", "peak_memory", "session"),
    *("trace_id", "checksum", "last_execution"),
    *("used", "resource_usage"),  # events go in batches, by time: so many calls of the channel
}
"""Names of what differs from run to run."""
NAMED_BY_TIME: Final = ("storage.backup", "storage.backups")
HEARD: Final = 40
"""Calls of the walk's own listener: by events, hooks, streams, workflows, a schedule."""
TIMES: Final = ("timeout",)
"""Bare numbers of time, which JavaScript has in milliseconds."""

SAY_THE_PROFILE: Final = {
    "config.get", "config.get_resource_config", "config.get_security_config",
    "errors.enrich_error",
}  # fmt: skip
"""Steps whose results speak of the profile or its limits."""


KEPT: Final = {step.keep for step in WALK}
BARE: Final = tuple(
    Step(owner, function.name, opaque=True, fails=2002, languages=languages)
    for owner, function, languages in described()
    if function.wire and any(param.required for param in function.params)
    if not owner.startswith("it:") or owner[3:] in KEPT
)
"""Each call that needs an argument, without any: the same error in each language."""
STEPS: Final = (*WALK, *BARE)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            told = {
                "method": self.command,
                "path": self.path,
                "body": self.rfile.read(length).decode(),
            }
            self.send_response(200)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(json.dumps(told).encode())

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


def walk(program: Program, language: str, profile: str, url: str) -> dict[str, Any]:
    """What every step came to."""
    name = f"walk{SUFFIXES[language]}"
    program.write("inner.lua", "return params.n + 1")
    program.write(name, source(language, STEPS))
    ended = program(
        *("run", "--output", "json", "--profile", profile),
        *("--allow-read", ".", "--allow-write", ".", "--allow-net", url.rstrip("/")),
        *("--allow-llm", "fake/*", "--allow-tool", "*", "--param", f"url={url}", name),
        stdin="begin first line\nand\nmore\n",
    )
    result = ended.json()
    assert result["status"] == "done", ended
    assert result["value"]["heard"] == HEARD
    found: dict[str, Any] = result["value"]["out"]
    return found


def told(outcomes: dict[str, Any]) -> dict[str, Any]:
    """What each step came to, without what differs from run to run."""
    return {
        key: None if key.endswith(NAMED_BY_TIME) else alike(outcome)
        for key, outcome in outcomes.items()
    }


def alike(value: Any, key: str = "") -> Any:
    """A value as all languages can tell it: an empty list is an empty object is nothing."""
    if key in VOLATILE:
        return "…"
    if key in TIMES and isinstance(value, (int, float)) and value >= 1000:
        return alike(value / 1000)
    if isinstance(value, dict):
        found = {name: alike(item, name) for name, item in sorted(value.items())}
        return {name: item for name, item in found.items() if item is not None} or None
    if isinstance(value, list):
        return [alike(item) for item in value] or None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def test_every_function_and_method_has_a_step() -> None:
    of = {
        (f"it:{class_of(step.of)}" if step.of.startswith("it:") else step.of, step.function, one)
        for step in WALK
        for one in step.languages
    }
    missing = [
        (owner, function.name, language)
        for owner, function, languages in described()
        for language in languages
        if (owner, function.name, language) not in of
    ]
    assert missing == [("os", "exit", "lua")], "it ends the walk: a test of its own"


@pytest.mark.parametrize("profile", PROFILES)
def test_the_end_by_os_exit(program: Program, profile: str) -> None:
    ended = program.run("os.exit(3)", ".lua", "--profile", profile)
    assert ended.code == 1, ended
    assert program.run("os.exit(0)", ".lua", "--profile", profile).code == 0


VALUES: Final = {
    "fs.read": "grüße!",
    "stdin.lines": "first line",
    "async.with_resource": 3,
    "it:tool_3.chain_with": {"result": 12},
    "it:tool.parse_call": {"n": 3},
    "events.emit_sync": {
        "action": "continue", "data": {"n": 2}, "delivered": 2, "failed": 0, "stopped": False,
    },
    "storage.query": {"x1": 1, "x2": "two"},
    "storage.scope": 1,
    "it:agent.stream": "a b",
    "it:agent.structured_output": {"n": 0},
    "it:agent.get_state": {"iteration_count": 9, "ticket": 7},
    "tools.execute": {"result": 8},
    "it:agent.execute_tool": {"result": 16},
    "it:workflow.execute_step": 7,
    "testing.run_all": {
        "failed": 0, "passed": 1, "tests": [{"name": "asserts", "passed": True, "suite": "S"}],
    },
}  # fmt: skip
"""What some steps come to, so that equal does not mean equally wrong."""


def check(outcomes: dict[str, Any], language: str) -> None:
    """Each step was made, ended as the table says, and some gave these very values."""
    steps = {f"{number:03d} {step.name}": step for number, step in enumerate(STEPS)}
    assert outcomes.keys() == {key for key, step in steps.items() if language in step.languages}
    wrong = {
        key: outcome
        for key, outcome in outcomes.items()
        if (outcome or {}).get("failed", 0) != steps[key].fails
    }
    assert wrong == {}
    first: dict[str, Any] = {}
    for key, outcome in outcomes.items():
        first.setdefault(key.partition(" ")[2], outcome)
    assert {name: first[name]["value"] for name in VALUES} == VALUES
    assert first["it:pipeline.execute"]["value"]["outputs"] == {"two": 6, "four": 12}
    assert first["it:collaboration.vote"]["value"]["option"] == "blue"
    assert first["it:workflow_map.execute"]["value"]["output"] == [1, 2]


def test_the_walk_is_the_same_in_each_language_and_profile(
    place: Place, tmp_path: Path, url: str
) -> None:
    """One test, so that six runs are enough wherever its pieces would go."""
    walked = {}
    for profile in PROFILES:
        for language in LANGUAGES:
            folder = tmp_path / f"{profile}-{language}"
            folder.mkdir()
            outcomes = walk(Program(place, folder), language, profile, url)
            check(outcomes, language)
            walked[profile, language] = found = told(outcomes)
            wanted = walked[profile, "lua"]
            common = wanted.keys() & found.keys()
            assert len(common) > 400
            differ = {key: (wanted[key], found[key]) for key in common if wanted[key] != found[key]}
            assert differ == {}, "in Lua, and here"
    for language in LANGUAGES:
        medium, high = walked["medium", language], walked["high", language]
        others = {key.partition(" ")[2] for key in medium if medium[key] != high[key]}
        assert others == SAY_THE_PROFILE
