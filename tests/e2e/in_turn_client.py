"""Runs spells one after the other in this process, and prints what each came to.

Orders come by stdin, `[{"start": "exec" | "fork", "source", "language", "options"}…]`: those of
the command line, without a Python that starts for each. A run that could have been forked and was
not ends this process (`tests/e2e/forked.py`).
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


def came_to(order: dict[str, Any]) -> dict[str, Any]:
    """The result, as `run --output json` prints it, and its exit code."""
    spell = llmspell.Spell.from_source(order["source"], language=order["language"])
    options = RunOptions(**order["options"], keep_output=True)
    run = run_forked if order["start"] == "fork" else run_blocking
    result = run(spell, options, OutputSink(None))
    return {**result.to_json(), "output": result.output, "exit": result.exit_code}


if __name__ == "__main__":
    print(json.dumps([came_to(order) for order in json.load(sys.stdin)]))
