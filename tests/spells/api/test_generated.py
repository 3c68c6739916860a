"""The generated preludes are what the parts and the description say."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

from llmspell.spells.api import generate

FOLDER = generate.SOURCES / "_generated"


def test_generated_files_are_fresh() -> None:
    for name, text in generate.files().items():
        assert (FOLDER / name).read_text("utf-8") == text, f"stale: run {generate.__file__}"


def test_nothing_else_lies_there() -> None:
    assert {path.name for path in FOLDER.iterdir() if path.is_file()} == set(generate.files())


def test_every_part_is_listed() -> None:
    for language, parts in generate.PARTS.items():
        suffix = generate.SUFFIXES[language]
        there = {path.stem for path in (generate.SOURCES / language).glob(f"*.{suffix}")}
        late = set(generate.LATE_PARTS) if language == "javascript" else set()
        assert not late & set(parts)
        assert there == (set(parts) | late) - {"*api"}


def test_it_runs_as_a_script_outside_the_package(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-I", generate.__file__, str(tmp_path)], capture_output=True, check=True
    )
    assert done.stdout.count(b"wrote") == len(generate.files())
    assert {path.name for path in tmp_path.iterdir()} == set(generate.files())


def test_the_python_prelude_imports_only_the_standard_library() -> None:
    tree = ast.parse((FOLDER / "prelude.py").read_text("utf-8"))
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        for name in names:
            assert name.split(".")[0] in sys.stdlib_module_names
