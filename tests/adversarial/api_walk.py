"""Every brokered function of the script API with hostile values in the place of each argument."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from llmspell.spells.api.catalogue import CALLS
from llmspell.spells.api.model import Function

Call = tuple[str, str, dict[str, Any]]

CALLBACK: Final = {"$callback": 5}


def _deep(levels: int) -> Any:
    value: Any = 1
    for level in range(levels):
        value = {"a": value} if level % 2 else [value]
    return value


HOSTILE: Final[tuple[Any, ...]] = (
    None,
    True,
    -1,
    2**53,
    "",
    "x" * 20_000,
    "\0\n\x1b[31m\u202e\U0010ffff",
    "__proto__",
    "1e9s",
    "{{#each x}}{{a}}{{/each}}",
    "../../../../etc/passwd",
    [],
    [{}],
    _deep(36),
    {f"k{number}": number for number in range(300)},
    {"__proto__": {"x": 1}, "constructor": 1},
    CALLBACK,
    [CALLBACK, {"a": CALLBACK}],
    {"handle": "agent", "id": "agent-1"},
    {"handle": "tool", "id": "file_writer", "name": "file_writer"},
    {"type": "retry", "max_retries": 10**9, "base_delay": "30d"},
)

STEP: Final = {"name": "s", "tool": "calculator", "input": {"expression": "1"}}
MODEL: Final = {"provider": "fake", "model": "echo"}
FLOW: Final = {
    "name": "w",
    "steps": [STEP],
    "times": 2,
    "items": [1, 2],
    "body": STEP,
    "map": STEP,
    "condition": "1 < 2",
    "true_branch": STEP,
    "reduce": "list",
    "step": STEP,
    "execute": CALLBACK,
}
IDENTITIES: Final = {
    "agent": "agent-1",
    "workflow": "workflow-1",
    "tools": "calculator",
    "hooks": "hook-1",
    "spell": "spell-1",
    "orchestrator": "collaboration-1",
    "scheduler": "job-1",
    "template": "mine",
}
USUAL: Final[dict[str, Any]] = {
    "path": "data/f",
    "from": "data/f",
    "to": "data/g",
    "data": "x",
    "key": "k",
    "value": 1,
    "url": "http://127.0.0.1:1/",
    "name": "calculator",
    "tool": "calculator",
    "point": "before_tool_execution",
    "hook": CALLBACK,
    "agent": "a",
    "keys": ["k"],
    "input": {"expression": "1"},
    "settings": {"name": "a", **MODEL},
    "message": "hi",
    "operations": [{"op": "set", "key": "a", "value": 1}],
    "definition": FLOW,
    "schema": {"type": "object"},
    "tools": ["calculator"],
    "functions": [{"name": "f"}],
    "state": {"a": 1},
    "choices": ["a", "b"],
    "on_chunk": CALLBACK,
    "callback": CALLBACK,
    "migration": CALLBACK,
    "transformer": CALLBACK,
    "version": 1,
    "other": "calculator",
    "function_call": {"name": "calculator", "arguments": "{}"},
    "template": "mine",
    "step": STEP,
    "texts": ["a"],
    "error": {"code": 5000, "message": "m"},
    "agents": ["a"],
    "workflow": {"steps": [{"agent": "a", "action": "x"}]},
    "requirements": {"task": "t"},
    "session": "collaboration-1",
    "conditions": {"load": 1},
    "context": {"a": 1},
    "trigger": {"interval": "1h"},
    "action": {"spell": "spell:spell.lua"},
    **MODEL,
}
OWN: Final[dict[str, dict[str, Any]]] = {
    "tools.execute": {"name": "calculator", "input": {"expression": "1 + 1"}},
    "tools.create": {"name": "mine", "config": {"execute": CALLBACK}},
    "tools.register": {"tool": {"name": "mine2", "execute": CALLBACK}},
    "tools.create_pipeline": {"config": {"name": "p", "steps": [STEP]}},
    "tools.configure": {"tool": "calculator", "config": {"cache": True}},
    "storage.set_batch": {"data": {"a": 1}},
    "llm.complete": {"prompt": "x", **MODEL},
    "llm.stream": {"request": {"prompt": "x", **MODEL}, "on_chunk": CALLBACK},
    "spell.create": {"config": {"name": "one", "steps": [STEP]}},
    "errors.create_strategy": {"config": "retry"},
    "template.create": {"template": "mine", "settings": MODEL},
    "config.configure_provider": {"provider": "fake", "config": {"max_tokens": 9}},
    "config.configure_security": {"config": {"denied_hosts": ["example.org"]}},
    "config.configure_resources": {"config": {"max_transfer": "1MiB"}},
    "config.configure_observability": {"config": {"log_level": "error"}},
}
LAST: Final = ("config.configure_security", "config.configure_resources", "agent.shutdown")
"""What would leave the others nothing to do."""

SETUP: Final[tuple[Call, ...]] = (
    ("setup", "agent.create", {"settings": {"name": "a", **MODEL}}),
    ("setup", "agent.template", {"name": "mine", "settings": {"system_prompt": "x", **MODEL}}),
    ("setup", "workflow.sequential", {"definition": {"name": "w", "steps": [STEP]}}),
    ("setup", "tools.create_pipeline", OWN["tools.create_pipeline"]),
    ("setup", "hooks.create_metrics_collector", {"config": {}}),
    ("setup", "orchestrator.start", {"agents": ["a"]}),
    ("setup", "spell.create", OWN["spell.create"]),
    (
        "setup",
        "scheduler.register",
        {"name": "job", "trigger": USUAL["trigger"], "action": USUAL["action"]},
    ),
)


def usual(wire: str, function: Function) -> dict[str, Any]:
    """Arguments that the function takes, or nearly."""
    prefix = wire.partition(".")[0]
    found = {
        param.name: USUAL.get(param.name, "x")
        for param in function.params
        if param.required or param.name in ("provider", "model")
    }
    if "id" in found:
        found["id"] = "pipeline-1" if "pipeline" in wire else IDENTITIES.get(prefix, "hooks")
    return OWN.get(wire, found)


def calls() -> Iterator[Call]:
    """The usual call of each function, then each of its arguments replaced and left out."""
    yield from SETUP
    for wire in sorted(CALLS, key=lambda name: (name in LAST, name.partition(".")[0])):
        function = CALLS[wire]
        given = usual(wire, function)
        yield "usual", wire, given
        yield "nothing", wire, {}
        yield "unknown", wire, {**given, "__proto__": {"x": 1}}
        for param in function.params:
            yield f"without {param.name}", wire, {k: v for k, v in given.items() if k != param.name}
            for number, value in enumerate(HOSTILE):
                yield f"{param.name} {number}", wire, {**given, param.name: value}


EMPTY: Final[list[Any]] = [[]] * 100_000
"""300 kB of text, and 6 MB in memory."""

TEXT: Final = "x" * 1_500_000
ALTERNATIVES: Final = [{"uniqueItems": True, "contains": False}] * 1_000
RUNS: Final = 12


def small_calls_that_mean_much() -> Iterator[Call]:
    """Each with its honest twin, whose label ends in "fine"."""
    for number in range(6):
        yield "set fine", "storage.set", {"key": f"k{number}", "value": EMPTY}
    yield "set fine", "storage.set", {"key": "o", "value": {"a": EMPTY}}
    for label, count in (("fine", 2), ("much", 1_000)):
        get = {"op": "get", "key": "k0"}
        yield f"reads {label}", "storage.transaction", {"operations": [get] * count}
        merge = {"op": "merge", "key": "o", "value": {"b": 1}}
        yield f"merges {label}", "storage.transaction", {"operations": [merge] * count}
    yield "batch fine", "storage.get_batch", {"keys": ["k0", "k1"]}
    yield "batch much", "storage.get_batch", {"keys": [f"k{number}" for number in range(6)]}
    schema = {"type": "object", "properties": {"x": {"anyOf": [*ALTERNATIVES, {}]}}}
    config = {"execute": CALLBACK, "input_schema": schema}
    yield "schema fine", "tools.create", {"name": "checked", "config": config}
    for label, size in (("fine", 10), ("much", 2_000_000)):
        yield (
            f"unique {label}",
            "tools.execute",
            {"name": "checked", "input": {"x": ["x" * size]}},
        )
    for label, size in (("fine", 100), ("much", 2_000)):
        hook = {"handler": CALLBACK, "condition": {"tool_name": "x" * size}}
        yield f"filter {label}", "hooks.register", {"point": "custom:x", "hook": hook}
    for label, name in (("fine", "one"), ("much", "two")):
        labels = {"labels": {name: "x" * 40_000}, name: "x" * 20_000}
        yield f"labels {label}", "config.configure_observability", {"config": labels}
    yield from _kept()


def _kept() -> Iterator[Call]:
    for number in range(RUNS):
        config = {"name": f"s{number}", "steps": [STEP], "resources": {"timeout": "1s", "x": TEXT}}
        label = "spells fine" if number < 2 else "spells much" if number > 10 else "spells"
        yield label, "spell.create", {"config": config}
    for number in range(1, RUNS - 1):
        step = {"name": "s", "tool": "calculator", "input": {"expression": "1"}}
        definition = {"name": f"flow{number}", "steps": [step]}
        yield "flows", "workflow.sequential", {"definition": definition}
        yield "run fine", "workflow.execute", {"id": f"flow{number}", "input": EMPTY}
    yield "first", "workflow.get_result", {"id": "flow1"}
    yield "told", "workflow.get_status", {"id": "flow1"}
    yield "last", "workflow.get_status", {"id": f"flow{RUNS - 2}"}


def write(path: Path, calls: Iterable[Call]) -> int:
    """Calls to a file, one a line; how many."""
    lines = [json.dumps(call) for call in calls]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return len(lines)
