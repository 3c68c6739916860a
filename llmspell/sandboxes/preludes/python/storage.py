# Storage: what asks functions of the spell, and the same functions for one scope.
# A part of the prelude; tools check the whole, preludes/_generated/prelude.py.
# ruff: noqa
# mypy: ignore-errors

async def _query_storage(predicate: Any, args: dict[str, Any]) -> dict[str, Any]:
    found = Record()
    while True:
        page = await Call("storage.scan", args, None)
        for key, value in page["items"]:
            wanted = predicate(key, value)
            if await wanted if is_awaitable(wanted) else wanted:
                found[key] = value
        if page.get("next") is None:
            return found
        args["after"] = page["next"]


def query_storage(predicate: Any, prefix: Any = None, scope: str | None = None) -> Task:
    if not callable(predicate):
        raise invalid("Storage.query takes a function of key and value")
    args = dict(prefix) if isinstance(prefix, dict) else {"prefix": prefix}
    if scope is not None:
        args["scope"] = scope
    return Task(_query_storage(predicate, {k: v for k, v in args.items() if v is not None}))


SCOPED_CALLS: dict[str, tuple[str, ...]] = {
    "get": ("key",),
    "set": ("key", "value", "ttl"),
    "delete": ("key",),
    "exists": ("key",),
    "list": ("prefix",),
    "get_batch": ("keys",),
    "set_batch": ("data", "ttl"),
    "delete_batch": ("keys",),
    "scan": ("prefix", "after", "limit", "start", "before"),
    "transaction": ("operations",),
    "version": (),
    "migrate": ("version", "migration"),
    "clear": (),
    "compact": (),
    "stats": (),
    "backup": (),
    "backups": (),
    "restore": ("name",),
}
"""The functions of a scope and what they take, in order."""


def _in_scope(scope: str, name: str, params: tuple[str, ...]) -> Callable[..., Call]:
    def call(*given: Any, **named: Any) -> Call:
        if len(given) > len(params):
            raise invalid(f"Storage.{name} takes {len(params)} arguments by position")
        return Call(f"storage.{name}", {**dict(zip(params, given)), **named, "scope": scope}, None)

    return call


def storage_scope(name: str) -> Any:
    """The functions of Storage for one scope."""
    functions: dict[str, Any] = {}
    for call, params in SCOPED_CALLS.items():
        head, *rest = call.split("_")
        camel = head + "".join(word.capitalize() for word in rest)
        functions[call] = functions[camel] = _in_scope(name, call, params)
    functions["query"] = lambda predicate, prefix=None: query_storage(predicate, prefix, name)
    return type("StorageScope", (), {key: staticmethod(value) for key, value in functions.items()})()


STORAGE_FUNCTIONS: dict[str, Any] = {"query": query_storage, "scope": storage_scope}
