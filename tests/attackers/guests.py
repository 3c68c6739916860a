"""Hostile WebAssembly in a guest's place: it has a guest's exports and does one act of its own."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from llmspell.supervisor import guest_cache, guests

DONE: Final = r"{\22type\22:\22done\22,\22value\22:%s}"
_MODULE: Final = r"""
(module
  (import "llmspell" "send" (func $send (param i32 i32) (result i32)))
  (import "llmspell" "recv" (func $recv (param f64) (result i32)))
  (import "llmspell" "read" (func $read (param i32)))
  (import "llmspell" "clock" (func $clock (param i32) (result f64)))
  (import "llmspell" "random" (func $random (param i32 i32)))
  (memory (export "memory") %(pages)d)
  %(more)s
  (data (i32.const 64) "%(seven)s")
  (data (i32.const 128) "%(nine)s")
  (data (i32.const 192) "\ff\fe\80 no text")
  (func (export "_initialize"))
  (func (export "guest_stack") (result i32) (i32.const 0))
  (func (export "guest_alloc") (param i32) (result i32) (i32.const 4096))
  (func (export "guest_boot") (param i32 i32) (result i32) %(boot)s (i32.const 0))
  (func $seven (drop (call $send (i32.const 64) (i32.const 25))))
  (func $nine (drop (call $send (i32.const 128) (i32.const 25))))
  (func (export "guest_run") (result i32)
    (drop (call $recv (f64.const -1)))
    (call $read (i32.const 8192))
    %(act)s
    (i32.const 0)))
"""


def build(folder: Path, act: str, *, more: str = "", boot: str = "", pages: int = 64) -> list[str]:
    """The worker's command with this module; `$seven` and `$nine` end the run with that value."""
    import wasmtime

    text = _MODULE % {
        "pages": pages,
        "more": more,
        "boot": boot,
        "act": act,
        "seven": DONE % 7 + " ",
        "nine": DONE % 9 + " ",
    }
    source = folder / "hostile.wasm"
    source.write_bytes(wasmtime.wat2wasm(text))
    real = guests.guest("lua")
    worker = guests.BUILT / "llmspell-worker"
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    order = guest_cache.Order("lua", source, digest, worker, real.wasmtime, "hostile")
    code = folder / "hostile.cwasm"
    with code.open("wb") as output:
        guest_cache._compile(order, output.fileno())
    prelude = folder / "prelude"
    prelude.write_text("none", encoding="ascii")
    options = {
        "--engine": "lua",
        "--wasmtime": str(real.wasmtime),
        "--module": str(code),
        "--prelude": str(prelude),
        "--memory": str(128 << 20),
    }
    return [str(worker), "run", *(word for pair in options.items() for word in pair)]
