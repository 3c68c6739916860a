"""The hostile spells of `llmspell doctor --attack`: data, run by `llmspell.cli.attack`.

Each returns act -> whether it worked. They aim only at what the attack made for itself.
"""

from __future__ import annotations

from typing import Final

NATIVE: Final = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
found = {}

def call(*words):
    return libc.syscall(*[ctypes.c_long(w) if isinstance(w, int) else w for w in words])

def act(name, *words):
    found[name] = call(*words) >= 0

N = params["numbers"]
act("read a file", N["openat"], -100, params["secret"].encode(), 0)
act("make a file", N["openat"], -100, params["made"].encode(), 0o101, 0o600)
act("read a process", N["openat"], -100, b"/proc/%d/environ" % params["supervisor"], 0)
act("signal a process", N["kill"], params["supervisor"], 0)
act("make a program in memory", N["memfd_create"], b"x", 0)
tcp = call(N["socket"], 2, 1, 0)
port = params["port"].to_bytes(2, "big")
address = (2).to_bytes(2, "little") + port + bytes([127, 0, 0, 1]) + bytes(8)
found["connect"] = tcp >= 0 and call(N["connect"], tcp, address, 16) == 0
unix = call(N["socket"], 1, 1, 0)
address = (1).to_bytes(2, "little") + params["unix"].encode() + b"\\0"
found["connect to a service"] = unix >= 0 and call(N["connect"], unix, address, len(address)) == 0
child = call(N["clone"], 17, 0, 0, 0, 0)
if child == 0:
    libc._exit(0)
found["start a process"] = child > 0
result = found
"""
"""System calls made directly, by a spell that owns its interpreter: profiles `low`, `medium`."""

GUEST: Final = """
import sys
modules = getattr(sys, "modules", {})
system = modules.get("posix") or modules.get("os")
if system is None:
    for kind in ().__class__.__base__.__subclasses__():
        names = getattr(getattr(kind, "__init__", None), "__globals__", None)
        if names and hasattr(names.get("sys"), "modules"):
            system = names["sys"].modules.get("posix")
            if system is not None:
                break
found = {}

def act(name, attempt):
    try:
        attempt()
        found[name] = True
    except BaseException:
        found[name] = False

def connect():
    import socket
    socket.create_connection(("127.0.0.1", params["port"]), 2).close()

def start():
    child = system.fork()
    if child == 0:
        system._exit(0)

act("read a file", lambda: system.open(params["secret"], 0))
act("make a file", lambda: system.open(params["made"], 0o101))
act("read a process", lambda: system.open("/proc/%d/environ" % params["supervisor"], 0))
act("signal a process", lambda: system.kill(params["supervisor"], 0))
act("connect", connect)
act("start a process", start)
result = found
"""
"""The same by what the guest of `high` has of an operating system."""

BROKERED: Final = """
local found = {}
local function act(name, call, ...)
  local ok, e = pcall(call, ...)
  local typed = type(e) == "table" and e.rule
  found[name] = ok or not typed and "untyped: " .. tostring(e)
end
act("read above the folder", fs.read, params.folder .. "/../secret.txt")
act("read by a symbolic link", fs.read, params.folder .. "/link")
act("read by /proc", fs.read, "/proc/self/root" .. params.secret)
act("plant code in a repository", fs.write, params.folder .. "/.git/hooks/pre-commit", "x")
act("request an inner address", http.get, "http://2130706433:" .. params.port .. "/")
act("the granted file", fs.read, params.folder .. "/inside.txt")
act("the granted host", http.get, "http://127.0.0.1:" .. params.port .. "/")
return found
"""
"""Through the API, with one folder granted and, for its control, one host."""

LOOPS: Final = {
    "lua": "while true do pcall(error) end",
    "javascript": "for (;;) { try { throw 1 } catch (e) {} }",
    "python": "while True:\n  try:\n    raise BaseException\n  except BaseException:\n    pass",
}
"""Spells that catch everything and never end."""

GREEDY: Final = "local kept = {} while true do kept[#kept + 1] = string.rep('x', 2^20 + #kept) end"
"""A spell that takes memory until there is none."""

NUMBERS: Final = {
    "x86_64": {
        "openat": 257, "kill": 62, "memfd_create": 319, "socket": 41, "connect": 42, "clone": 56,
    },
    "aarch64": {
        "openat": 56, "kill": 129, "memfd_create": 279, "socket": 198, "connect": 203, "clone": 220,
    },
}  # fmt: skip
"""System call numbers by architecture (syscalls(2))."""
