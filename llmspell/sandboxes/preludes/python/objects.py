# Objects that live in the supervisor: agents, tools, workflows, whatever a class describes.
# A part of the prelude; tools check the whole, preludes/_generated/prelude.py.
# ruff: noqa
# mypy: ignore-errors

class ObjectCall(Call):
    """A call that gives an object: what is asked of it is asked of the object, once it is there."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.result(), name)

    def __getitem__(self, name: str) -> Any:
        return self.result()[name]


class Handle(Record):
    """An object of the supervisor's: its plain fields, and methods that send its id along.

    It can be awaited, which gives itself. A class of the spell's may extend it.
    """

    __slots__ = ()

    _constructor: Callable[..., Any] | None = None

    def __init__(self, *given: Any, **named: Any) -> None:
        make = type(self)._constructor
        if make is None:
            raise TypeError(f"a {type(self).__name__} is not made like this")
        super().__init__(make(*given, **named))

    def __await__(self) -> Generator[Future, None, Any]:
        return self
        yield

    def result(self) -> Any:
        """Itself, as the result of any call."""
        return self

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *_error: object) -> None:
        end_object(self)

    async def __aenter__(self) -> Any:
        return self

    async def __aexit__(self, *_error: object) -> None:
        end_object(self)

    def __hash__(self) -> int:  # type: ignore[override]
        return id(self)


def end_object(value: Any) -> None:
    """What leaving a `with` block does."""
    for name in ("close", "release", "shutdown"):
        action = getattr(type(value), name, None)
        if action is not None:
            action(value).result()
            return


class Output(Record):
    """A tool's answer: what its result holds is found in it as well, `answer.results` (S27)."""

    __slots__ = ()

    def __missing__(self, name: str) -> Any:
        result = dict.get(self, "result")
        if isinstance(result, dict) and name in result:
            return result[name]
        raise KeyError(name)


def as_output(value: Any) -> Any:
    return Output(value) if type(value) is Record else value


class Tool(Handle):
    """A tool: name, description, category, schema and `execute(input)`."""

    __slots__ = ("__dict__",)

    def __setattr__(self, name: str, value: Any) -> None:
        # A function in the place of a method is one (S41); whatever else is a field.
        own = callable(value) and name in ("execute", "call")
        (object.__setattr__ if own else dict.__setitem__)(self, name, value)

    def execute(self, input: Mapping[str, Any] | None = None, **named: Any) -> Call:
        """Runs the tool."""
        args = {"name": self["name"], "input": {**(input or {}), **named}}
        return Call("tools.execute", args, as_output)

    call = execute

    def __call__(self, *given: Any, **named: Any) -> Call:
        """`tool(path, content)`: the required parameters in their order, others by name."""
        if len(given) == 1 and isinstance(given[0], dict):
            return self.execute({**given[0], **named})
        required = (schema_of(self) or {}).get("required") or []
        if len(given) > len(required):
            raise invalid(
                f"the tool {self['name']} takes {len(required)} values by position;"
                " give the others by name"
            )
        return self.execute({**dict(zip(required, given)), **named})

    def get_name(self) -> Any:
        return self.get("name")

    def get_description(self) -> Any:
        return self.get("description")

    def get_category(self) -> Any:
        return self.get("category")

    def get_input_schema(self) -> Any:
        return schema_of(self)

    getName, getDescription = get_name, get_description
    getCategory, getInputSchema = get_category, get_input_schema
    get_schema = getSchema = get_input_schema


def schema_of(tool: Mapping[str, Any]) -> Any:
    return tool.get("schema") or tool.get("parameters")


class BaseTool:
    """What a class of the spell's extends to be a tool: it brings `execute` (API-069)."""

    def __init__(self, config: Mapping[str, Any] | None = None, **named: Any) -> None:
        self.__dict__.update(config or {}, **named)

    def execute(self, input: Any) -> Any:
        raise invalid("a tool that extends BaseTool must have a method execute")


TRAVELLING = ("execute", "handler")


def methods_of(value: Any) -> dict[str, Any] | None:
    """The fields of an instance of the spell's own class that a service can call; else None."""
    methods = {name: getattr(value, name, None) for name in TRAVELLING}
    methods = {name: action for name, action in methods.items() if callable(action)}
    fields = getattr(value, "__dict__", None)
    if not methods or not isinstance(fields, dict) or isinstance(value, type):
        return None
    return {**{name: item for name, item in fields.items() if name[:1] != "_"}, **methods}


_classes: dict[str, type[Handle]] = {"tool": Tool}
_described: dict[str, LateModule] = {}


def handle_class(name: str) -> type[Handle] | None:
    """The class of objects with this `handle`."""
    late = _described.get(name)
    if late is not None and name not in _built:
        late.build()
    return _classes.get(name)


_built: set[str] = set()


def add_class(described: Mapping[str, Any]) -> None:
    """A class from its description, over the prelude's own methods where there are such."""
    name = described["name"]
    base = _classes.get(name, Handle)
    content: dict[str, Any] = {"__slots__": ()}
    for item in described["methods"]:
        spec = Spec(item, name)
        if spec.wire:
            action = make_method(spec)
        elif spec.name.startswith("get_") and not hasattr(base, spec.name):
            action = make_getter(spec.name[4:])
        else:
            continue
        content.update(dict.fromkeys(spec.spellings, action))
    _built.add(name)
    _classes[name] = type("".join(part.title() for part in name.split("_")), (base,), content)


def make_getter(field: str) -> Callable[[Handle], Any]:
    return lambda handle: handle.get(field)


def make_method(spec: Spec) -> Callable[..., Call]:
    def method(handle: Handle, *given: Any, **named: Any) -> Call:
        args = spec.collect(given, named)
        args["id"] = dict.__getitem__(handle, "id")
        if spec.whole:
            args[spec.whole] = handle
        return send_call(spec, args)

    method.__name__ = method.__qualname__ = spec.name
    return method


def as_object(value: Any) -> Any:
    """A reply that names its class and id, with that class's methods."""
    if type(value) is not Record or not isinstance(value.get("id"), str):
        return value
    kind = value.get("handle")
    known = handle_class(kind) if isinstance(kind, str) else None
    return value if known is None else object_of(known, value)


class _Objects:
    """What the objects that came say of the run."""

    shutdown_hooked = False


OBJECTS = _Objects()


def object_of(kind: type[Handle], fields: Mapping[str, Any]) -> Handle:
    handle = kind.__new__(kind)
    dict.update(handle, fields)
    if fields.get("handle") == "hook" and fields.get("point") == "system_shutdown":
        OBJECTS.shutdown_hooked = True
    return handle


def as_objects(value: Any) -> Any:
    return [as_object(item) for item in value] if isinstance(value, list) else as_object(value)


def as_tool(value: Any) -> Any:
    """A described tool; without an id it is told by its name."""
    if not isinstance(value, dict) or isinstance(value, Handle):
        return value
    if "handle" not in value:
        value.update(handle="tool", id=value.get("name"))
    return object_of(handle_class(value["handle"]) or Tool, value)


_kept_tools: dict[str, Any] = {}


def kept_tool(value: Any, args: Mapping[str, Any]) -> Any:
    """One object for a name, so that an `execute` put in its place stays there (S41).

    One that is made anew is another.
    """
    tool = as_tool(value)
    if not isinstance(tool, Handle) or not isinstance(tool.get("name"), str):
        return tool
    name = tool["name"]
    kept = None if "config" in args or "tool" in args else _kept_tools.get(name)
    if kept is None:
        _kept_tools[name] = tool
        return tool
    kept.update(tool)
    return kept


def revived(value: Any) -> Any:
    """What a function of the spell's is called with: objects, at the top and one level below."""
    if isinstance(value, list):
        return as_objects(value)
    if type(value) is Record:
        for name, item in value.items():
            if type(item) is Record:
                value[name] = as_object(item)
        return as_object(value)
    return value
