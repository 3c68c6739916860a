"""Every function and method of the description against the real services, in three languages.

The spells are written from one table of arguments (`walk_steps.py`) and run as a person runs
them, at `medium` and `high`. What each call comes to must be what the table says, and equal.
"""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
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
    *("trace_id", "checksum"),
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


@pytest.fixture(scope="module")
def walked(
    place: Place, tmp_path_factory: pytest.TempPathFactory, url: str
) -> dict[tuple[str, str], dict[str, Any]]:
    """What every step came to, by profile and language."""
    found = {}
    for profile in PROFILES:
        for language, suffix in SUFFIXES.items():
            program = Program(place, tmp_path_factory.mktemp(f"{profile}-{language}"))
            program.write("inner.lua", "return params.n + 1")
            program.write(f"walk{suffix}", source(language, STEPS))
            ended = program(
                *("run", "--output", "json", "--profile", profile),
                *("--allow-read", ".", "--allow-write", ".", "--allow-net", url.rstrip("/")),
                *("--allow-llm", "fake/*", "--allow-tool", "*", "--param", f"url={url}"),
                f"walk{suffix}",
                stdin="begin first line\nand\nmore\n",
            )
            result = ended.json()
            assert result["status"] == "done", ended
            assert result["value"]["heard"] == HEARD
            found[profile, language] = result["value"]["out"]
    return found


def told(walked: dict[tuple[str, str], Any], profile: str, language: str) -> dict[str, Any]:
    """What each step came to, without what differs from run to run."""
    return {
        key: None if key.endswith(NAMED_BY_TIME) else alike(outcome)
        for key, outcome in walked[profile, language].items()
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
    "003 fs.read": "grüße!",
    "011 stdin.lines": "first line",
    "046 async.with_resource": 3,
    "104 it:tool_3.chain_with": {"result": 12},
    "106 it:tool.parse_call": {"n": 3},
    "142 events.emit_sync": {
        "action": "continue", "data": {"n": 2}, "delivered": 2, "failed": 0, "stopped": False,
    },
    "155 storage.query": {"x1": 1, "x2": "two"},
    "168 storage.scope": 1,
    "209 it:agent.stream": "a b",
    "210 it:agent.structured_output": {"n": 0},
    "225 it:agent.get_state": {"iteration_count": 9, "ticket": 7},
    "228 it:agent.execute_tool": {"result": 16},
    "276 it:workflow.execute_step": 7,
    "318 config.get": "otherwise",
}  # fmt: skip
"""What some steps come to, so that equal does not mean equally wrong."""


@pytest.mark.parametrize("language", LANGUAGES)
def test_some_steps_by_their_values(walked: dict[tuple[str, str], Any], language: str) -> None:
    found = walked["medium", language]
    assert {key: found[key]["value"] for key in VALUES} == VALUES
    assert found["108 it:pipeline.execute"]["value"]["outputs"] == {"two": 6, "four": 12}
    assert found["305 it:collaboration.vote"]["value"]["option"] == "blue"
    assert found["258 it:workflow_map.execute"]["value"]["output"] == [1, 2]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("profile", PROFILES)
def test_every_step_ends_as_the_table_says(
    walked: dict[tuple[str, str], Any], profile: str, language: str
) -> None:
    outcomes = walked[profile, language]
    steps = {f"{number:03d} {step.name}": step for number, step in enumerate(STEPS)}
    wrong = {
        key: outcome
        for key, outcome in outcomes.items()
        if (outcome or {}).get("failed", 0) != steps[key].fails
    }
    assert wrong == {}
    assert outcomes.keys() == {key for key, step in steps.items() if language in step.languages}


@pytest.mark.parametrize("language", ["javascript", "python"])
@pytest.mark.parametrize("profile", PROFILES)
def test_every_step_comes_to_the_same_as_in_lua(
    walked: dict[tuple[str, str], Any], profile: str, language: str
) -> None:
    wanted, found = told(walked, profile, "lua"), told(walked, profile, language)
    common = wanted.keys() & found.keys()
    assert len(common) > 400
    assert {key: found[key] for key in common} == {key: wanted[key] for key in common}


@pytest.mark.parametrize("language", LANGUAGES)
def test_high_with_its_grants_comes_to_the_same_as_medium(
    walked: dict[tuple[str, str], Any], language: str
) -> None:
    medium, high = told(walked, "medium", language), told(walked, "high", language)
    differ = {key.partition(" ")[2] for key in medium if medium[key] != high[key]}
    assert differ == SAY_THE_PROFILE
