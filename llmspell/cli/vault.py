"""`llmspell vault`: the keys of encrypted state; which there are, and new ones for all of it."""

from __future__ import annotations

from llmspell.cli import choices
from llmspell.config.storage import load_storage
from llmspell.errors import UsageError
from llmspell.records import TYPE_CHECKING
from llmspell.spells.state.keeping import Keeping, open_vault

if TYPE_CHECKING:
    from typing import Any

    from llmspell.cli.flags import Chosen


def main(chosen: Chosen) -> int:
    """Shows or rotates. Returns the exit code. Raises `UsageError` where nothing is encrypted."""
    settings = load_storage()
    if not settings.encrypt:
        raise UsageError(
            "kept values are not encrypted, so there are no keys",
            hint="set encryption_enabled = true in [storage] of your llmspell.toml",
        )
    found: dict[str, Any]
    if chosen.action == "rotate":
        found = {"action": "rotate", **Keeping(settings, None, None).rotate()}
        words = (
            f"{found['resealed']} values in {found['stores']} stores are under a new key, "
            f"{found['retired']} old keys are gone"
        )
    else:
        vault = open_vault(settings)
        found = {"action": "status", **vault.describe()}
        words = (
            f"{found['path']}: {found['keys']} keys, the current one {found['age'] / 3600:.1f} h "
            f"old; {'under a passphrase' if found['passphrase'] else 'no passphrase'}"
        )
    if chosen.output == "json":
        choices.print_json(found)
    else:
        print(words)
    return 0
