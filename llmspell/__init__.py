"""llmspell runs spells — Lua, JavaScript or Python scripts — confined, brokered and audited.

This is the package's front door: the few names an application uses. Each is imported at first
use, so that the command line and the workers stay light.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing`, or a module of ours, would not be nearly free

__version__ = "0.1.0"

_HOMES: Final = {
    "run": "llmspell.supervisor.api",
    "Supervisor": "llmspell.supervisor.api",
    "Spell": "llmspell.spells.spell",
    "Result": "llmspell.supervisor.result",
    "LlmspellError": "llmspell.errors",
    "Denied": "llmspell.errors",
    "LimitExceeded": "llmspell.errors",
}

if TYPE_CHECKING:
    from typing import Any, Final

    from llmspell.errors import Denied, LimitExceeded, LlmspellError
    from llmspell.spells.spell import Spell
    from llmspell.supervisor.api import Supervisor, run
    from llmspell.supervisor.result import Result

__all__ = [
    "Denied",
    "LimitExceeded",
    "LlmspellError",
    "Result",
    "Spell",
    "Supervisor",
    "__version__",
    "run",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'llmspell' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(home), name)
