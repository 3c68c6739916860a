# The built-in open over the brokered calls; given where the module io is granted.
# A part of the prelude; tools check the whole, preludes/_generated/prelude.py.
# ruff: noqa
# mypy: ignore-errors



def open_file(
    file: str,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
) -> Any:
    """The built-in `open`, over the brokered calls; the content is held in memory until close."""
    kind = mode.replace("b", "").replace("t", "")
    if kind not in ("r", "w", "a", "x", "r+", "w+", "a+", "x+"):
        raise ValueError(f"invalid mode: {mode!r}")
    path = os.fspath(file)
    content = b""
    exists = kind[0] == "r" or (kind[0] in "ax" and fs_call("exists", path))
    if kind[0] == "x" and exists:
        raise FileExistsError(f"{path} exists")
    if exists:
        content = fs_call("read", path, encoding="binary")
    raw = BrokeredBytes(path, content, kind)
    if "b" in mode:
        return raw
    import io

    text = io.TextIOWrapper(raw, encoding or "utf-8", errors, newline, write_through=True)
    if kind[0] == "a":
        text.seek(0, 2)
    return text


class BrokeredBytes(builtins.__import__("io").BytesIO):  # type: ignore[misc]
    """A file's bytes, written back at close."""

    def __init__(self, path: str, content: bytes, kind: str) -> None:
        super().__init__(content)
        self.name = path
        self.mode = kind
        self._kind = kind
        self._dirty = kind[0] in "wx"
        if kind[0] == "a":
            self.seek(0, 2)

    def readable(self) -> bool:
        return self._kind[0] == "r" or "+" in self._kind

    def writable(self) -> bool:
        return self._kind != "r"

    def write(self, data: Any) -> int:
        if not self.writable():
            raise OSError("the file was opened for reading")
        if self._kind[0] == "a":
            self.seek(0, 2)
        self._dirty = True
        return int(super().write(data))

    def _save(self) -> None:
        if self._dirty:
            self._dirty = False
            fs_call("write", self.name, self.getvalue())


    def close(self) -> None:
        if not self.closed:
            try:
                self._save()
            finally:
                super().close()


def refuse_open(*_given: Any, **_named: Any) -> NoReturn:
    """The built-in `open` where the module io was not granted."""
    rule, hint = f"{RUN.profile}.modules", "to allow it: --allow-module io"
    try:
        judge_module("io")
    except LLMSpellError as error:
        if error.code != 4008:
            raise
        rule, hint = error.rule or rule, error.hint or hint
    raise LLMSpellError(
        "denied open: this spell has fs.read and fs.write",
        code=4008,
        kind="denied",
        rule=rule,
        hint=hint,
    )
