"""What a figure was measured on: machine, kernel, versions, date."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import llmspell
from bench.peers import program
from bench.rounds import Unavailable

PACKAGES = (
    "pydantic-monty",
    "quickjs-rs",
    "sandlock",
    "llm-sandbox",
    "wasmtime",
    "lupa",
    "quickjs-ng",
    "uvloop",
)
PROGRAMS = {"node": "--version", "deno": "--version", "bwrap": "--version", "runsc": "--version"}


def facts() -> dict[str, str]:
    """Machine, system, date and commit, in words."""
    return {
        "machine": f"{_cpu()}, {os.cpu_count()} cores, {_memory()}",
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "llmspell": f"{llmspell.__version__}{_commit()}",
        "user": "root" if os.geteuid() == 0 else "an ordinary user",
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def load() -> float:
    """Processes that ran or waited in the last minute, on average."""
    return os.getloadavg()[0]


def versions() -> dict[str, str]:
    """The peers' versions; what is not installed says so."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    for name, flag in PROGRAMS.items():
        try:
            done = subprocess.run([program(name), flag], capture_output=True, text=True, timeout=20)
            found[name] = done.stdout.split("\n")[0].removeprefix("v") or "unknown"
        except (Unavailable, OSError, subprocess.SubprocessError):
            found[name] = "not installed"
    return found


def _cpu() -> str:
    for line in _lines("/proc/cpuinfo"):
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _memory() -> str:
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemTotal"):
            return f"{int(line.split()[1]) / 1024 / 1024:.0f} GiB"
    return "unknown memory"


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text("utf-8").splitlines()
    except OSError:
        return []


def _commit() -> str:
    root = Path(__file__).resolve().parent.parent
    git = shutil.which("git")
    if git is None or not (root / ".git").exists():
        return ""
    words = [git, "-C", str(root), "describe", "--always", "--dirty", "--exclude=*"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=20, check=False)
    return f" ({done.stdout.strip()})" if done.returncode == 0 else ""


if __name__ == "__main__":
    for name, value in {**facts(), **versions()}.items():
        sys.stdout.write(f"{name}: {value}\n")
