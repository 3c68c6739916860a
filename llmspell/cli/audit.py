"""`llmspell audit`: check a run's record, or read it."""

from __future__ import annotations

import os
import sys

from llmspell.cli import choices
from llmspell.errors import UsageError
from llmspell.records import TYPE_CHECKING
from llmspell.supervisor.audit.show import Filter, sentence, show
from llmspell.supervisor.audit.verify import verify

if TYPE_CHECKING:
    from typing import Final

    from llmspell.cli.flags import Chosen

EXIT_BY_STATUS: Final = {"ok": 0, "broken": 1, "incomplete": 7}
"""`incomplete` has a code of its own: the run was killed, or is still under way."""


def main(chosen: Chosen) -> int:
    """Verifies or shows. Returns the exit code: 0 in order, 1 broken, 7 incomplete."""
    try:
        return _verify(chosen) if chosen.action == "verify" else _show(chosen)
    except OSError as error:
        raise UsageError(f"can't read {chosen.file}: {os.strerror(error.errno or 5)}") from None


def _verify(chosen: Chosen) -> int:
    report = verify(chosen.file, chosen.head)
    if chosen.output == "json":
        choices.print_json(report._asdict())
    else:
        where = f" (line {report.line})" if report.line else ""
        stream = sys.stdout if report.ok else sys.stderr
        print(f"{report.status}: {report.what}{where}; {report.records} records", file=stream)
        print(f"head {report.head}", file=stream)
    return EXIT_BY_STATUS[report.status]


def _show(chosen: Chosen) -> int:
    wanted = Filter(allowed=False if chosen.denied else None)
    records = show(chosen.file, wanted)
    if chosen.output == "json":
        choices.print_json(list(records))
    else:
        for record in records:
            print(sentence(record))
    return 0
