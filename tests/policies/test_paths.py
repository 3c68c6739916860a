"""File rules: who wins, what is always denied, and what a denial says."""

from __future__ import annotations

import itertools
import os.path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from llmspell.errors import UsageError
from llmspell.policies.paths import FileRule, FileRules, Roots

WORK = "/home/u/work"
ROOTS = Roots(WORK, "/home/u/spell", "/home/u/.local/share/llmspell/workspaces/a-1", True)
OWN = ("/home/u/.config/llmspell", "/home/u/.local/share/llmspell", "/home/u/.local/state/llmspell")


def rule(pattern: str, rights: str = "read write", allowed: bool = True) -> FileRule:
    name = "grant" if allowed else "deny"
    return FileRule.make(pattern, rights.split(), allowed, name)


def files(*rules: FileRule, protects: bool = True) -> FileRules:
    return FileRules("high", rules, ROOTS, own_folders=OWN, protects=protects)


def may(rules: FileRules, operation: str, path: str) -> bool:
    return rules.judge(operation, path).allowed is True


def test_EN_07_no_rules_at_all_deny() -> None:
    for operation in ("read", "write", "list", "stat"):
        assert not may(files(), operation, f"{WORK}/a")
    assert may(files(rule(WORK)), "read", f"{WORK}/a")


def test_the_denial_says_what_to_do() -> None:
    verdict = files().judge("write", f"{WORK}/out/report.md")
    assert verdict == (
        False,
        "high.files.write",
        "the profile high does not grant this path",
        "to allow it: --allow-write out",
    )
    assert (
        files().judge("read", f"{WORK}/data/x.csv").hint == "to allow it: --allow-read data/x.csv"
    )
    assert files().judge("read", "/etc/hosts").hint == "to allow it: --allow-read /etc/hosts"
    spoken = files().judge("read", "/srv/real/x", spelled="spell:x y")
    assert spoken.hint == "to allow it: --allow-read 'spell:x y'"


@pytest.mark.parametrize("granted", [f"{WORK}/proj", f"{WORK}/proj/", f"{WORK}/proj/**"])
def test_FS_34_prefixes_are_components(granted: str) -> None:
    rules = files(rule(granted))
    assert may(rules, "read", f"{WORK}/proj") and may(rules, "read", f"{WORK}/proj/a/b")
    assert not may(rules, "read", f"{WORK}/proj-secret")
    assert not may(rules, "read", f"{WORK}/proj-secret/a")
    closed = files(rule("/home/u"))
    assert not may(closed, "read", "/home/u/.ssh/id")
    assert may(closed, "read", "/home/u/.sshfoo")


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_FS_33_the_most_specific_wins_in_every_order(order: tuple[int, ...]) -> None:
    listed = [rule("/w"), rule("/w/secret", allowed=False), rule("/w/secret/public")]
    rules = files(*(listed[index] for index in order))
    assert may(rules, "read", "/w/a")
    assert not may(rules, "read", "/w/secret")
    assert not may(rules, "read", "/w/secret/a")
    assert may(rules, "write", "/w/secret/public/a")


def test_FS_33_a_tie_is_a_denial() -> None:
    both = [rule("/w/a"), rule("/w/a", allowed=False)]
    assert not may(files(*both), "read", "/w/a/b")
    assert not may(files(*reversed(both)), "read", "/w/a/b")


def test_wildcards_in_allows_never_reopen_a_denied_folder() -> None:
    rules = files(rule("/**/*.txt"), rule("/w/secret", allowed=False))
    assert may(rules, "read", "/w/a.txt")
    assert not may(rules, "read", "/w/secret/deep/a.txt")


def test_wildcards_in_denials_reach_below_a_granted_folder() -> None:
    rules = files(rule("/w/sub"), rule("/w/**/*.key", allowed=False))
    assert may(rules, "read", "/w/sub/a.txt")
    assert not may(rules, "read", "/w/sub/deep/a.key")
    assert not may(rules, "read", "/w/sub/folder.key/inside")
    named = files(rule("/w/sub/a.key"), rule("/w/**/*.key", allowed=False))
    assert may(named, "read", "/w/sub/a.key")


def test_a_denial_reaches_as_deep_as_it_names_something() -> None:
    rules = files(rule("/w/secret/public"), rule("/w/**/secret", allowed=False))
    assert may(rules, "read", "/w/secret/public/a")
    assert not may(rules, "read", "/w/secret/public/secret/a")


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/d/*.csv", "/d/a.csv", True),
        ("/d/*.csv", "/d/e/a.csv", False),
        ("/d/*.csv", "/d/a.csv/b", False),
        ("/d/**/*.csv", "/d/a.csv", True),
        ("/d/**/*.csv", "/d/e/f/a.csv", True),
        ("/d/*/x", "/d/a/x", True),
        ("/d/*/x", "/d/x", False),
        ("/d/a?.txt", "/d/ab.txt", True),
        ("/d/a[0-9].txt", "/d/a5.txt", True),
        ("/d/a[!0-9].txt", "/d/a5.txt", False),
        ("/d/a[[]1].txt", "/d/a[1].txt", True),
        ("/d/\\*.txt", "/d/*.txt", True),
        ("/d/\\*.txt", "/d/a.txt", False),
        ("/d/[*]", "/d/x", False),
        ("/d/[*]", "/d/*", True),
        ("/", "/anything/at/all", True),
        ("/**", "/anything", True),
    ],
)
def test_patterns(pattern: str, path: str, matches: bool) -> None:
    assert may(files(rule(pattern)), "read", path) is matches


@pytest.mark.parametrize("pattern", ["rel", "", "/a/../b", "/a[", "/a\\", "/a\x00"])
def test_a_wrong_pattern_is_a_usage_error(pattern: str) -> None:
    with pytest.raises(UsageError):
        rule(pattern)


def test_a_wildcard_bomb_is_quick() -> None:
    rules = files(rule("/d/" + "*a" * 100 + "b"))
    assert not may(rules, "read", "/d/" + "a" * 250)


@pytest.mark.parametrize("spelling", ["/w/caf\u00e9/x", "/w/cafe\u0301/x", "/w/CAFE\u0301/x"])
def test_FS_36_accents_are_the_same_for_denials(spelling: str) -> None:
    for written in ("/w/caf\u00e9", "/w/cafe\u0301"):
        rules = files(rule("/w"), rule(written, allowed=False))
        assert not may(rules, "read", spelling)
        assert may(rules, "read", "/w/cafe/x")


@pytest.mark.parametrize("spelling", ["/w/Secret", "/w/SECRET/a", "/W/secret", "/w/ſecret"])
def test_FS_37_case_is_the_same_for_denials(spelling: str) -> None:
    rules = files(rule("/"), rule("/w/secret", allowed=False), rule("/w/*.PEM", allowed=False))
    assert not may(rules, "read", spelling)
    assert not may(rules, "read", "/w/key.pem")
    assert may(rules, "read", "/w/public")


PROTECTED = [
    ".git/hooks/pre-commit",
    ".git/config",
    ".git",
    ".bashrc",
    ".zshenv",
    ".profile",
    ".ssh/authorized_keys",
    ".vscode/tasks.json",
    ".idea/workspace.xml",
    ".mcp.json",
    ".envrc",
    "conftest.py",
    "sitecustomize.py",
    "usercustomize.py",
    "site-packages/x.pth",
    ".husky/pre-commit",
    ".github/workflows/ci.yml",
    ".vimrc",
    ".config/nvim/init.lua",
    ".config/autostart/x.desktop",
    ".npmrc",
    ".pypirc",
    "pip.conf",
    ".gitmodules",
    ".gitattributes",
    ".tool-versions",
    "llmspell.toml",
]


@pytest.mark.parametrize("name", PROTECTED)
def test_FS_29_names_that_become_code_are_never_written(name: str) -> None:
    rules = files(rule("/"))
    for path in (f"{WORK}/{name}", f"{WORK}/deep/er/{name}", f"/{name}", f"{WORK}/{name.upper()}"):
        verdict = rules.judge("write", path)
        assert verdict.allowed is False and verdict.rule.startswith("protected."), path
        assert "no flag" in str(verdict.hint)
    assert may(files(rule("/"), protects=False), "write", f"{WORK}/{name}")
    assert rules.judge("read", f"{WORK}/{name}").rule in ("grant", "protected.secrets")


@pytest.mark.parametrize(
    "name", [".g\u200dit/config", ".GIT/hooks/x", "\uff0egit/config", ".ſsh/x"]
)
def test_FS_29_spellings_of_protected_names(name: str) -> None:
    assert not may(files(rule("/")), "write", f"{WORK}/{name}")
    assert may(files(rule("/")), "write", f"{WORK}/other")


@pytest.mark.parametrize("name", [".github", ".config", ".cargo"])
def test_FS_29_a_whole_folder_can_not_be_put_in_place(name: str) -> None:
    rules = files(rule("/"))
    assert not may(rules, "write", f"{WORK}/{name}")
    assert may(rules, "write", f"{WORK}/{name}/other/file")


@pytest.mark.parametrize(
    "name",
    ["git/hooks", "conftest.pyc", "my.pth.txt", "library/x", "github/workflows", "xconftest.py"],
)
def test_FS_29_other_names_are_writable(name: str) -> None:
    assert may(files(rule("/")), "write", f"{WORK}/{name}")


def test_FS_31_git_as_a_file_is_protected_before_it_exists() -> None:
    verdict = files(rule("/")).judge("write", f"{WORK}/sub/.git")
    assert verdict.rule == "protected.git"
    assert may(files(rule("/")), "write", f"{WORK}/sub/git")


@pytest.mark.parametrize("operation", ["read", "write", "list", "stat"])
def test_llmspells_own_folders_are_closed(operation: str) -> None:
    rules = files(rule("/"))
    for path in (f"{OWN[0]}/llmspell.toml", OWN[2], f"{OWN[2]}/audit/x.jsonl", OWN[2].upper()):
        assert rules.judge(operation, path).rule == "protected.llmspell"
    assert may(rules, operation, "/home/u/.local/state/other")


def test_a_folder_that_holds_an_own_one_is_not_replaced() -> None:
    rules = files(rule("/"))
    assert not may(rules, "write", "/home/u/.config")
    assert not may(rules, "write", "/home/u/.local/state")
    assert may(rules, "list", "/home/u/.local/state")


def test_the_workspace_is_open_although_it_lies_in_an_own_folder() -> None:
    assert ROOTS.workspace is not None
    rules = files(rule(ROOTS.workspace))
    assert may(rules, "write", f"{ROOTS.workspace}/x")
    assert not may(rules, "write", os.path.dirname(ROOTS.workspace) + "/b-2/x")
    assert not may(rules, "write", f"{ROOTS.workspace}x/y")


def test_FS_08_a_folder_with_something_denied_inside_is_not_moved() -> None:
    rules = files(rule("/w"), rule("/w/a/secret", allowed=False))
    assert may(rules, "write", "/w/a/other")
    assert rules.judge_tree("write", "/w/a").rule == "deny"
    assert rules.judge_tree("write", "/w/A").allowed is False
    assert rules.judge_tree("write", "/w/b").allowed is True
    pattern = files(rule("/w"), rule("/w/**/*.key", allowed=False))
    assert pattern.judge_tree("write", "/w/b").allowed is False


def test_rights_are_separate() -> None:
    reader = files(rule("/w", "read"))
    assert may(reader, "read", "/w/a") and may(reader, "list", "/w") and may(reader, "stat", "/w/a")
    assert not may(reader, "write", "/w/a")
    writer = files(rule("/w", "write"))
    assert may(writer, "write", "/w/a") and may(writer, "stat", "/w/a")
    assert not may(writer, "read", "/w/a") and not may(writer, "list", "/w")
    kept = files(rule("/w"), rule("/w/a", "write", allowed=False))
    assert may(kept, "read", "/w/a") and not may(kept, "write", "/w/a")


@pytest.mark.parametrize("path", ["", "rel", "/a/../b", "/a//b", "/a/./b", "/a/", "/a\x00"])
def test_FS_01_what_is_not_normalised_is_denied(path: str) -> None:
    assert not may(files(rule("/")), "read", path)
    assert may(files(rule("/")), "read", "/a/b")


SECRETS = [".ssh/id_ed25519", ".aws/credentials", ".netrc", ".env", ".config/gh/hosts.yml"]


@pytest.mark.parametrize("name", SECRETS)
@pytest.mark.parametrize("operation", ["read", "list", "stat"])
def test_credentials_are_read_only_when_named(name: str, operation: str) -> None:
    for granted in ("/home/u", WORK, "/**", f"{WORK}/**/*"):
        rules = files(rule(granted, "read"))
        for path in (f"{WORK}/{name}", f"{WORK}/{name.upper()}"):
            verdict = rules.judge(operation, path)
            assert verdict.rule == "protected.secrets", granted
            assert verdict.hint == f"to allow it: --allow-read {path.removeprefix(WORK + '/')}"
    top = "/".join(name.split("/")[: 2 if name.startswith(".config") else 1])
    assert may(files(rule(f"{WORK}/{top}", "read")), operation, f"{WORK}/{name}")
    assert may(files(rule(WORK), protects=False), operation, f"{WORK}/{name}")
    assert may(files(rule(WORK)), operation, f"{WORK}/.env.example")


def test_credentials_are_not_overwritten_either() -> None:
    verdict = files(rule(WORK)).judge("write", f"{WORK}/sub/.env")
    assert verdict.rule == "protected.secrets"
    assert verdict.hint == "to allow it: --allow-write sub/.env"
    assert may(files(rule(f"{WORK}/sub/.env")), "write", f"{WORK}/sub/.env")


def test_the_rules_can_not_be_changed() -> None:
    rules = files()
    with pytest.raises(AttributeError):
        rules.protects = False
    assert not may(rules, "read", "/a")


def test_an_unknown_operation_is_denied() -> None:
    assert not may(files(rule("/")), "execute", "/a")


def test_scratch() -> None:
    assert files().judge_scratch("write").allowed is True
    without = FileRules("high", (), ROOTS._replace(scratch=False))
    assert without.judge_scratch("write").allowed is False
    assert without.grants("read") is False and files().grants("read") is True


NAME = st.sampled_from(["a", "b", "c", "A", "é"])
PATH = st.lists(NAME, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))
PATTERN = st.lists(st.one_of(NAME, st.sampled_from(["*", "**"])), min_size=1, max_size=4).map(
    lambda parts: "/" + "/".join(parts)
)
RULES = st.lists(
    st.builds(rule, PATTERN, st.sampled_from(["read", "write", "read write"]), st.booleans()),
    max_size=5,
)


@settings(max_examples=300)
@given(RULES, PATH, st.sampled_from(["read", "write", "list", "stat"]), st.randoms())
def test_FS_33_order_never_matters(
    rules: list[FileRule], path: str, op: str, random: object
) -> None:
    shuffled = list(rules)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert may(files(*rules), op, path) is may(files(*shuffled), op, path)


@settings(max_examples=300)
@given(RULES, PATH, PATTERN)
def test_a_further_denial_never_opens(rules: list[FileRule], path: str, denied: str) -> None:
    more = files(*rules, rule(denied, allowed=False))
    for operation in ("read", "write"):
        assert not may(more, operation, path) or may(files(*rules), operation, path)


@settings(max_examples=300)
@given(PATH, PATH)
def test_FS_34_a_plain_grant_is_its_subtree(granted: str, path: str) -> None:
    inside = os.path.commonpath([granted, path]) == granted
    assert may(files(rule(granted, "read")), "read", path) is inside
