"""Zygotes and spares as a supervisor uses them: real processes, at `high`, in Lua."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

import llmspell
from llmspell.errors import OperationFailed
from llmspell.supervisor import nursery, pool
from llmspell.supervisor.audit.verify import verify
from llmspell.supervisor.result import Result
from tests.e2e.program import descendants

ONE = llmspell.Spell.from_source("return 1", language="lua")
BUSY = llmspell.Spell.from_source("while true do end", language="lua")


@pytest.fixture(autouse=True)
def own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    before = descendants(os.getpid())
    open_before = len(os.listdir("/proc/self/fd"))
    yield
    assert descendants(os.getpid()) <= before
    # The compiled guest and the event loop's own may have come; not one for each run.
    assert len(os.listdir("/proc/self/fd")) <= open_before + 6


def records(result: Result) -> list[dict[str, Any]]:
    assert result.audit_path is not None
    assert verify(result.audit_path).ok
    return [json.loads(line) for line in Path(result.audit_path).read_text().splitlines()]


def started(result: Result) -> dict[str, Any]:
    found: list[dict[str, Any]] = [
        record["details"] for record in records(result) if record["event"] == "worker_start"
    ]
    return found[0]


def within(coroutine: Coroutine[Any, Any, Any]) -> Any:
    async def limited() -> Any:
        return await asyncio.wait_for(coroutine, 60)

    return asyncio.run(limited())


def zygotes_of(supervisor: llmspell.Supervisor) -> list[Any]:
    assert supervisor._pool is not None
    return list(supervisor._pool._nursery._zygotes.values())


def test_a_warm_run_is_forked_and_as_confined_as_any() -> None:
    async def main() -> None:
        async with llmspell.Supervisor(spares=0) as supervisor:
            assert await supervisor.warm(ONE, profile="high")
            forked = await supervisor.run(ONE, profile="high")
        async with llmspell.Supervisor(zygotes=False) as supervisor:
            assert not await supervisor.warm(ONE, profile="high")
            alone = await supervisor.run(ONE, profile="high")
        assert forked.value == alone.value == 1
        assert started(forked) == {"start": "fork"}
        assert not [line for line in records(alone) if line["event"] == "worker_start"]
        assert forked.isolation == alone.isolation
        assert forked.usage.peak_memory > 0

    within(main())


def test_a_spare_waits_confined_and_serves_one_run() -> None:
    async def main() -> None:
        async with llmspell.Supervisor(spares=1) as supervisor:
            await supervisor.warm(ONE, profile="high")
            assert supervisor._pool is not None
            waiting = [spare for found in supervisor._pool._spares.values() for spare in found]
            pids = [spare.process.pid for spare in waiting]
            results = []
            for _ in range(3):
                results.append(await supervisor.run(ONE, profile="high"))
                await asyncio.sleep(0.05)
            assert len(pids) == 1 and not Path(f"/proc/{pids[0]}").exists()
        assert [started(result)["start"] for result in results] == ["spare"] * 3
        assert len({result.session for result in results}) == 3

    within(main())


def test_a_spare_of_other_limits_or_another_tenant_is_not_taken() -> None:
    async def main() -> None:
        async with llmspell.Supervisor(spares=1) as supervisor:
            await supervisor.warm(ONE, profile="high", tenant="a")
            other = await supervisor.run(ONE, profile="high", tenant="a", limits={"cpu": 3})
            assert started(other) == {"start": "fork"}
            stranger = await supervisor.run(ONE, profile="high", tenant="b")
            assert started(stranger)["start"] == "exec"
            assert "booting" in started(stranger)["reason"]
            await supervisor.warm(ONE, profile="high", tenant="b")
            assert len({zygote.process.pid for zygote in zygotes_of(supervisor)}) == 2

    within(main())


def test_a_dead_zygote_is_replaced_by_exec_with_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with llmspell.Supervisor(spares=1) as supervisor:
            await supervisor.warm(ONE, profile="high")
            (zygote,) = zygotes_of(supervisor)
            zygote.process.kill()
            zygote.process.wait(5)
            result = await supervisor.run(ONE, profile="high")
            assert result.value == 1
            assert started(result)["start"] == "exec" and "zygote" in started(result)["reason"]
            resting = await supervisor.run(ONE, profile="high")
            assert started(resting)["start"] == "exec"
            monkeypatch.setattr(nursery, "monotonic", lambda: time.monotonic() + 60)
            assert await supervisor.warm(ONE, profile="high")
            assert started(await supervisor.run(ONE, profile="high"))["start"] in ("fork", "spare")

    within(main())


def test_a_zygote_found_dead_while_waiting_for_its_answer_is_let_go() -> None:
    """Its socket stays readable: who keeps watching it keeps the loop busy."""

    async def main() -> None:
        async with llmspell.Supervisor(spares=0) as supervisor:
            await supervisor.warm(ONE, profile="high")
            (zygote,) = zygotes_of(supervisor)
            zygote.kill()
            await asyncio.sleep(0.1)
            assert zygotes_of(supervisor) == [] and zygote.fileno() == -1
            spent = time.process_time()
            await asyncio.sleep(0.3)
            assert time.process_time() - spent < 0.1

    within(main())


def test_a_refused_order_leaves_no_descriptor(monkeypatch: pytest.MonkeyPatch) -> None:
    from llmspell.platform.forking import Zygote

    take = Zygote.await_answer

    def refused(self: Zygote, forked: Any) -> None:
        take(self, forked)
        if not forked.was_refused:
            os.kill(forked.pid, signal.SIGKILL)
            forked.was_refused = True
            raise OperationFailed("the zygote could not fork")

    async def main() -> None:
        async with llmspell.Supervisor(spares=0) as supervisor:
            await supervisor.warm(ONE, profile="high")
            (zygote,) = zygotes_of(supervisor)
            await supervisor.run(ONE, profile="high")
            before = len(os.listdir("/proc/self/fd"))
            with monkeypatch.context() as patched:
                patched.setattr(Zygote, "await_answer", refused)
                for _ in range(3):
                    result = await supervisor.run(ONE, profile="high")
                    assert started(result)["start"] == "exec" and result.value == 1
            assert len(os.listdir("/proc/self/fd")) == before and zygote.live == 0

    within(main())


def test_runs_under_way_end_when_their_zygote_is_killed() -> None:
    async def main() -> None:
        async with llmspell.Supervisor(spares=0) as supervisor:
            await supervisor.warm(BUSY, profile="high")
            (zygote,) = zygotes_of(supervisor)
            running = asyncio.ensure_future(supervisor.run(BUSY, profile="high"))
            await asyncio.sleep(0.1)
            zygote.process.kill()
            result = await asyncio.wait_for(running, 5)
        assert result.reason == "crash" and not result.ok
        assert verify(str(result.audit_path)).ok

    within(main())


def test_cancelling_ends_a_forked_run_and_nothing_else() -> None:
    async def main() -> None:
        async with llmspell.Supervisor(spares=0) as supervisor:
            await supervisor.warm(BUSY, profile="high")
            before = descendants(os.getpid())
            task = asyncio.ensure_future(supervisor.run(BUSY, profile="high"))
            await asyncio.sleep(0.2)
            assert len(descendants(os.getpid())) == len(before) + 1
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert descendants(os.getpid()) == before

    within(main())


def test_a_worn_zygote_lives_as_long_as_its_children(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nursery, "FORKS_MAX", 3)

    async def main() -> None:
        async with llmspell.Supervisor(spares=0) as supervisor:
            await supervisor.warm(ONE, profile="high")
            (first,) = zygotes_of(supervisor)
            long = asyncio.ensure_future(
                supervisor.run(BUSY, profile="high", limits={"wall": "1s", "cpu": "30s"})
            )
            await asyncio.sleep(0)
            for _ in range(5):
                await supervisor.run(ONE, profile="high")
            await asyncio.sleep(0.4)
            assert zygotes_of(supervisor) != [first]
            assert (await long).reason == "wall"
            assert supervisor._pool is not None
            supervisor._pool._nursery.sweep()
            assert first.process.poll() is not None

    within(main())


def test_too_many_spares_make_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "SPARES_MAX", 2)

    async def main() -> None:
        async with llmspell.Supervisor(spares=2) as supervisor:
            for seconds in (1, 2, 3):
                limits = {"wall": 5, "cpu": seconds}
                await supervisor.warm(ONE, profile="high", limits=limits)
            assert supervisor._pool is not None
            assert sum(map(len, supervisor._pool._spares.values())) == 2

    within(main())


def test_old_spares_are_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with llmspell.Supervisor(spares=2) as supervisor:
            await supervisor.warm(ONE, profile="high")
            assert supervisor._pool is not None and supervisor._pool._spares
            monkeypatch.setattr(pool, "monotonic", lambda: time.monotonic() + 61)
            supervisor._pool._sweep()
            assert not supervisor._pool._spares

    within(main())


@pytest.mark.alone
def test_RS_the_kernels_cpu_limit_holds_in_a_forked_worker() -> None:
    async def main() -> None:
        async with llmspell.Supervisor(spares=1) as supervisor:
            await supervisor.warm(BUSY, profile="high", limits={"cpu": 1, "wall": 20})
            result = await supervisor.run(BUSY, profile="high", limits={"cpu": 1, "wall": 20})
        assert result.reason == "cpu" and result.usage.cpu >= 0.9

    within(main())


def test_profiles_below_medium_are_exec_ed() -> None:
    async def main() -> None:
        async with llmspell.Supervisor() as supervisor:
            assert not await supervisor.warm(ONE, profile="low")
            result = await supervisor.run(ONE, profile="low")
            assert result.value == 1
            assert not [line for line in records(result) if line["event"] == "worker_start"]

    within(main())


def test_random_numbers_are_each_runs_own() -> None:
    spell = llmspell.Spell.from_source("return {math.random(), math.random()}", language="lua")

    async def main() -> None:
        async with llmspell.Supervisor(spares=2) as supervisor:
            await supervisor.warm(spell, profile="high")
            found = [(await supervisor.run(spell, profile="high")).value for _ in range(4)]
        assert len({number for pair in found for number in pair}) == 8

    within(main())


def test_IP_18_a_killed_supervisor_leaves_nothing() -> None:
    reader, writer = os.pipe()
    program = (
        "import asyncio, llmspell, os, sys\n"
        "async def main():\n"
        "    spell = llmspell.Spell.from_source('while true do end', language='lua')\n"
        "    async with llmspell.Supervisor(spares=2) as supervisor:\n"
        "        await supervisor.warm(spell, profile='high')\n"
        "        runs = [asyncio.ensure_future(supervisor.run(spell, profile='high'))\n"
        "                for _ in range(2)]\n"
        "        await asyncio.sleep(0.3)\n"
        f"        os.write({writer}, b'x')\n"
        "        await asyncio.gather(*runs)\n"
        "asyncio.run(main())\n"
    )
    import subprocess
    import sys

    with subprocess.Popen([sys.executable, "-c", program], pass_fds=(writer,)) as process:
        os.close(writer)
        assert os.read(reader, 1) == b"x"
        os.close(reader)
        below = descendants(process.pid)
        assert len(below) >= 5
        process.send_signal(signal.SIGKILL)
        process.wait()
        deadline = time.monotonic() + 2
        while any(Path(f"/proc/{pid}").exists() for pid in below):
            assert time.monotonic() < deadline, below
            time.sleep(0.01)


def test_a_run_that_nothing_can_start_says_how_it_was_tried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from llmspell.errors import IsolationRefused
    from llmspell.supervisor import worker

    def refuse(*_: object) -> None:
        raise IsolationRefused("this machine starts nothing")

    monkeypatch.setattr(worker, "describe", refuse)
    monkeypatch.setattr(worker, "describe_zygote", refuse)

    async def main() -> None:
        async with llmspell.Supervisor() as supervisor:
            result = await supervisor.run(ONE, profile="high")
        assert result.status.value == "isolation_refused" and result.audit_complete
        assert started(result) == {"start": "exec", "reason": "this machine starts nothing"}

    within(main())


@pytest.mark.parametrize("zygotes", [True, False])
def test_a_worker_on_its_way_ends_with_a_run_that_never_begins(zygotes: bool) -> None:
    async def main() -> None:
        from llmspell.supervisor.prepare import RunOptions

        async with llmspell.Supervisor(zygotes=zygotes, spares=0) as supervisor:
            await supervisor.warm(BUSY, profile="high")
            before = descendants(os.getpid())
            options = RunOptions(profile="high", stdin=None)
            run = supervisor.submit(BUSY, options, _Nowhere(), "default")
            time.sleep(0.05)  # not one step of the loop, but time for a fork
            assert len(descendants(os.getpid())) > len(before)
            run.task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await run.task
            await asyncio.sleep(0)
            assert descendants(os.getpid()) == before

    within(main())


class _Nowhere:
    def show(self, stream: str, text: str) -> None:
        """Nothing is printed."""

    def note(self, level: str, message: str, fields: object) -> None:
        """Nothing is logged."""


def test_a_fork_that_fails_is_an_exec_with_a_record(monkeypatch: pytest.MonkeyPatch) -> None:
    from llmspell.platform.forking import Zygote

    def refuse(self: Zygote, channel: int) -> None:
        raise OperationFailed("the zygote could not fork")

    async def main() -> None:
        async with llmspell.Supervisor(spares=0) as supervisor:
            await supervisor.warm(ONE, profile="high")
            with monkeypatch.context() as patched:
                patched.setattr(Zygote, "order", refuse)
                result = await supervisor.run(ONE, profile="high")
            assert result.value == 1
            assert started(result) == {"start": "exec", "reason": "the zygote could not fork"}
            assert started(await supervisor.run(ONE, profile="high")) == {"start": "fork"}

    within(main())
