"""The tool registry as a spell sees it (API-060 … API-065)."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.model import Function, Module, Param

if TYPE_CHECKING:
    from typing import Final

_NAME: Final = Param("name", ("string",), "the tool's name", required=True, minimum=1, maximum=128)
_CATEGORY: Final = Param("category", ("string",), "a category of tools", maximum=128)

MODULE: Final = Module(
    "tools",
    ("Tools", "tools"),
    "The tools this run may see. Each has name, description, category, schema and execute(input).",
    (
        Function(
            "list",
            "All tools, or those of one category.",
            (_CATEGORY,),
            "array of tools",
            wire="tools.list",
            positional=1,
            after="tools",
        ),
        Function(
            "get",
            "One tool by its name.",
            (_NAME,),
            "tool",
            wire="tools.get",
            positional=1,
            after="tool",
        ),
        Function(
            "search",
            "Tools whose name or description fits.",
            (Param("query", ("string",), "words to look for", required=True, maximum=1024),),
            "array of tools",
            wire="tools.search",
            positional=1,
            after="tools",
        ),
        Function(
            "by_category",
            "The tools of one category.",
            (_CATEGORY._replace(required=True, minimum=1),),
            "array of tools",
            wire="tools.by_category",
            positional=1,
            after="tools",
        ),
        Function(
            "get_by_category",
            "The same as by_category, as the seeds spell it.",
            (_CATEGORY._replace(required=True, minimum=1),),
            "array of tools",
            kind="local",
            wire="tools.by_category",
            positional=1,
            after="tools",
        ),
        Function(
            "execute",
            "Runs a tool.",
            (_NAME, Param("input", ("object",), "the tool's parameters", default={})),
            "{result, …}",
            wire="tools.execute",
            positional=2,
        ),
    ),
)
