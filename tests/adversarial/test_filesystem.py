"""FS: the ways around a path rule, through the brokered API; each beside a path that is granted."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path

import pytest

from tests.adversarial.fs_acts import Act, Tried, attempt, tree
from tests.adversarial.fs_cases import CASES, Case, Expected, make_arena, policy
from tests.adversarial.proof import Control
from tests.e2e.program import LANGUAGES, Place, Program

PROFILES = ("low", "medium", "high")
DENIED_CODE = 4008
IN_EACH_LANGUAGE = 3
"""Acts of a case that JavaScript and Python try as well: the way to the broker is the same."""


class Tour:
    """Every act of the table in one run, and then every twin, for each profile and language."""

    def __init__(self, place: Place, folder: Path) -> None:
        self._place = place
        self._folder = folder
        self.of = cache(self._of)

    def _of(self, profile: str, language: str) -> tuple[dict[str, Tried], dict[str, Tried]]:
        arena = self._folder / f"{profile}-{language}"
        program = Program(self._place, make_arena(arena))
        program.write("policy.toml", policy(profile))

        def run(acts: dict[str, tuple[Act, ...]]) -> dict[str, Tried]:
            flat = [act for tries in acts.values() for act in tries]
            tried = attempt(program, flat, "--policy", "policy.toml", language=language)
            found, at = {}, 0
            for name, tries in acts.items():
                found[name] = tried._replace(answers=tried.answers[at : at + len(tries)])
                at += len(tries)
            return found

        before = tree(arena, "work")
        tries = {case.name: tuple(act for act, _ in acts_of(case, language)) for case in CASES}
        attacks = run(tries)
        assert tree(arena, "work") == before, "an act that was refused had an effect"
        return attacks, run({case.name: case.controls for case in CASES})


def acts_of(case: Case, language: str) -> tuple[Expected, ...]:
    return case.acts if language == "lua" else case.acts[:IN_EACH_LANGUAGE]


@pytest.fixture(scope="session")
def tour(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Tour:
    return Tour(place, tmp_path_factory.mktemp("fs"))


def assert_as_expected(tries: tuple[Expected, ...], tried: Tried, profile: str) -> None:
    """Each answer is the expected one, and each denial is typed and on record."""
    for (act, expected), answer in zip(tries, tried.answers, strict=True):
        assert answer.short.startswith(expected.format(p=profile)), (act, answer, expected)
        if expected.startswith("denied"):
            assert answer.code == DENIED_CODE
            assert any(tried.denied_on_record(word, answer.rule) for word in act[1:]), act


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_brokered(tour: Tour, case: Case, profile: str, control: Control) -> None:
    for language in LANGUAGES:
        attacks, controls = tour.of(profile, language)
        assert_as_expected(acts_of(case, language), attacks[case.name], profile)
        control(set(controls[case.name].short) == {"worked"})


EVERYTHING = ("--allow-read", "/", "--allow-write", "/")


@pytest.mark.parametrize("profile", PROFILES)
def test_FS_14_FS_16_FS_17_FS_24_FS_60_not_even_where_everything_is_granted(
    program: Program, profile: str, control: Control
) -> None:
    """`--allow-read /` means files: neither the kernel's nor the supervisor's own descriptors."""
    program.write("in.txt", "inside")
    (program.folder / "fd").symlink_to("/proc/self/fd")
    (program.folder / "root").symlink_to("/proc/self/root")
    kernel = [
        "/proc/self/environ", "/proc/self/mem", "/proc/self/mountinfo",
        "/proc/1/cmdline", "/proc/./kcore", "/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern",
        "/proc/sys/../sys//kernel/core_pattern", "/sys/kernel/notes", "/dev/mem", "/dev/kmsg",
        "/dev/tty", "/dev/zero", "/dev/null", "/dev/shm/x", f"/proc/{os.getpid()}/environ",
        f"/proc/{os.getpid()}/fd/0", *(f"/proc/self/fd/{number}" for number in range(8)),
        *(f"/dev/fd/{number}" for number in range(8)), *(f"fd/{number}" for number in range(8)),
        "/proc/self/cwd/fd/3", "/proc/self/root/proc/self/environ", "root/dev/null",
    ]  # fmt: skip
    tries: list[Act] = [
        # An empty end is added: were the kernel's file opened, nothing would change.
        act
        for path in kernel
        for act in (("read", path), ("append", path, ""))
    ]
    twins: list[Act] = [("read", "in.txt"), ("read", "/proc/self/cwd/in.txt")]
    tried = attempt(program, [*tries, *twins], *EVERYTHING, "--profile", profile)
    *refused, plain, followed = tried.answers
    # A link of the kernel's is followed by its text, like any other, to what is granted.
    control(plain.value == followed.value == "inside")
    denied = 0
    for act, answer in zip(tries, refused, strict=True):
        # A descriptor of a folder, or one whose link is no path, is no file by its text either.
        is_absent = answer.kind in ("not_found", "not_a_directory", "not_a_file") and "fd" in act[1]
        # One of them is the audit's, and a link in the working folder may not lead out of it.
        rules = ("files.special-filesystem", "protected.llmspell", "files.leads-outside")
        usual = rules if "fd" in act[1] or act[1].startswith("root") else rules[:1]
        assert is_absent or (answer.kind == "denied" and answer.rule in usual), (act, answer)
        assert is_absent or tried.denied_on_record(act[1], answer.rule), act
        denied += int(not is_absent)
    assert denied >= 2 * 18, tried.short


@pytest.mark.parametrize("profile", PROFILES)
def test_FS_32_no_alias_leads_to_what_is_denied(
    program: Program, profile: str, control: Control
) -> None:
    """llmspell's own folders, by name, by a link, and with the environment pointing there."""
    aliases = {}
    for name in ("XDG_STATE_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "TMPDIR"):
        alias = program.folder / name.lower()
        alias.symlink_to(program.place.environ[name])
        aliases[name] = alias
    own = [f"{aliases[name]}/llmspell" for name in aliases if name != "TMPDIR"]
    own += [program.place.environ[name] + "/llmspell" for name in aliases if name != "TMPDIR"]
    tries = tuple(
        act
        for folder in own
        for act in (("read", f"{folder}/x"), ("append", f"{folder}/y", "z"), ("list", folder))
    )
    flags = [word for folder in own for word in ("--allow-read", folder, "--allow-write", folder)]
    program.write("open/in.txt", "inside")
    flags += ["--allow-read", "open", "--profile", profile]
    for env in ({}, {name: str(alias) for name, alias in aliases.items()}):
        tried = attempt(program, [*tries, ("read", "open/in.txt")], *flags, env=env)
        *refused, twin = tried.answers
        control(twin.value == "inside")
        for act, answer in zip(tries, refused, strict=True):
            # An alias leads out of the folder that the spell stands in; the name is its own.
            by_alias = act[1].startswith(str(program.folder))
            rules = ("protected.llmspell", "files.leads-outside")[: 1 + by_alias]
            assert answer.kind == "denied" and answer.rule in rules, (act, answer)
            assert tried.denied_on_record(act[1], answer.rule)


@pytest.mark.parametrize("profile", PROFILES)
def test_FS_33_the_most_specific_rule_wins_in_both_orders(
    program: Program, profile: str, control: Control
) -> None:
    for name in ("in.txt", "deny/s.txt", "deny/open/o.txt"):
        program.write(f"proj/{name}", name)
    tables = (
        'read = ["proj", "proj/deny/open"]\ndeny_read = ["proj/deny"]',
        'deny_read = ["proj/deny"]\nread = ["proj/deny/open", "proj"]',
    )
    for table in tables:
        program.write("p.toml", f'extends = "{profile}"\n[files]\n{table}\n')
        tries = [("read", f"proj/{name}") for name in ("in.txt", "deny/open/o.txt", "deny/s.txt")]
        first, reopened, closed = attempt(program, tries, "--policy", "p.toml").answers
        control(first.value == "in.txt" and reopened.value == "deny/open/o.txt")
        assert closed.short == f"denied {profile}.files.deny-read"


@pytest.mark.parametrize("profile", PROFILES)
def test_FS_48_FS_49_hidden_and_absent_look_the_same(
    program: Program, profile: str, control: Control
) -> None:
    program.write("proj/in.txt", "x")
    hidden = ("/etc/passwd", "/etc/none", "/no/such/folder/x", "/root", "/root/.ssh/id_rsa")
    asked = [("exists", path) for path in hidden] + [("exists", "proj/none")]
    tried = attempt(
        program, [*asked, ("exists", "proj/in.txt")], "--allow-read", "proj", "--profile", profile
    )
    control(tried.answers[-1].value is True)
    assert [answer.value for answer in tried.answers[:-1]] == [False] * 6
    for path in hidden:
        assert tried.denied_on_record(path, f"{profile}.files.read"), path
    # The words differ by nothing but the path that the spell wrote itself.
    source = """
    local said = {}
    for i, path in ipairs(params.paths) do
      local ok, e = pcall(fs.read, path)
      said[i] = ok and "worked" or tostring(e.message):gsub(path, "PATH")
    end
    return said
    """
    said = program.result(source, ".lua", "--param", f"paths={json.dumps(hidden[:3])}",
                          "--profile", profile)  # fmt: skip
    assert len(set(said["value"])) == 1 and "PATH" in said["value"][0], said["value"]
