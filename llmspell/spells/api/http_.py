"""The web, brokered: the supervisor resolves, judges and dials."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.model import Function, Module, Param

if TYPE_CHECKING:
    from typing import Final

_URL: Final = Param("url", ("string",), "http or https", required=True, minimum=1, maximum=8192)
_OPTIONS: Final = (
    Param("headers", ("object",), "request headers", default={}),
    Param("query", ("object",), "added to the URL's query", default={}),
    Param("body", ("string", "bytes"), "the request's body"),
    Param("json", ("any",), "a value sent as JSON, instead of body"),
    Param(
        "timeout",
        ("number",),
        "seconds for the whole exchange, redirects included",
        default=30,
        minimum=0.001,
        maximum=300,
    ),
    Param("max_bytes", ("integer",), "longest response body to accept", minimum=0),
    Param("follow_redirects", ("boolean",), "each hop is judged anew", default=True),
)
_RESPONSE: Final = "{status, headers, body, url, redirects} with ok, text(), json()"


def _verb(name: str) -> Function:
    return Function(
        name,
        f"`request` with the method {name.upper()}.",
        (_URL, *_OPTIONS),
        _RESPONSE,
        kind="local",
        wire="http.request",
        positional=1,
        after="response",
        fixed=(("method", name.upper()),),
    )


MODULE: Final = Module(
    "http",
    ("http", "network"),
    "HTTP requests to the hosts that were granted.",
    (
        Function(
            "request",
            "One request and its response.",
            (
                Param(
                    "method",
                    ("string",),
                    "the HTTP method",
                    default="GET",
                    choices=("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"),
                ),
                _URL,
                *_OPTIONS,
            ),
            _RESPONSE,
            wire="http.request",
            after="response",
        ),
        *(_verb(name) for name in ("get", "post", "put", "patch", "delete", "head")),
        Function(
            "get_json",
            "GET, and the body decoded from JSON; raises when the status is not 2xx.",
            (_URL, *_OPTIONS),
            "any",
            kind="local",
            wire="http.request",
            positional=1,
            after="json",
        ),
    ),
)
