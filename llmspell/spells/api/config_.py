"""The settings of a run as its spell sees and tightens them (API-092 … API-096)."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.model import Function, Module, Param

if TYPE_CHECKING:
    from typing import Final

_KEY: Final = Param(
    "key", ("string",), "dotted, as limits.wall", required=True, minimum=1, maximum=256
)
_PROVIDER: Final = Param(
    "provider", ("string",), "the provider's name", required=True, minimum=1, maximum=128
)
_CONFIG: Final = Param("config", ("object",), "the settings", required=True)

MODULE: Final = Module(
    "config",
    ("Config", "config"),
    "Settings of this run. They can be read and tightened, never loosened: more than before is "
    "refused with 4008 config.tighten-only. Keys of providers never come back.",
    (
        Function(
            "get",
            "A setting: security.level, limits.wall, resources.max_memory, providers.NAME, "
            "engine, version, platform, or one that set kept.",
            (_KEY, Param("default", ("any",), "what to give when there is none")),
            "any",
            wire="config.get",
            positional=2,
            unjudged=True,
            sync=True,
        ),
        Function(
            "set",
            "Tightens a setting of the run, or keeps one of the spell's own for its run.",
            (_KEY, Param("value", ("any",), "the value", required=True)),
            wire="config.set",
            positional=2,
        ),
        Function(
            "configure_provider",
            "What requests of this run get where they say nothing: model, temperature, "
            "max_tokens, timeout, retries (the last three only lower than configured). No key; "
            "a base_url only where its host is granted, and without the user's key.",
            (_PROVIDER, _CONFIG),
            wire="config.configure_provider",
            positional=2,
            spread="config",
        ),
        Function(
            "get_provider_config",
            "A provider's settings without anything secret.",
            (_PROVIDER,),
            "object",
            wire="config.get_provider",
            positional=1,
            unjudged=True,
            sync=True,
        ),
        Function(
            "configure_security",
            "A stricter level (the broker's rules; the worker stays as it was started), or "
            "allowed_/denied_ hosts, tools, models, or network = false.",
            (_CONFIG,),
            wire="config.configure_security",
            positional=1,
            spread="config",
        ),
        Function(
            "get_security_config",
            "The rules in force, without host paths.",
            (),
            "{level, profile, sandbox_enabled, network, tools, models, files, audit}",
            wire="config.get_security",
            unjudged=True,
            sync=True,
        ),
        Function(
            "configure_resources",
            "Lower limits from now on: max_execution_time, max_calls, max_output, max_tokens, "
            "max_cost, max_transfer or the limits' own names.",
            (_CONFIG,),
            wire="config.configure_resources",
            positional=1,
            spread="config",
        ),
        Function(
            "get_resource_config",
            "Limits and what is used of them, in bytes, seconds and dollars.",
            (),
            "{max_memory, max_execution_time, …, limits, used}",
            wire="config.get_resources",
            unjudged=True,
            sync=True,
        ),
        Function(
            "configure_observability",
            "The least log_level that is shown of this run, and labels of the spell's own.",
            (_CONFIG,),
            wire="config.configure_observability",
            positional=1,
            spread="config",
        ),
        Function(
            "get_observability_config",
            "What was configured, and the session's id.",
            (),
            "{log_level, session, audit, …}",
            wire="config.get_observability",
            unjudged=True,
            sync=True,
        ),
    ),
)
