"""Asking for later runs (API-114). In a run this is a request; hosting runs it."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.model import Class, Function, Module, Param

if TYPE_CHECKING:
    from typing import Final

JOB: Final = Class(
    "scheduled_job",
    "A request to run something later. Its status is `requested` for the whole run.",
    (
        Function(
            "cancel",
            "Takes the request back.",
            (),
            "boolean",
            wire="scheduler.cancel",
            unjudged=True,
        ),
        Function(
            "get_status",
            "The request as it stands.",
            (),
            "{name, status, trigger, action}",
            wire="scheduler.status",
            unjudged=True,
        ),
    ),
    (
        Param("name", ("string",), "the job's name"),
        Param("status", ("string",), "requested"),
        Param("trigger", ("object",), "when"),
    ),
)

MODULE: Final = Module(
    "scheduler",
    ("Scheduler",),
    "Requests to run something later. A run ends with its spell: what it asks for is in its "
    "result and its records, and a host runs it.",
    (
        Function(
            "register",
            "Asks for a job: {name, trigger, action}. Triggers: {type = 'cron', schedule = "
            "'0 8 * * *'}, {type = 'interval', seconds = 60}, {type = 'event', event = 'a.*'}, "
            "{type = 'external', source = 'webhook'}. Actions: {type = 'workflow' | 'agent' | "
            "'spell' | 'tool', …}.",
            (
                Param("name", ("string",), "the job's name", required=True, minimum=1,
                      maximum=128),
                Param("trigger", ("object",), "when", required=True),
                Param("action", ("object",), "what", required=True),
                Param("config", ("object",), "further settings", default={}),
            ),
            "scheduled_job",
            wire="scheduler.register",
            after="handle",
            spread="config",
            aliases=("schedule",),
            unjudged=True,
        ),
        Function(
            "list",
            "The requests of this run.",
            (),
            "array of scheduled_job",
            wire="scheduler.list",
            after="handles",
            unjudged=True,
        ),
    ),
    classes=(JOB,),
)  # fmt: skip
