"""What a caller chooses about one run."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any


class RunOptions(NamedTuple):
    """What a caller chooses about one run; everything has a safe default.

    `profile` None means: as the policy file, the configuration or the default (`medium`) says.
    `stdin` is a descriptor the spell may read through its broker, or None. `check` parses the spell
    and runs no line of it (ENG-022). `tenant` names whom a host runs it for.
    """

    profile: str | Mapping[str, Any] | None = None
    policy_file: str | None = None
    grants: tuple[tuple[str, str], ...] = ()
    grant_requested: bool = False
    limits: Mapping[str, str] = {}
    allow_degraded: bool = False
    params: Mapping[str, Any] = {}
    args: tuple[str, ...] = ()
    audit: str | None = None
    stdin: int | None = 0
    keep_output: bool = False
    check: bool = False
    tenant: str | None = None

    def script_size(self, default: int) -> int:
        """Bytes a spell's source may have, from the limits chosen. Raises `UsageError`."""
        text = self.limits.get("script_size")
        if text is None:
            return default
        from llmspell.policies.limits import UNLIMITED, parse_limit

        amount = parse_limit("script_size", text)
        return 1 << 30 if amount is UNLIMITED else int(amount)
