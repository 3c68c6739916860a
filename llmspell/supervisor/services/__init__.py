"""What brokered calls do: files, scratch, web, storage, standard input; one file an idea.

Every function gets a checked call and a `CallContext`; it acts on what that context judged.
May not live here: decisions (policies), the order of the broker's steps, anything of the worker's.
"""

from __future__ import annotations

from collections.abc import Callable

from llmspell.errors import InternalError
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
    from collections.abc import Mapping
    from typing import Any, Final

    from llmspell.errors import LlmspellError
    from llmspell.policies.policy import Policy
    from llmspell.supervisor.services.web import Resolve, Web
    from llmspell.supervisor.session import Session

Service = Callable[[CallContext, dict[str, "Any"]], "Any"]
"""Returns the value, or a coroutine of it. Raises `LlmspellError`."""


LATER: Final[Mapping[str, tuple[str, str]]] = {
    "agent": ("agents", "AgentService"),
    "template": ("agents", "AgentService"),
    "llm": ("models", "ModelService"),
    "tools": ("tools", "ToolService"),
    "storage": ("state", "StateService"),
    "hooks": ("hooks", "HookService"),
    "hook_manager": ("hooks", "HookService"),
    "events": ("events", "EventService"),
    "workflow": ("workflows", "WorkflowService"),
    "spell": ("spells", "SpellService"),
    "orchestrator": ("orchestration", "OrchestrationService"),
    "errors": ("errors", "ErrorService"),
    "config": ("settings", "ConfigService"),
    "scheduler": ("scheduler", "SchedulerService"),
}
"""Services that few runs need, by the part of a wire name before its dot: file and class.

Each is made with the `Host`, has `table` (wire name → function) and `close()`.
"""


TOOL_POINTS: Final = ("before_tool_execution", "after_tool_execution", "tool_error")
"""Where a hook sees tool calls."""


class Services:
    """The services of one session and the handles they hold.

    `stdin` is a descriptor the spell may read (not owned, not closed). `resolve` replaces the
    system's name resolution, for tests and hosts with their own. Opening the granted folders here
    pins them: renaming them later changes nothing.
    """

    __slots__ = (
        "_above",
        "_elsewhere",
        "_made",
        "_policy",
        "_resolve",
        "_scratch",
        "_walker",
        "_web",
        "session",
        "storage",
        "table",
    )

    def __init__(
        self,
        policy: Policy,
        *,
        stdin: int | None = None,
        resolve: Resolve | None = None,
        above: Services | None = None,
    ) -> None:
        """`above` are the services of the run that this one belongs to: its quotas hold too."""
        if above is not None:
            resolve = above._resolve
        self._above = above
        self._policy = policy
        self._resolve: Resolve | None = resolve
        self._web: Web | None = None
        self._made: dict[tuple[str, str], Any] = {}
        self.session: Session | None = None
        folders = policy.files.roots
        roots = [folders.working, folders.spell]
        if folders.workspace is not None:
            roots.append(folders.workspace)
        self._walker = Walker(roots)
        self._scratch: Scratch = Scratch(
            policy.limits.scratch, None if above is None else above._scratch
        )
        self._elsewhere: Quota = Quota(
            policy.limits.scratch, above=None if above is None else above._elsewhere
        )
        scratch = self._scratch
        reading = FileReading(self._walker, scratch)
        changes = FileChanges(
            self._walker,
            scratch,
            folders.workspace,
            self._elsewhere,
            Quota(policy.limits.scratch, self._measure_workspace(folders.workspace)),
        )
        storage = self.storage = Storage(later=lambda: self.service("storage"))
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
            "storage.get": storage.perform("storage.get", storage.get),
            "storage.set": storage.perform("storage.set", storage.set),
            "storage.delete": storage.perform("storage.delete", storage.delete),
            "storage.exists": storage.perform("storage.exists", storage.exists),
            "storage.list": storage.perform("storage.list", storage.list),
            "storage.clear": storage.perform("storage.clear", storage.clear),
            "stdin.read": Stdin(stdin).read,
        }

    def find(self, wire: str) -> Service | None:
        """The function behind a wire name; its service is made with its first call."""
        found = self.table.get(wire)
        if found is None:
            prefix = wire.partition(".")[0]
            if prefix in LATER:
                found = self.service(prefix).table.get(wire)
        return found

    def service(self, prefix: str) -> Any:
        """The service of some wire names, made at first need."""
        made = self._made.get(LATER[prefix])
        if made is None:
            from importlib import import_module

            from llmspell.supervisor.desk import Desk

            if self.session is None:
                raise InternalError("a service was used before its session began")
            module, name = LATER[prefix]
            kind = getattr(import_module(f"llmspell.supervisor.services.{module}"), name)
            made = kind(Desk(self.session, self))
            self._made[LATER[prefix]] = made
        return made

    def made(self, prefix: str) -> Any:
        """The service of some wire names if it is in use, else None."""
        return self._made.get(LATER[prefix])

    def objection(self) -> LlmspellError | None:
        """What is wrong with a run that says it is done; only the models' service can object."""
        models = self.made("llm")
        found: LlmspellError | None = None if models is None else models.objection()
        return found

    def intercepts(self, tool: str) -> bool:
        """Whether the tools' service or the hooks', where in use, want to see a tool's call."""
        if not self._made:
            return False
        tools, hooks = self.made("tools"), self.made("hooks")
        return (tools is not None and tools.intercepts(tool) is True) or (
            hooks is not None and hooks.any(*TOOL_POINTS) is True
        )

    def close(self) -> None:
        """Lets every handle go. Idempotent."""
        made, self._made = list(self._made.values()), {}
        for service in made:
            service.close()
        self._scratch.release()
        self._walker.close()

    async def _request(self, ctx: CallContext, args: dict[str, Any]) -> Any:
        return await self._the_web().request(ctx, args)

    def _the_web(self) -> Web:
        if self._web is None:
            # Most runs never ask for it, and it is a third of this room's import.
            from llmspell.supervisor.services.web import Web

            above = None if self._above is None else self._above._the_web()
            self._web = Web(self._policy.limits, self._resolve, above)
        return self._web

    def _measure_workspace(self, folder: str | None) -> Callable[[], tuple[int, int]]:
        def now() -> tuple[int, int]:
            if folder is None:
                return 0, 0
            return measure(self._walker.root_of(folder)[0].handle())

        return now
