# The spell's imports.
# A part of the prelude; tools check the whole, preludes/_generated/prelude.py.
# ruff: noqa
# mypy: ignore-errors

real_import = builtins.__import__
spell_modules: dict[str, Any] = {}
allowed_modules: dict[str, bool] = {}


def is_safe(name: str, fromlist: tuple[str, ...]) -> bool:
    """Whether the standard library's safe part, or a grant, covers the import."""
    parts = name.split(".")
    if any(".".join(parts[:count]) in ALLOWED for count in range(1, len(parts) + 1)):
        return True
    inner = [allowed for allowed in ALLOWED if allowed.startswith(name + ".")]
    return bool(inner) and all(f"{name}.{item}" in inner for item in fromlist)


def judge_module(name: str) -> bool:
    """Asks the broker for a module: it records the answer and its denial is raised.

    Tells whether the spell's own folder may be looked into.
    """
    verdict = Call("modules.load", {"name": printable(name[:256])}, None).result()
    return isinstance(verdict, dict) and verdict.get("own_folder") is True


def ask(name: str) -> bool:
    """The same for an import, asked once, whose refusal is an ImportError too."""
    if name in allowed_modules:
        return allowed_modules[name]
    try:
        allowed_modules[name] = judge_module(name)
        return allowed_modules[name]
    except LLMSpellError as error:
        if error.code != 4008:
            raise
        fields = {field: getattr(error, field) for field in ERROR_FIELDS}
        raise DeniedImport(**fields) from None


def record_grant(name: str) -> None:
    """A granted module, beyond the safe ones, is on record once."""
    top = name.split(".")[0]
    granted = name if name in RUN.modules else top
    if granted in RUN.modules and granted not in SAFE_MODULES:
        ask(granted)


def foreign_module(name: str) -> Any:
    """A module that is not of the safe list: of the spell's folder, or refused."""
    if name.split(".")[0] in spell_modules:
        return own_module(name)
    if RUN.profile == "low":
        try:
            return own_module(name)
        except MissingModule as missing:
            # A module of the folder may itself import what is missing: that is told as it is.
            if not f"{name}.".startswith(f"{missing.missing}."):
                raise
        ask(name)
    elif ask(name) or name.split(".")[0] in RUN.modules:
        # A module granted by name may be a file of the folder; reading it is judged by itself.
        try:
            return own_module(name)
        except MissingModule as missing:
            if not f"{name}.".startswith(f"{missing.missing}."):
                raise
    raise MissingModule(name, f"module {printable(name[:80])} is not part of this engine")


def api_import_of(name: str, fromlist: tuple[str, ...] | None) -> Any:
    """The injected API, or None where it has no such part: nothing is loaded for it."""
    module = api_module(name)
    if module is None:
        return None
    for item in fromlist or ():
        api_module(f"{name}.{item}")
    return module if fromlist else api_module("llmspell")


def api_import(
    name: str,
    globals: Mapping[str, Any] | None = None,
    locals: Mapping[str, Any] | None = None,
    fromlist: tuple[str, ...] = (),
    level: int = 0,
) -> Any:
    """The `__import__` of the profile none: the language's own, and the injected API."""
    importer = str((globals or {}).get("__name__"))
    if not level and name.partition(".")[0] == "llmspell" and not importer.startswith("llmspell"):
        injected = api_import_of(name, fromlist)
        if injected is not None:
            return injected
    return real_import(name, globals, locals, fromlist, level)


def guarded_import(
    name: str,
    globals: Mapping[str, Any] | None = None,
    locals: Mapping[str, Any] | None = None,
    fromlist: tuple[str, ...] = (),
    level: int = 0,
) -> Any:
    """The spell's `__import__`. A courtesy, not the boundary: that is the kernel's."""
    if level:
        name = absolute_name(name, globals or {}, level)
    if name.partition(".")[0] == "llmspell":
        injected = api_import_of(name, fromlist)
        if injected is not None:
            return injected
    if name in FACADES:
        return FACADES[name]
    top = name.split(".")[0]
    if not level and top not in spell_modules and is_safe(name, tuple(fromlist or ())):
        record_grant(name)
        try:
            return real_import(name, globals, locals, fromlist, 0)
        except ImportError:
            if top not in RUN.modules:
                raise MissingModule(name, f"module {name[:80]} is not here") from None
    module = foreign_module(name)
    for item in fromlist or ():
        if item != "*" and not hasattr(module, item) and hasattr(module, "__path__"):
            setattr(module, item, own_module(f"{name}.{item}"))
    return module if fromlist else spell_modules[top]


def absolute_name(name: str, importer: Mapping[str, Any], level: int) -> str:
    parts = str(importer.get("__package__") or "").split(".")
    kept = [part for part in parts[: len(parts) - level + 1] if part]
    return ".".join([*kept, name] if name else kept)


def own_module(name: str) -> Any:
    """A module of the spell's own folder, read through the broker."""
    if name in spell_modules:
        return spell_modules[name]
    parent, _, last = name.rpartition(".")
    holder = own_module(parent) if parent else None
    path = "spell:" + name.replace(".", "/")
    source, file = own_source(name, path)
    module = type(sys)(name)
    is_package = file.endswith("__init__.py")
    module.__file__ = file
    module.__dict__["__builtins__"] = SPELL_BUILTINS
    module.__dict__["__package__"] = name if is_package else parent
    if is_package:
        module.__dict__["__path__"] = [path]
    spell_modules[name] = module
    try:
        exec(compile(source, file, "exec", dont_inherit=True), module.__dict__)
    except BaseException:
        del spell_modules[name]
        raise
    if holder is not None:
        setattr(holder, last, module)
    return module


def own_source(name: str, path: str) -> tuple[str, str]:
    for candidate in (f"{path}.py", f"{path}/__init__.py"):
        try:
            return fs_call("read", candidate), candidate.removeprefix("spell:")
        except LLMSpellError as error:
            if error.kind != "not_found":
                raise
    raise MissingModule(name, f"no module {name} in the spell's folder")


class OwnFinder:
    """At the profile none, behind the language's own finders: the spell's folder."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> Any:
        # The library asks for modules of other systems all the time; those are not the spell's.
        if name.split(".")[0] in sys.stdlib_module_names:
            return None
        try:
            own_source(name, "spell:" + name.replace(".", "/"))
        except LLMSpellError:
            return None
        from importlib.machinery import ModuleSpec

        return ModuleSpec(name, cast(Any, OwnFinder))

    @staticmethod
    def create_module(spec: Any) -> Any:
        return own_module(spec.name)

    @staticmethod
    def exec_module(module: Any) -> None:
        """`own_module` has run it already."""
