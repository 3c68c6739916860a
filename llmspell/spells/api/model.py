"""The shapes of the script API's description: modules, functions, parameters (inventory API-*)."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Any, Final, Literal

    Type = Literal[
        "string", "bytes", "integer", "number", "boolean", "object", "array", "any", "callback"
    ]
else:
    Type = str

TYPES: Final[tuple[Type, ...]] = (
    "string",
    "bytes",
    "integer",
    "number",
    "boolean",
    "object",
    "array",
    "any",
    "callback",
)


class Param(NamedTuple):
    """One named parameter; more than one type means any of them.

    Not required and without default: absent stays absent. `minimum` and `maximum` bound a number's
    value, a string's characters, the bytes of bytes and the length of an array.
    """

    name: str
    types: tuple[Type, ...]
    doc: str
    required: bool = False
    default: Any = None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()


class Function(NamedTuple):
    """One function of a module.

    `kind` "call" crosses the channel as `wire`; "local" is done in the prelude. The first
    `positional` parameters may be given by position, all of them by name. `after` names the
    prelude's step that gives the reply its methods ("tool", "tools", "response", "json");
    `fixed` are arguments that the function itself supplies. A local function with a `wire` is
    another spelling of that call.
    """

    name: str
    doc: str
    params: tuple[Param, ...] = ()
    returns: str = "nothing"
    kind: Literal["call", "local"] = "call"
    wire: str = ""
    positional: int = 0
    after: str = ""
    fixed: tuple[tuple[str, str], ...] = ()
    languages: tuple[str, ...] = ("lua", "javascript", "python")
    since: str = "0.1"


class Module(NamedTuple):
    """One global table of the API; `names` are the globals it appears under."""

    name: str
    names: tuple[str, ...]
    doc: str
    functions: tuple[Function, ...]
    languages: tuple[str, ...] = ("lua", "javascript", "python")
    since: str = "0.1"


def camel(name: str) -> str:
    """`get_by_category` → `getByCategory`: how JavaScript spells a name."""
    head, *rest = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)
