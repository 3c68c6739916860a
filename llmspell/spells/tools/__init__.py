"""A spell's own tools and what is around every tool call of a run (TOOL-062 … 080, API-060 … 069).

Definitions, schemas, registry, cache, rates and concurrency, the steps of a call, pipelines.
May not live here: the built-in tools (`llmspell.tools`), running a spell's code (its worker does).
"""
