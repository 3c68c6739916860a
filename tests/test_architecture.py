"""The shape of the whole: rooms, one-way dependencies, one place per danger, light imports."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = Path(__import__("llmspell").__file__ or "").resolve().parent

ORDER = (
    "records",
    "digests",
    "errors",
    "channel",
    "policies",
    "profiles",
    "config",
    "platform",
    "sandboxes",
    "tools",
    "llm",
    "spells",
    "supervisor",
    "cli",
)
"""A room may import rooms before it, itself, and nothing after it."""

HEAVY_IN_WORKERS = {"asyncio", "pydantic", "click", "httpx", "subprocess", "litellm", "wasmtime"}
NOT_ON_THE_RUN_PATH = {
    "asyncio",
    "click",
    "dataclasses",
    "httpx",
    "inspect",
    "litellm",
    "logging",
    "pydantic",
    "subprocess",
    "tomllib",
    "wasmtime",
}


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def room_of(path: Path) -> str:
    part = path.relative_to(PACKAGE).parts[0]
    return part.removesuffix(".py")


def imports_of(tree: ast.AST, *, top_only: bool = False) -> Iterator[str]:
    nodes = ast.iter_child_nodes(tree) if top_only else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module is not None and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_dependencies_point_one_way(path: Path) -> None:
    room = room_of(path)
    if room in ("__init__", "__main__"):
        return
    assert room in ORDER, f"{room} is a room that the contract does not know"
    allowed = set(ORDER[: ORDER.index(room) + 1])
    if room == "sandboxes":
        allowed = {"records", "errors", "channel", "sandboxes"}
    if room not in ("supervisor", "cli"):
        assert not {"platform", "sandboxes"} <= used_rooms(path), "only supervisor joins them"
    assert used_rooms(path) <= allowed | {"__version__"}


def used_rooms(path: Path) -> set[str]:
    found = set()
    for name in imports_of(tree_of(path)):
        parts = name.split(".")
        if parts[0] == "llmspell" and len(parts) > 1:
            found.add(parts[1])
    return found - {"__version__"}


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_are_small_and_say_what_they_are(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    if "_generated" in path.parts or "generated" in path.name:
        return
    assert text.count("\n") <= 500, "one idea each"
    if "preludes" in path.parts:
        assert text.startswith(("#", '"""')), "a fragment says what it is"
        return
    assert ast.get_docstring(tree_of(path)), "a file says what it is"


def test_every_room_says_what_may_not_live_there() -> None:
    for folder in sorted(path.parent for path in PACKAGE.glob("*/__init__.py")):
        text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
        assert text is not None and len(text.splitlines()) >= 3, folder.name


BANNED = {
    "spawns": (
        {"os.fork", "os.posix_spawn", "os.posix_spawnp", "os.system", "os.popen", "os.execv",
         "os.execve", "os.spawnv", "subprocess", "multiprocessing", "pty"},
        {"platform/linux/process.py", "platform/linux/spawner.py"},
    ),
    "dials": (
        {"socket.socket", "_socket.socket", "socket.create_connection",
         "asyncio.open_connection", "socketserver", "urllib.request", "http.client", "requests",
         "ftplib", "smtplib"},
        {"supervisor/services/dial.py"},
    ),
    "pickles": ({"pickle", "marshal", "shelve", "dill"}, set()),
}  # fmt: skip


def names_used(tree: ast.AST) -> set[str]:
    found = set(imports_of(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if isinstance(owner, ast.Name):
                found.add(f"{owner.id}.{node.func.attr}")
    return found


@pytest.mark.parametrize("danger", BANNED)
def test_EN_14_one_place_per_danger(danger: str) -> None:
    banned, homes = BANNED[danger]
    for path in sources():
        relative = str(path.relative_to(PACKAGE))
        if relative in homes or relative.startswith("sandboxes/"):
            continue
        used = names_used(tree_of(path))
        hits = {name for name in used if name in banned or name.split(".")[0] in banned}
        assert not hits, f"{relative} {danger} by {sorted(hits)}"


def test_EN_14_processes_are_started_in_one_place() -> None:
    forbidden = {"posix_spawn", "posix_spawnp", "fork", "forkpty", "popen", "Popen", "subprocess"}
    for suffix in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe"):
        forbidden |= {f"exec{suffix}", f"spawn{suffix}"}
    found = set()
    for path in sources():
        for node in ast.walk(tree_of(path)):
            names = {node.attr} if isinstance(node, ast.Attribute) else set()
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {alias.name.partition(".")[0] for alias in node.names}
                names.add((getattr(node, "module", None) or "").partition(".")[0])
            if names & forbidden:
                found.add(str(path.relative_to(PACKAGE)))
    assert found == {"platform/linux/process.py"}


def loaded_after(code: str) -> set[str]:
    program = f"import sys\nbefore = set(sys.modules)\n{code}\nprint(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd="/"
    )
    return set(done.stdout.split("\n")[-2].split())


def test_the_path_of_run_imports_nothing_heavy() -> None:
    code = (
        "from llmspell.cli import main\n"
        "import llmspell.cli.run, llmspell.supervisor.worker, llmspell.supervisor.services\n"
        # Loaded while the worker starts; tests/cli/test_imports.py holds the exact lists.
        "import llmspell.supervisor.prepare, llmspell.supervisor.session\n"
        "import llmspell.supervisor.drivers.blocking\n"
    )
    found = loaded_after(code)
    assert "llmspell.supervisor.session" in found
    assert not found & NOT_ON_THE_RUN_PATH, sorted(found & NOT_ON_THE_RUN_PATH)


def test_the_version_costs_no_command() -> None:
    found = loaded_after("import llmspell.cli\nllmspell.cli.main(['--version'])")
    assert not found & {"argparse", "json", "llmspell.cli.program"}


def test_importing_the_package_is_nearly_free() -> None:
    found = {name for name in loaded_after("import llmspell") if name.startswith("llmspell")}
    assert found == {"llmspell"}
