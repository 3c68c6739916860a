# The world a spell sees.
# A part of the prelude; tools check the whole, preludes/_generated/prelude.py.
# ruff: noqa
# mypy: ignore-errors

class ApiModule:
    """One module of the API; it can't be changed."""

    __slots__ = ("_call", "_functions", "_name")

    _call: Callable[..., Any] | None
    _functions: Mapping[str, Any]
    _name: str

    def __init__(
        self, name: str, functions: Mapping[str, Any], call: Callable[..., Any] | None = None
    ) -> None:
        object.__setattr__(self, "_name", name)
        object.__setattr__(self, "_functions", functions)
        object.__setattr__(self, "_call", call)

    def __getattr__(self, name: str) -> Any:
        try:
            return self._functions[name]
        except KeyError:
            raise AttributeError(f"{self._name} has no function {name!r}") from None

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{self._name} can't be changed")

    __delattr__ = __setattr__  # type: ignore[assignment]

    def __call__(self, *given: Any, **named: Any) -> Any:
        if self._call is None:
            raise TypeError(f"{self._name} can't be called")
        return self._call(*given, **named)

    def __dir__(self) -> list[str]:
        return sorted(self._functions)

    def __repr__(self) -> str:
        return f"<llmspell {self._name}: {', '.join(sorted(self._functions))}>"


class _Run:
    """The run's own settings, set when `run` arrives."""

    name = "spell.py"
    profile = "high"
    modules: frozenset[str] = frozenset()
    globals: Mapping[str, Any] = {}


RUN = _Run()
FS: dict[str, Callable[..., Any]] = {}
FACADES: dict[str, Any] = {}
# Filled as far as no run decides: what a zygote makes at its boot, its children share.
ALLOWED: set[str] = {*SAFE_MODULES, *INNER_MODULES}
SPELL_BUILTINS: dict[str, Any] = dict(vars(builtins))
for _name in ("breakpoint", "help", "copyright", "credits", "license"):
    SPELL_BUILTINS.pop(_name, None)

LOCAL_FUNCTIONS: dict[str, dict[str, Any]] = {
    "async": {name: getattr(Async, name) for name in dir(Async) if name[0] != "_"},
    "log": LOG_FUNCTIONS,
    "events": EVENT_FUNCTIONS,
    "storage": STORAGE_FUNCTIONS,
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
}


def api_globals() -> dict[str, Any]:
    """Every module of the API under every of its names."""
    result: dict[str, Any] = {}
    for module in API_TABLE:
        own = LOCAL_FUNCTIONS.get(module["name"], {})
        functions = dict(own)
        for spec in module["functions"]:
            action = own.get(spec["name"])
            if action is None:
                action = make_stub(module["names"][0], spec)
            functions[spec["name"]] = functions[spec["camel"]] = action
        if module["name"] == "fs":
            FS.update(functions)
        call = log_record if module["name"] == "log" else None
        proxy = ApiModule(module["names"][0], functions, call)
        result.update(dict.fromkeys(module["names"], proxy))
    result.update(LOG_FUNCTIONS)
    result["LLMSpellError"] = LLMSpellError
    result["util"] = ApiModule("util", {"sleep": Async.sleep})
    return result


API_GLOBALS = api_globals()


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
    world.update(params=run.get("params") or Record(), args=args, env=dict(run.get("env") or {}))
    world.update(ENGINE="python", SECURITY_LEVEL=RUN.profile)
    world.update(run.get("globals") or {})
    return world
