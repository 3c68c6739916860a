"""The system-call filters, compiled by the machine's libseccomp through `pyseccomp`."""

from __future__ import annotations

import hashlib
import importlib.util
import sys
import tempfile
from pathlib import Path

from build_guests import store
from build_guests.settings import BuildError, Settings

_FOLDER = "llmspell/platform/linux"


def _inputs(root: Path) -> list[Path]:
    return sorted((root / _FOLDER).glob("seccomp*.py"))


def key(root: Path) -> str:
    """The hash of the tables and of the code that compiles them."""
    content = b"".join(path.read_bytes() for path in _inputs(root))
    return "filters-" + hashlib.sha256(content).hexdigest()


def is_kept(root: Path, settings: Settings) -> bool:
    """Whether the filters were built before from the same tables."""
    return store.find(key(root), settings) is not None


def filters(root: Path, settings: Settings) -> dict[str, bytes]:
    """All filters by file name, from the cache or compiled now. Raises BuildError."""
    kept = store.find(key(root), settings)
    if kept is None:
        made = _compile(root)
        kept = b"".join(
            len(content).to_bytes(4, "little") + name.encode() + b"\0" + content
            for name, content in sorted(made.items())
        )
        store.keep(key(root), kept, settings)
    return _split(kept)


def _split(kept: bytes) -> dict[str, bytes]:
    found = {}
    at = 0
    while at < len(kept):
        size = int.from_bytes(kept[at : at + 4], "little")
        name, _, rest = kept[at + 4 :].partition(b"\0")
        found[name.decode()] = rest[:size]
        at += 4 + len(name) + 1 + size
    return found


def _compile(root: Path) -> dict[str, bytes]:
    path = root / _FOLDER / "seccomp.py"
    spec = importlib.util.spec_from_file_location("llmspell_build_seccomp", path)
    if spec is None or spec.loader is None:
        raise BuildError(f"{path} can't be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    with tempfile.TemporaryDirectory() as folder:
        try:
            module.build_programs(Path(folder))
        except (ImportError, OSError, RuntimeError) as error:
            raise BuildError(
                f"the system-call filters can't be compiled: {error}\n"
                "install libseccomp (Debian, Ubuntu: libseccomp2) and build again"
            ) from error
        return {file.name: file.read_bytes() for file in Path(folder).iterdir()}
