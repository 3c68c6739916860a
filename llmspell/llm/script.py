"""Scripted turns of `fake`: what a model will say, and what it expects to be asked first.

A TOML file holds `[[turn]]` tables, a JSONL file one turn a line. A turn says one of `text`,
`tool_calls`, `structured`, `error`; with `chunks` (a list of texts, or a number of pieces), `delay`
(seconds), `usage`, `cost`, `finish_reason` as wanted, and what it expects under `expect`:

    user      the last user message, word for word
    contains  a text, or texts, somewhere in the conversation
    tools     names of tools that must be on offer
    model     the model that is asked for

A conversation that departs from the script fails, showing what was expected and what came. With
`order = "any"` at the top, a request takes the first turn left that fits it.
"""

from __future__ import annotations

from llmspell.errors import ConfigurationError
from llmspell.llm.counting import texts_of
from llmspell.llm.failures import CODES, ModelFailure, from_fields
from llmspell.llm.requests import last_user_text
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

TURNS_MAX: Final = 10_000
DELAY_MAX: Final = 3_600.0
SHOWN_MAX: Final = 300
"""Characters of a text shown in a departure."""

_SAYS: Final = ("text", "tool_calls", "structured", "error")
_KEYS: Final = frozenset(
    {*_SAYS, "chunks", "delay", "expect", "usage", "cost", "finish_reason", "vectors"}
)
_EXPECTS: Final = frozenset({"user", "contains", "tools", "model"})


class Turn(NamedTuple):
    """One answer, and what it expects."""

    number: int
    says: Mapping[str, Any]
    expect: Mapping[str, Any]
    chunks: tuple[str, ...] | None
    delay: float


class Script:
    """The turns of one file and how far one run has come in them."""

    def __init__(self, path: str, turns: list[Turn], *, any_order: bool = False) -> None:
        self.name = path.rpartition("/")[2]
        self._left = turns
        self._count = len(turns)
        self._any_order = any_order

    @classmethod
    def load(cls, path: str) -> Script:
        """Reads a file that the user chose. Raises `ConfigurationError` naming file and turn."""
        from llmspell.profiles.files import parse_toml, read_trusted

        data = read_trusted(path)
        any_order = False
        if path.endswith((".jsonl", ".ndjson", ".json")):
            items = _lines(data, path)
        else:
            table = parse_toml(data, path)
            order = table.pop("order", "given")
            if order not in ("given", "any"):
                raise ConfigurationError(f'{path}: order is "given" or "any"')
            any_order = order == "any"
            items = table.pop("turn", [])
            if table or not isinstance(items, list):
                raise ConfigurationError(f"{path}: a script holds [[turn]] tables, nothing else")
        if not items or len(items) > TURNS_MAX:
            raise ConfigurationError(f"{path}: a script has from 1 to {TURNS_MAX} turns")
        turns = [_turn(item, index, path) for index, item in enumerate(items, start=1)]
        return cls(path, turns, any_order=any_order)

    def next(self, request: Mapping[str, Any], model: str) -> Turn:
        """The turn that answers a request. Raises `ModelFailure` for a departure."""
        if not self._left:
            raise self._departure(
                f"its {self._count} turns are over", f"another request: {_shown(request)}"
            )
        if self._any_order:
            for turn in self._left:
                if _mismatch(turn, request, model) is None:
                    self._left.remove(turn)
                    return turn
            raise self._departure("one of the turns left to fit", _shown(request))
        turn = self._left[0]
        wrong = _mismatch(turn, request, model)
        if wrong is not None:
            raise self._departure(f"turn {turn.number}: {wrong[0]}", wrong[1])
        del self._left[0]
        return turn

    def unfinished(self) -> ModelFailure | None:
        """The departure of a run that ends before its script."""
        if not self._left:
            return None
        first = self._left[0]
        expected = f"{len(self._left)} of {self._count} turns to be used (next: turn {first.number}"
        return self._departure(f"{expected}, {_brief(dict(first.says))})", "the end of the run")

    def _departure(self, expected: str, got: str) -> ModelFailure:
        return ModelFailure(
            "script",
            # The spell reads this too: it learns no path of the user's.
            f"the conversation departs from {self.name}: expected {expected}; got {got}",
            hint="change the script or the spell; the script is chosen by [providers.fake] script",
        )


def _lines(data: bytes, path: str) -> list[Any]:
    from llmspell.channel.jsontext import Malformed, decode

    items = []
    for number, line in enumerate(data.splitlines(), start=1):
        if line.strip():
            try:
                items.append(decode(line))
            except Malformed as error:
                raise ConfigurationError(f"{path}: line {number}: {error}") from None
    return items


def _turn(item: Any, number: int, path: str) -> Turn:
    place = f"{path}: turn {number}"
    if not isinstance(item, dict):
        raise ConfigurationError(f"{place} is a table")
    unknown = sorted(item.keys() - _KEYS)
    if unknown:
        raise ConfigurationError(f"{place}: {unknown[0][:40]!r} is unknown")
    says = {key: item[key] for key in item if key not in ("expect", "chunks", "delay")}
    chunks = item.get("chunks")
    if isinstance(chunks, list):
        if not all(isinstance(piece, str) for piece in chunks):
            raise ConfigurationError(f"{place}.chunks is a list of texts")
        says.setdefault("text", "".join(chunks))
        if says["text"] != "".join(chunks):
            raise ConfigurationError(f"{place}.chunks do not make up the text")
    elif chunks is not None:
        text = says.get("text", "")
        if type(chunks) is not int or chunks < 1 or not isinstance(text, str):
            raise ConfigurationError(f"{place}.chunks is a number of pieces, or the pieces")
        chunks = _cut(text, chunks)
    if sum(key in says for key in _SAYS) == 0 and "vectors" not in says:
        raise ConfigurationError(f"{place} says none of {', '.join(_SAYS)}")
    _check_says(says, place)
    delay = item.get("delay", 0)
    if isinstance(delay, bool) or not isinstance(delay, (int, float)):
        raise ConfigurationError(f"{place}.delay is a number of seconds")
    if not 0 <= delay <= DELAY_MAX:
        raise ConfigurationError(f"{place}.delay is at most {DELAY_MAX:g} seconds")
    expect = item.get("expect", {})
    if not isinstance(expect, dict) or not expect.keys() <= _EXPECTS:
        raise ConfigurationError(f"{place}.expect is a table of {', '.join(sorted(_EXPECTS))}")
    return Turn(number, says, expect, None if chunks is None else tuple(chunks), float(delay))


def _check_says(says: dict[str, Any], place: str) -> None:
    if "text" in says and not isinstance(says["text"], str):
        raise ConfigurationError(f"{place}.text is a text")
    error = says.get("error")
    if error is not None:
        says["error"] = error = {"kind": error} if isinstance(error, str) else error
        if not isinstance(error, dict) or error.get("kind") not in CODES:
            raise ConfigurationError(f"{place}.error.kind is one of {', '.join(sorted(CODES))}")
        says["error"] = {"message": f"scripted: {error['kind']}", **error}
    calls = says.get("tool_calls", [])
    if not isinstance(calls, list) or not all(
        isinstance(call, dict) and isinstance(call.get("name"), str) for call in calls
    ):
        raise ConfigurationError(f"{place}.tool_calls is a list of {{name, arguments}}")


def _cut(text: str, pieces: int) -> list[str]:
    size = max(1, -(-len(text) // pieces))
    return [text[start : start + size] for start in range(0, len(text), size)]


def scripted_failure(turn: Turn) -> ModelFailure | None:
    """The failure a turn stands for, if it does."""
    error = turn.says.get("error")
    return None if error is None else from_fields(error)


def _mismatch(turn: Turn, request: Mapping[str, Any], model: str) -> tuple[str, str] | None:
    expect = turn.expect
    user = expect.get("user")
    if user is not None and last_user_text(request) != user:
        return f"the user to say {_brief(user)}", _brief(last_user_text(request))
    wanted = expect.get("contains", [])
    whole = "\n".join(texts_of(message) for message in request["messages"])
    for piece in [wanted] if isinstance(wanted, str) else wanted:
        if str(piece) not in whole:
            return f"a conversation that holds {_brief(piece)}", _shown(request)
    offered = {tool["name"] for tool in request.get("tools", ())}
    for name in expect.get("tools", ()):
        if name not in offered:
            return f"the tool {name} on offer", f"the tools {sorted(offered)}"
    if "model" in expect and expect["model"] != model:
        return f"the model {expect['model']}", f"the model {model}"
    return None


def _shown(request: Mapping[str, Any]) -> str:
    last = request["messages"][-1]
    return f"{last['role']} says {_brief(texts_of(last))}"


def _brief(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 1] + "…"
