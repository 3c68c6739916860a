"""Which hosts a run may reach, judged by name first and again by every resolved address.

A name on the list gives the name only: that it *resolves* to a private address is its owner's
doing, so such an address must be granted itself (DNS rebinding, NW-18, NW-19). `localhost:8000`
names this machine and so allows loopback, for that port only.
"""

from __future__ import annotations

from llmspell.errors import InvalidInput
from llmspell.policies.addresses import PUBLIC, classify, embedded
from llmspell.policies.hostnames import Host, parse_host, parse_port
from llmspell.policies.verdict import Verdict, allow, allow_flag, deny
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ipaddress import IPv4Network, IPv6Network
    from typing import Final

    from llmspell.policies.addresses import Address

__all__ = ["Host", "NetRule", "NetRules", "parse_host", "parse_net_rule"]

DEFAULT_PORTS: Final = {"https": 443, "http": 80}

_WIDEST: Final = {4: 8, 6: 7}
"""Shortest prefixes that can be granted: those of `10.0.0.0/8` and `fc00::/7`."""

MODES: Final = frozenset({"any", "public", "listed", "none"})


class NetRule(NamedTuple):
    """One listed host. `scheme` None: TLS (or any scheme to this very machine).

    `host` is canonical; `wildcard` means every name below it and not itself; `network` is set
    for addresses and CIDR blocks; `port` None means the scheme's own port, `ports_all` every port.
    """

    text: str
    scheme: str | None
    host: str
    wildcard: bool
    network: IPv4Network | IPv6Network | None
    port: int | None

    def names(self, host: Host) -> bool:
        """Whether the rule names the host, whatever the port."""
        if self.network is not None:
            return host.address is not None and self.holds(host.address)
        if self.wildcard:
            return host.name.endswith("." + self.host)
        return host.name == self.host

    def holds(self, address: Address) -> bool:
        """Whether the rule's own addresses include this one."""
        if self.network is None or address.version != self.network.version:
            return False
        return int(address) & int(self.network.netmask) == int(self.network.network_address)

    def opens(self, scheme: str, port: int, *, plain: bool) -> bool:
        """Whether scheme and port are the granted ones; `plain`: no TLS is needed to this host."""
        if self.scheme is not None:
            return scheme == self.scheme and port == (self.port or DEFAULT_PORTS[self.scheme])
        if scheme != "https" and not plain:
            return False
        return port == (self.port or DEFAULT_PORTS[scheme])


def parse_net_rule(text: str) -> NetRule:
    """A host as granted: `example.com`, `*.example.com`, `host:8443`, `http://host[:port]`,
    `10.0.0.0/8`, `[::1]:8080`.

    Raises `InvalidInput` for a path, credentials, another scheme, a wildcard elsewhere than in
    front, or a wildcard over a whole top-level domain.
    """
    rest = text.strip()
    scheme: str | None = None
    if "://" in rest:
        scheme, _, rest = rest.partition("://")
        scheme = scheme.lower()
        if scheme not in DEFAULT_PORTS:
            raise InvalidInput(f"{text!r}: only http:// and https:// hosts can be granted")
        rest = rest.removesuffix("/")
    block = _network(rest)
    if block is not None and scheme is None:
        if block.prefixlen < _WIDEST[block.version]:
            raise InvalidInput(f"{text!r} is a part of the whole internet: name a smaller block")
        return NetRule(text, None, str(block), False, block, None)
    if "/" in rest or "?" in rest or "#" in rest or "@" in rest:
        raise InvalidInput(
            f"{text!r}: a grant names a host and perhaps a port, or a block like 10.0.0.0/8; "
            "no path, no user name"
        )
    name, port = _split_port(rest)
    wildcard = name.startswith("*.")
    if "*" in name.removeprefix("*."):
        raise InvalidInput(f"{text!r}: a '*' can only stand in front, as in *.example.com")
    host = parse_host(name[2:] if wildcard else name)
    if wildcard and (host.address is not None or "." not in host.name):
        raise InvalidInput(f"{text!r}: a wildcard needs a name with a dot below it")
    single = None if host.address is None else _network(host.name)
    return NetRule(text, scheme, host.name, wildcard, single, port)


def _network(text: str) -> IPv4Network | IPv6Network | None:
    if not text or text[0] not in "0123456789abcdefABCDEF:":
        return None
    from ipaddress import ip_network

    try:
        return ip_network(text, strict=True)
    except ValueError:
        return None


def _split_port(text: str) -> tuple[str, int | None]:
    if text.startswith("["):
        name, bracket, port = text.partition("]")
        if not bracket or (port and not port.startswith(":")):
            raise InvalidInput(f"{text!r}: write an IPv6 address as [::1] or [::1]:8080")
        return name + bracket, parse_port(port[1:]) if port else None
    if text.count(":") > 1:
        return text, None
    name, colon, port = text.partition(":")
    return name, parse_port(port) if colon else None


class NetRules(NamedTuple):
    """The network rules of one run.

    `mode`: `any` (own code), `public` (any host on a public address), `listed`, `none` (as
    `listed` with nothing listed; rules still add). `denied` always wins.
    """

    profile: str
    mode: str
    rules: tuple[NetRule, ...] = ()
    denied: tuple[NetRule, ...] = ()
    require_tls: bool = True

    def judge_host(self, scheme: str, host: str | Host, port: int | None = None) -> Verdict:
        """The verdict on a request before anything is resolved. Raises `InvalidInput` for a host
        that can't be parsed."""
        target = host if isinstance(host, Host) else parse_host(host)
        name = f"{self.profile}.net"
        if scheme not in DEFAULT_PORTS:
            return deny(f"{name}.scheme", f"{scheme!r} is no scheme that spells may use")
        if self.mode not in MODES:
            return deny(f"{name}.mode", f"{self.mode!r} is no network mode")
        at = DEFAULT_PORTS[scheme] if port is None else port
        if isinstance(at, bool) or not 1 <= at <= 65535:
            return deny(f"{name}.port", f"{at} is no port")
        if any(_refuses(rule, target, at) for rule in self.denied):
            return deny(f"{name}.denied", "a rule denies this host")
        named = [rule for rule in self.rules if rule.names(target)]
        if any(rule.opens(scheme, at, plain=_stays_here(target)) for rule in named):
            return self._granted(target, at)
        if self.mode == "any":
            return allow(f"{name}.any", "the profile allows every host")
        if self.mode == "public":
            return self._public(scheme, target, at)
        return self._refused(scheme, target, at, port, bool(named))

    def judge_address(self, host: str | Host, address: str, port: int) -> Verdict:
        """The verdict on one resolved address of a host that `judge_host` allowed.

        Judge every address of a name before dialling any: one denied address denies the name.
        """
        target = host if isinstance(host, Host) else parse_host(host)
        name = f"{self.profile}.net"
        try:
            found = parse_host(address).address
        except InvalidInput:
            found = None
        if found is None:
            return deny(f"{name}.address", f"{address!r} is no address")
        reached = Host(str(found), found)
        if any(_refuses(rule, reached, port) for rule in self.denied):
            return deny(f"{name}.denied", "a rule denies this address")
        if self.mode == "any":
            return allow(f"{name}.any", "the profile allows every address")
        kind = classify(found)
        if kind == PUBLIC:
            return allow(f"{name}.address", "a public address")
        if self._address_granted(target, found, kind, port):
            return allow("grant.net", f"this {kind} address was granted")
        return deny(
            f"{name}.{kind}",
            f"{target.name} leads to a {kind} address",
            allow_flag("allow-net", _with_default(reached, port)),
        )

    def _granted(self, target: Host, port: int) -> Verdict:
        if target.address is not None:
            # What the rules say about the address itself holds for a literal one at once.
            return self.judge_address(target, target.name, port)
        return allow("grant.net", "this host was granted")

    def _address_granted(self, target: Host, address: Address, kind: str, port: int) -> bool:
        for rule in self.rules:
            if rule.network is not None:
                # A block granted for its machines does not hand out the cloud's credentials.
                exact = kind != "metadata" or rule.network.num_addresses == 1
                if exact and rule.holds(address) and rule.port in (None, port):
                    return True
            elif (
                kind == "loopback"
                and target.local_name
                and rule.names(target)
                and port in ({rule.port} if rule.port else DEFAULT_PORTS.values())
            ):
                return True
        return False

    def _public(self, scheme: str, target: Host, port: int) -> Verdict:
        name = f"{self.profile}.net"
        if self.require_tls and scheme != "https":
            return deny(
                f"{name}.tls",
                "this profile asks for https",
                allow_flag("allow-net", "http://" + _with_default(target, port)),
            )
        if target.address is not None and classify(target.address) != PUBLIC:
            kind = classify(target.address)
            hint = allow_flag("allow-net", _with_default(target, port))
            return deny(f"{name}.{kind}", f"{target.name} is a {kind} address", hint)
        if target.local_name:
            hint = allow_flag("allow-net", target.with_port(port))
            return deny(f"{name}.loopback", "this name means your own machine", hint)
        return allow(f"{name}.public", "the profile allows public addresses")

    def _refused(
        self, scheme: str, target: Host, at: int, port: int | None, named: bool
    ) -> Verdict:
        name = f"{self.profile}.net"
        wanted = target.with_port(None if at == DEFAULT_PORTS[scheme] else at)
        if scheme == "http" and not _stays_here(target):
            wanted = "http://" + wanted
        hint = allow_flag("allow-net", wanted)
        if named:
            return deny(f"{name}.port", "this host was granted with another port or scheme", hint)
        return deny(f"{name}.host", f"the profile {self.profile} lists no such host", hint)

    def grants_any(self) -> bool:
        """Whether any host at all can be reached."""
        return self.mode in ("any", "public") or bool(self.rules)


def _refuses(rule: NetRule, target: Host, port: int) -> bool:
    if rule.port is not None and rule.port != port:
        return False
    if rule.names(target):
        return True
    inner = None if target.address is None else embedded(int(target.address))
    return (
        inner is not None
        and target.address is not None
        and (target.address.version == 6 and rule.holds(inner))
    )


def _stays_here(target: Host) -> bool:
    """Whether plain text to the host never leaves this machine."""
    if target.address is not None:
        return classify(target.address) == "loopback"
    return target.local_name


def _with_default(host: Host, port: int) -> str:
    return host.with_port(None if port in DEFAULT_PORTS.values() else port)
