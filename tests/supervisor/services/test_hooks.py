"""The hooks' service: registering, finding, switching, figures; every function of its table."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from llmspell.errors import LlmspellError
from llmspell.spells.api import hooks as described
from llmspell.spells.api.lookup import calls_of
from llmspell.supervisor.services.hooks import HookService
from tests.spells.fake_host import FakeHost


class Hooked:
    """A service, called as the broker does."""

    def __init__(self) -> None:
        self.host = FakeHost()
        self.service = HookService(self.host)

    def do(self, wire: str, **args: Any) -> Any:
        context: Any = None
        value = self.service.table[wire](context, args)
        return asyncio.run(value) if asyncio.iscoroutine(value) else value

    def code(self, wire: str, **args: Any) -> int:
        with pytest.raises(LlmspellError) as caught:
            self.do(wire, **args)
        return caught.value.code


def test_every_described_call_has_its_function() -> None:
    assert set(Hooked().service.table) == set(calls_of(described.MODULES))


def test_API_086_register_list_and_unregister() -> None:
    hooked = Hooked()
    act = hooked.host.function(lambda context: None)
    one = hooked.do("hooks.register", point="preFlight", hook=act)
    assert one["point"] == "preFlight", "a custom name is kept as it was written"
    two = hooked.do(
        "hooks.register", point="pre-tool", hook={"name": "mine", "priority": 70, "handler": act}
    )
    assert (two["handle"], two["name"], two["point"]) == ("hook", "mine", "before_tool_execution")
    assert hooked.service.any("before_tool_execution")
    listed = hooked.do("hooks.list", point="beforeToolExecution")
    assert [(hook["name"], hook["priority"], hook["waiting"]) for hook in listed] == [
        ("mine", 70, False)
    ]
    assert len(hooked.do("hooks.list")) == 2
    for how in ("name", "id", "object", "function"):
        which = {"name": "mine", "id": two["id"], "object": two, "function": act}[how]
        assert hooked.do("hooks.unregister", point="before_tool_execution", hook=which) is True
        assert hooked.do("hooks.unregister", point="pre-tool", hook=which) is False
        given = {"name": "mine", "handler": act}
        two = hooked.do("hooks.register", point="pre-tool", hook=given)
    assert hooked.code("hooks.unregister", point="pre-tool", hook=3) == 2002


def test_enable_and_disable_by_name_and_by_object() -> None:
    hooked = Hooked()
    act = hooked.host.function(lambda context: {"n": context["n"] + 1})
    made = hooked.do("hooks.register", point="p", hook={"name": "mine", "handler": act})
    assert hooked.do("hooks.disable", hook="mine") is True
    assert hooked.do("hooks.execute", point="p", context={"n": 1})["modified"] is False
    assert hooked.do("hooks.hook_enable", id=made["id"]) is True
    ran = hooked.do("hooks.execute", point="p", context={"n": 1})
    assert (ran["context"], ran["hooks_executed"], ran["action"]) == ({"n": 2}, 1, "continue")
    assert hooked.do("hooks.hook_disable", id=made["id"]) is True
    assert not hooked.service.any("p")
    assert hooked.code("hooks.enable", hook="none") == 5001
    assert hooked.code("hooks.hook_enable", id="hook-99") == 5001


def test_API_088_a_factorys_hook_stands_at_several_points_and_may_come_again() -> None:
    hooked = Hooked()
    metrics = hooked.do("hooks.create_metrics_collector", config={})
    for point in ("a", "b"):
        hooked.do("hooks.register", point=point, hook=metrics)
        hooked.do("hooks.execute", point=point, context={})
    figures = hooked.do("hooks.hook_metrics", id=metrics["id"])
    assert (figures["total"], figures["executions"]) == (2, 2)
    for point in ("a", "b"):
        assert hooked.do("hooks.unregister", point=point, hook=metrics)
    hooked.do("hooks.register", point="c", hook=metrics)
    assert hooked.do("hooks.get_stats")["total_executions"] == 2


def test_API_090_figures() -> None:
    hooked = Hooked()
    hooked.do("hooks.register", point="p", hook="logging")
    hooked.do("hooks.execute", point="p")
    stats = hooked.do("hooks.get_stats")
    assert stats["total_executions"] == 1 and stats["total_registered_hooks"] == 1
    assert stats["active_hook_points"] == 1 and stats["hooks"][0]["name"] == "logger"
    assert hooked.do("hooks.points")["tool_error"]


def test_HOOK_011_system_startup_runs_once_when_first_registered() -> None:
    hooked = Hooked()
    seen: list[Any] = []
    act = hooked.host.function(seen.append)
    for _ in range(2):
        hooked.do("hooks.register", point="SystemStartup", hook=act)
    assert [context["spell"] for context in seen] == ["test.lua"]


def test_API_091_the_manager_is_the_same_registry() -> None:
    hooked = Hooked()
    manager = hooked.do("hook_manager.get_instance")
    act = hooked.host.function(lambda context: None)
    hooked.do("hooks.manager_register", id=manager["id"], point="p", hook={"execute": act})
    assert len(hooked.do("hooks.list", point="p")) == 1
    hooked.do("hooks.manager_execute", id=manager["id"], point="p", context={})
    assert hooked.do("hooks.manager_unregister", id=manager["id"], point="p", hook=act) is True


def test_wrong_calls_are_typed() -> None:
    hooked = Hooked()
    act = hooked.host.function(lambda context: None)
    assert hooked.code("hooks.register", point="", hook=act) == 5008
    assert hooked.code("hooks.register", point="p", hook={"handler": act, "priority": 2000}) == 5004
    assert hooked.code("hooks.register", point="p", hook="telepathy") == 5008
    for _ in range(10):
        hooked.do("hooks.register", point="p", hook=act)
    assert hooked.code("hooks.register", point="p", hook=act) == 4009
    assert hooked.code("hooks.create_validator", schema={"pattern": "x"}) == 2010
