"""A program that uses the Python API; run by test_python_api.py in a process of its own."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import llmspell

LOOP = "while true do end"


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def kids() -> str:
    return Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text()


def blocking() -> None:
    Path("s.lua").write_text("print('hi ' .. params.who) return fs.read('in.txt')")
    Path("in.txt").write_text("content")
    result = llmspell.run(
        "s.lua", profile="high", params={"who": "moon"}, grants=["read:in.txt"], limits={"wall": 5}
    )
    assert result.ok and result.value == "content" and result.output == "hi moon\n", result
    assert result.audit_head and result.isolation.achieved == "high" and not result.denials
    result = llmspell.run("s.lua", profile="high", params={"who": "moon"})
    assert result.status.value == "denied" and result.denials[0].rule == "high.files.read"
    try:
        llmspell.run("missing.lua")
        raise AssertionError("a missing file runs")
    except llmspell.LlmspellError as error:
        assert "missing.lua" in str(error)
    before = descriptors()
    for _ in range(5):
        llmspell.run(llmspell.Spell.from_source("return 1", language="lua"), profile="high")
        llmspell.run(llmspell.Spell.from_source("return 1", language="js"), profile="medium")
    assert descriptors() == before and not kids()


def concurrent() -> None:
    async def main() -> None:
        heard: list[str] = []
        async with llmspell.Supervisor() as supervisor:
            spell = llmspell.Spell.from_source("print(args[1]) return args[1]", language="lua")
            results = await asyncio.gather(
                *(
                    supervisor.run(spell, profile="high", args=[str(n)], on_output=heard.append)
                    for n in range(6)
                )
            )
        assert [result.value for result in results] == list("012345")
        assert sorted(heard) == [f"{n}\n" for n in range(6)]

    asyncio.run(main())
    assert not kids()


def cancelled() -> None:
    async def main() -> None:
        # Without zygotes every child of this process is a run's (with: test_pool.py).
        async with llmspell.Supervisor(zygotes=False) as supervisor:
            spell = llmspell.Spell.from_source(LOOP, language="lua")
            task = asyncio.ensure_future(supervisor.run(spell, profile="medium"))
            await asyncio.sleep(0.5)
            assert kids()
            begun = time.monotonic()
            task.cancel()
            try:
                await task
                raise AssertionError("not cancelled")
            except asyncio.CancelledError:
                assert time.monotonic() - begun < 0.5
            assert not kids()
            try:
                await asyncio.wait_for(supervisor.run(spell, profile="high"), 0.5)
                raise AssertionError("not ended")
            except TimeoutError:
                assert not kids()

    asyncio.run(main())  # compiled guests stay open for later runs
    before = descriptors()
    asyncio.run(main())
    assert descriptors() == before


def closed() -> None:
    async def main() -> None:
        supervisor = llmspell.Supervisor()
        spell = llmspell.Spell.from_source(LOOP, language="lua")
        async with supervisor:
            task = asyncio.ensure_future(supervisor.run(spell, profile="high"))
            await asyncio.sleep(0.5)
        assert not kids()
        await asyncio.sleep(0.01)
        assert task.cancelled()
        try:
            await supervisor.run(spell)
            raise AssertionError("a closed supervisor runs spells")
        except llmspell.LlmspellError:
            pass

    asyncio.run(main())


def in_a_thread() -> None:
    """A worker outlives the thread that happened to start it (parent death is per thread)."""
    import threading

    results: list[llmspell.Result] = []
    spell = llmspell.Spell.from_source("Async.sleep(600) return 'lived'", language="lua")
    thread = threading.Thread(
        target=lambda: results.append(llmspell.run(spell, profile="medium", limits={"wall": "9s"}))
    )
    thread.start()
    thread.join()
    assert results[0].value == "lived", results


def nested() -> None:
    """Spells below a spell end with it, on a loop that goes on, and leave nothing there."""
    Path("loop.lua").write_text(LOOP)
    Path("middle.js").write_text('return await Spell.runFile("loop.lua");')
    Path("quick.py").write_text("21 * 2")
    Path("parent.lua").write_text(
        'Async.spawn(function() Spell.run_file("loop.lua") end) Spell.run_file("middle.js")'
    )
    Path("good.lua").write_text('return Spell.run_file("quick.py").value')
    read = ["read:."]

    async def main() -> None:
        async with llmspell.Supervisor(zygotes=False) as supervisor:
            result = await supervisor.run("parent.lua", grants=read, limits={"wall": "1s"})
            assert (result.status.value, result.reason) == ("limit", "wall"), result
            assert not kids()
            task = asyncio.ensure_future(supervisor.run("parent.lua", grants=read))
            await asyncio.sleep(1)
            assert len(kids().split()) == 4
            task.cancel()
            await asyncio.wait([task])
            assert task.cancelled() and not kids()
            good = [supervisor.run("good.lua", grants=read) for _ in range(3)]
            assert [result.value for result in await asyncio.gather(*good)] == [42] * 3
            assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())
    before = descriptors()
    asyncio.run(main())
    assert descriptors() == before


WHAT: dict[str, Callable[[], None]] = {
    "blocking": blocking,
    "concurrent": concurrent,
    "cancelled": cancelled,
    "closed": closed,
    "in_a_thread": in_a_thread,
    "nested": nested,
}

if __name__ == "__main__":
    WHAT[sys.argv[1]]()
