"""Every function and method of the description against the real services, in three languages.

The spells are written from one table of arguments (`walk_steps.py`) and run as a person runs
them, at `medium` and `high`. What each call comes to must be what the table says, and equal.
"""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.e2e.program import SUFFIXES, Place, Program
from tests.parity.walk import class_of, described, source
from tests.parity.walk_steps import WALK

PROFILES: Final = ("medium", "high")
LANGUAGES: Final = tuple(SUFFIXES)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def answer(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            told = {"method": self.command, "path": self.path, "body": self.rfile.read(length).decode()}
            self.send_response(200)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(json.dumps(told).encode())

        do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer  # noqa: N815

        def log_message(self, *_: Any) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def walked(
    place: Place, tmp_path_factory: pytest.TempPathFactory, url: str
) -> dict[tuple[str, str], dict[str, Any]]:
    """What every step came to, by profile and language."""
    found = {}
    for profile in PROFILES:
        for language, suffix in SUFFIXES.items():
            program = Program(place, tmp_path_factory.mktemp(f"{profile}-{language}"))
            program.write("inner.lua", "return params.n + 1")
            program.write(f"walk{suffix}", source(language, WALK))
            ended = program(
                *("run", "--output", "json", "--profile", profile),
                *("--allow-read", ".", "--allow-write", ".", "--allow-net", url.rstrip("/")),
                *("--allow-llm", "fake/*", "--allow-tool", "*", "--param", f"url={url}"),
                f"walk{suffix}",
                stdin="begin first line\nand\nmore\n",
            )
            result = ended.json()
            assert result["status"] == "done", ended
            found[profile, language] = result["value"]
    return found


def test_every_function_and_method_has_a_step() -> None:
    of = {
        (f"it:{class_of(step.of)}" if step.of.startswith("it:") else step.of, step.function, one)
        for step in WALK
        for one in step.languages
    }
    missing = [
        (owner, function.name, language)
        for owner, function, languages in described()
        for language in languages
        if (owner, function.name, language) not in of
    ]
    assert missing == []
