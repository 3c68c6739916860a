"""A program that runs many spells at once; run by test_many.py in a process of its own."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import llmspell
from llmspell.policies.resources import ResourceAmounts
from llmspell.supervisor.api import HOST_TOTAL
from llmspell.supervisor.shards import process as shard_process
from tests.e2e.program import all_gone, children, descendants

LOOP = llmspell.Spell.from_source("while true do end", language="lua")
NAP = llmspell.Spell.from_source("Async.sleep(params.ms or 300) return args[1]", language="lua")
PLAIN: dict[str, Any] = {"zygotes": False}
"""Where zygotes, which come and go as they like, have nothing to do with what is tested."""

ONE = llmspell.Spell.from_source("return 1", language="lua")


def descriptors(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def shards_of_this() -> list[int]:
    found = [
        pid
        for pid in children(os.getpid())
        if b"shards/main.py" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    return sorted(found)


async def refusal(awaitable: Awaitable[Any]) -> llmspell.LlmspellError:
    try:
        got = await awaitable
    except llmspell.LlmspellError as error:
        return error
    raise AssertionError(f"not refused: {got}")


async def until(condition: Callable[[], Any], seconds: float = 10.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it does not come"
        await asyncio.sleep(0.01)
    return found


async def waiting(shards: int) -> None:
    """What does not fit now waits; over every bound there is a typed refusal."""
    async with llmspell.Supervisor(
        in_flight=1, waiting=3, wait=9, shards=shards, **PLAIN
    ) as supervisor:
        order: list[str] = []

        async def nap(name: str, tenant: str) -> Any:
            result = await supervisor.run(NAP, args=[name], params={"ms": 100}, tenant=tenant)
            order.append(result.value)

        first = [asyncio.ensure_future(nap(name, "many")) for name in "abcd"]
        await asyncio.sleep(0)
        refused = await refusal(supervisor.run(ONE, tenant="many"))
        assert isinstance(refused, llmspell.LimitExceeded), refused
        assert (refused.rule, refused.code) == ("limit.waiting", 4009) and refused.hint
        # Another tenant's first is due: the newest of those that fill the room gives way.
        await asyncio.gather(nap("x", "few"), *first[:3])
        displaced = await refusal(first[3])
        assert displaced.rule == "limit.waiting" and order == ["a", "b", "x", "c"], order

        looping = asyncio.ensure_future(supervisor.run(LOOP))
        queued = asyncio.ensure_future(supervisor.run(ONE))
        third = asyncio.ensure_future(supervisor.run(ONE))
        last = asyncio.ensure_future(supervisor.run(ONE))
        await asyncio.sleep(0.1)
        full = await refusal(supervisor.run(ONE))
        assert full.rule == "limit.waiting"
        queued.cancel()
        await asyncio.wait([queued])
        assert queued.cancelled()
        fourth = asyncio.ensure_future(supervisor.run(ONE))  # in the place that was left
        await asyncio.sleep(0)
        bad = await refusal(supervisor.run(ONE, profile="no such"))
        assert bad.kind == "usage", bad.kind
        looping.cancel()
        assert [(await task).value for task in (third, last, fourth)] == [1, 1, 1]

    async with llmspell.Supervisor(in_flight=1, wait=0.2, shards=shards, **PLAIN) as supervisor:
        looping = asyncio.ensure_future(supervisor.run(LOOP))
        await asyncio.sleep(0)
        begun = time.monotonic()
        late = await refusal(supervisor.run(ONE))
        assert late.rule == "limit.wait" and late.hint and time.monotonic() - begun < 3
        # Its turn comes, and only then does it turn out that its records can't be kept.
        queued = asyncio.ensure_future(supervisor.run(ONE, audit="/no/such/a"))
        await asyncio.sleep(0)
        looping.cancel()
        await asyncio.wait([looping])
        assert (await refusal(queued)).code == 6002
        assert (await supervisor.run(ONE)).ok
    assert not children(os.getpid())


async def resources(shards: int) -> None:
    """What can never fit is refused at once; what fits later waits."""
    total = HOST_TOTAL._replace(memory=300 << 20)
    async with llmspell.Supervisor(total, shards=shards, **PLAIN) as supervisor:
        never = await refusal(supervisor.run(ONE, limits={"memory": "400MiB"}))
        assert never.rule == "limit.total_memory" and never.code == 4009 and never.hint
        nap = supervisor.run(NAP, params={"ms": 800}, limits={"memory": "200MiB"})
        napping = asyncio.ensure_future(nap)
        begun = time.monotonic()
        await asyncio.sleep(0)
        small = await supervisor.run(ONE, limits={"memory": "64MiB"})
        assert small.ok and not napping.done()
        later = await supervisor.run(ONE, limits={"memory": "200MiB"})
        assert later.ok and napping.done() and time.monotonic() - begun > 0.8
        # A run that fails while it is prepared holds nothing.
        for _ in range(3):
            await refusal(supervisor.run(ONE, limits={"memory": "200MiB"}, audit="/no/such/a"))
        assert (await supervisor.run(ONE, limits={"memory": "300MiB"})).ok
    one = ResourceAmounts(1 << 40, 1, 1, 1, 1)
    async with llmspell.Supervisor(one, shards=shards, **PLAIN) as supervisor:
        both = await asyncio.gather(supervisor.run(ONE), supervisor.run(ONE))
        assert [result.value for result in both] == [1, 1]


async def drain(shards: int) -> None:
    """Nothing new; who runs may finish, then is ended; who waits is refused or runs."""
    async with llmspell.Supervisor(in_flight=2, shards=shards) as supervisor:
        short = asyncio.ensure_future(supervisor.run(NAP, args=["short"]))
        long = asyncio.ensure_future(supervisor.run(LOOP))
        queued = asyncio.ensure_future(supervisor.run(ONE))
        await asyncio.sleep(0.1)
        begun = time.monotonic()
        draining = asyncio.ensure_future(supervisor.drain(1.5))
        await asyncio.sleep(0)
        assert (await refusal(supervisor.run(ONE))).rule == "supervisor.draining"
        assert (await refusal(queued)).code == 6008
        assert (await short).value == "short"
        done = await draining
        assert (done.finished, done.ended, done.refused) == (1, 1, 1), done
        assert 1.4 < time.monotonic() - begun < 5
        ended = await long
        assert ended.status.value == "killed" and ended.reason == "drained", ended
        assert ended.audit_complete and ended.audit_head

    async with llmspell.Supervisor(in_flight=1, shards=shards) as supervisor:
        runs = [asyncio.ensure_future(supervisor.run(NAP, params={"ms": 50})) for _ in range(3)]
        await asyncio.sleep(0)
        done = await supervisor.drain(9, finish_waiting=True)
        assert (done.finished, done.ended, done.refused) == (3, 0, 0), done
        assert all(result.ok for result in await asyncio.gather(*runs))

    supervisor = llmspell.Supervisor(in_flight=1, shards=shards)
    async with supervisor:
        left = [asyncio.ensure_future(supervisor.run(LOOP)) for _ in range(3)]
        await asyncio.sleep(0.1)
    await asyncio.wait(left)
    assert all(run.cancelled() for run in left) and not children(os.getpid())


SPELLS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("lua", "print('out') log.warn('w', {n=1}) return {list={1,2.5}, text='ü', yes=true}", {}),
    ("js", "console.error('err'); console.log('out'); ({a: [1, null], b: args})", {}),
    ("python", "print(params['x']); {'b': b'\\x00\\xff', 'deep': [[[[1]]]]}", {}),
    ("lua", "return fs.read('/etc/hostname')", {}),
    ("lua", "error('thrown')", {}),
    ("lua", "return return", {}),
    ("lua", "while true do end", {"limits": {"wall": 0.3}}),
    ("lua", "for i = 1, 9 do print(i) end", {"limits": {"output": 10}}),
    ("lua", "return fs.read('here.txt') .. os.getenv('SURROUNDINGS')",
     {"grants": ["read:here.txt", "env:SURROUNDINGS"]}),
)  # fmt: skip
"""Language, source and options of runs that must look the same wherever their session lives."""


def comparable(result: llmspell.Result) -> dict[str, Any]:
    plain = result.to_json() | {"output": result.output, "class": type(result.error).__name__}
    for own in ("session", "audit_head", "usage"):
        del plain[own]
    assert result.session and result.audit_complete and result.audit_head
    assert result.audit_path is not None and result.session in result.audit_path
    return plain | {"calls": result.usage.calls, "printed": result.usage.output}


async def parity(_: int) -> None:
    """Results, output and logs are the same with and without shards."""
    Path("here.txt").write_text("from here ")
    found: list[list[Any]] = []
    records: list[logging.LogRecord] = []
    logger = logging.getLogger("llmspell.spell")
    logger.setLevel(logging.INFO)
    keeper = logging.Handler()
    keeper.emit = records.append  # type: ignore[assignment,method-assign]
    logger.addHandler(keeper)
    for shards in (1, 2):
        records.clear()
        async with llmspell.Supervisor(shards=shards) as supervisor:
            # Told of after the shards were started.
            os.environ["SURROUNDINGS"] = f"{len('env')}"
            ends = []
            for language, source, options in SPELLS:
                heard: list[str] = []
                result = await supervisor.run(
                    llmspell.Spell.from_source(source, language=language),
                    params={"x": "moon"}, args=["1"], on_output=heard.append, **options,
                )  # fmt: skip
                ends.append(comparable(result) | {"heard": heard})
            for options in ({"profile": "no such"}, {"grants": ["read"]}, {"audit": "/no/a/b"}):
                error = await refusal(supervisor.run(ONE, **options))
                ends.append(error.to_wire() | {"class": type(error).__name__})
            logs = [(r.name, r.levelno, r.getMessage(), vars(r)["fields"]) for r in records]
            found.append([*ends, logs])
        os.environ.pop("SURROUNDINGS")
    assert found[0][8]["value"] == "from here 3", found[0][8]
    assert ("llmspell.spell", 30, "w", {"n": 1}) in found[0][-1]
    for local, remote in zip(*found, strict=True):
        assert local == remote, (local, remote)


async def output(_: int) -> None:
    """Output comes in order and whole, however slowly home reads; what waits is bounded."""
    spell = llmspell.Spell.from_source(
        "local line = string.rep('x', 65536)\nfor i = 1, 320 do print(i .. ':' .. line) end",
        language="lua",
    )
    heard: list[str] = []
    grown: list[int] = []

    def resident() -> int:
        return sum(
            int(line.split()[1])
            for pid in shards_of_this()
            for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if line.startswith("VmRSS")
        )

    def slowly(text: str) -> None:
        if not heard:
            before = resident()
            time.sleep(0.7)
            grown.append(resident() - before)
        heard.append(text)

    def badly(text: str) -> None:
        raise RuntimeError("the application's own mistake")

    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: complaints.append(told))
    limits = {"output": "64MiB"}
    async with llmspell.Supervisor(shards=2, **PLAIN) as supervisor:
        result = await supervisor.run(spell, on_output=slowly, limits=limits)
        assert result.ok and "".join(heard) == result.output
        assert grown[0] < 12_000, f"a shard that nobody reads grew by {grown[0]} KiB"
        numbers = [line.split(":")[0] for line in result.output.splitlines()]
        assert numbers == [str(number) for number in range(1, 321)]
        printing = llmspell.Spell.from_source("print(1) return 2", language="lua")
        assert (await supervisor.run(printing, on_output=badly)).value == 2
        assert isinstance(complaints[0]["exception"], RuntimeError)


def trails() -> list[str]:
    folder = Path(os.environ["XDG_STATE_HOME"]) / "llmspell" / "audit"
    begun = [path.read_text() for path in folder.glob("*.jsonl")]
    return [trail for trail in begun if "worker_start" in trail and "session_end" not in trail]


async def shard_death(_: int) -> None:
    """A shard that ends takes its runs with it, each with a typed end; a new one takes over."""
    async with llmspell.Supervisor(shards=2) as supervisor:
        shards = shards_of_this()
        assert len(shards) == 2
        assert all(not Path(f"/proc/{pid}/environ").read_bytes() for pid in shards)
        for number in range(4):
            assert await supervisor.warm(LOOP, tenant=f"t{number}")
        runs = [asyncio.ensure_future(supervisor.run(LOOP, tenant=f"t{n}")) for n in range(4)]
        await until(lambda: all(len(descendants(pid)) >= 4 for pid in shards))
        # Forked from zygotes that are shards' children: two steps below what is killed.
        await until(lambda: sum('"start":"exec"' not in trail for trail in trails()) == 4)
        victim, other = shards
        workers = descendants(victim)
        os.kill(victim, signal.SIGKILL)
        await until(lambda: sum(run.done() for run in runs) == 2)
        for run in runs:
            if run.done():
                lost = run.result()
                assert lost.status.value == "internal" and lost.reason == "shard_lost", lost
                assert lost.error is not None and lost.error.code == 6008 and lost.error.hint
                assert lost.audit_path is not None and lost.session in lost.audit_path
                assert not lost.audit_complete
        assert all_gone({victim, *workers}, 1.0)
        assert (await asyncio.gather(*(supervisor.run(ONE) for _ in range(4))))[3].ok
        new = await until(lambda: set(shards_of_this()) - set(shards))
        assert len(new) == 1 and other in shards_of_this()
        for run in runs:
            run.cancel()
        await asyncio.wait(runs)
        results = await asyncio.gather(*(supervisor.run(ONE, tenant=f"u{n}") for n in range(4)))
        assert all(result.ok for result in results)
    assert not children(os.getpid())


async def hung_shard(_: int) -> None:
    """A shard that stands still is ended: its runs' limits would be held by nobody."""
    shard_process.PULSE_SECONDS = 0.4  # type: ignore[misc]
    async with llmspell.Supervisor(shards=2, **PLAIN) as supervisor:
        run = asyncio.ensure_future(supervisor.run(LOOP))
        busy = (await until(lambda: [pid for pid in shards_of_this() if children(pid)]))[0]
        await asyncio.sleep(1.0)
        assert busy in shards_of_this(), "a shard that answers was ended"
        workers = descendants(busy)
        os.kill(busy, signal.SIGSTOP)
        assert (await asyncio.wait_for(run, 9)).reason == "shard_lost"
        assert all_gone({busy, *workers}, 1.0)
        assert (await supervisor.run(ONE)).ok
    assert not children(os.getpid())


async def cancelled(shards: int) -> None:
    """Cancelling the awaiting task ends the tree, wherever it is, before it returns."""
    async with llmspell.Supervisor(shards=shards, in_flight=2, **PLAIN) as supervisor:
        assert (await supervisor.run(ONE)).ok

        def workers() -> set[int]:
            return descendants(os.getpid()) - set(shards_of_this())

        before = descriptors(os.getpid())
        run = asyncio.ensure_future(supervisor.run(LOOP))
        await until(workers)
        begun = time.monotonic()
        run.cancel()
        await asyncio.wait([run])
        assert run.cancelled() and time.monotonic() - begun < 2
        assert not workers()
        for ticks in range(8):
            # In every stage of its start, and the last ones while they wait for a place.
            early = [asyncio.ensure_future(supervisor.run(LOOP)) for _ in range(4)]
            for _ in range(ticks):
                await asyncio.sleep(0)
            for run in early:
                run.cancel()
            await asyncio.wait(early)
            assert all(run.cancelled() for run in early) and not workers()
        assert descriptors(os.getpid()) == before
        assert all(result.ok for result in await asyncio.gather(*map(supervisor.run, [ONE] * 3)))


async def lasting(_: int) -> None:
    """Fifty runs leave nothing open, here or in a shard, whatever their ends."""
    kinds: list[tuple[llmspell.Spell, dict[str, Any]]] = [
        (ONE, {}),
        (llmspell.Spell.from_source("error('x')", language="lua"), {}),
        (ONE, {"profile": "high"}),
        (ONE, {"audit": "/no/such/a"}),
        (ONE, {"profile": "none", "limits": {"wall": 5}}),
    ]

    async def some(supervisor: llmspell.Supervisor, count: int) -> None:
        await asyncio.gather(
            *(
                supervisor.run(kinds[n % 5][0], tenant=f"t{n % 7}", **kinds[n % 5][1])
                for n in range(count)
            ),
            return_exceptions=True,
        )

    async with llmspell.Supervisor(shards=2, in_flight=6, **PLAIN) as supervisor:
        await some(supervisor, 10)
        before = [descriptors(pid) for pid in (os.getpid(), *shards_of_this())]
        await some(supervisor, 50)
        after = [descriptors(pid) for pid in (os.getpid(), *shards_of_this())]
        # A shard keeps each compiled guest open that it ran; one of the two has by then.
        assert after[0] == before[0] and max(after[1:]) <= max(before[1:]), (before, after)


async def orphans(_: int) -> None:
    """Runs for ever in shards, until this process is killed."""
    async with llmspell.Supervisor(shards=2) as supervisor:
        runs = [asyncio.ensure_future(supervisor.run(LOOP, tenant=f"t{n}")) for n in range(2)]
        await until(lambda: all(len(descendants(pid)) > 1 for pid in shards_of_this()))
        # An application that forks: the child holds its ends of the pipes, and is no shard's home.
        child = os.fork()
        if child == 0:
            time.sleep(60)
            os._exit(0)
        print(child, flush=True)
        await asyncio.wait(runs)


WHAT: dict[str, Callable[[int], Coroutine[Any, Any, None]]] = {
    "waiting": waiting,
    "resources": resources,
    "drain": drain,
    "parity": parity,
    "output": output,
    "shard_death": shard_death,
    "hung_shard": hung_shard,
    "cancelled": cancelled,
    "lasting": lasting,
    "orphans": orphans,
}
ALSO_WITHOUT_SHARDS = ("waiting", "resources", "drain", "cancelled")

if __name__ == "__main__":
    asyncio.run(WHAT[sys.argv[1]](int(sys.argv[2])))
