"""Machine code made from guests, kept in the user's own folder.

Machine code is run, so nothing is ever taken that someone else could have written: the folder must
be the user's own and closed to everybody else, and so must the file. When there is no such folder
the code is made in memory, for this process only. A guest is compiled once, under a lock, by a
limited child; a file appears under its name only when it is complete and on disk.
"""

from __future__ import annotations

import fcntl
import os
import stat
import sys
from pathlib import Path

from llmspell.config import paths
from llmspell.errors import IsolationRefused
from llmspell.records import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Final

_INPUT_FD: Final = 5
_OUTPUT_FD: Final = 6
_COMPILE_SECONDS: Final = 300.0
_MFD_EXEC: Final = 0x0010


class Order(NamedTuple):
    """What to compile, and everything that its machine code depends on."""

    engine: str
    source: Path
    sha256: str
    """Of `source`, as hexadecimal digits. Checked when it is compiled."""
    worker: Path
    library: Path
    variant: str
    """The compiler's version and settings, as part of a file name."""

    @property
    def name(self) -> str:
        machine = os.uname().machine
        return f"{self.engine}-{self.sha256[:40]}-{self.variant}-{machine}.cwasm"


class _UnusableError(Exception):
    """Why there is no place to keep machine code."""


def folder() -> Path:
    """`${XDG_CACHE_HOME:-~/.cache}/llmspell/guests`; it need not exist.

    One of the folders that no spell may write (`paths.own_folders`): machine code is run.
    """
    return Path(paths.cache_folder(), "guests")


def as_path(descriptor: int, path: Path) -> str:
    """A path that opens the very file of a descriptor; without /proc the file's own path.

    The own path lies in a folder that only this user can change, so it names the same file.
    """
    direct = f"/proc/self/fd/{descriptor}"
    return direct if os.path.isdir("/proc/self/fd") else str(path)


def machine_code(order: Order) -> int:
    """A descriptor, open for reading, of the machine code; compiles at first use.

    Raises IsolationRefused when the guest is not the expected one or can't be compiled.
    """

    def make(output: int) -> None:
        _compile(order, output)

    return kept(order.name, make, f"compiling the {order.engine} guest")


def kept(name: str, make: Callable[[int], None], what: str | None = None) -> int:
    """A descriptor, open for reading, of the file of this name; `make` writes it at first use.

    `what` is said on stderr while it is made. Raises what `make` raises.
    """
    try:
        directory = _open_folder()
    except _UnusableError as reason:
        if what is not None:
            _say(f"the compile cache {reason}; {what} for this run only")
        return _make_in_memory(make)
    try:
        found = _open_kept(directory, name)
        return found if found is not None else _make_and_keep(name, make, what, directory)
    except OSError as error:
        why = (error.strerror or "unknown reason").lower()
        raise IsolationRefused(f"{name} could not be made: {why}") from error
    finally:
        os.close(directory)


def _open_folder() -> int:
    path = folder()
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise _UnusableError(f"{path} can't be opened ({error.strerror})") from error
    try:
        _check_folder(descriptor, path)
    except OSError as error:
        os.close(descriptor)
        raise _UnusableError(f"{path} can't be looked at ({error.strerror})") from error
    except _UnusableError:
        os.close(descriptor)
        raise
    return descriptor


def _check_folder(descriptor: int, path: Path) -> None:
    status = os.fstat(descriptor)
    if status.st_uid != os.geteuid():
        raise _UnusableError(f"{path} belongs to someone else")
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise _UnusableError(f"{path} is open to others (chmod 700 closes it)")
    if os.fstatvfs(descriptor).f_flag & os.ST_NOEXEC:
        raise _UnusableError(f"{path} is on a file system mounted noexec")


def _open_kept(directory: int, name: str) -> int | None:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
    try:
        descriptor = os.open(name, flags, dir_fd=directory)
    except OSError:
        return None
    try:
        status = os.fstat(descriptor)
    except OSError:
        os.close(descriptor)
        return None
    trusted = (
        stat.S_ISREG(status.st_mode)
        and status.st_uid == os.geteuid()
        and not stat.S_IMODE(status.st_mode) & 0o077
        and status.st_size > 0
    )
    if not trusted:
        os.close(descriptor)
        return None
    return descriptor


def _make_and_keep(name: str, make: Callable[[int], None], what: str | None, directory: int) -> int:
    lock = -1
    try:
        lock = os.open(
            "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=directory
        )
        output = _unnamed_file(directory)
    except OSError as error:
        if lock >= 0:
            os.close(lock)
        if what is not None:
            _say(
                f"the compile cache {folder()} can't be written ({error.strerror}); "
                f"{what} for this run only"
            )
        return _make_in_memory(make)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        found = _open_kept(directory, name)  # someone else may have been faster
        if found is not None:
            return found
        if what is not None:
            _say(f"{what}, once for this machine")
        make(output)
        try:
            _publish(output, directory, name)
        except OSError as error:
            _say(f"{name} could not be kept ({error.strerror})")
        return os.dup(output)
    finally:
        os.close(output)
        os.close(lock)


def _unnamed_file(directory: int) -> int:
    """A file without a name: it is gone when this process is killed."""
    place = as_path(directory, folder())
    return os.open(place, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)


def _publish(output: int, directory: int, name: str) -> None:
    os.fsync(output)  # else a crash could leave the name with nothing behind it
    try:
        os.unlink(name, dir_fd=directory)  # there under the lock means: not to be trusted
    except FileNotFoundError:
        pass
    if os.path.isdir("/proc/self/fd"):
        os.link(f"/proc/self/fd/{output}", name, dst_dir_fd=directory, follow_symlinks=True)
        return
    # Only /proc gives an unnamed file a name; without it the content is written again.
    passing = f"{name}.{os.getpid()}.tmp"
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    copy = os.open(passing, flags, 0o600, dir_fd=directory)
    try:
        size = os.fstat(output).st_size
        sent = 0
        while sent < size:
            sent += os.sendfile(copy, output, sent, size - sent)
        os.fsync(copy)
        os.rename(passing, name, src_dir_fd=directory, dst_dir_fd=directory)
    except OSError:
        os.unlink(passing, dir_fd=directory)
        raise
    finally:
        os.close(copy)


def _make_in_memory(make: Callable[[int], None]) -> int:
    try:
        output = os.memfd_create("llmspell-guest", os.MFD_CLOEXEC | _MFD_EXEC)
    except OSError:
        output = os.memfd_create("llmspell-guest", os.MFD_CLOEXEC)  # a kernel before 6.3
    try:
        make(output)
    except BaseException:
        os.close(output)
        raise
    return output


def _compile(order: Order, output: int) -> None:
    from llmspell.platform import spawn

    source = said = tell = -1
    try:
        source = os.open(order.source, os.O_RDONLY | os.O_CLOEXEC)
        said, tell = os.pipe2(os.O_CLOEXEC)
        _check_content(order, source)
        # The very file that was checked: the path could name another by now.
        command = [str(order.worker), "compile", "--wasmtime", str(order.library)]
        command += ["--input", as_path(_INPUT_FD, order.source), "--output-fd", str(_OUTPUT_FD)]
        passed = {_INPUT_FD: source, _OUTPUT_FD: output}
        process = spawn(command, channel=None, pass_fds=passed, stderr=tell)
        try:
            status = process.wait(timeout=_COMPILE_SECONDS)
        except TimeoutError as error:
            raise IsolationRefused(
                f"the {order.engine} guest was not compiled in {_COMPILE_SECONDS:.0f} s"
            ) from error
        finally:
            process.close()  # which also ends it
        os.close(tell)
        tell = -1
        if status.code != 0:
            text = os.read(said, 4096).decode("utf-8", "replace").strip()
            ended = text or f"it ended with code {status.code}, signal {status.signal}"
            raise IsolationRefused(f"the {order.engine} guest could not be compiled: {ended}")
    except OSError as error:
        raise IsolationRefused(
            f"the {order.engine} guest could not be compiled: {(error.strerror or '').lower()}"
        ) from error
    finally:
        for descriptor in (source, said, tell):
            if descriptor >= 0:
                os.close(descriptor)


def _check_content(order: Order, source: int) -> None:
    import hashlib

    with open(source, "rb", closefd=False) as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != order.sha256:
        raise IsolationRefused(
            f"{order.source} is not the guest this llmspell was made with",
            hint="reinstall llmspell",
        )


def _say(line: str) -> None:
    if sys.stderr is None:
        return  # Closed when Python began: the number may be a file's or a worker's by now.
    try:
        os.write(2, f"llmspell: {line}\n".encode())
    except OSError:
        pass
