"""The utilities: what people expect of them, and hostile input (RS-22, RS-23)."""

from __future__ import annotations

import hashlib
import math
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from llmspell.errors import InvalidInput, LlmspellError
from tests.tools.support import use, use_whole


def refused(tool: str, given: dict[str, Any]) -> LlmspellError:
    """The error of a use that must be refused, and quickly."""
    started = time.monotonic()
    with pytest.raises(InvalidInput) as caught:
        use(tool, given)
    assert time.monotonic() - started < 5
    return caught.value


def calculate(expression: str, **more: Any) -> Any:
    return use("calculator", {"expression": expression, **more})


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("1 + 2 * 3", 7), ("(1 + 2) * 3", 9), ("-2 ** 2", -4), ("2 ** 3 ** 2", 512),
        ("2 ^ 10", 1024), ("7 / 2", 3.5), ("6 / 2", 3), ("7 // 2", 3), ("-7 % 3", 2),
        ("5!", 120), ("3!!", 720), ("log(100)", 2), ("log(8, 2)", 3), ("ln(e)", 1),
        ("round(2.5)", 3), ("round(-2.5)", -3), ("round(1.005, 2)", 1.0), ("sqrt(2)", 1.414214),
        ("0x1F + 0b11", 34), ("1_000 * 2", 2000), (".5 + 1e2", 100.5), ("3 × 4 ÷ 2 − 1", 5),
        ("max(1, 5, 3)", 5), ("median(3, 1, 2)", 2), ("gcd(12, 18)", 6), ("comb(5, 2)", 10),
        ("1 < 2 and not 3 > 4", True), ("1 == 1.0", True), ("2 > 1 ? 10 : 20", 10),
        ("if(1 > 2, 1 / 1, 7)", 7), ("hypot(3, 4)", 5), ("0.1 + 0.2", 0.3), ("10 mod 3", 1),
        ("tau / pi", 2), ("sign(-3)", -1), ("1 +\n 1", 2), ("0 ** 0", 1), ("(-1) ** 10000001", -1),
        ("1 ** 999999999999", 1), ("cbrt(27)", 3), ("clamp(15, 0, 10)", 10),
    ],
)  # fmt: skip
def test_calculator(expression: str, value: Any) -> None:
    assert calculate(expression) == value


def test_calculator_large_whole_numbers_stay_exact_as_text() -> None:
    output = use_whole("calculator", {"expression": "2 ** 100"})
    assert output["metadata"] == {"text": str(2**100), "exact": False}
    assert output["result"] == float(2**100)


def test_calculator_variables_may_hide_constants() -> None:
    assert calculate("π + e", variables={"π": 1, "e": 2}) == 3
    assert calculate("x * y", variables={"x": 1.5, "y": 2}, precision=0) == 3
    assert calculate("1 / 3", precision=2) == 0.33


@pytest.mark.parametrize(
    ("expression", "words"),
    [
        ("9 ** 9 ** 9", "too large"), ("2 ** 10000000000", "too large"),
        ("10.0 ** 400", "too large"), ("factorial(171)", "0 to 170"), ("1e999", "too large"),
        ("170! * 170! * 170! * 170!", "too large"), ("1 / 0", "division by zero"),
        ("0 ** -1", "division by zero"), ("5 % 0", "division by zero"), ("sqrt(-1)", "not real"),
        ("(-8) ** (1/3)", "not real"), ("log(0)", "positive"), ("(" * 2000 + "1", "nested deeper"),
        ("-" * 5000 + "1", "nested deeper"), ("9" * 400, "too long"), ("comb(10**9, 5)", "0 to"),
        ("", "at least 1"), ("1 +", "at its end"), ("2 x", "operator"), ("1 $ 2", "column 3"),
        ("sqr(4)", "no function sqr"), ("foo", "no variable foo"), ("sqrt", "is a function"),
        ("sqrt(1, 2)", "takes 1 argument"), ("__import__('os')", "column"), ("(1 < 2) + 1", "comp"),
        ("a.b", "column 2"), ("acos(2)", "not defined"), ("round(1, 400)", "digits"),
        ("lambda: 1", "no variable"), ("1;2", "column 2"), ("if(1)", "3 arguments"),
        ("exp(100000)", "too large"), ("cosh(1e9)", "too large"), ("2 ** 1024 - 1", "large"),
    ],
)  # fmt: skip
def test_RS_23_calculator_refuses(expression: str, words: str) -> None:
    assert words in refused("calculator", {"expression": expression}).message


def test_calculator_long_expression_is_quick() -> None:
    assert calculate("+".join(["1"] * 5000)) == 5000
    assert "10000" in refused("calculator", {"expression": "1" * 10_001}).message


def text(value: str, *operations: Any) -> Any:
    return use("text_manipulator", {"text": value, "operations": list(operations)})


@pytest.mark.parametrize(
    ("value", "operations", "result"),
    [
        ("fooBar baz_qux", ["snake_case"], "foo_bar_baz_qux"),
        ("HTTPServer-name", ["camelCase"], "httpServerName"),
        ("foo bar", ["pascal_case"], "FooBar"),
        ("foo bar", ["constantCase"], "FOO_BAR"),
        ("don't stop", ["title_case"], "Don't Stop"),
        ("Crème Brûlée & Straße", ["slugify"], "creme-brulee-strasse"),
        ("e\u0301👍🏽🇩🇪a", ["reverse"], "a🇩🇪👍🏽e\u0301"),
        ("👨‍👩‍👧!", ["length"], 2),
        ("a.b.c", [{"replace": {"pattern": ".", "replacement": "-"}}], "a-b-c"),
        ("a.b.c", [{"replace": {"pattern": ".", "replacement": "-", "all": False}}], "a-b.c"),
        ("John Smith", [{"replace": {"pattern": "(?<f>\\w+) (\\w+)", "flags": "",
                                     "replacement": "$2, $<f>$$ $&"}}], "Smith, John$ John Smith"),
        ("aXbX", [{"replace": {"pattern": "x", "replacement": "", "flags": "gi"}}], "ab"),
        ("a,b;c", [{"split": {"separator": "[,;]", "regex": True}}], ["a", "b", "c"]),
        ("a-b-c", [{"split": {"separator": "-", "limit": 2}}], ["a", "b-c"]),
        ("k=v; k2=v2", [{"extract": {"pattern": "(\\w+)=(\\w+)", "group": 2}}], ["v", "v2"]),
        ("hello world", [{"truncate": 8}], "hello w…"),
        ("hello wide world", [{"truncate": {"length": 13, "onWord": True}}], "hello wide…"),
        ("hello", [{"truncate": {"length": 2, "ellipsis": "..."}}], ".."),
        ("7", [{"pad": {"length": 3, "character": "0", "side": "left"}}], "007"),
        ("ab", [{"repeat": {"count": 3, "separator": "-"}}], "ab-ab-ab"),
        ("one two\nthree", ["word_count"], 3),
        ("one\ntwo\n", ["line_count"], 2),
        ("b a b", ["words", "unique", "sort", {"join": ","}], "a,b"),
        ("<a href='x'>&", ["escape_html"], "&lt;a href=&#39;x&#39;&gt;&amp;"),
        ("&amp;lt;", ["unescape_html"], "&lt;"),
        ("  a   b ", ["collapse_whitespace", "upper"], "A B"),
        ("abcdef", [{"slice": {"start": 1, "end": -1}}], "bcde"),
        ("banana", [{"count": "an"}], 2),
        ("one two", [{"wrap": 4}], "one\ntwo"),
        ("a b/ü", ["url_encode"], "a%20b%2F%C3%BC"),
        ("ﬁ", [{"normalize": "NFKC"}], "fi"),
        ("", ["trim", "words"], []),
        ("abc", [], "abc"),
    ],
)  # fmt: skip
def test_text_manipulator(value: str, operations: list[Any], result: Any) -> None:
    assert text(value, *operations) == result


@pytest.fixture
def usual_recursion() -> Iterator[None]:
    """The interpreter's own bound, as in a tool worker; a test run before may have raised it."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.parametrize(
    ("operations", "words"),
    [
        ([{"pad": 10**10}], "from 0 to"), ([{"repeat": 10**9}], "from 0 to"),
        ([{"repeat": 10**7}, {"repeat": 10**7}], "characters"),
        ([{"repeat": 10**6}, {"indent": {"width": 1000}}], "characters"),
        ([{"replace": {"pattern": "", "replacement": "x"}}], "at least 1"),
        ([{"matches": {"pattern": "(", "regex": True}}], "no regular expression"),
        ([{"matches": {"pattern": "a{1000000}", "regex": True}}], "repeats"),
        ([{"matches": {"pattern": "(" * 1500 + ")" * 500, "regex": True}}], "complex"),
        ([{"replace": {"pattern": "a", "replacement": "$9", "regex": True}}], "group 9"),
        (["nothing"], "no operation nothing"), ([{"trim": {"x": 1}}], "takes no argument"),
        ([{"a": 1, "b": 2}], "entries"), (["length", "trim"], "can't follow"),
        (["sort"], "needs a list"), (["trim"] * 101, "101 items"),
        ([{"extract": {"pattern": "a", "flags": "q"}}], "unknown flag"),
    ],
)  # fmt: skip
def test_RS_23_text_manipulator_refuses(
    usual_recursion: None, operations: list[Any], words: str
) -> None:
    given = {"text": "aa\nb", "operations": operations}
    assert words in refused("text_manipulator", given).message


def test_text_manipulator_growth_is_refused_before_it_is_built() -> None:
    big = "a" * 5_000_000
    for operation in (
        {"replace": {"pattern": "a", "replacement": "b" * 1000}},
        {"replace": {"pattern": "a", "replacement": "b" * 1000, "regex": True}},
        "characters",
    ):
        given = {"text": big, "operations": [operation]}
        if operation == "characters":
            assert len(use("text_manipulator", given)) == len(big)
        else:
            refused("text_manipulator", given)


def test_uuids_have_version_and_variant_bits() -> None:
    for number in (1, 4, 6, 7):
        made = use("uuid_generator", {"version": f"v{number}", "count": 500})
        assert len(set(made)) == 500
        assert all(each[14] == str(number) and each[19] in "89ab" for each in made)
        checked = use_whole("uuid_generator", {"operation": "validate", "uuid": made[0]})
        assert checked["result"] is True and checked["metadata"]["version"] == number


def test_uuids_of_version_6_and_7_rise_within_a_call() -> None:
    for version in ("v6", "v7"):
        made = use("uuid_generator", {"version": version, "count": 10_000})
        assert made == sorted(made)


def test_uuids_by_name_are_those_of_the_standard_library() -> None:
    import uuid

    for version, make in (("v3", uuid.uuid3), ("v5", uuid.uuid5)):
        given = {"version": version, "namespace": "url", "name": "https://ü.example/"}
        assert use("uuid_generator", given) == str(make(uuid.NAMESPACE_URL, "https://ü.example/"))


@pytest.mark.parametrize(
    ("form", "shown"),
    [
        ("hex", "886313e13b8a53729b900c9aee199e5d"),
        ("urn", "urn:uuid:886313e1-3b8a-5372-9b90-0c9aee199e5d"),
        ("braces", "{886313e1-3b8a-5372-9b90-0c9aee199e5d}"),
        ("integer", str(0x886313E13B8A53729B900C9AEE199E5D)),
    ],
)
def test_uuid_formats(form: str, shown: str) -> None:
    given = {"version": "v5", "name": "python.org", "format": form}
    assert use("uuid_generator", given) == shown


def test_uuid_refusals() -> None:
    assert "10000" in refused("uuid_generator", {"count": 10**9}).message
    assert "name is missing" in refused("uuid_generator", {"version": "v5"}).message
    refused("uuid_generator", {"version": "v5", "name": "x", "namespace": "nothing"})
    assert use("uuid_generator", {"operation": "validate", "uuid": "x"}) is False


def test_hashes_against_known_values() -> None:
    def of(algorithm: str, **more: Any) -> Any:
        return use("hash_calculator", {"data": "abc", "algorithm": algorithm, **more})

    assert of("md5") == "900150983cd24fb0d6963f7d28e17f72"
    assert of("sha1") == "a9993e364706816aba3e25717850c26c9cd0d89d"
    assert of("sha3_256") == "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"
    assert of("blake2s", size=4) == hashlib.blake2s(b"abc", digest_size=4).hexdigest()
    assert of("crc32") == "352441c2"
    assert of("shake_128", size=4) == "5881092d"
    assert of("sha256", output="base64") == "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="
    assert of("sha256", key="6b", key_encoding="hex") == of("sha256", key="k")
    assert of("sha256", output="bytes")[:2] == b"\xba\x78"
    assert of("md5", uppercase=True).isupper()
    assert use("hash_calculator", {"data": b"\xff"}) == (
        "a8100ae6aa1940d0b663bb31cd466142ebbdbd5187131b92d93818987832eb89"
    )


def test_hash_refusals_and_comparison() -> None:
    assert (
        "no key"
        in refused("hash_calculator", {"data": "", "algorithm": "crc32", "key": "k"}).message
    )
    refused("hash_calculator", {"data": "zz", "input_encoding": "hex"})
    refused("hash_calculator", {"data": "", "size": 10})
    refused("hash_calculator", {"data": "", "algorithm": "blake2b", "size": 65})
    assert use("hash_calculator", {"data": "abc", "expected": "00" * 32}) is False
    assert use("hash_calculator", {"data": "abc", "expected": "nonsense"}) is False


@pytest.mark.parametrize("variant", ["base64", "base64url", "url", "form", "hex"])
def test_encodings_go_both_ways(variant: str) -> None:
    for data in (b"", b"\x00\xff\xfe", "größe & 世界+ ~".encode(), bytes(range(256))):
        coded = use("base64_encoder", {"data": data, "variant": variant})
        given = {"operation": "decode", "data": coded, "variant": variant, "output": "bytes"}
        assert use("base64_encoder", given) == data


@pytest.mark.parametrize(
    ("variant", "data"),
    [("base64", "a"), ("base64", "a!b="), ("hex", "abc"), ("hex", "xx"), ("url", "%"),
     ("url", "%g1"), ("url", "%+1"), ("base64", "é")],
)  # fmt: skip
def test_wrong_encodings_are_refused(variant: str, data: str) -> None:
    refused("base64_encoder", {"operation": "decode", "data": data, "variant": variant})


def test_calculator_agrees_with_python_on_random_expressions() -> None:
    from hypothesis import given, settings
    from hypothesis import strategies as st

    numbers = st.integers(1, 50).map(str)
    expressions = st.recursive(
        numbers,
        lambda inner: st.tuples(inner, st.sampled_from("+-*/%"), inner).map(
            lambda parts: f"({parts[0]} {parts[1]} {parts[2]})"
        ),
        max_leaves=12,
    )

    @settings(max_examples=300, deadline=None)
    @given(expressions)
    def agrees(expression: str) -> None:
        try:
            expected = eval(expression)
        except ZeroDivisionError:
            refused("calculator", {"expression": expression})
            return
        assert math.isclose(calculate(expression, precision=12), expected, abs_tol=1e-9)

    agrees()
