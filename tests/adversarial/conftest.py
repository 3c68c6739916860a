from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

import tests.attackers
from llmspell.supervisor.audit.verify import verify
from tests.adversarial.batches import batches
from tests.adversarial.proof import control
from tests.adversarial.targets import Targets
from tests.attackers import build
from tests.e2e.program import LONGEST, Orphanage, Program

__all__ = ["batches", "control"]
ATTACKERS = Path(tests.attackers.__file__).parent


@pytest.fixture(scope="session", autouse=True)
def built_attackers_are_removed() -> Iterator[None]:
    yield
    build.remove()


@pytest.fixture
def targets(tmp_path: Path) -> Iterator[Targets]:
    """Things that an attack would reach, all of this test's own."""
    with Targets(tmp_path / "targets") as made:
        yield made


Impostor = Callable[..., dict[str, Any]]


@pytest.fixture
def impostor(program: Program) -> Impostor:
    """Runs a spell with another program in the worker's place; its result."""

    def run(
        argv: list[str],
        refused: str = "",
        around: Sequence[str] = (),
        inherited: Sequence[int] = (),
        **order: Any,
    ) -> dict[str, Any]:
        wrapper = [sys.executable, str(ATTACKERS / "refusing.py"), refused, "--"]
        before = program.litter()
        with Orphanage() as orphans:
            done = subprocess.run(
                [
                    *around,
                    *(wrapper if refused else ()),
                    sys.executable,
                    str(ATTACKERS / "impostor.py"),
                    json.dumps({"argv": argv, "audit": "impostor.jsonl", **order}),
                ],
                cwd=program.folder,
                env=program.place.environ,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=LONGEST,
                pass_fds=inherited,
            )
            assert done.returncode == 0, done.stderr[-3000:]
            left = orphans.left()
        result: dict[str, Any] = json.loads(done.stdout)
        assert not left, (left, result)
        assert program.litter() == before
        assert result["leaked"] <= 2, "descriptors; the compiled guest and its image are kept"
        record = program.folder / "impostor.jsonl"
        assert verify(record).ok, verify(record)
        result["records"] = [json.loads(line) for line in record.read_text().splitlines()]
        record.unlink()
        return result

    return run
