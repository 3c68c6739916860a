"""worker/wasmtime.h against the bindings that the pinned wasmtime package brings."""

from __future__ import annotations

import ctypes
import re
from pathlib import Path
from typing import Any

import pytest

from llmspell.supervisor import guests

bindings = pytest.importorskip("wasmtime._bindings")

HEADER = (
    Path(guests.__file__).parent.parent / "sandboxes" / "wasm" / "worker" / "wasmtime.h"
).read_text("utf-8")
FUNCTIONS = re.findall(
    r"X\(([^,()]+?)\s*,\s*(wasm\w+),\s*\((.*?)\)\)\s*\\?\n", HEADER.replace("\\\n", " \n"), re.S
)
SIZES = re.findall(r"static_assert\(sizeof\((\w+)\) == (\d+)", HEADER)

STRUCTURES = {
    "wasm_byte_vec_t": "wasm_byte_vec_t",
    "wasmtime_instance_t": "wasmtime_instance",
    "wasmtime_func_t": "wasmtime_func",
    "wasmtime_memory_t": "wasmtime_memory",
    "wasmtime_extern_t": "wasmtime_extern",
    "wasmtime_val_raw_t": "wasmtime_val_raw",
}


def parameters(text: str) -> list[str]:
    """Splits at the commas that are not inside a function pointer."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    words = [" ".join(part.split()) for part in parts]
    return [] if words == ["void"] else words


def kind(c_type: str) -> tuple[str, int]:
    """How a value travels: a pointer, nothing, a truth value, or an integer of so many bytes."""
    if "*" in c_type or c_type == "wasmtime_callback_t":
        return ("pointer", 8)
    numbers = {"void": 0, "bool": 1, "size_t": 8, "int64_t": 8, "uint64_t": 8}
    return ("value", numbers[c_type.removeprefix("const ")])


def bound_kind(bound: Any) -> tuple[str, int]:
    if bound is None:
        return ("value", 0)
    pointers = (ctypes._Pointer, ctypes._CFuncPtr)  # type: ignore[attr-defined]
    is_pointer = bound is ctypes.c_void_p or issubclass(bound, pointers)
    return ("pointer", 8) if is_pointer else ("value", ctypes.sizeof(bound))


def test_the_header_was_read() -> None:
    assert len(FUNCTIONS) == HEADER.count("  X(")
    assert len(FUNCTIONS) > 25
    assert {name for name, _ in SIZES} == set(STRUCTURES)


@pytest.mark.parametrize(("name", "size"), SIZES)
def test_a_structure_has_the_size_of_the_packages_own(name: str, size: str) -> None:
    assert ctypes.sizeof(getattr(bindings, STRUCTURES[name])) == int(size)


def test_the_union_of_an_export_begins_where_the_packages_does() -> None:
    assert bindings.wasmtime_extern.of.offset == 8


@pytest.mark.parametrize(("result", "name", "arguments"), FUNCTIONS)
def test_a_function_takes_and_gives_what_the_packages_does(
    result: str, name: str, arguments: str
) -> None:
    function = getattr(bindings, f"_{name}")
    assert bound_kind(function.restype) == kind(result)
    assert [bound_kind(bound) for bound in function.argtypes] == [
        kind(argument) for argument in parameters(arguments)
    ]


def test_the_pinned_version_is_the_one_installed_here() -> None:
    from importlib.metadata import version

    assert version("wasmtime") == guests.WASMTIME


def test_constants_are_the_packages_own() -> None:
    from wasmtime import TrapCode
    from wasmtime import _ffi as ffi

    assert TrapCode.STACK_OVERFLOW.value == 0
    assert TrapCode.UNREACHABLE.value == 9
    assert ffi.WASMTIME_EXTERN_FUNC.value == 0
    assert ffi.WASMTIME_EXTERN_MEMORY.value == 3
