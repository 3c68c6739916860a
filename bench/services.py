"""What the services behind the script API cost, as a spell of each language sees them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from bench import events
from bench.figures import Figure
from bench.ours import DOES, LANGUAGES, ROOMY, SHORT, Ours, ours, value_of
from bench.place import own_place
from bench.rounds import LeftOut, Outcome, Settings, Unavailable
from bench.service_spells import ACTS, HOOKED, KINDS, NESTED, TENS

TITLE = "Agents, tools, workflows, hooks and events"
ABOUT = """Calls of the script API as a spell at `high` sees them, one after the other; the model
is `fake`, which answers at once or after 20 ms (a fast real model needs some hundred). *Hook*: an
agent's call with a hook at `before_agent_execution`, in turns with calls without one; a built-in
hook runs in the supervisor, a function of the spell's own is called over the channel in the
confined worker. The ratio is to the call without; our target is 1.03. Events: ten thousand from
`Events.emit` through a filter, which lets every second through, to a handler; the clock stops
when the last handler has run. The seeds ask for 10 000 a second (EVT-021, BEN-009); their shapes
of a model call's prompts (100 to 5000 characters, BEN-001), of an agent (BEN-002) and of ten
hooks by priority 0 to 90 (BEN-003, where each is said to take 1 µs) are here. Of a tool they say
10 ms as a simulated time (000:8050) and under 5 s as a bound (000:11402); of the rest they have
no figure. A workflow's step is a function of the spell's; the nested spell is Python's in Lua's,
a worker of its own by exec. *set and get*: one of each, in the run's memory and in the spell's
own database (at `medium`)."""

INSTANT, SLOW = "instant model", "model of 20 ms"
SECONDS: Final = 0.02
GRANTS: Final = ("llm:fake/*", "llm:mock/*", "tool:*")
BLOCK: Final = 20
"""Calls between two changes of the hook."""

PLENTY: Final = {
    **ROOMY,
    "events": "100000000",
    "model_tokens": "100000000",
    "model_cost": "unlimited",
}


def measure(settings: Settings) -> Outcome:
    """Microseconds a call, ratios of hooks, events a second."""
    samples: dict[str, list[float]] = {}
    left_out: dict[str, str] = {}
    languages = settings.pick(LANGUAGES, 1)
    with own_place() as folder, ours() as host:
        for _ in range(1 if settings.quick else 3):
            for language in languages:
                for name, found in _all(host, folder, language, settings, left_out):
                    samples.setdefault(name, []).extend(found)
    figures = [
        Figure(name, "µs", found, DOES, _base(name)) for name, found in sorted(samples.items())
    ]
    missing = tuple(LeftOut(name, reason) for name, reason in left_out.items())
    return events.measure(settings) + Outcome(tuple(figures), missing)


def _base(name: str) -> str:
    for kind in (*TENS, *KINDS[1:]):
        if f", {kind}" in name:
            return name.replace(kind, KINDS[0])
    return ""


def _all(
    host: Ours, folder: Path, language: str, settings: Settings, left_out: dict[str, str]
) -> Iterator[tuple[str, list[float]]]:
    blocks = max(1, settings.runs // 10)
    times = settings.runs
    tasks: list[tuple[str, Callable[[], Mapping[str, list[float]]]]] = [
        ("agent call, {}, " + INSTANT, lambda: _hooked(host, folder, language, blocks, slow=False)),
        ("agent call, {}, " + SLOW, lambda: _hooked(host, folder, language, blocks, slow=True)),
        ("{}", lambda: _run(host, folder, language, ACTS[language], {"times": times})),
    ]
    if language == "lua":
        tasks.append(("{}", lambda: _nested(host, folder, min(times, 10))))
    for pattern, task in tasks:
        try:
            found = task()
        except Unavailable as reason:
            left_out[f"{pattern.format('…')}: {SHORT[language]}"] = str(reason)
            continue
        for kind, mine in found.items():
            yield f"{pattern.format(kind)}: {SHORT[language]}", [float(one) for one in mine]


def _hooked(
    host: Ours, folder: Path, language: str, blocks: int, *, slow: bool
) -> Mapping[str, list[float]]:
    params = {"rounds": blocks, "times": BLOCK, "kinds": list(KINDS)}
    if not slow:
        params["kinds"] = [*KINDS, *TENS]
        return _run(host, folder, language, HOOKED[language], {**params, "model": "echo"})
    with _script(1 + blocks * BLOCK * len(KINDS)):
        return _run(host, folder, language, HOOKED[language], {**params, "model": "script"})


@contextmanager
def _script(turns: int) -> Iterator[None]:
    """A model that answers so many times, each after 20 ms."""
    path = Path("turns.jsonl").resolve()
    path.write_text(f'{{"text": "ok", "delay": {SECONDS}}}\n' * turns, "utf-8")
    os.environ["LLMSPELL_FAKE_SCRIPT"] = str(path)
    try:
        yield
    finally:
        del os.environ["LLMSPELL_FAKE_SCRIPT"]


def _nested(host: Ours, folder: Path, times: int) -> Mapping[str, list[float]]:
    (folder / "inner.py").write_text("1", "utf-8")
    params = {"path": "inner.py", "times": times}
    return _run(host, folder, "lua", NESTED, params, "read:inner.py")


def _run(
    host: Ours, folder: Path, language: str, source: str, params: Mapping[str, Any], *grants: str
) -> Mapping[str, list[float]]:
    path = folder / ("timed" + {"lua": ".lua", "javascript": ".js", "python": ".py"}[language])
    path.write_text(source, "utf-8")
    run = host.supervisor("exec").run(
        path, profile="high", grants=[*GRANTS, *grants], limits=PLENTY, params=dict(params)
    )
    found: Mapping[str, list[float]] = value_of(host.run(run))
    return found
