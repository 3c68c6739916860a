"""Static imports in a JavaScript spell: what is one, what is none, and what each gives."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.parity.workers import Ended, run

NAMES = ("llmspell", "@rs/llmspell", "rs-llmspell")


def js(source: str, **fields: Any) -> Ended:
    return run("javascript", source, **fields)


def value(source: str, **fields: Any) -> Any:
    ended = js(source, **fields)
    assert ended.error is None, (ended.error, source)
    return ended.value


@pytest.mark.parametrize("kind", ["medium", "high"])
@pytest.mark.parametrize("name", NAMES)
def test_API_115_every_form_of_import_gives_the_injected_api(name: str, kind: str) -> None:
    source = f"""
    import {{ Tools as T, Async }} from '{name}';
    import whole from "{name}"; import * as all from '{name}'
    import def, {{ fs, default as again, }} from '{name}';
    import one, * as two from '{name}';import '{name}';
    import {{
      Storage, // the store
      /* twice */ Storage as Kept
    }} from '{name}' with {{ type: "x" }};
    const {{ Tools: required }} = require('{name}'), sub = require('{name}/tools'),
      dotted = require("{name}.tools");
    import late from "{name}/tools";
    return [T === Tools, Async === globalThis.Async, whole === all, def === whole,
      again === whole, fs === globalThis.fs,
      one === two, Storage === Kept, required === Tools, sub === Tools, dotted === Tools,
        late === Tools];
    """
    ended = js(source, kind=kind)
    assert ended.error is None, ended.error
    assert ended.value == [True] * 12
    assert ended.calls == []


@pytest.mark.parametrize("kind", ["medium", "high"])
@pytest.mark.parametrize("name", NAMES)
def test_API_115_an_import_at_run_time_gives_the_injected_api(name: str, kind: str) -> None:
    source = f"""
    const all = await import('{name}'), {{ Tools: T }} = await import(`{name}`);
    const [part] = await Promise.all([import("{name}" + "/tools")]);
    const late = async () => {{ if (true) return (await import( /* now */ '{name}')).default; }};
    const own = {{ import(x) {{ return x + 1 }}, text: "import('x')" + `import('y')` }};
    return [all.Tools === Tools, T === Tools, part.default === Tools,
      (await late()) === all.default, `${{(await import('{name}')).Tools === T}}` === "true",
      own.import(1) === 2, own.text === "import('x')import('y')"];
    """
    ended = js(source, kind=kind)
    assert ended.error is None, ended.error
    assert ended.value == [True] * 7 and ended.calls == []


@pytest.mark.parametrize("kind", ["medium", "high"])
def test_API_115_any_other_module_is_denied_by_the_profile(kind: str) -> None:
    for source in ("import axios from 'axios'", "import {a} from 'llmspell-evil'", 'import "fs"'):
        ended = js(source, kind=kind)
        assert ended.error is not None
        assert (ended.error["code"], ended.error["rule"]) == (4008, "medium.modules")
        [call] = ended.calls
        assert call.method == "modules.load"


def test_a_line_keeps_its_number_behind_an_import_of_several_lines() -> None:
    ended = js("import {\n  Tools,\n  Async\n} from 'llmspell';\n\nthrow new Error('six')")
    assert ended.error is not None and ended.error["line"] == 6


def test_what_the_spell_imports_of_its_own_folder_is_what_it_exports() -> None:
    def read(args: dict[str, Any]) -> Any:
        assert args["path"] == "spell:lib/util.js"
        return "import {Tools} from 'llmspell'; exports.tools = Tools; exports.double = x => 2 * x"

    source = """
    import { double, tools } from './lib/util.js';
    import util from './lib/util.js';
    return [double(4), tools === Tools, util.double === double];
    """
    ended = js(source, answers={"fs.read": read}, profile="low")
    assert (ended.value, ended.error) == ([8, True, True], None)


@pytest.mark.parametrize(
    "source",
    [
        "const a = { import: 1 }; return a.import + a\n.import",
        "const s = 'import x from \"y\"'; return s.length > 3 ? 2 : 0",
        "const t = `\nimport x from 'y'\n${`\nimport z from 'q' ${'}'}`}`; return t ? 2 : 0",
        "// import x from 'y'\n/*\nimport z from 'q'\n*/ return 2",
        "const r = /[/'\"`]import/; return 2",
        "if (true) /'import/.test('x'); return 2",
        "const n = 4 / 2; const q = '/ import'; return n",
        "let i = 4; const n = i++ / 2; /* ' */ return n",
        "function f() { return /`/ } return f() ? 2 : 0",
        "const o = {a: 1}\nconst n = [4][0] / 2 / o.a; return n",
        "return (() => { const imported = 2; return imported })()",
        "const text = 'a\\\nimport b'; return text ? 2 : 0",
    ],
)
def test_what_is_no_import_statement_stays_as_it_is(source: str) -> None:
    assert value(source) == 2


PIECES = st.sampled_from(
    [
        ("import {{ Tools as t{n} }} from 'llmspell'", "t{n} === Tools"),
        ('import * as a{n} from "rs-llmspell"', "a{n}.Tools === Tools"),
        ("const s{n} = \"import x from 'y'\"", "s{n}.endsWith(\"'y'\")"),
        ("const s{n} = 'it\\'s // no comment /* at all'", "s{n}.endsWith(' all')"),
        ("const t{n} = `import ${{ `a${{'}}'}}` }} 'x`", "t{n} === `import a}} 'x`"),
        ("/* import x from 'y' ' ` */ const c{n} = 1", "c{n} === 1"),
        ("const r{n} = /[`'\"/]+import/g", "r{n}.flags === 'g'"),
        ("const d{n} = 8 / 2 / 2", "d{n} === 2"),
        ("function f{n}() {{ return `}}` + /}}'/.source }}", 'f{n}() === "}}}}\'"'),
        ("const o{n} = {{ import: [1, {{ a: ')' }}] }}", "o{n}.import[1].a === ')'"),
    ]
)
ENDS = st.sampled_from([";\n", "\n", "; ", ";// '\n", "\n\n/* ` */\n"])


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(PIECES, ENDS), min_size=2, max_size=12))
def test_imports_among_anything_else(parts: list[tuple[tuple[str, str], str]]) -> None:
    source, checks = "", []
    for number, ((piece, check), end) in enumerate(parts):
        source += piece.format(n=number) + end
        checks.append(check.format(n=number))
    assert value(f"{source};return [{', '.join(checks)}]") == [True] * len(parts)


@pytest.mark.parametrize(
    "source",
    [
        "import",
        "import {",
        "import x from",
        "import {a as} from 'llmspell'",
        "import 'x",
        "`import ${",
    ],
)
def test_a_broken_statement_is_a_syntax_error(source: str) -> None:
    ended = js(source)
    assert ended.error is not None and ended.error["code"] == 4001


@pytest.mark.parametrize("kind", ["bare", "medium", "forked", "high"])
def test_frames_of_a_late_part_are_not_the_spells(kind: str) -> None:
    source = "\nimport { Tools } from 'llmspell';\nTest.suite('s').test('t')"
    ended = js(source, kind=kind)
    assert ended.error is not None
    assert (ended.error["code"], ended.error["line"]) == (2002, 3)
    assert ended.error["stack"].count("spell.js") == 1 and "llmspell" not in ended.error["stack"]
