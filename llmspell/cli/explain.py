"""`llmspell explain`: what a spell may do under the chosen policy, and what it asks for."""

from __future__ import annotations

from llmspell.cli import choices
from llmspell.cli.terminal import escaped
from llmspell.profiles.advisory import scan
from llmspell.records import TYPE_CHECKING
from llmspell.spells.manifest import NOTHING, Manifest
from llmspell.spells.spell import SCRIPT_SIZE, Spell
from llmspell.supervisor.prepare import choose_policy, manifest_of

if TYPE_CHECKING:
    from typing import Any

    from llmspell.cli.flags import Chosen


def main(chosen: Chosen) -> int:
    """Prints the effective policy. Returns 0."""
    options = choices.options(chosen)
    spell = None
    manifest = NOTHING
    if chosen.spell is not None:
        size = options.script_size(SCRIPT_SIZE)
        spell = Spell.from_file(chosen.spell, language=chosen.engine, size=size)
        manifest = manifest_of(spell)
    policy = choose_policy(spell, options)
    advisories = scan(spell.source) if spell is not None and policy.advisories else []
    if chosen.output == "json":
        document: dict[str, Any] = {
            "policy": policy.to_json(),
            "requests": [f"{kind}:{value}" for kind, value in manifest.requests],
            "requested_limits": dict(manifest.limits),
            "description": manifest.description,
            "advisories": [advisory._asdict() for advisory in advisories],
        }
        if spell is not None:
            document["spell"] = {"name": spell.name, "engine": spell.engine, "path": spell.path}
        choices.print_json(document)
        return 0
    if spell is not None:
        print(f"{escaped(spell.name)}: {spell.engine}")
    for line in policy.describe():
        print(escaped(line))
    _print_requests(manifest)
    for advisory in advisories:
        print(f"advisory: line {advisory.line}: {escaped(advisory.message)}")
    return 0


def _print_requests(manifest: Manifest) -> None:
    if manifest.description:
        # The spell's own words: quoted and marked, so that they can't pass for ours (SL-11).
        print(f'the spell says of itself: "{escaped(manifest.description)}"')
    if not manifest.requests and not manifest.limits:
        return
    print("the spell asks for (not granted unless you add --grant-requested):")
    for kind, value in manifest.requests:
        print(f"  --allow-{kind} {_elided(escaped(value))}")
    for name, value in manifest.limits:
        print(f"  --limit {_elided(escaped(f'{name}={value}'))}")


def _elided(text: str, width: int = 100) -> str:
    if len(text) <= width:
        return text
    half = width // 2
    return f"{text[:half]}…{text[-half:]}"
