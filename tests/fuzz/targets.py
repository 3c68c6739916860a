"""Every fuzz target by name: `(data: bytes) -> None`, which raises only for a broken property."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

from tests.fuzz import (
    target_channel,
    target_declarations,
    target_documents,
    target_plan,
    target_rules,
    target_values,
    target_web,
)

Target = Callable[[bytes], None]

_ALL: Final[tuple[Target, ...]] = (
    target_channel.frames,
    target_channel.strict_json,
    target_channel.quick,
    target_channel.there_and_back,
    target_rules.spell_path,
    target_rules.path_rules,
    target_rules.globs,
    target_rules.protected,
    target_web.hosts,
    target_web.net_rules,
    target_web.urls,
    target_web.headers,
    target_web.masks,
    target_documents.manifest,
    target_documents.policy_file,
    target_documents.settings,
    target_documents.grants,
    target_documents.audit_file,
    target_documents.audit_edits,
    target_documents.audit_records,
    target_values.tool_arguments,
    target_values.tool_runs,
    target_values.call_arguments,
    target_values.json_schemas,
    target_values.templates,
    target_values.expressions,
    target_values.schedules,
    target_values.dates,
    target_declarations.declarations,
    target_declarations.spell_schemas,
    target_declarations.model_answers,
    target_plan.plan_records,
)

TARGETS: Final = {target.__name__: target for target in _ALL}

UNSEEN: Final = ("plan_records",)
"""Targets in a process of their own: no coverage guides them."""


def corpus(name: str) -> list[bytes]:
    """The inputs that are kept for a target: seeds, what covered more, and what once broke."""
    kept = [path.read_bytes() for path in sorted(corpus_folder(name).glob("*")) if path.is_file()]
    return [*kept, *(target_plan.seeds() if name == "plan_records" else ())]


def corpus_folder(name: str) -> Path:
    """Where they lie."""
    return Path(__file__).parent / "corpus" / name
