"""The examples as `examples/examples.toml` lists them, and how one is run.

`python -m tests.examples.programs` rewrites every NAME.expected: read the difference before it is
committed.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from tests.examples.server import Server, serving

Ended = subprocess.CompletedProcess[bytes]
EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SECONDS = 90
"""More than the wall limit of `high`: a run that hangs is the program's own failure."""


class Example(NamedTuple):
    """One entry of the list."""

    spell: str
    profile: str
    grants: str
    flags: tuple[str, ...] = ()
    params: tuple[tuple[str, str], ...] = ()
    stdin: str | None = None
    server: bool = False
    creates: tuple[str, ...] = ()

    @property
    def expected(self) -> Path:
        """The file with its standard output."""
        return (EXAMPLES / self.spell).with_suffix(".expected")

    @property
    def asks(self) -> bool:
        """Whether it needs any grant."""
        return self.grants == "requested" or self.server


def examples() -> list[Example]:
    """Every entry, in the order of the file."""
    listed = tomllib.loads((EXAMPLES / "examples.toml").read_text("utf-8"))["example"]
    return [
        Example(
            entry["spell"],
            entry["profile"],
            entry["grants"],
            tuple(entry.get("flags", ())),
            tuple((name, str(value)) for name, value in entry.get("params", {}).items()),
            entry.get("stdin"),
            entry.get("server", False),
            tuple(entry.get("creates", ())),
        )
        for entry in listed
    ]


def copy_to(folder: Path) -> Path:
    """The examples in a place of their own, since some write."""
    return Path(shutil.copytree(EXAMPLES, folder / "examples"))


def command(words: Sequence[str], folder: Path, stdin: bytes = b"") -> Ended:
    """`llmspell WORDS`, from `folder`."""
    return subprocess.run(
        [sys.executable, "-m", "llmspell", *words],
        cwd=folder,
        input=stdin,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )


def run(
    example: Example, folder: Path, *, granted: bool = True, audit: Path | None = None
) -> Ended:
    """The example by the real command line; without its grants where `granted` is false."""
    with ExitStack() as stack:
        server = stack.enter_context(serving()) if example.server else None
        words = ["run", "--profile", example.profile]
        if granted:
            words += ["--grant-requested"] if example.grants == "requested" else []
            words += [_filled(flag, server) for flag in example.flags]
        words += [] if audit is None else ["--audit", str(audit)]
        words.append(example.spell)
        for name, value in example.params:
            words += ["--param", f"{name}={_filled(value, server)}"]
        stdin = b"" if example.stdin is None else (folder / example.stdin).read_bytes()
        return command(words, folder, stdin)


def _filled(text: str, server: Server | None) -> str:
    if server is None:
        return text
    return text.format(host=server.host, base=f"http://{server.host}")


def rewrite() -> None:
    """Runs everything and keeps what it printed."""
    for example in examples():
        with tempfile.TemporaryDirectory() as place:
            ended = run(example, copy_to(Path(place)))
        print(f"{example.spell}: exit code {ended.returncode}")
        sys.stderr.buffer.write(ended.stderr)
        example.expected.write_bytes(ended.stdout)


if __name__ == "__main__":
    rewrite()
