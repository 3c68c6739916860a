# The API's functions from their descriptions: arguments in, replies out.
# A part of the prelude; tools check the whole, preludes/_generated/prelude.py.
# ruff: noqa
# mypy: ignore-errors

def camel(name: str) -> str:
    head, *rest = name.split("_")
    return head + "".join(part[:1].upper() + part[1:] for part in rest)


class Spec:
    """A described function, with what its description leaves out."""

    __slots__ = (
        "after",
        "camels",
        "fixed",
        "label",
        "name",
        "object_first",
        "params",
        "positional",
        "spellings",
        "spread",
        "whole",
        "wire",
    )

    def __init__(self, described: Mapping[str, Any], label: str) -> None:
        get = described.get
        self.name: str = described["name"]
        self.label = f"{label}.{self.name}"
        self.wire: str = get("wire", "")
        self.after: str = get("after", "")
        self.spread: str = get("spread", "")
        self.whole: str = get("whole", "")
        self.positional: int = get("positional", 0)
        self.object_first: bool = get("object_first", False)
        self.params: list[str] = get("params") or []
        self.fixed: Mapping[str, Any] = get("fixed") or {}
        self.camels = {camel(name): name for name in self.params}
        names = [self.name, *(get("aliases") or [])]
        self.spellings = {spelled for name in names for spelled in (name, camel(name))}

    def collect(self, given: tuple[Any, ...], named: Mapping[str, Any]) -> dict[str, Any]:
        """The call's arguments: by position, by name, and the rest of the names in `spread`."""
        if len(given) == 1 and isinstance(given[0], dict) and not self.object_first:
            given, named = (), {**given[0], **named}
        elif not given and named and self._takes_one_object(named):
            given, named = (named,), {}
        if len(given) > self.positional:
            raise invalid(f"{self.label} takes {self.positional} arguments by position")
        args = dict(zip(self.params, given))
        rest: dict[str, Any] = {}
        for name, value in named.items():
            # `from` is a keyword: fs.move(from_=…, to=…).
            name = name[:-1] if name.endswith("_") else name
            name = self.camels.get(name, name)
            if self.spread and name not in self.params:
                rest[name] = value
            else:
                args[name] = value
        if rest:
            args[self.spread] = {**(args.get(self.spread) or {}), **rest}
        args.update(self.fixed)
        return args

    def _takes_one_object(self, named: Mapping[str, Any]) -> bool:
        """`add_step(name=…)`: all of the names are those of the one object."""
        if self.spread or not self.object_first or not self.positional:
            return False
        return not any(name.rstrip("_") in self.camels or name in self.params for name in named)


class Response(Record):
    """An HTTP response."""

    __slots__ = ()

    @property
    def ok(self) -> bool:
        return 200 <= int(self["status"]) < 300

    def text(self) -> Any:
        return self["body"]

    def json(self) -> Any:
        return json_decode(self["body"])


def _finish_json(value: Any) -> Any:
    response = Response(value)
    if not response.ok:
        raise LLMSpellError(
            f"GET {response['url']} answered {response['status']}", code=2003, kind="http_status"
        )
    return response.json()


FINISH: dict[str, Callable[[Any], Any] | None] = {
    "": None,
    "tools": lambda value: [as_tool(tool) for tool in value],
    "handle": lambda value: as_object(value),
    "handles": lambda value: as_objects(value),
    "output": lambda value: as_output(value),
    "response": Response,
    "json": _finish_json,
}


def send_call(spec: Spec, args: dict[str, Any]) -> Call:
    """The call of a description; one that gives an object can be used like that object."""
    kind = ObjectCall if spec.after in ("handle", "tool") else Call
    if spec.after == "tool":
        return kind(spec.wire, args, lambda value: kept_tool(value, args))
    return kind(spec.wire, args, FINISH[spec.after])


def make_stub(spec: Spec) -> Callable[..., Call]:
    """The function of a described call."""

    def stub(*given: Any, **named: Any) -> Call:
        return send_call(spec, spec.collect(given, named))

    stub.__name__ = stub.__qualname__ = spec.name
    return stub


def make_maker(spec: Spec) -> Callable[..., Any]:
    """The same, waiting for the object: `Agent(name="a")`, `Workflow.Sequential(…)`."""

    def make(*given: Any, **named: Any) -> Any:
        return send_call(spec, spec.collect(given, named)).result()

    make.__name__ = make.__qualname__ = spec.name
    return make
