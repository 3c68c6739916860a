"""Runs one spell again and again in this process, and prints what each run came to.

Orders come by stdin: `[{"profile": …, "start": "exec" | "fork", "allow_degraded": …}…]`. It is
started in a machine that refuses something (`refusing.py`). A run that could have been forked and
was not ends this process (`tests/e2e/forked.py`).
"""

from __future__ import annotations

import json
import sys
from typing import Any

import llmspell
from llmspell.supervisor.api import OutputSink
from llmspell.supervisor.options import RunOptions
from llmspell.supervisor.runner import run_blocking
from tests.e2e.forked import run_forked

SOURCE = "return 'ran'"


def came_to(order: dict[str, Any]) -> dict[str, Any]:
    """The result, as the command line prints it."""
    options = RunOptions(
        profile=order["profile"], allow_degraded=order["allow_degraded"], keep_output=True
    )
    run = run_forked if order["start"] == "fork" else run_blocking
    result = run(llmspell.Spell.from_source(SOURCE, language="lua"), options, OutputSink(None))
    return {**result.to_json(), "exit": result.exit_code}


if __name__ == "__main__":
    print(json.dumps([came_to(order) for order in json.load(sys.stdin)]))
