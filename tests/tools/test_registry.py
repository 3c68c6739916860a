"""The registry answers without importing a tool; what is generated from the tools is fresh."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from llmspell.errors import Missing
from llmspell.tools import document, registry
from llmspell.tools.tool import CATEGORIES
from tests.tools.support import ROOT

BUILT_IN = {
    "calculator", "text_manipulator", "date_time_handler", "uuid_generator", "hash_calculator",
    "base64_encoder", "template_processor", "diff_calculator", "json_processor", "csv_processor",
    "file_reader", "file_writer", "directory_lister", "http_client",
}  # fmt: skip


def test_all_built_in_tools_are_there() -> None:
    assert {entry.name for entry in registry.list_tools()} == BUILT_IN


def test_index_and_documentation_are_fresh() -> None:
    how = "run: python -m llmspell.tools.document"
    assert document.INDEX.read_text(encoding="utf-8") == document.index_text(), how
    assert document.DOCS.read_text(encoding="utf-8") == document.docs_text(), how


def test_unknown_tool_has_code_and_near_match() -> None:
    with pytest.raises(Missing) as caught:
        registry.get("calculater")
    assert caught.value.code == 2001
    assert str(caught.value.hint).startswith("did you mean calculator")


def test_camel_case_names_work() -> None:
    assert registry.get("fileReader").name == "file_reader"


def test_search_finds_by_name_description_and_capability() -> None:
    assert registry.search("files")[0].category == "filesystem"
    assert registry.search("convert time zones")[0].name == "date_time_handler"
    assert registry.search("hashing")[0].name == "hash_calculator"
    assert registry.search("") == ()


def test_discover_by_capability_category_and_version() -> None:
    assert [e.name for e in registry.discover(["csv"], "data")] == ["csv_processor"]
    assert registry.discover(["csv"], "web") == ()
    assert registry.discover(["csv"], min_version="2.0") == ()


def test_categories() -> None:
    assert set(registry.categories()) == set(CATEGORIES)
    assert [e.name for e in registry.by_category("web")] == ["http_client"]
    assert registry.by_category("nothing") == ()


@pytest.mark.parametrize("name", sorted(BUILT_IN))
def test_descriptions_are_json_and_complete(name: str) -> None:
    described = registry.describe(name)
    assert json.loads(json.dumps(described))["name"] == name
    assert described["security_level"] in ("low", "medium", "high")
    assert described["parameters"]["additionalProperties"] is False
    assert described["examples"]
    assert described["required_permissions"] == sorted(registry.entry(name).needs)


def test_seeds_security_levels() -> None:
    levels = {e.name: e.security_level for e in registry.list_tools()}
    assert levels["file_reader"] == levels["file_writer"] == "high"
    assert levels["directory_lister"] == "medium"


def test_listing_imports_no_tool() -> None:
    program = (
        "import sys; from llmspell.tools import registry; registry.list_tools();"
        "registry.search('json'); registry.by_category('util'); registry.entry('calculator');"
        "print([m for m in sys.modules if m.startswith(('llmspell.tools.util',"
        "'llmspell.tools.data', 'llmspell.tools.web', 'llmspell.tools.file', 'difflib', 'json'))])"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert done.stdout.strip() == "[]", done.stderr
