"""A web server on loopback for the tools' benchmark: one small page, in a process of its own.

Prints its port, serves until it is killed.
"""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Answer(BaseHTTPRequestHandler):
    """The page."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Gives it."""
        body = b"a line of text\n" * 100
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's name
        """Nothing is logged."""


server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
print(server.server_port, flush=True)
server.serve_forever()
