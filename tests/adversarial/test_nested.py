"""A spell that another spell runs gets nothing its parent lacks, and escapes no limit of it."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e.program import SUFFIXES, Program

PARENT = """
local called, result = pcall(Spell.run_file, "spell:" .. params.child, {}, {limits = params.limits})
if called then return result.value end
return {code = result.code, rule = result.rule, kind = result.kind, message = result.message}
"""

READ = {
    "lua": 'return fs.read("../outside.txt")',
    "javascript": 'return await fs.read("../outside.txt");',
    "python": 'await fs.read("../outside.txt")',
}


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"reached")

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


def run(program: Program, child: str, *flags: str, parent: str = PARENT, **params: Any) -> Any:
    """What the parent returns of running `child`; the records are in `a.jsonl`."""
    program.write("parent.lua", parent)
    (program.folder / "a.jsonl").unlink(missing_ok=True)
    words = [f"--param={name}={json.dumps(value)}" for name, value in params.items()]
    ended = program(
        "run", "--output", "json", "--audit", "a.jsonl", *flags, f"--param=child={child}", *words,
        "parent.lua",
    )  # fmt: skip
    return ended.json()


def records(program: Program) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (program.folder / "a.jsonl").read_text().splitlines()]


def refused(program: Program) -> list[tuple[str, str]]:
    """Rules and runs of the refusals on record."""
    return [
        (item["rule"], item.get("details", {}).get("run", ""))
        for item in records(program)
        if item.get("allowed") is False
    ]


@pytest.mark.parametrize("language", SUFFIXES)
@pytest.mark.parametrize("profile", ["medium", "high"])
def test_a_file_that_the_parent_may_not_read(program: Program, language: str, profile: str) -> None:
    child = f"child{SUFFIXES[language]}"
    program.write(child, READ[language])
    (program.folder.parent / "outside.txt").write_text("secret")
    flags = ["--profile", profile]
    if profile == "high":
        flags += ["--allow-read", "."]
    told = run(program, child, *flags)
    assert told["value"]["code"] == 4008
    assert told["value"]["rule"] == f"{profile}.files.read"
    ((rule, who),) = refused(program)
    start = next(item for item in records(program) if item["event"] == "nested_start")
    assert (rule, who) == (f"{profile}.files.read", start["details"]["run"])
    assert start["details"]["parent"] == start["session"]
    assert "secret" not in json.dumps(told)
    assert told["denials"][0]["rule"] == rule
    assert run(program, child, *flags, "--allow-read", "../outside.txt")["value"] in (
        "secret",
        None,  # Python's last expression is no value; its call went well.
    )
    assert refused(program) == []


def test_a_host_that_the_parent_may_not_reach(program: Program, port: int) -> None:
    program.write("child.js", f'return (await http.get("http://127.0.0.1:{port}/")).body;')
    told = run(program, "child.js")
    assert (told["value"]["code"], told["value"]["rule"]) == (4008, "medium.net.host")
    assert run(program, "child.js", "--allow-net", f"127.0.0.1:{port}")["value"] == "reached"


def test_a_tool_that_the_parent_may_not_run(program: Program) -> None:
    program.write("child.lua", 'return Tools.execute("calculator", {expression = "6 * 7"})')
    program.write("no.toml", 'extends = "medium"\n[tools]\ndeny = ["calculator"]\n')
    told = run(program, "child.lua", "--policy", "no.toml")
    assert told["value"]["code"] == 2006
    assert told["value"]["rule"].endswith("tools.denied")
    assert run(program, "child.lua")["value"]["result"] == 42


def test_a_tool_that_the_parent_denied_itself(program: Program) -> None:
    program.write("child.lua", 'return Tools.execute("calculator", {expression = "6 * 7"})')
    tightened = 'Config.configure_security({denied_tools = {"calculator"}})' + PARENT
    told = run(program, "child.lua", parent=tightened)
    assert (told["value"]["code"], told["value"]["rule"]) == (2006, "config.tools.denied")


def test_a_model_that_the_parent_may_not_use(program: Program) -> None:
    ask = 'return llm.complete({provider = "fake", model = "echo", prompt = "hello"}).content'
    program.write("child.lua", ask)
    flags = ("--profile", "high", "--allow-read", ".")
    told = run(program, "child.lua", *flags)
    assert told["value"]["code"] == 4008
    assert told["value"]["rule"].startswith("high.models")
    told = run(program, "child.lua", *flags, "--allow-llm", "fake/echo")
    assert "hello" in told["value"]


def test_tokens_of_its_models_count_as_the_parents(program: Program) -> None:
    ask = 'return llm.complete({provider = "fake", model = "echo", prompt = "hello"}).content'
    program.write("child.lua", ask)
    parent = 'for i = 1, 4 do Spell.run_file("spell:child.lua") end return "all"'
    assert run(program, "", "--limit", "model_tokens=40", parent=parent)["value"] == "all"
    told = run(program, "", "--limit", "model_tokens=20", parent=parent)
    assert (told["error"]["code"], told["error"]["rule"]) == (6007, "limit.model_tokens")


def test_a_looser_profile_is_refused_and_a_stricter_one_narrows(program: Program) -> None:
    program.write("child.lua", 'return {SECURITY_LEVEL, (pcall(fs.read, "spell:child.lua"))}')
    parent = """
    local loose, refusal = pcall(Spell.run_file, "spell:child.lua", {}, {profile = "low"})
    local strict = Spell.run_file("spell:child.lua", {}, {profile = "high"})
    local same = Spell.run_file("spell:child.lua")
    return {loose, refusal.code, refusal.rule, strict.value, same.value}
    """
    assert run(program, "", parent=parent)["value"] == [
        False, 4008, "spell.profile", ["high", False], ["medium", True],
    ]  # fmt: skip


def test_its_calls_count_as_the_parents(program: Program) -> None:
    program.write("child.lua", "for i = 1, 30 do fs.exists('x') end return 'all'")
    assert run(program, "child.lua", "--limit", "calls=60")["value"] == "all"
    parent = 'for i = 1, 5 do Spell.run_file("spell:child.lua") end'
    told = run(program, "", "--limit", "calls=60", parent=parent)
    assert (told["status"], told["error"]["rule"]) == ("limit", "limit.calls")


def test_its_output_counts_as_the_parents(program: Program) -> None:
    program.write("child.py", "print('x' * 5000)")
    parent = 'for i = 1, 5 do Spell.run_file("spell:child.py") end return "all"'
    assert run(program, "", parent=parent)["value"] == "all"
    told = run(program, "", "--limit", "output=12000", parent=parent)
    assert (told["status"], told["reason"]) == ("limit", "output")


def test_its_scratch_counts_as_the_parents_and_is_given_back(program: Program) -> None:
    child = 'fs.write("scratch:a", string.rep("x", 600)) return fs.exists("scratch:mine")'
    program.write("child.lua", child)
    alone = 'for i = 1, 4 do Spell.run_file("spell:child.lua") end return "all"'
    assert run(program, "", "--limit", "scratch=1000", parent=alone)["value"] == "all"
    full = 'fs.write("scratch:mine", string.rep("x", 600))' + PARENT
    told = run(program, "child.lua", "--limit", "scratch=1000", parent=full)
    assert told["value"]["rule"] == "limit.scratch"
    told = run(program, "child.lua", "--limit", "scratch=2000", parent=full)
    assert told["value"] is False, "the parent's scratch is its own"


def test_its_writes_elsewhere_count_as_the_parents(program: Program) -> None:
    program.write("child.lua", 'fs.write("out/" .. params.n, string.rep("x", 600))')
    (program.folder / "out").mkdir()
    parent = 'for i = 1, 4 do Spell.run_file("spell:child.lua", {n = tostring(i)}) end'
    flags = ("--allow-write", "out", "--limit", "scratch=1000")
    told = run(program, "", *flags, parent=parent)
    assert told["error"]["rule"] == "limit.scratch"
    assert [item.name for item in (program.folder / "out").iterdir()] == ["1"]


@pytest.mark.alone
def test_it_ends_with_its_own_wall_and_with_its_parents(program: Program) -> None:
    program.write("child.lua", "while true do end")
    told = run(program, "child.lua", limits={"wall": "200ms"})
    assert (told["value"]["code"], told["value"]["rule"]) == (4004, "limit.wall")
    # The program fixture sees that no process is left.
    told = run(
        program, "child.lua", "--limit", "wall=1s", parent='Spell.run_file("spell:child.lua")'
    )
    assert (told["status"], told["reason"]) == ("limit", "wall")
    assert told["usage"]["wall"] < 3


@pytest.mark.alone
def test_its_processor_time_counts_as_the_parents(program: Program) -> None:
    program.write("child.lua", "for i = 1, 1e8 do end return 1")
    parent = """
    for i = 1, 20 do Spell.run_file("spell:child.lua") end
    return "all"
    """
    told = run(program, "", "--limit", "cpu=1500ms", parent=parent)
    assert (told["status"], told["error"]["rule"]) == ("limit", "limit.cpu")


def test_depth_and_number_are_bounded(program: Program) -> None:
    program.write("child.lua", 'return Spell.run_file("spell:child.lua").value')
    told = run(program, "child.lua")
    assert told["value"]["rule"] == "limit.spell_depth"
    assert sum(item["event"] == "nested_start" for item in records(program)) == 4
    program.write("slow.lua", "Async.sleep(400) return true")
    parent = """
    const runs = [1, 2, 3, 4, 5].map(() => Spell.runFile("spell:slow.lua"));
    const all = await Promise.allSettled(runs);
    return all.map((one) => one.status === "fulfilled" ? "ran" : one.reason.rule);
    """
    program.write("many.js", parent)
    ended = program("run", "--output", "json", "many.js").json()["value"]
    assert sorted(ended) == ["limit.spells_at_once", "ran", "ran", "ran", "ran"]


def test_the_parent_may_not_read_the_file(program: Program) -> None:
    (program.folder.parent / "outside.lua").write_text("return 1")
    told = run(program, "", parent='return Spell.run_file("../outside.lua").value')
    assert (told["status"], told["error"]["rule"]) == ("denied", "medium.files.read")
    assert not any(item["event"] == "nested_start" for item in records(program))
    parent = 'return Spell.run_file("../outside.lua").value'
    assert run(program, "", "--allow-read", "../outside.lua", parent=parent)["value"] == 1


def test_errors_of_the_other_spell_arrive_typed(program: Program) -> None:
    program.write("child.py", "raise ValueError('no good')")
    told = run(program, "child.py")
    assert told["value"]["message"] == "child.py: ValueError: no good"
    program.write("child.lua", "this is no lua")
    assert run(program, "child.lua")["value"]["code"] == 4001


@pytest.mark.alone
def test_a_parent_that_ends_ends_it_and_every_record_is_there(program: Program) -> None:
    program.write("child.lua", "while true do end")
    parent = """
    Async.spawn(function() Spell.run_file("spell:child.lua") end)
    Async.spawn(function() Spell.run_file("spell:middle.js") end)
    Async.sleep(700)
    fs.read("/etc/shadow")
    """
    program.write("middle.js", 'return await Spell.runFile("spell:child.lua");')
    told = run(program, "", parent=parent)
    assert told["status"] == "denied"
    kept = [item["event"] for item in records(program)]
    assert kept.count("nested_start") == kept.count("nested_end") == 3
    assert kept[-1] == "session_end"
    assert program("audit", "verify", "a.jsonl").code == 0


def test_what_its_parent_gives_up_it_loses_too(program: Program) -> None:
    program.write(
        "child.js",
        """
        const first = await Tools.execute("calculator", {expression: "6 * 7"});
        await fs.write("workspace:ready", "");
        while (!(await fs.exists("workspace:go"))) await sleep(20);
        try { await Tools.execute("calculator", {expression: "1"}); } catch (e) {
          return [first.result, e.code, e.rule];
        }
        """,
    )
    parent = """
    const child = Spell.runFile("spell:child.js");
    while (!(await fs.exists("workspace:ready"))) await sleep(20);
    await Config.configureSecurity({deniedTools: ["calculator"]});
    await fs.write("workspace:go", "");
    return (await child).value;
    """
    program.write("parent.js", parent)
    told = program("run", "--output", "json", "parent.js").json()
    assert told["value"] == [42, 2006, "config.tools.denied"]
