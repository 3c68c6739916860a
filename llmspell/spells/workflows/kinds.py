"""How each kind of workflow runs its steps (WF-001 … WF-009). Every wait ends with the run."""

from __future__ import annotations

import asyncio
from functools import partial

from llmspell.channel.jsontext import Callback
from llmspell.errors import (
    Denied,
    InvalidInput,
    LimitExceeded,
    LlmspellError,
    OperationFailed,
    from_wire,
)
from llmspell.records import TYPE_CHECKING
from llmspell.spells.templating import fill
from llmspell.spells.workflows import failures
from llmspell.spells.workflows.merging import MERGE_FAILED, Branch, merge, report
from llmspell.spells.workflows.model import ITEMS_MAX, ITERATIONS_MAX
from llmspell.spells.workflows.ordering import order_of
from llmspell.spells.workflows.steps import MAPPING_SECONDS, run_step
from llmspell.spells.workflows.values import Record, check

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from typing import Any, Final

    from llmspell.spells.workflows.model import Flow, Step
    from llmspell.spells.workflows.run import Run
    from llmspell.spells.workflows.values import Values

LOOP_DEFAULT: Final = 1_000
"""Rounds of a loop that names no bound; one more is an error, not an end."""

AGGREGATE_SECONDS: Final = 60.0


async def run_flow(run: Run, flow: Flow, values: Values, path: str) -> Any:
    """The flow's output. Raises 3007 when it takes longer than `flow.timeout`."""
    act = _KINDS[flow.kind](run, flow, values, path)
    if flow.timeout is None:
        return await act
    deadline = asyncio.timeout(flow.timeout)
    if path == "":
        run.watch(deadline)
    try:
        async with deadline:
            return await act
    except TimeoutError:
        raise failures.timed_out(f"workflow {flow.name}", flow.timeout) from None
    finally:
        if path == "":
            run.watch(None)


async def _sequential(run: Run, flow: Flow, values: Values, path: str) -> Any:
    output = None
    was_piped, values.piped = values.piped, flow.kind == "pipeline"
    try:
        for step in order_of(flow.steps, flow.name):
            record = await run_step(run, flow, step, values, path + step.name)
            if record.status == "completed":
                output = record.output
                values.extra["previous"] = output
    finally:
        values.piped = was_piped
    return output


async def _parallel(run: Run, flow: Flow, values: Values, path: str) -> Any:
    ended = {step.name: asyncio.Event() for step in flow.steps}
    records: dict[str, Record] = {}
    places = asyncio.Semaphore(flow.max_concurrency)
    beginning = values.branch()

    async def one(step: Step) -> None:
        own = beginning.branch()
        for needed in step.depends_on:
            await ended[needed].wait()
            own.keep(records[needed])
        async with places:
            records[step.name] = await run_step(run, flow, step, own, path + step.name)
        ended[step.name].set()
        if flow.fail_fast and records[step.name].status == "failed":
            raise failures.of_step(run.name, step.name, _cause(records[step.name]))

    await _together([partial(one, step) for step in flow.steps])
    for step in flow.steps:
        values.keep(records[step.name])
    branches = [_branch(step, records[step.name]) for step in flow.steps]
    return await _merged(run, flow, branches)


async def _conditional(run: Run, flow: Flow, values: Values, path: str) -> Any:
    chosen = flow.then if await run.decide(f"{path}?", values, flow.condition) else flow.other
    if chosen is None:
        return None
    record = await run_step(run, flow, chosen, values, path + chosen.name)
    return record.output


async def _loop(run: Run, flow: Flow, values: Values, path: str) -> Any:
    assert flow.body is not None
    rounds = None if flow.items is None else await _items(run, flow, values)
    most = len(rounds) if rounds is not None else flow.times
    bound = min(flow.max_iterations or LOOP_DEFAULT, ITERATIONS_MAX)
    collected: list[Any] = []
    output, index = None, 0
    while most is None or index < most:
        place = f"{path}{flow.body.name}#{index + 1}"
        values.extra.update({"iteration": index + 1, "index": index})
        if rounds is not None:
            values.extra["item"] = rounds[index]
        if flow.condition is not None:
            holds = await run.decide(f"{place}?", values, flow.condition)
            if holds is flow.until:
                break
        if index >= bound:
            if flow.max_iterations is not None:
                run.warn(f"workflow {flow.name} ended after its {bound} rounds")
                break
            raise LimitExceeded(
                "iterations",
                f"workflow {flow.name} went over {bound} rounds",
                hint="set max_iterations, or a condition that ends it",
            )
        run.host.budget.reserve("calls", 1)
        record = await run_step(run, flow, flow.body, values, place)
        index += 1
        if record.status == "completed":
            output = record.output
            values.extra["previous"] = output
        if flow.collect:
            collected.append(record.output)
        if flow.delay > 0 and run.finished_before(place) is None:
            await run.sleep(flow.delay)
    values.extra.pop("item", None)
    return collected if flow.collect else output


async def _mapped(run: Run, flow: Flow, values: Values, path: str) -> Any:
    """Fan-out and map-reduce: one run of the body per item, at most `max_concurrency` at once."""
    if flow.body is None:
        return await _parallel(run, flow, values, path)
    body = flow.body
    items = await _items(run, flow, values)
    size = flow.chunk_size
    parts = items if size == 1 else [items[at : at + size] for at in range(0, len(items), size)]
    records: list[Record | None] = [None] * len(parts)
    beginning = values.branch()
    left = iter(range(len(parts)))

    async def worker() -> None:
        for index in left:
            run.host.budget.reserve("calls", 1)
            own = beginning.branch(item=parts[index], index=index)
            place = f"{path}{body.name}[{index}]"
            record = await run_step(run, flow, body, own, place)
            records[index] = record
            if flow.fail_fast and record.status == "failed":
                raise failures.of_step(run.name, body.name, _cause(record))

    await _together([worker] * min(flow.max_concurrency, len(parts)))
    branches = [
        Branch(f"{body.name}[{index}]", record.status == "completed", record.output, record.error)
        for index, record in enumerate(records)
        if record is not None
    ]
    if flow.reduce is None:
        keyed = flow.kind == "fan_out" and flow.merge == "merge"
        flow = flow._replace(merge="list") if keyed else flow
        return await _merged(run, flow, branches)
    _check_minimum(run, flow, branches)
    good = [branch.output for branch in branches if branch.success]
    reducing = values.branch(item=good)
    record = await run_step(run, flow, flow.reduce, reducing, path + flow.reduce.name)
    values.keep(record)
    return record.output


async def _custom(run: Run, flow: Flow, values: Values, path: str) -> Any:
    assert flow.run is not None
    run.host.budget.reserve("calls", 1)
    call = run.host.invoke(flow.run, [values.context()])
    output = await run.within(call, None, f"workflow {flow.name}")
    check(output, f"the output of workflow {flow.name}")
    return output


_KINDS: Final[Mapping[str, Callable[[Run, Flow, Values, str], Awaitable[Any]]]] = {
    "sequential": _sequential,
    "pipeline": _sequential,
    "parallel": _parallel,
    "conditional": _conditional,
    "loop": _loop,
    "fan_out": _mapped,
    "map_reduce": _mapped,
    "custom": _custom,
}


# -- helpers -----------------------------------------------------------------------------------


async def _together(acts: Sequence[Callable[[], Awaitable[None]]]) -> None:
    """Runs all of them; the first failure cancels the others and is raised."""
    tasks = [asyncio.ensure_future(act()) for act in acts]
    if not tasks:
        return
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
    finally:
        failed = [task for task in tasks if task.done() and not task.cancelled()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in failed:
        error = task.exception()
        if error is not None:
            raise error
    if len(failed) < len(tasks):
        raise asyncio.CancelledError


async def _items(run: Run, flow: Flow, values: Values) -> list[Any]:
    await run.gate()
    given = flow.items
    if isinstance(given, Callback):
        run.host.budget.reserve("calls", 1)
        call = run.host.invoke(given, [values.context()], seconds=MAPPING_SECONDS)
        given = await run.within(call, None, "items")
    elif given is not None:
        given = fill(given, values.scope())
    elif isinstance(values.input, dict) and "items" in values.input:
        given = values.input["items"]
    else:
        given = values.default_input()
    if given == {} or given is None:
        given = []
    if not isinstance(given, list):
        raise InvalidInput(f"workflow {flow.name}: items must be a list", code=3002)
    if len(given) > ITEMS_MAX:
        raise LimitExceeded("items", f"workflow {flow.name} has over {ITEMS_MAX} items")
    check(given, f"the items of workflow {flow.name}")
    return given


def _cause(record: Record) -> LlmspellError:
    return from_wire(record.error or {})


def _branch(step: Step, record: Record) -> Branch:
    key = step.output if isinstance(step.output, str) else step.name
    return Branch(key, record.status == "completed", record.output, record.error)


def _check_minimum(run: Run, flow: Flow, branches: Sequence[Branch]) -> None:
    good = sum(branch.success for branch in branches)
    failed = [branch for branch in branches if branch.error is not None]
    if not failed or good >= min(flow.require_minimum, len(branches)):
        return
    causes = "; ".join(f"{b.key}: {(b.error or {}).get('message', '')}"[:200] for b in failed[:5])
    message = (
        f"workflow {flow.name}: {good} of {len(branches)} branches ended well, "
        f"{flow.require_minimum} are needed ({causes})"
    )
    errors = [from_wire(branch.error or {}) for branch in failed]
    if good == 0 and all(error.code in failures.DENIED for error in errors):
        # Nothing but the policy stood in the way: the caller is told by which rule.
        first = errors[0]
        raise Denied(message, code=first.code, rule=first.rule, hint=first.hint)
    raise OperationFailed(message, code=failures.EXECUTION_FAILED, kind="parallel_step_failures")


async def _merged(run: Run, flow: Flow, branches: Sequence[Branch]) -> Any:
    _check_minimum(run, flow, branches)
    if flow.aggregate is None:
        output = merge(flow.merge, branches)
        check(output, f"the output of workflow {flow.name}")
        return output
    run.host.budget.reserve("calls", 1)
    reports = {branch.key: report(branch) for branch in branches}
    try:
        call = run.host.invoke(flow.aggregate, [reports], seconds=AGGREGATE_SECONDS)
        output = await run.within(call, None, "aggregate")
        check(output, "what aggregate gave")
    except LlmspellError as error:
        if error.code in failures.DENIED | failures.LIMITS or error.kind == "cancelled":
            raise
        raise OperationFailed(
            f"workflow {flow.name}: aggregate failed: {error.message}",
            code=MERGE_FAILED,
            kind="merge_failed",
        ) from None
    return output
