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


RATE = 6006


class LLMSpellError(Exception):
    """What a brokered call raises: code, kind, message, rule, hint, recoverable, trace_id.

    `code` is the number of the table of errors, `type` and `error_code` are the words for it. A
    spell makes one by (message, type, code, context) (ERR-006).
    """

    def __init__(
        self,
        message: str = "the call failed",
        type: str | None = None,
        code: int | str = 4002,
        context: Any = None,
        *,
        kind: str = "runtime",
        rule: str | None = None,
        hint: str | None = None,
        recoverable: bool = False,
        trace_id: str | None = None,
        line: int | None = None,
        retry_after: float | None = None,
        **_later: Any,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.kind = kind if type is None else type
        self.context = context
        self.rule = rule
        self.hint = hint
        self.recoverable = recoverable
        self.trace_id = trace_id
        self.line = line
        self.retry_after = retry_after

    @property
    def type(self) -> str:
        return "rate_limit" if self.code == RATE else self.kind

    @property
    def error_code(self) -> str | None:
        if isinstance(self.code, str):
            return self.code
        return {"rate_limit": "E_RATE_LIMIT", "validation": "E_VALIDATION"}.get(self.type)

    @property
    def recovery_suggestion(self) -> str | None:
        return self.hint

    def to_dict(self) -> dict[str, Any]:
        """What a log would keep of it."""
        fields = ("message", "type", "code", "error_code", "context", "rule", "hint")
        result = {"name": self.__class__.__name__}
        result.update({name: getattr(self, name) for name in fields})
        return result

    def __str__(self) -> str:
        parts = [self.message]
        if self.rule is not None:
            parts.append(f"rule {self.rule}")
        if self.hint is not None:
            parts.append(self.hint)
        return " — ".join(parts)


class RateLimitError(LLMSpellError):
    """A rate was exceeded (6006); `retry_after` in seconds, where it is known."""

    def __init__(
        self,
        retry_after: float | None = None,
        context: Any = None,
        *,
        message: str | None = None,
        **fields: Any,
    ) -> None:
        if message is None:
            message = f"Rate limit exceeded. Retry after {retry_after}s"
            fields = {"code": RATE, "kind": "rate_limit", "recoverable": True, **fields}
        super().__init__(message, context=context, retry_after=retry_after, **fields)


class ValidationError(LLMSpellError):
    """What was given is not what is taken; `validation_errors` where a spell said them."""

    def __init__(
        self, errors: Any = None, context: Any = None, *, message: str | None = None, **fields: Any
    ) -> None:
        self.validation_errors = [errors] if isinstance(errors, str) else list(errors or ())
        if message is None:
            texts = [
                str(one.get("message")) if isinstance(one, dict) else str(one)
                for one in self.validation_errors
            ]
            message = f"Validation failed: {', '.join(texts)}"
            fields = {"code": 2002, "kind": "validation", **fields}
        super().__init__(message, context=context, **fields)


class DeniedImport(LLMSpellError, ImportError):
    """An import that the profile does not give (4008)."""


class MissingModule(LLMSpellError, ImportError):
    """A module that may be imported and is not there (4007)."""

    def __init__(self, missing: str, message: str) -> None:
        super().__init__(message, code=4007, kind="not_found")
        self.missing = missing


# The module of the spell's own code: tracebacks then read as people expect.
for _error in (LLMSpellError, RateLimitError, ValidationError, DeniedImport, MissingModule):
    _error.__module__ = "llmspell"


def invalid(message: str) -> LLMSpellError:
    return ValidationError(message=message, code=2002, kind="validation")


def error_from(fields: Mapping[str, Any]) -> LLMSpellError:
    known = {str(name): value for name, value in fields.items() if name not in ("stack", "type")}
    known.setdefault("message", "the call failed")
    if known.get("code") == RATE:
        return RateLimitError(**known)
    return (ValidationError if known.get("kind") == "validation" else LLMSpellError)(**known)


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
        if type(error.retry_after) in (int, float):
            wire["retry_after"] = error.retry_after
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
