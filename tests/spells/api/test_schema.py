"""The argument checker of every brokered call."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell.errors import InvalidInput
from llmspell.spells.api.catalogue import API, CALLS
from llmspell.spells.api.lookup import function_of
from llmspell.spells.api.model import TYPES, Function, Param, camel
from llmspell.spells.api.schema import compile_params, to_json_schema

READ = compile_params(CALLS["fs.read"])


def test_defaults_are_filled_and_absent_stays_absent() -> None:
    assert READ({"path": "a"}) == {"path": "a", "encoding": "utf-8", "offset": 0}


def test_an_integral_float_is_an_integer() -> None:
    assert READ({"path": "a", "offset": 3.0})["offset"] == 3
    with pytest.raises(InvalidInput, match="offset must be an integer, not a number"):
        READ({"path": "a", "offset": 3.5})


@pytest.mark.parametrize(
    ("args", "words"),
    [
        ({}, "path is missing"),
        ({"path": None}, "path is missing"),
        ({"path": 3}, "path must be text, not an integer"),
        ({"path": ["a"]}, "path must be text, not an array"),
        ({"path": "a", "mode": "x"}, "takes no parameter 'mode'"),
        ({"path": ""}, "at least 1 characters"),
        ({"path": "a" * 5000}, "at most 4096 characters"),
        ({"path": "a", "encoding": "latin1"}, "one of utf-8, binary"),
        ({"path": "a", "offset": -1}, "at least 0"),
        ({"path": "a", "offset": True}, "must be an integer, not a boolean"),
        ({"path": "a", "offset": 2**60}, "must be an integer"),
    ],
)
def test_what_is_wrong_is_named(args: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        READ(args)
    assert words in caught.value.message
    assert caught.value.message.startswith("fs.read")
    assert caught.value.code == 2002


def test_the_function_is_named_as_spells_write_it_not_as_the_wire_does() -> None:
    execute = function_of("agent.execute_named")
    assert execute is not None
    with pytest.raises(InvalidInput, match=r"^agent\.execute: input is missing"):
        compile_params(execute)({"agent": "a"})


def test_an_empty_array_is_an_empty_object_as_lua_sends_it() -> None:
    check = compile_params(CALLS["http.request"])
    assert check({"url": "http://a", "headers": []})["headers"] == {}
    with pytest.raises(InvalidInput, match="headers must be an object"):
        check({"url": "http://a", "headers": ["x"]})


def test_a_default_object_is_never_shared() -> None:
    check = compile_params(CALLS["http.request"])
    check({"url": "http://a"})["headers"]["x"] = 1
    assert check({"url": "http://a"})["headers"] == {}


def test_a_required_value_may_be_null_only_where_anything_may_be() -> None:
    check = compile_params(CALLS["storage.set"])
    assert check({"key": "k", "value": None}) == {"key": "k", "value": None}
    with pytest.raises(InvalidInput, match="value is missing"):
        check({"key": "k"})


def test_no_number_is_nan() -> None:
    check = compile_params(CALLS["http.request"])
    for wrong in (float("nan"), float("inf"), 0, 301):
        with pytest.raises(InvalidInput, match="timeout"):
            check({"url": "http://a", "timeout": wrong})


def test_every_type_has_a_check_and_a_schema() -> None:
    for kind in TYPES:
        function = Function("f", "doc", (Param("p", (kind,), "doc"),), wire="t.f")
        assert compile_params(function)({}) == {}
        assert to_json_schema(function)["properties"]["p"]["description"] == "doc"


def described() -> list[tuple[str, tuple[Function, ...]]]:
    """Every module's functions and every class's methods, by the name of the whole."""
    modules = [(module.name, module.functions) for module in API]
    return modules + [(one.name, one.methods) for module in API for one in module.classes]


def test_the_description_is_consistent() -> None:
    for owner, functions in described():
        names = [name for one in functions for name in (one.name, *one.aliases)]
        assert len(set(names)) == len(names), owner
        for function in functions:
            assert function.doc.endswith("."), function
            assert function.positional <= len(function.params)
            # A call is found by its wire name alone, from the one file that describes it.
            assert function.kind == "local" or function_of(function.wire) is not None, function
            assert function.kind == "call" or not function.wire or function.wire in CALLS
            assert not function.spread or function.spread in {one.name for one in function.params}
            # A callback comes last, also behind what may be left out.
            by_position = function.params[: function.positional]
            required = [one.required for one in by_position if one.types != ("callback",)]
            assert required == sorted(required, reverse=True), "optional before required"


def test_constructors_and_objects_are_described() -> None:
    known = {one.name for module in API for one in module.classes} | {"tool"}
    for module in API:
        made = [one for one in module.functions if one.name == module.construct]
        assert len(made) == bool(module.construct)
    for _, functions in described():
        for function in functions:
            if function.after in ("handle", "handles"):
                words = function.returns.removesuffix("s").split()
                assert known & {*words, function.returns}, function


def test_every_default_passes_its_own_check() -> None:
    for function in CALLS.values():
        for param in function.params:
            if param.default is not None:
                alone = function._replace(params=(param,))
                assert compile_params(alone)({param.name: param.default})


def test_camel_case() -> None:
    assert camel("get_by_category") == "getByCategory"
    assert camel("read") == "read"


@given(
    st.dictionaries(
        st.text(max_size=8),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.text(max_size=3), inner, max_size=3)
            ),
            max_leaves=6,
        ),
        max_size=4,
    )
)
def test_nothing_but_invalid_input_is_raised(args: dict[str, Any]) -> None:
    for function in CALLS.values():
        try:
            result = compile_params(function)(args)
        except InvalidInput:
            continue
        assert result.keys() <= {param.name for param in function.params}
