"""One parse of a URL, used for the verdict, the dialling, the name in TLS and the Host header.

Nothing is repaired: control characters, spaces, backslashes and user names are refused, where
library parsers drop or reinterpret them and so let checker and dialler disagree (NW-13, 16, 17).
"""

from __future__ import annotations

from llmspell.errors import InvalidInput
from llmspell.policies.hostnames import Host, parse_host, parse_port
from llmspell.policies.hosts import DEFAULT_PORTS
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

URL_MAX: Final = 8_192
"""Characters of a URL, as most servers take."""

_KEPT: Final = "!#$%&'()*+,/:;=?@[]~-._"


class WebUrl(NamedTuple):
    """A parsed URL. `target` is path and query as they travel."""

    scheme: str
    host: Host
    port: int
    target: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """What must be equal for credentials to go along (RFC 6454)."""
        return (self.scheme, self.host.name, self.port)

    @property
    def authority(self) -> str:
        """Host and, unless it is the scheme's own, port: the Host header."""
        return self.host.with_port(None if self.port == DEFAULT_PORTS[self.scheme] else self.port)

    @property
    def text(self) -> str:
        """The whole URL."""
        return f"{self.scheme}://{self.authority}{self.target}"

    @property
    def shown(self) -> str:
        """The URL for records and people: no query, where secrets travel."""
        path, mark, _ = self.target.partition("?")
        return f"{self.scheme}://{self.authority}{path[:200]}{'?…' if mark else ''}"


def parse_url(text: object, base: WebUrl | None = None) -> WebUrl:
    """Parses a URL; with `base` (a redirect) also a relative one.

    Raises `InvalidInput` for anything that is no plain `http` or `https` URL.
    """
    if not isinstance(text, str) or not 1 <= len(text) <= URL_MAX:
        raise InvalidInput(f"a URL is text of 1 to {URL_MAX} characters")
    if any(character <= " " or character in "\x7f\\" for character in text):
        raise InvalidInput("a URL can't hold spaces, control characters or backslashes")
    rest = text.partition("#")[0]
    scheme, separator, after = rest.partition("://")
    if separator and scheme.isascii() and scheme.isalpha():
        return _absolute(scheme.lower(), after)
    if base is None or _has_scheme(rest):
        raise InvalidInput("a URL begins with http:// or https://")
    if rest.startswith("//"):
        return _absolute(base.scheme, rest[2:])
    return base._replace(target=_encoded(_relative(rest, base.target)))


def with_query(url: WebUrl, query: Mapping[str, Any]) -> WebUrl:
    """The URL with more query parameters; a list gives its name several times."""
    if not query:
        return url
    from urllib.parse import urlencode

    pairs: list[tuple[str, str]] = []
    for name, value in query.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, bool):
                pairs.append((name, "true" if item else "false"))
            elif isinstance(item, (str, int, float)):
                pairs.append((name, str(item)))
            else:
                raise InvalidInput(f"query.{name} must be text, a number, a boolean or a list")
    try:
        added = urlencode(pairs)
    except UnicodeEncodeError:
        raise InvalidInput("query can't hold half of a surrogate pair") from None
    return _sized(url._replace(target=f"{url.target}{'&' if '?' in url.target else '?'}{added}"))


def _absolute(scheme: str, after: str) -> WebUrl:
    if scheme not in DEFAULT_PORTS:
        raise InvalidInput(f"{scheme}: is no scheme for requests; use https")
    end = min((at for at in map(after.find, "/?") if at >= 0), default=len(after))
    authority, target = after[:end], after[end:]
    if "@" in authority:
        raise InvalidInput("a URL can't hold a user name; send an Authorization header instead")
    if authority.startswith("["):
        name, bracket, port = authority.partition("]")
        name += bracket
        if port and not port.startswith(":"):
            raise InvalidInput("the URL's host can't be read")
        port = port[1:]
    else:
        name, _, port = authority.partition(":")
    number = parse_port(port) if port else DEFAULT_PORTS[scheme]
    if not target.startswith("/"):
        target = "/" + target
    return _sized(WebUrl(scheme, parse_host(name), number, _encoded(target)))


def _has_scheme(text: str) -> bool:
    before, colon, _ = text.partition(":")
    return bool(colon) and not any(mark in before for mark in "/?")


def _relative(text: str, base: str) -> str:
    path = base.partition("?")[0]
    if text.startswith("?"):
        return path + text
    if not text:
        return base
    target, mark, query = text.partition("?")
    if not target.startswith("/"):
        target = path.rpartition("/")[0] + "/" + target
    kept: list[str] = []
    parts = target.split("/")[1:]
    for index, part in enumerate(parts):
        if part == "..":
            if kept:
                kept.pop()
        elif part != ".":
            kept.append(part)
            continue
        if index == len(parts) - 1:
            kept.append("")
    return "/" + "/".join(kept) + mark + query


def _encoded(target: str) -> str:
    if target.isascii():
        return target
    from urllib.parse import quote

    try:
        return quote(target, safe=_KEPT)
    except UnicodeEncodeError:
        raise InvalidInput("a URL can't hold half of a surrogate pair") from None


def _sized(url: WebUrl) -> WebUrl:
    if len(url.target) > URL_MAX:
        raise InvalidInput(f"a URL has at most {URL_MAX} characters")
    return url
