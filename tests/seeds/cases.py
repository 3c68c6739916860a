"""Every case, by the name of its script."""

from __future__ import annotations

from typing import Final

from tests.seeds import (
    cases_examples,
    cases_first,
    cases_fixtures,
    cases_older,
    cases_reference,
)
from tests.seeds.case import Case

CASES: Final[dict[str, Case]] = {
    case.name: case
    for case in (
        *cases_first.CASES,
        *cases_examples.CASES,
        *cases_reference.CASES,
        *cases_fixtures.CASES,
        *cases_older.CASES,
    )
}
