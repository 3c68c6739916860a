"""Builds what is missing and puts everything into the package's `_built` folder."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from build_guests import filters, store
from build_guests.compiler import build
from build_guests.cpython import guest as python_guest
from build_guests.pins import FINDER, SECCOMP, WASMTIME, ZIG
from build_guests.recipes import WORKER, Recipe, recipes
from build_guests.settings import BuildError, Settings, SourceMissing
from build_guests.sources import needs_network

OUTPUT = "llmspell/sandboxes/_built"
PYTHON = "python.wasm"
_GENERATOR = "llmspell/spells/api/generate.py"
_GENERATED = "llmspell/sandboxes/preludes/_generated"
_PROFILES_COMPILER = "llmspell.profiles.compile"
_PROFILES = "llmspell/profiles/_generated.py"


def requirements(root: Path, settings: Settings) -> list[str]:
    """The packages this build needs: none when the cache holds everything."""
    missing = [
        recipe
        for recipe in recipes(root, settings)
        if store.find(store.key(recipe, root, settings), settings) is None
    ]
    python = _wants_python(settings) and store.find(python_guest.key(root), settings) is None
    needed = [f"ziglang=={ZIG}"] if missing or python else []
    if python:
        needed.append(f"wasmtime=={WASMTIME}")
    if any(recipe.source and needs_network(recipe.source, settings) for recipe in missing):
        needed.append(FINDER)
    if not filters.is_kept(root, settings):
        needed.append(SECCOMP)
    return needed


def build_all(root: Path, settings: Settings) -> list[Path]:
    """Builds, writes `_built` and the preludes, and gives the files. Raises BuildError."""
    chosen = recipes(root, settings)
    with ThreadPoolExecutor(max_workers=2) as pool:
        contents = list(pool.map(lambda recipe: _obtain(recipe, root, settings), chosen))
    outputs = {recipe.output: content for recipe, content in zip(chosen, contents, strict=True)}
    python = _python(root, settings)
    if python is not None:
        outputs[PYTHON] = python
    outputs.update(filters.filters(root, settings))
    outputs["build.json"] = _manifest(root, settings, outputs)
    folder = root / OUTPUT
    for name, content in outputs.items():
        program = name.startswith(("llmspell-", "lib"))
        path = folder / name
        # A program that runs right now keeps its own file: the new one takes only the name.
        if not path.is_file() or path.read_bytes() != content:
            store.write(path, content, 0o755 if program else 0o644)
    for stale in folder.iterdir():
        if stale.name not in outputs:
            stale.unlink()
    return [folder / name for name in outputs] + _generate(root)


def _obtain(recipe: Recipe, root: Path, settings: Settings) -> bytes:
    name = store.key(recipe, root, settings)
    content = store.find(name, settings)
    if content is None:
        content = build(recipe, root, settings)
        store.keep(name, content, settings)
    return content


def _wants_python(settings: Settings) -> bool:
    return settings.mode != "minimal"


def _python(root: Path, settings: Settings) -> bytes | None:
    """The Python guest; None, said on stderr, when its source can't be had: it alone comes from
    elsewhere than a package index, and everything else works without it."""
    if not _wants_python(settings):
        return None
    name = python_guest.key(root)
    content = store.find(name, settings)
    if content is None:
        try:
            content = python_guest.build(root, settings)
        except SourceMissing as missing:
            print(f"llmspell: built without its Python guest: {missing}", file=sys.stderr)
            return None
        store.keep(name, content, settings)
    return content


def _manifest(root: Path, settings: Settings, outputs: dict[str, bytes]) -> bytes:
    """What run time has to know about the build, chiefly the guests' hashes."""
    header = (root / WORKER / "engine.h").read_text(encoding="utf-8")
    version = re.search(r"ENGINE_CONFIG_VERSION = (\d+)", header)
    if version is None:
        raise BuildError("engine.h names no ENGINE_CONFIG_VERSION")
    manifest = {
        "mode": settings.mode,
        "architecture": settings.architecture,
        "zig": ZIG,
        "engine_config": int(version[1]),
        "sha256": {
            name: hashlib.sha256(content).hexdigest() for name, content in sorted(outputs.items())
        },
    }
    return (json.dumps(manifest, indent=1) + "\n").encode()


def _generate(root: Path) -> list[Path]:
    """The preludes, from the description of the script API, and the profiles, from their TOML."""
    _run_generator(root, str(root / _GENERATOR), str(root / _GENERATED))
    _run_generator(root, "-m", _PROFILES_COMPILER)
    preludes = [path for path in (root / _GENERATED).iterdir() if path.is_file()]
    return [*preludes, root / _PROFILES]


def _run_generator(root: Path, *words: str) -> None:
    done = subprocess.run(
        [sys.executable, *words], cwd=root, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise BuildError(f"{words[-1]} could not be generated:\n{done.stderr}")
