"""What a spell keeps is brought to a version once, wholly or not at all (issue 4, item 6)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from llmspell.channel.jsontext import Callback
from llmspell.errors import InvalidInput, LimitExceeded, LlmspellError, OperationFailed
from llmspell.spells.state.sqlite import SqliteStore
from llmspell.spells.state.values import MIGRATION_MAX
from llmspell.supervisor.services.state import Kept, StateService
from tests.spells.fake_host import FakeHost


class Context:
    """A call in a scope that needs no verdict."""

    policy: Any = None
    origin = "spell"


def service(given: Any) -> tuple[StateService, list[int]]:
    """The service, and the versions its spell's function was asked with."""
    host = FakeHost()
    asked: list[int] = []

    async def invoke(function: Callback, args: Sequence[Any], **more: Any) -> Any:
        asked.append(args[0])
        return await given(args[0]) if asyncio.iscoroutinefunction(given) else given

    host.invoke = invoke  # type: ignore[method-assign]
    return StateService(host), asked


async def call(state: StateService, name: str, **args: Any) -> Any:
    done = state.table[f"storage.{name}"](Context(), args)  # type: ignore[arg-type]
    return await done


def migrate(state: StateService, version: int) -> Any:
    return call(state, "migrate", version=version, migration=Callback(1))


def test_a_migration_is_done_once_and_its_key_is_nobodys() -> None:
    async def go() -> None:
        state, asked = service([{"op": "set", "key": "a", "value": 1}])
        assert await call(state, "version") == 0
        assert await migrate(state, 2) is True and await migrate(state, 2) is False
        assert await migrate(state, 1) is False and asked == [0]
        assert await call(state, "version") == 2 and await call(state, "list") == ["a"]
        assert (await call(state, "stats"))["keys"] == 1
        with pytest.raises(InvalidInput):
            await call(state, "get", key="")
        await call(state, "clear")
        assert await call(state, "version") == 0

    asyncio.run(go())


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ("text", InvalidInput),
        ({"a": 1}, InvalidInput),
        ([{"op": "nothing", "key": "a"}], InvalidInput),
        ([{"op": "set", "key": "", "value": 9}], InvalidInput),
        ([{"op": "delete", "key": "a"}] * (MIGRATION_MAX + 1), LimitExceeded),
        (
            [{"op": "set", "key": "a", "value": 1}, {"op": "check", "key": "b", "value": 1}],
            OperationFailed,
        ),
    ],
)
def test_what_fails_changes_nothing(given: Any, error: type[LlmspellError]) -> None:
    async def go() -> None:
        state, _ = service(given)
        with pytest.raises(error):
            await migrate(state, 1)
        assert await call(state, "version") == 0 and await call(state, "list") == []

    asyncio.run(go())


def test_of_two_at_once_one_is_done(tmp_path: Path) -> None:
    """Both functions are asked; the operations of the second find another version."""

    async def go() -> None:
        both = asyncio.Event()
        asked = 0

        async def add(version: int) -> Any:
            nonlocal asked
            asked += 1
            if asked == 2:
                both.set()
            await both.wait()
            return [{"op": "set", "key": f"run-{asked}", "value": version}]

        states = []
        for _ in range(2):
            state, _ = service(add)
            store = SqliteStore(str(tmp_path / "kept.db"), "owner")
            state._stores["run"] = Kept(store, waits=True)
            states.append(state)
        done = await asyncio.gather(*(migrate(state, 1) for state in states))
        assert sorted(done) == [False, True] and asked == 2
        assert len(await call(states[0], "list")) == 1
        for state in states:
            state.close()

    asyncio.run(go())
