"""Reads a template into a tree: text, tags, and the blocks #each, #if, #unless, #with."""

from __future__ import annotations

from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING, NamedTuple
from llmspell.spells.templating import expressions

if TYPE_CHECKING:
    from typing import Final

TEMPLATE_MAX: Final = 262_144
"""Characters of one template."""

TAGS_MAX: Final = 2_000
"""Tags of one template."""

DEPTH_MAX: Final = 16
"""Blocks within each other."""

BLOCKS: Final = ("each", "if", "unless", "with")


class Block(NamedTuple):
    """A block: kind, subject, the name it gives each item ("" for none), body, and what else."""

    kind: str
    subject: expressions.Tree
    item: str
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]


Node = str | expressions.Tree | Block


class _Tag(NamedTuple):
    text: str
    line: int


def parse(template: str) -> tuple[Node, ...]:
    """The tree of a template. Raises `InvalidInput` that names the line."""
    if len(template) > TEMPLATE_MAX:
        raise InvalidInput(f"a template has at most {TEMPLATE_MAX} characters")
    return _Parser(_pieces(template)).whole()


def _pieces(template: str) -> list[str | _Tag]:
    pieces: list[str | _Tag] = []
    place, line = 0, 1
    while True:
        start = template.find("{{", place)
        if start < 0:
            pieces.append(template[place:])
            return pieces
        text = template[place:start]
        line += text.count("\n")
        if text.endswith("\\"):
            pieces.append(text[:-1] + "{{")
            place = start + 2
            continue
        pieces.append(text)
        closing = "}}}" if template.startswith("{{{", start) else "}}"
        opened = start + len(closing)
        end = template.find(closing, opened)
        if end < 0:
            raise _wrong(line, "a {{ is not closed; write \\{{ for the characters themselves")
        inner = template[opened:end]
        if len(inner) > expressions.EXPRESSION_MAX:
            raise _wrong(line, f"a tag has at most {expressions.EXPRESSION_MAX} characters")
        if not inner.startswith("!"):
            pieces.append(_Tag(inner.strip(), line))
        line += inner.count("\n")
        place = end + len(closing)
        if len(pieces) > 2 * TAGS_MAX:
            raise _wrong(line, f"a template has at most {TAGS_MAX} tags")


class _Parser:
    def __init__(self, pieces: list[str | _Tag]) -> None:
        self._pieces = pieces
        self._place = 0

    def whole(self) -> tuple[Node, ...]:
        nodes, end = self._nodes(0)
        if end is not None:
            raise _wrong(end.line, f"{{{{{end.text[:40]}}}}} has no block")
        return nodes

    def _nodes(self, depth: int) -> tuple[tuple[Node, ...], _Tag | None]:
        """Nodes up to the end of the block, and the tag that ended it."""
        nodes: list[Node] = []
        while self._place < len(self._pieces):
            piece = self._pieces[self._place]
            self._place += 1
            if isinstance(piece, str):
                if piece:
                    nodes.append(piece)
            elif piece.text.startswith("#") and _block_word(piece.text) is not None:
                nodes.append(self._block(piece, depth + 1))
            elif piece.text.startswith("/") or _is_else(piece.text):
                return tuple(nodes), piece
            else:
                nodes.append(_expression(piece.text, piece.line))
        return tuple(nodes), None

    def _block(self, tag: _Tag, depth: int) -> Block:
        if depth > DEPTH_MAX:
            raise _wrong(tag.line, f"blocks are nested deeper than {DEPTH_MAX} levels")
        kind, _, rest = tag.text[1:].partition(" ")
        subject, item = _subject(rest, tag)
        body, end = self._nodes(depth)
        otherwise: tuple[Node, ...] = ()
        if end is not None and _is_else(end.text):
            condition = end.text[4:].strip()
            if condition:
                # {{else if x}}: a block of its own that ends where this one ends.
                following = _Tag(f"#{condition}", end.line)
                if _block_word(following.text) is None:
                    raise _wrong(end.line, "{{else if …}} was expected")
                return Block(kind, subject, item, body, (self._block(following, depth + 1),))
            otherwise, end = self._nodes(depth)
        if end is None:
            raise _wrong(tag.line, f"{{{{#{kind}}}}} is not closed: add {{{{/{kind}}}}}")
        if end.text[1:].strip() not in BLOCKS or not end.text.startswith("/"):
            raise _wrong(end.line, f"{{{{/{kind}}}}} was expected")
        return Block(kind, subject, item, body, otherwise)


def _block_word(text: str) -> str | None:
    word = text[1:].partition(" ")[0]
    return word if word in BLOCKS else None


def _is_else(text: str) -> bool:
    return text == "else" or text.startswith("else ")


def _subject(text: str, tag: _Tag) -> tuple[expressions.Tree, str]:
    item = ""
    before, found, after = text.rpartition(" as ")
    if found:
        text, item = before, after.strip().strip("|").strip()
        if not item.isidentifier():
            raise _wrong(tag.line, "as takes a name")
    if not text.strip():
        raise _wrong(tag.line, f"{{{{{tag.text[:20]}}}}} needs something to look at")
    return _expression(text, tag.line), item


def _expression(text: str, line: int) -> expressions.Tree:
    if not text:
        raise _wrong(line, "{{}} is empty")
    try:
        return expressions.parse(text)
    except InvalidInput as error:
        raise _wrong(line, error.message) from None


def _wrong(line: int, what: str) -> InvalidInput:
    return InvalidInput(f"template, line {line}: {what}")
