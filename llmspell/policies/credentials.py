"""Names of credentials that lie in folders people work in: used only when a grant names them.

`--allow-read .` in a home folder, or a spell that lies in one, was never meant to hand out keys.
"""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Final

_SECRETS: Final = (
    ".ssh",
    ".gnupg",
    ".aws",
    ".azure",
    ".kube",
    ".docker/config.json",
    ".config/gcloud",
    ".config/gh",
    ".config/op",
    ".netrc",
    "_netrc",
    ".git-credentials",
    ".pgpass",
    ".my.cnf",
    ".pypirc",
    ".npmrc",
    ".password-store",
    ".vault-token",
    ".local/share/keyrings",
    ".mozilla",
    ".config/google-chrome",
    ".config/chromium",
    ".bash_history",
    ".zsh_history",
    ".env",
    ".env.local",
    ".env.production",
)
"""Credentials that lie in folders people work in: read only when a grant names them."""

_SECRET_BY_FIRST_NAME: Final = {
    sequence[0]: [
        other for other in (tuple(name.split("/")) for name in _SECRETS) if other[0] == sequence[0]
    ]
    for sequence in (tuple(name.split("/")) for name in _SECRETS)
}


def secret_depth(folded: tuple[str, ...]) -> int | None:
    """How many components of a folded path lead to the first credential in it, or None."""
    for start, part in enumerate(folded):
        for sequence in _SECRET_BY_FIRST_NAME.get(part, ()):
            if folded[start : start + len(sequence)] == sequence:
                return start + len(sequence)
    return None
