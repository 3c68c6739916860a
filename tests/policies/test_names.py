"""Models, environment variables, tools, modules, and the verdict itself."""

from __future__ import annotations

import pytest

from llmspell.policies.globs import compile_glob, matches
from llmspell.policies.modules import ModuleRules
from llmspell.policies.names import SCOPES, NameRules, StateRules
from llmspell.policies.tools import NEEDS, ToolRules
from llmspell.policies.verdict import Verdict, allow, allows, deny, shell_word


@pytest.mark.parametrize("answer", [True, 1, "yes", [1], object(), None, (True, "r", "x", None)])
def test_EN_08_only_an_explicit_allow_allows(answer: object) -> None:
    assert allows(answer) is False
    assert allows(Verdict(1, "rule", "reason")) is False  # type: ignore[arg-type]
    assert allows(deny("rule", "reason")) is False
    assert allows(allow("rule", "reason")) is True


def test_FS_38_hints_show_what_can_not_be_seen() -> None:
    assert shell_word("a b") == "'a b'"
    assert shell_word("it's") == "'it'\\''s'"
    assert shell_word("a\u202eb") == "'a\\u202eb'"
    assert shell_word("--x") == "'--x'"
    assert shell_word("out/report.md") == "out/report.md"


@pytest.mark.parametrize(
    "name",
    ["LD_PRELOAD", "ld_preload", "DYLD_INSERT_LIBRARIES", "PYTHONPATH", "PYTHONSTARTUP",
     "NODE_OPTIONS", "BASH_ENV", "ENV", "PERL5OPT", "RUBYOPT", "JAVA_TOOL_OPTIONS",
     "DOTNET_STARTUP_HOOKS", "GIT_SSH_COMMAND", "PROMPT_COMMAND", "IFS", "LLMSPELL_MASTER_PASSWORD",
     "BASH_FUNC_x%%", "GCONV_PATH", "EDITOR"],
)  # fmt: skip
def test_variables_that_run_code_are_never_given(name: str) -> None:
    for rules in (
        NameRules("low", "env", "allow-env", "listed", (name, "*")),
        NameRules("low", "env", "allow-env", "none", ("*",)),
    ):
        assert rules.judge(name).rule in ("protected.env", "low.env.name")
        assert rules.judge("LANG").allowed is True


def test_names() -> None:
    rules = NameRules(
        "high", "models", "allow-llm", "listed", ("openai/*", "fake"), ("openai/o1*",)
    )
    assert rules.judge("openai/gpt-4o").allowed is True and rules.judge("fake").allowed is True
    assert rules.judge("openai/o1-pro").allowed is False
    verdict = rules.judge("anthropic/claude")
    assert verdict.rule == "high.models.anthropic/claude"
    assert verdict.hint == "to allow it: --allow-llm anthropic/claude"
    assert NameRules("low", "models", "allow-llm", "all").judge("x").allowed is True


@pytest.mark.parametrize("mode", ["listed", "none", "", "ALL", "everything"])
def test_EN_07_an_empty_list_is_a_denial(mode: str) -> None:
    assert NameRules("high", "models", "allow-llm", mode).judge("fake").allowed is False
    assert ModuleRules("high", mode).judge("os", "python").allowed is False
    assert ToolRules("high", mode).judge("calculator", frozenset()).allowed is False
    assert NameRules("high", "models", "allow-llm", "all").judge("fake").allowed is True
    assert ModuleRules("none", "all").judge("os", "python").allowed is True


@pytest.mark.parametrize("name", ["", "a\nb", "x" * 300, None, 3])
def test_what_is_no_name(name: object) -> None:
    rules = NameRules("none", "models", "allow-llm", "all")
    assert rules.judge(name).allowed is False  # type: ignore[arg-type]


def test_tools_at_low_are_all_but_processes() -> None:
    rules = ToolRules("low", "unless", refused_needs=frozenset({"process", "local_service"}))
    assert rules.judge("http_client", {"net"}).allowed is True
    verdict = rules.judge("process_executor", {"process"})
    assert verdict.rule == "low.tools.process"
    assert verdict.hint == "to allow it: --allow-tool process_executor"


def test_tools_at_high_are_pure_or_granted() -> None:
    rules = ToolRules("high", "granted", frozenset({"read"}))
    assert rules.judge("calculator", frozenset()).rule == "high.tools.pure"
    assert rules.judge("file_reader", {"read"}).allowed is True
    verdict = rules.judge("http_client", {"read", "net"})
    assert verdict.rule == "high.tools.http_client"
    assert verdict.hint == "to allow it: --allow-net HOST"
    assert rules._replace(names=("http_*",)).judge("http_client", {"net"}).allowed is True


def test_denied_tools_and_categories_always_win() -> None:
    rules = ToolRules(
        "none", "all", names=("a", "b"), denied=("a",), denied_categories=frozenset({"web"})
    )
    assert rules.judge("a", frozenset()).allowed is False
    assert rules.judge("b", frozenset(), "web").allowed is False
    assert rules.judge("b", frozenset(), "data").allowed is True


def test_an_undeclared_kind_of_need_is_denied() -> None:
    assert ToolRules("none", "all").judge("x", {"root"}).allowed is False
    assert ToolRules("none", "all").judge("x", NEEDS).allowed is True


def test_SEC_005_modules() -> None:
    low = ModuleRules("low", "whitelist", own_folder=True)
    assert low.judge("json", "python").allowed is True
    assert low.judge("subprocess", "python").allowed is False
    assert low.judge("json", "lua").allowed is False
    high = ModuleRules("high", "none", ("urllib",), denied=("urllib.request",))
    assert high.judge("urllib.parse", "python").allowed is True
    assert high.judge("urllib.request", "python").allowed is False
    assert high.judge("urllib2", "python").allowed is False
    verdict = high.judge("io", "lua")
    assert verdict.rule == "high.modules" and verdict.hint == "to allow it: --allow-module io"
    assert high.granted("python") == ("urllib",)
    assert "io" in low.granted("lua") and low.granted("javascript") == ()


@pytest.mark.parametrize(
    ("pattern", "name", "found"),
    [("a*c", "abbbc", True), ("a*c", "ab", False), ("*", "", True), ("?", "", False),
     ("**", "x", True), ("[a-c]x", "bx", True), ("[!a]x", "ax", False), ("[*]", "*", True),
     ("\\?", "?", True), ("*a*b*c", "xaxbxc", True), ("*a*b*c", "xaxbx", False)],
)  # fmt: skip
def test_globs(pattern: str, name: str, found: bool) -> None:
    assert matches(compile_glob(pattern), name) is found


@pytest.mark.parametrize("profile", ["low", "medium", "high"])
def test_a_spell_keeps_its_own_values_and_the_others_by_grant(profile: str) -> None:
    rules = StateRules(profile, "own", ("tenant",))
    assert [rules.judge(scope).allowed for scope in SCOPES] == [True, True, True, False]
    refused = rules.judge("global")
    assert refused.rule == f"{profile}.state.global"
    assert refused.hint == "to allow it: --allow-state global"
    assert StateRules(profile, "all", (), ("spell",)).judge("spell").allowed is False
    assert StateRules(profile, "none").judge("spell").allowed is False
    assert StateRules(profile, "none").judge("run").allowed is True
    assert StateRules(profile, "any").judge("run").allowed is False
    assert StateRules(profile, "all").judge("elsewhere").allowed is False
