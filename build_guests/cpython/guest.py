"""Builds the CPython guest: the interpreter, then its library by means of it, then both in one.

The interpreter's objects take a minute and change only with CPython or zig, so they are kept by
themselves; bytecode and the link take a few seconds.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from build_guests import store
from build_guests.compiler import run_zig
from build_guests.cpython.files import (
    CORE_MODULES,
    FLAGS,
    LIBRARIES,
    MODULES,
    SOURCES,
    STACK,
    ZLIB_SOURCES,
)
from build_guests.cpython.freezer import freeze
from build_guests.cpython.library import BOOTSTRAP, Module, modules
from build_guests.pins import CPYTHON, ZIG, ZLIB
from build_guests.settings import Settings
from build_guests.sources import unpack

TARGET = "wasm32-wasi"
HERE = "build_guests/cpython"
GUESTS = "llmspell/sandboxes/wasm/guests"
_COMMON = ("fail.c", "heap.c", "libc_host.c", "python_host.c", "python_libc.c", "stack.c")
_LINK = ("-mexec-model=reactor", "-O2", "-s", f"-Wl,-z,stack-size={STACK}", "-Wl,--export-memory")


def inputs(root: Path) -> list[Path]:
    """Every file of ours whose change must change the guest."""
    guest = (root / GUESTS / name for name in (*_COMMON, "python_guest.c", "python_freeze.c"))
    headers = (root / GUESTS).glob("*.h")
    recipe = (path for path in (root / HERE).iterdir() if path.is_file())
    return sorted([*guest, *headers, *recipe])


def key(root: Path) -> str:
    """The hash of everything that goes into the guest."""
    content = [path.read_bytes() for path in inputs(root)]
    pinned = repr((ZIG, CPYTHON, ZLIB)).encode()
    return "python-" + hashlib.sha256(b"\0".join([pinned, *content])).hexdigest()


def build(root: Path, settings: Settings) -> bytes:
    """The guest's content. Raises BuildError; SourceMissing when CPython can't be had."""
    with tempfile.TemporaryDirectory(prefix="llmspell-python-") as folder:
        work = Path(folder)
        python = unpack(CPYTHON, settings, work)
        unpack(ZLIB, settings, work)
        (work / "pyconfig.h").write_bytes((root / HERE / "pyconfig.h").read_bytes())
        for path in (root / GUESTS).iterdir():
            (work / path.name).write_bytes(path.read_bytes())
        (work / "interpreter.a").write_bytes(_interpreter(work, settings))
        (work / "config.c").write_text(_config(), encoding="utf-8")
        (work / "frozen.c").write_text(_frozen([], {}), encoding="utf-8")
        freezer = _link(work, "python_freeze.c", settings)
        library = modules()
        code = freeze(freezer, python / "Lib", library)
        for number, name in enumerate(code):
            (work / f"frozen-{number}").write_bytes(code[name])
        (work / "frozen.c").write_text(
            _frozen(library, {name: number for number, name in enumerate(code)}), encoding="utf-8"
        )
        return _link(work, "python_guest.c", settings)


def _includes() -> list[str]:
    include = f"{CPYTHON.folder}/Include"
    return [
        "-I.",
        *(f"-isystem{folder}" for folder in (include, f"{include}/internal", ZLIB.folder)),
        f"-isystem{CPYTHON.folder}/Modules/_hacl/include",
        f"-isystem{CPYTHON.folder}/Modules/_decimal/libmpdec",
        f"-isystem{CPYTHON.folder}",
    ]


def _interpreter(work: Path, settings: Settings) -> bytes:
    described = json.dumps([ZIG, CPYTHON, ZLIB, FLAGS, SOURCES, ZLIB_SOURCES]).encode()
    described += (work / "pyconfig.h").read_bytes()
    name = "python-objects-" + hashlib.sha256(described).hexdigest()
    kept = store.find(name, settings)
    if kept is not None:
        return kept
    files = [f"{CPYTHON.folder}/{file}" for file in SOURCES]
    files += [f"{ZLIB.folder}/{file}" for file in ZLIB_SOURCES]
    flags = [*FLAGS, *_includes()]
    # The long ones first: else the last one is compiled alone. The longest, the interpreter's
    # loop, is a small file that includes others.
    by_size = sorted(files, key=lambda file: -(work / file).stat().st_size)
    by_size.sort(key=lambda file: not file.endswith("/ceval.c"))
    with ThreadPoolExecutor(max_workers=os.cpu_count() or 1) as pool:
        list(pool.map(lambda file: _compile(work, file, flags), by_size))
    run_zig(["ar", "rcsD", "interpreter.a", *map(_object, files)], work, "python.wasm")
    content = (work / "interpreter.a").read_bytes()
    store.keep(name, content, settings)
    return content


def _object(file: str) -> str:
    return file.replace("/", "_") + ".o"


def _compile(work: Path, file: str, flags: list[str]) -> str:
    command = ["cc", "-target", TARGET, "-c", *flags, file, "-o", _object(file)]
    run_zig(command, work, "python.wasm")
    return _object(file)


def _link(work: Path, main: str, settings: Settings) -> bytes:
    """Links one program: the interpreter with `main`, `config.c` and `frozen.c` as they are now."""
    includes = _includes()
    theirs = [_compile(work, file, [*FLAGS, *includes]) for file in ("config.c", "frozen.c")]
    strict = [*(flag for flag in FLAGS if flag != "-w"), "-Wall", "-Wextra", "-Werror"]
    ours = [_compile(work, file, [*strict, *includes]) for file in (main, *_COMMON)]
    command = ["cc", "-target", TARGET, *_LINK, *ours, *theirs, "interpreter.a", *LIBRARIES]
    run_zig([*command, "-o", "output"], work, "python.wasm")
    return (work / "output").read_bytes()


def _config() -> str:
    """The table of built-in modules, and what `sys.version` says of the build."""
    makers = {name: f"PyInit_{name}" for name in MODULES} | CORE_MODULES
    real = [maker for maker in makers.values() if maker != "NULL"]
    return "\n".join(
        [
            "#include <Python.h>",
            *(f"PyObject *{maker}(void);" for maker in real),
            "struct _inittab _PyImport_Inittab[] = {",
            *(f'  {{"{name}", {maker}}},' for name, maker in makers.items()),
            "  {NULL, NULL}};",
            'const char *Py_GetBuildInfo(void) { return "llmspell"; }',
            'const char *_Py_gitversion(void) { return ""; }',
            'const char *_Py_gitidentifier(void) { return ""; }',
            "",
        ]
    )


def _frozen(library: list[Module], numbers: dict[str, int]) -> str:
    """The tables of frozen modules; `numbers` tells in which file the code of each name lies."""
    lines = ["#include <Python.h>", "#include <pycore_import.h>"]
    for number in numbers.values():
        lines += [f"static const unsigned char m{number}[] = {{", f'#embed "frozen-{number}"', "};"]
    bootstrap = [(name, False) for name in BOOTSTRAP if name in numbers]
    others = [(module.name, module.is_package) for module in library]
    aliases = [("collections.abc", "_collections_abc"), ("os.path", "posixpath")]
    for table, rows in (("bootstrap", bootstrap), ("library", others)):
        lines.append(f"static const struct _frozen {table}[] = {{")
        for name, is_package in rows:
            code = f"m{numbers[name]}"
            lines.append(f'  {{"{name}", {code}, sizeof {code}, {int(is_package)}}},')
        if table == "library" and rows:
            for name, real in aliases:
                code = f"m{numbers[real]}"
                lines.append(f'  {{"{name}", {code}, sizeof {code}, 0}},')
        lines.append("  {0, 0, 0, 0}};")
    lines += [
        "static const struct _frozen nothing[] = {{0, 0, 0, 0}};",
        "static const struct _module_alias aliases[] = {",
        *(f'  {{"{name}", "{real}"}},' for name, real in aliases),
        '  {"_frozen_importlib", "importlib._bootstrap"},',
        '  {"_frozen_importlib_external", "importlib._bootstrap_external"},',
        "  {0, 0}};",
        "const struct _frozen *_PyImport_FrozenBootstrap = bootstrap;",
        "const struct _frozen *_PyImport_FrozenStdlib = library;",
        "const struct _frozen *_PyImport_FrozenTest = nothing;",
        "const struct _frozen *PyImport_FrozenModules = nothing;",
        "const struct _module_alias *_PyImport_FrozenAliases = aliases;",
        "",
    ]
    return "\n".join(lines)
