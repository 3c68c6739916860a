"""One tenant asks for many runs at once, another for one; prints who ended when, as JSON."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import llmspell

GREEDY_RUNS = 12


async def main() -> dict[str, Any]:
    spell = llmspell.Spell.from_source("Async.sleep(100)", language="lua")
    ended: list[str] = []
    begun = time.monotonic()
    async with llmspell.Supervisor(in_flight=2, per_tenant=1, waiting=8, spares=0) as supervisor:

        async def run(tenant: str) -> str:
            try:
                result = await supervisor.run(spell, tenant=tenant, profile="medium")
            except llmspell.LlmspellError as error:
                return error.rule or error.kind
            ended.append(tenant)
            return result.status.value

        greedy = [asyncio.ensure_future(run("greedy")) for _ in range(GREEDY_RUNS)]
        await asyncio.sleep(0)
        modest = await run("modest")
        place = len(ended)
        said = await asyncio.gather(*greedy)
    return {"modest": modest, "place": place, "greedy": said, "seconds": time.monotonic() - begun}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(main())))
