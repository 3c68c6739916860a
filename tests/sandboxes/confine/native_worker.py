"""Stands for a native worker: loads libconfine, takes its second frame, then does what it is told.

Run as `python -I -S -B native_worker.py LIBRARY`; answers one JSON line with what it could do.
"""

import ctypes
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable


def frame() -> bytes:
    def exactly(size: int) -> bytes:
        content = b""
        while len(content) < size:
            content += os.read(3, size - len(content))
        return content

    return exactly(int.from_bytes(exactly(4), "little"))


def loop_once() -> str:
    poller = select.poll()
    poller.register(3, select.POLLIN)
    poller.poll(5)
    left, right = socket.socketpair()
    left.sendall(b"x")
    with select.epoll() as epoll:
        epoll.register(right.fileno(), select.EPOLLIN)
        epoll.poll(1)
    return right.recv(1).decode()


def channel() -> str:
    with socket.socket(fileno=os.dup(3)) as own:
        own.settimeout(0.01)
        try:
            own.recv(1)
        except TimeoutError:
            return "timeout"
    return "data"


def attempt(work: Callable[[], object]) -> object:
    try:
        result = work()
    except BaseException as error:
        return f"{type(error).__name__} {getattr(error, 'errno', None)}"
    return result if isinstance(result, int | str | list) else "done"


def fork() -> int:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    return os.waitpid(pid, 0)[1]


def threads() -> str:
    import _thread

    gate = _thread.allocate_lock()
    gate.acquire()
    _thread.start_new_thread(gate.release, ())
    return "ran" if gate.acquire(timeout=5) else "stuck"


def main() -> None:
    library = ctypes.CDLL(sys.argv[1])
    library.confine_error.restype = library.confine_details_json.restype = ctypes.c_char_p
    plan = frame()
    if "threaded" in sys.argv:
        import threading

        threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    if library.confine_load(plan, ctypes.c_size_t(len(plan))) or library.confine_stage2():
        os.write(3, json.dumps({"refused": library.confine_error().decode()}).encode())
        os._exit(71)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    found = {
        "report": json.loads(library.confine_details_json()),
        "identity": [os.getuid(), os.geteuid(), os.getgid(), os.getegid()],
        "environment": dict(os.environ),
        "loop": attempt(loop_once),
        "channel": attempt(channel),
        "sleep": attempt(lambda: time.sleep(0.001)),
        "random": attempt(lambda: len(os.urandom(8))),
        "memory": attempt(lambda: len(bytearray(20 << 20))),
        "too_much": attempt(lambda: len(bytearray(900 << 20))),
        "code": attempt(lambda: eval(compile("sum(range(10))", "spell.py", "eval"))),
        "open": attempt(lambda: os.open("/etc/passwd", os.O_RDONLY)),
        "list": attempt(lambda: os.listdir("/")),
        "import": attempt(lambda: __import__("this")),
        "fork": attempt(fork),
        "kill": attempt(lambda: os.kill(os.getppid() or 1, 0)),
        "socket": attempt(lambda: socket.socket().fileno()),
        "execute": attempt(lambda: os.execv("/no/such/program", ["x"])),
        "thread": attempt(threads),
    }
    os.write(3, json.dumps(found).encode() + b"\n")
    if "hold" in sys.argv:
        os.read(3, 1)


main()
