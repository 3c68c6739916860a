"""The loopback server that the fetching examples talk to."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

STOCK = {"/item/alpha": 3, "/item/beta": 4, "/item/slow": 5}
FAILS_FIRST = 2
SLOW_SECONDS = 0.2


class Server(ThreadingHTTPServer):
    """Counts requests by path, so that `/flaky` can come to its senses."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Pages)
        self.seen: Counter[str] = Counter()

    @property
    def host(self) -> str:
        """Address and port, as a grant names it."""
        return f"127.0.0.1:{self.server_address[1]}"


class Pages(BaseHTTPRequestHandler):
    """`/item/NAME`, `/flaky` (fails twice) and `/broken` (always fails)."""

    server: Server

    def do_GET(self) -> None:
        """One page."""
        self.server.seen[self.path] += 1
        status, page = self._page()
        body = json.dumps(page).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _page(self) -> tuple[int, dict[str, Any]]:
        if self.path in STOCK:
            if self.path.endswith("slow"):
                time.sleep(SLOW_SECONDS)
            return 200, {"stock": STOCK[self.path]}
        if self.path == "/flaky":
            failing = self.server.seen[self.path] <= FAILS_FIRST
            return (503, {}) if failing else (200, {"message": "here I am"})
        return (500 if self.path == "/broken" else 404), {}

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: the test's output is the example's."""


@contextmanager
def serving() -> Iterator[Server]:
    """A server for one example."""
    server = Server()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
