"""Which modules of its language a spell may load (ENG-014, ENG-015, SEC-005)."""

from __future__ import annotations

from llmspell.policies.verdict import Verdict, allow, allow_flag, deny
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from typing import Final

MODES: Final = frozenset({"all", "whitelist", "none"})

WHITELIST: Final = {
    "lua": ("string", "table", "math", "utf8", "coroutine", "io", "os"),
    "javascript": (),
    "python": (
        "abc",
        "array",
        "base64",
        "bisect",
        "binascii",
        "calendar",
        "cmath",
        "collections",
        "colorsys",
        "contextlib",
        "copy",
        "csv",
        "dataclasses",
        "datetime",
        "decimal",
        "difflib",
        "enum",
        "fractions",
        "functools",
        "graphlib",
        "hashlib",
        "heapq",
        "hmac",
        "html",
        "io",
        "itertools",
        "json",
        "keyword",
        "math",
        "numbers",
        "operator",
        "pprint",
        "random",
        "re",
        "secrets",
        "statistics",
        "string",
        "struct",
        "textwrap",
        "time",
        "types",
        "typing",
        "unicodedata",
        "urllib.parse",
        "uuid",
        "warnings",
        "zlib",
        "zoneinfo",
    ),
}
"""Standard modules of `low`; the ones that touch files (`io`, `os`) go through the broker."""


class ModuleRules(NamedTuple):
    """`mode`: `all` (the whole language), `whitelist`, `none`; `names` were granted one by one.

    `own_folder`: `require` or `import` of files in the spell's own folder, read by the broker.
    """

    profile: str
    mode: str
    names: tuple[str, ...] = ()
    own_folder: bool = False
    denied: tuple[str, ...] = ()

    def judge(self, module: str, language: str = "") -> Verdict:
        """The verdict on loading a standard or installed module of the language."""
        rule = f"{self.profile}.modules"
        if not module or len(module) > 256 or not module.isprintable():
            return deny(f"{rule}.name", "this is no module name")
        if _within(module, self.denied):
            return deny(f"{rule}.denied", f"a rule denies the module {module}")
        if _within(module, self.names):
            return allow("grant.module", f"the module {module} was granted")
        if self.mode == "all":
            return allow(f"{rule}.all", "the profile allows the whole language")
        if self.mode == "whitelist" and module in WHITELIST.get(language, ()):
            return allow(f"{rule}.whitelist", f"{module} is on the profile's list")
        return deny(
            rule,
            f"the profile {self.profile} does not load {module}",
            allow_flag("allow-module", module),
        )

    def granted(self, language: str) -> tuple[str, ...]:
        """The module names that a worker of this language gets (`run.modules`).

        With mode `all` only the named ones are listed: the worker has the whole language.
        """
        listed = WHITELIST.get(language, ()) if self.mode == "whitelist" else ()
        names = dict.fromkeys((*listed, *self.names))
        return tuple(name for name in names if not _within(name, self.denied))


def _within(module: str, names: tuple[str, ...]) -> bool:
    """Whether the module is one of the names or lies inside one (`urllib.parse` in `urllib`)."""
    return any(module == name or module.startswith(name + ".") for name in names)
