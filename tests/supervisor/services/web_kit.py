"""What the tests of brokered HTTP share: names of our own, a server and a desk for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.supervisor.services.desk import Desk
from tests.supervisor.services.webserver import Answer, Server

NAME = "app.test"


class Names:
    """A resolver: answers by name, one list a question (the last one stays)."""

    def __init__(self, **answers: list[list[str]]) -> None:
        self.answers = {name.replace("_", "."): given for name, given in answers.items()}
        self.asked: list[str] = []

    async def __call__(self, name: str, port: int) -> list[str]:
        self.asked.append(name)
        given = self.answers.get(name, [["127.0.0.1"]])
        return given.pop(0) if len(given) > 1 else given[0]


def desk_for(
    base: Path, *servers: Server, profile: str = "medium", names: Any = None, **more: Any
) -> Desk:
    grants: list[str] = list(more.pop("grants", ()))
    for server in servers:
        grants += [f"net:http://{NAME}:{server.port}", f"net:127.0.0.1:{server.port}"]
    return Desk(base, profile, tuple(grants), resolve=names or Names(), **more)


@pytest.fixture
def go(tmp_path: Path) -> Iterator[Callable[..., tuple[Desk, Server, str]]]:
    open_servers: list[Server] = []

    def start(answers: dict[str, Answer], **more: Any) -> tuple[Desk, Server, str]:
        server = Server(answers)
        open_servers.append(server)
        return desk_for(tmp_path, server, **more), server, f"http://{NAME}:{server.port}"

    yield start
    for server in open_servers:
        server.close()


Go = Callable[..., tuple[Desk, Server, str]]
