"""What is built, from what, and by which command. One `Recipe` for each file in `_built`."""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from build_guests.pins import LUA, QUICKJS, Source
from build_guests.settings import OPTIMISED, Settings

GUESTS: Final = "llmspell/sandboxes/wasm/guests"
WORKER: Final = "llmspell/sandboxes/wasm/worker"
CONFINE: Final = "llmspell/sandboxes/confine"

# Not the makefile's list: no operating system, files, packages or interpreter program.
LUA_FILES: Final = (
    *("lapi", "lauxlib", "lbaselib", "lcode", "lcorolib", "lctype", "ldblib", "ldebug", "ldo"),
    *("ldump", "lfunc", "lgc", "llex", "lmathlib", "lmem", "lobject", "lopcodes", "lparser"),
    *("lstate", "lstring", "lstrlib", "ltable", "ltablib", "ltm", "lundump", "lutf8lib", "lvm"),
    "lzio",
)
QUICKJS_FILES: Final = ("quickjs", "libregexp", "libunicode", "dtoa")

LUA_STACK: Final = 1 << 20
JS_STACK: Final = 1536 << 10
JS_STACK_LIMIT_KIB: Final = 1280
"""The engine's own depth check, below its stack by what one native function may need."""


class Recipe(NamedTuple):
    """One output.

    `ours` are files of this repository and compiled without a warning, `theirs` files of `source`.
    `target` is zig's name for the machine.
    """

    output: str
    target: str
    flags: tuple[str, ...]
    ours: tuple[str, ...]
    source: Source | None
    theirs: tuple[str, ...]
    link: tuple[str, ...]


def _c_files(root: Path, folder: str) -> list[str]:
    return sorted(f"{folder}/{path.name}" for path in (root / folder).glob("*.c"))


def recipes(root: Path, settings: Settings) -> list[Recipe]:
    """The recipes of a mode. `root` is the top of the repository."""
    built = [_lua(settings)]
    if settings.mode != "minimal":
        built.append(_quickjs())
    confine = [file for file in _c_files(root, CONFINE) if not file.endswith("/launch.c")]
    gnu = f"{settings.architecture}-linux-gnu.2.28"
    musl = f"{settings.architecture}-linux-musl"
    worker = [*_c_files(root, WORKER), *confine]
    # Static: it starts before anything else does, and the loader would cost it a millisecond.
    built.append(_native("llmspell-launch", musl, [*confine, f"{CONFINE}/launch.c"], "-static"))
    built.append(_native("libconfine.so", gnu, confine, "-shared"))
    built.append(_native("llmspell-worker", gnu, worker, "-pie", "-ldl"))
    return built


def _native(output: str, target: str, files: list[str], *link: str) -> Recipe:
    flags = ("-std=gnu11", "-fPIC", "-fstack-protector-strong", f"-I{CONFINE}", f"-I{WORKER}")
    hardened = ("-Wl,-z,relro", "-Wl,-z,now")
    return Recipe(output, target, flags, tuple(files), None, (), (*link, *hardened))


def _guest_files(*names: str) -> tuple[str, ...]:
    shared = ("fail.c", "heap.c", "libc_host.c", "numbers.c", "stack.c")
    return tuple(f"{GUESTS}/{name}" for name in (*names, *shared))


def _lua(settings: Settings) -> Recipe:
    # zig makes -O2 of -O3; and the engine's hot paths lead through small functions of many files.
    fast = ("-flto", "-Xclang", "-O3") if settings.mode in OPTIMISED else ()
    return Recipe(
        "lua.wasm",
        "wasm32-wasi",
        (
            "-mexec-model=reactor",
            *("-include", f"{GUESTS}/lua_config.h"),
            "-mexception-handling",
            *fast,
            f"-I{GUESTS}",
        ),
        _guest_files("lua_guest.c", "lua_try.s"),
        LUA,
        tuple(f"{name}.c" for name in LUA_FILES),
        (*fast[:1], "-lm", f"-Wl,-z,stack-size={LUA_STACK}", "-Wl,--export-memory"),
    )


def _quickjs() -> Recipe:
    return Recipe(
        "quickjs.wasm",
        "wasm32-wasi",
        (
            "-mexec-model=reactor",
            "-fno-strict-aliasing",
            "-fno-sanitize=undefined",
            "-D_GNU_SOURCE",
            *("-include", f"{GUESTS}/numbers.h"),
            "-DQUICKJS_NG_BUILD",
            "-D_WASI_EMULATED_SIGNAL",
            "-D_WASI_EMULATED_PROCESS_CLOCKS",
            f"-DJS_STACK_LIMIT_KIB={JS_STACK_LIMIT_KIB}",
            f"-I{GUESTS}",
        ),
        _guest_files("js_guest.c"),
        QUICKJS,
        tuple(f"{name}.c" for name in QUICKJS_FILES),
        (
            "-lm",
            "-lwasi-emulated-signal",
            "-lwasi-emulated-process-clocks",
            f"-Wl,-z,stack-size={JS_STACK}",
            "-Wl,--export-memory",
        ),
    )


def own_inputs(recipe: Recipe, root: Path) -> list[Path]:
    """Every file of ours whose change must change the output: sources and all headers beside."""
    folders = {(root / file).parent for file in recipe.ours}
    if recipe.source is None:
        folders |= {root / CONFINE, root / WORKER}
    headers = [path for folder in folders for path in folder.glob("*.h")]
    return sorted({*(root / file for file in recipe.ours), *headers})
