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
    another spelling of that call. `spread` names the object parameter that takes every named
    argument that is no parameter (`Agent.create(name="a", model="m")` in Python). `aliases` are
    further names of the same function. `unjudged`: it has no effect outside the run, so no
    verdict of its own is asked for; whatever it leads to is a brokered call, judged by itself.
    `sync`: JavaScript gets the value itself, not a promise; only for what answers at once and
    invokes nothing of the spell's. `whole` names the argument in which a method sends its object,
    with what the spell changed in it.
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
    spread: str = ""
    aliases: tuple[str, ...] = ()
    unjudged: bool = False
    sync: bool = False
    whole: str = ""


class Class(NamedTuple):
    """A kind of object that a call gives (`after` "handle" or "handles").

    Such a reply is `{"handle": name, "id": …, …}`; the rest are the object's plain fields. Every
    method's wire call gets the object's `id` as an argument, which `params` does not list.
    A spell hands an object back as it came: services take `{"handle", "id"}` for it.
    """

    name: str
    doc: str
    methods: tuple[Function, ...]
    fields: tuple[Param, ...] = ()


class Module(NamedTuple):
    """One global table of the API; `names` are the globals it appears under. Without a name it
    describes classes only.

    `construct` names the function that calling the module does: `new Agent({…})` in JavaScript,
    `Agent(name=…)` in Python, `Agent.new{…}` and `Agent{…}` in Lua.
    """

    name: str
    names: tuple[str, ...]
    doc: str
    functions: tuple[Function, ...]
    languages: tuple[str, ...] = ("lua", "javascript", "python")
    since: str = "0.1"
    classes: tuple[Class, ...] = ()
    construct: str = ""


IDENTITY: Final = Param("id", ("string",), "the object", required=True, minimum=1, maximum=128)
"""What a method sends beside its parameters."""


def getter(field: str, doc: str) -> Function:
    """`object.get_name()`: the field `name`, as the seeds' quick reference spells it (TRT-004)."""
    return Function(f"get_{field}", doc, (), "string", kind="local")


def camel(name: str) -> str:
    """`get_by_category` → `getByCategory`: how JavaScript spells a name."""
    head, *rest = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)
