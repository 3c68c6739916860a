"""The command ends at once only where nothing waits for the interpreter's own end."""

from __future__ import annotations

import os
import subprocess
import sys

COMMAND = """
from llmspell.cli import main
import sys
sys.argv[1:] = ["--version"]
sys.exit(main())
"""
BUFFERED = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
MARK = """
class Mark:
    def __del__(self): print("torn down")
mark = Mark()
"""


def ended(before: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", f"{before}\n{COMMAND}"], capture_output=True, text=True, timeout=30
    )


def test_it_does_not_wait_for_the_interpreter() -> None:
    done = ended(MARK)
    assert done.returncode == 0
    assert done.stdout.startswith("llmspell ") and "torn down" not in done.stdout


def test_whoever_registered_for_the_end_gets_it() -> None:
    done = ended(f"import atexit\natexit.register(print, 'at exit')\n{MARK}")
    assert done.returncode == 0
    assert "at exit" in done.stdout and "torn down" in done.stdout


def test_a_thread_that_runs_is_waited_for() -> None:
    done = ended(
        "import threading, time\n"
        "def late():\n    time.sleep(0.2)\n    print('thread done')\n"
        "threading.Thread(target=late).start()"
    )
    assert done.returncode == 0
    assert "thread done" in done.stdout


def test_a_tracer_is_not_cut_off() -> None:
    tracer = "import os, sys\nos._exit = lambda code: print('at once')\n"
    assert "at once" in ended(tracer).stdout
    assert "at once" not in ended(f"{tracer}sys.settrace(lambda *_: None)").stdout
    assert "at once" not in ended(f"{tracer}sys.setprofile(lambda *_: None)").stdout


def test_words_that_nobody_reads_fail_as_python_says_it() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [sys.executable, "-c", COMMAND],
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            env=BUFFERED,
        )
    finally:
        os.close(writer)
    assert done.returncode == 120
    assert "BrokenPipeError" in done.stderr


def test_main_with_words_returns() -> None:
    from llmspell.cli import main

    assert main(["run", "/no/such/spell.lua"]) == 2
