"""The user's own proxy settings: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY."""

from __future__ import annotations

import os

from llmspell.errors import ConfigurationError, InvalidInput
from llmspell.policies.hostnames import parse_host, parse_port
from llmspell.records import TYPE_CHECKING, NamedTuple
from llmspell.supervisor.services.weburl import WebUrl

if TYPE_CHECKING:
    from collections.abc import Mapping


class Proxy(NamedTuple):
    """A proxy as configured: where, and the credentials it gets (never logged)."""

    scheme: str
    host: str
    port: int
    user: str | None
    password: str | None


def proxy_for(url: WebUrl, environment: Mapping[str, str] | None = None) -> Proxy | None:
    """The proxy for a URL, or None to go directly. Raises `ConfigurationError`.

    This machine itself is never reached by way of a proxy. `HTTP_PROXY` in capitals is not read
    where a web server could have set it from a request header (REQUEST_METHOD, "httpoxy").
    """
    env = os.environ if environment is None else environment
    names = [f"{url.scheme}_proxy", f"{url.scheme}_proxy".upper(), "all_proxy", "ALL_PROXY"]
    if "REQUEST_METHOD" in env:
        names.remove(f"{url.scheme}_proxy".upper())
    value = next((env[name] for name in names if env.get(name)), "")
    if not value or _stays_here(url) or _excluded(url, env.get("no_proxy") or env.get("NO_PROXY")):
        return None
    return _parse(value)


def _stays_here(url: WebUrl) -> bool:
    address = url.host.address
    return url.host.local_name if address is None else address.is_loopback


def _excluded(url: WebUrl, text: str | None) -> bool:
    for entry in (text or "").split(","):
        wanted = entry.strip().lower()
        if wanted == "*":
            return True
        name, colon, port = wanted.partition(":") if wanted.count(":") == 1 else (wanted, "", "")
        if colon and port != str(url.port):
            continue
        name = name.removeprefix("*").removeprefix(".")
        if name and (url.host.name == name or url.host.name.endswith("." + name)):
            return True
        if "/" in name and url.host.address is not None and _in_block(url, name):
            return True
    return False


def _in_block(url: WebUrl, block: str) -> bool:
    from ipaddress import ip_network

    try:
        return url.host.address in ip_network(block, strict=False)
    except (ValueError, TypeError):
        return False


def _parse(value: str) -> Proxy:
    from urllib.parse import unquote

    scheme, separator, rest = value.partition("://")
    if not separator:
        scheme, rest = "http", value
    if scheme.lower() not in ("http", "https"):
        raise ConfigurationError(
            f"a proxy of the kind {scheme} can't be used", hint="set HTTPS_PROXY to an http:// one"
        )
    user, at, place = rest.partition("/")[0].rpartition("@")
    name, colon, port = place.rpartition(":")
    if not colon or place.endswith("]"):
        name, port = place, "443" if scheme.lower() == "https" else "80"
    try:
        host, number = parse_host(name).name, parse_port(port)
    except InvalidInput as error:
        raise ConfigurationError(f"the proxy setting can't be read: {error.message}") from None
    if not at:
        return Proxy(scheme.lower(), host, number, None, None)
    account, _, password = user.partition(":")
    return Proxy(scheme.lower(), host, number, unquote(account), unquote(password))
