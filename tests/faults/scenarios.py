"""Runs that between them take every I/O step of the trusted side.

Each is one short piece of work in a folder of its own. Its spell notes how every act of its ended,
so that a fault has to show either there, as a typed error, or in how the run ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import llmspell
from llmspell.supervisor.result import Result
from tests.e2e.program import descendants

OLD: Final = "the old content, every line of it\n" * 40
NEW: Final = "the new content, which is longer than the old one was\n" * 40
MORE: Final = "one more line\n" * 40

TRY: Final = """
local told = {}
local function try(name, act, ...)
  local ok, value = pcall(act, ...)
  if ok then told[name] = value == nil and "ok" or value
  else told[name] = { code = value.code, kind = value.kind, rule = value.rule } end
end
"""

FILES: Final = f"""{TRY}
local new, more = params.new, params.more
try("read", function() return #fs.read("old.txt") end)
try("read_link", function() return #fs.read("link.txt") end)
try("overwrite", fs.write, "old.txt", new)
try("create", fs.write, "out/deep/new.txt", new, {{ create_parents = true }})
try("append", fs.append, "log.txt", more)
try("append_new", fs.append, "fresh.txt", more)
try("mkdir", fs.mkdir, "made")
try("list", function() return #fs.list("tree", {{ recursive = true }}) end)
try("move", fs.move, "old2.txt", "moved.txt")
try("move_folder", fs.move, "tree", "grown")
try("read_big", function() return #fs.read("big.txt") end)
try("remove", fs.remove, "gone.txt")
try("remove_folder", fs.remove, "full", {{ recursive = true }})
try("exists", fs.exists, "old.txt")
return told
"""

WORK: Final = f"""{TRY}
try("tool", function()
  return Tools.jsonProcessor:execute({{ operation = "query", json = '{{"a":[7]}}', path = "a.0" }})
end)
try("calculator", function() return Tools.calculator:execute({{ expression = "6*7" }}) end)
try("set", Storage.set, "k", "v", {{ scope = "spell" }})
try("get", Storage.get, "k", {{ scope = "spell" }})
try("batch", function()
  local mine = Storage.scope("spell")
  mine.set_batch({{ a = 1, b = 2 }})
  mine.transaction({{ {{ op = "set", key = "t", value = "x" }}, {{ op = "delete", key = "a" }} }})
  return mine.list()
end)
try("keep", function()
  local mine = Storage.scope("spell")
  local name = mine.backup().name
  mine.restore(name)
  mine.delete("b")
  mine.clear()
  mine.compact()
  return mine.stats().keys
end)
return told
"""

PLACES: Final = f"""{TRY}
try("overwrite", fs.write, "old.txt", params.new)
try("workspace", fs.write, "workspace:a/kept.txt", params.new, {{ create_parents = true }})
try("scratch", fs.write, "scratch:a", params.new)
print("said")
return told
"""

ASKS: Final = f"""{TRY}
try("input", function() return stdin.read() end)
try("read", function() return #fs.read("../old.txt") end)
return told
"""

KEEP: Final = f"""{TRY}
try("set", Storage.set, "k", "v", {{ scope = "spell" }})
try("get", Storage.get, "k", {{ scope = "spell" }})
return told
"""

NET: Final = f"""{TRY}
try("get", function() return http.get(params.url).body end)
try("post", function() return http.post(params.url, {{ body = "x" }}).status end)
try("model", function()
  return llm.complete("hello", {{ provider = "fake", model = "echo" }}).content
end)
try("nested", function() return Spell.run_file("inner.lua", {{ n = 20 }}) end)
try("write", fs.write, "old.txt", params.new)
return told
"""

SMALL: Final = f"""{TRY}
try("overwrite", fs.write, "old.txt", params.new)
print("said")
return told
"""

Told = dict[str, Any]


class Scenario(NamedTuple):
    """`act` does the work in the current folder and says how it ended."""

    name: str
    act: Callable[[Mapping[str, Any]], Told]
    threads: bool = False
    """Whether its own steps run on threads: their faults are met by whichever comes first."""
    cold: bool = False
    """Whether nothing of a guest is in the cache."""


def lay_out(folder: Path) -> None:
    """The user's files that the spells work on."""
    for name in ("old.txt", "old2.txt", "log.txt", "gone.txt"):
        (folder / name).write_text(OLD, encoding="utf-8")
    (folder / "link.txt").symlink_to("old.txt")
    for name in ("tree/a/b", "full/a/b"):
        (folder / name).mkdir(parents=True)
        (folder / name / "leaf.txt").write_text(OLD, encoding="utf-8")
        (folder / name).parent.joinpath("leaf2.txt").write_text(OLD, encoding="utf-8")
    (folder / "big.txt").write_text(OLD * 500, encoding="utf-8")
    asks = folder / "asks"
    asks.mkdir()
    (asks / "spell.lua").write_text(ASKS, encoding="utf-8")
    (asks / "spell.toml").write_text('name = "asks"\n[requests]\nread = ["old.txt"]\n')
    (folder / "inner.lua").write_text("return params.n + 1\n", encoding="utf-8")
    (folder / "spell.lua").write_text(SMALL, encoding="utf-8")
    (folder / "policy.toml").write_text(
        'extends = "high"\n[files]\nwrite = ["."]\n', encoding="utf-8"
    )


def told_of(result: Result) -> Told:
    """A result as plain data."""
    return result.to_json() | {
        "output": result.output,
        "audit": result.audit_path,
        "audit_complete": result.audit_complete,
    }


def options(given: Mapping[str, Any]) -> dict[str, Any]:
    """What a run of ours is given."""
    return {
        "profile": given.get("profile", "high"),
        "grants": ["read:.", "write:.", *given.get("grants", ())],
        "limits": {"wall": given.get("wall", "4s")},
        "params": {"new": NEW, "more": MORE, **given.get("params", {})},
        "audit": given.get("audit"),
    }


def blocking(
    source: str, language: str = "lua", **more: Any
) -> Callable[[Mapping[str, Any]], Told]:
    """A run with the blocking driver (which hands over where a call needs asyncio)."""

    def act(given: Mapping[str, Any]) -> Told:
        Path("the.lua").write_text(source, encoding="utf-8")
        spell = llmspell.Spell.from_file("the.lua", language=language)
        return told_of(llmspell.run(spell, **options({**more, **given})))

    return act


def warm(source: str, **more: Any) -> Callable[[Mapping[str, Any]], Told]:
    """Runs forked from a zygote, with a spare waiting; the last one's end is told."""

    def act(given: Mapping[str, Any]) -> Told:
        spell = llmspell.Spell.from_source(source, language="lua")
        chosen = options({**more, **given})

        async def runs() -> Result:
            async with llmspell.Supervisor(spares=1) as supervisor:
                await supervisor.warm(spell, profile=chosen["profile"], limits=chosen["limits"])
                first = await supervisor.run(spell, **{**chosen, "audit": None})
                assert first is not None
                return await supervisor.run(spell, **chosen)

        return told_of(asyncio.run(runs()))

    return act


def serving(inner: Callable[[Mapping[str, Any]], Told]) -> Callable[[Mapping[str, Any]], Told]:
    """With a web server of the test's own on loopback."""

    def act(given: Mapping[str, Any]) -> Told:
        from tests.supervisor.services.webserver import Server

        body = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello"
        server = Server({"/": body})
        try:
            host = f"localhost:{server.port}"
            return inner(
                {**given, "grants": [f"net:{host}", "llm:fake/*"],
                 "params": {"url": f"http://{host}/"}}
            )  # fmt: skip
        finally:
            server.close()

    return act


def command(*words: str) -> Callable[[Mapping[str, Any]], Told]:
    """The command line, in this process; what it prints goes to a file."""

    def act(given: Mapping[str, Any]) -> Told:
        from llmspell.cli import main

        told = io.StringIO()
        out = os.open("printed", os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600)
        kept = os.dup(1)
        os.dup2(out, 1)
        try:
            with contextlib.redirect_stderr(told):
                code = main([*words])
        finally:
            os.dup2(kept, 1)
            os.close(kept)
            os.close(out)
        printed = Path("printed").read_text(encoding="utf-8")
        return {"exit": code, "stderr": told.getvalue(), "printed": printed}

    return act


def sealed(inner: Callable[[Mapping[str, Any]], Told]) -> Callable[[Mapping[str, Any]], Told]:
    """With kept values encrypted, backed up at once, and the keys changed at the end."""

    def act(given: Mapping[str, Any]) -> Told:
        folder = Path(os.environ["XDG_CONFIG_HOME"], "llmspell")
        folder.mkdir(mode=0o700)
        (folder / "llmspell.toml").write_text(
            "[storage]\nencryption_enabled = true\nbackup_enabled = true\n", encoding="utf-8"
        )
        told = inner(given)
        rotated = command("vault", "rotate")(given)
        return told | {"exit": rotated["exit"], **rotated}

    return act


def commands(*lines: tuple[str, ...]) -> Callable[[Mapping[str, Any]], Told]:
    """Several commands, the later on what the first left; the worst end is told."""

    def act(given: Mapping[str, Any]) -> Told:
        ends = [command(*line)(given) for line in lines]
        worst = max(ends, key=lambda end: int(end["exit"]))
        return worst | {"printed": "".join(end["printed"] for end in ends)}

    return act


def kept_code(given: Mapping[str, Any]) -> Told:
    """A guest's machine code made and kept, then found, then made where nothing can be kept."""
    from llmspell.supervisor import guest_cache

    found = []

    def make(output: int) -> None:
        os.write(output, b"machine code")

    for name in ("one", "one", "two"):
        handle = guest_cache.kept(name, make, "making it")
        try:
            found.append(os.pread(handle, 100, 0).decode())
        finally:
            os.close(handle)
    return {"exit": 0, "stderr": "", "printed": repr(found)}


def compiled(given: Mapping[str, Any]) -> Told:
    """A guest compiled and booted for the first time on this machine."""
    from llmspell.supervisor import guest_image, guests, worker

    for kept in (guests._opened, guest_image._opened, worker._guests):
        kept.clear()
    return blocking(SMALL)(given)


def played(given: Mapping[str, Any]) -> Told:
    """Answers of a model recorded in a cassette of the user's, then replayed."""
    from llmspell.llm.cassette import Cassette, _append

    request = {"provider": "p", "model": "m", "messages": []}
    for content in ("one", "two"):
        _append("cassette", request, {"content": content})
    cassette = Cassette("cassette")
    told = [cassette.take(request)["content"] for _ in range(2)]
    return {"exit": 0, "stderr": "", "printed": repr(told)}


def alone(given: Mapping[str, Any]) -> Told:
    """A run of the Python API without zygotes: its worker starts ahead of it."""
    spell = llmspell.Spell.from_source(SMALL, language="lua")
    chosen = options(given)

    async def runs() -> Result:
        async with llmspell.Supervisor(zygotes=False) as supervisor:
            return await supervisor.run(spell, **chosen)

    return told_of(asyncio.run(runs()))


def with_input(inner: Callable[[Mapping[str, Any]], Told]) -> Callable[[Mapping[str, Any]], Told]:
    """With a text on standard input."""

    def act(given: Mapping[str, Any]) -> Told:
        reader, writer = os.pipe()
        os.write(writer, b"return 1")
        os.close(writer)
        os.dup2(reader, 0)
        os.close(reader)
        return inner(given)

    return act


def sharded(given: Mapping[str, Any]) -> Told:
    """Runs whose sessions live in helper processes."""
    spell = llmspell.Spell.from_source(SMALL, language="lua")
    chosen = options(given)

    async def runs() -> Result:
        async with llmspell.Supervisor(shards=2, spares=0) as supervisor:
            return await supervisor.run(spell, **chosen)

    return told_of(asyncio.run(runs()))


RUN: Final = (
    "run", "--policy", "policy.toml", "--allow-read", ".", "--param", f"new={NEW}",
    "--audit", "run.jsonl", "spell.lua",
)  # fmt: skip

SCENARIOS: Final[dict[str, Scenario]] = {
    one.name: one
    for one in (
        Scenario("cache", kept_code, cold=True),
        Scenario("played", played),
        Scenario("files", blocking(FILES)),
        Scenario("doctor", command("doctor")),
        Scenario("alone", alone),
        Scenario("warm", warm(SMALL)),
        Scenario("native", blocking(PLACES, profile="medium")),
        Scenario("low", blocking(SMALL, profile="low")),
        Scenario("asks", with_input(command("run", "--grant-requested", "asks/spell.lua"))),
        Scenario("input", with_input(command("run", "--engine", "lua", "-"))),
        Scenario("command", command(*RUN)),
        Scenario(
            "record",
            commands(RUN, ("audit", "verify", "run.jsonl"), ("audit", "show", "run.jsonl")),
        ),
        Scenario("net", serving(blocking(NET)), threads=True),
        Scenario("sealed", sealed(blocking(KEEP, grants=["state:spell"])), threads=True),
        Scenario("work", blocking(WORK, grants=["state:spell"]), threads=True),
        Scenario("shards", sharded, threads=True),
        Scenario("compiled", compiled, cold=True),
    )
}
"""By name, the cheapest first: a point belongs to the first that takes it."""


def mute(given: Mapping[str, Any]) -> Told:
    """A program in the worker's place that never says a word."""
    from llmspell.supervisor import session, worker

    real = worker.describe

    def describe(*args: Any) -> worker.Start:
        return real(*args)._replace(argv=("/bin/sleep", "3600"))

    vars(worker)["describe"] = describe
    vars(session)["START_SECONDS"] = 0.4
    return blocking(SMALL)(given)


def stopped(role_name: str, source: str) -> Callable[[Mapping[str, Any]], Told]:
    """A run whose worker of this role is frozen as soon as it is started."""

    def act(given: Mapping[str, Any]) -> Told:
        from llmspell.supervisor.crew import Crew

        real = Crew.start

        def start(self: Crew, number: int, role: Any) -> Any:
            found = real(self, number, role)
            if role.name == role_name:
                for pid in (found.process.pid, *descendants(found.process.pid)):
                    os.kill(pid, signal.SIGSTOP)
            return found

        vars_of: dict[str, Any] = {"start": start}
        for name, function in vars_of.items():
            setattr(Crew, name, function)
        return blocking(source, profile="medium")(given)

    return act


def silent_zygote(given: Mapping[str, Any]) -> Told:
    """A zygote that is frozen once it is ready: it takes orders and answers none."""
    from llmspell.platform.linux import zygote

    vars(zygote)["ANSWER_SECONDS"] = 0.4
    spell = llmspell.Spell.from_source(SMALL, language="lua")
    chosen = options(given)

    async def runs() -> Result:
        async with llmspell.Supervisor(spares=0) as supervisor:
            await supervisor.warm(spell, profile="high", limits=chosen["limits"])
            for pid in descendants(os.getpid()):
                os.kill(pid, signal.SIGSTOP)
            return await supervisor.run(spell, **chosen)

    return told_of(asyncio.run(runs()))


FROZEN: Final[dict[str, Scenario]] = {
    one.name: one
    for one in (
        Scenario("mute", mute),
        Scenario("frozen worker", stopped("SPELL", SMALL)),
        Scenario("frozen tool", stopped("TOOLS", WORK), threads=True),
        Scenario("silent zygote", silent_zygote),
    )
}
"""Runs whose other processes hang, and how each must end is for `test_hangs.py` to say."""
