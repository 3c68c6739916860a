"""The answer of a policy. Anything but an explicit allow is a denial (EN-08)."""

from __future__ import annotations

from llmspell.records import NamedTuple


class Verdict(NamedTuple):
    """One decision: the rule that made it, why in a person's words, and what would allow it.

    Test it with `verdict.allowed is True`, or with `allows`: a truthy value is no allow.
    """

    allowed: bool
    rule: str
    reason: str
    hint: str | None = None


def allow(rule: str, reason: str) -> Verdict:
    """An explicit allow by the named rule."""
    return Verdict(True, rule, reason, None)


def deny(rule: str, reason: str, hint: str | None = None) -> Verdict:
    """A denial by the named rule; `hint` says what the user could do about it."""
    return Verdict(False, rule, reason, hint)


def allows(answer: object) -> bool:
    """Whether an answer, also one of a stranger's callback, is an explicit allow."""
    return isinstance(answer, Verdict) and answer.allowed is True


def allow_flag(option: str, value: str) -> str:
    """The hint that names the flag: `to allow it: --allow-write out`."""
    return f"to allow it: --{option} {shell_word(value)}"


_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@%_+=:,./-")


def shell_word(text: str) -> str:
    """The text as one word of a shell, with what can't be seen escaped (FS-38)."""
    visible = "".join(
        character if character.isprintable() else f"\\u{ord(character):04x}" for character in text
    )
    if visible and not visible.startswith("-") and _PLAIN.issuperset(visible):
        return visible
    return "'" + visible.replace("'", "'\\''") + "'"
