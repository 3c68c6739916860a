"""http_client: one HTTP request, with retries, authentication and JSON (TOOL-011)."""

from __future__ import annotations

import binascii
from typing import Any, Final
from urllib.parse import quote, urlencode

from llmspell.errors import LlmspellError, OperationFailed
from llmspell.tools import encodings
from llmspell.tools.data.json_reading import json_bytes, read_json
from llmspell.tools.schema import (
    anything,
    array,
    binary,
    boolean,
    enum,
    integer,
    mapping,
    number,
    record,
    string,
    union,
)
from llmspell.tools.tool import MIB, VARIES, Example, Host, Limits, Tool
from llmspell.tools.web.substitution import check_header, substitute

METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS")
RETRY_ON: Final = (408, 425, 429, 500, 502, 503, 504)
RETRIES_MAX: Final = 10
WAIT_MAX: Final = 30.0
"""Seconds between two attempts, also when a server asks for more."""

_TEMPORARY: Final = frozenset({"network", "timeout", "failed"})
_BODYLESS: Final = frozenset({"GET", "HEAD", "OPTIONS"})


def _authorization(auth: dict[str, Any], variables: dict[str, Any]) -> tuple[str, str]:
    def filled(name: str) -> str:
        if name not in auth:
            raise OperationFailed(f"auth.{name} is missing", code=2002, kind="validation")
        return substitute(auth[name], variables, f"auth.{name}")

    if auth["type"] == "bearer":
        return "Authorization", "Bearer " + filled("token")
    if auth["type"] == "basic":
        pair = f"{filled('username')}:{filled('password')}".encode()
        return "Authorization", "Basic " + binascii.b2a_base64(pair, newline=False).decode("ascii")
    return auth["header"], filled("token")


def _request(given: dict[str, Any]) -> dict[str, Any]:
    variables = given["variables"]
    headers = {
        name: substitute(
            value if isinstance(value, str) else str(value), variables, f"headers.{name}"
        )
        for name, value in given["headers"].items()
    }
    if "auth" in given:
        name, value = _authorization(given["auth"], variables)
        headers[name] = value
    bodies = [name for name in ("body", "json", "form") if name in given]
    if len(bodies) > 1:
        raise OperationFailed(
            "only one of body, json and form is taken", code=2002, kind="validation"
        )
    if bodies and given["method"] in _BODYLESS:
        raise OperationFailed(f"{given['method']} has no body", code=2002, kind="validation")
    args: dict[str, Any] = {
        "method": given["method"],
        "url": substitute(given["url"], variables, "url", lambda value: quote(value, safe="")),
        "query": {name: _word(value) for name, value in given["query"].items()},
        "timeout": given["timeout"] / 1000,
        "follow_redirects": given["follow_redirects"],
    }
    if "json" in given:
        args["body"] = json_bytes(given["json"])
        _set_default(headers, "Content-Type", "application/json")
    elif "form" in given:
        words = {name: _word(value) for name, value in given["form"].items()}
        args["body"] = urlencode(words).encode("ascii")
        _set_default(headers, "Content-Type", "application/x-www-form-urlencoded")
    elif "body" in given:
        args["body"] = given["body"]
    _set_default(headers, "Accept", "application/json, */*;q=0.8")
    for name, value in headers.items():
        check_header(name, value)
    args["headers"] = headers
    return args


def _word(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _set_default(headers: dict[str, str], name: str, value: str) -> None:
    if name.lower() not in {each.lower() for each in headers}:
        headers[name] = value


def _wait(given: dict[str, Any], attempt: int, headers: dict[str, str]) -> float:
    """Seconds before the next attempt: doubling, or what the server asks for in seconds."""
    asked = headers.get("retry-after", "").strip()
    if asked.isascii() and asked.isdecimal() and len(asked) < 6:
        return min(float(asked), WAIT_MAX)
    seconds = given["retry_delay"] / 1000 * 2 ** (attempt - 1)
    return float(min(seconds, WAIT_MAX))


async def _run(given: dict[str, Any], host: Host) -> dict[str, Any]:
    args = _request(given)
    attempt = 0
    while True:
        attempt += 1
        is_last = attempt > given["retries"]
        headers: dict[str, str] = {}
        try:
            response = await host.call("http.request", args)
        except LlmspellError as error:
            # A denial stays one however often it is asked.
            if is_last or not (error.recoverable or error.kind in _TEMPORARY):
                raise
        else:
            headers = _lower(response["headers"])
            if is_last or response["status"] not in given["retry_on"]:
                return _answer(response, headers, given, attempt)
        await host.sleep(_wait(given, attempt, headers))


def _lower(headers: Any) -> dict[str, str]:
    pairs = headers.items() if isinstance(headers, dict) else headers
    return {str(name).lower(): str(value) for name, value in pairs}


def _answer(
    response: dict[str, Any], headers: dict[str, str], given: dict[str, Any], attempts: int
) -> dict[str, Any]:
    status, body = response["status"], response["body"]
    raw = body.encode("utf-8") if isinstance(body, str) else body
    kind, _, parameters = headers.get("content-type", "").partition(";")
    kind = kind.strip().lower()
    metadata: dict[str, Any] = {
        "attempts": attempts,
        "bytes": len(raw),
        "content_type": kind,
        "parsed": "bytes",
    }
    if status >= 400 and given["error_on_status"]:
        shown = raw[:200].decode("utf-8", "replace")
        raise OperationFailed(
            f"{given['method']} was answered with {status}: {shown}",
            code=2003,
            kind="http_status",
        )
    result: dict[str, Any] = {
        "status": status,
        "ok": 200 <= status < 300,
        "headers": headers,
        "url": response.get("url", given["url"]),
    }
    result["body"], metadata["parsed"] = _body(raw, kind, parameters, given["parse"])
    return {"result": result, "metadata": metadata}


def _body(raw: bytes, kind: str, parameters: str, parse: str) -> tuple[Any, str]:
    is_json = kind == "application/json" or kind.endswith("+json")
    if parse == "bytes":
        return raw, "bytes"
    if parse == "json" or (parse == "auto" and is_json and raw.strip()):
        try:
            text = encodings.detect(raw).text
            return read_json(text, big_numbers="text", duplicates="last"), "json"
        except LlmspellError as error:
            if parse == "json":
                raise OperationFailed(f"the answer is {error.message}", kind="parse") from None
    textual = ("json", "xml", "javascript", "urlencoded")
    is_text = kind.startswith("text/") or kind.endswith(textual)
    if parse == "auto" and not is_text and encodings.is_binary(raw):
        return raw, "bytes"
    return _text(raw, parameters), "text"


def _text(raw: bytes, parameters: str) -> str:
    _, found, charset = parameters.lower().partition("charset=")
    if found:
        try:
            name = encodings.find_encoding(charset.split(";")[0].strip("\"' "))
            return raw.decode(name)
        except (LlmspellError, UnicodeDecodeError):
            pass
    return encodings.detect(raw).text


_SCALAR: Final = union("", (string(""), number(""), boolean("")))

TOOL = Tool(
    name="http_client",
    category="web",
    description="Makes an HTTP request: headers, authentication, JSON, retries.",
    security_level="medium",
    needs=frozenset({"net"}),
    capabilities=("http", "rest_api"),
    limits=Limits(300.0, 50 * MIB, 128 * MIB, calls_per_minute=60),
    preload=encodings.preload,
    parameters=record(
        "",
        {
            "method": enum("", METHODS, default="GET"),
            "url": string(
                "http or https; ${NAME} is filled in, escaped.",
                required=True,
                min_length=1,
                max_length=8_192,
            ),
            "headers": mapping(
                "${NAME} is filled in from variables.",
                union("", (string("", max_length=8_192), number(""))),
                default={},
                max_items=100,
            ),
            "query": mapping("Added to the URL.", _SCALAR, default={}, max_items=1_000),
            "body": binary("Text or bytes."),
            "json": anything("Sent as JSON."),
            "form": mapping("Sent as a form.", _SCALAR, max_items=1_000),
            "timeout": integer("Milliseconds of one attempt.", 1, 120_000, default=30_000),
            "retries": integer(
                "Further attempts after a failure of the network or a status of retry_on.",
                0,
                RETRIES_MAX,
                default=0,
            ),
            "retry_delay": integer(
                "Milliseconds before the first further attempt; doubles. A "
                "Retry-After counts instead.",
                0,
                30_000,
                default=500,
            ),
            "retry_on": array(
                "Statuses.", integer("", 100, 599), default=list(RETRY_ON), max_items=100
            ),
            "auth": record(
                "Credentials; ${NAME} is filled in.",
                {
                    "type": enum("", ("basic", "bearer", "api_key"), required=True),
                    "username": string("", max_length=1_024),
                    "password": string("", max_length=1_024),
                    "token": string("", max_length=8_192),
                    "header": string("Of api_key.", default="X-API-Key", max_length=100),
                },
            ),
            "variables": mapping(
                "Values of ${NAME}, such as those of the spell's env.",
                string("", max_length=8_192),
                default={},
                max_items=1_000,
            ),
            "parse": enum(
                "auto reads JSON when the answer says it is.",
                ("auto", "json", "text", "bytes"),
                default="auto",
            ),
            "follow_redirects": boolean("Each hop is judged.", default=True),
            "error_on_status": boolean("Whether a status from 400 on is an error.", default=False),
        },
    ),
    output=mapping("{status, ok, headers (lower-case names), url, body}.", anything("")),
    run=_run,
    examples=(
        Example(
            "The seeds' request",
            {
                "method": "GET",
                "url": "https://api.example.com/data",
                "headers": {"Authorization": "Bearer ${API_TOKEN}", "Accept": "application/json"},
                "variables": {"API_TOKEN": "from the spell's env"},
                "timeout": 10000,
                "retries": 3,
            },
            VARIES,
        ),
        Example(
            "Send JSON",
            {"method": "POST", "url": "https://api.example.com/items", "json": {"name": "owl"}},
            VARIES,
        ),
    ),
)
