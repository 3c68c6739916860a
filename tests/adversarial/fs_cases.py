"""The ways around a path rule as a table: acts with what they must come to, and their twins.

All of it happens in one arena (`make_arena`): the spell stands in `work`, `proj` is granted,
`ro` may be read, and nothing else may be touched. `{p}` stands for the profile.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any, Final, NamedTuple

from tests.adversarial.fs_acts import Act

POLICY: Final = """
extends = "{profile}"
[files]
read = ["../proj", "../ro"]
write = ["../proj"]
deny_read = [{denied}]
deny_write = [{denied}, "../proj/kept"]
"""
DENIED: Final = ("../proj/deny", "../proj/Secret-Folder", "../proj/caf\u00e9")

Expected = tuple[Act, str]
R: Final = "denied {p}.files.read"
W: Final = "denied {p}.files.write"
DENY: Final = "denied {p}.files.deny-"


class Case(NamedTuple):
    """`ids` and words; acts with what they come to; the same acts where they must work."""

    name: str
    acts: tuple[Expected, ...]
    controls: tuple[Act, ...]


def looked_at(path: str, expected: str) -> tuple[Expected, ...]:
    """Every act that looks, with one expectation."""
    return tuple(((name, path), expected) for name in ("read", "list", "stat"))


def changed(path: str, expected: str) -> tuple[Expected, ...]:
    """Every act that changes something, with one expectation."""
    return (
        (("write", path, "x"), expected),
        (("write", path, "x", {"create_parents": True}), expected),
        (("append", path, "x"), expected),
        (("mkdir", path), expected),
        (("mkdir", path, {"parents": True}), expected),
        (("remove", path), expected),
        (("remove", path, {"recursive": True}), expected),
        (("move", path, "../proj/stolen"), expected),
        (("move", "../proj/in.txt", path), expected),
    )


def reached(*paths: str, read: str = R, write: str = W) -> tuple[Expected, ...]:
    """Every act on every path."""
    return tuple(item for path in paths for item in (*looked_at(path, read), *changed(path, write)))


def touched(*paths: str, read: str = R, write: str = W) -> tuple[Expected, ...]:
    """One act of each kind on every path: where what counts is the path."""
    return tuple(
        item
        for path in paths
        for item in (
            (("read", path), read),
            (("stat", path), read),
            (("append", path, "x"), write),
            (("move", path, "../proj/stolen"), write),
        )
    )


def misspelled(*paths: str) -> tuple[Expected, ...]:
    """Every act on what is no path: refused before anything is looked at."""
    return touched(*paths, read="validation", write="validation")


DOTS: Final = (
    "../outside.txt", "../proj/../outside.txt", "../proj/./../outside.txt",
    "../proj/x/../../outside.txt", "../proj//..//outside.txt",
    "../proj/sub/../../../../../etc/passwd",
    "/etc/../etc/passwd",
)  # fmt: skip
ABOVE_A_ROOT: Final = ("spell:../outside.txt", "workspace:../x", "scratch:../x", "spell:a/../../x")
KERNEL: Final = (
    "/proc/self/root/etc/passwd", "/proc/self/cwd/outside.txt", "/proc/self/exe",
    "/proc/self/fd/3", "/proc/self/environ", "/proc/thread-self/root/etc/passwd",
)  # fmt: skip
KERNEL_FILES: Final = (
    "/proc/kcore", "/proc/./kcore", "/proc//kcore", "/proc/sysrq-trigger", "/proc/./sysrq-trigger",
    "/proc/sys/kernel/core_pattern", "/proc/sys/../sys//kernel/core_pattern", "/sys/kernel",
)  # fmt: skip
DEVICES: Final = ("/dev/sda", "/dev/mem", "/dev/kmsg", "/dev/tty", "/dev/zero", "/dev/fd/0")
WINDOWS: Final = (
    "C:x", "C:/x", "c:\\x", "\\\\?\\C:\\x", "//server/share/x", "\\\\.\\pipe\\x", "PROGRA~1",
    "../proj/in.txt.", "../proj/in.txt ", "../proj/CON", "../proj/con.txt", "../proj/COM\u00b9",
    "../proj/in.txt::$DATA", "../proj/in.txt:stream", "..\\outside.txt",
)  # fmt: skip
PROTECTED: Final = (
    ".git/hooks/pre-commit", ".git/config", ".bashrc", ".profile", ".zshrc", ".vscode/tasks.json",
    ".mcp.json", "conftest.py", "sitecustomize.py", "evil.pth", "sub/.git/hooks/x",
    "sub/conftest.py", ".ssh/authorized_keys", ".config/fish/config.fish", "llmspell.toml",
)  # fmt: skip
FOLDED: Final = (
    ".GIT/hooks/x", ".g\u200dit/config", "\uff0egit/config", ".ba\u017fhrc", "CONFTEST.PY",
    "conf\u200btest.py", "Evil.PTH", ".\u202egit/hooks/x", ".Vscode/tasks.json",
)  # fmt: skip


def protected(*names: str) -> tuple[Expected, ...]:
    """Writing, appending, making and moving to each name."""
    return tuple(
        (act, "denied protected.")
        for name in names
        for act in (
            ("write", f"../proj/{name}", "x"),
            ("append", f"../proj/{name}", "x"),
            ("mkdir", f"../proj/{name}"),
            ("move", "../proj/in.txt", f"../proj/{name}"),
        )
    )


CASES: Final = (
    Case(
        "FS_01_dots",
        (
            *reached(*DOTS[:2]),
            *touched(*DOTS[2:]),
            *misspelled(*ABOVE_A_ROOT),
            # The record of the run lies below, so these would take it along.
            *reached("..", write="denied protected.llmspell"),
            *touched("../", "../..", write="denied protected.llmspell"),
        ),
        (("read", "../proj/sub/../in.txt"), ("append", "../proj/./sub/..//log.txt", "x")),
    ),
    Case(
        "FS_02_nul",
        misspelled("../proj/in.txt\0.png", "\0", "../proj/\0/in.txt", "../proj/in.txt\0"),
        (("read", "../proj/in.txt"), ("append", "../proj/log.txt", "x")),
    ),
    Case(
        "FS_03_absolute_link",
        (
            (("read", "../proj/absolute"), R),
            (("list", "../proj/absolute-folder"), R),
            (("read", "../proj/absolute-folder/s.txt"), R),
            (("append", "../proj/absolute", "x"), W),
            (("write", "../proj/absolute", "x"), W),
            (("stat", "../proj/absolute"), R),
            (("write", "../proj/absolute-folder/new", "x"), W),
            (("write", "../proj/dangling", "x"), W),
        ),
        (("read", "../proj/within"), ("write", "../proj/dangling-within", "x")),
    ),
    Case(
        "FS_04_relative_and_chained_links",
        (
            *(
                item
                for name in ("relative", "chain", "chain2", "folder/s.txt", "sub/up/outside.txt")
                for item in reached(f"../proj/{name}")[:5]
            ),
            (("read", "../proj/self"), "links"),
            (("read", "../proj/maze0"), "links"),
            (("read", "../proj/to-deny/d.txt"), DENY),
            (("write", "../proj/to-deny/d.txt", "x"), DENY),
        ),
        (("read", "../proj/chain-within"), ("read", "../proj/to-sub/deep.txt")),
    ),
    Case(
        "FS_08_moves_of_a_denied_name",
        (
            (("move", "../proj/deny/d.txt", "../proj/free.txt"), DENY),
            (("move", "../proj/deny", "../proj/free"), DENY),
            (("move", "../proj/holder", "../proj/free"), "denied protected.git"),
            (("move", "../proj", "../proj2"), DENY),
            (("move", "../proj/kept/k.txt", "../proj/free.txt"), DENY),
            (("write", "../proj/kept/k.txt", "x"), DENY),
            (("remove", "../proj/holder", {"recursive": True}), "denied protected.git"),
            (("remove", "../proj/kept", {"recursive": True}), DENY),
        ),
        (("move", "../proj/loose", "../proj/moved"), ("move", "../proj/moved", "../proj/loose")),
    ),
    Case(
        "FS_09_hard_link",
        (
            (("write", "../proj/hard", "x"), "denied files.hard-link"),
            (("append", "../proj/hard", "x"), "denied files.hard-link"),
            (("move", "../proj/hard", "../proj/soft"), "denied files.hard-link"),
        ),
        (("append", "../proj/log.txt", "x"), ("write", "../proj/log.txt", "x")),
    ),
    Case(
        "FS_11_rename_over",
        (
            (("move", "../proj/in.txt", "../proj/deny/d.txt"), DENY),
            (("move", "../proj/in.txt", "../proj/kept/k.txt"), DENY),
            (("move", "../proj/loose", "../proj/deny"), DENY),
            (("move", "../proj/in.txt", "../ro/r.txt"), W),
            (("move", "../proj/in.txt", "../proj/other.txt"), "exists"),
        ),
        (("move", "../proj/tomove", "../proj/t2"), ("move", "../proj/t2", "../proj/tomove")),
    ),
    Case(
        "FS_12_read_only",
        (*changed("../ro/r.txt", W), *changed("../ro/new.txt", W), *changed("../ro", W)),
        (("read", "../ro/r.txt"), ("write", "../proj/log.txt", "")),
    ),
    Case(
        "FS_14_proc_self",
        (*touched(*KERNEL), (("read", "../proj/magic/etc/passwd"), R),
         (("read", "../proj/magic-fd/3"), R)),
        (("read", "../proj/within"),),
    ),
    Case("FS_16_kernel_files", touched(*KERNEL_FILES), (("read", "../proj/in.txt"),)),
    Case(
        "FS_17_other_processes",
        touched("/proc/self/mountinfo", "/proc/1/cmdline", "/proc/self/maps", "/proc/1/environ"),
        (("read", "../proj/in.txt"),),
    ),
    Case(
        "FS_23_fifo",
        (
            (("read", "../proj/fifo"), "not_a_file"),
            (("append", "../proj/fifo", "x"), "not_a_file"),
            (("write", "../proj/fifo", "x"), "not_a_file"),
            (("list", "../proj/fifo"), "not_a_directory"),
        ),
        (("read", "../proj/in.txt"),),
    ),
    Case(
        "FS_24_devices_and_sockets",
        (
            *touched(*DEVICES),
            (("read", "../proj/socket"), "not_a_file"),
            (("append", "../proj/socket", "x"), "not_a_file"),
            (("write", "../proj/socket", "x"), "not_a_file"),
        ),
        (("read", "../proj/in.txt"),),
    ),
    Case(
        "FS_29_code_later",
        (
            *protected(*PROTECTED),
            (("mkdir", "../proj/sub/.git"), "denied protected.git"),
            (("move", "../proj/loose", "../proj/.github"), "denied protected."),
            (("move", "../proj/loose", "../proj/.config"), "denied protected."),
            # By another name: what counts is where the links lead.
            (("write", "../proj/notgit/hooks/pre-commit", "x"), "denied protected.git"),
            (("write", "../proj/plain.txt", "x"), "denied protected.python-startup"),
            (("remove", "../proj/.git", {"recursive": True}), "denied protected.git"),
            (("move", "../proj/.git", "../proj/git"), "denied protected.git"),
        ),
        (("write", "../proj/tests.py", "x"), ("mkdir", "../proj/git"), ("remove", "../proj/git")),
    ),
    Case(
        "FS_31_git_elsewhere",
        (
            # worktree/.git points at proj/store, which no name protects.
            *(
                (act, "denied protected.git")
                for name in ("config", "CONFIG", "hooks/pre-commit", "hooks/new/deep", "info/x",
                             "worktrees/a/config.worktree", "objects/x", "HEAD")
                for act in (
                    ("write", f"../proj/store/{name}", "x"),
                    ("append", f"../proj/store/{name}", "x"),
                )
            ),
            (("move", "../proj/in.txt", "../proj/store/hooks/pre-push"), "denied protected.git"),
            (("move", "../proj/store/hooks", "../proj/h"), "denied protected.git"),
            (("remove", "../proj/store/config"), "denied protected.git"),
            (("write", "../proj/to-store/hooks/x", "x"), "denied protected.git"),
            (("write", "../proj/worktree/.git", "gitdir: x"), "denied protected.git"),
            # The last piece of a repository of the spell's own making.
            (("mkdir", "../proj/almost/refs"), "denied protected.git"),
            (("write", "../proj/almost/refs/x", "x", {"create_parents": True}),
             "denied protected.git"),
            (("move", "../proj/loose", "../proj/almost/refs"), "denied protected.git"),
            (("write", "../proj/almost/commondir", "../store"), "denied protected.git"),
        ),
        (
            ("write", "../proj/store/tree/src/config", "x"),
            ("write", "../proj/almost/config", "x"),
            ("mkdir", "../proj/almost/hooks"),
        ),
    ),
    Case(
        "FS_33_most_specific",
        (
            (("read", "../proj/deny/d.txt"), DENY),
            (("write", "../proj/deny/new", "x"), DENY),
            (("write", "../proj/kept/k.txt", "x"), DENY),
        ),
        (("read", "../proj/kept/k.txt"), ("read", "../proj/in.txt")),
    ),
    Case(
        "FS_34_prefix",
        touched("../proj-secret/s.txt", "../proj-secret", "../work-secret/s.txt", "../projx"),
        (("read", "../proj/in.txt"), ("list", "../proj")),
    ),
    Case(
        "FS_36_accents",
        (
            (("read", "../proj/caf\u00e9/s.txt"), DENY),
            (("read", "../proj/cafe\u0301/s.txt"), DENY),
            (("write", "../proj/cafe\u0301/s.txt", "x"), DENY),
            (("list", "../proj/cafe\u0301"), DENY),
        ),
        (("read", "../proj/cafe/s.txt"),),
    ),
    Case(
        "FS_37_case",
        (
            (("read", "../proj/Secret-Folder/s.txt"), DENY),
            (("read", "../proj/SECRET-FOLDER/s.txt"), DENY),
            (("write", "../proj/secret-folder/s.txt", "x"), DENY),
            (("read", "../proj/\u017fecret-folder/s.txt"), DENY),
            *protected(*FOLDED),
        ),
        (("read", "../proj/secret/s.txt"),),
    ),
    Case(
        "FS_39_windows",
        misspelled(*WINDOWS),
        (("read", "../proj/in.txt"), ("write", "../proj/console.txt", "x")),
    ),
    Case(
        "FS_41_long",
        (
            *misspelled("../proj/" + "a" * 256, "a/" * 2048 + "b", "../proj/" + "\u00e9" * 128),
            *misspelled("../proj" + "/a" * 256),
        ),
        (
            ("write", "../proj/" + "a" * 255, "x"),
            ("mkdir", "../proj" + "/a" * 250, {"parents": True}),
            ("stat", "../proj" + "/a" * 250),
            ("remove", "../proj/a", {"recursive": True}),
        ),
    ),
    Case(
        "FS_48_no_oracle",
        tuple(
            item
            for path in ("/etc/passwd", "/etc/no-such-file", "/no/such/folder/x", "../outside.txt",
                         "../no-such.txt", "../outside.txt/x")
            for item in touched(path)
        ),
        (("stat", "../proj/in.txt"),),
    ),
    Case(
        "FS_51_scratch_and_disk",
        (
            (("move", "../proj/in.txt", "scratch:x"), "other_file_system"),
            (("move", "scratch:a", "../proj/x"), "other_file_system"),
        ),
        (("write", "scratch:a", "x"), ("move", "scratch:a", "scratch:b")),
    ),
)  # fmt: skip


def make_arena(folder: Path) -> Path:
    """The arena below `folder`; the spell stands in what is returned."""
    work, proj = folder / "work", folder / "proj"
    files = {
        "outside.txt": "outside", "work-secret/s.txt": "secret", "proj-secret/s.txt": "secret",
        "ro/r.txt": "read me", "proj/in.txt": "inside", "proj/other.txt": "other",
        "proj/log.txt": "log", "proj/sub/deep.txt": "deep", "proj/deny/d.txt": "denied",
        "proj/kept/k.txt": "kept", "proj/holder/.git/config": "[core]",
        "proj/.git/hooks/old": "true", "proj/loose/l.txt": "loose", "proj/tomove": "move me",
        "proj/caf\u00e9/s.txt": "s", "proj/cafe\u0301/s.txt": "s", "proj/cafe/s.txt": "s",
        "proj/Secret-Folder/s.txt": "s", "proj/SECRET-FOLDER/s.txt": "s", "proj/secret/s.txt": "s",
        "proj/secret-folder/s.txt": "s", "proj/worktree/.git": "gitdir: ../store",
        "proj/store/HEAD": "ref: refs/heads/main", "proj/store/config": "[core]",
        "proj/store/objects/x": "", "proj/store/refs/x": "", "proj/store/hooks/old": "",
        "proj/store/tree/src/x": "", "proj/almost/HEAD": "ref: refs/heads/main",
        "proj/almost/objects/x": "",
    }  # fmt: skip
    work.mkdir(parents=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    links: dict[str, Any] = {
        "absolute": folder / "outside.txt", "absolute-folder": folder / "proj-secret",
        "dangling": folder / "not-there", "dangling-within": "made.txt", "within": "in.txt",
        "relative": "../outside.txt", "chain": "relative", "chain2": "chain",
        "folder": "../proj-secret", "sub/up": "../..", "self": "self", "to-deny": "deny",
        "to-sub": "sub", "chain-within": "within", "magic": "/proc/self/root",
        "magic-fd": "/proc/self/fd", "notgit": ".git", "plain.txt": "conftest.py",
        "to-store": "store",
        **{f"maze{index}": f"maze{index + 1}" for index in range(50)}, "maze50": "in.txt",
    }  # fmt: skip
    for name, target in links.items():
        (proj / name).symlink_to(target)
    os.link(folder / "outside.txt", proj / "hard")
    os.mkfifo(proj / "fifo")
    with socket.socket(socket.AF_UNIX) as listening:
        here = os.open(proj, os.O_RDONLY)
        try:
            # By a short name: the address of a socket has 108 bytes.
            listening.bind(f"/proc/self/fd/{here}/socket")
        finally:
            os.close(here)
    return work


def policy(profile: str) -> str:
    """The text of the arena's policy."""
    denied = ", ".join(f'"{path}"' for path in DENIED)
    return POLICY.format(profile=profile, denied=denied)
