"""What brokered calls do: files, scratch, web, storage, standard input; one file an idea.

Every function gets a checked call and a `CallContext`; it acts on what that context judged.
May not live here: decisions (policies), the order of the broker's steps, anything of the worker's.
"""

from __future__ import annotations

from collections.abc import Callable

from llmspell.records import TYPE_CHECKING
from llmspell.supervisor.services.changes import FileChanges
from llmspell.supervisor.services.context import CallContext
from llmspell.supervisor.services.files import FileReading
from llmspell.supervisor.services.quota import Quota, measure
from llmspell.supervisor.services.scratch import Scratch
from llmspell.supervisor.services.stdin import Stdin
from llmspell.supervisor.services.storage import Storage
from llmspell.supervisor.services.walk import Walker

if TYPE_CHECKING:
    from typing import Any

    from llmspell.policies.policy import Policy
    from llmspell.supervisor.services.web import Resolve, Web

Service = Callable[[CallContext, dict[str, "Any"]], "Any"]
"""Returns the value, or a coroutine of it. Raises `LlmspellError`."""


class Services:
    """The services of one session and the handles they hold.

    `stdin` is a descriptor the spell may read (not owned, not closed). `resolve` replaces the
    system's name resolution, for tests and hosts with their own. Opening the granted folders here
    pins them: renaming them later changes nothing.
    """

    __slots__ = ("_policy", "_resolve", "_walker", "_web", "table")

    def __init__(
        self, policy: Policy, *, stdin: int | None = None, resolve: Resolve | None = None
    ) -> None:
        self._policy = policy
        self._resolve = resolve
        self._web: Web | None = None
        folders = policy.files.roots
        roots = [folders.working, folders.spell]
        if folders.workspace is not None:
            roots.append(folders.workspace)
        self._walker = Walker(roots)
        scratch = Scratch(policy.limits.scratch)
        reading = FileReading(self._walker, scratch)
        changes = FileChanges(
            self._walker,
            scratch,
            folders.workspace,
            Quota(policy.limits.scratch),
            Quota(policy.limits.scratch, self._measure_workspace(folders.workspace)),
        )
        storage = Storage()
        self.table: dict[str, Service] = {
            "fs.read": reading.read,
            "fs.list": reading.list,
            "fs.stat": reading.stat,
            "fs.exists": reading.exists,
            "fs.write": changes.write,
            "fs.append": changes.append,
            "fs.mkdir": changes.mkdir,
            "fs.remove": changes.remove,
            "fs.move": changes.move,
            "http.request": self._request,
            "storage.get": storage.get,
            "storage.set": storage.set,
            "storage.delete": storage.delete,
            "storage.exists": storage.exists,
            "storage.list": storage.list,
            "storage.clear": storage.clear,
            "stdin.read": Stdin(stdin).read,
        }

    def close(self) -> None:
        """Lets every handle go. Idempotent."""
        self._walker.close()

    async def _request(self, ctx: CallContext, args: dict[str, Any]) -> Any:
        if self._web is None:
            # Most runs never ask for it, and it is a third of this room's import.
            from llmspell.supervisor.services.web import Web

            self._web = Web(self._policy.limits, self._resolve)
        return await self._web.request(ctx, args)

    def _measure_workspace(self, folder: str | None) -> Callable[[], tuple[int, int]]:
        def now() -> tuple[int, int]:
            if folder is None:
                return 0, 0
            return measure(self._walker.root_of(folder)[0].handle())

        return now
