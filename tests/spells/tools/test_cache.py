"""Kept results: how much of them a run may hold."""

from __future__ import annotations

from llmspell.spells.tools.cache import RUN_MAX, TOTAL_MAX, ResultCache, Shelf

PART = "x" * 1_000_000


def test_TOOL_077_the_caches_of_a_run_share_their_room() -> None:
    shelf = Shelf()
    caches = [ResultCache(lambda: 0.0, 60, 1_000, shelf) for _ in range(20)]
    for cache in caches:
        for number in range(10):
            cache.put("tool", number, PART)
    assert TOTAL_MAX < shelf.size <= RUN_MAX
    assert caches[0].get("tool", 9) == PART, "the first keep what they have"
    assert caches[-1].get("tool", 9) is None
    for cache in caches:
        cache.clear()
    assert shelf.size == 0
    caches[-1].put("tool", 9, PART)
    assert caches[-1].get("tool", 9) == PART
