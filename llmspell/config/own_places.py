"""Files and folders that the user's own configuration names: keys, the vault, kept values.

A grant of the folder around one of them is about the folder, not about these: no spell may read or
write them, wherever they lie, as it may not touch llmspell's own folders. The places are taken as
they are written; whether they are good ones is said by whoever uses them.
"""

from __future__ import annotations

import os

from llmspell.config import paths
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any, Final

_STORAGE: Final = ("path", "encryption_key_path")
_PROVIDER: Final = ("api_key_file", "script")
_CASSETTES: Final = ("record", "replay")
_VARIABLES: Final = "LLMSPELL_PROVIDERS__"
_WHOLE: Final = ("LLMSPELL_CONFIG_PATH", "LLMSPELL_FAKE_SCRIPT")


def named_in_file(table: Mapping[str, Any], source: str, home: str) -> tuple[str, ...]:
    """The absolute places that the tables of the user's own file name."""
    folder = os.path.dirname(os.path.abspath(source))
    return tuple(
        os.path.join(folder, paths.expanded(text, {"HOME": home})) for text in _texts(table)
    )


def named_in_variables(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The absolute places that the environment names."""
    endings = tuple(f"__{key.upper()}" for key in (*_PROVIDER, *_CASSETTES))
    return tuple(
        os.path.abspath(paths.expanded(value, environ))
        for name, value in environ.items()
        if value
        and name.startswith("LLMSPELL_")
        and (name in _WHOLE or (name.startswith(_VARIABLES) and name.upper().endswith(endings)))
    )


def _texts(table: Mapping[str, Any]) -> Iterator[str]:
    storage, providers = table.get("storage"), table.get("providers")
    named: list[Any] = []
    if isinstance(storage, dict):
        named += [storage.get(key) for key in _STORAGE]
    if isinstance(providers, dict):
        named += [providers.get(key) for key in _CASSETTES]
        for provider in providers.values():
            if isinstance(provider, dict):
                named += [provider.get(key) for key in _PROVIDER]
    return (text for text in named if isinstance(text, str) and text and "\0" not in text)
