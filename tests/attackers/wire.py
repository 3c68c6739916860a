"""A network of the test's own: real public and private addresses that all lead to the test.

`Wire` starts a child that leaves for network and mount namespaces of its own (with a user
namespace where it is no root), gives the loopback device the addresses below, puts its own
resolv.conf, hosts and nsswitch.conf in place, and hands back listening sockets. A program that is
started with `wire.entering` in front sees that network and nothing else; whom it reaches, and that
it reaches nobody, is seen on the sockets. So no attack needs a seam in what is attacked.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Final

PUBLIC: Final = "93.184.216.34"
PUBLIC_6: Final = "2606:2800:220:1::34"
PRIVATE: Final = ("10.0.0.1", "192.168.1.1", "172.16.0.1", "100.64.0.1", "169.254.169.254")
PRIVATE_6: Final = ("fd00::1", "64:ff9b::7f00:1", "2002:7f00:1::1", "::ffff:0:127.0.0.1")
NAME_SERVER: Final = "127.0.0.53"
PORTS: Final = (80, 8080, 443)
"""Where the web server listens, on every address."""

_NEWNS: Final = 0x0002_0000
_NEWUSER: Final = 0x1000_0000
_NEWNET: Final = 0x4000_0000
_MS_BIND: Final = 4096
_MS_REC_PRIVATE: Final = 16384 | 1 << 18
_SET_ADDRESS: Final = 0x8916  # SIOCSIFADDR
_SET_FLAGS: Final = 0x8914  # SIOCSIFFLAGS
_UP: Final = 1

_FILES: Final = {
    "/etc/resolv.conf": f"nameserver {NAME_SERVER}\noptions timeout:2 attempts:1\n",
    "/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "/etc/nsswitch.conf": "hosts: files dns\n",
}


class Wire:
    """The network, until its `with` ends. `web` listens on `PORTS`, `names` is UDP port 53."""

    def __enter__(self) -> Wire:
        ours, theirs = socket.socketpair()
        with theirs:
            self._child = subprocess.Popen(
                [sys.executable, __file__, "serve", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.PIPE,
            )
        with ours:
            ours.settimeout(20)
            said, handles, _, _ = socket.recv_fds(ours, 1024, 16)
        if said != b"ready":
            self.__exit__(None, None, None)
            raise OSError(f"no network of its own: {said.decode() or 'the child ended'}")
        sockets = [socket.socket(fileno=handle) for handle in handles]
        self.names, self.web = sockets[0], sockets[1:]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        self._child.wait(10)

    @property
    def entering(self) -> tuple[str, ...]:
        """The words before a command that shall live in this network."""
        return (sys.executable, __file__, "enter", str(self._child.pid))


def serve(channel: socket.socket) -> None:
    """The child: makes the network, hands the sockets over, keeps it until its input ends."""
    try:
        _leave()
        _address_loopback()
        handles = _listen()
    except OSError as error:
        channel.sendall(str(error).encode() or b"refused")
        return
    socket.send_fds(channel, [b"ready"], [each.fileno() for each in handles])
    for each in handles:
        each.close()
    sys.stdin.buffer.read()


def enter(pid: int, command: list[str]) -> None:
    """Becomes `command`, in the network of the process `pid`."""
    libc = ctypes.CDLL(None, use_errno=True)
    folder = os.getcwd()
    kinds = ("net", "mnt") if os.geteuid() == 0 else ("user", "net", "mnt")
    for handle in [os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY) for kind in kinds]:
        _checked(libc.setns(handle, 0))
        os.close(handle)
    os.chdir(folder)
    os.execv(command[0], command)


def _leave() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.geteuid(), os.getegid()
    _checked(libc.unshare(_NEWNS | _NEWNET | (_NEWUSER if user else 0)))
    if user:
        Path("/proc/self/setgroups").write_text("deny", encoding="ascii")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1", encoding="ascii")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1", encoding="ascii")
    _checked(libc.mount(b"none", b"/", None, _MS_REC_PRIVATE, None))
    with tempfile.TemporaryDirectory() as folder:
        for place, text in _FILES.items():
            if os.path.exists(place):
                ours = Path(folder, os.path.basename(place))
                ours.write_text(text, encoding="ascii")
                ours.chmod(0o644)
                _checked(libc.mount(bytes(ours), place.encode(), None, _MS_BIND, None))


def _address_loopback() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as four:
        fcntl.ioctl(four, _SET_FLAGS, struct.pack("16sH14x", b"lo", _UP))
        for number, address in enumerate((PUBLIC, *PRIVATE)):
            name = f"lo:{number}".encode()
            family = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))
            fcntl.ioctl(four, _SET_ADDRESS, struct.pack("16s16s8x", name, family))
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as six:
        index = socket.if_nametoindex("lo")
        for address in (PUBLIC_6, *PRIVATE_6):
            packed = socket.inet_pton(socket.AF_INET6, address)
            fcntl.ioctl(six, _SET_ADDRESS, struct.pack("16sIi", packed, 128, index))


def _listen() -> list[socket.socket]:
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind((NAME_SERVER, 53))
    web = [
        socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=64)
        for port in PORTS
    ]
    return [names, *web]


def _checked(result: int) -> None:
    if result:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(socket.socket(fileno=int(sys.argv[2])))
    else:
        enter(int(sys.argv[2]), sys.argv[3:])
