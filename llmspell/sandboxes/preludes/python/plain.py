# Values to the channel's JSON and back.
# A part of the prelude; tools check the whole, preludes/_generated/prelude.py.
# ruff: noqa
# mypy: ignore-errors

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

    __setattr__ = dict.__setitem__


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


decode_at = make_scanner(cast(Any, _Decoding()))


def decode(text: str) -> Any:
    """The value of one of the supervisor's messages."""
    return decode_at(text, 0)[0]


def _refuse_object(value: object) -> NoReturn:
    raise invalid(f"a {type(value).__name__} has no form in JSON")


_chunks = make_encoder(None, _refuse_object, encode_basestring, None, ":", ",", False, False, False)


def encode_plain(value: Any) -> str:
    return "".join(_chunks(value, 0))


def _is_plain(value: object) -> bool:
    return isinstance(value, (str, int, float, dict, list, tuple))


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
        if self._calls and isinstance(value, Call):
            # What the call gives is what is handed on.
            return self.plain(value.result(), depth)
        if isinstance(value, BaseException):
            # What a spell caught and hands on: ErrorHandler.parse_error(error).
            fields = {**describe(value), **vars(value), "name": type(value).__name__}
            return self._container({key: item for key, item in fields.items() if _is_plain(item)}, depth)
        if isinstance(value, Future):
            raise invalid("a call that was not awaited can't be carried: await it first")
        if self._calls and isinstance(value, ToolClass):
            return {"name": value._name()}
        if self._calls and callable(value):
            return {"$callback": callback_number(value)}
        fields = methods_of(value) if self._calls else None
        if fields is not None:
            return self._container(fields, depth)
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
            pairs = dict.items(value) if isinstance(value, Handle) else value.items()
            result = {self._key(key): self.plain(item, depth + 1) for key, item in pairs}
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
