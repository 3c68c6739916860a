"""`${NAME}` in what a request is made of, and the check of the headers that come of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

from llmspell.errors import InvalidInput
from llmspell.tools.naming import near

_VARIABLE: Final = re.compile(r"\$\{([^{}]{0,128})\}")
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")


def substitute(
    text: str,
    variables: Mapping[str, str],
    place: str,
    escape: Callable[[str], str] = str,
) -> str:
    """`text` with `${NAME}` filled in, once; what was filled in is not looked at again.

    Raises `InvalidInput` naming an unknown variable, never any value.
    """

    def fill(match: re.Match[str]) -> str:
        value = variables.get(match[1])
        if value is None:
            raise InvalidInput(
                f"{place}: there is no variable {match[1]}",
                hint=near(match[1], variables)
                or f"give it: variables = {{{match[1]} = env.{match[1]}}}",
            )
        return escape(value)

    return _VARIABLE.sub(fill, text)


def check_header(name: str, value: str) -> None:
    """Raises `InvalidInput` for a header that would break out of its line (NW-24)."""
    if _HEADER_NAME.fullmatch(name) is None:
        raise InvalidInput(f"{name[:60]!a} is no name of a header")
    if any(character in "\r\n\0" for character in value):
        raise InvalidInput(f"the header {name} has a line break")
