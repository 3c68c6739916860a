"""The operations of text_manipulator: each a form of its argument and what it does.

An operation takes text, a list of texts, or either; one that takes text is applied to each item of
a list.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import quote, unquote

from llmspell.errors import InvalidInput
from llmspell.tools.patterns import compile_pattern, replace
from llmspell.tools.schema import TEXT_MAX, Schema, boolean, enum, integer, record, string
from llmspell.tools.util import words

RESULT_MAX: Final = TEXT_MAX
ITEMS_MAX: Final = 100_000

Apply = Callable[[Any, dict[str, Any]], Any]


class Operation(NamedTuple):
    """What it takes (`text`, `list` or `any`), its argument, the argument's main field, its act."""

    takes: str
    argument: Schema | None
    main: str | None
    apply: Apply


def bounded(size: int) -> None:
    """Raises `InvalidInput` when a result would have over RESULT_MAX characters."""
    if size > RESULT_MAX:
        raise InvalidInput(f"the result would have over {RESULT_MAX} characters")


_PATTERN: Final = {
    "pattern": string("What to look for.", required=True, min_length=1, max_length=2_000),
    "regex": boolean("Whether the pattern is a regular expression; flags make it one."),
    "flags": string("Of the regular expression: i m s x; g is accepted.", max_length=8),
}


def _compiled(argument: dict[str, Any], *, is_regex: bool = False) -> re.Pattern[str]:
    if not argument.get("regex", is_regex or "flags" in argument):
        return re.compile(re.escape(argument["pattern"]))
    return compile_pattern(argument["pattern"], argument.get("flags", ""), "pattern")


def _replace(text: str, argument: dict[str, Any]) -> str:
    count = 0 if argument["all"] else 1
    pattern = _compiled(argument)
    if argument.get("regex", "flags" in argument):
        return replace(pattern, argument["replacement"], text, count, RESULT_MAX)
    found = text.count(argument["pattern"])
    bounded(len(text) + found * len(argument["replacement"]))
    replacement: str = argument["replacement"]
    return text.replace(argument["pattern"], replacement, count or -1)


def _extract(text: str, argument: dict[str, Any]) -> list[str]:
    pattern = _compiled(argument, is_regex=True)
    group = argument["group"]
    if group > pattern.groups:
        raise InvalidInput(f"the pattern has {pattern.groups} groups, not {group}")
    result: list[str] = []
    for match in pattern.finditer(text):
        result.append(match.group(group) or "")
        if len(result) > ITEMS_MAX:
            raise InvalidInput(f"over {ITEMS_MAX} matches")
    return result


def _split(text: str, argument: dict[str, Any]) -> list[str]:
    separator, limit = argument["separator"], argument.get("limit", 0)
    if "flags" in argument or argument.get("regex"):
        pattern = compile_pattern(separator, argument.get("flags", ""), "separator")
        pieces: list[str | None] = list(pattern.split(text, maxsplit=max(limit - 1, 0)))
        result = [piece or "" for piece in pieces]
    elif not separator:
        result = words.clusters(text)
    else:
        result = text.split(separator, limit - 1 if limit else -1)
    if len(result) > ITEMS_MAX:
        raise InvalidInput(f"over {ITEMS_MAX} pieces")
    return result


def _truncate(text: str, argument: dict[str, Any]) -> str:
    pieces = words.clusters(text)
    length: int = argument["length"]
    ellipsis: str = argument["ellipsis"][: argument["length"]]
    if len(pieces) <= length:
        return text
    kept = "".join(pieces[: length - len(ellipsis)])
    if argument["on_word"] and " " in kept:
        kept = kept.rsplit(None, 1)[0]
    return kept + ellipsis


def _pad(text: str, argument: dict[str, Any]) -> str:
    length, character, side = argument["length"], argument["character"], argument["side"]
    bounded(length)
    if side == "left":
        return text.rjust(length, character)
    return text.center(length, character) if side == "both" else text.ljust(length, character)


def _repeat(text: str, argument: dict[str, Any]) -> str:
    bounded((len(text) + len(argument["separator"])) * argument["count"])
    return str(argument["separator"]).join([text] * argument["count"])


def _join(items: list[str], argument: dict[str, Any]) -> str:
    bounded(sum(map(len, items)) + len(items) * len(argument["separator"]))
    return str(argument["separator"]).join(items)


def _around(text: str, argument: dict[str, Any]) -> str:
    bounded(len(text) + len(argument["text"]) + 1)
    return str(argument["text"])


def _indent(text: str, argument: dict[str, Any]) -> str:
    bounded(len(text) + (text.count("\n") + 1) * argument["width"])
    return textwrap.indent(text, " " * argument["width"])


def _escape_html(text: str, _: dict[str, Any]) -> str:
    bounded(len(text) + 5 * sum(map(text.count, "&<>\"'")))
    for character, entity in HTML:
        text = text.replace(character, entity)
    return text


def _unescape_html(text: str, _: dict[str, Any]) -> str:
    for character, entity in reversed(HTML):
        text = text.replace(entity, character)
    return text


HTML: Final = (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ('"', "&quot;"), ("'", "&#39;"))


def _sort(items: list[str], argument: dict[str, Any]) -> list[str]:
    key = str.casefold if argument["ignore_case"] else None
    return sorted(items, key=key, reverse=argument["order"] == "desc")


def _slice(value: Any, argument: dict[str, Any]) -> Any:
    return value[argument["start"] : argument.get("end")]


def _count(value: Any, argument: dict[str, Any]) -> int:
    if isinstance(value, list):
        return value.count(argument["pattern"])
    return sum(1 for _ in _compiled(argument).finditer(value))


def _plain(function: Callable[[str], Any]) -> Operation:
    return Operation("text", None, None, lambda text, _: function(text))


def _on_list(function: Callable[[list[str]], Any]) -> Operation:
    return Operation("list", None, None, lambda items, _: function(items))


def _with(takes: str, main: str, fields: Mapping[str, Schema], apply: Apply) -> Operation:
    return Operation(takes, record("", fields), main, apply)


_POSITION: Final = (-(2**31), 2**31)

OPERATIONS: Final[Mapping[str, Operation]] = {
    "trim": _plain(str.strip),
    "trim_start": _plain(str.lstrip),
    "trim_end": _plain(str.rstrip),
    "to_lower_case": _plain(str.lower),
    "to_upper_case": _plain(str.upper),
    "case_fold": _plain(str.casefold),
    "swap_case": _plain(str.swapcase),
    "capitalize": _plain(lambda text: text[:1].upper() + text[1:].lower()),
    "title_case": _plain(words.title),
    "camel_case": _plain(words.camel),
    "pascal_case": _plain(words.pascal),
    "snake_case": _plain(lambda text: words.joined(text, "_")),
    "kebab_case": _plain(lambda text: words.joined(text, "-")),
    "constant_case": _plain(lambda text: words.joined(text, "_").upper()),
    "slugify": _plain(words.slug),
    "remove_accents": _plain(words.without_accents),
    "collapse_whitespace": _plain(lambda text: " ".join(text.split())),
    "dedent": _plain(textwrap.dedent),
    "escape_html": Operation("text", None, None, _escape_html),
    "unescape_html": Operation("text", None, None, _unescape_html),
    "url_encode": _plain(lambda text: quote(text, safe="")),
    "url_decode": _plain(unquote),
    "lines": _plain(str.splitlines),
    "words": _plain(words.words_of),
    "characters": _plain(words.clusters),
    "length": Operation(
        "any", None, None, lambda value, _: len(value) if isinstance(value, list)
        else len(words.clusters(value)),
    ),
    "word_count": _plain(lambda text: len(words.words_of(text))),
    "line_count": _plain(lambda text: len(text.splitlines())),
    "reverse": Operation(
        "any", None, None, lambda value, _: value[::-1] if isinstance(value, list)
        else "".join(reversed(words.clusters(value))),
    ),
    "unique": _on_list(lambda items: list(dict.fromkeys(items))),
    "first": _on_list(lambda items: items[0] if items else ""),
    "last": _on_list(lambda items: items[-1] if items else ""),
    "compact": _on_list(lambda items: [item for item in items if item.strip()]),
    "sort": _with("list", "order", {
        "order": enum("", ("asc", "desc"), default="asc"),
        "ignore_case": boolean("", default=False),
    }, _sort),
    "replace": _with("text", "pattern", {
        **_PATTERN,
        "replacement": string("With a regular expression $1, $<name>, $& work.", default=""),
        "all": boolean("", default=True),
    }, _replace),
    "remove": _with("text", "pattern", _PATTERN, lambda text, argument: _replace(
        text, argument | {"replacement": "", "all": True})),
    "extract": _with("text", "pattern", {
        **_PATTERN, "group": integer("", 0, 99, default=0),
    }, _extract),
    "matches": _with("text", "pattern", _PATTERN, lambda text, argument:
                     _compiled(argument).search(text) is not None),
    "count": _with("any", "pattern", _PATTERN, _count),
    "split": _with("text", "separator", {
        "separator": string("", default=" ", max_length=2_000),
        "regex": boolean(""),
        "flags": string("", max_length=8),
        "limit": integer("At most so many pieces.", 1, ITEMS_MAX),
    }, _split),
    "join": _with("list", "separator", {"separator": string("", default=" ")}, _join),
    "truncate": _with("text", "length", {
        "length": integer("", 0, TEXT_MAX, required=True),
        "ellipsis": string("", default="…", max_length=100),
        "on_word": boolean("", default=False),
    }, _truncate),
    "pad": _with("text", "length", {
        "length": integer("", 0, TEXT_MAX, required=True),
        "character": string("", default=" ", min_length=1, max_length=1),
        "side": enum("", ("left", "right", "both"), default="right"),
    }, _pad),
    "repeat": _with("text", "count", {
        "count": integer("", 0, TEXT_MAX, required=True),
        "separator": string("", default=""),
    }, _repeat),
    "prepend": _with("text", "text", {"text": string("", required=True)},
                     lambda text, argument: _around(text, argument) + text),
    "append": _with("text", "text", {"text": string("", required=True)},
                    lambda text, argument: text + _around(text, argument)),
    "slice": _with("any", "start", {
        "start": integer("", *_POSITION, default=0), "end": integer("", *_POSITION),
    }, _slice),
    "wrap": _with("text", "width", {"width": integer("", 1, 10_000, default=80)},
                  lambda text, argument: "\n".join(
                      textwrap.fill(line, argument["width"]) for line in text.split("\n"))),
    "indent": _with("text", "width", {"width": integer("", 0, 1_000, default=4)}, _indent),
    "normalize": _with("text", "form", {
        "form": enum("", ("NFC", "NFD", "NFKC", "NFKD"), default="NFC"),
    }, lambda text, argument: unicodedata.normalize(argument["form"], text)),
    "contains": _with("any", "text", {"text": string("", required=True)},
                      lambda value, argument: argument["text"] in value),
    "starts_with": _with("text", "text", {"text": string("", required=True)},
                         lambda text, argument: text.startswith(argument["text"])),
    "ends_with": _with("text", "text", {"text": string("", required=True)},
                       lambda text, argument: text.endswith(argument["text"])),
}  # fmt: skip

ALIASES: Final[Mapping[str, str]] = {
    "lower": "to_lower_case", "lowercase": "to_lower_case", "lower_case": "to_lower_case",
    "to_lower": "to_lower_case", "upper": "to_upper_case", "uppercase": "to_upper_case",
    "upper_case": "to_upper_case", "to_upper": "to_upper_case", "trim_left": "trim_start",
    "trim_right": "trim_end", "title": "title_case", "to_title_case": "title_case",
    "substring": "slice", "slug": "slugify", "chars": "characters", "truncate_text": "truncate",
    "strip": "trim", "to_camel_case": "camel_case", "to_snake_case": "snake_case",
    "to_kebab_case": "kebab_case", "to_pascal_case": "pascal_case",
}  # fmt: skip
