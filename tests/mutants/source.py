"""Mutants of Python source: one replacement in the text of one module, made as it is imported."""

from __future__ import annotations

import importlib.abc
import importlib.machinery
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from pathlib import Path
from types import CodeType, ModuleType
from typing import NamedTuple

from tests.mutants import Mutant

ROOT = Path(__file__).resolve().parent.parent.parent


class Change(NamedTuple):
    """`old`, which stands exactly once in the module's source, becomes `new`."""

    name: str
    module: str
    old: str
    new: str
    what: str
    caught_by: tuple[str, ...]

    def mutant(self) -> Mutant:
        """The entry of this change in the list of all mutants."""
        return Mutant(self.name, self.path, self.what, self.caught_by)

    @property
    def path(self) -> str:
        """The module's file, from the root of the repository."""
        return self.module.replace(".", "/") + ".py"

    def apply(self, source: str) -> str:
        """The mutated source. Raises `LookupError` unless `old` stands in it exactly once."""
        if source.count(self.old) != 1:
            raise LookupError(f"{self.name}: stands {source.count(self.old)} times: {self.old!r}")
        return source.replace(self.old, self.new)


class _Loader(SourceFileLoader):
    def __init__(self, change: Change, path: str) -> None:
        super().__init__(change.module, path)
        self._change = change

    def get_code(self, fullname: str) -> CodeType | None:
        """Compiled from the mutated text; no cached bytecode is read or written."""
        source = Path(self.path).read_text(encoding="utf-8")
        return compile(self._change.apply(source), self.path, "exec", dont_inherit=True)


class Importer(importlib.abc.MetaPathFinder):
    """Finds the one module of a change before anyone else does. `loaded` says that it came by."""

    def __init__(self, change: Change) -> None:
        self._change = change
        self.loaded = False

    def install(self) -> None:
        """From now on the module is the mutated one. It must not have been imported before."""
        if self._change.module in sys.modules:
            raise RuntimeError(f"{self._change.module} was imported before its mutant")
        sys.meta_path.insert(0, self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The mutated module's spec; None for every other."""
        if fullname != self._change.module:
            return None
        found = importlib.machinery.PathFinder.find_spec(fullname, path)
        if found is None or found.origin is None:
            raise ImportError(f"there is no source of {fullname}")
        self.loaded = True
        return importlib.util.spec_from_file_location(
            fullname, found.origin, loader=_Loader(self._change, found.origin)
        )
