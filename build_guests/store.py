"""The build cache: outputs by the hash of everything that went into them.

A second build finds all outputs here and needs neither zig nor a network. A file is written beside
its place and renamed, so a build that is killed leaves nothing half-written under a key.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path

from build_guests.pins import ZIG
from build_guests.recipes import Recipe, own_inputs
from build_guests.settings import Settings


def key(recipe: Recipe, root: Path, settings: Settings) -> str:
    """The hash of the commands, our files, their archive and the compiler's version."""
    described = {
        "recipe": recipe,
        "flags": settings.flags,
        "zig": ZIG,
        "ours": [
            (str(path.relative_to(root)), hashlib.sha256(path.read_bytes()).hexdigest())
            for path in own_inputs(recipe, root)
        ],
    }
    return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def find(name: str, settings: Settings) -> bytes | None:
    """What is kept under a key, or None."""
    try:
        return (settings.cache / name).read_bytes()
    except FileNotFoundError:
        return None


def keep(name: str, content: bytes, settings: Settings) -> None:
    """Keeps an output under its key."""
    write(settings.cache / name, content, 0o600)


def write(path: Path, content: bytes, mode: int) -> None:
    """Replaces a file in one step. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, beside = tempfile.mkstemp(dir=path.parent, prefix=".new-")
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
        os.chmod(beside, mode)
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise
