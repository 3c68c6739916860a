"""Running another spell file from a spell: a workflow's step, `Spell.run_file`."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.model import Function, Param

if TYPE_CHECKING:
    from typing import Final

RUN_FILE: Final = Function(
    "run_file",
    "Runs another spell file, of any language, in a worker of its own: at most what this spell "
    "may do, charged to its limits, and ended with it.",
    (
        Param("path", ("string",), "a path this spell may read", required=True, minimum=1,
              maximum=4096),
        Param("params", ("object",), "what the other spell finds under `params`", default={}),
        Param("profile", ("string",), "as strict as this run's or stricter",
              choices=("none", "low", "medium", "high")),
        Param("limits", ("object",), 'as {wall = "2s"}: only what is lower counts', default={}),
    ),
    "{value, status, engine, session, usage, denials}",
    wire="spell.run_file",
    positional=2,
    unjudged=True,
)  # fmt: skip
"""Judged by what it leads to: the file's reading, and every call of the other spell's."""
