"""Grants: single permissions that a user adds to a profile (`--allow-read data`)."""

from __future__ import annotations

from llmspell.errors import LlmspellError, UsageError
from llmspell.policies.globs import compile_glob
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Final

KINDS: Final[Mapping[str, tuple[str, str]]] = {
    "read": ("files", "read"),
    "write": ("files", "write"),
    "net": ("net", "allow"),
    "tool": ("tools", "allow"),
    "llm": ("models", "allow"),
    "env": ("env", "allow"),
    "state": ("state", "allow"),
    "module": ("modules", "allow"),
}
"""The kinds of grant, and the table and key of a profile that each adds to."""

VALUE_MAX: Final = 4096
"""Characters of one grant."""


class Grant(NamedTuple):
    """One permission: its kind (one of `KINDS`), what it is about, allowed or denied.

    `source` says where it came from, for `explain` and the audit.
    """

    kind: str
    value: str
    allowed: bool = True
    source: str = "grant"

    @classmethod
    def parse(cls, text: str, source: str = "grant") -> Grant:
        """A grant written as `read:data/**`, `net:example.com`, or `deny-read:secret`.

        Raises `UsageError` for an unknown kind or an unusable value.
        """
        head, colon, value = text.partition(":")
        allowed = not head.startswith("deny-")
        kind = head.removeprefix("deny-")
        if not colon or kind not in KINDS:
            raise UsageError(
                f"{text!r} is no grant: write kind:value with one of {', '.join(KINDS)}"
            )
        return cls(kind, value, allowed, source).checked()

    def checked(self) -> Grant:
        """The same grant, if its value can be used. Raises `UsageError` otherwise."""
        if self.kind not in KINDS:
            raise UsageError(f"{self.kind!r} is no kind of grant: they are {', '.join(KINDS)}")
        value = self.value
        if not isinstance(value, str) or not value.strip() or len(value) > VALUE_MAX:
            raise UsageError(f"{self._flag()} needs a value")
        if not all(character >= " " and character != "\x7f" for character in value):
            raise UsageError(f"{self._flag()} {value!r}: control characters can't be granted")
        try:
            self._check_value()
        except UsageError:
            raise
        except LlmspellError as error:
            raise UsageError(f"{self._flag()}: {error.message}") from None
        return self

    def _check_value(self) -> None:
        if self.kind == "net":
            from llmspell.policies.hosts import parse_net_rule

            parse_net_rule(self.value)
        elif self.kind == "env":
            from llmspell.policies.names import runs_code

            if "=" in self.value:
                raise UsageError(f"{self._flag()} takes the name only, the value is your own")
            if self.allowed and runs_code(self.value):
                raise UsageError(
                    f"{self._flag()} {self.value}: this variable makes programs run code",
                    hint="no flag allows this; give the value as --param instead",
                )
        elif self.kind == "state":
            from llmspell.policies.names import SCOPES

            if self.value not in SCOPES:
                raise UsageError(f"{self._flag()} takes one of {', '.join(SCOPES[1:])}")
        elif self.kind in ("tool", "llm"):
            compile_glob(self.value)

    def _flag(self) -> str:
        return f"--{'allow' if self.allowed else 'deny'}-{self.kind}"

    def __str__(self) -> str:
        return f"{'' if self.allowed else 'deny-'}{self.kind}:{self.value}"


def from_flags(
    *,
    allow_read: Iterable[str] = (),
    allow_write: Iterable[str] = (),
    allow_net: Iterable[str] = (),
    allow_tool: Iterable[str] = (),
    allow_llm: Iterable[str] = (),
    allow_env: Iterable[str] = (),
    allow_state: Iterable[str] = (),
    allow_module: Iterable[str] = (),
    source: str = "command line",
) -> tuple[Grant, ...]:
    """The grants of the command line's flags. Raises `UsageError`."""
    given = {
        "read": allow_read,
        "write": allow_write,
        "net": allow_net,
        "tool": allow_tool,
        "llm": allow_llm,
        "env": allow_env,
        "state": allow_state,
        "module": allow_module,
    }
    return tuple(
        Grant(kind, value, True, source).checked()
        for kind, values in given.items()
        for value in values
    )


def refuse_conflicts(grants: Sequence[Grant]) -> None:
    """Raises `UsageError` when the same thing is both granted and denied."""
    seen: dict[tuple[str, str], Grant] = {}
    for grant in grants:
        same = (grant.kind, grant.value.rstrip("/") or "/")
        other = seen.setdefault(same, grant)
        if other.allowed is not grant.allowed:
            raise UsageError(
                f"{grant.kind} of {grant.value!r} is both granted ({other.source}) and denied "
                f"({grant.source}): drop one"
                if other.allowed
                else f"{grant.kind} of {grant.value!r} is both denied ({other.source}) and granted "
                f"({grant.source}): drop one"
            )


DENY_KEYS: Final[Mapping[tuple[str, str], str]] = {
    ("files", "read"): "deny_read",
    ("files", "write"): "deny_write",
    ("net", "allow"): "deny",
    ("tools", "allow"): "deny",
    ("models", "allow"): "deny",
    ("env", "allow"): "deny",
    ("state", "allow"): "deny",
    ("modules", "allow"): "deny",
}
"""The list that denies what another list of the same table allows."""


def refuse_contradictions(
    table: Mapping[str, Mapping[str, object]], grants: Sequence[Grant], source: str
) -> None:
    """Raises `UsageError` when a profile's own lists, or a grant and a list, contradict each other.

    Only the very same words contradict: a narrower denial inside a wider grant is a rule.
    """
    for (name, key), denying in DENY_KEYS.items():
        rows = table.get(name, {})
        denied = _words(rows.get(denying))
        both = _words(rows.get(key)) & denied
        if both:
            raise UsageError(
                f"{source}: {sorted(both)[0]!r} is both allowed ({name}.{key}) and denied "
                f"({name}.{denying})",
                hint="drop one",
            )
        for grant in grants:
            same = (grant.value.rstrip("/") or "/") in denied
            if same and grant.allowed and KINDS[grant.kind] == (name, key):
                raise UsageError(
                    f"{grant.kind} of {grant.value!r} is granted ({grant.source}) and denied "
                    f"({source}, {name}.{denying}): drop one"
                )


def _words(value: object) -> set[str]:
    if not isinstance(value, (list, tuple)):
        return set()
    return {word.rstrip("/") or "/" for word in value if isinstance(word, str)}
