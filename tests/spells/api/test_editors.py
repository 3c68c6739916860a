"""Editor types hold every described function, and are what their language reads."""

from __future__ import annotations

import ast
import keyword
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from llmspell.cli import program
from llmspell.spells.api import editors
from llmspell.spells.api.catalogue import GLOBALS
from llmspell.spells.api.editors import javascript, lua, python, shapes
from llmspell.spells.api.model import camel

LANGUAGES = tuple(editors.FILES)


def methods_of(language: str) -> list[tuple[str, str]]:
    """Class and method, as they are described."""
    return [
        (name, spelled)
        for name, described in shapes.classes().items()
        for method in shapes.methods(described, language)
        for spelled in (method.name, *method.aliases)
    ]


def functions_of(language: str) -> list[tuple[str, str]]:
    """The first global of a module and each of its functions."""
    return [
        (module.names[0], spelled)
        for module in shapes.modules(language)
        for function in module.functions
        for spelled in (function.name, *function.aliases)
    ]


def test_lua_reads_its_file_and_finds_every_name() -> None:
    from lupa.lua54 import LuaRuntime

    runtime = LuaRuntime(register_eval=False)
    # `local pet = {}` of a class is made a global, to be looked at.
    text = re.sub(r"^local (\w+) = \{\}$", r"\1 = {}", editors.render("lua"), flags=re.MULTILINE)
    runtime.execute(text)
    found = runtime.globals()
    for owner, name in functions_of("lua"):
        assert found[owner][name] is not None, f"{owner}.{name}"
    for owner, name in methods_of("lua"):
        assert found[f"{owner}_object"][name] is not None, f"{owner}.{name}"
    for module in shapes.modules("lua"):
        assert all(found[name] is not None for name in module.names)
    assert all(found[name] is not None for name, _ in GLOBALS)


def test_lua_says_the_type_of_every_parameter() -> None:
    text = editors.render("lua")
    for block in re.findall(r"((?:^---.*\n)*)^function [\w.:]+\(([^)]*)\) end$", text, re.M):
        notes, names = block
        said = re.findall(r"^---@param (\w+)", notes, re.M)
        assert said == [name for name in names.split(", ") if name]


def test_python_reads_its_file_and_finds_every_name() -> None:
    tree = ast.parse(editors.render("python"))
    inside = {
        node.name: {one.name for one in node.body if isinstance(one, ast.FunctionDef)}
        for node in tree.body
        if isinstance(node, ast.ClassDef)
    }
    names = {
        node.target.id: ast.unparse(node.annotation)
        for node in tree.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    for owner, name in functions_of("python"):
        assert keyword.iskeyword(name) or name in inside[names[owner]], f"{owner}.{name}"
    for owner, name in methods_of("python"):
        assert keyword.iskeyword(name) or name in inside[python._class_name(owner)]
    assert {name for name, _ in GLOBALS} <= names.keys()


def test_the_python_stub_is_sound(tmp_path: Path) -> None:
    from mypy import api

    stub = tmp_path / "spell_api.pyi"
    stub.write_text(editors.render("python"), "utf-8")
    out, problems, code = api.run(
        ["--strict", "--no-incremental", "--config-file=", f"--cache-dir={tmp_path}", str(stub)]
    )
    assert (code, problems) == (0, ""), out


def interfaces(text: str) -> dict[str, set[str]]:
    blocks = re.findall(r"^interface (\w+) \{\n(.*?)^\}$", text, re.M | re.S)
    return {name: set(re.findall(r"^  (\w+)[(:]", body, re.M)) for name, body in blocks}


def test_typescript_finds_every_name() -> None:
    text = editors.render("javascript")
    found = interfaces(text)
    for module in shapes.modules("javascript"):
        for function in module.functions:
            assert camel(function.name) in found[javascript._interface(module)]
    for owner, name in methods_of("javascript"):
        assert camel(name) in found[javascript._class_name(owner)]
    for module in shapes.modules("javascript"):
        for name in module.names:
            assert f"export const {name}: " in text
    without_text = re.sub(r'/\*\*.*?\*/|"[^"]*"', "", text)
    for left, right in ("{}", "()", "[]"):
        assert without_text.count(left) == without_text.count(right)


@pytest.mark.skipif(shutil.which("tsc") is None, reason="no TypeScript compiler on this machine")
def test_typescript_takes_its_file(tmp_path: Path) -> None:
    file = tmp_path / editors.FILES["javascript"]
    file.write_text(editors.render("javascript"), "utf-8")
    command = ["tsc", "--noEmit", "--strict", "--lib", "es2022", "--target", "es2022", str(file)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_no_name_of_another_language_is_there() -> None:
    assert "LuaTest" in editors.render("lua")
    for language in ("javascript", "python"):
        text = editors.render(language)
        assert "LuaTest" not in text and "Promise.resolve" not in text
    assert 'task_object["then"]' in editors.render("lua")


def test_constructors_are_told() -> None:
    made = [module for module in shapes.modules("lua") if module.construct]
    assert made
    text = editors.render("lua")
    for module in made:
        declared = text.partition(f"---@class llmspell.{module.name}\n")[2]
        assert declared.startswith("---@overload fun("), module.name


def test_tools_as_fields_and_as_classes_are_told() -> None:
    text = editors.render("lua")
    assert "---@field file_reader llmspell.object.tool" in text
    assert "---@field fileReader llmspell.object.tool" in text
    assert "function HttpTool.new(options) end" in text
    assert "readonly fileReader: LlmspellToolObject;" in editors.render("javascript")
    assert "declare const HttpTool: { new (" in editors.render("javascript")
    assert "    file_reader: ToolObject" in editors.render("python")
    assert "def HttpTool(**options: Any) -> ToolObject:" in editors.render("python")


def test_what_javascript_gets_at_once_is_no_promise() -> None:
    text = editors.render("javascript")
    assert "  getInstance(): LlmspellHookManagerObject;" in text
    assert "  points(): Record<string, any>;" in text


def test_types_writes_the_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert program.dispatch(["types", "--output", str(tmp_path / "new")]) == 0
    written = {path.name: path.read_text("utf-8") for path in (tmp_path / "new").iterdir()}
    assert written == {editors.FILES[one]: editors.render(one) for one in LANGUAGES}
    assert len(capsys.readouterr().out.splitlines()) == 3


def test_types_prints_one_language(capsys: pytest.CaptureFixture[str]) -> None:
    assert program.dispatch(["types", "--language", "lua", "--output", "-"]) == 0
    assert capsys.readouterr().out == lua.render()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--language", "ruby"], "no language 'ruby'"),
        (["--output", "-"], "one language at a time"),
        (["--output", "/proc/nowhere"], "can't write"),
    ],
)
def test_types_says_what_is_wrong(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.dispatch(["types", *words]) == 2
    assert said in capsys.readouterr().err
