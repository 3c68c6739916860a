"""The runs of a soak: small spells of every kind of end, and what each must end with."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

PROFILES: Final = ("none", "low", "medium", "high")
_SHARES: Final = (1, 1, 3, 3)
"""How often each profile: the forked ones more, for none and low cost an interpreter each."""

SUFFIXES: Final = {"lua": ".lua", "javascript": ".js", "python": ".py"}


class Kind(NamedTuple):
    """One spell and its end when nobody disturbs it."""

    name: str
    language: str
    source: str
    status: str
    value: Any = None
    limits: Mapping[str, str] = {}
    share: int = 3
    profiles: tuple[str, ...] = PROFILES


class Choice(NamedTuple):
    """One run: a kind at a profile."""

    kind: Kind
    profile: str
    tenant: str
    cancel_after: float | None
    """Seconds after which its awaiting task is cancelled."""


def _three(
    name: str, status: str, value: Any, lua: str, js: str, py: str, **rest: Any
) -> list[Kind]:
    sources = {"lua": lua, "javascript": js, "python": py}
    return [Kind(name, language, text, status, value, **rest) for language, text in sources.items()]


_CONFINED: Final = ("medium", "high")

KINDS: Final[tuple[Kind, ...]] = (
    *_three(
        "echo", "done", 7,
        "print('hi') return params.n", "console.log('hi'); return params.n",
        "print('hi')\nresult = params['n']",
        share=8,
    ),
    *_three(
        "files", "done", "left",
        "fs.write('scratch:f', 'left') return fs.read('scratch:f')",
        "await fs.write('scratch:f', 'left'); return await fs.read('scratch:f')",
        "await fs.write('scratch:f', 'left')\nresult = await fs.read('scratch:f')",
    ),
    *_three(
        "tool", "done", 42,
        "return Tools.execute('calculator', {expression = '6 * 7'}).result",
        "return (await Tools.execute('calculator', {expression: '6 * 7'})).result",
        "result = (await Tools.execute('calculator', {'expression': '6 * 7'}))['result']",
    ),
    *_three(
        "storage", "done", 3,
        "Storage.set('k', {1, 2, 3}) return #Storage.get('k')",
        "await Storage.set('k', [1, 2, 3]); return (await Storage.get('k')).length",
        "await Storage.set('k', [1, 2, 3])\nresult = len(await Storage.get('k'))",
    ),
    *_three(
        "nap", "done", None,
        "Async.sleep(60)", "await Async.sleep(60)", "await Async.sleep(60)",
    ),
    *_three(
        "thrown", "spell_error", None,
        "error('thrown')", "throw new Error('thrown')", "raise ValueError('thrown')",
        share=2,
    ),
    *_three(
        "denied", "denied", None,
        "return fs.read('/etc/shadow')", "return await fs.read('/etc/shadow')",
        "result = await fs.read('/etc/shadow')",
        profiles=("low", *_CONFINED), share=2,
    ),
    *_three(
        "endless", "limit", None,
        "while true do end", "while (true) {}", "while True:\n    pass",
        limits={"wall": "0.4s"}, share=1, profiles=_CONFINED,
    ),
    *_three(
        "printer", "limit", None,
        "while true do print(('x'):rep(999)) end", "while (true) console.log('x'.repeat(999))",
        "while True:\n    print('x' * 999)",
        limits={"output": "64KiB"}, share=1,
    ),
    Kind("greedy", "lua", "local text = ('x'):rep(2000000000)", "limit", share=1,
         profiles=_CONFINED),
    Kind("unreadable", "lua", "return return", "spell_error", share=1),
    Kind("parent", "lua", "return Spell.run_file('spell:child.lua').value", "done", "child",
         share=2, profiles=("none", "low", "medium")),
)  # fmt: skip

CHILD: Final = "return 'child'"
"""The spell `child.lua` that the parents run."""

_WORKING: Final = {
    profile: [kind for kind in KINDS if profile in kind.profiles] for profile in PROFILES
}


def choose(chance: random.Random) -> Choice:
    """The next run."""
    profile = chance.choices(PROFILES, _SHARES)[0]
    kinds = _WORKING[profile]
    kind = chance.choices(kinds, [item.share for item in kinds])[0]
    cancel_after = chance.uniform(0.0, 0.08) if chance.random() < 0.04 else None
    return Choice(kind, profile, f"tenant{chance.randrange(2)}", cancel_after)
