"""Frames that no honest worker sends, by case: bytes alone, so tests can list them too."""

from __future__ import annotations

import json
import struct
from typing import Any

EFFECTS = ("files", "network", "processes", "spawn", "privilege")


def frame(data: bytes) -> bytes:
    return struct.pack("<I", len(data)) + data


def text(message: Any) -> bytes:
    return frame(json.dumps(message).encode())


def call(number: Any, method: str = "storage.exists", **args: Any) -> dict[str, Any]:
    return {"type": "call", "id": number, "method": method, "args": args or {"key": "k"}}


def hello(engine: str = "lua", **changes: Any) -> dict[str, Any]:
    return {
        "type": "hello",
        "version": 1,
        "engine": engine,
        "achieved": {"layers": ["rlimits", "seccomp"], "effects": dict.fromkeys(EFFECTS, True)},
        **changes,
    }


def part(data: str, *, last: bool = False) -> bytes:
    return text({"type": "part", "data": data, "last": last})


def value(spelled: bytes) -> bytes:
    """A result spelled so."""
    return frame(b'{"type":"done","value":' + spelled + b"}")


DONE = {"type": "done", "value": 1}
CALL = text(call(1, "fs.exists", path="scratch:x"))
MIB = 1 << 20

VIOLATIONS: dict[str, bytes] = {
    "IP_01_length_zero": b"\0\0\0\0",
    "IP_01_length_all_ones": b"\xff\xff\xff\xff",
    "IP_01_length_negative": struct.pack("<i", -5),
    "IP_01_length_over_the_cap": struct.pack("<I", MIB + 1),
    "IP_01_length_zero_behind_a_call": CALL + b"\0\0\0\0",
    "IP_03_trailing_bytes": frame(json.dumps(DONE).encode() + b" x"),
    "IP_03_two_objects": frame(json.dumps(DONE).encode() * 2),
    "IP_03_no_object": frame(b"[1]"),
    "IP_03_nothing_but_blanks": frame(b" \n "),
    "IP_03_duplicate_keys": frame(b'{"type":"done","value":1,"value":2}'),
    "IP_03_duplicate_keys_in_a_call": frame(
        b'{"type":"call","id":1,"method":"fs.exists","args":{"path":"a","path":"b"}}'
    ),
    "IP_04_invalid_utf8": value(b'"\xff"'),
    "IP_04_overlong": value(b'"\xc0\x80"'),
    "IP_04_bom": frame(b"\xef\xbb\xbf" + json.dumps(DONE).encode()),
    "IP_04_utf16": frame(json.dumps(DONE).encode("utf-16")),
    "IP_04_lone_surrogate": value(rb'"\ud800"'),
    "IP_04_surrogates_the_wrong_way": value(rb'"\ude00\ud83d"'),
    "IP_04_surrogate_as_bytes": value(b'"\xed\xa0\x80"'),
    "IP_04_control_character": value(b'"\x01"'),
    "IP_06_nan": value(b"NaN"),
    "IP_06_infinity": value(b"1e999"),
    "IP_06_minus_infinity": value(b"-Infinity"),
    "IP_06_many_digits": value(b"9" * 5000),
    "IP_06_a_million_digits": value(b"9" * 1_000_000),
    "IP_06_over_2_53": value(b"9007199254740993"),
    "IP_06_2_63": value(b"9223372036854775808"),
    "IP_06_under_2_53": value(b"-9007199254740993"),
    "IP_06_hexadecimal": value(b"0x10"),
    "IP_06_leading_zero": value(b"010"),
    "IP_07_deep": value(b"[" * 100_000 + b"]" * 100_000),
    "IP_07_deep_objects": value(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
    "IP_07_never_closed": value(b"[" * 1_000_000),
    "IP_07_one_level_more": value(b"[" * 48 + b"]" * 48),
    # 64 KB of these once held the supervisor for 13 s, a whole frame for an hour.
    "IP_07_a_string_without_end": value(b"[" * 49 + b'"' + b'\\"' * 500_000),
    "IP_07_strings_without_end": value(b"[" * 49 + b'"\\' * 500_000),
    "IP_08_dense": value(b"[" + b"0," * 300_000 + b"0]"),
    "IP_08_dense_empty_objects": value(b"[" + b"{}," * 200_000 + b"{}]"),
    "IP_08_parts_without_end": part("x" * 200_000) * 100,
    "IP_08_parts_of_one_byte": part("x") * 20_000,
    "IP_09_wide": frame(
        json.dumps({"type": "done", "value": {str(n): 0 for n in range(60_000)}}).encode()
    ),
    "IP_11_answer_never_asked": text({"type": "returned", "id": 1, "ok": True, "value": 1}),
    "IP_11_second_hello": text(hello()),
    "IP_11_second_hello_of_another_version": text(hello(version=2)),
    "IP_11_call_backwards": text(call(5)) + text(call(3)),
    "IP_11_call_twice": text(call(5)) + text(call(5)),
    "IP_11_call_zero": text(call(0)),
    "IP_11_call_negative": text(call(-1)),
    "IP_11_call_by_a_float": text(call(1.0)),
    "IP_11_call_by_true": text(call(True)),
    "IP_11_call_by_text": text(call("1")),
    "IP_11_call_2_53_and_one": text(call(2**53)) + text(call(2**53 + 1)),
    "IP_11_done_twice": text(DONE) * 2,
    "IP_11_call_after_done": text(DONE) + text(call(1, "fs.write", path="late.txt", data="x")),
    "IP_11_output_after_failure": text({"type": "failed", "error": {}})
    + text({"type": "output", "stream": "stdout", "text": "x"}),
    "IP_11_parts_interrupted_by_a_call": part('{"type":"done",') + CALL,
    "IP_11_parts_within_parts": part(part(json.dumps(DONE), last=True)[4:].decode(), last=True),
    "IP_11_hello_in_parts": part(json.dumps(hello()), last=True),
    "IP_13_spoofed_reply": text({"type": "reply", "id": 1, "ok": True, "value": "granted"}),
    "IP_13_spoofed_run": text({"type": "run", "source": "x"}),
    "IP_13_spoofed_invoke": text({"type": "invoke", "id": 1, "callback": 1, "args": []}),
    "IP_13_unknown_type": text({"type": "grant", "what": "everything"}),
    "IP_13_type_in_capitals": text({"type": "Done", "value": 1}),
    "IP_13_type_in_a_list": text({"type": ["done"], "value": 1}),
    "IP_13_extra_field": text({"type": "done", "value": 1, "status": "done"}),
    "IP_13_call_with_an_identity": text({**call(1), "origin": "host"}),
    "IP_13_call_with_a_token": text({**call(1), "session": "another", "tenant": "another"}),
    "IP_13_callback_zero": value(b'{"$callback":0}'),
    "IP_13_bytes_that_are_none": value(b'{"$bytes":"%%%"}'),
}
"""Sent while the spell runs; each ends its worker."""

EARLY: dict[str, bytes] = {
    "IP_12_other_version": text(hello(version=2)),
    "IP_12_older_version": text(hello(version=0)),
    "IP_12_no_version": text({"type": "hello", "engine": "lua"}),
    "IP_12_version_as_text": text(hello(version="1")),
    "IP_12_other_engine": text(hello("perl")),
    "IP_12_a_tool_workers_hello": text(hello("tools")),
    "IP_12_huge_hello": text(hello("x" * 900_000)),
    "IP_13_done_before_hello": text(DONE),
    "IP_13_call_before_hello": text(call(1)),
    "IP_13_hello_and_done": text(hello()) + text(DONE),
    "IP_13_hello_and_call": text(hello()) + CALL,
    "IP_13_hello_in_parts_before_its_turn": part(json.dumps(hello()), last=True),
    "IP_13_effects_as_words": text(
        hello(achieved={"layers": ["rlimits"], "effects": dict.fromkeys(EFFECTS, "true")})
    ),
    "IP_13_effects_that_are_more": text(
        hello(achieved={"layers": ["rlimits"], "effects": {"everything": True}})
    ),
    "IP_13_an_effect_not_held": text(
        hello(achieved={"layers": ["rlimits"], "effects": dict.fromkeys(EFFECTS, False)})
    ),
}
"""Sent instead of a hello; nothing of the spell may arrive."""

TOOLS: dict[str, bytes] = {
    "IP_01_tool_length": b"\xff\xff\xff\xff",
    "IP_07_tool_deep": frame(b"[" * 100_000),
    "IP_11_tool_answers_twice": text({"type": "returned", "id": 1, "ok": True, "value": 1}) * 2,
    "IP_11_tool_answers_another_id": text({"type": "returned", "id": 2, "ok": True}),
    "IP_13_tool_says_done": text({"type": "done", "value": "the tool's word for the run"}),
    "IP_13_tool_prints": text({"type": "output", "stream": "stdout", "text": "x"}),
    "IP_13_tool_replies_to_the_spell": text({"type": "reply", "id": 1, "ok": True, "value": 1}),
}
"""Sent by a tool worker at its first job; each ends the run."""
