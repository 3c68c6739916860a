"""The error resolution guide (ERR-013): why an error happens and what to do, as data.

Entries by numeric code; a code without one of its own takes its area's. Texts are for people.
"""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final


class Entry(NamedTuple):
    """Common causes, steps to a resolution, and how to prevent it next time."""

    causes: tuple[str, ...]
    steps: tuple[str, ...]
    prevention: tuple[str, ...]


_LIMIT: Final = Entry(
    ("a loop that never ends", "more data than the limits were made for"),
    ("Look at the limit that the rule names", "Do less at a time", "Ask for a larger limit"),
    ("Set limits that fit the task", "Work in batches"),
)
_DENIED: Final = Entry(
    ("the profile does not grant it", "the name or path is not the granted one"),
    ("Read the hint: it names the grant", "Use what the profile grants"),
    ("Request grants in the spell's manifest", "Test the spell at the profile it will run at"),
)
_TIMEOUT: Final = Entry(
    ("the model or service is slow", "the task is too large for one call"),
    ("Try again with less context", "Raise the timeout", "Split the task"),
    ("Configure appropriate timeouts", "Keep prompts short"),
)

GUIDE: Final[Mapping[int, Entry]] = {
    1003: Entry(
        (
            "Invalid input format",
            "Tool failure during execution",
            "LLM provider timeout",
            "Memory limit exceeded",
        ),
        (
            "Check input validation",
            "Verify tool configurations",
            "Review LLM provider status",
            "Monitor memory usage",
            "Check agent state consistency",
        ),
        (
            "Implement input validation",
            "Add tool health checks",
            "Configure appropriate timeouts",
            "Monitor resource usage",
        ),
    ),
    1005: _TIMEOUT,
    1006: _LIMIT,
    1009: Entry(
        ("the provider refused or failed", "the model's name is wrong"),
        ("Check the provider and the model's name", "Name fallback providers", "Try again later"),
        ("Configure fallback providers", "Respect the provider's rate limits"),
    ),
    2002: Entry(
        (
            "Missing required parameters",
            "Invalid parameter types",
            "Schema validation failure",
            "Malformed input data",
        ),
        (
            "Validate input against tool schema",
            "Check parameter types and values",
            "Review tool documentation",
            "Test with minimal valid input",
        ),
        (
            "Use schema validation",
            "Implement input sanitization",
            "Add comprehensive error messages",
            "Provide clear documentation",
        ),
    ),
    2006: _DENIED,
    2008: _TIMEOUT,
    3004: Entry(
        (
            "Agent execution failure",
            "Invalid step configuration",
            "Dependency not met",
            "Step timeout",
        ),
        (
            "Check step agent configuration",
            "Verify step dependencies",
            "Review step input/output mapping",
            "Check execution logs",
        ),
        (
            "Test steps individually",
            "Validate workflow definition",
            "Implement proper error handling",
            "Add step health checks",
        ),
    ),
    3007: _TIMEOUT,
    4002: Entry(
        (
            "Undefined variable access",
            "Function call failure",
            "API usage error",
            "Resource access violation",
        ),
        (
            "Check script syntax and logic",
            "Verify API availability",
            "Review variable scoping",
            "Check security permissions",
        ),
        (
            "Use strict mode",
            "Implement error handling",
            "Test in sandbox environment",
            "Follow security best practices",
        ),
    ),
    4004: _TIMEOUT,
    4005: _LIMIT,
    4008: _DENIED,
    4009: _LIMIT,
    5003: _TIMEOUT,
    6003: Entry(
        ("the host can't be reached", "the connection broke"),
        ("Check the host and the network", "Try again after a pause"),
        ("Retry with backoff", "Keep requests short"),
    ),
    6004: Entry(
        ("the key is missing, wrong or expired",),
        ("Check the provider's key where llmspell is configured",),
        ("Rotate keys before they expire",),
    ),
    6006: Entry(
        ("more requests than the provider or the limiter takes",),
        ("Wait as long as retry_after says", "Send fewer requests at a time"),
        ("Configure requests_per_minute", "Use batches and caches"),
    ),
    6007: _LIMIT,
}

AREAS: Final[Mapping[str, Entry]] = {
    "agent": GUIDE[1003],
    "tool": Entry(
        ("the tool is not there", "its input or surroundings are wrong"),
        ("Check the tool's name and input", "Look at the tool's own message"),
        ("Validate the input before the call",),
    ),
    "workflow": GUIDE[3004],
    "script": GUIDE[4002],
    "hook_event": Entry(
        ("a hook or handler of the spell's failed",),
        ("Run the handler on its own", "Check the hook point's name and the filter"),
        ("Keep hooks short", "Catch errors in handlers"),
    ),
    "system": Entry(
        ("something outside the spell failed",),
        ("Look at llmspell's own log", "Run llmspell doctor", "Try again later"),
        ("Check the configuration before long runs",),
    ),
}


def entry_of(code: int, area: str) -> Entry:
    """The guide's entry for a code, else its area's."""
    return GUIDE.get(code) or AREAS[area]
