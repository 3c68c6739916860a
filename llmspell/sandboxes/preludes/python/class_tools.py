# Tools as properties and as the seeds' classes: Tools.file_reader, HttpTool(…) (API-059, API-066).
# A part of the prelude; tools check the whole, preludes/_generated/prelude.py.
# ruff: noqa
# mypy: ignore-errors

def snake(name: str) -> str:
    """`fileReader`, `CSVReader` → `file_reader`, `csv_reader`."""
    text = ""
    for index, letter in enumerate(name):
        before, after = name[index - 1 : index], name[index + 1 : index + 2]
        starts = before and letter.isupper() and (not before.isupper() or after.islower())
        text += ("_" if starts and before != "_" else "") + letter.lower()
    return text


def described_tool(name: str) -> Any:
    return Call("tools.get", {"name": name}, as_tool).result()


def tool_field(field: str) -> Any:
    """A tool by its name, as an attribute of `Tools`."""
    name = snake(field)
    return described_tool(OLD_TOOLS.get(name, name))


class MappedTool(Tool):
    """An object of a class such as HttpTool. What it was made with is kept beside its fields."""

    __slots__ = ("_fetched", "_label", "_map", "_options")

    def _action(self, given: Mapping[str, Any]) -> str:
        known, action = self._map, given.get("action")
        if action is None or not known["actions"]:
            return str(known["tool"])
        if action not in known["actions"]:
            raise invalid(f"{self._label} has no action {printable(str(action))}")
        if self._options.get(known["readonly"]) is True and action not in known["reading"]:
            raise invalid(f"{self._label} was made readonly: it does not {action}")
        return str(known["actions"][action])

    def _input(self, schema: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
        known, options = self._map, self._options
        parameters = schema.get("properties") or {}
        result = {name: value for name, value in options.items() if name in parameters}
        result.update({name: value for name, value in given.items() if name != "action"})
        for name in known["times"]:
            if isinstance(result.get(name), (int, float)):
                result[name] *= 1000
        for name, value in known["fixed"].get(given.get("action"), {}).items():
            result.setdefault(name, value)
        folder, path = options.get(known["folder"]), result.get("path")
        if known["folder"] and isinstance(folder, str) and path is None:
            # A call without a path is about the folder itself.
            path = "."
        if known["folder"] and isinstance(folder, str) and isinstance(path, str):
            if path.startswith("/") or ".." in path.split("/"):
                raise invalid(
                    f"{known['folder']} is set, so a path begins there: no leading / and no .."
                )
            result["path"] = folder.rstrip("/") + "/" + path
        return result

    def execute(self, input: Mapping[str, Any] | None = None, **named: Any) -> Call:
        """Runs the tool of the call's action."""
        given = {**(input or {}), **named}
        name = self._action(given)
        if name not in self._fetched:
            self._fetched[name] = described_tool(name)
        prepared = self._input(schema_of(self._fetched[name]) or {}, given)
        return Call("tools.execute", {"name": name, "input": prepared}, as_output)

    call = execute
    __call__ = execute


def mapped_tool(label: str, options: Mapping[str, Any]) -> MappedTool:
    known = CLASS_TOOLS[label]
    name = known["tool"]
    tool = MappedTool.__new__(MappedTool)
    tool.update(handle="tool", id=name, name=name)
    for slot, value in (("_fetched", {}), ("_label", label), ("_map", known)):
        object.__setattr__(tool, slot, value)
    object.__setattr__(tool, "_options", {snake(key): value for key, value in options.items()})
    return tool


def tool_of_class(label: str) -> Any:
    """A class that no table names: the tool of that name, in one of the spellings tools have."""
    plain = snake(label.removesuffix("Tool"))
    missing: LLMSpellError | None = None
    for name in (label, f"{plain}_tool", plain):
        try:
            return described_tool(name)
        except LLMSpellError as error:
            if error.code != 2001 and error.kind != "not_found":
                raise
            missing = error
    raise LLMSpellError(
        f"there is no tool for {label}",
        code=2001,
        kind="not_found",
        rule=missing and missing.rule,
        hint="Tools.list() names the tools this run has; Tools.create makes one",
    )


class ToolClass:
    """What a name such as HttpTool means; handed on without a call it is the tool itself."""

    def __init__(self, label: str) -> None:
        self._label = label

    def __call__(self, options: Mapping[str, Any] | None = None, **named: Any) -> Any:
        if self._label in CLASS_TOOLS:
            return mapped_tool(self._label, {**(options or {}), **named})
        return tool_of_class(self._label)

    def new(self, options: Mapping[str, Any] | None = None, **named: Any) -> Any:
        """The same, as the other languages spell it."""
        return self(options, **named)

    def _name(self) -> str:
        known = CLASS_TOOLS.get(self._label)
        return str(known["tool"]) if known else snake(self._label.removesuffix("Tool"))


def class_tools_in(source: str) -> dict[str, Callable[..., Any]]:
    """The classes of tools that a spell may mean: every name in it that ends so."""
    pieces = source.split("Tool")
    found: dict[str, Callable[..., Any]] = {}
    for piece, following in zip(pieces, pieces[1:], strict=False):
        begin = len(piece)
        while begin and (piece[begin - 1].isalnum() or piece[begin - 1] == "_"):
            begin -= 1
        if piece[begin:][:1].isupper() and not (following[:1].isalnum() or following[:1] == "_"):
            label = piece[begin:] + "Tool"
            if label not in API_GLOBALS and label != "BaseTool":
                found[label] = ToolClass(label)
    return found
