"""What is known of each seed script: how it is run and what it must then do, or why it can't."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple

Verdict = Literal["runs", "waits", "broken"]

VERDICTS: Final[tuple[Verdict, ...]] = ("runs", "waits", "broken")


def on_line(number: int) -> Callable[[Any], None]:
    """A check: the error says this line."""

    def check(result: Any) -> None:
        assert result.error.line == number, vars(result.error)

    return check


class Case(NamedTuple):
    """One script's case.

    *runs*: the script, unchanged, between `before` (fixtures of the tests) and `after` (which calls
    its main function and returns what is asserted): `value` is the run's value, or `check` looks
    at the whole result. *waits*: `why` names the tool, issue or mode it needs; it is run too and
    must end with the typed error `code`, in a clean way. *broken*: `why` gives line and reason;
    `code` is the error a user sees.
    """

    name: str
    verdict: Verdict
    why: str
    before: str = ""
    after: str = ""
    value: Any = None
    check: Callable[[Any], None] | None = None
    code: int | None = None
    output: tuple[str, ...] = ()
    """Texts that must have been printed."""
    profile: str = "medium"
    grants: tuple[str, ...] = ()
    params: Mapping[str, Any] = {}
    files: Mapping[str, str] = {}
    """Files of the spell's folder."""
    turns: str | None = None
    """Turns of the fake model as TOML; without them it echoes."""
    suffix: str = ""
    """The spell's ending where it is not its language's."""
    remark: str = ""
    """For the page: what a reader should know (a wrong value stated in the seeds, …)."""
