"""A spell that runs another spell's file: a session of its own under this one (issue 4, item 8).

The other spell's policy is this run's policy, at most tightened; its budget has this run's as its
parent; its records stand in this run's chain; its output counts as this run's. It ends with the
call that wanted it, and with the run.
"""

from __future__ import annotations

import asyncio

from llmspell.errors import (
    InvalidInput,
    IsolationRefused,
    LimitExceeded,
    LlmspellError,
    OperationFailed,
    SpellError,
    UsageError,
)
from llmspell.policies.budget import Budget
from llmspell.policies.limits import KINDS, UNLIMITED, Kind, Limits, Unlimited, parse_limit
from llmspell.policies.narrowed import Looser, stricter_limits
from llmspell.policies.verdict import deny
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.options import normalise, seconds
from llmspell.supervisor.lineage import NestedAudit, ParentSink, add_usage, lineage_of

if TYPE_CHECKING:
    from typing import Any, Final

    from llmspell.policies.policy import Policy
    from llmspell.spells.spell import Spell
    from llmspell.supervisor.audit.log import AuditLog
    from llmspell.supervisor.crew import Crew
    from llmspell.supervisor.desk import Desk
    from llmspell.supervisor.prepare import Prepared
    from llmspell.supervisor.result import Result
    from llmspell.supervisor.running import LocalWork
    from llmspell.supervisor.services.context import Args, CallContext

DEPTH_MAX: Final = 4
"""Spells that run spells: so deep, the first one not counted."""

AT_ONCE_MAX: Final = 4
"""Spells under way below the first one at any time: each is a process with its own memory."""

CPU_LEAST: Final = 1.0
"""Seconds of processor time below which no worker is started: it could not even boot."""


class NestedRuns:
    """The spells that one run has under way."""

    def __init__(self, host: Desk) -> None:
        self._host = host
        self._under_way: list[tuple[LocalWork, Crew, Prepared]] = []
        self._lineage = lineage_of(host.running)

    async def run_file(self, ctx: CallContext, args: Args) -> dict[str, Any]:
        """Runs a file to its end: `{value, status, engine, session, usage, denials}`.

        Raises what the file's reading raises, the spell's own error, `LimitExceeded` for depth,
        number and every limit, `Denied` 4008 for a looser profile.
        """
        path = args["path"]
        lineage = self._lineage
        if lineage.depth > DEPTH_MAX:
            raise LimitExceeded("spell_depth", f"spells run spells at most {DEPTH_MAX} deep")
        # The caller's own right to read decides, and is on record.
        source = await self._host.call(
            "fs.read", {"path": path, "encoding": "binary"}, origin=ctx.origin
        )
        # Only now, and nothing waits from here to its start: a run that was tightened while the
        # file was read gives what it has left.
        policy = self._policy(ctx, args)
        spell = self._spell(path, source, policy.limits)
        if lineage.tree.under_way >= AT_ONCE_MAX:
            raise LimitExceeded(
                "spells_at_once",
                f"at most {AT_ONCE_MAX} spells run below one",
                hint="wait for some, or lower max_concurrency",
            )
        lineage.tree.under_way += 1
        try:
            result = await self._drive(spell, policy, args["params"])
        finally:
            lineage.tree.under_way -= 1
        return _told(spell, result)

    def close(self) -> None:
        """Ends what is still under way: its run is over. A loop that goes on reaps it."""
        under_way, self._under_way = self._under_way, []
        for work, crew, prepared in under_way:
            if _loop_goes_on():
                work.interrupt("parent ended")
            else:
                crew.abandon()
                prepared.close()

    def narrow(self, policy: Policy) -> None:
        """What is under way gets no more than this policy from now on."""
        from llmspell.policies.narrowed import narrowed
        from llmspell.supervisor.narrowing import narrow_policy

        for work, _, _ in self._under_way:
            if work.session is not None:
                narrow_policy(work.session, narrowed(work.session.policy, policy, "its parent"))

    def end_records(self) -> None:
        """Writes the ends of what is still under way, while the chain they stand in is open."""
        for _, _, prepared in self._under_way:
            inner = prepared.services.made("spell")
            if inner is not None:
                inner.end_records()
            prepared.plan.audit.close({"status": "killed", "reason": "parent ended"})

    # -- what it may do ------------------------------------------------------------------------

    def _policy(self, ctx: CallContext, args: Args) -> Policy:
        from llmspell.supervisor.tightening import at_level

        policy = self._host.policy
        wanted = args.get("profile")
        if wanted is not None:
            try:
                policy = at_level(policy, wanted)
            except Looser as looser:
                verdict = deny("spell.profile", looser.reason, "leave the profile out")
                ctx.judge(verdict, action="run", target=args["path"])
        return policy._replace(limits=self._limits(policy.limits, args["limits"]))

    def _limits(self, limits: Limits, given: dict[str, Any]) -> Limits:
        """The stricter of the policy's, what was asked for and what is left of this run's."""
        asked: dict[str, Any] = {}
        for name, value in normalise(given).items():
            if name not in KINDS:
                raise InvalidInput(
                    f"spell.run_file: there is no limit {name[:60]!r}",
                    hint=f"the limits are {', '.join(KINDS)}",
                )
            if KINDS[name] is Kind.SECONDS and value != UNLIMITED.value:
                value = seconds(value, self._host.engine, f"limits.{name}")
            try:
                asked[name] = parse_limit(name, value)
            except UsageError as error:
                raise InvalidInput(f"spell.run_file: {error.message}") from None
        everything = Limits(*([UNLIMITED] * len(limits)))
        narrower = stricter_limits(limits, everything._replace(**asked))
        cpu = self._host.budget.left("cpu")
        if not isinstance(cpu, Unlimited) and cpu < CPU_LEAST:
            raise LimitExceeded("cpu", "the spells of this run used up its processor time")
        narrower = stricter_limits(narrower, everything._replace(cpu=cpu))
        left = self._wall_left()
        return (
            narrower if left is None else stricter_limits(narrower, everything._replace(wall=left))
        )

    def _wall_left(self) -> float | None:
        moment = self._host.running.wall_deadline
        return None if moment is None else max(0.001, moment - self._host.now())

    def _spell(self, path: str, data: bytes, limits: Limits) -> Spell:
        from llmspell.spells.spell import Spell

        size = limits.script_size
        if not isinstance(size, Unlimited) and len(data) > size:
            raise LimitExceeded("script_size", f"{path} is over {size} bytes")
        _, located = self._host.policy.files.find(path)
        name = path.rpartition("/")[2].rpartition(":")[2] or "spell"
        try:
            spell = Spell.from_bytes(data, name=name)
        except UsageError as error:
            raise InvalidInput(f"spell.run_file: {error.message}", hint=error.hint) from None
        folder = None if located is None else located.rpartition("/")[0] or "/"
        return spell._replace(path=located, folder=folder)

    # -- running it ----------------------------------------------------------------------------

    async def _drive(self, spell: Spell, policy: Policy, params: dict[str, Any]) -> Result:
        from llmspell.supervisor.crew import Crew
        from llmspell.supervisor.runner import launcher
        from llmspell.supervisor.running import LocalWork

        prepared = self._prepared(spell, policy, params)
        crew = Crew(launcher(prepared))
        work = LocalWork(prepared, crew, ParentSink(self._host.running))
        entry = (work, crew, prepared)
        self._under_way.append(entry)
        try:
            result = await work.drive()
            self._host.plan.take_requests(prepared.plan)
        finally:
            if entry in self._under_way:
                self._under_way.remove(entry)
        self._charge(result)
        return result

    def _prepared(self, spell: Spell, policy: Policy, params: dict[str, Any]) -> Prepared:
        from llmspell.supervisor.audit.opening import new_session
        from llmspell.supervisor.broker import Broker
        from llmspell.supervisor.methods import Methods
        from llmspell.supervisor.plan import SessionPlan
        from llmspell.supervisor.prepare import Prepared
        from llmspell.supervisor.services import Services

        parent = self._host.plan
        session = new_session()
        lineage = self._lineage
        audit: AuditLog = NestedAudit(parent.audit, session, lineage)  # type: ignore[assignment]
        services = Services(policy, above=parent.services)
        try:
            budget = Budget(policy.limits, self._host.budget)
            methods = Methods(services, spell.engine)
            broker = Broker(methods, policy, budget, audit, parent.mask, session)
            plan = SessionPlan(
                session=session,
                spell=spell,
                policy=policy,
                budget=budget,
                broker=broker,
                audit=audit,
                mask=parent.mask,
                params=params,
                args=(),
                env={
                    name: value
                    for name, value in parent.env.items()
                    if policy.env.judge(name).allowed is True
                },
                keep_output=False,
                tenant=parent.tenant,
                services=services,
                lineage=lineage,
                requests={},
            )
        except BaseException:
            services.close()
            raise
        return Prepared(plan, services)

    def _charge(self, result: Result) -> None:
        add_usage(self._host.running, result.usage)
        try:
            self._host.budget.settle("cpu", 0, result.usage.cpu)
        except LimitExceeded:
            # It has been used. The next spell is refused; this one has come to its end.
            self._host.note("warn", "the spells of this run used up its processor time")
        for denial in result.denials:
            self._host.plan.broker.keep_denial(denial)


def _loop_goes_on() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _told(spell: Spell, result: Result) -> dict[str, Any]:
    if not result.ok:
        raise _failure(spell, result)
    return {
        "value": result.value,
        "status": result.status.value,
        "engine": spell.engine,
        "session": result.session,
        "usage": result.usage._asdict(),
        "denials": [denial._asdict() for denial in result.denials],
    }


def _failure(spell: Spell, result: Result) -> LlmspellError:
    """The other spell's error, in words that name it. Its own words are a stranger's: clipped."""
    error = result.error
    if error is None:
        return OperationFailed(f"{spell.name} was ended ({result.reason})", kind="cancelled")
    message = f"{spell.name}: {error.message}"
    if isinstance(error, IsolationRefused):
        return IsolationRefused(message, rule=error.rule, hint=error.hint)
    return SpellError(
        message,
        code=error.code,
        kind=error.kind,
        rule=error.rule,
        hint=error.hint,
        trace_id=error.trace_id,
        line=error.line,
        stack=error.stack,
    )
