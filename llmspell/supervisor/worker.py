"""Starting a worker: program, arguments and confinement plan for an engine under a policy.

The one place where `platform` (how to confine) and `sandboxes` (what to run) meet.
"""

from __future__ import annotations

import os
import sys

from llmspell import platform
from llmspell.channel.frame import frame
from llmspell.channel.roles import Role
from llmspell.errors import IsolationRefused
from llmspell.policies.limits import number_of
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable
    from typing import Final

    from llmspell.platform import Process
    from llmspell.policies.policy import Policy
    from llmspell.spells.spell import Spell
    from llmspell.supervisor.guests import Guest
    from llmspell.supervisor.script_cache import Script

PACKAGE: Final = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
BUILT: Final = f"{PACKAGE}/sandboxes/_built"
ENGINES: Final = f"{PACKAGE}/sandboxes/engines/main.py"
TOOLS: Final = f"{PACKAGE}/tools/main.py"
"""Programs of the native workers, started by path: a worker imports nothing of the supervisor."""

TOOL_MEMORY: Final = 268_435_456
"""Bytes of memory one tool worker may use."""

TOOL_CPU: Final = 120.0
"""Seconds of processor time one tool worker may use over its life."""

TOOL_OPEN_FILES: Final = 32

WASM_MEMORY_MAX: Final = 4 << 30
"""Bytes a 32-bit guest can address: its bound where the policy says unlimited."""


class Start(NamedTuple):
    """What a worker is started with. `preamble` goes into the channel before the process runs."""

    argv: tuple[str, ...]
    preamble: bytes
    pass_fds: dict[int, int]


def engine_name(role: Role, engine: str) -> str:
    """What a worker of this role must call itself in its hello."""
    return "tools" if role is Role.TOOLS else engine


def level_for(role: Role, policy: Policy) -> str:
    """The confinement level of a worker: tool workers parse strangers' bytes, so never below
    `medium` where the machine can hold it."""
    return "medium" if role is Role.TOOLS else policy.confinement.level


def describe(role: Role, policy: Policy, spell: Spell, script: Script | None = None) -> Start:
    """Everything needed to start a worker. Raises `IsolationRefused` when a part is missing.

    `script` is the spell's, where it was kept.
    """
    level = level_for(role, policy)
    if role is Role.SPELL and level == "high":
        return _wasm(policy, spell.engine)
    return _native(role, level, policy, spell, script)


def start(described: Start, channel: int) -> Process:
    """Spawns the worker; its plan already waits in its channel."""
    return platform.spawn(
        described.argv, channel=channel, pass_fds=described.pass_fds, measured=True
    )


class ZygoteKind(NamedTuple):
    """Everything in which one zygote differs from another; runs that share it may share one."""

    role: Role
    engine: str
    level: str
    memory: int
    """Bytes of a wasm guest's own memory, fixed when it is booted; 0 for native engines."""
    modules: tuple[str, ...]


def zygote_kind(role: Role, policy: Policy, spell: Spell) -> ZygoteKind | None:
    """What a zygote must be to fork this worker; None where workers are only exec'ed."""
    level = level_for(role, policy)
    if level not in ("medium", "high"):
        return None
    if role is Role.TOOLS:
        return ZygoteKind(role, "tools", level, 0, ())
    if level == "high":
        return ZygoteKind(role, spell.engine, level, _guest_memory(policy), ())
    modules = tuple(policy.modules.granted(spell.engine))
    if any(name.partition(".")[0] not in sys.stdlib_module_names for name in modules):
        # A stranger's module may keep what it drew or read when it was loaded.
        return None
    return ZygoteKind(role, spell.engine, level, 0, modules)


def describe_zygote(kind: ZygoteKind) -> Start:
    """How a zygote of this kind is started. Raises `IsolationRefused` when a part is missing."""
    if kind.level == "high":
        guest = _guest(kind.engine)
        plan = platform.zygote_plan("high", "wasm")
        argv = wasm_command(guest, kind.memory, "zygote")
        return Start(argv, frame(plan.stage1), dict(guest.pass_fds))
    plan = platform.zygote_plan(kind.level, "native")
    words = ["--zygote", "1"]
    if kind.role is not Role.TOOLS:
        words += ["--engine", kind.engine, "--profile", kind.level]
        if kind.modules:
            words += ["--modules", ",".join(kind.modules)]
    argv = _native_command(kind.role, words)
    return Start(argv, frame(plan.stage1) + frame(plan.stage2), {})


def child_preamble(confinement: platform.Confinement) -> bytes:
    """What waits in the channel of a worker that a zygote forks."""
    return frame(platform.child_plan(confinement))


def confinement_of(role: Role, policy: Policy) -> platform.Confinement:
    """The confinement of a worker of this role under a policy."""
    level = level_for(role, policy)
    if role is Role.SPELL:
        return _confinement(level, "wasm" if level == "high" else "native", policy)
    confinement = _confinement(level, "native", policy)
    return confinement._replace(
        memory=TOOL_MEMORY,
        cpu=TOOL_CPU if confinement.cpu is None else min(confinement.cpu, TOOL_CPU),
        threads=1,
        processes=0,
        open_files=TOOL_OPEN_FILES,
        file_size=0,
    )


def _guest_memory(policy: Policy) -> int:
    memory = number_of(policy.limits.memory)
    return int(memory) if memory is not None else WASM_MEMORY_MAX


def _wasm(policy: Policy, engine: str) -> Start:
    guest = _guest(engine)
    plan = platform.plan(confinement_of(Role.SPELL, policy))
    return Start(
        wasm_command(guest, _guest_memory(policy)), frame(plan.stage1), dict(guest.pass_fds)
    )


_guests: dict[str, tuple[Hashable, Guest]] = {}
"""Guests found before, by engine, with the mark of everything they were found by."""


def _guest(engine: str) -> Guest:
    known = _guests.get(engine)
    if known is not None and known[0] == _mark(known[1]):
        return known[1]
    from llmspell.supervisor import guests

    found = guests.booted(engine)
    _guests[engine] = (_mark(found), found)
    return found


def _mark(guest: Guest) -> Hashable:
    """What changes when a guest's files do, or the places where they are looked for."""
    marks: list[object] = [
        tuple(sys.path),
        os.environ.get("XDG_CACHE_HOME"),
        os.environ.get("HOME"),
    ]
    for path in (f"{BUILT}/build.json", f"{guest.prelude_path}", f"{guest.wasmtime}"):
        try:
            status = os.stat(path)
        except OSError:
            return object()  # Equal to nothing: whoever looks for it says what is missing.
        marks.append((status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns))
    return tuple(marks)


def wasm_command(guest: Guest, memory: int, mode: str = "run") -> tuple[str, ...]:
    """The command that runs a guest in the native worker, with so many bytes of its own memory."""
    image = () if guest.image_path is None else ("--image", str(guest.image_path))
    return (
        _built("llmspell-worker"),
        mode,
        "--engine",
        guest.engine,
        "--wasmtime",
        str(guest.wasmtime),
        "--module",
        str(guest.module_path),
        "--prelude",
        str(guest.prelude_path),
        "--memory",
        str(memory),
        *image,
    )


def _native(role: Role, level: str, policy: Policy, spell: Spell, script: Script | None) -> Start:
    tools = role is Role.TOOLS
    confinement = confinement_of(role, policy)
    if level == "low":
        # The worker itself reads its interpreter's code and nothing else: what the spell reads
        # and writes goes through the broker, where also protected names are held.
        granted = policy.modules.granted(spell.engine)
        confinement = confinement._replace(read_paths=_code_folders(granted))
    plan = platform.plan(confinement)
    words: list[str] = []
    if not tools:
        words += ["--engine", spell.engine, "--profile", level]
        modules = policy.modules.granted(spell.engine)
        if modules:
            words += ["--modules", ",".join(modules)]
        if spell.engine == "python" and level != "none":
            # What the source names is loaded before the confinement; the rest costs 27 ms more.
            words += ["--needs", ",".join(_needs(spell) if script is None else script.needs)]
    return Start(_native_command(role, words), frame(plan.stage1) + frame(plan.stage2), {})


def _native_command(role: Role, words: list[str]) -> tuple[str, ...]:
    program = TOOLS if role is Role.TOOLS else ENGINES
    argv = [_built("llmspell-launch"), sys.executable, "-I", "-S", "-B", program]
    for folder in _site_folders():
        argv += ["--site", folder]
    return (*argv, *words, "--confine", _built("libconfine.so"))


def _needs(spell: Spell) -> tuple[str, ...]:
    from llmspell.sandboxes.engines.safe_modules import named_in

    return named_in(spell.source)


def _confinement(level: str, kind: str, policy: Policy) -> platform.Confinement:
    limits = policy.limits
    return platform.Confinement(
        level=level,
        kind=kind,
        memory=_count(limits.memory),
        cpu=number_of(limits.cpu),
        threads=_count(limits.threads),
        processes=_count(limits.processes),
        open_files=_count(limits.open_files),
        file_size=_count(limits.scratch),
    )


def _count(limit: object) -> int | None:
    number = number_of(limit)
    return None if number is None else int(number)


_TIME_ZONES: Final = "/usr/share/zoneinfo"
_PACKAGE_FOLDERS: Final = ("site-packages", "dist-packages")


def _code_folders(granted: Iterable[str]) -> tuple[str, ...]:
    """What a worker at `low` may read: the standard library, and the packages that it runs.

    No prefix as a whole, which may be `~/.local` with every program's data. A folder that holds
    packages and is not made for them is an application's own: of it only those that are used.
    """
    found = [os.path.dirname(os.__file__), _TIME_ZONES]
    found += [path for path in sys.path if os.path.basename(path) == "lib-dynload"]
    names = {"llmspell", "lupa", "quickjs", *(name.partition(".")[0] for name in granted)}
    names -= sys.stdlib_module_names
    for folder in _site_folders():
        if os.path.basename(folder) in _PACKAGE_FOLDERS:
            found.append(folder)
        else:
            found += [f"{folder}/{name}{end}" for name in sorted(names) for end in ("", ".py")]
    return tuple(dict.fromkeys(os.path.realpath(path) for path in found if os.path.exists(path)))


def _built(name: str) -> str:
    path = f"{BUILT}/{name}"
    if not os.access(path, os.X_OK if name != "libconfine.so" else os.R_OK):
        raise IsolationRefused(
            f"{name} is missing from this installation",
            rule="installation",
            hint="reinstall llmspell; in a checkout run: pip install -e .",
        )
    return path


def _site_folders() -> list[str]:
    """Where a native worker finds its engine: the folders that hold it, and nothing else."""
    found = [os.path.dirname(PACKAGE)]
    for folder in sys.path:
        if folder and folder not in found and _holds_an_engine(folder):
            found.append(folder)
    return found


def _holds_an_engine(folder: str) -> bool:
    return os.path.isdir(os.path.join(folder, "lupa")) or os.path.isfile(
        os.path.join(folder, "quickjs", "__init__.py")
    )
