"""The filter programs: compiled by libseccomp at build time, read as bytes at run time.

Every program kills on a foreign entry (32-bit calls, x32) and answers ENOSYS to clone3, whose flags
no filter can see; libc then falls back to clone (threats KX-01, KX-02, PR-13).
"""

from __future__ import annotations

import os
import struct

TYPE_CHECKING = False  # the build hook loads this file alone, outside the package

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any, Final

LEVELS: Final = ("low", "medium", "high")
KINDS: Final = ("native", "wasm")
ARCHITECTURES: Final = ("x86_64", "aarch64")

BUILT: Final = os.path.join(
    os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
    "sandboxes",
    "_built",
)
"""Where the build leaves native programs and filters."""

_programs: dict[str, tuple[tuple[int, ...], bytes]] = {}
"""Programs read before, by path, with what told the file apart from any other."""

_EPERM: Final = 1
_ENOSYS: Final = 38


_NUMBERS: Final = {
    "mount_setattr": 442,
    "quotactl_fd": 443,
    "landlock_create_ruleset": 444,
    "landlock_add_rule": 445,
    "landlock_restrict_self": 446,
    "memfd_secret": 447,
    "process_mrelease": 448,
    "set_mempolicy_home_node": 450,
}
"""Calls that an older libseccomp can't name; the numbers are the same on every machine."""

_FIRST_UNKNOWN: Final = 451
_X32: Final = 0x4000_0000


def _instruction(code: int, jump_true: int, jump_false: int, operand: int) -> bytes:
    return struct.pack("<HBBI", code, jump_true, jump_false, operand)


_REFUSE_NEWER: Final = (
    _instruction(0x20, 0, 0, 0)  # load the call's number
    + _instruction(0x35, 0, 2, _FIRST_UNKNOWN)
    + _instruction(0x35, 1, 0, _X32)  # x32 is for the program behind to kill
    + _instruction(0x06, 0, 0, 0x0005_0000 | _ENOSYS)
)
"""Before a deny-list: what was invented after the list was written does not exist (ENOSYS)."""


def file_name(level: str, kind: str, architecture: str) -> str:
    """The name of a program's file in the build's folder."""
    return f"seccomp-{level}-{kind}-{architecture}.bpf"


def program(level: str, kind: str, architecture: str | None = None) -> bytes:
    """The filter for a worker, ready for the kernel; b"" at level "none".

    Raises IsolationRefused when it was not built and can't be built here.
    """
    if level == "none":
        return b""
    wanted = file_name(level, kind, architecture or os.uname().machine)
    try:
        return _read(os.path.join(BUILT, wanted))
    except FileNotFoundError:
        pass
    try:
        return compile_program(level, kind, architecture or os.uname().machine)
    except (ImportError, OSError, KeyError, RuntimeError) as error:
        from llmspell.errors import IsolationRefused

        raise IsolationRefused(
            f"the system-call filter {wanted} is missing and can't be built here: {error}",
            hint="reinstall llmspell from a wheel, or install libseccomp and pyseccomp",
        ) from error


def _read(path: str) -> bytes:
    """The file's bytes: those read before, while it is the very same file, unchanged."""
    status = os.stat(path)
    mark = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    known = _programs.get(path)
    if known is not None and known[0] == mark:
        return known[1]
    with open(path, "rb") as file:
        content = file.read()
    _programs[path] = (mark, content)
    return content


def compile_program(level: str, kind: str, architecture: str) -> bytes:
    """Compiles one program with libseccomp. Raises KeyError for an unknown combination."""
    import pyseccomp

    tables = _tables()
    arches = {"x86_64": pyseccomp.Arch.X86_64, "aarch64": pyseccomp.Arch.AARCH64}
    refuse = pyseccomp.ERRNO(_EPERM)
    denies = level == "low"
    compiled = pyseccomp.SyscallFilter(pyseccomp.ALLOW if denies else refuse)
    wanted = arches[architecture]
    if pyseccomp.system_arch() != wanted:
        compiled.add_arch(wanted)
        compiled.remove_arch(pyseccomp.system_arch())
    compiled.set_attr(pyseccomp.Attr.ACT_BADARCH, pyseccomp.KILL_PROCESS)
    compiled.set_attr(pyseccomp.Attr.CTL_OPTIMIZE, 1 if denies else 2)
    _add(compiled, pyseccomp.ERRNO(_ENOSYS), "clone3", ())
    if denies:
        for call in tables.DENIED_ALWAYS:
            _add(compiled, refuse, call, ())
        for rule in tables.DENIED_WHEN:
            _add(compiled, refuse, rule.call, rule.when)
    else:
        for rule in tables.ALLOWED[level, kind]:
            _add(compiled, pyseccomp.ALLOW, rule.call, rule.when)
    return (_REFUSE_NEWER if denies else b"") + _exported(compiled)


def build_programs(out_dir: Path) -> None:
    """Writes every program for every machine into `out_dir`; called by the build hook."""
    os.makedirs(out_dir, exist_ok=True)
    for level in LEVELS:
        for kind in KINDS:
            for architecture in ARCHITECTURES:
                target = os.path.join(out_dir, file_name(level, kind, architecture))
                content = compile_program(level, kind, architecture)
                with open(target + ".new", "wb") as file:
                    file.write(content)
                os.replace(target + ".new", target)


def _tables() -> Any:
    """The tables; also when the build hook loads this file by its path, outside the package."""
    if __package__:
        from llmspell.platform.linux import seccomp_tables

        return seccomp_tables
    import importlib.util
    import sys

    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "seccomp_tables.py")
    spec = importlib.util.spec_from_file_location("llmspell_seccomp_tables", path)
    if spec is None or spec.loader is None:
        raise RuntimeError(f"{path} can't be loaded")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def _add(compiled: Any, action: int, call: str, when: tuple[Any, ...]) -> None:
    import pyseccomp

    number = pyseccomp.resolve_syscall(pyseccomp.system_arch(), call)
    if number == -1:
        number = _NUMBERS[call]
    arguments = [
        pyseccomp.Arg(test.argument, pyseccomp.MASKED_EQ, test.mask, test.value) for test in when
    ]
    compiled.add_rule(action, number, *arguments)


def _exported(compiled: Any) -> bytes:
    import tempfile

    with tempfile.TemporaryFile() as file:
        compiled.export_bpf(file)
        file.seek(0)
        return file.read()
