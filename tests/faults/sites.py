"""Every I/O step of the trusted side, found in its source: where a fault can strike.

A site is one primitive called in one function. What is no call into the kernel (names, numbers,
what was read before) is no site; `points.toml` gives each site its name, or the reason why it
needs none.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import llmspell

PACKAGE: Final = Path(llmspell.__file__).resolve().parent
ROOMS: Final = (
    "channel", "cli", "config", "llm", "platform", "profiles", "spells/spell.py", "spells/state",
    "supervisor",
)  # fmt: skip
"""The trusted side, where it does I/O. `tools` and `sandboxes` run in workers."""

_PURE_OS: Final = frozenset({
    "environ", "environb", "fsencode", "fsdecode", "fspath", "getpid", "getppid", "geteuid",
    "getuid", "getgid", "uname", "strerror", "WEXITSTATUS", "WIFSIGNALED", "WTERMSIG", "path",
    "get_inheritable", "isatty", "urandom", "umask", "access", "getcwd", "getcwdb", "chdir",
    "fstatvfs", "makedev", "set_blocking", "_exit",
})  # fmt: skip
"""Calls of `os` that ask or set something of this process itself, and can't fail in a way that
leaves an act half done."""

_MODULES: Final[dict[str, frozenset[str]]] = {
    "fcntl": frozenset({"fcntl", "flock"}),
    "select": frozenset({"select"}),
    "signal": frozenset({"pidfd_send_signal"}),
    "socket": frozenset({"socketpair", "getaddrinfo", "fromfd"}),
    "sqlite3": frozenset({"connect"}),
    "tempfile": frozenset({"TemporaryFile", "mkdtemp", "mkstemp", "NamedTemporaryFile"}),
    "subprocess": frozenset({"run", "Popen", "check_output"}),
    "shutil": frozenset({"copyfile", "copy", "move", "rmtree", "copyfileobj"}),
}
_METHODS: Final[dict[str, tuple[str, str]]] = {
    # method: what its object is called where it is the kernel's, and the primitive's name
    "send": (r"(channel|ours|theirs|_channel|_control)$", "socket.send"),
    "sendall": (r".", "socket.sendall"),
    "sendmsg": (r".", "socket.sendmsg"),
    "recv": (r".", "socket.recv"),
    "recvmsg": (r".", "socket.recvmsg"),
    "recv_into": (r".", "socket.recv_into"),
    "accept": (r"(server|listener)$", "socket.accept"),
    "execute": (r"(database|copy)$", "sqlite.execute"),
    "executemany": (r".", "sqlite.execute"),
    "executescript": (r".", "sqlite.execute"),
    "commit": (r".", "sqlite.execute"),
    "backup": (r"(database|copy)$", "sqlite.execute"),
    "read": (r"^file$|stdin$", "file.read"),
    "readline": (r"^file$", "file.read"),
    "write": (r"^file$|stdout$|stderr$", "file.write"),
    "read_bytes": (r".", "path.read"),
    "read_text": (r".", "path.read"),
    "write_text": (r".", "path.write"),
    "write_bytes": (r".", "path.write"),
    "poll": (r"(poller|_poll)$", "poll"),
    "connect_tcp": (r"_network$", "net.connect"),
    "connect_unix_socket": (r"_network$", "net.connect"),
    "start_tls": (r".", "net.tls"),
}


class Site(NamedTuple):
    """One primitive in one function of one module (`supervisor/audit/log`)."""

    module: str
    function: str
    primitive: str

    def __str__(self) -> str:
        return f"{self.module} {self.function} {self.primitive}"

    @classmethod
    def of(cls, text: str) -> Site:
        """The site that `str` wrote."""
        module, function, primitive = text.split(" ")
        return cls(module, function, primitive)


@functools.cache
def all_sites() -> frozenset[Site]:
    """Every site of the trusted side."""
    found: set[Site] = set()
    for room in ROOMS:
        place = PACKAGE / room
        for file in [place] if place.is_file() else sorted(place.rglob("*.py")):
            module = str(file.relative_to(PACKAGE).with_suffix("")).replace("\\", "/")
            tree = ast.parse(file.read_text(encoding="utf-8"))
            found |= {Site(module, function, what) for function, what in _calls(tree, ())}
    return frozenset(found)


def _calls(node: ast.AST, inside: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for child in ast.iter_child_nodes(node):
        names = inside
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names = (*inside, child.name)
        elif isinstance(child, ast.Call):
            primitive = primitive_of(child.func)
            if primitive is not None:
                yield ".".join(inside) or "-", primitive
        yield from _calls(child, names)


def primitive_of(called: ast.expr) -> str | None:
    """The name of the primitive that this expression calls, or None where it calls none."""
    if isinstance(called, ast.Name):
        return {"open": "open", "socketpair": "socketpair"}.get(called.id)
    if not isinstance(called, ast.Attribute):
        return None
    owner, name = ast.unparse(called.value), called.attr
    if owner == "os":
        return None if name in _PURE_OS else f"os.{name}"
    if owner == "io" and name == "open":
        return "open"
    if owner in _MODULES:
        if name not in _MODULES[owner]:
            return None
        return name if name == "socketpair" else f"{owner}.{name}"
    pattern, primitive = _METHODS.get(name, ("", ""))
    return primitive if primitive and re.search(pattern, owner) else None


_INNER: Final = re.compile(r"\.?<[^>]*>")


@functools.cache
def site_of_code(filename: str, qualname: str, primitive: str) -> Site | None:
    """The site of a call in flight, None where the caller is not the trusted side."""
    try:
        module = str(Path(filename).relative_to(PACKAGE).with_suffix(""))
    except ValueError:
        return None
    return Site(module, _INNER.sub("", qualname) or "-", primitive)
