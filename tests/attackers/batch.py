"""Runs many spells in one supervisor and prints what each came to; the order comes by stdin.

`{"start": "exec" | "fork", "at_once": 2, "runs": [{name, language, source, profile, …}]}`. A run
may also say grants, limits, params, args, files beside it and a policy file; its record is in
`NAME.jsonl` here. A run that says `reach` must print that first: where a busy machine ended it
before, it gets more time. Printed is `{name: result}`, with the refusals on record as `refused`.
With `fork`, what can be forked must be: a zygote that does not start ends this program.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import llmspell

TRIES = 3
GIVEN = ("profile", "grants", "limits", "params", "args", "policy_file")


async def main(order: dict[str, Any]) -> dict[str, Any]:
    forked = order["start"] == "fork"
    turn = asyncio.Semaphore(order.get("at_once", 2))
    async with llmspell.Supervisor(zygotes=forked, spares=0) as supervisor:

        async def run(one: dict[str, Any]) -> dict[str, Any]:
            spell = spell_of(one)
            chosen = {name: one[name] for name in GIVEN if name in one}
            audit = f"{one['name']}.jsonl"
            async with turn:
                try:
                    result = await supervisor.run(spell, audit=audit, **chosen)
                    for _ in range(TRIES):
                        if one.get("reach", "") in result.output:
                            break
                        limits = chosen["limits"]
                        chosen["limits"] = {**limits, "wall": limits["wall"] * 2}
                        Path(audit).unlink()
                        result = await supervisor.run(spell, audit=audit, **chosen)
                except llmspell.LlmspellError as error:
                    return {"status": "refused", "error": error.to_wire()}
            found = result.to_json() | {"output": result.output, "exit": result.exit_code}
            limits = chosen.get("limits", {})
            return found | {"refused": refusals(Path(audit)), "limits": limits}

        if forked:
            await boot(supervisor, order["runs"])
        results = await asyncio.gather(*map(run, order["runs"]))
    return {one["name"]: result for one, result in zip(order["runs"], results, strict=True)}


def spell_of(one: dict[str, Any]) -> llmspell.Spell:
    """The spell alone, or as a file beside the `files` that the run brings."""
    if "files" not in one:
        return llmspell.Spell.from_source(one["source"], language=one["language"])
    folder = Path(one["name"])
    folder.mkdir(exist_ok=True)
    for name, content in {**one["files"], "spell": one["source"]}.items():
        (folder / name).write_text(content, encoding="utf-8")
    return llmspell.Spell.from_file(folder / "spell", language=one["language"])


async def boot(supervisor: llmspell.Supervisor, runs: list[dict[str, Any]]) -> None:
    """One zygote for each kind of run there is."""
    seen = set()
    for one in runs:
        limits = one.get("limits", {})
        kind = (one["language"], one["profile"], limits.get("memory"))
        if kind in seen:
            continue
        seen.add(kind)
        warm = await supervisor.warm(spell_of(one), profile=one["profile"], limits=limits)
        assert warm, f"no zygote for {kind}"


def refusals(audit: Path) -> list[dict[str, Any]]:
    """Each refusal on record: what was asked, by which rule, with which code."""
    records = map(json.loads, audit.read_text(encoding="utf-8").splitlines())
    return [
        {name: record.get(name) for name in ("action", "target", "rule", "code")}
        for record in records
        if record.get("allowed") is False
    ]


if __name__ == "__main__":
    print(
        json.dumps(
            asyncio.run(main(json.load(sys.stdin))), default=lambda raw: {"$bytes": raw.hex()}
        )
    )
