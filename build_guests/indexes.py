"""The user's own package index settings, as pip reads them.

Order, later wins: system, user and environment configuration files, PIP_CONFIG_FILE, PIP_*
variables (pip's documentation, "Configuration"). Only the settings that say where packages come
from are read.
"""

from __future__ import annotations

import configparser
import os
import sys
from pathlib import Path
from typing import NamedTuple

_SECTIONS = ("global", "download", "install")


class Indexes(NamedTuple):
    """Where packages come from. `certificate` is a file of trusted authorities, or None."""

    index_urls: tuple[str, ...]
    find_links: tuple[str, ...]
    trusted_hosts: tuple[str, ...]
    certificate: str | None


def _configuration_files() -> list[Path]:
    chosen = os.environ.get("PIP_CONFIG_FILE")
    if chosen == os.devnull:
        return []
    home = Path(os.path.expanduser("~"))
    user = Path(os.environ.get("XDG_CONFIG_HOME") or home / ".config")
    system = (os.environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(os.pathsep)
    files = [Path(folder) / "pip" / "pip.conf" for folder in reversed(system)]
    files += [Path("/etc/pip.conf"), home / ".pip" / "pip.conf", user / "pip" / "pip.conf"]
    files.append(Path(os.environ.get("VIRTUAL_ENV") or sys.prefix) / "pip.conf")
    if chosen:
        files.append(Path(chosen))
    return files


def _from_files() -> dict[str, str]:
    found: dict[str, str] = {}
    for path in _configuration_files():
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (OSError, configparser.Error, UnicodeError):
            continue  # pip itself complains about such a file; a build only needs the rest
        for section in _SECTIONS:
            if parser.has_section(section):
                found.update({k.replace("_", "-"): v for k, v in parser.items(section)})
    return found


def indexes() -> Indexes:
    """Collects the settings. Without any, the public index."""
    chosen = _from_files()
    names = ("index-url", "extra-index-url", "find-links", "trusted-host", "cert", "no-index")
    for name in names:
        value = os.environ.get("PIP_" + name.upper().replace("-", "_"))
        if value:
            chosen[name] = value
    urls: tuple[str, ...] = ()
    if chosen.get("no-index", "").lower() not in ("1", "true", "yes", "on"):
        urls = (chosen.get("index-url", "https://pypi.org/simple/"),)
        urls += tuple(chosen.get("extra-index-url", "").split())
    return Indexes(
        urls,
        tuple(chosen.get("find-links", "").split()),
        tuple(chosen.get("trusted-host", "").split()),
        chosen.get("cert"),
    )
