"""One section of the user's own `llmspell.toml`, read when something first needs it."""

from __future__ import annotations

import os

from llmspell.config import paths
from llmspell.errors import ConfigurationError
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class Section(NamedTuple):
    """A section's table and the file it is from; empty where there is none."""

    table: Mapping[str, Any]
    source: str


def own_section(name: str, environ: Mapping[str, str] = os.environ) -> Section:
    """The section of the user's own file, which nobody else can have written.

    Raises `ConfigurationError` naming the file.
    """
    path = environ.get("LLMSPELL_CONFIG_PATH") or os.path.join(
        paths.config_folder(environ), "llmspell.toml"
    )
    if not os.path.lexists(path):
        return Section({}, path)
    from llmspell.profiles.files import parse_toml, read_trusted

    table = parse_toml(read_trusted(path), path).get(name, {})
    if not isinstance(table, dict):
        raise ConfigurationError(f"{path}: {name} is no table")
    return Section(table, path)
