"""The security settings of `llmspell.toml`: the user's file, then the project's, then environment.

The user's own file may say anything. A project's file lies in a folder that a stranger may have
filled, so it may only narrow: what would loosen is an error that says where it belongs. Other
sections of the file are not looked at here.
"""

from __future__ import annotations

import os

from llmspell.config import paths
from llmspell.errors import ConfigurationError
from llmspell.profiles.overrides import ScriptOverride
from llmspell.profiles.recipe import DEFAULT_PROFILE, Recipe, builtin, merged
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

    from llmspell.config.security import Found

FILE_NAME: Final = "llmspell.toml"

PROFILE_VARIABLE: Final = "LLMSPELL_SECURITY__PROFILE"
"""Sets the default profile (CFG-001: prefix LLMSPELL_, nesting by two underscores)."""

PATH_VARIABLE: Final = "LLMSPELL_CONFIG_PATH"
"""Names another file as the user's own (CFG-038)."""


NAMES_PLACES: Final = (PATH_VARIABLE, "LLMSPELL_PROVIDERS__", "LLMSPELL_FAKE_SCRIPT")
"""How variables begin that may name a file (`own_places`)."""

FILES_KEPT: Final = 64
"""Files whose meaning is remembered: a user's own, and one for each project."""


class SettingsLayer(NamedTuple):
    """What one file adds to a profile. `hosts`: the only ones, where the profile allows some;
    `closed`: file rights that no path of the profile keeps; `narrows`: it may not allow more
    than without it."""

    origin: str
    table: Mapping[str, Any]
    hosts: tuple[str, ...] | None
    narrows: bool
    closed: tuple[str, ...] = ()

    def apply(self, recipe: Recipe) -> Recipe:
        """The profile with this layer on top. Raises `ConfigurationError` for a loosening."""
        result = merged(recipe, self.table)
        if self.hosts is not None:
            result = _restrict(result, self.hosts, fill=not self.narrows)
        for right in self.closed:
            result["files"] = {**result["files"], right: []}
        if self.narrows:
            from llmspell.profiles.loosening import loosenings

            loosened = loosenings(recipe, result)
            if _only_public(recipe, self.hosts):
                loosened = [key for key in loosened if key != "net.allow"]
            if loosened:
                raise ConfigurationError(
                    f"{self.origin}: {loosened[0]} would allow more than without this file",
                    hint=f"what loosens belongs in {paths.config_folder()}/{FILE_NAME}",
                )
        return result


def _restrict(recipe: Recipe, hosts: tuple[str, ...], *, fill: bool) -> Recipe:
    """A list of domains restricts the looser profiles; with `fill` it is the list of `medium`.

    `high` grants no host without a grant for that very run, so it stays as it is.
    """
    if recipe["confinement"]["level"] == "high" or recipe["net"]["mode"] == "none":
        return recipe
    restricts = recipe["net"]["mode"] in ("any", "public")
    allowed = list(hosts) if restricts or fill else []
    kept = [host for host in recipe["net"]["allow"] if restricts or fill or host in hosts]
    net = {**recipe["net"], "mode": "listed"}
    net["allow"] = list(dict.fromkeys((*kept, *allowed)))
    return {**recipe, "net": net}


def _only_public(recipe: Recipe, hosts: tuple[str, ...] | None) -> bool:
    """Whether the listed hosts are a part of what the profile allowed anyway."""
    if hosts is None or recipe["net"]["mode"] not in ("any", "public"):
        return False
    if recipe["net"]["mode"] == "any":
        return True
    from llmspell.policies.hosts import parse_net_rule

    rules = [parse_net_rule(host) for host in hosts]
    return all(rule.network is None and rule.scheme != "http" for rule in rules) and not any(
        rule.host == "localhost" or rule.host.endswith(".localhost") for rule in rules
    )


class Settings(NamedTuple):
    """The settings in effect. `profile` is the default profile and None when nothing says one;
    `profile_origin` says what did. `overrides` are the ones of the user's own file; `places` is
    what the user's configuration lies in or names (`own_places`): no spell may touch it."""

    profile: str | None = None
    profile_origin: str | None = None
    layers: tuple[SettingsLayer, ...] = ()
    overrides: tuple[ScriptOverride, ...] = ()
    places: tuple[str, ...] = ()

    def overrides_for(self, script: str | None) -> tuple[ScriptOverride, ...]:
        """The overrides of one script, by its resolved path."""
        if script is None:
            return ()
        real = os.path.realpath(script)
        return tuple(item for item in self.overrides if item.script == real)


def load_settings(working_folder: str, environ: Mapping[str, str] = os.environ) -> Settings:
    """The settings for a run in this folder. Without any file nothing is imported or parsed.

    Raises `ConfigurationError` naming file and key: for what can't be parsed, an unknown key of
    `[security]`, a wrong type, a file somebody else could have written (EN-11), and a project
    file that loosens.
    """
    own_file = environ.get(PATH_VARIABLE) or os.path.join(paths.config_folder(environ), FILE_NAME)
    project_file = os.path.join(os.path.abspath(working_folder), FILE_NAME)
    settings = Settings()
    if PATH_VARIABLE in environ or os.path.lexists(own_file):
        settings = _read(own_file, settings, environ, narrows=False)
    if os.path.lexists(project_file) and not _same(project_file, own_file):
        settings = _read(project_file, settings, environ, narrows=True)
    if any(name.startswith(NAMES_PLACES) for name in environ):
        from llmspell.config.own_places import named_in_variables

        places = (*settings.places, *named_in_variables(environ))
        settings = settings._replace(places=places)
    named = environ.get(PROFILE_VARIABLE)
    if named is not None:
        builtin(named)
        settings = settings._replace(profile=named, profile_origin=f"variable {PROFILE_VARIABLE}")
    return settings


def _same(first: str, second: str) -> bool:
    return os.path.realpath(first) == os.path.realpath(second)


def _read(path: str, settings: Settings, environ: Mapping[str, str], *, narrows: bool) -> Settings:
    found, places = _meaning(path, paths.home(environ))
    if not narrows:
        settings = settings._replace(places=places)
    if found is None:
        return settings
    if narrows:
        if found.overrides:
            raise ConfigurationError(
                f"{path}: security.overrides can't stand in a project's file",
                hint=f"move it to {paths.config_folder(environ)}/{FILE_NAME}",
            )
        _refuse_looser_profile(path, found.profile, settings.profile)
    layer = SettingsLayer(f"configuration {path}", found.table, found.hosts, narrows, found.closed)
    return settings._replace(
        profile=found.profile or settings.profile,
        profile_origin=path if found.profile else settings.profile_origin,
        layers=(*settings.layers, layer),
        overrides=(*settings.overrides, *found.overrides),
    )


class Meaning(NamedTuple):
    """What `[security]` of a file means, and the places that the file names."""

    found: Found | None
    places: tuple[str, ...]


_checked: dict[tuple[str, str], tuple[bytes, Meaning]] = {}
"""What files meant when they were read last: by path and home, with the bytes that say it."""


def _meaning(path: str, home: str) -> Meaning:
    """What a file means. It is read, and its owner judged, at every run; the same bytes are parsed
    once."""
    from llmspell.profiles.files import parse_toml, read_trusted

    data = read_trusted(path)
    known = _checked.get((path, home))
    if known is not None and known[0] == data:
        return known[1]
    from llmspell.config.own_places import named_in_file

    tables = parse_toml(data, path)
    table = tables.get("security")
    found = None
    if table is not None:
        from llmspell.config.security import check_security

        found = check_security(table, path, home)
    meaning = Meaning(found, named_in_file(tables, path, home))
    if found is None or not found.overrides:
        # An exception names a script by where its path leads, which is looked up each time.
        if len(_checked) >= FILES_KEPT:
            _checked.clear()
        _checked[path, home] = (data, meaning)
    return meaning


def _refuse_looser_profile(path: str, wanted: str | None, current: str | None) -> None:
    if wanted is None:
        return
    from llmspell.profiles.loosening import loosenings

    # Not by the level alone: a preset of the same level may grant files, hosts and more of a limit.
    looser = loosenings(builtin(current or DEFAULT_PROFILE), builtin(wanted))
    if looser:
        raise ConfigurationError(
            f"{path}: security.profile {wanted!r} is looser than yours in {looser[0]}",
            hint=f"name it on the command line: --profile {wanted}",
        )
