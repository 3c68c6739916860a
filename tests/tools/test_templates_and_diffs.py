"""template_processor and diff_calculator: their languages, and hostile input (RS-22)."""

from __future__ import annotations

import time
from typing import Any

import pytest

from llmspell.errors import InvalidInput
from tests.tools.support import use, use_whole

DATA: dict[str, Any] = {
    "name": "Ada", "empty": "", "zero": 0, "none": None, "list": ["a", "b"], "nothing": [],
    "user": {"name": "Bob", "tags": ["x", "y"]}, "rows": [{"n": 1}, {"n": 2}], "html": "<i>&'\"",
    "map": {"k1": "v1", "k2": "v2"}, "f": 1.5, "yes": True,
}  # fmt: skip


def render(template: str, **options: Any) -> Any:
    return use("template_processor",
               {"template": template, "variables": DATA, "options": options})  # fmt: skip


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("{{user.name}} {{ user.tags.1 }} {{list.length}}", "Bob y 2"),
        ("{{#if name}}yes{{/if}}{{#if zero}}no{{else}}zero{{/if}}", "yeszero"),
        ("{{#if empty}}1{{else if nothing}}2{{else if user}}3{{else}}4{{/if}}", "3"),
        ("{{#unless nothing}}none{{/unless}}", "none"),
        ("{{#each list}}{{@index}}{{this}}{{#unless @last}},{{/unless}}{{/each}}", "0a,1b"),
        ("{{#each map}}{{@key}}={{this}};{{/each}}", "k1=v1;k2=v2;"),
        ("{{#each rows as |row i|}}{{i}}:{{row.n}}/{{../name}} {{/each}}", "0:1/Ada 1:2/Ada "),
        ("{{#each nothing}}x{{else}}none{{/each}}", "none"),
        ("{{#each rows}}{{#if @first}}{{n}}{{/if}}{{/each}}", "1"),
        ("{{#with user}}{{name}} {{../name}} {{@root.name}}{{/with}}", "Bob Ada Ada"),
        ("{{html}} {{{html}}} {{&html}}", "&lt;i&gt;&amp;&#39;&quot; <i>&'\" <i>&'\""),
        ("a{{! note }}b{{!-- a }} b --}}c", "abc"),
        ("{{upper name}} {{truncate 'abcdef' 4}} {{default none 'd'}}", "ADA abc… d"),
        ("{{join list '-'}} {{join user.tags}} {{{json map}}}",
         'a-b x, y {"k1": "v1", "k2": "v2"}'),
        ("{{upper (join list '+')}} {{add 1 (multiply 2 3)}} {{fixed f 2}}", "A+B 7 1.50"),
        ("{{#if (and yes (gt f 1))}}ok{{/if}}{{#if (eq name 'Ada')}}!{{/if}}", "ok!"),
        ("\\{{name}} {{{{", None),
        ("\\{{name}}", "{{name}}"),
        ("x {{~name~}} y", "xAday"),
        ("{{#if yes}}\n  a\n{{/if}}\nb", "  a\nb"),
        ("{{none}}|{{missing}}|{{user.nothing.deep}}", "||"),
        ("{{lookup map 'k1'}} {{length list}} {{list}}", "v1 2 a,b"),
        ("Größe 👍 {{name}}", "Größe 👍 Ada"),
        ("{{#each list}}{{#each ../rows}}{{n}}{{/each}};{{/each}}", "12;12;"),
        ("", ""),
    ],
)  # fmt: skip
def test_templates(template: str, text: str | None) -> None:
    if text is None:
        with pytest.raises(InvalidInput, match="not closed"):
            render(template)
    else:
        assert render(template) == text


def test_strict_names_the_line_and_what_was_meant() -> None:
    with pytest.raises(InvalidInput, match="line 2: there is no variable nam") as caught:
        render("x\n{{nam}}", strict=True)
    assert str(caught.value.hint).startswith("did you mean name")
    assert render("{{#if nam}}a{{/if}}{{default nam 'b'}}", strict=True) == "b"


def test_missing_variables_are_reported() -> None:
    output = use_whole("template_processor", {"template": "{{a}}{{b.c}}"})
    assert output["metadata"]["missing"] == ["a", "b.c"]


def test_values_are_never_templates() -> None:
    given = {"template": "{{{a}}}", "variables": {"a": "{{b}}", "b": "secret"}}
    assert use("template_processor", given) == "{{b}}"
    for name in ("__class__", "constructor", "__proto__", "a.__class__.__mro__", "toString"):
        given = {"template": "{{" + name + "}}", "variables": {"a": "x"}}
        assert use("template_processor", given) == ""


@pytest.mark.parametrize(
    ("template", "words"),
    [
        ("{{#if a}}", "not closed"), ("{{/if}}", "no block"), ("{{#if a}}{{/each}}", "ends"),
        ("{{#nothing a}}{{/nothing}}", "no block #nothing"), ("{{> partial}}", "partials"),
        ("{{}}", "empty"), ("{{a b", "not closed"), ("{{nohelper a}}", "no helper"),
        ("{{upper}} {{upper name name}}", "wrong arguments"), ("{{(upper}}", "bracket|not closed"),
        ("{{#if}}x{{/if}}", "needs something"), ("{{divide 1 0}}", "division"),
        ("{{#if yes}}" * 60 + "{{/if}}" * 60, "nested deeper"),
        ("{{" + "(" * 100 + "}}", "deep|not closed|value"), ("{{add 'a' 1}}", "number"),
        ("{{a..b}}", "no name"), ("{{fixed f 99}}", "digits"),
        ("{{json map indent='x' b=1}}", "wro"),
    ],
)  # fmt: skip
def test_RS_22_templates_refuse(template: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words):
        render(template)


def test_RS_23_template_bombs_end_soon() -> None:
    rows = list(range(1000))
    nested = "{{#each l}}{{#each @root.l}}{{#each @root.l}}x{{/each}}{{/each}}{{/each}}"
    doubling = "{{#each l}}{{json @root}}{{/each}}"
    started = time.monotonic()
    for template in (nested, doubling, "{{replace (replace s 'a' s) 'a' s}}"):
        with pytest.raises(InvalidInput, match=r"steps|characters"):
            use("template_processor", {"template": template,
                                       "variables": {"l": rows, "s": "a" * 5000}})  # fmt: skip
    assert time.monotonic() - started < 8


def diff(old: Any, new: Any, **more: Any) -> Any:
    return use("diff_calculator", {"old": old, "new": new, **more})


def test_identical_texts_have_no_difference() -> None:
    assert diff("a\n", "a\n") == ""
    assert diff({"a": [1]}, {"a": [1.0]}) == []


def test_formats_of_a_text_difference() -> None:
    old, new = "one\ntwo\nthree\n", "one\n2\nthree\nfour\n"
    assert diff(old, new, format="stats") == {
        "added": 2, "removed": 1, "unchanged": 2, "changes": 2, "similarity": 0.571429,
        "identical": False,
    }  # fmt: skip
    rows = diff(old, new, format="side_by_side")
    assert rows[1] == {"kind": "replace", "old_line": 2, "old": "two", "new_line": 2, "new": "2"}
    assert "! two" in diff(old, new, format="context")
    assert diff("a b c", "a x c", format="words") == [
        {"op": "equal", "text": "a "}, {"op": "remove", "text": "b"}, {"op": "add", "text": "x"},
        {"op": "equal", "text": " c"},
    ]  # fmt: skip
    assert diff("A  b\n", "a b\n", ignore_case=True, ignore_whitespace=True) == ""
    assert "No newline at end" in diff("a", "b")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("one\ntwo\nthree\n", "zero\none\n2\nthree\n"),
        ("", "a\nb\n"), ("a\nb\n", ""), ("a", "b"), ("a\n", "a"), ("a\nb", "a\nb\n"),
        ("a\r\nb\r\n", "a\r\nc\r\n"), ("\n\n\n", "\n"), ("x\n" * 50 + "end", "x\n" * 49 + "y\nend"),
    ],
)  # fmt: skip
def test_a_unified_diff_can_be_applied(old: str, new: str) -> None:
    patched = use("diff_calculator", {"operation": "patch", "old": old, "patch": diff(old, new)})
    assert patched == new


def test_a_patch_that_does_not_fit_is_refused() -> None:
    patch = diff("a\nb\n", "a\nc\n")
    with pytest.raises(InvalidInput, match="does not fit") as caught:
        use("diff_calculator", {"operation": "patch", "old": "x\ny\n", "patch": patch})
    assert caught.value.code == 2009
    for wrong in ("nonsense", "@@ -1,9 +1,9 @@\n a\n", "@@ -1 +1 @@\nabc\n"):
        with pytest.raises(InvalidInput):
            use("diff_calculator", {"operation": "patch", "old": "a\n", "patch": wrong})


def test_random_values_and_texts_go_through_diff_and_patch() -> None:
    from hypothesis import given, settings
    from hypothesis import strategies as st

    leaf = st.none() | st.booleans() | st.integers(-9, 9) | st.text("ab/~", max_size=3)
    values = st.recursive(
        leaf,
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=4)
        ),
        max_leaves=15,
    )

    @settings(max_examples=200, deadline=None)
    @given(values, values)
    def values_agree(old: Any, new: Any) -> None:
        patch = diff(old, new, mode="json")
        again = use("diff_calculator", {"operation": "patch", "old": old, "patch": patch})
        assert again == new

    texts = st.lists(st.sampled_from(["a", "b", "c", ""]), max_size=12).map("\n".join)

    @settings(max_examples=200, deadline=None)
    @given(texts, texts)
    def texts_agree(old: str, new: str) -> None:
        patch = diff(old, new)
        again = use("diff_calculator", {"operation": "patch", "old": old, "patch": patch})
        assert again == new

    values_agree()
    texts_agree()


@pytest.mark.parametrize(
    ("patch", "code"),
    [
        ([{"op": "remove", "path": "/x"}], 2009),
        ([{"op": "test", "path": "/a", "value": 2}], 2009),
        ([{"op": "add", "path": "/l/9", "value": 1}], 2009),
        ([{"op": "add", "path": "l", "value": 1}], 2002), ([{"op": "remove", "path": ""}], 2002),
        ([{"op": "move", "from": "/l", "path": "/l/0"}], 2002), ([{"op": "fly", "path": ""}], 2002),
        ([{"op": "add", "path": "/l/01", "value": 1}], 2002), ([{"path": "/a"}], 2002),
        ([{"op": "replace", "path": "/l/-", "value": 1}], 2002), ([{"op": "add", "path": 1}], 2002),
    ],
)  # fmt: skip
def test_wrong_json_patches_are_refused(patch: list[Any], code: int) -> None:
    with pytest.raises(InvalidInput) as caught:
        use("diff_calculator", {"operation": "patch", "old": {"a": 1, "l": [1]}, "patch": patch})
    assert caught.value.code == code


def test_RS_23_large_differences_are_bounded() -> None:
    with pytest.raises(InvalidInput, match="lines"):
        diff("\n" * 30_000, "a")
    with pytest.raises(InvalidInput, match="characters"):
        diff("a" * 30_000, "b", format="characters")
    with pytest.raises(InvalidInput, match="differences"):
        diff(list(range(60_000)), list(range(1, 60_001)))
    with pytest.raises(InvalidInput, match="must be a text"):
        diff("a", 1, mode="text")
