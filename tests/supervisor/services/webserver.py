"""A hostile HTTP server on loopback: each path is answered by raw bytes the test chose."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Answer = bytes | Callable[["Visit"], None]


class Visit:
    """One request as it came, and the socket to answer on."""

    def __init__(self, connection: socket.socket, head: bytes, body: bytes) -> None:
        self.connection = connection
        self.head = head
        self.body = body

    @property
    def path(self) -> str:
        return self.head.split(b" ")[1].decode()

    def header(self, name: str) -> str | None:
        for line in self.head.split(b"\r\n")[1:]:
            key, _, value = line.partition(b":")
            if key.decode().lower() == name.lower():
                return value.strip().decode()
        return None


class Server:
    """Answers until closed; `visits` are the requests that arrived."""

    def __init__(self, answers: dict[str, Answer], tls: ssl.SSLContext | None = None) -> None:
        self.answers = answers
        self.visits: list[Visit] = []
        self.connections = 0
        self.at_once = 0
        self.most_at_once = 0
        self._tls = tls
        self._lock = threading.Lock()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join(5)

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection: socket.socket) -> None:
        connection.settimeout(10)
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            data = b""
            while b"\r\n\r\n" not in data:
                piece = connection.recv(65536)
                if not piece:
                    return
                data += piece
            head, _, body = data.partition(b"\r\n\r\n")
            visit = Visit(connection, head, body)
            missing = int(visit.header("content-length") or 0) - len(body)
            while missing > 0:
                piece = connection.recv(65536)
                visit.body += piece
                missing -= len(piece)
            self.visits.append(visit)
            with self._lock:
                self.at_once += 1
                self.most_at_once = max(self.most_at_once, self.at_once)
            answer = self.answers.get(visit.path.partition("?")[0], reply(b"none", status=404))
            if callable(answer):
                answer(visit)
            else:
                connection.sendall(answer)
            with self._lock:
                self.at_once -= 1
        except OSError:
            pass
        finally:
            connection.close()


def reply(body: bytes = b"ok", status: int = 200, **headers: str) -> bytes:
    """A whole answer; `_` in header names becomes `-`."""
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(body)}", "connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def drip(interval: float, *, headers_first: bool) -> Callable[[Visit], None]:
    """One byte at a time, for ever."""

    def answer(visit: Visit) -> None:
        if headers_first:
            visit.connection.sendall(b"HTTP/1.1 200 X\r\ncontent-length: 1000000\r\n\r\n")
        else:
            visit.connection.sendall(b"HTTP/1.1 200 X\r\nx-slow: ")
        for _ in range(10_000):
            visit.connection.sendall(b"x")
            time.sleep(interval)

    return answer


@contextmanager
def serving(answers: dict[str, Answer], tls: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server for the length of a `with`."""
    server = Server(answers, tls)
    try:
        yield server
    finally:
        server.close()
