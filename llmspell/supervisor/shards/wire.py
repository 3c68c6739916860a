"""Spells, options, results and errors as strict JSON and back, for the pipe to a shard.

Paths travel as bytes: a file's name need not be text. Raises `Malformed` for what has no such form.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from llmspell import errors
from llmspell.channel.jsontext import Malformed, decode, encode
from llmspell.errors import LimitExceeded, LlmspellError
from llmspell.policies.violations import SecurityViolation, ViolationKind
from llmspell.spells.spell import Spell
from llmspell.supervisor.audit.log import AuditFailure
from llmspell.supervisor.prepare import RunOptions
from llmspell.supervisor.result import Denial, Isolation, Result, Status, Usage

_ERRORS: Final[Mapping[str, type[LlmspellError]]] = {
    kind.__name__: kind
    for kind in (*vars(errors).values(), AuditFailure)
    if isinstance(kind, type) and issubclass(kind, LlmspellError)
}


class Order(NamedTuple):
    """A run as home hands it to a shard. `log_level` is what home's logging listens to."""

    spell: Spell
    options: RunOptions
    tenant: str
    log_level: int

    def to_wire(self) -> bytes:
        """Raises `Malformed` for parameters that are no JSON, and for a descriptor as stdin."""
        options = self.options._asdict()
        if options.pop("stdin") is not None:
            raise Malformed("a descriptor can't travel to a shard")
        return encode(
            {
                # At the top, as deep as in a worker's channel, whose bounds hold here as well.
                "params": options.pop("params"),
                "spell": {
                    **self.spell._asdict(),
                    "path": _path_out(self.spell.path),
                    "folder": _path_out(self.spell.folder),
                },
                "options": {
                    **options,
                    "policy_file": _path_out(self.options.policy_file),
                    "audit": _path_out(self.options.audit),
                },
                "tenant": self.tenant,
                "log_level": self.log_level,
            }
        )

    @classmethod
    def from_wire(cls, data: bytes) -> Order:
        """Raises `Malformed`."""
        try:
            raw = decode(data)
            spell, options = raw["spell"], raw["options"]
            return cls(
                Spell(
                    **{
                        **spell,
                        "path": _path_in(spell["path"]),
                        "folder": _path_in(spell["folder"]),
                    }
                ),
                RunOptions(
                    **{
                        **options,
                        "grants": tuple((kind, value) for kind, value in options["grants"]),
                        "args": tuple(options["args"]),
                        "params": raw["params"],
                        "policy_file": _path_in(options["policy_file"]),
                        "audit": _path_in(options["audit"]),
                        "stdin": None,
                    }
                ),
                _is(str, raw["tenant"]),
                _is(int, raw["log_level"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise _unreadable("an order", error) from None


def result_to_wire(result: Result) -> bytes:
    """Everything but value and output, which travel on their own."""
    return encode(
        {
            "status": result.status.value,
            "reason": result.reason,
            "error": None if result.error is None else _error_out(result.error),
            "usage": result.usage._asdict(),
            "isolation": result.isolation._asdict(),
            "denials": [denial._asdict() for denial in result.denials],
            "violations": [[item.kind.value, dict(item.details)] for item in result.violations],
            "session": result.session,
            "audit_head": result.audit_head,
            "audit_path": _path_out(result.audit_path),
            "audit_complete": result.audit_complete,
            "requests": [dict(job) for job in result.requests],
        }
    )


def result_from_wire(data: bytes, value: Any, output: str) -> Result:
    """Raises `Malformed`."""
    try:
        raw = decode(data)
        isolation = raw["isolation"]
        return Result(
            status=Status(raw["status"]),
            reason=_is(str, raw["reason"]),
            value=value,
            output=output,
            error=None if raw["error"] is None else _error_in(raw["error"]),
            usage=Usage(**raw["usage"]),
            isolation=Isolation(
                **{
                    **isolation,
                    "layers": tuple(isolation["layers"]),
                    "missing": tuple(isolation["missing"]),
                }
            ),
            denials=tuple(Denial(**item) for item in raw["denials"]),
            violations=tuple(
                SecurityViolation(ViolationKind(kind), _is(dict, details))
                for kind, details in raw["violations"]
            ),
            session=_is(str, raw["session"]),
            audit_head=raw["audit_head"],
            audit_path=_path_in(raw["audit_path"]),
            audit_complete=raw["audit_complete"] is True,
            requests=tuple(_is(dict, job) for job in raw["requests"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable("a result", error) from None


def error_to_wire(error: LlmspellError) -> bytes:
    """An error with its class, or the nearest that the tree of errors knows."""
    return encode(_error_out(error))


def error_from_wire(data: bytes) -> LlmspellError:
    """Raises `Malformed`."""
    try:
        return _error_in(decode(data))
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable("an error", error) from None


def begun_to_wire(session: str, audit_path: str | None) -> bytes:
    """The name of a run that starts, and where its records are."""
    return encode({"session": session, "audit_path": _path_out(audit_path)})


def begun_from_wire(data: bytes) -> tuple[str, str | None]:
    """Raises `Malformed`."""
    try:
        raw = decode(data)
        return _is(str, raw["session"]), _path_in(raw["audit_path"])
    except (KeyError, TypeError, ValueError) as error:
        raise _unreadable("a beginning", error) from None


def place_to_wire() -> bytes:
    """This process's working folder and environment, which a run's policy and paths start from."""
    pairs = (name + b"=" + value for name, value in os.environb.items())
    return b"\0".join((os.getcwdb(), *pairs))


def enter_place(data: bytes) -> None:
    """Makes folder and environment this process's own. Raises `OSError` if the folder is gone."""
    folder, *pairs = data.split(b"\0")
    wanted = {name: value for name, _, value in (pair.partition(b"=") for pair in pairs)}
    for name in os.environb.keys() - wanted.keys():
        del os.environb[name]
    os.environb.update(wanted)
    os.chdir(folder)


def _error_out(error: LlmspellError) -> dict[str, Any]:
    wire = error.to_wire()
    wire["class"] = next(kind.__name__ for kind in type(error).__mro__ if kind.__name__ in _ERRORS)
    if isinstance(error, LimitExceeded):
        wire["limit"] = error.limit
    return wire


def _error_in(raw: Any) -> LlmspellError:
    fields = dict(raw)
    kind = _ERRORS[fields.pop("class")]
    message = _is(str, fields.pop("message"))
    if issubclass(kind, LimitExceeded):
        error: LlmspellError = kind(_is(str, fields.pop("limit")), message)
        # Its constructor fixes these by the limit's name; who raised it may have set them since.
        for name in ("code", "kind", "rule", "hint", "trace_id", "line", "stack"):
            setattr(error, name, fields.get(name))
        error.recoverable = fields.get("recoverable") is True
        return error
    return kind(message, **fields)


def _path_out(path: str | None) -> bytes | None:
    return None if path is None else os.fsencode(path)


def _path_in(path: Any) -> str | None:
    return None if path is None else os.fsdecode(_is(bytes, path))


def _is(kind: type[Any], value: Any) -> Any:
    if type(value) is not kind:
        raise Malformed(f"a {type(value).__name__} in a {kind.__name__}'s place")
    return value


def _unreadable(what: str, error: Exception) -> Malformed:
    return Malformed(f"{what} that can't be read: {error}"[:200])
