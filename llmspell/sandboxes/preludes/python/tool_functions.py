# Tools made of the spell's functions by a decorator.
# A decorated function gets the input's fields as its arguments where its parameters say which:
# several, one of a simple type, or those that a schema names. Else it gets the whole input.
# A part of the prelude; tools check the whole, preludes/_generated/prelude.py.
# ruff: noqa
# mypy: ignore-errors

JSON_TYPES = {
    str: "string", int: "integer", float: "number", bool: "boolean", list: "array", dict: "object",
}  # fmt: skip
TYPE_NAMES = {kind.__name__: word for kind, word in JSON_TYPES.items()}
SCHEMAS = ("input_schema", "parameters_schema", "parameters", "schema")
ACTS = ("execute", "handler", "call")


class ToolMaker:
    """`Tools.create(…)` without a function: a decorator that waits for one.

    Awaited instead, it is the call as it stands, and its error.
    """

    def __init__(self, spec: Spec, args: dict[str, Any]) -> None:
        self._spec, self._args = spec, args

    def __call__(self, function: Callable[..., Any]) -> Any:
        if not callable(function):
            raise invalid(f"{self._spec.label}: a tool needs a function as execute")
        config = dict(self._args.get("config") or {})
        named = {"name": self._args.get("name") or config.pop("name", None) or function.__name__}
        text = (function.__doc__ or "").strip().partition("\n\n")[0]
        config.setdefault("description", " ".join(text.split()))
        names = parameter_names(function)
        written = next((config[key] for key in SCHEMAS if config.get(key)), None)
        if written is not None:
            known = written.get("properties") or written
            names = [] if not all(name in known for name in names) else names
        elif names:
            hints = getattr(function, "__annotations__", {})
            if len(names) == 1 and json_type(hints.get(names[0])) in (None, "object"):
                names = []
            else:
                config["input_schema"] = schema_from(function, names)
        config["execute"] = by_name(function, names) if names else function
        return send_call(self._spec, {**named, "config": config}).result()

    def result(self) -> Any:
        """What a call without a function comes to."""
        return send_call(self._spec, self._args).result()

    def __await__(self) -> Generator[Future, None, Any]:
        return send_call(self._spec, self._args).__await__()


def by_name(function: Callable[..., Any], names: list[str]) -> Callable[..., Any]:
    """The function with the fields of a tool's input as its arguments."""
    return lambda given: function(**{name: given[name] for name in names if name in given})


def parameter_names(function: Callable[..., Any]) -> list[str]:
    """What can be given by name; nothing with `*args`, `**kwargs`, or for no plain function."""
    inner = getattr(function, "__func__", function)
    code = getattr(inner, "__code__", None)
    if code is None or code.co_flags & 0x0C or code.co_posonlyargcount:
        return []
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    return list(names[inner is not function :])


def schema_from(function: Callable[..., Any], names: list[str]) -> dict[str, Any]:
    """The parameters as JSON Schema; those without a default are required."""
    inner = getattr(function, "__func__", function)
    hints = getattr(inner, "__annotations__", {})
    positional = inner.__code__.co_varnames[: inner.__code__.co_argcount]
    with_default = positional[len(positional) - len(inner.__defaults__ or ()) :]
    optional = {*with_default, *(inner.__kwdefaults__ or ())}
    properties: dict[str, Any] = {}
    for name in names:
        kind = json_type(hints.get(name))
        properties[name] = {} if kind is None else {"type": kind}
    required = [name for name in names if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def json_type(hint: Any) -> str | None:
    """The JSON type of an annotation, also of one that is text or has parameters."""
    if isinstance(hint, str):
        return TYPE_NAMES.get(hint.partition("[")[0].strip())
    return JSON_TYPES.get(getattr(hint, "__origin__", hint)) if hint is not None else None


def make_tool_stub(spec: Spec) -> Callable[..., Any]:
    """`Tools.create`: a call, or a decorator while there is no function to call."""

    def create(*given: Any, **named: Any) -> Any:
        if len(given) == 1 and not named and callable(given[0]) and methods_of(given[0]) is None:
            return ToolMaker(spec, {})(given[0])
        args = spec.collect(given, named)
        config = args.get("config") or {}
        if isinstance(config, dict) and not any(name in config for name in ACTS):
            return ToolMaker(spec, args)
        return send_call(spec, args)

    return create
