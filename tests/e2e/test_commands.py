"""doctor, explain and tool, as people and programs read them."""

from __future__ import annotations

import json

from tests.e2e.program import Program

EFFECTS = {"files", "network", "processes", "spawn", "privilege"}


def test_doctor_names_effects_and_profiles(program: Program) -> None:
    told = program("doctor")
    assert told.code == 0, told
    for word in (*EFFECTS, "seccomp", "landlock", "no_new_privs", "medium", "high"):
        assert word in told.out
    report = program("doctor", "--output", "json").json()
    assert set(report["profiles"]) == {"none", "low", "medium", "high"}
    assert set(report["profiles"]["high"]["effects"]) == EFFECTS
    assert all(found["starts"] for found in report["profiles"].values())


def test_doctor_warms_the_guests(program: Program) -> None:
    guests = program("doctor", "--warm", "--output", "json").json()["guests"]
    assert set(guests) == {"lua", "javascript", "python"}
    assert guests["lua"] == guests["javascript"] == "ready"


def test_explain_says_what_run_does(program: Program) -> None:
    program.write("s.lua", "os.execute('ls')")
    words = program("explain", "--profile", "high", "--allow-net", "example.com", "s.lua").out
    assert "network" in words and "example.com" in words and "memory 256 MiB" in words
    plain = program("explain", "--profile", "none", "--output", "json", "s.lua").json()
    assert plain["policy"]["profile"] == "none" and plain["spell"]["engine"] == "lua"
    default = program("explain", "--output", "json").json()
    assert default["policy"]["profile"] == "medium"


def test_tools_are_listed_and_described(program: Program) -> None:
    tools = {item["name"]: item for item in program("tool", "list", "--output", "json").json()}
    for name in (
        "calculator", "text_manipulator", "date_time_handler", "uuid_generator",
        "hash_calculator", "base64_encoder", "template_processor", "diff_calculator",
        "json_processor", "csv_processor", "file_reader", "file_writer", "directory_lister",
        "http_client",
    ):  # fmt: skip
        assert name in tools, name
        info = program("tool", "info", name, "--output", "json").json()
        assert info["name"] == name and info["parameters"]["type"] == "object"
    assert tools["calculator"]["needs"] == []
    assert "calculator" in program("tool", "list", "--category", "util").out


def test_a_tool_is_invoked_under_a_policy(program: Program) -> None:
    ended = program("tool", "invoke", "calculator", '{"expression": "6 * 7"}')
    assert ended.code == 0 and ended.json()["result"] == 42
    ended = program("tool", "invoke", "calculator", "-", stdin='{"expression": "2 ^ 10"}')
    assert ended.json()["result"] == 1024
    program.write("in.txt", "content")
    given = json.dumps({"path": "in.txt"})
    refused = program("tool", "invoke", "--profile", "high", "file_reader", given)
    assert refused.code == 3 and "--allow-read in.txt" in refused.err, refused
    granted = program(
        "tool", "invoke", "--profile", "high", "--allow-read", "in.txt", "file_reader", given
    )
    assert granted.code == 0 and granted.json()["result"] == "content"
    wrong = program("tool", "invoke", "calculator", '{"expresion": "1"}')
    assert wrong.code == 1 and "expresion" in wrong.err, wrong
