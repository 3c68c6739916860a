"""What the tests of brokered HTTP share: a network with a hostile server, and one run of many acts.

A run makes every request of a list in one spell and says how each ended. The sessions below are
kept for all tests of a module: each test looks at its own act, by its tag.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from tests.attackers.dns_server import NameServer, Record
from tests.attackers.web_server import Request, WebServer
from tests.attackers.wire import PUBLIC, Wire
from tests.e2e.program import Place, Program

SPELL: Final = """
const told = {};
const one = async ([tag, request]) => {
  const begun = Date.now();
  if (params.large[tag]) request.body = "x".repeat(params.large[tag]);
  try {
    const r = await http.request(request);
    const body = typeof r.body === "string" ? r.body : "bytes:" + r.body.length;
    told[tag] = { worked: r.status, url: r.url, redirects: r.redirects,
      headers: r.headers, size: body.length, body: body.slice(0, 2000) };
  } catch (e) {
    told[tag] = { code: e.code, kind: e.kind, rule: e.rule, message: e.message,
      trace: e.trace_id, typed: e instanceof LLMSpellError };
  }
  told[tag].ms = Date.now() - begun;
};
if (params.together) {
  await one(params.acts.shift());
  await Promise.all(params.acts.map(one));
} else for (const act of params.acts) await one(act);
return told;
"""

PUBLIC_RECORDS: Final[list[Record]] = [("A", PUBLIC)]
ZONE: Final[Mapping[str, Sequence[Sequence[Record]]]] = {
    "rebind.test": [PUBLIC_RECORDS, [("A", "127.0.0.1")]],
    "both.test": [[("A", PUBLIC), ("A", "127.0.0.1")]],
    "both-6.test": [[("A", PUBLIC), ("AAAA", "::1")]],
    "alias.test": [[("CNAME", "inner.alias.test"), ("A", "10.0.0.1")]],
    "mapped.test": [[("AAAA", "::ffff:127.0.0.1")]],
    "translated.test": [[("AAAA", "64:ff9b::7f00:1")]],
    "six-to-four.test": [[("AAAA", "2002:7f00:1::1")]],
    "local.test": [[("AAAA", "fd00::1")]],
    "metadata.test": [[("A", "169.254.169.254")]],
    "zero.test": [[("A", "0.0.0.0")]],
    "loopback.test": [[("A", "127.0.0.1")]],
    "many.test": [[("A", f"93.184.216.{number}") for number in range(34, 34 + 65)]],
    "nowhere.test": [[]],
}
"""Every other name leads to `PUBLIC`: whatever an attacker registers, resolves."""

Acts = Mapping[str, Mapping[str, Any]]
"""Tag -> the arguments of `http.request`."""


class Acted(NamedTuple):
    """One run: how each act ended, what it recorded, what the servers saw of it."""

    profile: str
    told: dict[str, dict[str, Any]]
    records: list[dict[str, Any]]
    requests: list[Request]
    asked: Mapping[tuple[str, str], int]
    result: dict[str, Any]

    def seen(self, tag: str) -> list[Request]:
        """The requests of an act that arrived anywhere."""
        return [request for request in self.requests if request.tag == tag]

    def refused(self, tag: str) -> list[dict[str, Any]]:
        """The recorded denials of an act."""
        trace = self.told[tag].get("trace")
        return [
            record
            for record in self.records
            if record["event"] == "decision"
            and not record["allowed"]
            and record["details"]["trace_id"] == trace
        ]

    def failed(self, tag: str) -> list[dict[str, Any]]:
        """The records of an act that failed otherwise."""
        trace = self.told[tag].get("trace")
        return [
            record
            for record in self.records
            if record["event"] == "failed_call" and record["details"]["trace_id"] == trace
        ]


class Net:
    """The network with its servers, and a program that lives in it."""

    def __init__(self, wire: Wire, program: Program) -> None:
        self.wire = wire
        self.program = program
        self.web = WebServer(wire.web)
        self.names = NameServer(wire.names, ZONE, PUBLIC_RECORDS)

    def act(
        self,
        profile: str,
        acts: Acts,
        grants: Sequence[str] = (),
        *flags: str,
        together: bool = False,
        large: Mapping[str, int] | None = None,
        env: Mapping[str, str] | None = None,
    ) -> Acted:
        """Runs all acts in one spell; `large` says of which tags the body has how many bytes.

        `together`: all at a time, after the first, with which the supervisor loads its parts.
        """
        self.names.asked.clear()
        self.web.requests = []
        audit = self.program.folder / "audit.jsonl"
        audit.unlink(missing_ok=True)
        given = [[tag, {"timeout": 5, **request}] for tag, request in acts.items()]
        words = [word for grant in grants for word in ("--allow-net", grant)]
        result = self.program.result(
            SPELL,
            ".js",
            *("--profile", profile, "--audit", str(audit), *words, *flags),
            *("--param", f"acts={json.dumps(given)}"),
            *("--param", f"together={json.dumps(together)}"),
            *("--param", f"large={json.dumps(large or {})}"),
            wrapper=self.wire.entering,
            env=env,
        )
        records = [json.loads(line) for line in audit.read_text().splitlines()]
        requests = list(self.web.requests)
        asked = dict(self.names.asked)
        return Acted(profile, result["value"] or {}, records, requests, asked, result)

    def close(self) -> None:
        """Ends the servers."""
        self.web.close()
        self.names.close()


@contextmanager
def net_in(place: Place, folder: Path) -> Iterator[Net]:
    """The network, and a program standing in `folder`."""
    with Wire() as wire:
        net = Net(wire, Program(place, folder))
        try:
            yield net
        finally:
            net.close()


@pytest.fixture(scope="module")
def net(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Net]:
    """One network for a module."""
    with net_in(place, tmp_path_factory.mktemp("net")) as made:
        yield made
