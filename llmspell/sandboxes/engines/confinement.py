"""The second stage of the confinement, by the C library that alone applies plans."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

NOTHING = b'{"layers":[],"effects":{}}'
"""What a worker without a plan achieved."""

_UNLIMITED = (1 << 64) - 1


class Confinement:
    """`libconfine.so`, loaded before the plan closes the file system."""

    __slots__ = ("_library",)

    def __init__(self, path: str) -> None:
        import ctypes

        # The interpreter's lock is kept: nobody else runs here, and a fork must find it held.
        self._library = ctypes.PyDLL(path)
        self._library.confine_load.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
        self._library.confine_error.restype = ctypes.c_char_p
        self._library.confine_report_json.restype = ctypes.c_char_p
        self._library.confine_limit.restype = ctypes.c_uint64

    def load(self, plan: bytes) -> None:
        """Takes a plan. Raises `OSError` when it is none."""
        if self._library.confine_load(plan, len(plan)) != 0:
            raise self._failure()

    def limit(self, resource: int) -> int | None:
        """The loaded plan's bound on a resource of setrlimit(2); None where it sets none."""
        bound = int(self._library.confine_limit(resource))
        return None if bound == _UNLIMITED else bound

    def enter(self) -> bytes:
        """Applies the loaded plan; the process never gets what it loses back.

        Gives what the kernel holds, as the C code found by trying: JSON of plain words. Raises
        `OSError`; then nothing of a spell may run here.
        """
        if self._library.confine_stage2() != 0:
            raise self._failure()
        return bytes(self._library.confine_report_json())

    def prepare_zygote(self) -> None:
        """Makes this process a zygote by the loaded plan. Raises `OSError`."""
        import ctypes

        if self._library.confine_zygote_prepare() != 0:
            raise self._failure()
        around = ("PyOS_BeforeFork", "PyOS_AfterFork_Parent", "PyOS_AfterFork_Child")
        self._library.confine_zygote_around_fork(
            *(ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p) for name in around)
        )

    def serve_forks(self) -> None:
        """Forks on order until the supervisor is gone, then ends; comes back in each child only.

        Raises `OSError` when it can't serve.
        """
        if self._library.confine_zygote_serve() != 0:
            raise self._failure()

    def _failure(self) -> OSError:
        return OSError(bytes(self._library.confine_error()).decode("utf-8", "replace"))


def refuse(failure: OSError) -> NoReturn:
    """Ends a process that could not be confined, with the reason on its standard error."""
    import os

    os.write(2, f"llmspell worker: {failure}\n".encode())
    os._exit(70)
