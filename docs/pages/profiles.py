"""docs/profiles.md: what each profile gives, and who holds it: the kernel, or the broker only.

A limit counts as held by the kernel when the plan's bytes change with it; an effect when the
level promises it and the worker shows it by trying (`REQUIRED_EFFECTS`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from docs.pages.tables import table
from llmspell.platform.linux.effects import EFFECTS, REQUIRED_EFFECTS
from llmspell.platform.linux.plan import WANTED, Confinement, Machine, make_plan
from llmspell.profiles._generated import PROFILES

MAIN: Final = ("none", "low", "medium", "high")
PRESETS: Final = ("development", "testing", "production", "data_analysis")
BASE: Final = {
    "development": "low",
    "testing": "medium",
    "production": "medium",
    "data_analysis": "medium",
}
KERNEL: Final = " *(kernel)*"
BROKER: Final = " *(broker only)*"
WORKER: Final = " *(worker only)*"
FREE: Final = "–"

MODELS: Final = {"all": "all (no model exists yet)", "listed": "by grant (no model exists yet)"}
STATE: Final = {"all": "every scope", "own": "the spell's own; others by grant"}
UNRECORDED: Final = {"deny": "denies the call", "warn": "is warned of"}
NETWORK: Final = {
    "public": "public addresses",
    "listed": "listed hosts; the list is empty",
    "none": "none",
}

_HERE: Final = Machine(pid=1, uid=1000, may_drop=False, worker_uid=1000)
_FIELD: Final = {"scratch": "file_size"}
"""Limits that a plan knows under another name."""

Profile = dict[str, Any]


def render() -> str:
    """The whole page."""
    parts = [
        "# Profiles\n",
        "`--profile NAME`; without it `medium`. Each cell says who holds it:\n",
        "- *(kernel)*: the worker can't, whatever code has taken it over; the effects are shown in "
        "every worker by trying them, before the spell arrives;\n"
        "- *(broker only)*: the supervisor's own judgement, counters and clock; no second barrier "
        "stands behind a mistake in it;\n"
        "- *(worker only)*: a courtesy that gives a clear error early, no boundary;\n"
        "- “–”: not held at all.\n",
        "## What the worker itself can do\n",
        "A worker reaches nothing but its channel (at `low` its interpreter's own folders as "
        "well). Where an effect is missing, `medium` and `high` refuse to run and `low` warns; "
        "`llmspell doctor` shows what this machine holds.\n",
        table(("", *MAIN), _own()),
        "## What the broker does for it\n",
        table(("", *MAIN), _brokered()),
        "`working:` is the folder you stand in, `spell:` the spell's own, `workspace:` a folder "
        "kept for this spell. Under every profile but `none`: loopback, private, link-local and "
        "metadata addresses are refused unless named; names that become code later (`.git`, shell "
        "and editor start-up files, `.pth`, `conftest.py`, …) and llmspell's own folders are never "
        "written.\n",
        "## Limits\n",
        table(("limit", *MAIN), _limits()),
        "`low` counts no threads: each takes its stack out of `memory`. "
        "`--limit NAME=VALUE` sets one; `unlimited` is the only way to have none.\n",
        "## Mechanisms tried\n",
        table(("", *MAIN), _mechanisms()),
        "## Presets\n",
        "A preset is a profile with a few settings changed.\n",
        table(("preset", "based on", "differs in"), [_preset(name) for name in PRESETS]),
        "## Your own\n",
        _OWN,
    ]
    return "\n".join(parts)


_OWN: Final = """\
A policy file extends a profile; `llmspell run --policy FILE` uses it:

```toml
extends = "high"

[files]
read = ["data/**"]

[net]
mode = "listed"
allow = ["api.example.com"]

[limits]
wall = "20s"
```

Single grants: `--allow-read PATH`, `--allow-write PATH`, `--allow-net HOST[:PORT]`,
`--allow-tool NAME`, `--allow-llm MODEL`, `--allow-env NAME`, `--allow-state SCOPE`,
`--allow-module NAME`. Paths start at
the folder you stand in; a plain path covers what is below it. A host is granted for TLS;
`http://HOST` grants it without, and an address of this very machine needs none. What a spell
requests in its `/// spell` block is granted by `--grant-requested`, after `llmspell explain` has
shown it.
"""


def _own() -> list[tuple[str, ...]]:
    return [
        (words, *(f"held{KERNEL}" if effect in REQUIRED_EFFECTS[level] else FREE for level in MAIN))
        for effect, words in EFFECTS.items()
    ]


def _each(what: str, cell: Callable[[Profile], str], holder: str = BROKER) -> tuple[str, ...]:
    return (what, *(FREE if name == "none" else cell(PROFILES[name]) + holder for name in MAIN))


def _brokered() -> list[tuple[str, ...]]:
    return [
        _each("files: read", lambda profile: _folders(profile, "read")),
        _each("files: write", lambda profile: _folders(profile, "write")),
        _each("network", lambda profile: _network(profile["net"])),
        _each("tools", lambda profile: _tools(profile["tools"])),
        _each("models", lambda profile: MODELS[profile["models"]["mode"]]),
        _each("environment", lambda _: "by grant"),
        _each("kept values", lambda profile: STATE[profile["state"]["mode"]]),
        _each("modules", lambda profile: _modules(profile["modules"]), WORKER),
        (
            "a record that can't be kept",
            *(UNRECORDED[PROFILES[name]["audit"]["on_failure"]] for name in MAIN),
        ),
    ]


def _folders(profile: Profile, right: str) -> str:
    found = [f"`{path}`" for path in profile["files"][right]]
    if profile["files"]["scratch"]:
        found.append("`scratch:` (memory)")
    return ", ".join(found)


def _network(net: Profile) -> str:
    tls = "; TLS" if net["require_tls"] and net["mode"] != "none" else ""
    return NETWORK[net["mode"]] + tls


def _tools(tools: Profile) -> str:
    if tools["mode"] == "unless":
        return f"all but those that need {' or '.join(tools['refused_needs'])}"
    return "those that only compute, and those whose needs are granted"


def _modules(modules: Profile) -> str:
    if modules["mode"] == "whitelist":
        return "a whitelist, and the spell's own folder"
    return "those that only compute; more by grant"


def _limits() -> list[tuple[str, ...]]:
    names = PROFILES["high"]["limits"]
    return [(f"`{name}`", *(_limit(name, level) for level in MAIN)) for name in names]


def _limit(name: str, level: str) -> str:
    value = PROFILES[level]["limits"][name]
    if value == "unlimited":
        return FREE
    number = f"{value:,}".replace(",", " ") if isinstance(value, int) else str(value)
    if name == "threads" and level == "low":
        return f"{number}, through `memory`{KERNEL}"
    return number + (KERNEL if kernel_holds(name, level) else BROKER)


def kernel_holds(name: str, level: str) -> bool:
    """Whether the kernel enforces a limit on a worker of this level."""
    if name in ("processes", "threads"):
        # By the filter: no new process from `low` up, no new thread from `medium` up.
        return level in ("medium", "high") or (name == "processes" and level == "low")
    field = _FIELD.get(name, name)
    if name == "scratch" or field not in Confinement._fields:
        # The plan bounds single files too, but the total is counted by the broker.
        return False
    return _plan(level, **{field: 1_000}) != _plan(level, **{field: 2_000})


def _plan(level: str, **changed: int) -> tuple[bytes, bytes]:
    confinement = Confinement(
        level=level,
        kind="wasm" if level == "high" else "native",
        memory=None,
        cpu=None,
        threads=None,
        processes=0 if level != "none" else None,
        open_files=None,
        without=frozenset({"seccomp"}),
    )._replace(**changed)  # type: ignore[arg-type]
    return make_plan(confinement, _HERE)


def _mechanisms() -> list[tuple[str, ...]]:
    layers = sorted(set().union(*WANTED.values()))
    return [
        (f"`{layer}`", *("yes" if layer in WANTED[level] else FREE for level in MAIN))
        for layer in layers
    ]


def _preset(name: str) -> tuple[str, str, str]:
    base, own = PROFILES[BASE[name]], PROFILES[name]
    changes = [
        f"`{section}.{key}` = `{_value(value)}`"
        for section, content in own.items()
        if isinstance(content, dict)
        for key, value in content.items()
        if base[section][key] != value
    ]
    return f"`{name}`", f"`{BASE[name]}`", ", ".join(changes)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
