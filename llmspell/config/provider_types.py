"""The kinds of provider that are known: where they are, which variable holds their key."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final


class ProviderType(NamedTuple):
    """One kind. `route` is the adapter's name for it, `key_env` the variable of its key.

    `base_url` "" must be configured; `key_env` "" needs no key; `local` runs on the user's own
    machine and costs nothing unless the configuration says so.
    """

    route: str
    base_url: str
    key_env: str
    local: bool = False


TYPES: Final[Mapping[str, ProviderType]] = {
    "openai": ProviderType("openai", "https://api.openai.com/v1", "OPENAI_API_KEY"),
    "anthropic": ProviderType("anthropic", "https://api.anthropic.com", "ANTHROPIC_API_KEY"),
    "google": ProviderType("gemini", "https://generativelanguage.googleapis.com", "GEMINI_API_KEY"),
    "azure": ProviderType("azure", "", "AZURE_API_KEY"),
    "ollama": ProviderType("ollama_chat", "http://localhost:11434", "", local=True),
    "groq": ProviderType("groq", "https://api.groq.com/openai/v1", "GROQ_API_KEY"),
    "mistral": ProviderType("mistral", "https://api.mistral.ai/v1", "MISTRAL_API_KEY"),
    "deepseek": ProviderType("deepseek", "https://api.deepseek.com/beta", "DEEPSEEK_API_KEY"),
    "xai": ProviderType("xai", "https://api.x.ai/v1", "XAI_API_KEY"),
    "perplexity": ProviderType("perplexity", "https://api.perplexity.ai", "PERPLEXITYAI_API_KEY"),
    # Its own protocol names other paths than the adapter's; this one it offers beside it.
    "cohere": ProviderType("openai", "https://api.cohere.ai/compatibility/v1", "COHERE_API_KEY"),
    "openrouter": ProviderType("openrouter", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
    "fake": ProviderType("fake", "", "", local=True),
}
"""By the name a configuration uses. The seeds' five (000:8458), those of their examples, and the
ones 003:189 asks for where the adapter has them under a host of their own (X33)."""

ALIASES: Final[Mapping[str, str]] = {
    "mock": "fake",
    "local": "ollama",
    "gemini": "google",
    "openai_compatible": "openai",
}

FAKE_MODELS: Final = ("echo", "mock-model", "test-model", "script")
"""Models of `fake`: a spell that names one of them needs no provider."""


def canonical(name: str) -> str:
    """The name under which a provider is kept: `mock` is `fake`."""
    return "fake" if name == "mock" else name


def defaults_of(kind: str) -> dict[str, Any]:
    """What a table for this kind says when it says nothing."""
    known = TYPES[ALIASES.get(kind, kind)]
    return {"base_url": known.base_url, "api_key_env": known.key_env}
