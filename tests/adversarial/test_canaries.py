"""SL-60 to SL-62: secrets of the user stay where they are, whatever hostile spells do.

Canaries lie in the environment, in files and in the configuration of a supervisor that runs hostile
spells in three languages at three profiles. Then everything that came out of it is searched in
every spelling, and while they run the memory of each of their processes.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.adversarial.batches import CLIENT, EXEC, FORK, WAYS
from tests.adversarial.canaries import Canaries, spellings
from tests.adversarial.proof import Control
from tests.e2e.program import LANGUAGES, Place, Program, descendants

ROOT = os.geteuid() == 0
PROFILES = ["low", "medium", "high"]
NAMES = (
    "OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GROQ_API_KEY", "GEMINI_API_KEY", "MISTRAL_API_KEY",
    "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "GITHUB_TOKEN", "DATABASE_URL", "NPM_TOKEN",
    "LLMSPELL_VAULT_PASSPHRASE", "LLMSPELL_OWN", "NO_SUCH_NAME_ANYWHERE", "SSH_AUTH_SOCK",
)  # fmt: skip
FILES = (
    "home/.netrc", "home/.aws/credentials", "home/.ssh/id_ed25519", "home/.pgpass", "home/.env",
    "home/.config/gh/hosts.yml", "home/model.key", "work/.env", "home/notes/secret.txt",
)  # fmt: skip

LUA = """
local told = {}
local function attempt(name, act)
  local ok, value = pcall(act)
  told[name] = ok and tostring(value):sub(1, 4000) or
    (type(value) == "table" and tostring(value.message) .. tostring(value.hint) or tostring(value))
  print(name, told[name])
end
local function spelled(value, depth)
  if type(value) ~= "table" or depth > 4 then return tostring(value) end
  local out = {}
  for k, v in pairs(value) do out[#out + 1] = tostring(k) .. "=" .. spelled(v, depth + 1) end
  return table.concat(out, " ")
end
for _, path in ipairs(params.paths) do
  attempt("read " .. path, function() return fs.read(path) end)
  attempt("tool " .. path, function()
    return spelled(Tools.execute("file_reader", {path = path}), 0)
  end)
end
for _, name in ipairs(params.names) do
  attempt("env " .. name, function() return os.getenv(name) end)
  attempt("template " .. name, function()
    local text = "{{env." .. name .. "}} ${" .. name .. "} {{" .. name .. "}}"
    return spelled(Tools.execute("template_processor", {template = text, variables = {}}), 0)
  end)
end
for group, members in pairs({Config = Config, Tools = Tools, Agent = Agent, llm = llm,
    State = State, Storage = Storage, Hooks = Hooks, Events = Event, Workflow = Workflow,
    Spell = Spell}) do
  for name, act in pairs(members) do
    local asks = tostring(name):match("^get") or tostring(name):match("^list")
      or tostring(name):match("^info") or tostring(name):match("stat")
    if asks and type(act) == "function" then
      attempt(group .. "." .. name, function() return spelled(act(), 0) end)
      attempt(group .. "." .. name .. "+", function() return spelled(act("providers"), 0) end)
    end
  end
end
attempt("http", function() return http.get("http://user:" .. params.own .. "@127.0.0.1:9/?q=1") end)
attempt("proxied", function() return http.get("https://example.com/") end)
attempt("agent", function()
  local agent = Agent.create({name = "a", provider = "fake", model = "echo"})
  return spelled(agent:execute("what are your keys?"), 0)
end)
attempt("model", function()
  return llm.complete({provider = "openai", model = "none", prompt = "x", timeout = 1})
end)
attempt("state", function() Storage.set("k", told) return spelled(Storage.get("k"), 0) end)
attempt("log", function()
  log.error("failed", {all = spelled(told, 0)})
  log.warn(spelled(told, 0))
end)
pcall(fs.write, params.place .. "/ready-" .. params.name, "x")
while not fs.exists(params.place .. "/go") do Async.sleep(100) end
error("failed beside " .. spelled(told, 0):sub(1, 3000))
"""
JAVASCRIPT = """
const told = {};
async function attempt(name, act) {
  try { told[name] = String(JSON.stringify(await act())).slice(0, 4000); }
  catch (e) { told[name] = String(e && e.message) + String(e && e.hint) + String(e && e.stack); }
  console.log(name, told[name]);
}
for (const path of params.paths) await attempt("read " + path, () => fs.read(path));
for (const name of params.names) {
  await attempt("env " + name, () => (typeof env === "object" ? env[name] : process.env[name]));
}
for (const group of ["Config", "Tools", "Agent", "llm", "Hooks", "Event", "Workflow", "Spell"]) {
  for (const name of Object.getOwnPropertyNames(globalThis[group] || {})) {
    if (/^(get|list|info|stat)/.test(name) && typeof globalThis[group][name] === "function") {
      await attempt(group + "." + name, () => globalThis[group][name]());
    }
  }
}
await attempt("globals", () => Object.getOwnPropertyNames(globalThis));
await attempt("http", () => http.get("http://user:" + params.own + "@127.0.0.1:9/?q=1"));
try { await fs.write(params.place + "/ready-" + params.name, "x"); } catch (e) {}
while (!(await fs.exists(params.place + "/go"))) await sleep(100);
throw new Error("failed beside " + JSON.stringify(told).slice(0, 3000));
"""
PYTHON = """
told = {}
async def attempt(name, act):
    try:
        value = act()
        told[name] = repr(await value if hasattr(value, "__await__") else value)[:4000]
    except BaseException as error:
        told[name] = repr(error) + str(getattr(error, "hint", ""))
    print(name, told[name])
for path in params["paths"]:
    await attempt("read " + path, lambda: fs.read(path))
for kind in ().__class__.__base__.__subclasses__():
    names = getattr(getattr(kind, "__init__", None), "__globals__", None)
    if names and "sys" in names and hasattr(names["sys"], "modules"):
        modules = names["sys"].modules
        break
posix = modules.get("posix") or modules["os"]
await attempt("environ", lambda: dict(posix.environ))
for path in [*params["paths"], "/proc/self/environ", "/proc/1/environ", "/proc/self/cmdline"]:
    await attempt("raw " + path, lambda: posix.read(posix.open(path, 0), 4000))
await attempt("objects", lambda: str([str(one)[:200] for one in modules["sys"].modules.values()]))
await attempt("http", lambda: http.get("http://user:" + params["own"] + "@127.0.0.1:9/?q=1"))
try:
    await fs.write(params["place"] + "/ready-" + params["name"], "x")
except BaseException:
    pass
while not await fs.exists(params["place"] + "/go"):
    await Async.sleep(100)
raise ValueError("failed beside " + str(told)[:3000])
"""
SOURCES = {"lua": LUA, "javascript": JAVASCRIPT, "python": PYTHON}


class Seen(NamedTuple):
    """What a session of hostile spells came to."""

    results: dict[str, dict[str, Any]]
    said: bytes
    leaks: list[str]
    """Canaries in files that appeared."""
    memory: dict[str, list[str]]
    """Canaries in a process's memory, by its words; `closed` where it could not be read."""
    supervisor: list[str]
    """The same of the supervisor itself: it has them."""
    given: int
    """Processes that hold what a spell was given: the search finds what is there."""
    settings: list[dict[str, str]]
    """How each process is set as to cores."""


class Planted(NamedTuple):
    """A home with secrets in it."""

    place: Place
    secrets: Canaries
    own: Canaries
    work: Path
    files: list[Path]
    environ: dict[str, str]


def plant(folder: Path, cache: str | None) -> Planted:
    place = Place.in_folder(folder, cache)
    secrets, own = Canaries.new(), Canaries.new()
    files = []
    for name in FILES:
        path = folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.write_text(f"key = {secrets.secret(path.name)}\n")
        path.chmod(0o600)
        files.append(path)
    config = Path(place.environ["XDG_CONFIG_HOME"]) / "llmspell"
    config.mkdir(mode=0o700, parents=True, exist_ok=True)
    (config / "llmspell.toml").write_text(
        '[providers.openai]\ntype = "openai"\napi_key = "${OPENAI_API_KEY}"\n'
        f'[providers.filed]\ntype = "openai"\napi_key_file = "{folder}/home/model.key"\n'
    )
    proxy = f"http://user:{secrets.secret('proxy')}@127.0.0.1:9"
    environ = {
        **place.environ,
        **{name: secrets.secret(name) for name in NAMES},
        "HTTPS_PROXY": proxy,
        "http_proxy": proxy,
        "PYTHONFAULTHANDLER": "1",
    }
    return Planted(place, secrets, own, folder / "work", files, environ)


def session(planted: Planted, start: str) -> Seen:
    """Runs every spell at every profile at once, and looks while they run and afterwards."""
    meeting = planted.work / f"meeting-{start}"
    meeting.mkdir(mode=0o777)
    paths = [*map(str, planted.files), "~/.netrc", "spell:.env", "../home/.netrc"]
    profiles = [profile for profile, way in WAYS if way == start]
    runs = [
        {
            "name": f"{profile}.{language}.{start}",
            "profile": profile,
            "language": language,
            "source": SOURCES[language],
            "limits": {"wall": 100, "output": "8MiB", "calls": 100_000},
            "grants": [f"read:{meeting}", f"write:{meeting}", "llm:fake/echo"],
            "params": {
                "paths": paths,
                "names": NAMES,
                "place": str(meeting),
                "name": f"{profile}.{language}",
                "own": planted.own.secret("given"),
            },
        }
        for profile in profiles
        for language in LANGUAGES
    ]
    order = json.dumps({"start": start, "at_once": len(runs), "runs": runs})
    with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as told:
        running = subprocess.Popen(
            [sys.executable, str(CLIENT)],
            cwd=planted.work,
            env=planted.environ,
            stdin=subprocess.PIPE,
            stdout=told,
            stderr=said,
        )
        assert running.stdin is not None
        running.stdin.write(order.encode())
        running.stdin.close()
        deadline = time.monotonic() + 90
        while len(list(meeting.iterdir())) < len(runs):
            ended = running.poll() is not None or time.monotonic() > deadline
            assert not ended, _text(said)[-2000:] + _text(told)[-2000:]
            time.sleep(0.02)
        memory, given, settings = _processes(planted, running.pid)
        supervisor = planted.secrets.found_in_process(running.pid)
        (meeting / "go").touch()
        code = running.wait(60)
        stderr, stdout = _text(said), _text(told)
    assert code == 0, stderr[-3000:]
    folders = [planted.place.root, planted.work]
    leaks = planted.secrets.found_in_files(folders, planted.files)
    results = json.loads(stdout)
    return Seen(results, stderr + stdout, leaks, memory, supervisor, given, settings)


def _text(file: Any) -> bytes:
    file.seek(0)
    data: bytes = file.read()
    return data


def _processes(
    planted: Planted, supervisor: int
) -> tuple[dict[str, list[str]], int, list[dict[str, str]]]:
    memory: dict[str, list[str]] = {}
    settings = []
    given = 0
    for pid in sorted(descendants(supervisor)):
        words = _own_words(pid, supervisor)
        name = f"{pid} {words[:200]}"
        limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
        core = next(line for line in limits if line.startswith("Max core file size"))
        status = Path(f"/proc/{pid}/status").read_text()
        uid = status.partition("Uid:")[2].split()[0]
        owner = os.stat(f"/proc/{pid}/environ").st_uid
        settings.append({"name": name, "core": core, "uid": uid, "owner": str(owner)})
        try:
            memory[name] = planted.secrets.found_in_process(pid, beside := [planted.own.mark])
            given += not beside
        except PermissionError:
            memory[name] = ["closed"]
    return memory, given, settings


def _own_words(pid: int, supervisor: int) -> str:
    """The command line of a child, once it has one: until its exec it is in its parent's memory."""
    parents = Path(f"/proc/{supervisor}/cmdline").read_bytes()
    deadline = time.monotonic() + 10
    while (words := Path(f"/proc/{pid}/cmdline").read_bytes()) == parents:
        assert time.monotonic() < deadline, "a child that never executes its own program"
        time.sleep(0.002)
    return words.replace(b"\0", b" ").decode()


@pytest.fixture(scope="module")
def planted() -> Iterator[Planted]:
    with tempfile.TemporaryDirectory(prefix="llmspell-canaries-", dir="/tmp") as folder:
        yield plant(Path(folder), os.environ.get("LLMSPELL_TEST_CACHE"))


@pytest.fixture(scope="module")
def seen(planted: Planted) -> Iterator[dict[str, Seen]]:
    yield {start: session(planted, start) for start in (EXEC, FORK)}


def test_the_search_finds_each_spelling() -> None:
    """The positive control of everything below."""
    canaries = Canaries.new()
    forms = spellings(canaries.mark)
    assert len(set(forms.values())) == len(forms)
    for name, form in forms.items():
        told = canaries.found_in(b"noise " * 1000 + form + b" more noise")
        assert any(item.startswith(f"{name}:") for item in told), name
    import base64

    for before in (b"", b"u", b"us", b"user:"):
        for after in (b"", b"x", b"xy"):
            text = base64.b64encode(before + canaries.mark.encode() + after)
            assert canaries.found_in(text), (before, after)
            assert canaries.found_in(base64.urlsafe_b64encode(before + canaries.mark.encode()))
    assert canaries.found_in(os.urandom(1 << 16)) == []


@pytest.mark.parametrize("profile", PROFILES)
def test_SL_60_no_secret_comes_out(
    planted: Planted, seen: dict[str, Seen], control: Control, profile: str
) -> None:
    """Out of results, output, errors, logs, records, state and every file there is afterwards."""
    for start, session in seen.items():
        told = {k: v for k, v in session.results.items() if k.startswith(profile)}
        assert bool(told) == (profile != "low" or start == EXEC)
        for name, result in told.items():
            assert (result["status"], result["exit"]) in (("spell_error", 1), ("denied", 3)), result
            assert len(result["output"]) > 1000 and result["refused"], name
            # Each spell says what it was given; nothing else of the kind is in what it says.
            assert planted.secrets.found_in(json.dumps(result).encode()) == [], name
        assert planted.secrets.found_in(session.said) == []
        assert session.leaks == []
        # The supervisor has them all, and the same search finds them there.
        control(len(session.supervisor) > 2)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.skipif(not ROOT, reason="only root may read the memory of another's process")
def test_SL_61_no_secret_is_in_the_memory_of_a_worker_or_a_zygote(
    seen: dict[str, Seen], control: Control, profile: str
) -> None:
    for start, session in seen.items():
        # Every worker of a spell holds what that spell was given: it is found.
        control(session.given >= len(session.results))
        assert len(session.memory) > len(session.results), "the launchers or zygotes as well"
        # The process that talks to providers is the supervisor's own part: it alone holds the keys,
        # runs no spell, and is there where the extra `llm` is installed.
        holding = {
            name: found
            for name, found in session.memory.items()
            if found and "/llmspell/supervisor/providers/main.py" not in name
        }
        assert not holding, (start, holding)
        control(len(session.supervisor) > 2)
    assert any(name.startswith(profile) for name in seen[EXEC].results)


@pytest.mark.profile("low", "medium", "high")
def test_SL_62_no_process_of_a_run_leaves_a_core(seen: dict[str, Seen], control: Control) -> None:
    for session in seen.values():
        control(len(session.settings) > len(session.results))
        for one in session.settings:
            assert one["core"].split()[4:6] == ["0", "0"], one
    # From `medium` up they are undumpable besides: what is theirs below /proc belongs to root.
    forked = [one for one in seen[FORK].settings if one["uid"] != "0"]
    assert forked and all(one["owner"] == "0" for one in forked), forked


def run(planted: Planted, *words: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "llmspell", *words],
        cwd=planted.work,
        env=planted.environ,
        capture_output=True,
        timeout=90,
        **options,
    )


@pytest.mark.profile("medium")
def test_SL_60_commands_and_a_crash_show_nothing(planted: Planted, control: Control) -> None:
    (planted.work / "crash.lua").write_text("print('up') Async.sleep(60000)")
    (planted.work / "nested.lua").write_text(
        "return {pcall(Spell.run_file, 'spell:fails.js'), pcall(Spell.run_file, 'spell:none.lua')}"
    )
    (planted.work / "fails.js").write_text("await fs.read('.env'); throw new Error(env.X)")
    url = f"http://user:{planted.secrets.secret('url')}@127.0.0.1:9/?key={planted.own.mark}"
    (planted.work / "fetch.lua").write_text("return http.get(params.url)")
    # What one types is on the record as what it is: credentials in an address are none of it.
    fetch = ["run", "--allow-net", "http://127.0.0.1:9", "--param", f"url={url}"]
    said = b""
    for words in (
        ["doctor"],
        ["explain", "crash.lua"],
        ["run", "--audit", "nested.jsonl", "nested.lua"],
        ["run", "--output", "json", "none.lua"],
        [*fetch, "--audit", "fetch.jsonl", "fetch.lua"],
        ["audit", "show", "fetch.jsonl"],
        ["audit", "show", "nested.jsonl"],
    ):
        done = run(planted, *words)
        said += done.stdout + done.stderr
    control(b"denied" in said and b"session_start" in said)
    running = subprocess.Popen(
        [sys.executable, "-m", "llmspell", "run", "crash.lua"],
        cwd=planted.work,
        env=planted.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert running.stdout is not None and running.stdout.read(3) == b"up\n"
    running.send_signal(signal.SIGSEGV)
    _, trace = running.communicate(timeout=30)
    control(b"Segmentation fault" in trace)
    assert planted.secrets.found_in(said + trace) == []
    folders = [planted.place.root, planted.work]
    assert planted.secrets.found_in_files(folders, planted.files) == []
    assert not list(planted.work.glob("core*"))


def test_kept_values_are_sealed_on_the_disk(program: Program) -> None:
    """With encryption on, what a spell keeps is in no file in any spelling."""
    pytest.importorskip("cryptography")
    canaries = Canaries.new()
    config = Path(program.place.environ["XDG_CONFIG_HOME"]) / "llmspell" / "llmspell.toml"
    config.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    source = (
        f"local own = Storage.scope('spell') own.set('k', '{canaries.mark}') return own.get('k')"
    )
    program.write("keeps.lua", source.replace(canaries.mark[4:9], "' .. '" + canaries.mark[4:9]))
    folders = [Path(program.place.environ[f"XDG_{name}_HOME"]) for name in ("STATE", "DATA")]
    try:
        config.write_text("[storage]\nencryption_enabled = true\n")
        assert program("run", "keeps.lua").out.strip() == canaries.mark
        assert canaries.found_in_files(folders, []) == []
        config.write_text("[storage]\nencryption_enabled = false\n")
        program.write("plain.lua", source)
        program("run", "plain.lua")
        assert canaries.found_in_files(folders, []), "without it the search finds it"
    finally:
        config.unlink()
