"""Mutants of the channel: each bound, each check of a frame, each rule of order and rate."""

# ruff: noqa: E501 (source is quoted as it stands)
from __future__ import annotations

from typing import Final

from tests.mutants.source import Change

BOUNDS: Final = "tests/channel/test_bounds.py::"
ORDER: Final = "tests/channel/test_connection.py::"
JSON: Final = "tests/channel/test_jsontext.py::"
QUICK: Final = "tests/channel/test_quick.py::"
SESSION: Final = "tests/supervisor/test_session.py::"
EDGES: Final = "tests/supervisor/test_session_bounds.py::"


def _bound(name: str, old: str, new: str, what: str, *tests: str) -> Change:
    return Change(name, "llmspell.channel.bounds", old, new, what, tests)


def _framing(name: str, old: str, new: str, what: str, *tests: str) -> Change:
    return Change(name, "llmspell.channel.framing", old, new, what, tests)


def _json(name: str, old: str, new: str, what: str, *tests: str) -> Change:
    return Change(name, "llmspell.channel.jsontext", old, new, what, tests)


def _message(name: str, old: str, new: str, what: str, *tests: str) -> Change:
    return Change(name, "llmspell.channel.messages", old, new, what, tests)


def _connection(name: str, old: str, new: str, what: str, *tests: str) -> Change:
    return Change(name, "llmspell.channel.connection", old, new, what, tests)


def _quick(name: str, old: str, new: str, what: str, *tests: str) -> Change:
    return Change(name, "llmspell.channel.quick", old, new, what, tests)


def _state(name: str, old: str, new: str, what: str, *tests: str) -> Change:
    return Change(name, "llmspell.channel.states", old, new, what, tests)


CHANGES: Final = (
    # -- the constants -------------------------------------------------------------------------
    _bound(
        "frame-max", "FRAME_MAX: Final = 1_048_576", "FRAME_MAX: Final = 1_048_577",
        "a frame may have one byte more", BOUNDS + "test_IP_01_the_largest_frame",
    ),
    _bound(
        "part-size", "PART_SIZE: Final = 262_144", "PART_SIZE: Final = 262_145",
        "a message may have one byte more before it goes in parts",
        BOUNDS + "test_large_messages_go_in_parts_and_none_over_16_mib",
    ),
    _bound(
        "message-max", "MESSAGE_MAX: Final = 16_777_216", "MESSAGE_MAX: Final = 16_777_217",
        "an assembled message may have one byte more",
        BOUNDS + "test_IP_08_the_largest_message_in_parts",
    ),
    _bound(
        "depth-max", "DEPTH_MAX: Final = 48", "DEPTH_MAX: Final = 49",
        "one level more is taken", BOUNDS + "test_IP_07_48_levels",
    ),
    _bound(
        "nodes-max", "NODES_MAX: Final = 250_000", "NODES_MAX: Final = 250_001",
        "one value more is taken", BOUNDS + "test_IP_08_250_000_values",
    ),
    _bound(
        "keys-max", "KEYS_MAX: Final = 20_000", "KEYS_MAX: Final = 20_001",
        "one key more is taken", BOUNDS + "test_IP_09_20_000_keys",
    ),
    _bound(
        "integer-max", "INTEGER_MAX: Final = 2**53", "INTEGER_MAX: Final = 2**53 + 1",
        "an integer that one language can't hold is taken",
        BOUNDS + "test_IP_06_integers_to_2_53_on_both_sides",
    ),
    _bound(
        "outstanding-max", "OUTSTANDING_MAX: Final = 64", "OUTSTANDING_MAX: Final = 65",
        "one call more may be under way", EDGES + "test_IP_29_the_window_is_64_calls",
    ),
    _bound(
        "invokes-max", "\nINVOKES_MAX: Final = 64", "\nINVOKES_MAX: Final = 65",
        "one invoke more may be under way", EDGES + "test_IP_29_64_callbacks_are_under_way",
    ),
    _bound(
        "frame-seconds", "FRAME_SECONDS: Final = 10.0", "FRAME_SECONDS: Final = 11.0",
        "a message may take longer to arrive",
        ORDER + "test_IP_02_a_message_that_never_ends_runs_out_of_time",
    ),
    _bound(
        "outbox-max", "OUTBOX_MAX: Final = 33_554_432", "OUTBOX_MAX: Final = 33_554_433",
        "one byte more may wait for a worker that does not read",
        EDGES + "test_IP_16_32_mib_may_wait_for_a_worker",
    ),
    _bound(
        "outbox-pause", "OUTBOX_PAUSE: Final = 1_048_576", "OUTBOX_PAUSE: Final = 134_217_728",
        "a worker that does not read its answers is still listened to",
        EDGES + "test_IP_16_a_worker_whose_answers_wait_is_not_read",
    ),
    _bound(
        "events-per-second", "EVENTS_PER_SECOND: Final = 50_000",
        "EVENTS_PER_SECOND: Final = 50_001", "one frame more a second",
        BOUNDS + "test_IP_14_50_000_frames_and_256_mib_a_second",
    ),
    _bound(
        "bytes-per-second", "BYTES_PER_SECOND: Final = 268_435_456",
        "BYTES_PER_SECOND: Final = 268_435_556", "some bytes more a second",
        BOUNDS + "test_IP_14_50_000_frames_and_256_mib_a_second",
    ),
    _bound(
        "method-max", "METHOD_MAX: Final = 64", "METHOD_MAX: Final = 65",
        "a longer method name is taken", BOUNDS + "test_names_and_fields",
    ),
    _bound(
        "log-fields-max", "LOG_FIELDS_MAX: Final = 32", "LOG_FIELDS_MAX: Final = 33",
        "one field more in a log record", BOUNDS + "test_names_and_fields",
    ),
    # -- frames --------------------------------------------------------------------------------
    _framing(
        "frame-zero-alone", "if length == len(data) - HEADER and 0 < length <= FRAME_MAX:",
        "if length == len(data) - HEADER and length <= FRAME_MAX:",
        "a frame of no bytes that comes alone is taken",
        BOUNDS + "test_IP_01_a_frame_of_nothing_is_none",
    ),
    _framing(
        "frame-length-alone", "if length == len(data) - HEADER and 0 < length <= FRAME_MAX:",
        "if length == len(data) - HEADER and 0 < length:",
        "a frame over the cap that comes whole is taken",
        BOUNDS + "test_IP_01_the_largest_frame",
    ),
    _framing(
        "frame-zero", "            if not 0 < length <= FRAME_MAX:",
        "            if not 0 <= length <= FRAME_MAX:",
        "a frame of no bytes is taken", BOUNDS + "test_IP_01_a_frame_of_nothing_is_none",
    ),
    _framing(
        "frame-length", "            if not 0 < length <= FRAME_MAX:",
        "            if not 0 < length:",
        "a frame of any length is waited for and buffered",
        ORDER + "test_IP_01_bad_lengths_end_the_worker_at_the_header",
    ),
    _framing(
        "frame-byte-order", 'int.from_bytes(buffer[start : start + HEADER], "little")',
        'int.from_bytes(buffer[start : start + HEADER], "big")',
        "a length that came in pieces is read the other way round",
        ORDER + "test_how_the_bytes_are_cut_changes_nothing",
    ),
    _framing(
        "send-message-max", "    if len(message) > MESSAGE_MAX:", "    if False:",
        "an answer of any size is sent",
        BOUNDS + "test_large_messages_go_in_parts_and_none_over_16_mib",
    ),
    _framing(
        "send-part-size", "step = PART_SIZE // 2", "step = PART_SIZE * 2",
        "a part may be so long that it is over a frame",
        BOUNDS + "test_parts_that_escaping_or_spelling_grows_still_fit_their_frames",
    ),
    Change(
        "send-frame-max", "llmspell.channel.frame", "if not 0 < len(body) <= FRAME_MAX:",
        "if not 0 < len(body):", "a frame over the cap is sent",
        (BOUNDS + "test_IP_01_the_largest_frame",),
    ),
    Change(
        "send-frame-zero", "llmspell.channel.frame", "if not 0 < len(body) <= FRAME_MAX:",
        "if not len(body) <= FRAME_MAX:", "a frame of no bytes is sent",
        (BOUNDS + "test_IP_01_the_largest_frame",),
    ),
    # -- text ----------------------------------------------------------------------------------
    _json(
        "json-shape", "if opening > DEPTH_MAX or opening + data.count(b\",\") > NODES_MAX:",
        "if False:", "depth and number of values are not looked at",
        JSON + "test_IP_07_too_deep_is_refused_before_recursion",
        JSON + "test_IP_08_many_small_values_are_refused_quickly",
    ),
    _json(
        "json-depth", "    if brackets:\n        raise Malformed(f\"nested deeper",
        "    if False:\n        raise Malformed(f\"nested deeper",
        "any depth is taken", JSON + "test_IP_07_too_deep_is_refused_before_recursion",
    ),
    _json(
        "json-depth-looked-at", "if opening > DEPTH_MAX or", "if False or",
        "depth is only looked at where there are many values",
        BOUNDS + "test_IP_07_48_levels",
    ),
    _json(
        "json-nodes", "if len(brackets) // 2 + bare.count(b\",\") > NODES_MAX:", "if False:",
        "any number of values is taken", BOUNDS + "test_IP_08_250_000_values",
    ),
    _json(
        "json-nodes-looked-at", "or opening + data.count(b\",\") > NODES_MAX:",
        "or opening > NODES_MAX:", "values are not counted where they are not nested",
        BOUNDS + "test_IP_08_250_000_values",
    ),
    _json(
        "json-strings-apart", 'bare = _STRING.sub(b"", data)', "bare = data",
        "brackets within strings count as nesting",
        JSON + "test_IP_07_brackets_in_strings_do_not_count",
    ),
    _json(
        "json-depth-kinds",
        "bare.translate(_ONE_KIND, delete=_NOT_BRACKETS)",
        "bare.translate(None, delete=_NOT_BRACKETS).replace(b'{[', b'').replace(b']}', b'')",
        "an object around a list counts as no level",
        BOUNDS + "test_IP_07_48_levels",
    ),
    _json(
        "json-string-unended", '(?:"|\\\\?\\Z)', '"',
        "a string without an end is looked for from each of its quotes (quadratic time)",
        BOUNDS + "test_IP_07_a_string_that_nobody_ends_costs_linear_time",
    ),
    _json(
        "json-constants", "    parse_constant=_refuse_constant,\n", "",
        "NaN and Infinity are taken", JSON + "test_IP_03_04_06_refused_text",
    ),
    _json(
        "json-overflow", 'if value in (float("inf"), float("-inf")):', "if False:",
        "1e999 becomes infinity", JSON + "test_IP_03_04_06_refused_text",
    ),
    _json(
        "json-integer-length", "if len(text) > _MAX_INTEGER_TEXT:", "if False:",
        "a long integer is computed before it is refused",
        BOUNDS + "test_IP_06_long_integers_are_refused_by_their_length",
    ),
    _json(
        "json-integer-over", "if not -INTEGER_MAX <= value <= INTEGER_MAX:\n        raise Malf",
        "if not -INTEGER_MAX <= value:\n        raise Malf",
        "large integers are taken", BOUNDS + "test_IP_06_integers_to_2_53_on_both_sides",
    ),
    _json(
        "json-integer-under", "if not -INTEGER_MAX <= value <= INTEGER_MAX:\n        raise Malf",
        "if not value <= INTEGER_MAX:\n        raise Malf",
        "large negative integers are taken",
        BOUNDS + "test_IP_06_integers_to_2_53_on_both_sides",
    ),
    _json(
        "json-keys-twice", "if len(value) != len(pairs):", "if False:",
        "the last of two equal keys counts", JSON + "test_IP_03_04_06_refused_text",
    ),
    _json(
        "json-keys-max", "if len(value) > KEYS_MAX:", "if False:",
        "an object of any width is taken", BOUNDS + "test_IP_09_20_000_keys",
    ),
    _json(
        "json-callback-number", "if type(number) is not int or number < 1:",
        "if type(number) is not int:", "a callback of number 0 is taken",
        JSON + "test_IP_03_04_06_refused_text",
    ),
    _json(
        "json-bytes-strict", "strict_mode=True", "strict_mode=False",
        "what is no base64 is read as some", JSON + "test_IP_03_04_06_refused_text",
    ),
    _json(
        "json-trailing", "if end != len(text) and text[end:].strip(_BLANK):", "if False:",
        "what stands behind the value is ignored", JSON + "test_IP_03_04_06_refused_text",
    ),
    _json(
        "json-utf8", 'text = data.decode("utf-8")', 'text = data.decode("utf-8", "replace")',
        "bytes that are no UTF-8 are replaced", JSON + "test_IP_03_04_06_refused_text",
    ),
    _json(
        "json-surrogates", 'if b"\\\\u" in data and _SURROGATE.search(data):', "if False:",
        "half of a surrogate pair is taken", JSON + "test_IP_03_04_06_refused_text",
    ),
    _json(
        "json-send-cycles",
        "except (ValueError, TypeError, RecursionError, UnicodeEncodeError) as error:",
        "except (ValueError, TypeError, UnicodeEncodeError) as error:",
        "a cyclic answer ends in an error of Python's own",
        JSON + "test_IP_27_cyclic_values_are_not_sent",
    ),
    _json(
        "json-send-nan", "encoder.encode_basestring, None, \":\", \",\", False, False, False",
        "encoder.encode_basestring, None, \":\", \",\", False, False, True",
        "NaN is sent", JSON + "test_what_can_not_be_carried_is_not_sent",
    ),
    # -- messages ------------------------------------------------------------------------------
    _message(
        "field-missing", "    if not required <= names:", "    if False:",
        "a field may be missing",
        BOUNDS + "test_IP_13_every_field_is_there_of_its_type_and_no_other",
    ),
    _message(
        "field-more", "if len(raw) > len(required) and not names <= required | optional:",
        "if False:", "a field may be there that is not listed",
        BOUNDS + "test_IP_13_every_field_is_there_of_its_type_and_no_other",
    ),
    _message(
        "call-fields", "if raw.keys() != _CALL_FIELDS:", "if False:",
        "a call may have other fields (an identity of its own choice)",
        BOUNDS + "test_IP_13_every_field_is_there_of_its_type_and_no_other",
    ),
    _message(
        "id-positive", "if type(value) is not int or value < 1:", "if type(value) is not int:",
        "an id of 0 or below is taken",
        BOUNDS + "test_IP_13_every_field_is_there_of_its_type_and_no_other",
    ),
    _message(
        "id-integer", "if type(value) is not int or value < 1:", "if value < 1:",
        "an id of 1.0 or true is taken",
        BOUNDS + "test_IP_13_every_field_is_there_of_its_type_and_no_other",
    ),
    _message(
        "text-type", "if type(value) is not str:", "if False:", "any value is taken for a text",
        BOUNDS + "test_IP_13_every_field_is_there_of_its_type_and_no_other",
    ),
    _message(
        "object-type", "if type(value) is not dict:", "if False:",
        "any value is taken for an object",
        BOUNDS + "test_IP_13_every_field_is_there_of_its_type_and_no_other",
    ),
    _message(
        "hello-version-type", "if type(version) is not int:", "if False:",
        "a version of true or 1.0 is taken", BOUNDS + "test_IP_12_a_hello_that_is_none",
    ),
    _message(
        "hello-achieved", 'if achieved.keys() != {"layers", "effects"}:',
        'if not achieved.keys() >= {"layers", "effects"}:', "a hello may achieve more than listed",
        BOUNDS + "test_IP_12_a_hello_that_is_none",
    ),
    _message(
        "hello-layers", "not all(type(layer) is str for layer in layers)", "False",
        "layers may be anything", BOUNDS + "test_IP_12_a_hello_that_is_none",
    ),
    _message(
        "hello-effects", "if not effects.keys() <= set(EFFECTS):", "if False:",
        "an unknown effect may be claimed", BOUNDS + "test_IP_12_a_hello_that_is_none",
    ),
    _message(
        "hello-true", "effects.get(name) is True", "bool(effects.get(name))",
        "an effect that is merely truthy counts as held",
        ORDER + "test_EN_08_only_a_literal_true_counts_as_held",
    ),
    _message(
        "method-length", "if len(method) > METHOD_MAX:", "if False:",
        "a method's name may have any length", BOUNDS + "test_names_and_fields",
    ),
    _message(
        "returned-ok", 'if raw["ok"] is True and "error" not in raw:',
        'if raw["ok"] and "error" not in raw:', "an answer is good when it says so in any way",
        BOUNDS + "test_IP_13_every_field_is_there_of_its_type_and_no_other",
    ),
    _message(
        "returned-both", '"value" not in raw and "error" in raw', '"error" in raw',
        "an answer may be value and error at once",
        BOUNDS + "test_IP_13_returned_is_a_value_or_an_error",
    ),
    _message(
        "log-level", "if level not in LOG_LEVELS:", "if False:", "any log level is taken",
        BOUNDS + "test_IP_13_every_field_is_there_of_its_type_and_no_other",
    ),
    _message(
        "output-stream", "if stream not in STREAMS:", "if False:", "any stream is taken",
        BOUNDS + "test_IP_13_every_field_is_there_of_its_type_and_no_other",
    ),
    _message(
        "part-last", 'if type(raw["last"]) is not bool:', "if False:",
        "a part may be the last in any way of saying it",
        BOUNDS + "test_IP_13_every_field_is_there_of_its_type_and_no_other",
    ),
    _message(
        "frame-object", "if type(raw) is not dict:", "if False:", "a frame may be no object",
        BOUNDS + "test_IP_03_a_frame_that_is_no_object",
    ),
    # -- order and rate ------------------------------------------------------------------------
    _state(
        "state-ready-spell", "(Role.SPELL, State.READY): frozenset(),",
        "(Role.SPELL, State.READY): _WORKING,", "a spell may call before it was told to run",
        EDGES + "test_IP_11_nothing_is_said_before_the_run",
    ),
    _state(
        "state-ready-tools", "(Role.TOOLS, State.READY): frozenset(),",
        "(Role.TOOLS, State.READY): _WORKING,", "a tool worker may call before its first job",
        EDGES + "test_IP_11_nothing_is_said_before_the_run",
    ),
    _state(
        "state-tools-done", "(Role.TOOLS, State.RUNNING): _WORKING,",
        "(Role.TOOLS, State.RUNNING): _WORKING | {messages.Done, messages.Output},",
        "a tool worker may end the run and print",
        EDGES + "test_IP_13_a_tool_worker_says_nothing_of_a_spells",
    ),
    _state(
        "state-done-ends", "(State.RUNNING, messages.Done): State.ENDED,", "",
        "after its result a worker may go on",
        EDGES + "test_IP_11_after_its_end_a_worker_says_nothing",
    ),
    _connection(
        "turn-of-messages",
        "            try:\n                message = quick_call(body) or messages.parse(decode(body)"
        ")\n                self._check_turn(message)\n",
        "            try:\n                message = quick_call(body) or messages.parse(decode(body)"
        ")\n",
        "any message is taken at any time",
        ORDER + "test_IP_11_the_table_of_states_is_what_holds",
    ),
    _connection(
        "turn-of-assembled",
        'raise Malformed("a part inside parts")\n                    self._check_turn(message)',
        'raise Malformed("a part inside parts")',
        "a message in parts is taken at any time",
        EDGES + "test_IP_11_a_message_in_parts_has_its_turn_too",
    ),
    _connection(
        "part-in-parts", "if isinstance(message, messages.Part):\n                        raise",
        "if False:\n                        raise", "parts may hold parts",
        ORDER + "test_parts_may_not_be_interrupted_nested_or_endless",
    ),
    _connection(
        "parts-interrupted", "                elif self._parts:\n                    raise",
        "                elif False:\n                    raise",
        "another message may come between parts",
        ORDER + "test_parts_may_not_be_interrupted_nested_or_endless",
    ),
    _connection(
        "parts-size", "if self._parts_size > MESSAGE_MAX or", "if False or",
        "parts may add up to any size", BOUNDS + "test_IP_08_the_largest_message_in_parts",
    ),
    _connection(
        "parts-count", "or len(self._parts) > MESSAGE_MAX // 1024:", "or False:",
        "parts may be of one byte each", BOUNDS + "test_IP_08_parts_too_small_to_be_honest",
    ),
    _connection(
        "parts-forgotten", "        self._parts = []\n        self._parts_size = 0\n        return whole",
        "        self._parts = []\n        return whole", "parts of past messages still count",
        BOUNDS + "test_a_second_message_in_parts_begins_with_nothing_of_the_first",
    ),
    _connection(
        "call-ids", "            if message.id <= self._last_call:", "            if False:",
        "an id may come again", ORDER + "test_IP_11_call_ids_must_rise",
    ),
    _connection(
        "call-ids-kept", '("call ids do not rise")\n            self._last_call = message.id',
        '("call ids do not rise")', "the last id is not remembered",
        ORDER + "test_IP_11_call_ids_must_rise",
    ),
    _connection(
        "call-ids-quick", "if call is None or call.id <= self._last_call:", "if call is None:",
        "an id may come again on the quick way",
        QUICK + "test_the_connection_takes_a_call_quickly_only_in_its_turn",
    ),
    _connection(
        "call-ids-quick-kept", "        self._last_call = call.id\n", "",
        "the quick way does not remember ids",
        QUICK + "test_the_connection_takes_a_call_quickly_only_in_its_turn",
    ),
    _connection(
        "quick-between-parts", "            self._parts\n            or self._reader.waiting",
        "            self._reader.waiting", "a call may come between parts on the quick way",
        QUICK + "test_the_connection_takes_a_call_quickly_only_in_its_turn",
    ),
    _connection(
        "quick-in-a-frame", "            or self._reader.waiting\n", "",
        "bytes within a frame are taken for a call of their own",
        QUICK + "test_the_connection_takes_a_call_quickly_only_in_its_turn",
    ),
    _connection(
        "quick-exactly-one", 'or int.from_bytes(data[:HEADER], "little") != len(data) - HEADER',
        'or int.from_bytes(data[:HEADER], "little") > len(data)',
        "the length of a frame is not looked at on the quick way",
        EDGES + "test_IP_01_the_quick_way_looks_at_the_length",
    ),
    _connection(
        "quick-turn", "            or messages.Call not in self._may_send\n", "",
        "a call may come at any time on the quick way",
        QUICK + "test_the_connection_takes_a_call_quickly_only_in_its_turn",
    ),
    _connection(
        "quick-frames", "            or self._window_frames >= EVENTS_PER_SECOND\n", "",
        "calls on the quick way know no rate",
        QUICK + "test_IP_14_calls_taken_quickly_count_as_frames_and_bytes",
    ),
    _connection(
        "quick-bytes", "            or self._window_bytes + len(data) > BYTES_PER_SECOND\n", "",
        "calls on the quick way may have any bytes a second",
        BOUNDS + "test_IP_14_bytes_that_complete_nothing_count_as_well",
    ),
    _connection(
        "quick-counts", "        self._window_frames += 1\n", "",
        "calls on the quick way are not counted",
        QUICK + "test_IP_14_calls_taken_quickly_count_as_frames_and_bytes",
    ),
    _connection(
        "rate-frames", "or self._window_frames > EVENTS_PER_SECOND:", "or False:",
        "any number of frames a second",
        ORDER + "test_IP_14_a_flood_of_messages_ends_the_worker",
    ),
    _connection(
        "rate-bytes", "if self._window_bytes > BYTES_PER_SECOND or", "if False or",
        "any number of bytes a second",
        BOUNDS + "test_IP_14_bytes_that_complete_nothing_count_as_well",
    ),
    _connection(
        "time-of-a-message", "if deadline is not None and now >= deadline:", "if False:",
        "a message may take for ever",
        ORDER + "test_IP_02_a_message_that_never_ends_runs_out_of_time",
    ),
    _connection(
        "time-of-a-drip", "elif (frames and not self._parts) or self._started is None:",
        "else:", "each byte gives a message its time anew",
        ORDER + "test_IP_02_a_drip_does_not_extend_the_time",
    ),
    _connection(
        "time-of-parts", "elif (frames and not self._parts) or self._started is None:",
        "elif frames or self._started is None:", "each part gives a message its time anew",
        EDGES + "test_IP_02_parts_do_not_extend_the_time",
    ),
    _connection(
        "version", "message.version != messages.PROTOCOL_VERSION:", "False:",
        "a worker of any version is taken",
        ORDER + "test_IP_12_another_version_is_refused_in_words",
    ),
    _connection(
        "dead-after-a-violation",
        "        self.state = State.ENDED\n        return WorkerViolation",
        "        return WorkerViolation", "after a violation a worker may go on",
        ORDER + "test_IP_11_the_table_of_states_is_what_holds",
    ),
    _connection(
        "run-once", "if self.state is not State.READY or self.role is not Role.SPELL:", "if False:",
        "a spell may be sent before the hello",
        ORDER + "test_the_supervisor_itself_keeps_to_the_table",
    ),
    # -- the quick reading of a call -----------------------------------------------------------
    _quick(
        "quick-size", "    if len(body) > QUICK_MAX:\n        return None\n", "",
        "the quick way reads a call of any size",
        QUICK + "test_what_is_not_common_is_left_to_the_strict_reader",
    ),
    _quick(
        "quick-keys-twice", "or spelled.count('\":') != len(args)", "",
        "the quick way takes a key twice",
        QUICK + "test_what_is_not_common_is_left_to_the_strict_reader",
    ),
    _quick(
        "quick-keys-apart", "or \" :\" in spelled", "",
        "the quick way takes a key twice where a space stands behind it",
        QUICK + "test_what_is_not_common_is_left_to_the_strict_reader",
    ),
    _quick(
        "quick-integers", "if not -INTEGER_MAX <= value <= INTEGER_MAX:", "if False:",
        "the quick way takes large integers",
        QUICK + "test_what_is_not_common_is_left_to_the_strict_reader",
    ),
    _quick(
        "quick-infinity", "elif type(value) is float and value - value != 0:", "elif False:",
        "the quick way takes NaN and infinities",
        QUICK + "test_what_is_not_common_is_left_to_the_strict_reader",
    ),
    _quick(
        "quick-method", r'[^"\\$\x00-\x1f]{1,64}', r'[^"\\$\x00-\x1f]{1,65}',
        "the quick way takes a longer method name",
        QUICK + "test_what_is_not_common_is_left_to_the_strict_reader",
    ),
    _quick(
        "quick-escapes", r'(\{[^{}\[\]\\$\x00-\x1f]*\})', r'(\{[^{}\[\]$\x00-\x1f]*\})',
        "the quick way takes escapes, and so half of a surrogate pair",
        QUICK + "test_what_is_not_common_is_left_to_the_strict_reader",
    ),
    _quick(
        "quick-nesting", r'(\{[^{}\[\]\\$\x00-\x1f]*\})', r'(\{[^\\$\x00-\x1f]*\})',
        "the quick way takes nested values",
        QUICK + "test_what_is_not_common_is_left_to_the_strict_reader",
    ),
    _quick(
        "quick-specials", r'(\{[^{}\[\]\\$\x00-\x1f]*\})', r'(\{[^{}\[\]\\\x00-\x1f]*\})',
        "the quick way takes `$bytes` as a plain key",
        QUICK + "test_what_is_not_common_is_left_to_the_strict_reader",
    ),
)  # fmt: skip

MUTANTS: Final = tuple(change.mutant() for change in CHANGES)
