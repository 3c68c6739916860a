"""The fixtures of the kits, found by name."""

from __future__ import annotations

from tests.supervisor.services.files_kit import desk, make
from tests.supervisor.services.web_kit import go

__all__ = ["desk", "go", "make"]
