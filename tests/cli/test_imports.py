"""What a cold `llmspell run` imports: before its worker is on its way, and before the first output.

Every module is a tenth to three milliseconds of every cold command. A new one may have to be: then
it is added here, knowingly. What only some runs need is imported where they need it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.cli import import_lists as lists

PROGRAM: Final = """
import sys
sys.path[:] = {path!r}
bare = set(sys.modules)
found = {{}}
def note(event, args):
    if event == "os.posix_spawn":
        found.setdefault("start", sorted(set(sys.modules) - bare))
sys.addaudithook(note)
import os
from llmspell.cli import main, terminal
shown = terminal.TerminalSink.show
def show(self, stream, text):
    found.setdefault("output", sorted(set(sys.modules) - bare))
    shown(self, stream, text)
terminal.TerminalSink.show = show
code = main(["run", "--profile", {profile!r}, {spell!r}])
import json
os.write(2, json.dumps(found).encode())
os._exit(code)
"""


def imported(profile: str, folder: Path) -> dict[str, list[str]]:
    spell = folder / "one.lua"
    spell.write_text("print('hello')")
    path = [part for part in sys.path if part]
    program = PROGRAM.format(path=path, profile=profile, spell=str(spell))
    # Without `site` no startup file of this installation can hide what we import ourselves.
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "hello\n", done.stderr
    found: dict[str, list[str]] = json.loads(done.stderr)
    return found


@pytest.fixture(scope="module")
def medium(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    return imported("medium", tmp_path_factory.mktemp("imports"))


def ours(names: list[str]) -> list[str]:
    return [name for name in names if name.partition(".")[0] == "llmspell"]


def theirs(names: list[str]) -> set[str]:
    return {name for name in names if name.partition(".")[0] != "llmspell"}


def test_what_of_ours_is_imported_before_the_worker_starts(medium: dict[str, list[str]]) -> None:
    assert ours(medium["start"]) == sorted(lists.OURS_TO_START)


def test_what_of_ours_is_imported_before_the_first_output(medium: dict[str, list[str]]) -> None:
    assert ours(medium["output"]) == sorted((*lists.OURS_TO_START, *lists.OURS_TO_SHOW))


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="each Python splits its own otherwise")
def test_what_of_pythons_is_imported(medium: dict[str, list[str]]) -> None:
    assert theirs(medium["start"]) == set(lists.THEIRS_TO_START)
    assert theirs(medium["output"]) == {*lists.THEIRS_TO_START, *lists.THEIRS_TO_SHOW}


def test_no_profile_and_no_python_imports_much_more(
    medium: dict[str, list[str]], tmp_path: Path
) -> None:
    high = imported("high", tmp_path)
    for found in (medium, high):
        assert len(found["output"]) <= lists.MODULES_MAX
        assert not theirs(found["output"]) & lists.NEVER
