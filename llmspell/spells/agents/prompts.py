"""System prompts from templates (API-052): rendered with the template's own settings.

Rendering is `spells.templating`'s, bounded. Two things the seeds' JavaScript templates hold are
brought into its form first: camelCase paths, and the method calls `.join(…)`, `.toUpperCase()`,
`.toLowerCase()`. Any other JavaScript expression is left as it is written, with a warning.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from llmspell.errors import InvalidInput
from llmspell.spells.api.options import snake
from llmspell.spells.templating import Scope, render
from llmspell.spells.templating.expressions import parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from llmspell.spells.ports import Host

TEMPLATE_MAX: Final = 65_536
"""Characters of one prompt template."""

TAG_MAX: Final = 500
_METHOD: Final = re.compile(
    r"([\w.@]{1,200})\.(join|toUpperCase|toLowerCase|trim)\(\s?(\"[^\"]*\"|'[^']*')?\s?\)"
)
_FUNCTIONS: Final = {"toUpperCase": "upper", "toLowerCase": "lower", "trim": "trim"}


def rendered(host: Host, template: str, values: Mapping[str, Any]) -> str:
    """The prompt of a template. Raises `InvalidInput` 1010 for one that can't be used."""
    if len(template) > TEMPLATE_MAX:
        raise InvalidInput(f"a prompt template has at most {TEMPLATE_MAX} characters", code=1010)
    if "{{" not in template:
        return template.strip()
    odd: list[str] = []
    scope = Scope(dict(values))
    try:
        text = render(_adapted(template, odd), scope)
    except InvalidInput as error:
        raise InvalidInput(
            f"the prompt template can't be used: {error.message}", code=1010, hint=error.hint
        ) from None
    if odd:
        host.note("warn", f"left as it is in a prompt template: {', '.join(odd[:5])}")
    if scope.missing:
        host.note(
            "warn", f"a prompt template names what is not there: {', '.join(scope.missing[:10])}"
        )
    return _dedented(text)


def _adapted(template: str, odd: list[str]) -> str:
    """The template with its tags in `templating`'s form; what is no expression escaped."""
    pieces: list[str] = []
    place = 0
    while True:
        start = template.find("{{", place)
        end = template.find("}}", start) if start >= 0 else -1
        if start < 0 or end < 0:
            pieces.append(template[place:])
            return "".join(pieces)
        pieces.append(template[place:start])
        inner = template[start + 2 : end].strip()
        place = end + 2
        tag = _tag(inner)
        if tag is None:
            odd.append("{{" + inner[:60] + "}}")
            pieces.append("\\{{" + template[start + 2 : place])
        else:
            pieces.append("{{" + tag + "}}")


def _tag(inner: str) -> str | None:
    if len(inner) > TAG_MAX:
        return None
    if inner[:1] in ("/", "!", "^") or inner == "else":
        return inner
    head = ""
    for block in ("#each ", "#if ", "#unless ", "#with ", "else if "):
        if inner.startswith(block):
            head, inner = block, inner[len(block) :]
    method = _METHOD.fullmatch(inner)
    if method is not None:
        path, name, between = method.groups()
        if name == "join":
            inner = f"join({path}, {between or repr(',')})"
        else:
            inner = f"{_FUNCTIONS[name]}({path})"
    tag = _snake_outside_quotes(inner)
    if not head:
        try:
            parse(tag)
        except InvalidInput:
            return None
    return head + tag


def _snake_outside_quotes(text: str) -> str:
    pieces: list[str] = []
    word, quote = "", ""
    for letter in text:
        if not quote and (letter.isalnum() or letter == "_"):
            word += letter
            continue
        if word:
            pieces.append(word if quote else snake(word))
            word = ""
        pieces.append(letter)
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
    if word:
        pieces.append(snake(word))
    return "".join(pieces)


def _dedented(text: str) -> str:
    """Without the indentation that all lines share: prompts are written inside programs."""
    from textwrap import dedent

    return dedent(text.strip("\n")).strip()
