"""Logs of a shard come home: the handler of multiprocessing-logging, with our pipe as its queue.

The package's own queue is pickle between forked processes. A shard is not forked, and no object
that another process wrote is unpickled here: a record travels as JSON, as text already, and is
handled at home by whatever its loggers, levels and handlers are there.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, Final

from multiprocessing_logging import MultiProcessingHandler

from llmspell.channel.jsontext import Malformed, decode, encode

_NUMBERS: Final = ("levelno", "lineno", "process", "thread")
_TEXTS: Final = (
    "name",
    "levelname",
    "pathname",
    "filename",
    "module",
    "funcName",
    "processName",
    "threadName",
    "exc_text",
)
_TEXT_MAX: Final = 65_536
"""Characters of one text of a record of our own; a spell's are bounded by its output limit."""


class HomewardHandler(MultiProcessingHandler):  # type: ignore[misc]
    """The shard's handler: the package makes each record plain, `send` carries it."""

    def __init__(self, send: Callable[[bytes], None]) -> None:
        # Not the package's own start: it makes a queue of pickles and a thread that reads it.
        logging.Handler.__init__(self)
        self.sub_handler = logging.NullHandler()
        self.queue = _Homeward(send)

    def close(self) -> None:
        """There is no thread to join."""
        logging.Handler.close(self)


class _Homeward:
    """What of a queue the handler uses."""

    __slots__ = ("_send",)

    def __init__(self, send: Callable[[bytes], None]) -> None:
        self._send = send

    def put_nowait(self, record: logging.LogRecord) -> None:
        self._send(record_to_wire(record))


def install(send: Callable[[bytes], None]) -> None:
    """Every log record of this process goes home from now on."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
    root.addHandler(HomewardHandler(send))


def record_to_wire(record: logging.LogRecord) -> bytes:
    """A record that multiprocessing-logging has made plain. Fields that are no JSON become text."""
    raw: dict[str, Any] = {"message": record.getMessage(), "created": record.created}
    for name in _NUMBERS:
        raw[name] = getattr(record, name)
    for name in _TEXTS:
        text = getattr(record, name)
        raw[name] = None if text is None else str(text)[:_TEXT_MAX]
    fields = getattr(record, "fields", None)
    try:
        return encode(raw if fields is None else {**raw, "fields": fields})
    except Malformed:
        readable = {name: _plain(value) for name, value in raw.items()}
        return encode(readable if fields is None else {**readable, "fields": _plain(str(fields))})


def handle(data: bytes) -> None:
    """Gives a record to this process's own logging. Raises `Malformed`."""
    raw = decode(data)
    if type(raw) is not dict or type(raw.get("name")) is not str:
        raise Malformed("a log record that can't be read")
    message = raw.pop("message", None)
    if type(message) is not str or type(raw.get("levelno")) is not int:
        raise Malformed("a log record that can't be read")
    record = logging.makeLogRecord({**raw, "msg": message, "args": None})
    logger = logging.getLogger(record.name)
    if logger.isEnabledFor(record.levelno):
        logger.handle(record)


def _plain(value: Any) -> Any:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
