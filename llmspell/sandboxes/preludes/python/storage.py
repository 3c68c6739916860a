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


def storage_scope(name: str) -> ApiModule:
    """The functions of Storage for one scope."""
    functions: dict[str, Any] = {}
    for module in API_TABLE:
        if module["name"] == "storage":
            for spec in module["functions"]:
                if spec["wire"]:
                    action = make_stub("Storage", {**spec, "fixed": {"scope": name}})
                    functions[spec["name"]] = functions[spec["camel"]] = action
    functions["query"] = lambda predicate, prefix=None: query_storage(predicate, prefix, name)
    return ApiModule("Storage", functions)


STORAGE_FUNCTIONS: dict[str, Any] = {"query": query_storage, "scope": storage_scope}
