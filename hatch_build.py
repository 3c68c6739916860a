"""hatchling's build hook: makes the wheel a platform wheel with the native parts inside.

Editable installs run it too; the files land in `llmspell/sandboxes/_built`.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class NativeParts(BuildHookInterface[Any]):
    """Runs `build_guests` and tags the wheel."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What has to be installed for this very build; empty when the cache holds everything."""
        build, settings = self._modules()
        return list(build.requirements(Path(self.root), settings))

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        build, settings = self._modules()
        for path in build.build_all(Path(self.root), settings):
            build_data["artifacts"].append("/" + path.relative_to(self.root).as_posix())
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-manylinux_2_28_{settings.architecture}"

    def _modules(self) -> tuple[Any, Any]:
        # hatchling loads this file by its path, so the folder beside it isn't importable yet.
        if self.root not in sys.path:
            sys.path.insert(0, self.root)
        from build_guests import build
        from build_guests.settings import settings

        return build, settings()
