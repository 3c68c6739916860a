"""What feedback taught an agent: lessons that stand in its prompt (TRT-005, learn_from_feedback).

A lesson is one short text. The agent's model draws it from the feedback, unless `learning` says
`reflect = false`: then it is the feedback as given. Nothing is trained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from llmspell.errors import InvalidInput
from llmspell.spells.agents import values

if TYPE_CHECKING:
    from collections.abc import Mapping

LESSONS_MAX: Final = 32
LESSON_CHARACTERS_MAX: Final = 2_000
FEEDBACK_MAX: Final = 16_384
"""Characters of one feedback as JSON."""

_WORDS: Final = ("feedback", "comment", "text", "message")


class LearningSettings(NamedTuple):
    """Whether an agent learns, from how much, and who words the lesson."""

    enabled: bool = True
    max_lessons: int = LESSONS_MAX
    reflect: bool = True


def read_learning(given: Any) -> LearningSettings:
    """`learning = false`, or {enabled, max_lessons, reflect}. Raises `InvalidInput` 1004."""
    if given is None or isinstance(given, bool):
        return LearningSettings(enabled=given is not False)
    table = values.table(given, "learning")
    return LearningSettings(
        enabled=table.get("enabled") is not False,
        max_lessons=values.integer(
            table.get("max_lessons", LESSONS_MAX), "learning.max_lessons", 1, LESSONS_MAX
        ),
        reflect=table.get("reflect") is not False,
    )


class Lessons:
    """The lessons of one agent, oldest first; beyond `max_lessons` the oldest goes."""

    __slots__ = ("_kept", "_settings")

    def __init__(self, settings: LearningSettings) -> None:
        self._settings = settings
        self._kept: list[str] = []

    def configure(self, settings: LearningSettings) -> None:
        """Other bounds from now on."""
        self._settings = settings
        del self._kept[: -settings.max_lessons]

    def check(self) -> None:
        """Raises `InvalidInput` where the agent was told not to learn."""
        if not self._settings.enabled:
            raise InvalidInput(
                "the agent was made not to learn", code=1004, hint="set learning.enabled"
            )

    def add(self, lesson: str) -> str:
        """Keeps a lesson, shortened; the same one again counts as the newest."""
        kept = lesson.strip()[:LESSON_CHARACTERS_MAX]
        if kept:
            self._kept = [one for one in self._kept if one != kept] + [kept]
            del self._kept[: -self._settings.max_lessons]
        return kept

    def clear(self) -> None:
        """Forgets every lesson."""
        self._kept.clear()

    def prompt(self) -> str:
        """The part of the system prompt; empty without lessons."""
        if not self._kept or not self._settings.enabled:
            return ""
        return "Learned from feedback:\n" + "\n".join(f"- {one}" for one in self._kept)

    def to_wire(self) -> dict[str, Any]:
        """The settings and the lessons."""
        return {**self._settings._asdict(), "lessons": list(self._kept)}

    def snapshot(self) -> list[str]:
        """The lessons as data."""
        return list(self._kept)

    def restore(self, snapshot: Any) -> None:
        """The lessons of a snapshot; none in one of an older form. Raises `InvalidInput`."""
        given = values.items(snapshot, "lessons", LESSONS_MAX)
        kept = [values.text(one, "a lesson", LESSON_CHARACTERS_MAX) for one in given]
        self._kept = kept[-self._settings.max_lessons :]


def feedback_text(given: str | Mapping[str, Any]) -> str:
    """Feedback as text: the words alone, or every field of an object, a line each."""
    if isinstance(given, str):
        text = given
    else:
        values.plain(dict(given), "feedback", FEEDBACK_MAX)
        words = next((given[key] for key in _WORDS if isinstance(given.get(key), str)), "")
        rest = {key: value for key, value in given.items() if value is not words}
        lines = [f"{key}: {values.as_json(value)}" for key, value in rest.items()]
        text = "\n".join([words, *lines] if words else lines)
    if not text.strip() or len(text) > FEEDBACK_MAX:
        raise InvalidInput(f"feedback is text of at most {FEEDBACK_MAX} characters, not empty")
    return text


def lesson_prompt(feedback: str) -> str:
    """The request for the lesson of some feedback."""
    return (
        "This is feedback on your work so far. Say in one or two sentences what you will do"
        f" differently from now on, and nothing else.\n\nFeedback:\n{feedback}"
    )
