"""Which hooks are registered where, and in which order they run (HOOK-026, HOOK-030, X24)."""

from __future__ import annotations

from llmspell.channel.jsontext import Callback
from llmspell.errors import InvalidInput, LimitExceeded
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Final

    from llmspell.spells.hooks.definition import Hook

PER_POINT_MAX: Final = 10
"""Hooks at one point (HOOK-030)."""

HOOKS_MAX: Final = 256
"""Hooks of one run, registered or not, the agents' own included."""


class Registry:
    """Hooks by id and by point; `at` is what runs, in order, worked out when something changes."""

    __slots__ = ("_at", "_by_id", "_made", "_per_point", "_points")

    def __init__(self, per_point: int = PER_POINT_MAX) -> None:
        self._per_point = min(per_point, PER_POINT_MAX)
        self._by_id: dict[str, Hook] = {}
        self._points: dict[str, list[Hook]] = {}
        self._at: dict[str, tuple[Hook, ...]] = {}
        self._made = 0

    def next_id(self) -> str:
        """The id of the next hook. Raises `LimitExceeded` when there are too many."""
        if len(self._by_id) >= HOOKS_MAX:
            raise LimitExceeded("hooks", f"a run has at most {HOOKS_MAX} hooks")
        self._made += 1
        return f"hook-{self._made}"

    def keep(self, hook: Hook) -> None:
        """Takes a hook in, registered nowhere yet."""
        self._by_id[hook.id] = hook

    def hook(self, identity: str) -> Hook | None:
        """The hook of an id."""
        return self._by_id.get(identity)

    def register(self, point: str, hook: Hook) -> None:
        """Puts a hook at a point; twice is once.

        Raises `LimitExceeded` (over ten), `InvalidInput` 5009 (dependencies in a circle) or 5010
        (it excludes, or is excluded by, a hook that is there).
        """
        there = self._points.get(point, [])
        if hook in there:
            return
        if len(there) >= self._per_point:
            raise LimitExceeded(
                "hooks_per_point",
                f"the point {point} has {self._per_point} hooks, the most it takes",
            )
        for other in there:
            if other.name in hook.conflicts or hook.name in other.conflicts:
                raise InvalidInput(
                    f"the hooks {hook.name} and {other.name} exclude each other",
                    code=5010,
                    kind="hook_conflict",
                )
        circle = _circle([*there, hook])
        if circle:
            raise InvalidInput(
                f"the hooks {' → '.join(circle)} depend on each other",
                code=5009,
                kind="hook_cycle",
            )
        self._points.setdefault(point, []).append(hook)
        self._by_id[hook.id] = hook
        self._order(point)

    def unregister(self, point: str, hook: Hook) -> bool:
        """Takes a hook from a point; whether it was there."""
        there = self._points.get(point, [])
        if hook not in there:
            return False
        there.remove(hook)
        if not there:
            del self._points[point]
        self._order(point)
        is_function = isinstance(hook.act, Callback)
        if is_function and not any(hook in others for others in self._points.values()):
            # What a factory made may be registered again.
            self._by_id.pop(hook.id, None)
        return True

    def reorder(self, hook: Hook) -> None:
        """Looks again at the points of a hook that was enabled or disabled."""
        for point, hooks in self._points.items():
            if hook in hooks:
                self._order(point)

    def at(self, point: str) -> tuple[Hook, ...]:
        """The enabled hooks of a point in the order in which they run."""
        return self._at.get(point, ())

    def any(self, points: tuple[str, ...]) -> bool:
        """Whether one of the points has an enabled hook."""
        return any(point in self._at for point in points)

    def points(self) -> Iterator[tuple[str, tuple[Hook, ...]]]:
        """Every point with hooks, and all of its hooks by priority."""
        for point, hooks in sorted(self._points.items()):
            yield point, tuple(sorted(hooks, key=lambda hook: -hook.priority))

    def waiting(self, point: str) -> list[Hook]:
        """Enabled hooks that don't run, for want of a dependency."""
        running = self.at(point)
        return [h for h in self._points.get(point, ()) if h.enabled and h not in running]

    def _order(self, point: str) -> None:
        ordered = _ordered([hook for hook in self._points.get(point, ()) if hook.enabled])
        if ordered:
            self._at[point] = ordered
        else:
            self._at.pop(point, None)


def _ordered(hooks: list[Hook]) -> tuple[Hook, ...]:
    """Highest priority first, each after those it depends on; left out while one is missing."""
    left = sorted(hooks, key=lambda hook: -hook.priority)
    names: set[str] = set()
    ordered: list[Hook] = []
    while left:
        ready = next((h for h in left if names.issuperset(h.dependencies)), None)
        if ready is None:
            break
        left.remove(ready)
        names.add(ready.name)
        ordered.append(ready)
    return tuple(ordered)


def _circle(hooks: list[Hook]) -> list[str]:
    """The names of a circle of dependencies, closed, or nothing."""
    needs = {hook.name: hook.dependencies for hook in hooks}
    finished: set[str] = set()

    def walk(name: str, path: list[str]) -> list[str]:
        if name in path:
            return [*path[path.index(name) :], name]
        if name in finished or name not in needs:
            return []
        for needed in needs[name]:
            found = walk(needed, [*path, name])
            if found:
                return found
        finished.add(name)
        return []

    for name in needs:
        circle = walk(name, [])
        if circle:
            return circle
    return []
