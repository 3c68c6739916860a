"""`scheduler.*`: jobs that a spell asks for. They are recorded and told, never run here (X69)."""

from __future__ import annotations

from llmspell.channel.jsontext import Callback
from llmspell.errors import InvalidInput, LimitExceeded, Missing
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.options import normalise
from llmspell.spells.scheduling.triggers import read_trigger

if TYPE_CHECKING:
    from typing import Any, Final

    from llmspell.supervisor.desk import Desk
    from llmspell.supervisor.services.context import Args, CallContext

JOBS_MAX: Final = 100
"""Jobs that one run may ask for."""

JOB_MAX: Final = 8_192
"""Characters of one request, as `repr` writes it."""

ACTIONS: Final = ("workflow", "agent", "spell", "tool")
REQUESTED: Final = "requested"


class SchedulerService:
    """The requests of one run."""

    def __init__(self, host: Desk) -> None:
        self._host = host
        self._jobs: dict[str, dict[str, Any]] = {}
        self._made = 0
        self.table = {
            "scheduler.register": self.register,
            "scheduler.cancel": self.cancel,
            "scheduler.status": self.status,
            "scheduler.list": self.list,
        }

    def close(self) -> None:
        """Holds nothing that must be let go."""

    def register(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """Takes a request: checked, recorded, in the run's result (API-114)."""
        name = args["name"]
        if len(self._jobs) >= JOBS_MAX:
            raise LimitExceeded("jobs", f"a run asks for at most {JOBS_MAX} jobs")
        if any(job["name"] == name for job in self._jobs.values()):
            raise InvalidInput(f"this run has asked for a job {name!r} already")
        trigger = read_trigger(args["trigger"], self._host.engine)
        action = _action(args["action"])
        config = normalise(args["config"])
        job = {"name": name, "status": REQUESTED, "trigger": trigger, "action": action}
        if config:
            job["config"] = config
        if len(repr(job)) > JOB_MAX:
            raise InvalidInput(f"a job's request is over {JOB_MAX} characters")
        self._made += 1
        identity = f"job-{self._made}"
        self._host.record(
            "schedule_request",
            {"job": name, "trigger": trigger["type"], "kind": action["type"], "name": identity},
        )
        self._jobs[identity] = job
        self._host.plan.keep_request(identity, job)
        self._host.note(
            "info",
            f"the job {name} is a request: this run does not run it, a host that serves "
            "the spell does",
        )
        return {"handle": "scheduled_job", "id": identity, **job}

    def cancel(self, ctx: CallContext, args: Args) -> bool:
        """Takes a request back; whether it stood."""
        job = self._jobs.pop(args["id"], None)
        if job is None:
            return False
        self._host.plan.forget_request(args["id"])
        self._host.record("schedule_cancel", {"job": job["name"], "name": args["id"]})
        return True

    def status(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """A request as it stands."""
        job = self._jobs.get(args["id"])
        if job is None:
            raise Missing("this job was taken back", kind="not_found")
        return dict(job)

    def list(self, ctx: CallContext, args: Args) -> list[dict[str, Any]]:
        """The requests of this run."""
        return [
            {"handle": "scheduled_job", "id": identity, **job}
            for identity, job in self._jobs.items()
        ]


def _action(given: dict[str, Any]) -> dict[str, Any]:
    action = normalise(given)
    kind = action.get("type") or next((one for one in ACTIONS if one in action), None)
    if kind not in ACTIONS:
        raise InvalidInput(
            "scheduler.register: the action has no known type", hint=f"one of {', '.join(ACTIONS)}"
        )
    if _holds_function(action):
        raise InvalidInput(
            "scheduler.register: a function of this run is gone when the job would run",
            hint="name a workflow, an agent, a tool or a spell's file",
        )
    target = action.get(kind, action.get("name", action.get("path", action.get("agent_id"))))
    if isinstance(target, dict):
        # An object of this run ends with it: what is kept is its name.
        target = target.get("name") or target.get("id")
    if not isinstance(target, str) or not target:
        raise InvalidInput(f"scheduler.register: the action names no {kind}")
    return {"type": kind, kind: target, "input": action.get("input", {})}


def _holds_function(value: Any) -> bool:
    """Whether a function of the run is anywhere in a value; messages bound how deep that is."""
    if isinstance(value, dict):
        return any(_holds_function(item) for item in value.values())
    if isinstance(value, list):
        return any(_holds_function(item) for item in value)
    return isinstance(value, Callback)
