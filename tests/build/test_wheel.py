"""The wheel in an empty place: no compiler, no /proc, an ordinary user, somebody else's prefix."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
PYTHON = Path("/usr/bin/python3")
NOBODY = 65534
SPELLS = {"one.lua": "return 1", "one.js": "return 1", "one.py": "1"}
BOOT = """
import os, sys
os.environ.update(HOME="/home/u"); os.chdir("/home/u"); sys.path.insert(0, "/opt/site")
from llmspell.cli import main
sys.exit(main(sys.argv[1:]))
"""

pytestmark = pytest.mark.skipif(
    not (ROOT / "hatch_build.py").exists(), reason="the wheel is made from a checkout"
)


def run(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps")
    run(*pip, "--wheel-dir", folder, ROOT)
    (found,) = folder.glob("*.whl")
    return found


def test_the_wheel_runs_on_glibc_2_28(wheel: Path) -> None:
    assert wheel.name.endswith("-py3-none-manylinux_2_28_x86_64.whl")
    text = run(sys.executable, "-m", "auditwheel", "show", wheel)
    versions = [tuple(map(int, found)) for found in re.findall(r"GLIBC_(\d+)\.(\d+)", text)]
    assert versions and max(versions) <= (2, 28)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="git says which files are the source")
def test_a_wheel_made_elsewhere_is_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    """SECURITY.md: how to verify a release. Another folder, other times, git's files only."""
    copy = tmp_path / "copy"
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files", "-z"], capture_output=True, text=True, check=True
    )
    for name in filter(None, listed.stdout.split("\0")):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, copy / name)
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation")
    run(*pip, "--wheel-dir", tmp_path, copy)
    assert (tmp_path / wheel.name).read_bytes() == wheel.read_bytes()


def test_the_wheel_holds_no_source_of_others_and_all_of_ours(wheel: Path) -> None:
    names = run(sys.executable, "-m", "zipfile", "--list", wheel)
    for part in (
        "llmspell-worker",
        "llmspell-launch",
        "libconfine.so",
        "lua.wasm",
        "quickjs.wasm",
        "python.wasm",
    ):
        assert f"_built/{part}" in names
    assert not re.search(r"quickjs\.c|lapi\.c|\.cwasm", names)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can chroot")
def test_the_wheel_runs_high_in_a_bare_chroot(wheel: Path, tmp_path: Path) -> None:
    root = tmp_path / "root"
    bare_root(root)
    site = root / "opt" / "site"
    install = (sys.executable, "-m", "pip", "install", "--quiet", "--target", site)
    run(*install, wheel)
    assert not any((root / "usr" / "bin").glob("*cc*"))
    for name, text in SPELLS.items():
        (root / "home" / "u" / name).write_text(text)
    tmp_path.chmod(0o755)
    for name in SPELLS:
        done = subprocess.run(
            ["chroot", f"--userspec={NOBODY}:{NOBODY}", root, PYTHON, "-c", BOOT,
             "run", "--profile", "high", name],
            capture_output=True, text=True, timeout=120, env={"PATH": "/usr/bin:/usr/sbin:/bin"},
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr
    left = {path.name for path in (root / "tmp").iterdir()}
    assert not left


def bare_root(root: Path) -> None:
    """A root folder with an interpreter, what it links to, and nothing else."""
    for folder in ("usr/bin", "usr/lib", "tmp", "dev", "home/u", "opt/site"):
        (root / folder).mkdir(parents=True)
    (root / "tmp").chmod(0o1777)
    shutil.copy(PYTHON.resolve(), root / "usr" / "bin" / "python3")
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    library = Path("/usr/lib") / version
    if not library.is_dir():
        pytest.skip(f"the distribution has no {version}")
    shutil.copytree(
        library,
        root / "usr" / "lib" / version,
        ignore=shutil.ignore_patterns("config-*", "test", "__pycache__"),
    )
    modules = [str(path) for path in (library / "lib-dynload").glob("*.so")]
    listed = subprocess.run(
        ["ldd", str(PYTHON.resolve()), *modules], capture_output=True, text=True
    ).stdout
    more = ("libgcc_s.so.1", "libm.so.6", "libdl.so.2", "libpthread.so.0", "librt.so.1")
    needed = set(re.findall(r"(/\S+\.so\S*)(?= \(0x)", listed))
    needed |= {str(path) for path in Path("/lib").glob("*-linux-gnu/*") if path.name in more}
    for path in sorted(needed):
        place = root / path.lstrip("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)
    for name, minor in (("null", 3), ("urandom", 9)):
        os.mknod(root / "dev" / name, 0o666 | 0o020000, os.makedev(1, minor))
        (root / "dev" / name).chmod(0o666)
    os.chown(root / "home" / "u", NOBODY, NOBODY)
