"""Patterns over whole paths, matched component by component (so `/proj` never means `/proj-x`).

Each component may hold the wildcards of `globs`; `**` stands for any number of components.
"""

from __future__ import annotations

from llmspell.errors import UsageError
from llmspell.policies.globs import Glob, compile_glob, matches
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Final

ANY_DEPTH: Final = None
"""The compiled `**`."""

Component = str | Glob | None


class PathPattern(NamedTuple):
    """An absolute pattern. `below`: it covers everything under what it names as well."""

    text: str
    parts: tuple[Component, ...]
    prefix: tuple[str, ...]
    below: bool

    @property
    def literal(self) -> bool:
        """Whether it names exactly one path (and what is below it)."""
        return len(self.prefix) == len(self.parts)


def split(path: str) -> tuple[str, ...]:
    """The components of an absolute path."""
    return tuple(part for part in path.split("/") if part)


def compile_path(text: str, *, plain: bool = False) -> PathPattern:
    """Compiles an absolute pattern; with `plain`, wildcards and backslashes are literal.

    Raises `UsageError` when it is not absolute, holds `..`, NUL, or an unfinished set.
    """
    if not text.startswith("/") or "\x00" in text:
        raise UsageError(f"{text!r} is not an absolute path")
    parts: list[Component] = []
    for part in split(text):
        if part in (".", ".."):
            raise UsageError(f"{text!r} holds {part!r}: write the path that it means")
        if part == "**" and not plain:
            if not parts or parts[-1] is not ANY_DEPTH:
                parts.append(ANY_DEPTH)
        else:
            parts.append(part if plain else compile_glob(part))
    trailing = bool(parts) and parts[-1] is ANY_DEPTH
    if trailing:
        parts.pop()
    prefix: list[str] = []
    for component in parts:
        if not isinstance(component, str):
            break
        prefix.append(component)
    literal = len(prefix) == len(parts)
    return PathPattern(text, tuple(parts), tuple(prefix), trailing or literal)


def depths(pattern: PathPattern, path: tuple[str, ...]) -> frozenset[int]:
    """Every d for which the pattern names exactly the first d components of the path."""
    size = len(pattern.prefix)
    if path[:size] != pattern.prefix:
        return frozenset()
    at = {size}
    for component in pattern.parts[size:]:
        if component is ANY_DEPTH:
            at = set(range(min(at), len(path) + 1)) if at else at
        else:
            at = {
                depth + 1 for depth in at if depth < len(path) and matches(component, path[depth])
            }
    return frozenset(at)


def covers(pattern: PathPattern, path: tuple[str, ...]) -> bool:
    """Whether the pattern names the path, or (if it covers what is below) a folder above it."""
    found = depths(pattern, path)
    return bool(found) if pattern.below else len(path) in found


def deepest(pattern: PathPattern, path: tuple[str, ...]) -> int | None:
    """How deep into the path the pattern reaches, taking everything below it as meant too."""
    found = depths(pattern, path)
    return max(found) if found else None


def could_be_below(pattern: PathPattern, folder: tuple[str, ...]) -> bool:
    """Whether the pattern could name something strictly below the folder."""
    size = min(len(pattern.prefix), len(folder))
    if pattern.prefix[:size] != folder[:size]:
        return False
    return len(pattern.prefix) > len(folder) or not pattern.literal
