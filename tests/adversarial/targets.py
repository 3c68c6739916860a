"""What the attacks aim at, and whether they got there."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from types import TracebackType


class Targets:
    """A secret file, a folder, listeners on loopback and a path, and a process to signal."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.secret = folder / "secret.txt"
        self.created = folder / "made-by-the-attack"
        self.unix_path = folder / "s"

    def __enter__(self) -> Targets:
        self.folder.mkdir()
        self.folder.chmod(0o777)
        self.secret.write_text("the secret")
        self.secret.chmod(0o644)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.unix = socket.socket(socket.AF_UNIX)
        self.unix.bind(str(self.unix_path))
        self.unix_path.chmod(0o777)
        self.unix.listen()
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind(("127.0.0.1", 0))
        for listening in (self.listener, self.unix, self.datagrams):
            listening.setblocking(False)
        self.victim = subprocess.Popen(["sleep", "300"])
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for listening in (self.listener, self.unix, self.datagrams):
            listening.close()
        self.victim.kill()
        self.victim.wait()

    @property
    def port(self) -> int:
        """The port of the loopback listener."""
        port: int = self.listener.getsockname()[1]
        return port

    def words(self, supervisor: str) -> list[str]:
        """The arguments of hostile.c."""
        return [
            str(self.secret),
            str(self.created),
            str(self.port),
            str(self.unix_path),
            str(self.victim.pid),
            supervisor,
        ]

    def effects(self) -> set[str]:
        """What an attack changed, as seen from here."""
        found = set()
        for name, listening in (("tcp", self.listener), ("unix", self.unix)):
            try:
                listening.accept()[0].close()
                found.add(name)
            except BlockingIOError:
                pass
        if list(self.folder.glob(f"{self.created.name}*")):
            found.add("file")
        if self.victim.poll() is not None:
            found.add("victim")
        return found
