"""`llmspell run`: a spell from a file or standard input, confined, to its result."""

from __future__ import annotations

import os
import sys

from llmspell.cli import choices
from llmspell.cli.interrupts import Interrupts
from llmspell.cli.terminal import LEVELS, TerminalSink, escaped, flush
from llmspell.errors import UsageError
from llmspell.records import TYPE_CHECKING
from llmspell.spells.spell import SCRIPT_SIZE, Spell
from llmspell.supervisor.runner import run_blocking

if TYPE_CHECKING:
    from typing import Any, Final

    from llmspell.cli.flags import Chosen
    from llmspell.supervisor.result import Isolation, Result

READ_AT_ONCE: Final = 65_536


def main(chosen: Chosen) -> int:
    """Runs the spell. Returns the exit code of its end."""
    if chosen.log_level not in LEVELS:
        raise UsageError(
            f"there is no log level {chosen.log_level!r}", hint=f"levels are {', '.join(LEVELS)}"
        )
    options = choices.options(chosen)
    size = options.script_size(SCRIPT_SIZE)
    as_json = chosen.output == "json"
    if chosen.spell == "-":
        if not chosen.engine:
            raise UsageError("a spell on standard input has no name", hint="give --engine lua")
        spell = Spell.from_bytes(_standard_input(size), name="-", language=chosen.engine)
        options = options._replace(stdin=None)
    else:
        spell = Spell.from_file(chosen.spell, language=chosen.engine, size=size)
    flush()
    options = options._replace(keep_output=as_json, check=chosen.check)
    with Interrupts() as interrupts:
        sink = TerminalSink(quiet=as_json, level=chosen.log_level, on_closed=interrupts.add)
        result = run_blocking(spell, options, sink, interrupts)
    if as_json:
        choices.print_json(result.to_json() | {"output": result.output})
    else:
        _print(result, spell.name)
    if not result.audit_complete and result.ok:
        print("llmspell: the audit record is incomplete", file=sys.stderr)
    return result.exit_code


def _standard_input(size: int) -> bytes:
    data = bytearray()
    while chunk := os.read(0, READ_AT_ONCE):
        data += chunk
        if len(data) > size:
            raise UsageError(f"Script exceeds maximum size limit: {size} bytes")
    return bytes(data)


def _print(result: Result, name: str) -> None:
    if result.ok:
        if result.value is not None:
            _print_value(result.value)
    else:
        for line in _complaint(result, name):
            print(f"llmspell: {escaped(line)}", file=sys.stderr)
    warning = _isolation_warning(result.isolation)
    if warning and result.status.value != "isolation_refused":
        print(f"llmspell: {warning}", file=sys.stderr)


def _print_value(value: Any) -> None:
    if isinstance(value, str):
        print(escaped(value) if sys.stdout.isatty() else value)
    else:
        choices.print_json(value)


def _complaint(result: Result, name: str) -> list[str]:
    error = result.error
    if error is None:
        return [f"the run was ended: {result.reason}"]
    where = f"{name}:{error.line}: " if error.line is not None else ""
    lines = [f"{where}{error.sentence()} ({error.code})"]
    if error.stack is not None and result.status.value == "spell_error":
        lines += [f"  {line}" for line in error.stack.splitlines()[:20] if line.strip()]
    return lines


def _isolation_warning(isolation: Isolation) -> str | None:
    if not isolation.degraded:
        return None
    return (
        f"isolation is degraded: {isolation.requested} was asked for, "
        f"not held: {', '.join(isolation.missing)} (llmspell doctor says why)"
    )
