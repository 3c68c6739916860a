"""The table of brokered methods: the API's description joined to the services that act."""

from __future__ import annotations

from llmspell.errors import InternalError
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.lookup import function_of
from llmspell.spells.api.model import Function, Param
from llmspell.spells.api.schema import compile_params
from llmspell.supervisor.broker import CallContext, Method

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Final

    from llmspell.supervisor.services import Services

NEEDS: Final[Mapping[str, str]] = {
    "fs.read": "read",
    "fs.list": "read",
    "fs.stat": "read",
    "fs.exists": "read",
    "fs.write": "write",
    "fs.append": "write",
    "fs.mkdir": "write",
    "fs.remove": "write",
    "fs.move": "write",
    "http.request": "net",
}
"""What a tool must have declared to call a method; a method not listed is for spells alone."""

EXECUTE: Final = "tools.execute"

UNJUDGED: Final = frozenset(
    {
        "stdin.read",
        "storage.get",
        "storage.set",
        "storage.delete",
        "storage.list",
        "storage.clear",
        "storage.exists",
    }
)
"""Methods without any effect outside the run, so without a verdict of their own."""


LOAD_MODULE: Final = Function(
    "load",
    "Whether the spell may load a module; the preludes ask before they refuse one.",
    (Param("name", ("string",), "the module", required=True, minimum=1, maximum=256),),
    "{own_folder}",
    wire="modules.load",
)
"""Not part of the script API: `require` and `import` of each language call it."""


_checks: Final[dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]]] = {}
"""The checks of the methods' arguments: the same for every run, so made once."""


class Methods:
    """Every described method with its check and its service, each made when it is first called."""

    __slots__ = ("_made", "_services")

    def __init__(self, services: Services, engine: str) -> None:
        self._services = services
        loader = _module_loader(engine)
        check = _check_of(LOAD_MODULE)
        self._made = {LOAD_MODULE.wire: Method(LOAD_MODULE.wire, check, loader, None, True)}

    def get(self, name: str) -> Method | None:
        """The method, or None for what no version of the script API describes.

        Raises `InternalError` when a described method has no service: it would pretend to exist.
        """
        method = self._made.get(name)
        if method is None:
            function = function_of(name)
            if function is None:
                return None
            # Most tool calls go to the tool bench: their service is looked for when one does not.
            perform = self._execute_tool if name == EXECUTE else self._services.find(name)
            if perform is None:
                raise InternalError(f"{name} is described but has no service")
            judged = not (function.unjudged or name in UNJUDGED)
            method = Method(name, _check_of(function), perform, NEEDS.get(name), judged)
            self._made[name] = method
        return method

    def _execute_tool(self, context: CallContext, args: dict[str, Any]) -> Any:
        perform = self._services.find(EXECUTE)
        if perform is None:
            raise InternalError(f"{EXECUTE} is described but has no service")
        return perform(context, args)


def _check_of(function: Function) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    check = _checks.get(function.wire)
    if check is None:
        check = _checks[function.wire] = compile_params(function)
    return check


def _module_loader(engine: str) -> Callable[[CallContext, dict[str, Any]], dict[str, Any]]:
    def load(context: CallContext, args: dict[str, Any]) -> dict[str, Any]:
        rules = context.policy.modules
        context.judge(rules.judge(args["name"], engine), action="module", target=args["name"])
        return {"own_folder": rules.own_folder}

    return load
