"""The native worker's program: `python -I -S main.py --engine lua|javascript|python …`.

Arguments: `--site DIR` (repeatable) where the engine is installed, `--prelude FILE`,
`--confine LIBRARY` (then the first frame is a plan), `--profile NAME`, `--modules a,b` that were
granted and are loaded before confinement. For Python `--needs a,b` are the safe modules to load
(`safe_modules.named_in`); without it all are, which a zygote wants and a single run pays 40 ms for.
`--zygote 1` makes a zygote (zygote.py), whose children are the workers; then only modules of the
standard library may be granted, since others may keep what they drew or read when they were loaded.
Everything is loaded first; then the second stage of the confinement, `hello`, and the prelude,
which waits for the spell.
"""

from __future__ import annotations

import sys

ROOM = __file__.rpartition("/engines/")[0]
PACKAGE_PARENT = ROOM.rpartition("/llmspell/")[0]
CHANNEL = 3
SUFFIXES = {"lua": "lua", "javascript": "js", "python": "py"}

TYPE_CHECKING = False
if TYPE_CHECKING:
    from llmspell.sandboxes.engines.wire import Wire


class Options:
    """The command line; a mistake in it is the supervisor's and ends the worker with 64."""

    __slots__ = (
        "confine",
        "engine",
        "is_zygote",
        "modules",
        "needs",
        "prelude",
        "profile",
        "sites",
    )  # fmt: skip

    def __init__(self, words: list[str]) -> None:
        self.engine = ""
        self.sites: list[str] = []
        self.prelude = ""
        self.confine = ""
        self.profile = ""
        self.modules: list[str] = []
        self.needs: list[str] | None = None
        self.is_zygote = False
        if len(words) % 2:
            sys.exit(64)
        for name, value in zip(words[::2], words[1::2], strict=True):
            if name == "--engine" and value in SUFFIXES:
                self.engine = value
            elif name == "--site":
                self.sites.append(value)
            elif name == "--prelude":
                self.prelude = value
            elif name == "--confine":
                self.confine = value
            elif name == "--profile":
                self.profile = value
            elif name == "--modules":
                self.modules = _names(value)
            elif name == "--needs":
                self.needs = _names(value)
            elif name == "--zygote" and value == "1":
                self.is_zygote = True
            else:
                sys.exit(64)
        if not self.engine or (self.is_zygote and not self._makes_a_zygote()):
            sys.exit(64)
        if not self.prelude:
            suffix = SUFFIXES[self.engine]
            self.prelude = f"{ROOM}/preludes/_generated/prelude.{suffix}"

    def _makes_a_zygote(self) -> bool:
        tops = {name.partition(".")[0] for name in self.modules}
        return bool(self.confine) and tops <= sys.stdlib_module_names


def main(words: list[str]) -> None:
    """Runs one worker; does not come back."""
    options = Options(words)
    sys.path.extend(path for path in [*options.sites, PACKAGE_PARENT] if path not in sys.path)
    _skip_front_door()
    from llmspell.sandboxes.engines.host import load_host
    from llmspell.sandboxes.engines.wire import Wire, leave

    engine = options.engine
    if options.is_zygote:
        from llmspell.sandboxes.engines.confinement import Confinement, refuse
        from llmspell.sandboxes.engines.zygote import ZygoteWire, become_zygote

        shared = ZygoteWire(CHANNEL)
        host = load_host(engine)(shared, options.prelude, _to_load(options))
        try:
            confinement = Confinement(options.confine)
            become_zygote(shared, host, confinement, lambda achieved: _hello(engine, achieved))
        except OSError as failure:
            refuse(failure)
    else:
        wire = Wire(CHANNEL)
        host = load_host(engine)(wire, options.prelude, _to_load(options))
        wire.send(_hello(engine, _confine(wire, options.confine)))
    host.run()
    # The interpreter's own end would free every object: milliseconds, and the spell's finalizers.
    leave()


def _skip_front_door() -> None:
    """The package's `__init__` serves applications; a worker would pay 10 ms for its imports."""
    package = type(sys)("llmspell")
    package.__path__ = [f"{PACKAGE_PARENT}/llmspell"]
    sys.modules["llmspell"] = package


def _to_load(options: Options) -> list[str] | None:
    """What a Python spell may import; None at the profile none, where it imports for itself."""
    if options.profile == "none" or options.engine != "python":
        return None
    from llmspell.sandboxes.engines.safe_modules import INNER_MODULES, SAFE_MODULES

    safe = [*SAFE_MODULES, *INNER_MODULES] if options.needs is None else options.needs
    return [*safe, *options.modules]


def _names(words: str) -> list[str]:
    return [word for word in words.split(",") if word]


def _confine(wire: Wire, library: str) -> bytes:
    from llmspell.sandboxes.engines.confinement import NOTHING, Confinement, refuse

    if not library:
        return NOTHING
    try:
        confinement = Confinement(library)
        plan = wire.recv()
        assert plan is not None
        confinement.load(plan)
        return confinement.enter()
    except OSError as failure:
        refuse(failure)


def _hello(engine: str, achieved: bytes) -> bytes:
    return b'{"type":"hello","version":1,"engine":"%s","achieved":%s}' % (
        engine.encode("ascii"),
        achieved,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
