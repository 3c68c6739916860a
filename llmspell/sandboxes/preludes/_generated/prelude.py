"""The Python prelude. Joined from llmspell/sandboxes/preludes/python by spells/api/generate.py.

It talks to a host of four methods: natively the worker passes `__host`; as a wasm guest it makes
one of WASI's calls, where one write to descriptor 0 is a frame and a read gives the rest of one.
"""

from __future__ import annotations

import binascii
import builtins
import os
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Mapping
from typing import Any, NoReturn, Protocol

from _json import encode_basestring, make_encoder, make_scanner


class Host(Protocol):
    """What carries frames."""

    def send(self, text: str) -> None: ...

    def recv(self, timeout_ms: float | None) -> str | None: ...


class WasiHost:
    """The channel of the wasm guest: descriptor 0."""

    FRAME_MAX = 1_048_576

    def send(self, text: str) -> None:
        os.write(0, text.encode("utf-8"))

    def recv(self, timeout_ms: float | None) -> str | None:
        if timeout_ms is not None:
            import select

            poll = select.poll()
            poll.register(0, select.POLLIN)
            if not poll.poll(max(0.0, timeout_ms)):
                return None
        data = os.read(0, self.FRAME_MAX)
        if not data:
            os._exit(0)
        return data.decode("utf-8")


HOST: Host = globals().pop("__host", None) or WasiHost()


def now_ms() -> float:
    """Monotonic milliseconds."""
    return time.monotonic() * 1000
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


def describe(error: BaseException) -> dict[str, Any]:
    """What `failed` and `returned` carry for an exception."""
    if isinstance(error, MemoryError):
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
WIRE_DEPTH = 44
WIRE_NODES = 240_000
WIRE_KEYS = 20_000
MAX_EXACT = 2**53


class Record(dict[str, Any]):
    """An object from the channel: `reply["size"]` and `reply.size` are the same."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"there is no {name!r} here") from None


def object_from(pairs: list[tuple[str, Any]]) -> Any:
    if len(pairs) == 1 and pairs[0][0] == "$bytes":
        return binascii.a2b_base64(pairs[0][1])
    return Record(pairs)


class _Decoding:
    """What `_json` asks of a decoder: importing `json` would cost 8 ms at every start."""

    strict = True
    object_hook = None
    object_pairs_hook = staticmethod(object_from)
    parse_float = float
    parse_int = int
    parse_constant = float
    memo: dict[str, str] = {}


decode_at = make_scanner(_Decoding())


def decode(text: str) -> Any:
    """The value of one of the supervisor's messages."""
    return decode_at(text, 0)[0]


def _refuse_object(value: object) -> NoReturn:
    raise invalid(f"a {type(value).__name__} has no form in JSON")


_chunks = make_encoder(
    None, _refuse_object, encode_basestring, None, ":", ",", False, False, False
)


def encode_plain(value: Any) -> str:
    return "".join(_chunks(value, 0))


class Plainer:
    """Turns a value into what JSON holds, each part read once."""

    __slots__ = ("_calls", "_nodes", "_path")

    def __init__(self, calls: bool) -> None:
        self._calls = calls
        self._nodes = 0
        self._path: set[int] = set()

    def plain(self, value: Any, depth: int = 0) -> Any:
        self._nodes += 1
        if self._nodes > WIRE_NODES:
            raise invalid(f"a value of over {WIRE_NODES} parts")
        if value is None or value is True or value is False:
            return value
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, int):
            if not -MAX_EXACT <= value <= MAX_EXACT:
                raise invalid("an integer beyond 2^53 can't be carried exactly: send it as text")
            return int(value)
        if isinstance(value, float):
            if value - value != 0:
                raise invalid("NaN and infinities have no form in JSON")
            return float(value)
        if isinstance(value, (bytes, bytearray, memoryview)):
            return {"$bytes": binascii.b2a_base64(value, newline=False).decode("ascii")}
        if isinstance(value, (dict, list, tuple)):
            return self._container(value, depth)
        if isinstance(value, Future):
            raise invalid("a call that was not awaited can't be carried: await it first")
        if self._calls and callable(value):
            return {"$callback": callback_number(value)}
        raise invalid(f"a {type(value).__name__} has no form in JSON")

    def _text(self, value: str) -> str:
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            raise invalid("text with a lone surrogate can't be carried: send bytes") from None
        return str(value)

    def _container(self, value: Any, depth: int) -> Any:
        if id(value) in self._path:
            raise invalid("a value that contains itself has no form in JSON")
        if depth >= WIRE_DEPTH:
            raise invalid(f"a value nested deeper than {WIRE_DEPTH} levels")
        self._path.add(id(value))
        result: Any
        if isinstance(value, dict):
            result = {self._key(key): self.plain(item, depth + 1) for key, item in value.items()}
            if len(result) > WIRE_KEYS:
                raise invalid(f"an object has over {WIRE_KEYS} keys")
            if len(result) == 1 and ("$bytes" in result or "$callback" in result):
                raise invalid("an object with the only key $bytes or $callback is the channel's own")
        else:
            result = [self.plain(item, depth + 1) for item in value]
        self._path.discard(id(value))
        return result

    def _key(self, key: object) -> str:
        if not isinstance(key, str):
            raise invalid(f"a key must be text, not {type(key).__name__}")
        return self._text(key)


def encode(value: Any, *, calls: bool = False) -> str:
    """`value` as the channel's JSON; functions travel where `calls` allows it."""
    return encode_plain(Plainer(calls).plain(value))
API_TABLE: list[dict[str, Any]] = [{'name': 'fs', 'names': ['fs'], 'functions': [{'name': 'read', 'camel': 'read', 'wire': 'fs.read', 'params': ['path', 'encoding', 'offset', 'length'], 'camels': ['path', 'encoding', 'offset', 'length'], 'required': 1, 'positional': 1, 'object_first': False, 'after': '', 'fixed': {}}, {'name': 'write', 'camel': 'write', 'wire': 'fs.write', 'params': ['path', 'data', 'create_parents'], 'camels': ['path', 'data', 'createParents'], 'required': 2, 'positional': 2, 'object_first': False, 'after': '', 'fixed': {}}, {'name': 'append', 'camel': 'append', 'wire': 'fs.append', 'params': ['path', 'data'], 'camels': ['path', 'data'], 'required': 2, 'positional': 2, 'object_first': False, 'after': '', 'fixed': {}}, {'name': 'list', 'camel': 'list', 'wire': 'fs.list', 'params': ['path', 'recursive', 'pattern', 'limit'], 'camels': ['path', 'recursive', 'pattern', 'limit'], 'required': 1, 'positional': 1, 'object_first': False, 'after': '', 'fixed': {}}, {'name': 'stat', 'camel': 'stat', 'wire': 'fs.stat', 'params': ['path'], 'camels': ['path'], 'required': 1, 'positional': 1, 'object_first': False, 'after': '', 'fixed': {}}, {'name': 'exists', 'camel': 'exists', 'wire': 'fs.exists', 'params': ['path'], 'camels': ['path'], 'required': 1, 'positional': 1, 'object_first': False, 'after': '', 'fixed': {}}, {'name': 'mkdir', 'camel': 'mkdir', 'wire': 'fs.mkdir', 'params': ['path', 'parents'], 'camels': ['path', 'parents'], 'required': 1, 'positional': 1, 'object_first': False, 'after': '', 'fixed': {}}, {'name': 'remove', 'camel': 'remove', 'wire': 'fs.remove', 'params': ['path', 'recursive'], 'camels': ['path', 'recursive'], 'required': 1, 'positional': 1, 'object_first': False, 'after': '', 'fixed': {}}, {'name': 'move', 'camel': 'move', 'wire': 'fs.move', 'params': ['from', 'to'], 'camels': ['from', 'to'], 'required': 2, 'positional': 2, 'object_first': False, 'after': '', 'fixed': {}}]}, {'name': 'http', 'names': ['http'], 'functions': [{'name': 'request', 'camel': 'request', 'wire': 'http.request', 'params': ['method', 'url', 'headers', 'query', 'body', 'json', 'timeout', 'max_bytes', 'follow_redirects'], 'camels': ['method', 'url', 'headers', 'query', 'body', 'json', 'timeout', 'maxBytes', 'followRedirects'], 'required': 1, 'positional': 0, 'object_first': False, 'after': 'response', 'fixed': {}}, {'name': 'get', 'camel': 'get', 'wire': 'http.request', 'params': ['url', 'headers', 'query', 'body', 'json', 'timeout', 'max_bytes', 'follow_redirects'], 'camels': ['url', 'headers', 'query', 'body', 'json', 'timeout', 'maxBytes', 'followRedirects'], 'required': 1, 'positional': 1, 'object_first': False, 'after': 'response', 'fixed': {'method': 'GET'}}, {'name': 'post', 'camel': 'post', 'wire': 'http.request', 'params': ['url', 'headers', 'query', 'body', 'json', 'timeout', 'max_bytes', 'follow_redirects'], 'camels': ['url', 'headers', 'query', 'body', 'json', 'timeout', 'maxBytes', 'followRedirects'], 'required': 1, 'positional': 1, 'object_first': False, 'after': 'response', 'fixed': {'method': 'POST'}}, {'name': 'put', 'camel': 'put', 'wire': 'http.request', 'params': ['url', 'headers', 'query', 'body', 'json', 'timeout', 'max_bytes', 'follow_redirects'], 'camels': ['url', 'headers', 'query', 'body', 'json', 'timeout', 'maxBytes', 'followRedirects'], 'required': 1, 'positional': 1, 'object_first': False, 'after': 'response', 'fixed': {'method': 'PUT'}}, {'name': 'patch', 'camel': 'patch', 'wire': 'http.request', 'params': ['url', 'headers', 'query', 'body', 'json', 'timeout', 'max_bytes', 'follow_redirects'], 'camels': ['url', 'headers', 'query', 'body', 'json', 'timeout', 'maxBytes', 'followRedirects'], 'required': 1, 'positional': 1, 'object_first': False, 'after': 'response', 'fixed': {'method': 'PATCH'}}, {'name': 'delete', 'camel': 'delete', 'wire': 'http.request', 'params': ['url', 'headers', 'query', 'body', 'json', 'timeout', 'max_bytes', 'follow_redirects'], 'camels': ['url', 'headers', 'query', 'body', 'json', 'timeout', 'maxBytes', 'followRedirects'], 'required': 1, 'positional': 1, 'object_first': False, 'after': 'response', 'fixed': {'method': 'DELETE'}}, {'name': 'head', 'camel': 'head', 'wire': 'http.request', 'params': ['url', 'headers', 'query', 'body', 'json', 'timeout', 'max_bytes', 'follow_redirects'], 'camels': ['url', 'headers', 'query', 'body', 'json', 'timeout', 'maxBytes', 'followRedirects'], 'required': 1, 'positional': 1, 'object_first': False, 'after': 'response', 'fixed': {'method': 'HEAD'}}, {'name': 'get_json', 'camel': 'getJson', 'wire': 'http.request', 'params': ['url', 'headers', 'query', 'body', 'json', 'timeout', 'max_bytes', 'follow_redirects'], 'camels': ['url', 'headers', 'query', 'body', 'json', 'timeout', 'maxBytes', 'followRedirects'], 'required': 1, 'positional': 1, 'object_first': False, 'after': 'json', 'fixed': {}}]}, {'name': 'tools', 'names': ['Tools', 'tools'], 'functions': [{'name': 'list', 'camel': 'list', 'wire': 'tools.list', 'params': ['category'], 'camels': ['category'], 'required': 0, 'positional': 1, 'object_first': False, 'after': 'tools', 'fixed': {}}, {'name': 'get', 'camel': 'get', 'wire': 'tools.get', 'params': ['name'], 'camels': ['name'], 'required': 1, 'positional': 1, 'object_first': False, 'after': 'tool', 'fixed': {}}, {'name': 'search', 'camel': 'search', 'wire': 'tools.search', 'params': ['query'], 'camels': ['query'], 'required': 1, 'positional': 1, 'object_first': False, 'after': 'tools', 'fixed': {}}, {'name': 'by_category', 'camel': 'byCategory', 'wire': 'tools.by_category', 'params': ['category'], 'camels': ['category'], 'required': 1, 'positional': 1, 'object_first': False, 'after': 'tools', 'fixed': {}}, {'name': 'get_by_category', 'camel': 'getByCategory', 'wire': 'tools.by_category', 'params': ['category'], 'camels': ['category'], 'required': 1, 'positional': 1, 'object_first': False, 'after': 'tools', 'fixed': {}}, {'name': 'execute', 'camel': 'execute', 'wire': 'tools.execute', 'params': ['name', 'input'], 'camels': ['name', 'input'], 'required': 1, 'positional': 2, 'object_first': False, 'after': '', 'fixed': {}}]}, {'name': 'storage', 'names': ['Storage', 'storage'], 'functions': [{'name': 'get', 'camel': 'get', 'wire': 'storage.get', 'params': ['key'], 'camels': ['key'], 'required': 1, 'positional': 1, 'object_first': False, 'after': '', 'fixed': {}}, {'name': 'set', 'camel': 'set', 'wire': 'storage.set', 'params': ['key', 'value', 'ttl'], 'camels': ['key', 'value', 'ttl'], 'required': 2, 'positional': 2, 'object_first': False, 'after': '', 'fixed': {}}, {'name': 'delete', 'camel': 'delete', 'wire': 'storage.delete', 'params': ['key'], 'camels': ['key'], 'required': 1, 'positional': 1, 'object_first': False, 'after': '', 'fixed': {}}, {'name': 'exists', 'camel': 'exists', 'wire': 'storage.exists', 'params': ['key'], 'camels': ['key'], 'required': 1, 'positional': 1, 'object_first': False, 'after': '', 'fixed': {}}, {'name': 'list', 'camel': 'list', 'wire': 'storage.list', 'params': ['prefix'], 'camels': ['prefix'], 'required': 0, 'positional': 1, 'object_first': False, 'after': '', 'fixed': {}}, {'name': 'clear', 'camel': 'clear', 'wire': 'storage.clear', 'params': [], 'camels': [], 'required': 0, 'positional': 0, 'object_first': False, 'after': '', 'fixed': {}}]}, {'name': 'stdin', 'names': ['stdin'], 'functions': [{'name': 'read', 'camel': 'read', 'wire': 'stdin.read', 'params': ['length'], 'camels': ['length'], 'required': 0, 'positional': 1, 'object_first': False, 'after': '', 'fixed': {}}, {'name': 'lines', 'camel': 'lines', 'wire': '', 'params': [], 'camels': [], 'required': 0, 'positional': 0, 'object_first': False, 'after': '', 'fixed': {}}, {'name': 'read_all', 'camel': 'readAll', 'wire': '', 'params': [], 'camels': [], 'required': 0, 'positional': 0, 'object_first': False, 'after': '', 'fixed': {}}]}, {'name': 'async', 'names': ['Async'], 'functions': [{'name': 'sleep', 'camel': 'sleep', 'wire': '', 'params': ['ms'], 'camels': ['ms'], 'required': 1, 'positional': 1, 'object_first': False, 'after': '', 'fixed': {}}, {'name': 'all', 'camel': 'all', 'wire': '', 'params': ['work'], 'camels': ['work'], 'required': 1, 'positional': 1, 'object_first': False, 'after': '', 'fixed': {}}, {'name': 'all_settled', 'camel': 'allSettled', 'wire': '', 'params': ['work'], 'camels': ['work'], 'required': 1, 'positional': 1, 'object_first': False, 'after': '', 'fixed': {}}, {'name': 'race', 'camel': 'race', 'wire': '', 'params': ['work'], 'camels': ['work'], 'required': 1, 'positional': 1, 'object_first': False, 'after': '', 'fixed': {}}, {'name': 'timeout', 'camel': 'timeout', 'wire': '', 'params': ['operation', 'ms'], 'camels': ['operation', 'ms'], 'required': 2, 'positional': 2, 'object_first': True, 'after': '', 'fixed': {}}, {'name': 'retry', 'camel': 'retry', 'wire': '', 'params': ['operation', 'options'], 'camels': ['operation', 'options'], 'required': 1, 'positional': 2, 'object_first': False, 'after': '', 'fixed': {}}, {'name': 'spawn', 'camel': 'spawn', 'wire': '', 'params': ['operation'], 'camels': ['operation'], 'required': 1, 'positional': 1, 'object_first': True, 'after': '', 'fixed': {}}]}, {'name': 'log', 'names': ['log', 'Logger'], 'functions': [{'name': 'trace', 'camel': 'trace', 'wire': '', 'params': ['message', 'fields'], 'camels': ['message', 'fields'], 'required': 1, 'positional': 2, 'object_first': True, 'after': '', 'fixed': {}}, {'name': 'debug', 'camel': 'debug', 'wire': '', 'params': ['message', 'fields'], 'camels': ['message', 'fields'], 'required': 1, 'positional': 2, 'object_first': True, 'after': '', 'fixed': {}}, {'name': 'info', 'camel': 'info', 'wire': '', 'params': ['message', 'fields'], 'camels': ['message', 'fields'], 'required': 1, 'positional': 2, 'object_first': True, 'after': '', 'fixed': {}}, {'name': 'warn', 'camel': 'warn', 'wire': '', 'params': ['message', 'fields'], 'camels': ['message', 'fields'], 'required': 1, 'positional': 2, 'object_first': True, 'after': '', 'fixed': {}}, {'name': 'error', 'camel': 'error', 'wire': '', 'params': ['message', 'fields'], 'camels': ['message', 'fields'], 'required': 1, 'positional': 2, 'object_first': True, 'after': '', 'fixed': {}}]}, {'name': 'json', 'names': ['JSON'], 'functions': [{'name': 'encode', 'camel': 'encode', 'wire': '', 'params': ['value'], 'camels': ['value'], 'required': 1, 'positional': 1, 'object_first': True, 'after': '', 'fixed': {}}, {'name': 'decode', 'camel': 'decode', 'wire': '', 'params': ['text'], 'camels': ['text'], 'required': 1, 'positional': 1, 'object_first': False, 'after': '', 'fixed': {}}, {'name': 'stringify', 'camel': 'stringify', 'wire': '', 'params': ['value'], 'camels': ['value'], 'required': 1, 'positional': 1, 'object_first': True, 'after': '', 'fixed': {}}, {'name': 'parse', 'camel': 'parse', 'wire': '', 'params': ['text'], 'camels': ['text'], 'required': 1, 'positional': 1, 'object_first': False, 'after': '', 'fixed': {}}]}]
SAFE_MODULES = ('__future__', 'abc', 'array', 'ast', 'base64', 'binascii', 'bisect', 'calendar', 'cmath', 'collections', 'colorsys', 'contextlib', 'copy', 'csv', 'dataclasses', 'datetime', 'decimal', 'difflib', 'enum', 'errno', 'fnmatch', 'fractions', 'functools', 'graphlib', 'hashlib', 'heapq', 'hmac', 'html', 'io', 'itertools', 'json', 'keyword', 'math', 'numbers', 'operator', 'pprint', 'random', 're', 'reprlib', 'secrets', 'shlex', 'statistics', 'string', 'struct', 'textwrap', 'time', 'traceback', 'types', 'typing', 'unicodedata', 'urllib.parse', 'uuid', 'warnings', 'weakref', 'zlib')
PART_SIZE = 87_000
"""Characters, of which each is at most three bytes (four count as two units elsewhere)."""
MESSAGE_MAX = 16_777_216


def send_text(text: str) -> None:
    """Sends one message, in parts when it is large."""
    if len(text) <= PART_SIZE // 2:
        return HOST.send(text)
    size = len(text.encode("utf-8"))
    if size <= 262_144:
        return HOST.send(text)
    if size > MESSAGE_MAX:
        raise LLMSpellError(
            "a message of over 16 MiB can't be sent",
            code=4009,
            kind="limit",
            rule="limit.message",
        )
    for start in range(0, len(text), PART_SIZE // 2):
        last = start + PART_SIZE // 2 >= len(text)
        piece = encode_basestring(text[start : start + PART_SIZE // 2])
        HOST.send(f'{{"type":"part","data":{piece},"last":{"true" if last else "false"}}}')
    return None


_parts: list[str] = []


def receive(timeout_ms: float | None) -> Any:
    """The next message, or None when none came in time."""
    while True:
        text = HOST.recv(timeout_ms)
        if text is None:
            return None
        message = decode(text)
        if message.get("type") != "part":
            return message
        _parts.append(message["data"])
        if message["last"]:
            whole = "".join(_parts)
            _parts.clear()
            return decode(whole)
POLL_EVERY = 64
_UNSET = object()


class Future:
    """Something that will have a value or an error: `await` it, or block with `.result()`."""

    __slots__ = ("__weakref__", "_done", "_error", "_observed", "_value", "_waiters")

    def __init__(self) -> None:
        self._done = False
        self._value: Any = None
        self._error: BaseException | None = None
        self._observed = False
        self._waiters: list[Callable[[Future], None]] = []

    @property
    def done(self) -> bool:
        """Whether it has ended."""
        return self._done

    def __await__(self) -> Generator[Future, None, Any]:
        self._observed = True
        while not self._done:
            yield self
        return self._outcome()

    def result(self) -> Any:
        """The value, waiting for it; other tasks go on meanwhile."""
        self._observed = True
        while not self._done:
            LOOP.pump()
        return self._outcome()

    def cancel(self) -> None:
        """Nobody wants it any more."""
        self._settle(error=LLMSpellError("cancelled", kind="cancelled"))

    def _outcome(self) -> Any:
        if self._error is not None:
            raise self._error
        return self._value

    def _settle(self, value: Any = None, error: BaseException | None = None) -> None:
        if self._done:
            return
        self._done, self._value, self._error = True, value, error
        if error is not None:
            LOOP.failures.append(self)
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            waiter(self)

    def _when_done(self, action: Callable[[Future], None]) -> None:
        if self._done:
            action(self)
        else:
            self._waiters.append(action)

    def __repr__(self) -> str:
        state = "done" if self._done else "pending"
        return f"<{type(self).__name__} {state}: await it, or call .result()>"


class Task(Future):
    """A coroutine that the loop drives."""

    __slots__ = ("_coroutine", "_waits_for")

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        super().__init__()
        self._coroutine = coroutine
        self._waits_for: Future | None = None
        LOOP.live.add(self)
        LOOP.ready.append(self)

    def cancel(self) -> None:
        """Ends the task; what it waits for is cancelled too."""
        if self._done:
            return
        waits_for = self._waits_for
        self._observed = True
        LOOP.live.discard(self)
        self._settle(error=LLMSpellError("the task was cancelled", kind="cancelled"))
        if waits_for is not None:
            waits_for.cancel()
        try:
            self._coroutine.close()
        except BaseException:
            # It is running (in a nested pump), or refuses to end: it goes on unheard.
            return

    def _step(self) -> None:
        if self._done:
            return
        self._waits_for = None
        try:
            waits_for = self._coroutine.send(None)
        except StopIteration as stop:
            self._end(stop.value, None)
        except SystemExit as error:
            LOOP.exit = error
            self._end(None, error)
        except BaseException as error:
            self._end(None, error)
        else:
            if not isinstance(waits_for, Future):
                waits_for = Future()
                waits_for._settle(error=TypeError("only llmspell's own calls can be awaited here"))
            self._waits_for = waits_for
            waits_for._when_done(self._wake)

    def _wake(self, _future: Future) -> None:
        if not self._done:
            LOOP.ready.append(self)

    def _end(self, value: Any, error: BaseException | None) -> None:
        LOOP.live.discard(self)
        self._settle(value, error)


class Loop:
    """Tasks, timers and the channel, one step at a time."""

    def __init__(self) -> None:
        self.ready: list[Task] = []
        self.live: set[Task] = set()
        self.failures: list[Future] = []
        self.exit: SystemExit | None = None
        self.outstanding: dict[int, Call] = {}
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._steps = 0

    def after(self, milliseconds: float, action: Callable[[], None]) -> int:
        """Calls `action` later; the number stops it."""
        self._count += 1
        self._timers.append((now_ms() + milliseconds, self._count, action))
        self._timers.sort(key=_timer_key, reverse=True)
        return self._count

    def stop(self, number: int) -> None:
        """Stops a timer."""
        self._timers = [timer for timer in self._timers if timer[1] != number]

    def pump(self) -> None:
        """One step of everything: timers, a ready task, or a message."""
        if self.exit is not None:
            raise self.exit
        pause = self._fire()
        if self.ready:
            self.ready.pop(0)._step()
            self._steps += 1
            if self._steps % POLL_EVERY:
                return
            pause = 0.0
        if self.ready:
            pause = 0.0
        flush_output()
        message = receive(pause)
        if message is not None:
            dispatch(message)

    def run_until_done(self) -> None:
        """Until no task lives and no call is outstanding."""
        while (self.live or self.outstanding) and self.exit is None:
            self.pump()

    def unheard(self) -> BaseException | None:
        """The error of a call or task that nobody ever waited for."""
        for future in self.failures:
            if not future._observed:
                return future._error
        return None

    def _fire(self) -> float | None:
        while self._timers:
            pause = self._timers[-1][0] - now_ms()
            if pause > 0:
                return pause
            self._timers.pop()[2]()
        return None


def _timer_key(timer: tuple[float, int, Callable[[], None]]) -> tuple[float, int]:
    return timer[0], timer[1]


LOOP = Loop()
class Call(Future):
    """A brokered call, already sent."""

    __slots__ = ("_finish", "_id", "_method")

    def __init__(self, method: str, args: dict[str, Any], finish: Callable[[Any], Any] | None) -> None:
        super().__init__()
        text = encode(args, calls=True)
        flush_output()
        number = CALLS.next_id()
        send_text(f'{{"type":"call","id":{number},"method":{encode_basestring(method)},"args":{text}}}')
        self._id, self._method, self._finish = number, method, finish
        LOOP.outstanding[number] = self

    def cancel(self) -> None:
        """Takes the call back."""
        if LOOP.outstanding.pop(self._id, None) is not None:
            self._observed = True
            send_text(f'{{"type":"cancel","id":{self._id}}}')
            self._settle(error=LLMSpellError("the call was cancelled", kind="cancelled"))

    def _reply(self, message: Any) -> None:
        if message.get("ok") is not True:
            return self._settle(error=error_from(message.get("error") or {}))
        value = message.get("value")
        if self._finish is not None:
            try:
                value = self._finish(value)
            except Exception as error:
                return self._settle(error=error)
        return self._settle(value)

    def __repr__(self) -> str:
        state = "done" if self._done else "pending"
        return f"<call {self._method} {state}: await it, or call .result()>"


class _Calls:
    """Numbers of calls and callbacks, and the invokes under way."""

    def __init__(self) -> None:
        self._last = 0
        self.callbacks: dict[int, Callable[..., Any]] = {}
        self.numbers: dict[int, int] = {}
        self.invokes: dict[int, Task] = {}

    def next_id(self) -> int:
        self._last += 1
        return self._last


CALLS = _Calls()


def callback_number(action: Callable[..., Any]) -> int:
    number = CALLS.numbers.get(id(action))
    if number is None:
        number = len(CALLS.callbacks) + 1
        # Kept for good, so the identity can't pass to another object.
        CALLS.callbacks[number] = action
        CALLS.numbers[id(action)] = number
    return number


def is_awaitable(value: object) -> bool:
    return hasattr(type(value), "__await__")


async def run_callback(number: int, args: list[Any]) -> Any:
    action = CALLS.callbacks.get(number)
    if action is None:
        raise LLMSpellError("the spell has no function of this number", code=4010, kind="invalid_function")
    value = action(*args)
    return await value if is_awaitable(value) else value


def send_returned(number: int, task: Future) -> None:
    CALLS.invokes.pop(number, None)
    task._observed = True
    error = task._error
    text = ""
    if error is None:
        try:
            text = encode(task._value, calls=True)
        except Exception as problem:
            error = problem
    flush_output()
    if error is None:
        send_text(f'{{"type":"returned","id":{number},"ok":true,"value":{text}}}')
    else:
        send_text(f'{{"type":"returned","id":{number},"ok":false,"error":{encode_plain(describe(error))}}}')


def dispatch(message: Any) -> None:
    """Handles one message of the supervisor's."""
    kind = message.get("type")
    if kind == "reply":
        call = LOOP.outstanding.pop(message["id"], None)
        if call is not None:
            call._reply(message)
    elif kind == "invoke":
        number = message["id"]
        task = Task(run_callback(message["callback"], message.get("args") or []))
        CALLS.invokes[number] = task
        task._when_done(lambda done: send_returned(number, done))
    elif kind == "cancel" and message["id"] in CALLS.invokes:
        CALLS.invokes[message["id"]].cancel()


class Tool(Record):
    """A tool: name, description, category, schema and `execute(input)`."""

    __slots__ = ()

    def execute(self, input: Mapping[str, Any] | None = None, **named: Any) -> Call:
        """Runs the tool."""
        args = {"name": self["name"], "input": {**(input or {}), **named}}
        return Call("tools.execute", args, None)

    call = execute

    def get_name(self) -> Any:
        return self.get("name")

    def get_description(self) -> Any:
        return self.get("description")

    def get_category(self) -> Any:
        return self.get("category")

    def get_input_schema(self) -> Any:
        return self.get("schema")

    getName, getDescription = get_name, get_description
    getCategory, getInputSchema = get_category, get_input_schema


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
    "tool": Tool,
    "tools": lambda value: [Tool(tool) for tool in value],
    "response": Response,
    "json": _finish_json,
}


def make_stub(module: str, spec: Mapping[str, Any]) -> Callable[..., Call]:
    """The function of a described call."""
    params, positional = spec["params"], spec["positional"]
    finish, fixed, wire = FINISH[spec["after"]], spec["fixed"], spec["wire"]

    def stub(*given: Any, **named: Any) -> Call:
        if len(given) > positional:
            raise invalid(f"{module}.{spec['name']} takes {positional} arguments by position")
        args = dict(zip(params, given))
        for name, value in named.items():
            # `from` is a keyword: fs.move(from_=…, to=…).
            args[name[:-1] if name.endswith("_") else name] = value
        args.update(fixed)
        return Call(wire, args, finish)

    stub.__name__ = stub.__qualname__ = spec["name"]
    return stub
async def _run(work: Any, *given: Any) -> Any:
    value = work(*given) if callable(work) else work
    return await value if is_awaitable(value) else value


def future_of(work: Any) -> Future:
    if isinstance(work, Future):
        return work
    if not (callable(work) or is_awaitable(work)):
        raise invalid(f"a function or something to await is needed, not a {type(work).__name__}")
    return Task(_run(work))


def futures_of(works: Iterable[Any]) -> list[Future]:
    futures = [future_of(work) for work in works]
    for future in futures:
        future._observed = True
    return futures


def cancel_all(futures: Iterable[Future]) -> None:
    for future in futures:
        if not future.done:
            future.cancel()


class Timer(Future):
    """Ends by itself after a while."""

    __slots__ = ("_number",)

    def __init__(self, milliseconds: float) -> None:
        super().__init__()
        self._number = LOOP.after(milliseconds, self._settle)

    def cancel(self) -> None:
        LOOP.stop(self._number)
        self._observed = True
        super().cancel()


class Group(Future):
    """Several futures that end together; cancelling it cancels them."""

    __slots__ = ("_members",)

    def __init__(self, members: list[Future]) -> None:
        super().__init__()
        self._members = members

    def cancel(self) -> None:
        self._observed = True
        cancel_all(self._members)
        super().cancel()

    def _settle(self, value: Any = None, error: BaseException | None = None) -> None:
        super()._settle(value, error)
        cancel_all(self._members)


def milliseconds_of(value: Any, what: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not value >= 0:
        raise invalid(f"{what} must be a number of milliseconds, 0 or more")
    return float(value)


class Async:
    """Waiting for several things at a time."""

    @staticmethod
    def sleep(ms: float) -> Future:
        return Timer(milliseconds_of(ms, "Async.sleep: ms"))

    @staticmethod
    def all(work: Iterable[Any]) -> Future:
        members = futures_of(work)
        group = Group(members)
        missing = [len(members)]

        def one_ended(future: Future) -> None:
            missing[0] -= 1
            if future._error is not None:
                group._settle(error=future._error)
            elif missing[0] == 0:
                group._settle([member._value for member in members])

        for member in members:
            member._when_done(one_ended)
        if not members:
            group._settle([])
        return group

    @staticmethod
    def all_settled(work: Iterable[Any]) -> Future:
        members = futures_of(work)

        async def wait() -> list[dict[str, Any]]:
            outcomes: list[dict[str, Any]] = []
            for member in members:
                try:
                    outcomes.append({"status": "fulfilled", "value": await member})
                except Exception as error:
                    outcomes.append({"status": "rejected", "reason": error})
            return outcomes

        return Task(wait())

    @staticmethod
    def race(work: Iterable[Any]) -> Future:
        members = futures_of(work)
        if not members:
            raise invalid("Async.race needs at least one piece of work")
        group = Group(members)
        for member in members:
            member._when_done(lambda first: group._settle(first._value, first._error))
        return group

    @staticmethod
    def timeout(operation: Any, ms: float) -> Future:
        limit = milliseconds_of(ms, "Async.timeout: ms")
        member = future_of(operation)
        member._observed = True
        group = Group([member])
        timer = LOOP.after(
            limit,
            lambda: group._settle(
                error=LLMSpellError(
                    f"not done within {ms} ms", code=4004, kind="timeout", recoverable=True
                )
            ),
        )

        def ended(future: Future) -> None:
            LOOP.stop(timer)
            group._settle(future._value, future._error)

        member._when_done(ended)
        return group

    @staticmethod
    def retry(
        operation: Callable[..., Any],
        options: Mapping[str, Any] | None = None,
        **named: Any,
    ) -> Future:
        chosen = {"attempts": 3, "delay": 100, "backoff": 2, "max_delay": 30_000}
        chosen.update(options or {})
        chosen.update(named)

        async def again() -> Any:
            pause = milliseconds_of(chosen["delay"], "Async.retry: delay")
            attempt = 0
            while True:
                attempt += 1
                try:
                    return await _run(operation)
                except Exception:
                    if attempt >= chosen["attempts"]:
                        raise
                await Timer(pause)
                pause = min(pause * chosen["backoff"], chosen["max_delay"])

        return Task(again())

    @staticmethod
    def spawn(operation: Any, *given: Any) -> Future:
        return Task(_run(operation, *given))
CHUNK = 10_900
BURST = 400
PER_MILLISECOND = 4


class _Gathering:
    """Prints are frames of their own until they flood; then they are gathered."""

    def __init__(self) -> None:
        self.allowance = BURST
        self.refilled = 0.0
        self.stream = "stdout"
        self.pieces: list[str] = []
        self.size = 0

    def may_send_now(self) -> bool:
        if self.allowance <= 0:
            now = now_ms()
            self.allowance = min(BURST, int((now - self.refilled) * PER_MILLISECOND))
            if self.allowance <= 0:
                return False
            self.refilled = now
        self.allowance -= 1
        return True

    def add(self, stream: str, text: str) -> None:
        if stream != self.stream:
            self.flush()
            self.stream = stream
        self.pieces.append(text)
        self.size += len(text)
        if self.size >= CHUNK or self.may_send_now():
            self.flush()

    def flush(self) -> None:
        if not self.pieces:
            return
        text = printable("".join(self.pieces))
        self.pieces, self.size = [], 0
        for start in range(0, len(text), CHUNK):
            piece = encode_basestring(text[start : start + CHUNK])
            send_text(f'{{"type":"output","stream":"{self.stream}","text":{piece}}}')


_gathering = _Gathering()


class Writer:
    """Standard output or error, line by line into the channel."""

    encoding = "utf-8"
    errors = "replace"
    closed = False
    newlines = None

    def __init__(self, stream: str) -> None:
        self.name = f"<{stream}>"
        self._stream = stream
        self._line: list[str] = []
        self._size = 0

    def write(self, text: str) -> int:
        if not isinstance(text, str):
            raise TypeError(f"write() takes text, not {type(text).__name__}")
        self._line.append(text)
        self._size += len(text)
        if "\n" in text or self._size >= CHUNK:
            self._emit()
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        self._emit()
        _gathering.flush()

    def isatty(self) -> bool:
        return False

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def fileno(self) -> int:
        raise OSError("the spell's output has no descriptor")

    def _emit(self) -> None:
        if self._line:
            text = "".join(self._line)
            self._line, self._size = [], 0
            _gathering.add(self._stream, text)


STDOUT = Writer("stdout")
STDERR = Writer("stderr")


def flush_output() -> None:
    """Everything printed so far leaves before the next message."""
    STDOUT._emit()
    STDERR._emit()
    _gathering.flush()
LOG_LEVELS = ("trace", "debug", "info", "warn", "error")


def log_record(
    level: str, message: Any, fields: Mapping[str, Any] | None = None, **named: Any
) -> None:
    if level not in LOG_LEVELS:
        raise invalid("a log level is one of trace, debug, info, warn, error")
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

    return json.loads(text)
class Stdin:
    """Standard input: pieces from the supervisor, cut into lines here. Also `sys.stdin`."""

    encoding = "utf-8"
    name = "<stdin>"
    closed = False

    def __init__(self) -> None:
        self._buffered = ""
        self._ended = False

    async def _fill(self) -> bool:
        if self._ended:
            return False
        piece = await Call("stdin.read", {}, None)
        if not piece:
            self._ended = True
            return False
        self._buffered += piece
        return True

    def _take(self, length: int) -> str:
        piece, self._buffered = self._buffered[:length], self._buffered[length:]
        return piece

    def read(self, length: int | None = None) -> Future:
        """The next piece of text; None at the end."""

        async def piece() -> str | None:
            if not self._buffered and not await self._fill():
                return None
            return self._take(len(self._buffered) if length is None else length)

        return Task(piece())

    def read_all(self) -> Future:
        """Everything up to the end."""

        async def everything() -> str:
            while await self._fill():
                pass
            return self._take(len(self._buffered))

        return Task(everything())

    async def _line(self) -> str | None:
        while "\n" not in self._buffered and await self._fill():
            pass
        if not self._buffered:
            return None
        stop = self._buffered.find("\n")
        return self._take(len(self._buffered) if stop < 0 else stop + 1)

    def read_line(self) -> Future:
        """The next line with its end; None at the end."""
        return Task(self._line())

    def lines(self) -> Lines:
        """The lines without their ends, for `for` and `async for`."""
        return Lines(self)


class Lines:
    """An iterator of lines."""

    def __init__(self, stdin: Stdin) -> None:
        self._stdin = stdin

    def __iter__(self) -> Lines:
        return self

    def __next__(self) -> str:
        line = self._stdin.read_line().result()
        if line is None:
            raise StopIteration
        return str(line).removesuffix("\n")

    def __aiter__(self) -> Lines:
        return self

    async def __anext__(self) -> str:
        line = await self._stdin.read_line()
        if line is None:
            raise StopAsyncIteration
        return str(line).removesuffix("\n")


STDIN = Stdin()


class SystemStdin:
    """`sys.stdin` as programs know it: blocking, over the same text."""

    encoding = "utf-8"
    name = "<stdin>"
    closed = False

    def read(self, size: int = -1) -> str:
        text = STDIN.read_all().result()
        if size < 0 or size >= len(text):
            return str(text)
        STDIN._buffered = text[size:] + STDIN._buffered
        return str(text[:size])

    def readline(self) -> str:
        return STDIN.read_line().result() or ""

    def readlines(self) -> list[str]:
        return list(self)

    def __iter__(self) -> SystemStdin:
        return self

    def __next__(self) -> str:
        line = self.readline()
        if not line:
            raise StopIteration
        return line

    def isatty(self) -> bool:
        return False


def read_input(prompt: object = "") -> str:
    """The built-in `input`."""
    if prompt:
        STDOUT.write(str(prompt))
    line = STDIN.read_line().result()
    if line is None:
        raise EOFError("standard input has ended")
    return str(line).removesuffix("\n")


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
    exists = kind[0] == "r" or (kind[0] in "ax" and FS["exists"](path).result())
    if kind[0] == "x" and exists:
        raise FileExistsError(f"{path} exists")
    if exists:
        content = FS["read"](path, encoding="binary").result()
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
            FS["write"](self.name, self.getvalue()).result()


    def close(self) -> None:
        if not self.closed:
            try:
                self._save()
            finally:
                super().close()


def refuse_open(*_given: Any, **_named: Any) -> NoReturn:
    """The built-in `open` where the module io was not granted."""
    raise LLMSpellError(
        "denied open: this spell has fs.read and fs.write",
        code=4008,
        kind="denied",
        rule=f"{RUN.profile}.modules",
        hint="to allow it: --allow-module io",
    )
real_import = builtins.__import__
spell_modules: dict[str, Any] = {}


def is_safe(name: str, fromlist: tuple[str, ...]) -> bool:
    """Whether the standard library's safe part, or a grant, covers the import."""
    parts = name.split(".")
    if any(".".join(parts[:count]) in ALLOWED for count in range(1, len(parts) + 1)):
        return True
    inner = [allowed for allowed in ALLOWED if allowed.startswith(name + ".")]
    return bool(inner) and all(f"{name}.{item}" in inner for item in fromlist)


def denied_import(name: str) -> DeniedImport:
    return DeniedImport(
        f"denied module {name[:80]}",
        code=4008,
        kind="denied",
        rule=f"{RUN.profile}.modules",
        hint=f"to allow it: --allow-module {name.split('.')[0][:80]}",
    )


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
    if name in FACADES:
        return FACADES[name]
    top = name.split(".")[0]
    if not level and top not in spell_modules and is_safe(name, tuple(fromlist or ())):
        try:
            return real_import(name, globals, locals, fromlist, 0)
        except ImportError:
            if top not in RUN.modules:
                raise
    if RUN.profile != "low" and top not in RUN.modules:
        raise denied_import(name)
    module = own_module(name)
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
            return FS["read"](candidate).result(), candidate.removeprefix("spell:")
        except LLMSpellError as error:
            if error.code == 4008 or error.kind != "not_found":
                raise
    raise MissingModule(f"no module {name} in the spell's folder", code=4007, kind="not_found")
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


RUN = _Run()
FS: dict[str, Callable[..., Any]] = {}
FACADES: dict[str, Any] = {}
ALLOWED: set[str] = set()
SPELL_BUILTINS: dict[str, Any] = {}

LOCAL_FUNCTIONS: dict[str, dict[str, Any]] = {
    "async": {name: getattr(Async, name) for name in dir(Async) if name[0] != "_"},
    "log": LOG_FUNCTIONS,
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


def make_builtins() -> dict[str, Any]:
    """The built-in names of a restricted spell."""
    names = dict(vars(builtins))
    for name in ("breakpoint", "help", "copyright", "credits", "license"):
        names.pop(name, None)
    names["open"] = open_file if "io" in RUN.modules else refuse_open
    names["__import__"] = guarded_import
    return names


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
    sys.stdout, sys.stderr, sys.stdin = STDOUT, STDERR, SystemStdin()  # type: ignore[assignment]
    sys.argv = [RUN.name, *args]
    main = type(sys)("__main__")
    world = main.__dict__
    if RUN.profile == "none":
        SPELL_BUILTINS.update(vars(builtins))
        world["__builtins__"] = builtins
    else:
        ALLOWED.update(SAFE_MODULES, RUN.modules)
        SPELL_BUILTINS.update(make_builtins())
        FACADES.update({} if "sys" in RUN.modules else {"sys": system_facade(args)})
        FACADES["io"] = io_facade()
        world["__builtins__"] = SPELL_BUILTINS
    SPELL_BUILTINS.update(input=read_input, exit=sys.exit, quit=sys.exit)
    if RUN.profile == "none":
        vars(builtins).update(input=read_input, exit=sys.exit, quit=sys.exit)
    sys.modules["__main__"] = main
    world.update(api_globals())
    world.update(params=run.get("params") or Record(), args=args, env=dict(run.get("env") or {}))
    world.update(ENGINE="python", SECURITY_LEVEL=RUN.profile)
    world.update(run.get("globals") or {})
    return world
VALUE_NAME = "__llmspell_value__"
VALUE_MAX = 16_777_000
TOP_LEVEL_AWAIT = 0x2000
ONLY_AST = 0x400
COROUTINE = 0x80


def compile_spell(source: str, name: str) -> Any:
    """The spell's code; a last expression statement becomes its value."""
    import _ast

    tree = compile(source, name, "exec", ONLY_AST | TOP_LEVEL_AWAIT, dont_inherit=True)
    last = tree.body[-1] if tree.body else None
    if isinstance(last, _ast.Expr):
        place = {
            "lineno": last.lineno,
            "col_offset": last.col_offset,
            "end_lineno": last.end_lineno,
            "end_col_offset": last.end_col_offset,
        }
        target = _ast.Name(id=VALUE_NAME, ctx=_ast.Store(), **place)
        tree.body[-1] = _ast.Assign(targets=[target], value=last.value, **place)
    return compile(tree, name, "exec", TOP_LEVEL_AWAIT, dont_inherit=True)


def syntax_error(error: SyntaxError | ValueError) -> LLMSpellError:
    line = getattr(error, "lineno", None)
    text = str(getattr(error, "msg", error))
    hint = None
    if "'return' outside function" in text:
        hint = "a Python spell's value is its last expression, or the global `result`"
    return LLMSpellError(f"SyntaxError: {text}", code=4001, kind="syntax", hint=hint, line=line)


def value_of(world: Mapping[str, Any]) -> Any:
    value = world.get(VALUE_NAME)
    if isinstance(value, Future):
        value = value.result()
    return world.get("result") if value is None else value


def drive(run: Any) -> Any:
    """Runs the spell to its end; its value, or its error raised."""
    world = make_world(run)
    try:
        code = compile_spell(run["source"], RUN.name)
    except (SyntaxError, ValueError) as error:
        raise syntax_error(error) from None
    if code.co_flags & COROUTINE:
        main = Task(eval(code, world))
        main._observed = True
        while not main.done:
            LOOP.pump()
        main._outcome()
    else:
        exec(code, world)
    value = value_of(world)
    LOOP.run_until_done()
    if LOOP.exit is not None:
        raise LOOP.exit
    unheard = LOOP.unheard()
    if unheard is not None:
        raise unheard
    return value


def report(run: Any) -> str:
    """Runs the spell; the message that tells how it ended."""
    try:
        value = drive(run)
    except SystemExit as error:
        if error.code not in (None, 0, False):
            return failed(error)
        value = None
    except BaseException as error:
        return failed(error)
    try:
        text = encode(value)
        if len(text.encode("utf-8")) > VALUE_MAX:
            raise LLMSpellError(
                "the spell's value is over 16 MiB", code=4009, kind="limit", rule="limit.message"
            )
    except BaseException as error:
        return failed(error)
    return f'{{"type":"done","value":{text}}}'


def failed(error: BaseException) -> str:
    try:
        return f'{{"type":"failed","error":{encode_plain(describe(error))}}}'
    except BaseException:
        return f'{{"type":"failed","error":{encode_plain(OUT_OF_MEMORY)}}}'


def serve() -> None:
    """One run, from `run` to its end."""
    run = receive(None)
    while run is None or run.get("type") != "run":
        run = receive(None)
    RUN.name = run.get("name") or "spell.py"
    RUN.profile = run.get("profile") or "high"
    RUN.modules = frozenset(run.get("modules") or ())
    ending = report(run)
    flush_output()
    send_text(ending)


serve()
# No atexit, no __del__ of the spell's gets another turn; and the interpreter's own end costs 7 ms.
os._exit(0)
