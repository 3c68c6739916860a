from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.parity import zygotes


@pytest.fixture(scope="module", autouse=True)
def zygotes_end() -> Iterator[None]:
    yield
    zygotes.end_all()
