"""From a spell's path to an opened place: both verdicts, in order, in one place.

The first verdict is on the path as spelled and comes before any system call, so a hidden path and
an absent one look alike (FS-48, 49). The second is on the real path of the handles that are then
used for the act.
"""

from __future__ import annotations

from llmspell.errors import InternalError, InvalidInput
from llmspell.policies.paths import FileRules
from llmspell.policies.spell_path import SpellPath
from llmspell.policies.verdict import Verdict, deny
from llmspell.records import TYPE_CHECKING
from llmspell.supervisor.services.context import CallContext
from llmspell.supervisor.services.failures import failure
from llmspell.supervisor.services.walk import Place, Walker
from llmspell.supervisor.services.whole import LEFTOVER

if TYPE_CHECKING:
    from typing import Final, NoReturn

LEVELS_MAX: Final = 256
"""Names in one path: each is opened and judged, so a call's cost is bounded (FS-41)."""


class Access:
    """One path of one call: what the spell wrote, what it means, and the judging of it.

    `operation` is one of `policies.paths.OPERATIONS`, `action` the word for people (`append`).
    """

    __slots__ = ("_located", "action", "context", "operation", "path", "rules", "spelled", "tree")

    def __init__(
        self,
        context: CallContext,
        operation: str,
        action: str,
        spelled: str,
        *,
        tree: bool = False,
    ) -> None:
        self.context = context
        self.rules: FileRules = context.policy.files
        self.operation = operation
        self.action = action
        self.spelled = spelled
        self.tree = tree
        self.path: SpellPath
        self.path, self._located = self.rules.find(spelled)
        if len(self.path.parts) > LEVELS_MAX:
            raise InvalidInput(f"a path has at most {LEVELS_MAX} levels")
        if operation == "write" and self.path.parts and LEFTOVER.fullmatch(self.path.parts[-1]):
            raise InvalidInput("names like .llmspell-….tmp are llmspell's own")

    @property
    def in_scratch(self) -> bool:
        """Whether the path is in the run's scratch in memory."""
        return self.path.root == "scratch"

    @property
    def unrestricted(self) -> bool:
        """Whether the run is of the user's own code (`none`): only then are special files open."""
        return self.context.policy.confinement.level == "none"

    def judge_scratch(self) -> None:
        """The verdict on a path in the scratch. Raises `Denied`."""
        self.record(self.rules.judge_scratch(self.operation))

    def judge_first(self) -> None:
        """The first verdict, wherever the path lies. Raises `Denied`."""
        if self.in_scratch:
            self.judge_scratch()
        else:
            self.judge_spelled()

    def judge_spelled(self) -> str:
        """The first verdict; the absolute path it was on. Raises `Denied`."""
        located = self._located
        if located is None:
            self.refuse(
                deny(
                    f"{self.rules.profile}.files.{self.path.root}",
                    f"the profile {self.rules.profile} keeps no {self.path.root} folder",
                    "use a path under scratch:",
                )
            )
        self.record(self.verdict_on(located, tree=self.tree))
        return located

    def verdict_on(self, real: str, *, tree: bool = False) -> Verdict:
        """The rules' answer on an absolute path, not recorded."""
        judge = self.rules.judge_tree if tree else self.rules.judge
        return judge(self.operation, real, spelled=self.spelled)

    def judge_real(self, real: str) -> None:
        """The second verdict. Recorded only when it is a denial: the first one allowed."""
        verdict = self.verdict_on(real, tree=self.tree)
        if verdict.allowed is not True:
            self.refuse(verdict)

    def record(self, verdict: Verdict) -> None:
        """Hands a verdict to the broker. Raises `Denied`."""
        self.context.judge(verdict, action=self.action, target=self.spelled)

    def refuse(self, verdict: Verdict) -> NoReturn:
        """Records a denial and raises it."""
        self.record(verdict)
        raise InternalError("a denial was taken for an allow")

    def open(self, walker: Walker, *, follow_last: bool = True, looking: bool = False) -> Place:
        """Judges, walks, judges again. The place's handles are of exactly what was judged.

        `looking`: the place may come without a handle of its own, with the status alone.
        """
        located = self.judge_spelled()
        try:
            if self.path.root == "workspace":
                # Kept for the spell since it was granted; it need not be there yet.
                walker.root_of(located)[0].make()
            return walker.walk(
                located,
                self.judge_real,
                self.refuse,
                follow_last=follow_last,
                special_allowed=self.unrestricted,
                looking=looking,
            )
        except OSError as error:
            raise failure(error, self.action, self.spelled) from None
