"""The wasm guests of `high`: where each comes from, and what its native worker is started with.

On the path of a run: nothing is hashed and wasmtime is never imported; a guest that was compiled
before costs a few file look-ups.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from llmspell.errors import IsolationRefused
from llmspell.records import TYPE_CHECKING, NamedTuple
from llmspell.supervisor import guest_cache, guest_image

if TYPE_CHECKING:
    from typing import Any, Final

WASMTIME: Final = "50.0.1"
"""The one version whose C interface the worker knows (sandboxes/wasm/worker/wasmtime.h)."""

BUILT: Final = Path(__file__).resolve().parent.parent / "sandboxes" / "_built"
PRELUDES: Final = BUILT.parent / "preludes" / "_generated"

_MODULE_FD: Final = 5
"""Where a worker finds its machine code. It is mapped before stage 1, which closes it."""

_BUILT_GUESTS: Final = {
    "lua": "lua.wasm",
    "javascript": "quickjs.wasm",
    "python": "python.wasm",
}
_SUFFIXES: Final = {"lua": "lua", "javascript": "js", "python": "py"}


class Guest(NamedTuple):
    """What the native worker is told. `pass_fds`: descriptor in the worker -> descriptor here.

    `module_path` names the machine code as the worker sees it. The descriptors stay open as long
    as this process lives and are shared by all runs of the engine.
    """

    engine: str
    wasmtime: Path
    module_path: Path
    prelude_path: Path
    pass_fds: dict[int, int]
    image_path: Path | None = None
    """The memory of the guest as it is when it was booted; None: it boots at every start."""


_opened: dict[str, int] = {}


def guest(engine: str) -> Guest:
    """Gives the guest of "lua", "javascript" or "python", compiling it at its first use.

    Raises IsolationRefused when a part is missing or isn't the expected one.
    """
    if engine not in _SUFFIXES:
        raise IsolationRefused(
            f"there is no wasm guest for {engine}", hint="use lua, javascript or python"
        )
    library = find_wasmtime()
    prelude = PRELUDES / f"prelude.{_SUFFIXES[engine]}"
    if not prelude.is_file():
        raise _incomplete(f"the {engine} prelude")
    order = _order(engine, library)
    if engine not in _opened:
        _opened[engine] = guest_cache.machine_code(order)
    module = Path(guest_cache.as_path(_MODULE_FD, guest_cache.folder() / order.name))
    return Guest(engine, library, module, prelude, {_MODULE_FD: _opened[engine]})


def booted(engine: str) -> Guest:
    """The same guest with an image of its booted memory, made at first use.

    Raises IsolationRefused as `guest` does; without an image the guest is given as it is.
    """
    found = guest(engine)
    return guest_image.booted(found, _order(engine, found.wasmtime))


def find_wasmtime() -> Path:
    """The wasmtime library, found without importing the package.

    Raises IsolationRefused when it is not installed or has another version than the pinned one.
    """
    inside = os.path.join("wasmtime", f"linux-{os.uname().machine}", "_libwasmtime.so")
    for folder in _import_folders():
        library = os.path.join(folder, inside)
        if os.path.isfile(library):
            _check_version(folder)
            return Path(library)
    raise IsolationRefused(
        "the wasmtime package is not installed, and 'high' runs spells in it",
        hint=f"pip install wasmtime=={WASMTIME}",
    )


def _check_version(folder: str) -> None:
    # The C interface has no call that tells its version; the metadata beside the library does.
    if os.path.isdir(os.path.join(folder, f"wasmtime-{WASMTIME}.dist-info")):
        return
    found = [
        name.removeprefix("wasmtime-").removesuffix(".dist-info")
        for name in os.listdir(folder)
        if name.startswith("wasmtime-") and name.endswith(".dist-info")
    ]
    raise IsolationRefused(
        f"wasmtime {found[0] if found else 'of an unknown version'} is installed, "
        f"but llmspell works with {WASMTIME} only",
        hint=f"pip install wasmtime=={WASMTIME}",
    )


def _order(engine: str, library: Path) -> guest_cache.Order:
    manifest = _manifest()
    name = _BUILT_GUESTS[engine]
    source, sha256 = BUILT / name, manifest["sha256"].get(name, "")
    if not source.is_file() or not sha256:
        raise _left_out() if engine == "python" else _incomplete(f"the {engine} guest")
    return guest_cache.Order(
        engine=engine,
        source=source,
        sha256=sha256,
        worker=BUILT / "llmspell-worker",
        library=library,
        variant=f"wasmtime-{WASMTIME}-config-{manifest['engine_config']}",
    )


def _manifest() -> dict[str, Any]:
    try:
        manifest = json.loads((BUILT / "build.json").read_bytes())
        if isinstance(manifest["sha256"], dict) and isinstance(manifest["engine_config"], int):
            return dict(manifest)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    raise _incomplete("the build's manifest")


def _left_out() -> IsolationRefused:
    # A build without a network makes everything else; see build_guests/build.py.
    return IsolationRefused(
        "this llmspell was built without its Python guest, so Python doesn't run at 'high'",
        hint="install a wheel that has it, or build again where CPython's source can be fetched "
        "(LLMSPELL_SOURCES names a folder with it); the profiles up to 'medium' run Python",
    )


def _import_folders() -> list[str]:
    # A relative or empty entry means the current folder, where anyone may have put a library.
    return [folder for folder in sys.path if os.path.isabs(folder)]


def _incomplete(what: str) -> IsolationRefused:
    return IsolationRefused(
        f"{what} is missing from this installation",
        hint="reinstall llmspell; in a checkout run: pip install -e .",
    )
