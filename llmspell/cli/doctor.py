"""`llmspell doctor`: each effect and mechanism tried by doing it, and what to change."""

from __future__ import annotations

import sys

from llmspell.cli import choices
from llmspell.errors import LlmspellError
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any, Final

    from llmspell.cli.flags import Chosen

LEVELS: Final = (("low", "native"), ("medium", "native"), ("high", "wasm"))
EXIT_DEFAULT_REFUSED: Final = 5


def main(chosen: Chosen) -> int:
    """Reports. Returns 0; 5 when `medium` or `high` is refused or an attack got through."""
    report = examine_all()
    if chosen.warm:
        report["guests"] = _warm()
    outcomes = []
    if chosen.attack:
        from llmspell.cli import attack

        outcomes = attack.attack_all()
        report["attacks"] = [outcome._asdict() for outcome in outcomes]
    if chosen.output == "json":
        choices.print_json(report)
    else:
        _print(report)
        if outcomes:
            attack.show(outcomes)
    refused = [name for name in ("medium", "high") if not report["profiles"][name]["starts"]]
    broken = any(outcome.held is False for outcome in outcomes)
    return EXIT_DEFAULT_REFUSED if refused or broken else 0


def examine_all() -> dict[str, Any]:
    """What this machine holds, by profile; every part found out in a real confined process."""
    from llmspell import platform

    profiles: dict[str, Any] = {"none": {"starts": True, "effects": {}, "not_held": []}}
    mechanisms: dict[str, str] = {}
    advice = ""
    for level, kind in LEVELS:
        try:
            found = platform.examine(level, kind)
        except LlmspellError as error:
            profiles[level] = {"starts": False, "effects": {}, "not_held": [error.sentence()]}
            continue
        missing = sorted(platform.missing_effects(level, found.effects))
        profiles[level] = {
            "starts": level == "low" or not missing,
            "effects": dict(found.effects),
            "not_held": missing,
        }
        mechanisms |= dict.fromkeys(found.layers, "works")
        mechanisms |= {name: f"refused: {why}" for name, why in found.missing.items()}
        if missing:
            advice = platform.advice(missing)
    return {"mechanisms": mechanisms, "profiles": profiles, "advice": advice, "guests": {}}


def _warm() -> dict[str, str]:
    from llmspell.spells.engine import ENGINES
    from llmspell.supervisor import guests

    found = {}
    for engine in ENGINES:
        try:
            guests.booted(engine)
            found[engine] = "ready"
        except LlmspellError as error:
            found[engine] = error.sentence()
    return found


def _print(report: dict[str, Any]) -> None:
    print(f"python {sys.version.split()[0]} on {sys.platform}")
    print("mechanisms:")
    for name, state in sorted(report["mechanisms"].items()):
        print(f"  {name:<16} {state}")
    print("profiles:")
    for name, found in report["profiles"].items():
        state = "starts" if found["starts"] else "refuses to start"
        lacking = f"; not held: {', '.join(found['not_held'])}" if found["not_held"] else ""
        print(f"  {name:<16} {state}{lacking}")
        for effect, held in found["effects"].items():
            print(f"    {effect:<14} {'held' if held else 'NOT held'}")
    for engine, state in report["guests"].items():
        print(f"guest {engine:<11} {state}")
    if report["advice"]:
        print(f"to change: {report['advice']}")
