# The world a spell sees.
# A part of the prelude; tools check the whole, preludes/_generated/prelude.py.
# ruff: noqa
# mypy: ignore-errors

class LateModule:
    """A module of the description, made of it when it is first asked for."""

    __slots__ = ("_entry", "classes", "constructor", "functions", "name")

    def __init__(self, entry: Mapping[str, Any]) -> None:
        self._entry = entry
        # A module without a global describes classes only.
        self.name: str = (entry["names"] or [entry["name"]])[0]
        self.classes: list[str] = entry["classes"]
        self.functions: dict[str, Any] = {}
        self.constructor: Callable[..., Any] | None = None
        _described.update(dict.fromkeys(self.classes, self))

    def build(self) -> LateModule:
        if self.functions:
            return self
        described = decode(self._entry["text"])
        for item in described["classes"]:
            add_class(item)
        own = LOCAL_FUNCTIONS.get(self._entry["name"], {})
        self.functions.update(own)
        for item in described["functions"]:
            spec = Spec(item, self.name)
            action = own.get(spec.name)
            if action is None and spec.wire:
                action = (make_tool_stub if spec.wire == "tools.create" else make_stub)(spec)
            self.functions.update(dict.fromkeys(spec.spellings, action))
            if spec.after == "handle":
                # Workflow.Sequential(…): the object at once.
                name = camel(spec.name)
                self.functions[name[:1].upper() + name[1:]] = make_maker(spec)
            if spec.name == described["construct"]:
                self.constructor = make_maker(spec)
        return self

    def made(self) -> Any:
        """What a class of the spell's extends when it names this module as its base."""
        self.build()
        for name in self.classes:
            known = _classes.get(name)
            if known is not None and self.constructor is not None:
                return type(known.__name__, (known,), {"_constructor": staticmethod(self.constructor)})
        raise TypeError(f"{self.name} can't be extended")


class ApiModule:
    """One module of the API; it can't be changed."""

    __slots__ = ("_call", "_late")

    _call: Callable[..., Any] | None
    _late: LateModule

    def __init__(self, late: LateModule, call: Callable[..., Any] | None = None) -> None:
        object.__setattr__(self, "_late", late)
        object.__setattr__(self, "_call", call)

    def __getattr__(self, name: str) -> Any:
        late = self._late
        functions = late.build().functions
        if name in functions:
            return functions[name]
        if late.name == "Tools" and name[:1].isalpha():
            return tool_field(name)
        raise AttributeError(f"{late.name} has no function {name!r}")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{self._late.name} can't be changed")

    __delattr__ = __setattr__  # type: ignore[assignment]

    def __call__(self, *given: Any, **named: Any) -> Any:
        call = self._call or self._late.build().constructor
        if call is None:
            raise TypeError(f"{self._late.name} can't be called")
        return call(*given, **named)

    def __mro_entries__(self, _bases: tuple[Any, ...]) -> tuple[Any, ...]:
        return (self._late.made(),)

    def __instancecheck__(self, value: object) -> bool:
        self._late.build()
        known = tuple(_classes[name] for name in self._late.classes if name in _classes)
        return isinstance(value, known)

    def __dir__(self) -> list[str]:
        return sorted(self._late.build().functions)

    def __repr__(self) -> str:
        return f"<llmspell {self._late.name}: {', '.join(dir(self))}>"


class _Run:
    """The run's own settings, set when `run` arrives."""

    name = "spell.py"
    profile = "high"
    modules: frozenset[str] = frozenset()
    globals: Mapping[str, Any] = {}


RUN = _Run()
FS: list[LateModule] = []
FACADES: dict[str, Any] = {}
# Filled as far as no run decides: what a zygote makes at its boot, its children share.
ALLOWED: set[str] = {*SAFE_MODULES, *INNER_MODULES}
SPELL_BUILTINS: dict[str, Any] = dict(vars(builtins))
for _name in ("breakpoint", "help", "copyright", "credits", "license"):
    SPELL_BUILTINS.pop(_name, None)



def print_error(*values: Any) -> None:
    """`console.error`."""
    print(*values, file=cast(Any, STDERR))


LOCAL_FUNCTIONS: dict[str, dict[str, Any]] = {
    "async": {name: getattr(Async, name) for name in dir(Async) if name[0] != "_"},
    "log": {**LOG_FUNCTIONS, "set_level": set_level, "level": least_level},
    "events": EVENT_FUNCTIONS,
    "storage": STORAGE_FUNCTIONS,
    "console": {
        **dict.fromkeys(("log", "info", "debug"), print),
        **dict.fromkeys(("warn", "error"), print_error),
    },
    "json": {
        "encode": json_encode,
        "decode": json_decode,
        "stringify": json_encode,
        "parse": json_decode,
    },
    "stdin": {
        "read": STDIN.read,
        "read_all": STDIN.read_all,
        "lines": STDIN.lines,
        "read_line": STDIN.read_line,
    },
    "testing": {"suite": Suite, "run_all": TESTS.run_all},
    "tools": {"BaseTool": BaseTool},
    "util": {"sleep": Async.sleep},
}


def api_globals() -> dict[str, Any]:
    """Every module of the API under every of its names."""
    result: dict[str, Any] = {}
    for entry in [*API_TABLE, UTIL_TABLE]:
        late = LateModule(entry)
        if entry["name"] == "fs":
            FS.append(late)
        call = log_record if entry["name"] == "log" else None
        result.update(dict.fromkeys(entry["names"], ApiModule(late, call)))
    result.update(LOG_FUNCTIONS)
    for error in (LLMSpellError, RateLimitError, ValidationError):
        result[error.__name__] = error
    # The seeds' older spelling (API-014); `import json` takes its place.
    result["json"] = result["JSON"]
    result["sleep"] = Async.sleep
    result["cooperative_yield"] = Async.yield_now
    return result


UTIL_TABLE = {
    "name": "util",
    "names": ["util"],
    "classes": [],
    "text": '{"construct":"","functions":[{"name":"sleep"}],"classes":[]}',
}
API_GLOBALS = api_globals()


def fs_call(name: str, *given: Any, **named: Any) -> Any:
    """A call of `fs`, waited for."""
    return FS[0].build().functions[name](*given, **named).result()


def api_module(name: str) -> Any:
    """`import llmspell`, `from llmspell.agent import Agent`: the injected API (API-115)."""
    if name in API_MODULES:
        return API_MODULES[name]
    module = type(sys)(name)
    module.__dict__.update(API_GLOBALS)
    if name != "llmspell":
        chosen = API_GLOBALS.get(REQUIRES["modules"].get(name, ""))
        if not isinstance(chosen, ApiModule):
            return None
        module.__dict__.update(chosen._late.build().functions)
        setattr(api_module("llmspell"), name.partition(".")[2], module)
    else:
        module.__dict__["__path__"] = []
    API_MODULES[name] = module
    return module


API_MODULES: dict[str, Any] = {}


def system_facade(args: list[str]) -> Any:
    """`sys` with what programs use of it, and nothing that reaches the prelude."""
    facade = type(sys)("sys")
    for name in (
        "byteorder",
        "exc_info",
        "exit",
        "float_info",
        "getrecursionlimit",
        "getsizeof",
        "hash_info",
        "implementation",
        "int_info",
        "intern",
        "maxsize",
        "maxunicode",
        "platform",
        "setrecursionlimit",
        "version",
        "version_info",
    ):
        if hasattr(sys, name):
            setattr(facade, name, getattr(sys, name))
    facade.__dict__["argv"] = [RUN.name, *args]
    facade.__dict__.update(stdin=SystemStdin(), stdout=STDOUT, stderr=STDERR)
    return facade


def io_facade() -> Any:
    """`io` without its way to files."""
    import io

    facade = type(sys)("io")
    for name in ("StringIO", "BytesIO", "TextIOWrapper", "TextIOBase", "RawIOBase", "IOBase"):
        setattr(facade, name, getattr(io, name))
    for name in ("BufferedIOBase", "SEEK_SET", "SEEK_CUR", "SEEK_END", "UnsupportedOperation"):
        setattr(facade, name, getattr(io, name))
    facade.__dict__["open"] = SPELL_BUILTINS["open"]
    return facade


def make_world(run: Any) -> dict[str, Any]:
    """The spell's globals: those of a fresh `__main__`."""
    args = list(run.get("args") or [])
    sys.stdout, sys.stderr = cast(Any, STDOUT), cast(Any, STDERR)
    sys.stdin = cast(Any, SystemStdin())
    sys.argv = [RUN.name, *args]
    main = type(sys)("__main__")
    world = main.__dict__
    if RUN.profile == "none":
        SPELL_BUILTINS.update(vars(builtins))
        os.environ.update(run.get("env") or {})
        sys.meta_path.append(cast(Any, OwnFinder))
        SPELL_BUILTINS["__import__"] = vars(builtins)["__import__"] = api_import
        world["__builtins__"] = builtins
    else:
        ALLOWED.update(RUN.modules)
        SPELL_BUILTINS["open"] = open_file if "io" in RUN.modules else refuse_open
        SPELL_BUILTINS["__import__"] = guarded_import
        FACADES.update({} if "sys" in RUN.modules else {"sys": system_facade(args)})
        FACADES["io"] = io_facade()
        world["__builtins__"] = SPELL_BUILTINS
    SPELL_BUILTINS.update(input=read_input, exit=sys.exit, quit=sys.exit)
    if RUN.profile == "none":
        vars(builtins).update(input=read_input, exit=sys.exit, quit=sys.exit)
    sys.modules["__main__"] = main
    world.update(API_GLOBALS)
    if "Tool" in run["source"]:
        # A described name that ends so is itself.
        for label, made in class_tools_in(run["source"]).items():
            world.setdefault(label, made)
    world.update(params=run.get("params") or Record(), args=args, env=dict(run.get("env") or {}))
    world.update(ENGINE="python", SECURITY_LEVEL=RUN.profile)
    world.update(run.get("globals") or {})
    return world
