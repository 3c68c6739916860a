"""Every case, by the name of its script."""

from __future__ import annotations

from typing import Final

from tests.seeds import (
    cases_domains,
    cases_examples,
    cases_first,
    cases_fixtures,
    cases_javascript_patterns,
    cases_libraries,
    cases_lua_patterns,
    cases_lua_services,
    cases_older,
    cases_reference,
    cases_templates,
    cases_tools,
    cases_work,
)
from tests.seeds.case import Case

CASES: Final[dict[str, Case]] = {
    case.name: case
    for case in (
        *cases_first.CASES,
        *cases_lua_patterns.CASES,
        *cases_lua_services.CASES,
        *cases_javascript_patterns.CASES,
        *cases_libraries.CASES,
        *cases_tools.CASES,
        *cases_work.CASES,
        *cases_templates.CASES,
        *cases_domains.CASES,
        *cases_examples.CASES,
        *cases_reference.CASES,
        *cases_fixtures.CASES,
        *cases_older.CASES,
    )
}
