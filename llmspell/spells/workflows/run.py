"""One run of a workflow: its control (pause, resume, cancel), its records, its callbacks."""

from __future__ import annotations

import asyncio

from llmspell.channel.jsontext import Callback
from llmspell.errors import InvalidInput, LimitExceeded, LlmspellError
from llmspell.records import TYPE_CHECKING
from llmspell.spells.plain import footprint
from llmspell.spells.workflows import failures
from llmspell.spells.workflows.model import count_steps
from llmspell.spells.workflows.values import Record, Values, check

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import Any, Final

    from llmspell.policies.breaker import CircuitBreaker
    from llmspell.spells.ports import Host
    from llmspell.spells.workflows.model import Flow, Step

KEPT_MAX: Final = 16_777_216
"""Bytes (about) of all outputs that one run keeps."""

TAKEN_MAX: Final = 67_108_864
"""Bytes of memory (about) that they may take: empty lists take far more than they weigh."""

RECORDS_MAX: Final = 20_000
"""Steps of one run, each round of a loop and each item counted."""

SHOWN_MAX: Final = 1_000
"""Steps that a result lists; the checkpoint holds all."""

CALLBACK_SECONDS: Final = 30.0
"""Time that a callback of the spell's may take; its failure is a warning."""

WARNINGS_MAX: Final = 50


class Turn:
    """Whose step of a spell's workflows begins now."""

    __slots__ = ("_lock", "_loop")

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None

    def lock(self) -> asyncio.Lock:
        """The lock, of the loop that runs: who embeds us may use one after another."""
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._lock, self._loop = asyncio.Lock(), loop
        return self._lock


class Run:
    """What the steps of one execution share.

    `done` and `decisions` are by path: `step`, `inner/step`, `loop#2/step`. Those that a
    checkpoint brought are used instead of running the step again.
    """

    def __init__(
        self,
        host: Host,
        flow: Flow,
        given: Any,
        *,
        identity: str = "",
        callbacks: Mapping[str, list[Callback]] | None = None,
        breakers: dict[str, CircuitBreaker] | None = None,
        save: Callable[[Run], Awaitable[object]] | None = None,
        turn: Turn | None = None,
    ) -> None:
        """`turn` is shared by the runs of one spell: whoever has it begins a step."""
        self.host = host
        self.flow = flow
        self.id = identity
        self.name = flow.name
        self.origin = f"workflow:{flow.name}"
        self.values = Values(flow.name, given)
        self.callbacks = callbacks or {}
        self.breakers: dict[str, CircuitBreaker] = {} if breakers is None else breakers
        self.status = "running"
        self.current = ""
        self.total = count_steps(flow)
        self.done: dict[str, Record] = {}
        self.decisions: dict[str, Any] = {}
        self.restored: frozenset[str] = frozenset()
        self.errors: list[dict[str, Any]] = []
        self.warnings: list[str] = []
        self.retries = 0
        self.undoable: list[tuple[Step, Record, Values]] = []
        self.compensated: list[str] = []
        self.output: Any = None
        self.counts = {"completed": 0, "failed": 0, "skipped": 0}
        self.began = host.now()
        self._save = save
        self._turn = turn or Turn()
        self._since_save = 0
        self._kept = self._taken = 0
        self._cancelled = asyncio.Event()
        self._reason = ""
        self._going = asyncio.Event()
        self._going.set()
        self._tasks: set[asyncio.Future[Any]] = set()
        self._deadline: asyncio.Timeout | None = None
        self._left: float | None = None

    # -- control ---------------------------------------------------------------------------------

    @property
    def is_cancelled(self) -> bool:
        """Whether somebody cancelled it."""
        return self._cancelled.is_set()

    @property
    def is_paused(self) -> bool:
        """Whether it waits at the next step boundary."""
        return not self._going.is_set()

    def watch(self, deadline: asyncio.Timeout | None) -> None:
        """The deadline that stands still while the run is paused; None once it is over."""
        self._deadline = deadline

    def pause(self) -> None:
        """Stops before the next step; what runs goes on to its end. Idempotent."""
        if self.is_paused or self.is_cancelled:
            return
        self._going.clear()
        self.status = "paused"
        when = None if self._deadline is None else self._deadline.when()
        if self._deadline is not None and when is not None:
            self._left = when - asyncio.get_running_loop().time()
            self._deadline.reschedule(None)

    def resume(self) -> None:
        """Goes on. Idempotent."""
        if not self.is_paused:
            return
        self.status = "running"
        self._going.set()
        if self._deadline is not None and self._left is not None:
            self._deadline.reschedule(asyncio.get_running_loop().time() + max(self._left, 0))
            self._left = None

    def cancel(self, reason: str = "") -> None:
        """Ends it: steps that run are cancelled, no other begins. Idempotent."""
        self._reason = reason
        self._cancelled.set()
        self._going.set()
        for task in list(self._tasks):
            task.cancel()

    async def gate(self) -> None:
        """A step boundary: waits while paused. Raises the cancellation (WF-015)."""
        # Steps that wait for nothing must not keep other runs of this process from theirs, nor the
        # clock from ending this one: one of a whole spell begins in a turn of the loop. Of a
        # thousand at once each may look at megabytes before it waits.
        async with self._turn.lock():
            await asyncio.sleep(0)
        if not self._going.is_set():
            await self._going.wait()
        if self._cancelled.is_set():
            raise failures.cancelled(self.name, self._reason)

    async def sleep(self, seconds: float) -> None:
        """A delay that a cancellation ends at once."""
        try:
            await asyncio.wait_for(self._cancelled.wait(), seconds)
        except TimeoutError:
            return
        raise failures.cancelled(self.name, self._reason)

    async def within(self, act: Awaitable[Any], seconds: float | None, what: str) -> Any:
        """The value of an act, cancelled with the run. Raises 3007 after `seconds`."""
        task = asyncio.ensure_future(act)
        self._tasks.add(task)
        try:
            return await asyncio.wait_for(task, seconds)
        except TimeoutError:
            raise failures.timed_out(what, seconds or 0) from None
        except asyncio.CancelledError:
            current = asyncio.current_task()
            if self.is_cancelled and not (current is not None and current.cancelling()):
                raise failures.cancelled(self.name, self._reason) from None
            raise
        finally:
            self._tasks.discard(task)

    # -- records ---------------------------------------------------------------------------------

    def finished_before(self, path: str) -> Record | None:
        """What a checkpoint says of a step that completed or was skipped before."""
        return self.done.get(path) if path in self.restored else None

    async def keep(self, path: str, record: Record, values: Values) -> None:
        """Takes in a step's end; saves a checkpoint where one is due. Raises `LimitExceeded`."""
        self._kept += check(record.output, f"the output of step {record.name}")
        self._kept += check(dict(record.outputs), f"the output of step {record.name}")
        self._taken += footprint([record.output, dict(record.outputs)])
        if self._kept > KEPT_MAX or self._taken > TAKEN_MAX:
            raise LimitExceeded(
                "workflow_memory", f"workflow {self.name} keeps over {KEPT_MAX} bytes of outputs"
            )
        if len(self.done) >= RECORDS_MAX:
            raise LimitExceeded("workflow_steps", f"{self.name} ran over {RECORDS_MAX} steps")
        self.done[path] = record
        self.counts[record.status] += 1
        values.keep(record)
        if record.status == "completed":
            self._since_save += 1
            if self.flow.save_checkpoints and self._since_save >= self.flow.checkpoint_interval:
                await self.save()

    async def save(self) -> None:
        """Saves a checkpoint by itself. A storage that refuses is a warning: the run goes on."""
        self._since_save = 0
        if self._save is None:
            return
        try:
            await self._save(self)
        except LlmspellError as error:
            self.warn(f"workflow {self.name}: no checkpoint could be saved: {error.message}")

    def warn(self, message: str) -> None:
        """A warning in the log and in the result."""
        if message in self.warnings or len(self.warnings) >= WARNINGS_MAX:
            return
        self.warnings.append(message)
        self.host.note("warn", message, {"workflow": self.name})

    async def decide(self, path: str, values: Values, condition: Any) -> bool:
        """A condition's outcome, remembered for checkpoints. Raises 3009."""
        from llmspell.spells.workflows.conditions import holds

        if path in self.decisions and path in self.restored:
            return self.decisions[path] is True
        found = await holds(self.host, condition, values, self)
        if len(self.decisions) >= RECORDS_MAX:
            raise LimitExceeded("workflow_steps", f"{self.name} decided over {RECORDS_MAX} times")
        self.decisions[path] = found
        return found

    def may_undo(self, step: Step, record: Record, values: Values) -> None:
        """Remembers a completed step that says how it is undone."""
        if step.compensate is not None and record.status == "completed":
            self.undoable.append((step.compensate, record, values))

    # -- what others are told --------------------------------------------------------------------

    def emit(self, event: str, **data: Any) -> None:
        """Publishes an event of this workflow's (EVT-011, EVT-012)."""
        about = {"workflow_name": self.name, "workflow_id": self.id, **data}
        self.host.events.emit(event, about, self.origin)

    async def tell(self, name: str, *args: Any) -> None:
        """Calls the spell's callbacks of this name. A failure is a warning, never the run's."""
        for callback in self.callbacks.get(name, ()):
            try:
                await self.host.invoke(callback, args, seconds=CALLBACK_SECONDS)
            except LlmspellError as error:
                self.warn(f"workflow {self.name}: {name} failed: {error.message}")

    async def hook_on_failure(self, point: str, context: Mapping[str, Any]) -> None:
        """Runs the hooks of a point that a failure passes (HOOK-025): they are told, no more.

        What made the run fail is what its caller gets, whatever they say.
        """
        if not self.host.hooks.any(point):
            return
        try:
            await self.host.hooks.run(point, context)
        except LlmspellError as failed:
            self.warn(f"workflow {self.name}: a hook at {point} failed: {failed.message}")

    async def progress(self, step: Step, status: str) -> None:
        """Tells on_progress where the run stands (WF-018)."""
        if self.callbacks.get("progress"):
            about = {**self.standing(), "step": step.name, "step_status": status}
            await self.tell("progress", about)

    def standing(self) -> dict[str, Any]:
        """Where the run stands, in numbers."""
        share = 1.0 if self.status == "completed" else min(len(self.done) / max(self.total, 1), 1.0)
        return {
            "workflow": self.name,
            "status": self.status,
            "current_step": self.current,
            "total": self.total,
            "completed": self.counts["completed"],
            "failed": self.counts["failed"],
            "progress": _rounded(share),
        }

    def state(self) -> dict[str, Any]:
        """The status as a spell sees it (API-076)."""
        ended = {record.name for record in self.done.values()}
        completed = [r.name for r in self.done.values() if r.status == "completed"]
        return {
            **self.standing(),
            "completed_steps": list(dict.fromkeys(completed))[:SHOWN_MAX],
            "remaining_steps": [s.name for s in self.flow.steps if s.name not in ended],
            "compensated": self.compensated[:SHOWN_MAX],
            "errors": self.errors[:SHOWN_MAX],
        }

    def footprint(self) -> int:
        """About how many bytes the run takes while it is kept."""
        given = (self.values.input, [record.output for record in self.done.values()])
        outputs = [dict(record.outputs) for record in self.done.values()]
        return footprint([*given, outputs, self.errors]) + 512 * len(self.done)

    def result(self) -> dict[str, Any]:
        """What `execute` gives: named outputs are fields of it too, where their names are free."""
        counts = self.counts
        tried = counts["completed"] + counts["failed"]
        steps = {_shown(path): record.show() for path, record in self.done.items()}
        outputs = dict(self.values.outputs)
        result: dict[str, Any] = {
            "success": self.status in ("completed", "partial"),
            "status": self.status,
            "workflow": self.name,
            "type": self.flow.kind,
            "output": self.output,
            "outputs": outputs,
            "steps": dict(list(steps.items())[:SHOWN_MAX]),
            "errors": self.errors[:SHOWN_MAX],
            "metadata": {
                "execution_time_ms": round((self.host.now() - self.began) * 1000),
                "steps_total": len(self.done),
                "steps_completed": counts["completed"],
                "steps_failed": counts["failed"],
                "steps_skipped": counts["skipped"],
                "retries": self.retries,
                "success_rate": _rounded(100 * counts["completed"] / tried) if tried else 100,
                "resumed": bool(self.restored),
                "warnings": list(self.warnings),
            },
        }
        return {**outputs, **result}


def _rounded(value: float) -> float:
    """Two digits; a whole number as one, which prints alike in every language."""
    result = round(value, 2)
    return int(result) if result.is_integer() else result


def _shown(path: str) -> str:
    """A step's path without the rounds of its loops: the last round is what a result shows."""
    pieces = [piece.partition("#")[0] if "#" in piece else piece for piece in path.split("/")]
    return "/".join(pieces)


def named(value: Any, what: str) -> str:
    """Text from a spell's hands. Raises `InvalidInput`."""
    if not isinstance(value, str):
        raise InvalidInput(f"{what} must be text")
    return value
