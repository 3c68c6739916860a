"""Functions of a spell's and other values that the walk's calls take."""

from __future__ import annotations

from typing import Final

from tests.parity.literals import Source

HEARS: Final = Source("hears", "hears", "hears")
TWICE: Final = Source(
    "function(input) return { result = input.n * 2 } end",
    "(input) => ({ result: input.n * 2 })",
    "lambda given: {'result': given['n'] * 2}",
)
SEVEN: Final = Source("function() return 7 end", "() => 7", "lambda *given: 7")
YES: Final = Source("function() return true end", "() => true", "lambda *given: True")
NAP: Final = Source(
    "function() Async.sleep(30) return 7 end",
    "async () => { await Async.sleep(30); return 7; }",
    "lambda *given: nap()",
)
ASIS: Final = Source(
    "function(one) return { result = one } end",
    "(one) => ({ result: one })",
    "lambda one: {'result': one}",
)
SAME: Final = Source("function(one) return one end", "(one) => one", "lambda one, *more: one")
FIRST: Final = Source(
    "function(one) return one.v end", "(one) => one.v", "lambda one, *more: one['v']"
)
MIGRATE: Final = Source(
    "function(from) return { { op = 'set', key = 'moved', value = from } } end",
    "(from) => [{ op: 'set', key: 'moved', value: from }]",
    "lambda version: [{'op': 'set', 'key': 'moved', 'value': version}]",
)
_BALLOT: Final = '{"can_do": true, "confidence": 0.5, "cost": 1, "terms": "none", "vote": 2}'
BALLOT: Final = Source(
    f"function() return {{ action = 'skip', value = {{ content = '{_BALLOT}' }} }} end",
    f"() => ({{ action: 'skip', value: {{ content: '{_BALLOT}' }} }})",
    f"lambda *given: {{'action': 'skip', 'value': {{'content': '{_BALLOT}'}}}}",
)
RAISES: Final = Source("raises", "raises", "raises")
ANSWERED: Final = Source(
    'function(resolve) resolve("kept") end', '(resolve) => resolve("kept")', "None"
)
NUMBERS: Final = {"type": "object", "properties": {"n": {"type": "number"}}, "required": ["n"]}
CALCULATE: Final = {"expression": "6 * 7"}
FAKE: Final = {"provider": "fake", "model": "echo"}
