# Log records, and JSON.
# A part of the prelude; tools check the whole, preludes/_generated/prelude.py.
# ruff: noqa
# mypy: ignore-errors

LOG_LEVELS = ("trace", "debug", "info", "warn", "error")


_least = [0]


def set_level(level: str) -> None:
    """The spell's own level, apart from what the supervisor shows (API-010)."""
    levels = (*LOG_LEVELS, "off")
    if level not in levels:
        raise invalid("a level is one of trace, debug, info, warn, error, off")
    _least[0] = levels.index(level)


def least_level() -> str:
    return (*LOG_LEVELS, "off")[_least[0]]


def log_record(
    level: str, message: Any, fields: Mapping[str, Any] | None = None, **named: Any
) -> None:
    if level not in LOG_LEVELS:
        raise invalid("a log level is one of trace, debug, info, warn, error")
    if LOG_LEVELS.index(level) < _least[0]:
        return
    if fields is not None and not isinstance(fields, dict):
        raise invalid("a record's fields are an object")
    record: dict[str, Any] = {"type": "log", "level": level, "message": printable(str(message))}
    if fields or named:
        record["fields"] = {**(fields or {}), **named}
    text = encode(record)
    flush_output()
    send_text(text)


def _log_function(level: str) -> Callable[..., None]:
    def log(message: Any, fields: Mapping[str, Any] | None = None, **named: Any) -> None:
        log_record(level, message, fields, **named)

    log.__name__ = log.__qualname__ = level
    return log


LOG_FUNCTIONS = {level: _log_function(level) for level in LOG_LEVELS}


def json_encode(value: Any, **options: Any) -> str:
    import json

    options.setdefault("ensure_ascii", False)
    options.setdefault("separators", (",", ":"))
    return json.dumps(value, allow_nan=False, **options)


def json_decode(text: str | bytes) -> Any:
    import json

    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
