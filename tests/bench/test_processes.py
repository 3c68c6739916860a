"""What the benchmarks see of processes, and that a run came the way its row says."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import llmspell
from bench import ours
from bench.echo import round_trips_us
from bench.peers import package, program
from bench.place import own_place
from bench.processes import (
    command_ms,
    descendants,
    end_tree,
    first_output_ms,
    memory_of,
    spoken,
    trees,
)
from bench.rounds import Unavailable

SPEAKS = [sys.executable, "-I", "-S", "-c", "print('x', flush=True)\nwhile True: pass"]


def test_a_command_is_timed_to_its_end_and_a_failing_one_is_no_figure() -> None:
    assert command_ms([sys.executable, "-I", "-S", "-c", "pass"]) > 0
    with pytest.raises(Unavailable, match="3"):
        command_ms([sys.executable, "-I", "-S", "-c", "import os; os._exit(3)"])


def test_first_output_ends_what_it_started() -> None:
    before = set(descendants(os.getpid()))
    assert first_output_ms(SPEAKS) > 0
    with pytest.raises(Unavailable, match="without a word"):
        first_output_ms([sys.executable, "-I", "-S", "-c", "pass"])
    assert set(descendants(os.getpid())) <= before


def test_a_tree_is_found_read_and_ended() -> None:
    child = f"import subprocess, sys; subprocess.run({SPEAKS!r})"
    with spoken([sys.executable, "-I", "-c", child]) as pid:
        (below,) = descendants(pid)
        assert trees([below, pid]) == [sorted([pid, below])]
        assert sorted(trees([below])) == [[below]]
        memory = memory_of([pid, below])
        assert memory.pss > 0
        assert memory.uss > 0
        end_tree(pid)
    assert not Path(f"/proc/{pid}").exists()
    assert memory_of([pid]) == (0, 0), "what has ended holds nothing"


def test_the_bare_echo_gives_every_round_trip() -> None:
    spent = round_trips_us(5, size=100_000)
    assert len(spent) == 5
    assert min(spent) > 0


def test_what_is_not_installed_is_said() -> None:
    with pytest.raises(Unavailable, match="no-such-program is not installed"):
        program("no-such-program")
    with pytest.raises(Unavailable, match="no_such_package"):
        package("no_such_package")


def test_own_place_leaves_nothing_behind() -> None:
    stood, state = os.getcwd(), os.environ.get("XDG_STATE_HOME")
    with own_place() as folder:
        assert Path(os.getcwd()) == folder
        assert os.environ["XDG_STATE_HOME"].startswith(str(folder.parent))
    assert not folder.exists()
    assert (os.getcwd(), os.environ.get("XDG_STATE_HOME")) == (stood, state)


def test_a_run_is_held_to_the_way_its_row_names() -> None:
    spell = ours.spell("lua", "return 1")
    with own_place(), ours.ours() as host:
        host.supervisor("exec")
        result = host.run(host.supervisor("exec").run(spell, profile="medium"))
        assert ours.value_of(result) == 1
        ours.came_by(result, "exec")
        with pytest.raises(Unavailable):
            ours.came_by(result, "forked")


def test_a_run_that_ends_badly_gives_no_value() -> None:
    with own_place(), ours.ours() as host:
        run = host.supervisor("exec").run(ours.spell("lua", "error('no')"), profile="medium")
        with pytest.raises(Unavailable, match="spell_error"):
            ours.value_of(host.run(run))


def test_a_supervisor_without_zygotes_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    class Old:
        def __init__(self) -> None:
            """As it was once."""

    monkeypatch.setattr(llmspell, "Supervisor", Old, raising=False)
    with ours.ours() as host, pytest.raises(Unavailable, match="no zygotes and no spares"):
        host.supervisor("forked")


def test_the_front_door_runs_as_a_program() -> None:
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "bench"], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "throughput" in done.stdout
