"""Reads a Handlebars-like template into a tree. Sources: API-052, TOOL-041.

`{{a.b}}` and `{{{a.b}}}`, `{{#if}} {{else if}} {{else}}`, `#unless`, `#each … as |item index|`,
`#with`, `{{! comment }}`, `{{~ ~}}`, helpers with arguments and `(sub expressions)`, `\\{{`.
No partials, no file, no code.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple

from llmspell.errors import InvalidInput

TEMPLATE_MAX: Final = 1_048_576
NODES_MAX: Final = 100_000
DEPTH_MAX: Final = 50
BLOCKS: Final = ("if", "unless", "each", "with")


class Text(NamedTuple):
    """Literal text."""

    text: str


class Path(NamedTuple):
    """A value by name: how many `../` up, and the steps down; `@index` is a step of its own."""

    up: int
    steps: tuple[str, ...]
    shown: str
    line: int


class Call(NamedTuple):
    """A helper with its arguments."""

    helper: str
    arguments: tuple[Expression, ...]
    options: tuple[tuple[str, Expression], ...]
    line: int


class Literal(NamedTuple):
    """A text, number, true, false or null written in the template."""

    value: Any


class Output(NamedTuple):
    """A value to print."""

    expression: Expression
    is_raw: bool


class Block(NamedTuple):
    """A block: its kind, subject, body, what else, and the names it gives."""

    kind: str
    subject: Expression
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]
    names: tuple[str, ...]


Expression = Path | Call | Literal
Node = Text | Output | Block

_TAG: Final = re.compile(
    r"(\\?)\{\{(?:(!--.*?--~?\}\})|(!.*?\}\})|\{(~?)(.*?)(~?)\}\}\}|(~?)(.*?)(~?)\}\})", re.DOTALL
)
_PART: Final = re.compile(
    r"""\s*(?:(?P<text>"[^"]*"|'[^']*')|(?P<open>\()|(?P<close>\))|(?P<bar>\|[^|]*\|)"""
    r"""|(?P<option>[A-Za-z_]\w*)=|(?P<word>[^\s()|"'=]+))"""
)
_NUMBER: Final = re.compile(r"-?\d{1,15}(?:\.\d{1,15})?")


class Tag(NamedTuple):
    """What stands between braces."""

    text: str
    is_raw: bool
    line: int


def parse(template: str) -> tuple[Node, ...]:
    """The template's tree. Raises `InvalidInput` naming the line."""
    return _Parser(list(_pieces(template))).whole()


def wrong(line: int, what: str, hint: str | None = None) -> InvalidInput:
    """An error in the template's line."""
    return InvalidInput(f"template, line {line}: {what}", hint=hint)


def _pieces(template: str) -> list[str | Tag]:
    pieces: list[str | Tag] = []
    place, line, trims = 0, 1, False
    for match in _TAG.finditer(template):
        text = template[place : match.start()]
        line += text.count("\n")
        text = text.lstrip() if trims else text
        trims = False
        if match[1]:
            pieces.append(text + match.group()[1:])
        elif match[2] or match[3]:
            pieces.append(text)
            trims = (match[2] or match[3]).endswith("~}}")
        else:
            is_raw = match[5] is not None
            before, inner, after = match.group(4, 5, 6) if is_raw else match.group(7, 8, 9)
            pieces.append(text.rstrip() if before else text)
            if inner.startswith("&"):
                is_raw, inner = True, inner[1:]
            pieces.append(Tag(inner.strip(), is_raw, line))
            trims = bool(after)
        line += match.group().count("\n")
        place = match.end()
        if len(pieces) > NODES_MAX:
            raise wrong(line, f"over {NODES_MAX} pieces")
    rest = template[place:]
    if "{{" in rest.replace("\\{{", ""):
        line += rest[: rest.index("{{")].count("\n")
        raise wrong(line, "a {{ is not closed", "write \\{{ for the characters themselves")
    pieces.append(rest.lstrip() if trims else rest)
    return _without_own_lines(pieces)


def _is_block_tag(piece: str | Tag) -> bool:
    return isinstance(piece, Tag) and (
        piece.text[:1] in ("#", "/", "^") or piece.text.split(None, 1)[:1] == ["else"]
    )


def _without_own_lines(pieces: list[str | Tag]) -> list[str | Tag]:
    """A block tag alone on its line leaves no empty line, as in Handlebars."""
    result = list(pieces)
    for index, piece in enumerate(pieces):
        if not _is_block_tag(piece) or not 0 < index < len(pieces) - 1:
            continue
        before, after = result[index - 1], result[index + 1]
        if not (isinstance(before, str) and isinstance(after, str)):
            continue
        head, start = before.rpartition("\n")[::2]
        rest, newline, tail = after.partition("\n")
        is_first = "\n" not in before and index == 1
        is_last = not newline and index == len(pieces) - 2
        if start.strip() or rest.strip() or not ("\n" in before or is_first):
            continue
        if newline or is_last:
            result[index - 1] = head + "\n" if "\n" in before else ""
            result[index + 1] = tail
    return result


class _Parser:
    def __init__(self, pieces: list[str | Tag]) -> None:
        self._pieces = pieces
        self._place = 0

    def whole(self) -> tuple[Node, ...]:
        nodes, end = self._nodes(0)
        if end is not None:
            raise wrong(end.line, f"{{{{{end.text}}}}} has no block to end")
        return nodes

    def _nodes(self, depth: int) -> tuple[tuple[Node, ...], Tag | None]:
        """Nodes up to the tag that ends them (`/x`, `else`, `else if`), which is given too."""
        if depth > DEPTH_MAX:
            raise InvalidInput(f"template: blocks nested deeper than {DEPTH_MAX} levels")
        nodes: list[Node] = []
        while self._place < len(self._pieces):
            piece = self._pieces[self._place]
            self._place += 1
            if isinstance(piece, str):
                if piece:
                    nodes.append(Text(piece))
                continue
            word = piece.text.split(None, 1)[0] if piece.text else ""
            if word in ("else", "^") or piece.text.startswith("/"):
                return tuple(nodes), piece
            if piece.text.startswith("#"):
                nodes.append(self._block(piece, piece.text[1:].strip(), depth))
            elif piece.text.startswith(">"):
                raise wrong(piece.line, "partials are not supported", "put the text in its place")
            else:
                nodes.append(Output(_expression(piece), piece.is_raw))
        return tuple(nodes), None

    def _block(self, tag: Tag, text: str, depth: int) -> Block:
        kind, _, rest = text.partition(" ")
        if kind not in BLOCKS:
            known = ", ".join("#" + block for block in BLOCKS)
            raise wrong(tag.line, f"there is no block #{kind[:40]}", f"known are {known}")
        subject, names = _subject(Tag(rest, False, tag.line), kind)
        body, end = self._nodes(depth + 1)
        otherwise: tuple[Node, ...] = ()
        if end is not None and not end.text.startswith("/"):
            following = end.text[4:].strip() if end.text.startswith("else") else ""
            if following:
                # `else if` is a block of its own that ends with the same closing tag.
                inner = self._block(end, following, depth + 1)
                return Block(kind, subject, body, (inner,), names)
            otherwise, end = self._nodes(depth + 1)
        if end is None:
            raise wrong(tag.line, f"{{{{#{kind}}}}} is not closed", f"add {{{{/{kind}}}}}")
        closed = end.text[1:].strip()
        if closed not in BLOCKS or not end.text.startswith("/"):
            raise wrong(end.line, f"{{{{/{kind}}}}} was expected")
        if closed != kind and not text.startswith(closed):
            self._check_chain(kind, closed, tag, end)
        return Block(kind, subject, body, otherwise, names)

    def _check_chain(self, kind: str, closed: str, tag: Tag, end: Tag) -> None:
        # In `{{#each}}…{{else if}}…{{/each}}` the inner block ends with the outer one's name.
        if not tag.text.startswith("else"):
            raise wrong(end.line, f"{{{{/{closed}}}}} ends {{{{#{kind}}}}} of line {tag.line}")


def _subject(tag: Tag, kind: str) -> tuple[Expression, tuple[str, ...]]:
    names: tuple[str, ...] = ()
    text = tag.text
    if text.rstrip().endswith("|") and " as " in text:
        text, _, bars = text.rpartition(" as ")
        names = tuple(bars.strip().strip("|").split())
        if not 1 <= len(names) <= 2 or not all(name.isidentifier() for name in names):
            raise wrong(tag.line, "as |…| takes one or two names")
    if not text.strip():
        raise wrong(tag.line, f"#{kind} needs something to look at")
    return _expression(Tag(text, False, tag.line)), names


def _expression(tag: Tag) -> Expression:
    parts: list[tuple[str, str]] = []
    place = 0
    text = tag.text.rstrip()
    while place < len(text):
        match = _PART.match(text, place)
        if match is None:
            raise wrong(tag.line, f"{text[place : place + 20]!r} can't be read")
        kind = match.lastgroup or ""
        parts.append((kind, match.group(kind)))
        place = match.end()
    if not parts:
        raise wrong(tag.line, "{{}} is empty")
    expression, used = _call(parts, 0, tag.line, 0)
    if used != len(parts):
        raise wrong(tag.line, "a ) too many")
    return expression


def _call(
    parts: list[tuple[str, str]], start: int, line: int, depth: int
) -> tuple[Expression, int]:
    if depth > DEPTH_MAX:
        raise wrong(line, "brackets nested too deep")
    values: list[Expression] = []
    options: list[tuple[str, Expression]] = []
    option: str | None = None
    index = start
    while index < len(parts) and parts[index][0] != "close":
        kind, text = parts[index]
        index += 1
        if kind == "option":
            option = text
            continue
        if kind == "open":
            value, index = _call(parts, index, line, depth + 1)
            if index >= len(parts):
                raise wrong(line, "a ( is not closed")
            index += 1
        elif kind == "text":
            value = Literal(text[1:-1])
        elif kind == "word":
            value = _word(text, line)
        else:
            raise wrong(line, f"{text[:20]!r} has no place here")
        if option is None:
            values.append(value)
        else:
            options.append((option, value))
            option = None
    if option is not None or not values:
        raise wrong(line, "a value is missing")
    if len(values) == 1 and not options and depth == 0:
        return values[0], index
    head = values[0]
    if not isinstance(head, Path) or len(head.steps) != 1:
        raise wrong(line, "the name of a helper was expected")
    return Call(head.steps[0], tuple(values[1:]), tuple(options), line), index


def _word(text: str, line: int) -> Expression:
    constants = {"true": True, "false": False, "null": None, "undefined": None}
    if text in constants:
        return Literal(constants[text])
    if _NUMBER.fullmatch(text):
        return Literal(float(text) if "." in text else int(text))
    up = 0
    rest = text
    while rest.startswith("../"):
        up, rest = up + 1, rest[3:]
    if rest in ("this", ".", ""):
        return Path(up, (), text, line)
    rest = rest.removeprefix("this.").removeprefix("./")
    steps = tuple(step.strip("[]") for step in rest.replace("/", ".").split("."))
    if not all(steps) or len(steps) > 50:
        raise wrong(line, f"{text[:60]!r} is no name")
    return Path(up, steps, text, line)
