"""NW: credentials go where they belong, and what a server writes back of them is masked.

Two kinds of credentials meet the web: those that a spell sends itself, which stay with the origin
they were sent to; and those of the user's proxy, which the supervisor adds and no spell may see.
There are no placeholders: nothing in a request is ever replaced by the supervisor.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from urllib.parse import quote

import pytest

from tests.adversarial.proof import Control
from tests.adversarial.web import Acted, Net, net
from tests.attackers.web_server import spellings
from tests.attackers.wire import PUBLIC
from tests.e2e.program import Program

__all__ = ["net"]
BOUNDED = ["low", "medium", "high"]
CREDENTIALS = {
    "Authorization": "Bearer spell-credential", "Cookie": "id=spell-credential",
    "X-API-Key": "spell-credential", "X-Auth-Token": "spell-credential",
    "x-amz-security-token": "spell-credential", "PRIVATE-TOKEN": "spell-credential",
    "X-Session": "spell-credential", "X-Plain": "no secret",
}  # fmt: skip
ELSEWHERE = ("http://other.test/ok/{}", "//other.test/ok/{}", "http://exact.test:8080/ok/{}")
PASSWORD = 'Geheim/"7+ü~end'
ACCOUNT = f"proxy-user:{quote(PASSWORD, safe='')}"
ENVIRONMENT = "environment-canary-4711"


class Runs:
    def __init__(self, net: Net) -> None:
        self.redirected = cache(lambda profile: _redirected(net, profile))
        self.leaked = cache(lambda profile: _leaked(net, profile, ACCOUNT, tuple(spellings("x"))))


@pytest.fixture(scope="module")
def runs(net: Net) -> Iterator[Runs]:
    yield Runs(net)


def _redirected(net: Net, profile: str) -> Acted:
    acts = {
        f"away{number}": {
            "url": f"http://exact.test/{act}/away{number}?" + place.format(f"away{number}-next"),
            "headers": CREDENTIALS,
        }
        for number, (act, place) in enumerate(
            (act, place) for act in ("to", "to307", "to303") for place in ELSEWHERE
        )
    }
    acts["stays"] = {
        "url": "http://exact.test/to/stays?/ok/stays-next", "headers": CREDENTIALS,
    }  # fmt: skip
    grants = ("http://exact.test", "http://exact.test:8080", "http://other.test")
    placeholders = {
        f"placeholder{number}": {
            "url": f"http://exact.test/echo/placeholder{number}?{quote(text, safe='')}",
            "method": "POST", "headers": {"X-A": text}, "body": text, "query": {"q": text},
        }
        for number, text in enumerate(PLACEHOLDERS)
    }  # fmt: skip
    return net.act(profile, acts | placeholders, grants, env=ENVIRON)


@pytest.mark.parametrize("profile", BOUNDED)
def test_NW_23_credentials_stay_with_their_origin(
    runs: Runs, control: Control, profile: str
) -> None:
    acted = runs.redirected(profile)
    for number in range(3 * len(ELSEWHERE)):
        (first,) = acted.seen(f"away{number}")
        (second,) = acted.seen(f"away{number}-next")
        assert first.head.count(b"spell-credential") == 7
        assert b"spell-credential" not in second.head
        assert second.headers["x-plain"] == "no secret"
        assert acted.told[f"away{number}"]["worked"] == 200
    (kept,) = acted.seen("stays-next")
    control(kept.head.count(b"spell-credential") == 7)


PLACEHOLDERS = (
    "${ADVERSARIAL_SECRET}", "$ADVERSARIAL_SECRET", "%ADVERSARIAL_SECRET%",
    "{{ADVERSARIAL_SECRET}}", "{{env.ADVERSARIAL_SECRET}}", "$(printenv ADVERSARIAL_SECRET)",
    "${env:ADVERSARIAL_SECRET}", "secret://ADVERSARIAL_SECRET", "{ADVERSARIAL_SECRET}",
    "`printenv ADVERSARIAL_SECRET`", "!ENV ADVERSARIAL_SECRET", "${HTTP_PROXY}",
)  # fmt: skip
BY_TOOL = """
const told = [];
for (const given of params.placeholders) {
  const url = "http://exact.test/echo/tool?" + encodeURIComponent(given);
  const auth = {type: "bearer", token: given};
  for (const request of [{url, headers: {"X-A": given}}, {url, auth}]) {
    try { told.push((await Tools.execute("http_client", request)).result.status); }
    catch (e) { told.push([e.code, e.kind]); }
  }
}
let own = "";
try { own = env.ADVERSARIAL_SECRET || ""; } catch (e) { own = ""; }
await http.post("http://exact.test/echo/own", {body: own});
return told;
"""


ENVIRON = {
    "ADVERSARIAL_SECRET": ENVIRONMENT,
    "HTTP_PROXY": f"http://{ACCOUNT}@{PUBLIC}:8080",
    "NO_PROXY": "*",
}


@pytest.fixture(scope="module")
def granted_sends(net: Net) -> bool:
    """What is in the environment is sent, where it was granted and the spell says so."""
    source = 'await http.post("http://exact.test/echo/granted", {body: env.ADVERSARIAL_SECRET});'
    flags = ("--allow-net", "http://exact.test", "--allow-env", "ADVERSARIAL_SECRET")
    net.program.result(source, ".js", *flags, wrapper=net.wire.entering, env=ENVIRON)
    return [each.body.decode() for each in net.web.of("granted")] == [ENVIRONMENT]


@pytest.mark.parametrize("profile", BOUNDED)
def test_NW_33_nothing_in_a_request_is_replaced(
    runs: Runs, control: Control, granted_sends: bool, profile: str
) -> None:
    acted = runs.redirected(profile)
    for number, text in enumerate(PLACEHOLDERS):
        (request,) = acted.seen(f"placeholder{number}")
        assert (request.body.decode(), request.headers["x-a"]) == (text, text)
        # Direct, and so without what belongs to the proxy.
        assert "proxy-authorization" not in request.headers
    sent = b"".join(each.head + each.body for each in acted.requests)
    assert ENVIRONMENT.encode() not in sent and PASSWORD.encode() not in sent
    control(granted_sends)


@pytest.mark.profile("high")
def test_NW_33_nor_in_what_the_tool_is_given(
    net: Net, program: Program, control: Control, granted_sends: bool
) -> None:
    """The tool's own `${NAME}` is of the spell's `variables` and of nothing else."""
    net.web.requests.clear()
    given = ("--param", f"placeholders={json.dumps(PLACEHOLDERS)}", "--profile", "high")
    flags = (*given, "--allow-net", "http://exact.test")
    result = program.result(BY_TOOL, ".js", *flags, wrapper=net.wire.entering, env=ENVIRON)
    assert result["status"] == "done", result
    unknown = [told for told in result["value"] if told != 200]
    assert unknown == [[2002, "validation"]] * 2 * sum("${" in text for text in PLACEHOLDERS)
    sent = b"".join(each.head + each.body for each in net.web.requests)
    assert ENVIRONMENT.encode() not in sent and PASSWORD.encode() not in sent
    own = [each.body.decode() for each in net.web.of("own")]
    control(own == [""] and granted_sends)


OTHER_WAYS = (
    "leak-in-pieces", "leak-by-redirect", "leak-in-status", "leak-as-bytes", "leak-as-latin-bytes",
    "leak-as-other-text", "leak-as-wrong-text", "leak-as-utf-16",
)  # fmt: skip


def _leaked(net: Net, profile: str, account: str, ways: tuple[str, ...]) -> Acted:
    acts = {f"leak-{way}": {"url": f"http://exact.test/leak/leak-{way}?{way}"} for way in ways}
    for name in OTHER_WAYS:
        acts[name] = {"url": f"http://exact.test/{name}/{name}"}
    acts["echo"] = {"url": "http://exact.test/echo/echo"}
    acts["tunnel"] = {"url": "https://exact.test/ok/tunnel"}
    proxy = f"{account}@{PUBLIC}:8080"
    scheme = "" if "no-scheme" in account else "http://"
    environ = {"http_proxy": scheme + proxy, "HTTPS_PROXY": scheme + proxy}
    return net.act(profile, acts, ["http://exact.test", "exact.test"], env=environ)


def assert_masked(acted: Acted, secret: str, sent: str) -> None:
    """No spelling of the secret is in what the spell got, what was printed, what was recorded."""
    said = json.dumps([acted.result, acted.records], ensure_ascii=False)
    said += json.dumps([acted.result, acted.records])
    twice = secret.encode().decode("latin-1")
    halves = secret.split("ü")
    for text in {*spellings(secret).values(), sent, twice, *halves}:
        core = text if len(text) < 12 else text[3:-4]
        core = json.dumps(core, ensure_ascii=False)[1:-1]
        assert core not in said, (text, [tag for tag in acted.told if core in str(acted.told[tag])])
    assert "•••" in said


@pytest.mark.parametrize("profile", BOUNDED)
def test_NW_34_what_a_server_writes_back(runs: Runs, control: Control, profile: str) -> None:
    acted = runs.leaked(profile)
    sent = acted.requests[0].headers["proxy-authorization"].removeprefix("Basic ")
    assert_masked(acted, PASSWORD, sent)
    for way in spellings("x"):
        assert acted.told[f"leak-{way}"]["worked"] == 200, way
    assert acted.told["leak-in-pieces"]["body"] == "•••"
    assert acted.told["leak-by-redirect"]["url"].endswith("?•••")
    assert acted.told["tunnel"]["code"] == 6003
    # The proxy was given it, and what is no secret comes back as it was.
    control(acted.requests[0].proxy_credentials == ("proxy-user", PASSWORD))


SHORT = {
    "no scheme": ("no-scheme:hunter2-hunter2", "hunter2-hunter2"),
    "short": ("proxy-user:p4ss", "p4ss"),
}


@pytest.mark.parametrize("profile", ["high"])
@pytest.mark.parametrize("kind", SHORT)
def test_NW_34_however_the_proxy_is_written(
    net: Net, control: Control, kind: str, profile: str
) -> None:
    account, secret = SHORT[kind]
    # Too short a secret is no longer one in base64 or hex: only what is sent is.
    ways = ("plain", "base64") if len(secret) > 8 else ("plain",)
    acted = _leaked(net, profile, account, ways)
    assert acted.requests, acted.told
    sent = acted.requests[0].headers["proxy-authorization"].removeprefix("Basic ")
    said = json.dumps([acted.result, acted.records])
    told = [spellings(secret)[way] for way in ways]
    assert not [text for text in [*told, sent] if text in said]
    control(":".join(acted.requests[0].proxy_credentials).strip(":") == account)
