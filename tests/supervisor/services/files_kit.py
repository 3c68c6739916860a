"""What the tests of brokered files share: a desk in a folder of its own, and its denials."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from llmspell.errors import Denied
from tests.supervisor.services.desk import Desk

Make = Callable[..., Desk]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[Desk] = []

    def build(*args: Any, **named: Any) -> Desk:
        made.append(Desk(tmp_path, *args, **named))
        return made[-1]

    yield build
    for desk in made:
        desk.services.close()


@pytest.fixture
def desk(make: Make) -> Desk:
    return make()


def denied(desk: Desk, rule: str, name: str, **args: Any) -> Denied:
    with pytest.raises(Denied) as caught:
        desk.call(name, **args)
    assert caught.value.code == 4008
    assert caught.value.rule is not None and caught.value.rule.endswith(rule), caught.value.rule
    assert desk.broker.denials[-1].rule == caught.value.rule
    assert str(desk.outside) not in caught.value.sentence()
    return caught.value
