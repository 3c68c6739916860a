"""QuickJS's report of promises that are rejected while nobody listens.

The engine has it and the Python binding does not hand it on, but its library exports the engine's
functions. They are called here before any line of a spell arrives.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

HEADER_BYTES: Final = 16
CONTEXT_BYTES: Final = 80
"""Sizes of a Python object's head and of the binding's `Context` (module.c of quickjs-ng 0.17):
the head, then the pointers to the engine's runtime and its context."""


def report_rejections(context: Any, listener: str) -> object | None:
    """Has the global function `listener` called with (promise, reason, is_handled).

    Gives what must be kept alive as long as the context; None where the binding is not laid out as
    expected, and then nobody is called.
    """
    if type(context).__basicsize__ != CONTEXT_BYTES or object.__basicsize__ != HEADER_BYTES:
        return None
    try:
        return _attach(context, listener)
    except (OSError, AttributeError, MemoryError):
        # Another build of the binding, or a machine that gives no callbacks into Python.
        return None


def _attach(context: Any, listener: str) -> object | None:
    import ctypes

    import _quickjs  # type: ignore[import-not-found]

    class Value(ctypes.Structure):
        """A JSValue of a 64-bit machine."""

        _fields_ = (("content", ctypes.c_int64), ("tag", ctypes.c_int64))

    library = ctypes.CDLL(_quickjs.__file__)
    pointer = ctypes.c_void_p
    for name, result, parameters in (
        ("JS_GetRuntime", pointer, (pointer,)),
        ("JS_GetRuntimeOpaque", pointer, (pointer,)),
        ("JS_GetGlobalObject", Value, (pointer,)),
        ("JS_GetPropertyStr", Value, (pointer, Value, ctypes.c_char_p)),
        ("JS_Call", Value, (pointer, Value, Value, ctypes.c_int, ctypes.POINTER(Value))),
        ("JS_GetException", Value, (pointer,)),
        ("JS_FreeValue", None, (pointer, Value)),
        ("JS_SetHostPromiseRejectionTracker", None, (pointer, pointer, pointer)),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, parameters
    address = id(context) + HEADER_BYTES
    runtime = pointer.from_address(address).value
    engine = pointer.from_address(address + ctypes.sizeof(pointer)).value
    if library.JS_GetRuntime(engine) != runtime:
        return None
    if library.JS_GetRuntimeOpaque(runtime) != id(context):
        return None
    world = library.JS_GetGlobalObject(engine)
    listening = library.JS_GetPropertyStr(engine, world, listener.encode("ascii"))
    library.JS_FreeValue(engine, world)

    def track(_engine: int, promise: Any, reason: Any, is_handled: bool, _opaque: int) -> None:
        handled = Value(int(is_handled), _TAG_BOOL)
        given = (Value * 3)(promise, reason, handled)
        result = library.JS_Call(engine, listening, Value(0, _TAG_UNDEFINED), 3, given)
        if result.tag == _TAG_EXCEPTION:
            # No memory for a note; that is about to be told anyway.
            library.JS_FreeValue(engine, library.JS_GetException(engine))
        library.JS_FreeValue(engine, result)

    kind = ctypes.CFUNCTYPE(None, pointer, Value, Value, ctypes.c_bool, pointer)
    tracker = kind(track)
    library.JS_SetHostPromiseRejectionTracker(runtime, ctypes.cast(tracker, pointer), None)
    return tracker


_TAG_BOOL: Final = 1
_TAG_UNDEFINED: Final = 3
_TAG_EXCEPTION: Final = 6
