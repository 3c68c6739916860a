"""What happens around a call of a model: which one, may it, what may it use, again or elsewhere.

Decisions and order live here, over `spells.ports` and `llm.port`. Nothing here talks to a provider
itself, holds a key or starts a process.
"""
