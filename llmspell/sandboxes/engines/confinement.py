"""The second stage of the confinement, by the C library that alone applies plans."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    Achieved = tuple[list[str], dict[str, bool]]
    """The layers and the effects that the kernel holds, as the C code found by trying."""


class Confinement:
    """`libconfine.so`, loaded before the plan closes the file system."""

    __slots__ = ("_library",)

    def __init__(self, path: str) -> None:
        # Read now: after the second stage no module's file can be opened.
        import _json  # noqa: F401
        import ctypes

        self._library = ctypes.CDLL(path, use_errno=True)
        self._library.confine_load.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
        self._library.confine_error.restype = ctypes.c_char_p
        self._library.confine_report_json.restype = ctypes.c_char_p

    def apply(self, plan: bytes) -> Achieved:
        """Applies the plan; the process never gets what it loses back. Ends it on any failure."""
        if self._library.confine_load(plan, len(plan)) != 0:
            self._refuse()
        if self._library.confine_stage2() != 0:
            self._refuse()
        return _parse(self._library.confine_report_json())

    def _refuse(self) -> NoReturn:
        import os

        os.write(2, b"llmspell worker: " + self._library.confine_error() + b"\n")
        os._exit(70)


NOTHING: Achieved = ([], {})


def _parse(text: bytes) -> Achieved:
    from _json import make_scanner

    settings: Any = _ScannerSettings()
    report: dict[str, Any] = make_scanner(settings)(text.decode("ascii"), 0)[0]
    return (
        [str(layer) for layer in report["layers"]],
        {str(name): held is True for name, held in report["effects"].items()},
    )


class _ScannerSettings:
    """What `_json` asks of a decoder; the `json` package costs 5 ms more."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float

    def __init__(self) -> None:
        self.memo: dict[str, str] = {}
