"""Every case, by the name of its script."""

from __future__ import annotations

from typing import Final

from tests.seeds import (
    cases_first,
    cases_fixtures,
    cases_javascript_patterns,
    cases_lua_patterns,
    cases_lua_services,
)
from tests.seeds.case import Case

CASES: Final[dict[str, Case]] = {
    case.name: case
    for case in (
        *cases_first.CASES,
        *cases_lua_patterns.CASES,
        *cases_lua_services.CASES,
        *cases_javascript_patterns.CASES,
        *cases_fixtures.CASES,
    )
}
