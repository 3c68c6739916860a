"""Commands and spells in the pages run and print what is shown; links and generated pages hold."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, Block, blocks, commands, fits, pages

SECONDS = 120
SETTING_UP = {"README.md": 2, "CONTRIBUTING.md": None}
"""Pages whose bash blocks install or test the whole project, and how many the page may have."""

INSTALL = (
    "python3 -m venv .venv && .venv/bin/pip install . && "
    ".venv/bin/llmspell run --profile high examples/basic/hello_world.lua"
)


class Place:
    """A folder like `examples/`, with `llmspell` and `python` on the path."""

    def __init__(self, folder: Path) -> None:
        self.folder = Path(shutil.copytree(ROOT / "examples", folder / "examples"))
        programs = folder / "bin"
        programs.mkdir()
        for name, words in (("llmspell", "-m llmspell "), ("python", "")):
            program = programs / name
            program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {words}"$@"\n')
            program.chmod(0o755)
        self.environment = {
            **os.environ,
            "PATH": f"{programs}:{os.environ.get('PATH', '/usr/bin:/bin')}",
            "XDG_STATE_HOME": str(folder / "state"),
            "XDG_CONFIG_HOME": str(folder / "config"),
            "PYTHONUNBUFFERED": "1",
        }

    def run(self, words: str, cwd: Path | None = None) -> tuple[int, str]:
        """Exit code and everything printed, in the order it was."""
        done = subprocess.run(
            ["/bin/sh", "-c", words],
            cwd=cwd or self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=SECONDS,
            check=False,
        )
        lines = done.stdout.decode().splitlines(keepends=True)
        kept = [line for line in lines if not re.match(r"llmspell: compiling the \w+ guest", line)]
        return done.returncode, "".join(kept)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def named(page: str) -> dict[str, str]:
    """The files that a page's blocks make, by name."""
    return {block.file_name: block.text for block in blocks(page) if block.file_name is not None}


def with_commands(language: str) -> list[str]:
    return [page for page in pages() if any(block.language == language for block in blocks(page))]


@pytest.mark.parametrize("page", with_commands("console"))
def test_console_blocks_print_what_they_show(page: str, place: Place) -> None:
    for name, text in named(page).items():
        (place.folder / name).write_text(text, "utf-8")
    for block in blocks(page):
        if block.language != "console":
            continue
        for command in commands(block):
            _, printed = place.run(command.words)
            assert fits(command.output, printed), (
                f"{page}:{block.line}: $ {command.words}\nshown:\n{command.output}\n"
                f"printed:\n{printed}"
            )


@pytest.mark.parametrize("page", [page for page in with_commands("bash") if page not in SETTING_UP])
def test_bash_blocks_run(page: str, place: Place) -> None:
    for block in blocks(page):
        if block.language == "bash":
            for line in block.text.splitlines():
                code, printed = place.run(line)
                assert code == 0, f"{page}:{block.line}: {line}\n{printed}"


PROGRAMS = ("lua", "js", "python")


@pytest.mark.parametrize("page", pages())
def test_every_shown_program_is_run(page: str) -> None:
    shown = [command.words for block in blocks(page) for command in commands(block)]
    programs = "\n".join([*shown, *named(page).values()])
    for block in blocks(page):
        if block.language in PROGRAMS:
            assert block.file_name, f"{page}:{block.line}: no file name in the first comment"
            uses = len(re.findall(rf"(?<![\w.]){re.escape(block.file_name)}", programs))
            assert uses > 1, f"{page}:{block.line}: {block.file_name} is never run"


def toml(page: str) -> list[Block]:
    return [block for block in blocks(page) if block.language == "toml"]


@pytest.mark.parametrize("page", [page for page in pages() if toml(page)])
def test_shown_policies_and_settings_are_accepted(page: str, place: Place) -> None:
    for block in toml(page):
        file = place.folder / "shown.toml"
        file.write_text(block.text, "utf-8")
        if "[security]" in block.text:
            words = f"LLMSPELL_CONFIG_PATH={file} llmspell explain"
        else:
            words = f"llmspell explain --policy {file}"
        code, printed = place.run(words)
        assert code == 0, f"{page}:{block.line}: {printed}"
        file.write_text(f"{block.text}\nnonsense = 1\n", "utf-8")
        code, printed = place.run(words)
        assert code == 2, f"{page}:{block.line}: a wrong key passed\n{printed}"


def bash(page: str) -> list[Block]:
    return [block for block in blocks(page) if block.language == "bash"]


def test_readme_begins_with_the_two_commands(place: Place) -> None:
    first, second = bash("README.md")
    assert first.text.strip() == INSTALL
    assert second.text.strip() == "./scripts/test"
    assert os.access(ROOT / "scripts/test", os.X_OK)
    # The installed program's part of the first one; the rest is done by every fresh set-up.
    words = INSTALL.rpartition("&& ")[2].replace(".venv/bin/", "")
    code, printed = place.run(words, place.folder.parent)
    assert code == 0, printed
    expected = (ROOT / "examples/basic/hello_world.expected").read_text("utf-8")
    assert printed == expected


@pytest.mark.parametrize("page", SETTING_UP)
def test_setting_up_names_programs_that_are_there(page: str) -> None:
    for block in bash(page):
        subprocess.run(["bash", "-n", "-c", block.text], check=True, timeout=SECONDS)
        for line in block.text.splitlines():
            program = next(word for word in shlex.split(line, comments=True) if "=" not in word)
            if "scripts/" in program:
                assert os.access(ROOT / program, os.X_OK), f"{page}:{block.line}: {program}"


@pytest.mark.parametrize("page", pages())
def test_links_lead_to_files_that_are_there(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    for target in re.findall(r"\]\(([^)\s#]+)[^)]*\)", re.sub(r"`[^`\n]*`", "", text)):
        if "://" not in target:
            assert ((ROOT / page).parent / target).exists(), f"{page}: {target}"


def test_every_page_of_the_reference_is_linked_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    missing = [page for page in pages() if page not in readme and page != "README.md"]
    assert missing == []


def test_generated_pages_are_fresh() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "docs/generate.py"), "--check"],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("shown", "printed", "fitting"),
    [
        ("a\n", "a\n", True),
        ("a\n", "a\nb\n", False),
        ("head …\n", "head 12ab\n", True),
        ("…\nend\n", "one\ntwo\nend\n", True),
        ("--limit wall=…\n", "--limit wall=…\n", True),
    ],
)
def test_shown_output_is_compared(shown: str, printed: str, fitting: bool) -> None:
    assert fits(shown, printed) is fitting
