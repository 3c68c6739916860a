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
    from llmspell.tools.entry import Entry

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

UNJUDGED: Final = frozenset(
    {
        "stdin.read",
        "storage.get",
        "storage.set",
        "storage.delete",
        "storage.list",
        "storage.clear",
        "storage.exists",
        "tools.list",
        "tools.get",
        "tools.search",
        "tools.by_category",
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
            perform = _CATALOGUE.get(name) or self._services.find(name)
            if perform is None:
                raise InternalError(f"{name} is described but has no service")
            judged = not (function.unjudged or name in UNJUDGED)
            method = Method(name, _check_of(function), perform, NEEDS.get(name), judged)
            self._made[name] = method
        return method


def _check_of(function: Function) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    check = _checks.get(function.wire)
    if check is None:
        check = _checks[function.wire] = compile_params(function)
    return check


def _list(context: CallContext, args: dict[str, Any]) -> list[dict[str, Any]]:
    from llmspell.tools import registry

    category = args.get("category")
    found = registry.list_tools() if category is None else registry.by_category(category)
    return [_summary(entry) for entry in found]


def _by_category(context: CallContext, args: dict[str, Any]) -> list[dict[str, Any]]:
    from llmspell.tools import registry

    return [_summary(entry) for entry in registry.by_category(args["category"])]


def _search(context: CallContext, args: dict[str, Any]) -> list[dict[str, Any]]:
    from llmspell.tools import registry

    return [_summary(entry) for entry in registry.search(args["query"])]


def _get(context: CallContext, args: dict[str, Any]) -> dict[str, Any]:
    from llmspell.tools import registry

    return registry.describe(args["name"])


def _execute(context: CallContext, args: dict[str, Any]) -> Any:
    raise InternalError("tools.execute is done by the tool bench")


def _module_loader(engine: str) -> Callable[[CallContext, dict[str, Any]], dict[str, Any]]:
    def load(context: CallContext, args: dict[str, Any]) -> dict[str, Any]:
        rules = context.policy.modules
        context.judge(rules.judge(args["name"], engine), action="module", target=args["name"])
        return {"own_folder": rules.own_folder}

    return load


def _summary(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "category": entry.category,
        "description": entry.description,
        "security_level": entry.security_level,
        "required_permissions": sorted(entry.needs),
    }


_CATALOGUE: Final[Mapping[str, Callable[[CallContext, dict[str, Any]], Any]]] = {
    "tools.list": _list,
    "tools.get": _get,
    "tools.search": _search,
    "tools.by_category": _by_category,
    "tools.execute": _execute,
}
