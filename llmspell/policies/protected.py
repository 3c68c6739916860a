"""Names that are code later: writing them is denied under every profile but `none`.

A file that a shell, an editor, git, a build tool or Python itself will run turns "may write here"
into "may run anything as the user, tomorrow". Names are compared folded (case, accents, invisible
characters) and anywhere in a path, also before they exist. Sources: FS-29, FS-31, FS-37.
"""

from __future__ import annotations

from llmspell.policies.globs import Glob, compile_glob, matches
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

_NAMES: Final[Mapping[str, tuple[str, ...]]] = {
    "git": (
        # All of it: hooks, config, and `.git` as a file pointing elsewhere (FS-31).
        ".git",
        ".gitmodules",
        ".gitattributes",
        ".gitconfig",
        ".config/git",
        ".hg/hgrc",
        ".hgrc",
        ".husky",
        ".githooks",
        ".pre-commit-config.yaml",
        "lefthook.yml",
        ".lefthook.yml",
    ),
    "shell-startup": (
        ".bashrc",
        ".bash_profile",
        ".bash_login",
        ".bash_logout",
        ".bash_aliases",
        ".profile",
        ".zshrc",
        ".zshenv",
        ".zprofile",
        ".zlogin",
        ".zlogout",
        ".kshrc",
        ".cshrc",
        ".tcshrc",
        ".login",
        ".inputrc",
        ".config/fish",
        ".config/nushell",
        ".config/powershell",
        "profile.ps1",
        "microsoft.powershell_profile.ps1",
        ".xinitrc",
        ".xprofile",
        ".xsession",
        ".xsessionrc",
        ".pam_environment",
        ".config/environment.d",
    ),
    "keys": (".ssh", ".gnupg", ".aws", ".kube", ".docker", ".netrc", ".config/gcloud"),
    "editor": (
        ".vscode",
        ".vscode-server",
        ".cursor",
        ".idea",
        ".fleet",
        ".zed",
        ".vimrc",
        ".gvimrc",
        ".exrc",
        ".nvimrc",
        ".nvim.lua",
        ".vim",
        ".config/nvim",
        ".config/vim",
        ".config/helix",
        ".emacs",
        ".emacs.d",
        ".config/emacs",
        ".dir-locals.el",
        "*.code-workspace",
        ".devcontainer",
        ".devcontainer.json",
    ),
    "agent-tools": (
        ".mcp.json",
        ".claude",
        ".codex",
        ".gemini",
        ".llmspell",
        "llmspell.toml",
    ),
    "python-startup": (
        "conftest.py",
        "sitecustomize.py",
        "usercustomize.py",
        "*.pth",
        "pyvenv.cfg",
        ".pdbrc",
        ".pythonrc",
        ".pythonrc.py",
        ".pythonstartup",
        ".ipython",
        ".jupyter",
    ),
    "tool-config": (
        ".envrc",
        ".direnvrc",
        ".tool-versions",
        "mise.toml",
        ".mise.toml",
        ".npmrc",
        ".yarnrc",
        ".yarnrc.yml",
        ".pnpmfile.cjs",
        ".pypirc",
        "pip.conf",
        "pip.ini",
        ".config/pip",
        ".cargo/config",
        ".cargo/config.toml",
        ".gdbinit",
        ".lldbinit",
        ".gemrc",
        ".irbrc",
        ".pryrc",
        ".perldb",
        ".rprofile",
        ".julia/config",
        ".tmux.conf",
        ".screenrc",
        ".wgetrc",
        ".curlrc",
    ),
    "continuous-integration": (
        ".github/workflows",
        ".github/actions",
        ".gitlab-ci.yml",
        ".circleci",
        "azure-pipelines.yml",
        ".travis.yml",
        "jenkinsfile",
    ),
    "autostart": (
        ".config/autostart",
        ".config/systemd",
        ".local/share/systemd",
        ".local/share/applications",
        ".local/bin",
        "launchagents",
        "launchdaemons",
        "start menu",
        "*.desktop",
        ".crontab",
        ".config/plasma-workspace",
    ),
}


def fold(name: str) -> str:
    """The name as the most forgiving file system compares it (FS-36, FS-37).

    Case is folded, composed and decomposed accents are the same, and characters that some file
    systems ignore are dropped: `.G\\u200dit` is `.git`.
    """
    if name.isascii():
        return name.lower()
    import unicodedata

    shown = "".join(
        character
        for character in unicodedata.normalize("NFKC", name)
        if unicodedata.category(character) != "Cf"
    )
    # Folding can undo a composition (and the reverse), so the form is taken once more.
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", shown).casefold())


def fold_all(parts: tuple[str, ...]) -> tuple[str, ...]:
    """Every component folded."""
    return tuple(fold(part) for part in parts)


_Sequence = tuple[str, tuple[str | Glob, ...]]


def _compile() -> tuple[_Sequence, ...]:
    return tuple(
        (f"protected.{family}", tuple(compile_glob(part) for part in name.split("/")))
        for family, names in _NAMES.items()
        for name in names
    )


_Index = tuple[dict[str, list[_Sequence]], tuple[_Sequence, ...]]
_indexes: list[_Index] = []
"""The one index, once it was asked for: most runs write nothing, and each would pay for it."""


def _index() -> _Index:
    if _indexes:
        return _indexes[0]
    by_first_name: dict[str, list[_Sequence]] = {}
    wild: list[_Sequence] = []
    for rule, sequence in _compile():
        head = sequence[0]
        if isinstance(head, str):
            by_first_name.setdefault(head, []).append((rule, sequence))
        else:
            wild.append((rule, sequence))
    _indexes[:] = [(by_first_name, tuple(wild))]
    return _indexes[0]


def protected_rule(folded: tuple[str, ...]) -> str | None:
    """The rule that protects a folded path from being written, or None.

    A path that ends in the *beginning* of a protected name (`.github`, `.config`) is protected
    too: putting a whole folder there would bring the rest along.
    """
    by_first_name, wild = _index()
    for start, part in enumerate(folded):
        candidates: list[_Sequence] = [*by_first_name.get(part, ()), *wild]
        for rule, sequence in candidates:
            window = folded[start : start + len(sequence)]
            if all(matches(glob, name) for glob, name in zip(sequence, window, strict=False)):
                return rule
    return None


def protected_names() -> Mapping[str, tuple[str, ...]]:
    """Every protected name by family, for `explain` and the documentation."""
    return _NAMES
