"""Templates of a spell's own: what they mean, and that none costs much (API-052, WF-012)."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell.errors import InvalidInput
from llmspell.spells.templating import Scope, View, evaluate, fill, render

SCOPE = {
    "x": 5,
    "none": None,
    "yes": True,
    "name": "moon",
    "items": [{"n": "a"}, {"n": "b"}, {"n": "c"}],
    "input": {"topic": "AI", "deep": {"er": [1, 2]}},
    "step": View({"text": "hi"}, {"output": {"text": "hi"}, "status": "completed"}),
    "fetch-data": "hyphen",
}

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-1000, 1000) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(alphabet="abcxyz", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("template", "wanted"),
    [
        ("{{input.topic}} papers", "AI papers"),
        ("{{ input.deep.er[1] }}{{input.deep.er.0}}", "21"),
        ("{{step.output.text}} {{step.text}} {{step.status}} {{step}}",
         'hi hi completed {"text": "hi"}'),
        ("{{{name}}} {{none}}{{nothing.at.all}}|", "moon |"),
        ("{{fetch-data}} {{x - 1}} {{x-1}}", "hyphen 4 4"),
        ("{{#each items}}{{n}}{{#unless @last}}, {{/unless}}{{/each}}", "a, b, c"),
        ("{{#each items as it}}{{@index}}{{it.n}}{{../x}} {{/each}}", "0a5 1b5 2c5 "),
        ("{{#each input}}{{@key}};{{/each}}", "topic;deep;"),
        ("{{#each none}}x{{else}}empty{{/each}}", "empty"),
        ("{{#if x > 6}}a{{else if x > 4}}b{{else}}c{{/if}}", "b"),
        ("{{#if none}}a{{/if}}{{#unless none}}b{{/unless}}", "b"),
        ("{{#with input}}{{topic}}{{/with}}", "AI"),
        ("\\{{x}} {{! a comment }}", "{{x}} "),
        ("{{upper(name)}} {{join(input.deep.er, '-')}} {{default(none, 'd')}}", "MOON 1-2 d"),
        ("{{items.length}} {{yes}} {{1.5}} {{4 / 2}}", "3 true 1.5 2"),
        ("no tags }} at all", "no tags }} at all"),
    ],
)  # fmt: skip
def test_what_a_template_prints(template: str, wanted: str) -> None:
    assert render(template, SCOPE) == wanted


def test_now_is_a_moment_of_utc() -> None:
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", render("{{now()}}", {}))


@pytest.mark.parametrize(
    ("expression", "wanted"),
    [
        ("{{x}} > 3", True),
        ("x>=5 and not (x == 6) && yes", True),
        ("'{{input.topic}}' == 'AI'", True),
        ("#items == 3 or 1 / 0", True),
        ("input.topic .. '!'", "AI!"),
        ("-x * 2 + 1", -9),
        ("missing == nil", True),
        ("x === '5'", False),
        ("yes == 1", False),
        ("contains(name, 'oo') and contains(items, none)", False),
        ("1 + 2 * 3 - 4 / 2", 5),
    ],
)
def test_what_an_expression_gives(expression: str, wanted: Any) -> None:
    assert evaluate(expression, SCOPE) == wanted


@pytest.mark.parametrize(
    "template",
    ["{{x", "{{}}", "{{#if x}}", "{{/if}}", "{{#each}}{{/each}}", "{{x y}}", "{{#if x}}{{/nope}}",
     "{{1 +}}", "{{'open}}", "{{nope()}}", "{{upper()}}", "{{x < 'a'}}", "{{9999999999999999999}}",
     "{{a..}}", "{{#else}}", "{{__import__('os')}}", "{{x ? 1 : 2}}", "{{x = 1}}"],
)  # fmt: skip
def test_what_is_wrong_is_said(template: str) -> None:
    with pytest.raises(InvalidInput):
        render(template, SCOPE)


def test_values_are_never_templates() -> None:
    scope = Scope({"a": "{{b}}", "b": "secret"})
    assert render("{{a}}", scope) == "{{b}}"
    assert fill({"k": "{{a}}"}, scope) == {"k": "{{b}}"}


def test_fill_keeps_types_and_finds_every_text() -> None:
    scope = Scope(SCOPE)
    data = {"all": "{{items}}", "n": "{{x}}", "t": "n={{x}}", "l": ["{{name}}", 1, None], "z": 2}
    assert fill(data, scope) == {
        "all": SCOPE["items"], "n": 5, "t": "n=5", "l": ["moon", 1, None], "z": 2,
    }  # fmt: skip
    assert fill("{{gone}}", scope) is None and scope.missing == ["gone"]


def test_python_is_out_of_reach() -> None:
    scope = {"x": "text", "l": [1], "v": View("p", {})}
    for name in ("__class__", "__init__.__globals__", "format", "plain", "names", "append", "-1"):
        for value in ("x", "l", "v"):
            try:
                assert render(f"{{{{{value}.{name}}}}}", scope) == ""
            except InvalidInput:
                pass


BIG = "y" * 200_000
HOSTILE = {
    "unclosed": "{{" * 100_000,
    "braces": "{" * 250_000,
    "many tags": "{{x}}" * 40_000,
    "deep blocks": "{{#if x}}" * 5_000,
    "deep brackets": "{{" + "(" * 900 + "}}",
    "long chain": "{{" + "1+" * 450 + "1}}",
    "not not": "{{" + "not " * 240 + "x}}",
    "nested loops": "{{#each l}}" * 6 + "x" + "{{/each}}" * 6,
    "loop of big": "{{#each l}}{{big}}{{/each}}",
    "loop of searching": "{{#each l}}{{#each l}}{{#if contains(big,'z')}}{{/if}}{{/each}}{{/each}}",
    "loop of parsing": "{{#each l}}{{#each l}}{{'{{x}}{{x}}{{x}}' == 'a'}}{{/each}}{{/each}}",
    "loop of copies": "{{#each l}}{{#each l}}{{(big..big) == 'a'}}{{/each}}{{/each}}",
    "too long": "x" * 300_000,
    "comparing": "{{#each l}}{{#each l}}{{deep == deep2}}{{/each}}{{/each}}",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_template_costs_little(name: str) -> None:
    scope = Scope(
        {"x": 1, "l": [*range(200)], "big": BIG, "deep": [[BIG]] * 50, "deep2": [[BIG + ""]] * 50}
    )
    began = time.process_time()
    with pytest.raises(InvalidInput):
        render(HOSTILE[name], scope)
    assert time.process_time() - began < 2


@given(st.text(alphabet="{}#/ axeifchl.()'\"@!|1<=>&+-*~\\\n", max_size=60), PLAIN)
def test_any_text_renders_or_is_refused(template: str, value: Any) -> None:
    try:
        assert isinstance(render(template, {"a": value, "x": 1}), str)
    except InvalidInput:
        pass


@given(st.text(max_size=40).filter(lambda text: "{{" not in text and not text.endswith("\\")))
def test_text_without_tags_stays(text: str) -> None:
    assert render(text, {}) == text


@given(PLAIN)
def test_one_tag_alone_is_the_value(value: Any) -> None:
    assert fill("{{v}}", Scope({"v": value})) == value


BIG = "x" * 1_000_000
DEAR: dict[str, Callable[[], Any]] = {
    "texts": lambda: fill(["{{s}}!"] * 5_000, Scope({"s": BIG})),
    "the same value again": lambda: fill(["{{s}}"] * 5_000, Scope({"s": BIG})),
    "lists of lists": lambda: fill({"a": ["{{s}}"] * 500}, Scope({"s": list(range(100_000))})),
    "texts that nobody looks at": lambda: render(
        "{{#each a}}{{{ '{{s}}' and 0 }}}{{/each}}",
        {"a": list(range(8_000)), "s": list(range(100_000))},
    ),
    "blocks within expressions": lambda: render(
        "{{#each a}}{{{ '{{#each s}}{{/each}}' and 0 }}}{{/each}}",
        {"a": list(range(8_000)), "s": list(range(40_000))},
    ),
}


@pytest.mark.alone
@pytest.mark.parametrize("name", DEAR)
def test_what_small_templates_bring_in_is_bounded(name: str) -> None:
    # A place costs six characters: what it names is charged before anything is made of it.
    began = time.process_time()
    with pytest.raises(InvalidInput, match=r"bring in over|take too much work"):
        DEAR[name]()
    assert time.process_time() - began < 3
