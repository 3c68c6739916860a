"""Checkpoints: a run as plain data that another process can go on from (WF-014, TRT-015).

What completed is kept by path; a restored run uses it instead of running those steps again.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime

from llmspell.channel.jsontext import Callback, Malformed, encode
from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING
from llmspell.spells.workflows.failures import state_invalid
from llmspell.spells.workflows.model import inner_steps
from llmspell.spells.workflows.run import RECORDS_MAX
from llmspell.spells.workflows.values import Record, check

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

    from llmspell.spells.workflows.model import Flow
    from llmspell.spells.workflows.run import Run

VERSION: Final = 1

LATEST: Final = "latest"

LABEL_MAX: Final = 64


def key_of(workflow: str, label: str = LATEST) -> str:
    """The key in the spell's kept state. The name is the spell's own text, so it is digested."""
    digest = hashlib.sha256(workflow.encode()).hexdigest()[:32]
    return f"workflow/{digest}/{label}"


def make(run: Run, mask: Any) -> dict[str, Any]:
    """The run as a checkpoint; `mask` takes out every secret that the process knows."""
    content = mask(
        {
            "input": run.values.input,
            "status": run.status,
            "records": {
                path: {**record._asdict(), "outputs": dict(record.outputs)}
                for path, record in run.done.items()
                if record.status != "failed"
            },
            "decisions": dict(run.decisions),
        }
    )
    checkpoint = {
        "version": VERSION,
        "workflow": run.name,
        "definition": fingerprint(run.flow),
        "created_at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "completed_steps": [r.name for r in run.done.values() if r.status == "completed"],
        **content,
    }
    checkpoint["checksum"] = _checksum(checkpoint)
    return checkpoint


def restore(run: Run, checkpoint: Mapping[str, Any]) -> None:
    """Makes the run go on from there. Raises `SpellError` 3008 for one that does not fit."""
    if not isinstance(checkpoint, dict) or checkpoint.get("version") != VERSION:
        raise state_invalid("that is no checkpoint of this version")
    if checkpoint.get("workflow") != run.name:
        raise state_invalid(f"the checkpoint is of another workflow than {run.name}")
    if checkpoint.get("checksum") != _checksum(checkpoint):
        raise state_invalid("the checkpoint was changed or cut: its checksum does not fit")
    if checkpoint.get("definition") != fingerprint(run.flow):
        raise state_invalid(
            f"workflow {run.name} was changed since the checkpoint was saved",
            hint="run it from its beginning, or restore with the definition it was saved with",
        )
    records, decisions = checkpoint.get("records"), checkpoint.get("decisions")
    records = {} if records == [] else records
    decisions = {} if decisions == [] else decisions
    if not isinstance(records, dict) or not isinstance(decisions, dict):
        raise state_invalid("the checkpoint has no records")
    if len(records) > RECORDS_MAX or len(decisions) > RECORDS_MAX:
        raise state_invalid("the checkpoint has too many records")
    run.values.input = checkpoint.get("input")
    for path, given in records.items():
        record = _record(given)
        check(record.output, f"the output of step {record.name}")
        run.done[path] = record
        run.counts[record.status] += 1
    run.decisions = {path: value is True for path, value in decisions.items()}
    run.restored = frozenset(records) | frozenset(decisions)


def fingerprint(flow: Flow) -> str:
    """A digest of what the definition says: functions count by being there, not by their code."""
    return hashlib.sha256(encode(_shape(flow))).hexdigest()


def _shape(flow: Flow) -> dict[str, Any]:
    return {
        "kind": flow.kind,
        "name": flow.name,
        "condition": _plain(flow.condition),
        "items": _plain(flow.items),
        "merge": flow.merge,
        "times": flow.times,
        "steps": [
            {
                "name": step.name,
                "kind": step.component.kind,
                "target": _shape(step.component.target)
                if step.component.kind == "inline"
                else step.component.shown,
                "prompt": step.prompt,
                "action": step.action,
                "input": _plain(step.input),
                "output": _plain(step.output),
                "condition": _plain(step.condition),
                "depends_on": list(step.depends_on),
            }
            for step in inner_steps(flow)
        ],
    }


def _plain(value: Any) -> Any:
    """Data without what is only of this process: functions' numbers, handles' ids."""
    if isinstance(value, Callback):
        return "function"
    if isinstance(value, dict):
        if "handle" in value:
            return {"handle": value["handle"], "name": value.get("name")}
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


def _record(given: Any) -> Record:
    if not isinstance(given, dict):
        raise state_invalid("the checkpoint has a record that is no object")
    name, status = given.get("name"), given.get("status")
    outputs = {} if given.get("outputs") == [] else given.get("outputs")
    if not isinstance(name, str) or status not in ("completed", "skipped"):
        raise state_invalid("the checkpoint has a record without name or status")
    if not isinstance(outputs, dict):
        raise state_invalid("the checkpoint has a record without outputs")
    attempts, duration = given.get("attempts"), given.get("duration_ms")
    recovered = given.get("recovered")
    return Record(
        name,
        status,
        given.get("output"),
        None,
        attempts if type(attempts) is int else 0,
        duration if type(duration) is int else 0,
        outputs,
        recovered if isinstance(recovered, str) else "",
    )


def _checksum(checkpoint: Mapping[str, Any]) -> str:
    body = {key: value for key, value in checkpoint.items() if key != "checksum"}
    try:
        return hashlib.sha256(encode(_canonical(body))).hexdigest()
    except Malformed as error:
        raise InvalidInput(f"the checkpoint can't be kept: {error}") from None


def _canonical(value: Any) -> Any:
    """One form of what the channel's peers blur: key order, 1.0 and 1, null members, {} and []."""
    if isinstance(value, dict):
        kept = {key: _canonical(value[key]) for key in sorted(value) if value[key] is not None}
        return kept or []
    if isinstance(value, list):
        return [_canonical(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) <= 2**53:
        return int(value)
    return value
