"""Key-value storage: of the run, of the spell, its tenant's, everybody's (API-097 … 101, STO)."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.model import Function, Module, Param

if TYPE_CHECKING:
    from typing import Final

_KEY: Final = Param(
    "key", ("string",), "1 to 256 characters", required=True, minimum=1, maximum=256
)
_KEYS: Final = Param("keys", ("array",), "at most 1000 keys", required=True, maximum=1000)
_TTL: Final = Param("ttl", ("number",), "seconds until it is forgotten", minimum=0.001)
_PREFIX: Final = Param("prefix", ("string",), "only keys that begin so", maximum=256)
_SCOPE: Final = Param(
    "scope",
    ("string",),
    "run (the default) ends with the run; spell is this spell's own in all its runs; tenant and "
    "global are shared and need --allow-state",
    choices=("run", "spell", "tenant", "global"),
)


def _call(name: str, doc: str, *params: Param, returns: str = "nothing") -> Function:
    required = sum(1 for param in params if param.required)
    positional = required or (1 if params else 0)
    return Function(
        name,
        doc,
        (*params, _SCOPE),
        returns,
        wire=f"storage.{name}",
        positional=positional,
        unjudged=True,
    )


MODULE: Final = Module(
    "storage",
    ("Storage", "storage", "State"),
    "Values by key, as JSON. The scope says how long they last and who sees them; a call in a "
    "scope that outlives the run is judged and recorded.",
    (
        _call("get", "A stored value, or nothing.", _KEY, returns="any"),
        _call(
            "set",
            "Stores a value.",
            _KEY,
            Param("value", ("any",), "what JSON can hold, at most 1 MiB", required=True),
            _TTL,
        ),
        _call("delete", "Forgets a value.", _KEY, returns="boolean"),
        _call("exists", "Whether a key holds a value.", _KEY, returns="boolean"),
        _call("list", "The keys, sorted.", _PREFIX, returns="array of strings"),
        _call("get_batch", "The values of several keys; one without is left out.", _KEYS,
              returns="object"),
        _call(
            "set_batch",
            "Stores all of these values, or none.",
            Param("data", ("object",), "values by key, at most 1000", required=True),
            _TTL,
        ),
        _call("delete_batch", "Forgets several keys; how many there were.", _KEYS,
              returns="integer"),
        Function(
            "query",
            "The entries that a function of yours says yes to; it is asked with key and value.",
            (
                Param("predicate", ("callback",), "(key, value) → true or false", required=True),
                _PREFIX,
                _SCOPE,
            ),
            "object",
            kind="local",
            positional=1,
        ),
        _call(
            "scan",
            "One page of entries in the order of their keys, and where the next begins.",
            _PREFIX,
            Param("after", ("string",), "begin behind this key", maximum=256),
            Param("limit", ("integer",), "entries of a page", minimum=1, maximum=500),
            Param("start", ("string",), "no key that comes earlier", maximum=256),
            Param("before", ("string",), "no key from this one on", maximum=256),
            returns="{items: array of [key, value], next}",
        ),
        _call(
            "transaction",
            "Does all operations or none: {op, key, value, ttl} where op is set, delete, get, "
            "merge (into an object) or check (ends it unless the value is this one). The values "
            "of its gets, in their places.",
            Param("operations", ("array",), "at most 1000", required=True, maximum=1000),
            returns="array",
        ),
        _call(
            "version",
            "The version of what the scope keeps, as your migrations left it; 0 before the first.",
            returns="integer",
        ),
        _call(
            "migrate",
            "Brings what the scope keeps to a version, once: where it has a lower one, your "
            "function is asked with that one, and the operations it gives (as transaction takes "
            "them) are done together with the new version, or not at all. Whether it was done.",
            Param("version", ("integer",), "1 or more", required=True, minimum=1, maximum=2**31),
            Param(
                "migration",
                ("callback",),
                "function(version) → a list of at most 10000 operations, or nothing",
                required=True,
            ),
            returns="boolean",
        ),
        _call("clear", "Forgets everything in the scope, its version too."),
        _call("compact", "Gives the room of what was forgotten back."),
        _call("stats", "Keys, bytes and their bounds.", returns="{keys, bytes, …}"),
        _call("backup", "Copies the scope's store beside it; the copy's name.", returns="{name}"),
        _call("backups", "The names of the store's copies, the oldest first.",
              returns="array of strings"),
        _call(
            "restore",
            "Puts a copy in the place of everything in the scope.",
            Param("name", ("string",), "of a copy", required=True, minimum=1, maximum=256),
        ),
        Function(
            "scope",
            "The same functions for one scope: Storage.scope(\"spell\").get(key).",
            (_SCOPE._replace(name="name", required=True),),
            "object",
            kind="local",
            positional=1,
        ),
    ),
)  # fmt: skip
