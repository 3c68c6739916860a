# Errors as a spell meets them, and as the channel carries them.
# A part of the prelude; tools check the whole, preludes/_generated/prelude.py.
# ruff: noqa
# mypy: ignore-errors

MAX_TEXT = 4_000
ERROR_FIELDS = ("code", "kind", "message", "rule", "hint", "recoverable", "trace_id")
OUT_OF_MEMORY = {
    "code": 4005,
    "kind": "memory",
    "message": "the spell used more memory than it may",
}


class LLMSpellError(Exception):
    """What a brokered call raises: code, kind, message, rule, hint, recoverable, trace_id."""

    def __init__(
        self,
        message: str = "the call failed",
        *,
        code: int = 4002,
        kind: str = "runtime",
        rule: str | None = None,
        hint: str | None = None,
        recoverable: bool = False,
        trace_id: str | None = None,
        line: int | None = None,
        **_later: Any,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.kind = kind
        self.rule = rule
        self.hint = hint
        self.recoverable = recoverable
        self.trace_id = trace_id
        self.line = line

    def __str__(self) -> str:
        parts = [self.message]
        if self.rule is not None:
            parts.append(f"rule {self.rule}")
        if self.hint is not None:
            parts.append(self.hint)
        return " — ".join(parts)


class DeniedImport(LLMSpellError, ImportError):
    """An import that the profile does not give (4008)."""


class MissingModule(LLMSpellError, ImportError):
    """A module that may be imported and is not there (4007)."""

    def __init__(self, missing: str, message: str) -> None:
        super().__init__(message, code=4007, kind="not_found")
        self.missing = missing


# The module of the spell's own code: tracebacks then read as people expect.
for _error in (LLMSpellError, DeniedImport, MissingModule):
    _error.__module__ = "llmspell"


def invalid(message: str) -> LLMSpellError:
    return LLMSpellError(message, code=2002, kind="validation")


def error_from(fields: Mapping[str, Any]) -> LLMSpellError:
    return LLMSpellError(**{str(name): value for name, value in fields.items() if name != "stack"})


def printable(text: str) -> str:
    """Text without lone surrogates, which the channel does not take."""
    return text.encode("utf-8", "replace").decode("utf-8")


def clip(text: str) -> str:
    return printable(text[:MAX_TEXT])


def stack_of(error: BaseException) -> tuple[str, int | None]:
    """The spell's frames, outermost first, and the line of the innermost in the spell itself."""
    lines: list[str] = []
    innermost: int | None = None
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename == RUN.name:
            innermost = trace.tb_lineno
        if code.co_filename != PRELUDE_FILE:
            lines.append(f'  File "{code.co_filename}", line {trace.tb_lineno}, in {code.co_name}')
        trace = trace.tb_next
    if len(lines) > 20:
        lines = [*lines[:10], f"  … {len(lines) - 20} more", *lines[-10:]]
    return clip("\n".join(lines)), innermost


def is_too_long(error: BaseException) -> bool:
    """A size no address could reach is refused before memory is asked for: the limit's doing too."""
    limited = isinstance(RUN.globals.get("MAX_MEMORY"), int)
    return limited and isinstance(error, OverflowError) and "index-sized" in str(error)


def describe(error: BaseException) -> dict[str, Any]:
    """What `failed` and `returned` carry for an exception."""
    if isinstance(error, MemoryError) or is_too_long(error):
        return OUT_OF_MEMORY
    wire: dict[str, Any] = {"code": 4002, "kind": "runtime"}
    if isinstance(error, LLMSpellError):
        for name in ERROR_FIELDS:
            value = getattr(error, name, None)
            if isinstance(value, str):
                wire[name] = clip(value)
            elif type(value) is int or value is True:
                wire[name] = value
        if type(error.line) is int:
            wire["line"] = error.line
    elif isinstance(error, SystemExit):
        wire.update(kind="exit", message=clip(f"the spell ended with exit({error.code!r})"))
    else:
        wire["message"] = clip(message_of(error))
    stack, line = stack_of(error)
    if stack:
        wire["stack"] = stack
    if line is not None:
        wire.setdefault("line", line)
    wire.setdefault("message", "the spell failed")
    return wire


def message_of(error: BaseException) -> str:
    name = type(error).__name__
    try:
        text = str(error)
    except Exception:
        # The exception class is the spell's own and its __str__ raised.
        return name
    return f"{name}: {text}" if text else name


PRELUDE_FILE = stack_of.__code__.co_filename
