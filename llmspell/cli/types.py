"""`llmspell types`: what an editor needs to know of the script API."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from llmspell.cli.terminal import escaped
from llmspell.errors import UsageError
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api import editors

if TYPE_CHECKING:
    from llmspell.cli.flags import Chosen


def main(chosen: Chosen) -> int:
    """Writes one file a language, or prints one. Returns the exit code. Raises `UsageError`."""
    languages = [chosen.language] if chosen.language else list(editors.FILES)
    if chosen.language and chosen.language not in editors.FILES:
        raise UsageError(
            f"there is no language {chosen.language!r}", hint=f"one of {', '.join(editors.FILES)}"
        )
    if chosen.output == "-":
        if len(languages) > 1:
            raise UsageError("one language at a time can be printed", hint="add --language NAME")
        print(editors.render(languages[0]), end="")
        return 0
    folder = Path(chosen.output)
    for language in languages:
        path = folder / editors.FILES[language]
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _put(path, editors.render(language))
        except OSError as error:
            raise UsageError(f"can't write {path}: {error.strerror}") from None
        print(escaped(str(path)) if sys.stdout.isatty() else path)
    return 0


def _put(path: Path, text: str) -> None:
    """Puts a whole file in its place. A link there is replaced, never followed: the folder may be
    somebody's project, and what its links lead to is the user's."""
    fresh = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        with open(fresh, "x", encoding="utf-8") as file:
            file.write(text)
        os.rename(fresh, path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise
