"""Each cell of the architecture's table of profiles (section 6), profile by profile."""

from __future__ import annotations

import pytest

from llmspell.policies.limits import UNLIMITED
from llmspell.policies.policy import AuditRules, Confinement
from llmspell.profiles import compile as compiler
from llmspell.profiles._generated import PROFILES
from llmspell.profiles.loader import load_policy
from tests.profiles.helpers import Place

KIB, MIB, GIB = 2**10, 2**20, 2**30
ALL = ("none", "low", "medium", "high")


def test_the_generated_module_is_fresh() -> None:
    assert compiler.TARGET.read_text(encoding="utf-8") == compiler.render(compiler.read_all())


def test_medium_is_the_default(place: Place) -> None:
    assert load_policy(context=place.context).profile == "medium"


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        ("none", Confinement("none", "none", False)),
        ("low", Confinement("low", "warn", False)),
        ("medium", Confinement("medium", "refuse", False)),
        ("high", Confinement("high", "refuse", False)),
    ],
)
def test_confinement_and_effects_not_held(
    place: Place, profile: str, expected: Confinement
) -> None:
    assert place.load(profile).confinement == expected
    degraded = place.load(profile, allow_degraded=True).confinement.allow_degraded
    assert degraded is (profile != "high")


FILES = {
    # operation and path: the profiles that allow it
    ("read", "work/a"): {"none", "low"},
    ("write", "work/a"): {"none", "low"},
    ("read", "spells/lib.lua"): {"none", "low", "medium"},
    ("write", "spells/lib.lua"): {"none", "low"},
    ("write", "data/llmspell/workspaces/s-1/a"): {"none", "low", "medium"},
    ("read", "data/llmspell/workspaces/s-1/a"): {"none", "low", "medium"},
    ("read", "data/llmspell/workspaces/s-2/a"): {"none"},
    ("read", "other/a"): {"none"},
    ("write", "other/a"): {"none"},
    ("write", "work/.git/hooks/pre-commit"): {"none"},
    ("read", "config/llmspell/llmspell.toml"): {"none"},
}


@pytest.mark.parametrize("profile", ALL)
@pytest.mark.parametrize(("operation", "path"), list(FILES))
def test_files(place: Place, profile: str, operation: str, path: str) -> None:
    verdict = place.load(profile).files.judge(operation, place.path(path))
    assert verdict.allowed is (profile in FILES[operation, path])


@pytest.mark.parametrize("profile", ALL)
def test_scratch_and_workspace(place: Place, profile: str) -> None:
    files = place.load(profile).files
    assert files.judge_scratch("write").allowed is True
    assert (files.roots.workspace is None) is (profile == "high")


HOSTS = {
    ("https", "example.com", 443): {"none", "low"},
    ("http", "example.com", 80): {"none", "low"},
    ("https", "localhost", 443): {"none"},
    ("http", "10.0.0.1", 80): {"none"},
    ("http", "169.254.169.254", 80): {"none"},
}


@pytest.mark.parametrize("profile", ALL)
@pytest.mark.parametrize(("scheme", "host", "port"), list(HOSTS))
def test_network(place: Place, profile: str, scheme: str, host: str, port: int) -> None:
    net = place.load(profile).net
    assert net.judge_host(scheme, host, port).allowed is (profile in HOSTS[scheme, host, port])
    assert net.judge_address("example.com", "127.0.0.1", 443).allowed is (profile == "none")


TOOLS = {
    ("calculator", frozenset[str]()): set(ALL),
    ("file_reader", frozenset({"read"})): set(ALL),
    ("http_client", frozenset({"net"})): {"none", "low"},
    ("process_executor", frozenset({"process"})): {"none"},
    ("database", frozenset({"local_service"})): {"none"},
}


@pytest.mark.parametrize("profile", ALL)
@pytest.mark.parametrize(("tool", "needs"), list(TOOLS))
def test_tools(place: Place, profile: str, tool: str, needs: frozenset[str]) -> None:
    verdict = place.load(profile).tools.judge(tool, needs, "util")
    assert verdict.allowed is (profile in TOOLS[tool, needs])


@pytest.mark.parametrize("profile", ALL)
def test_models_environment_modules(place: Place, profile: str) -> None:
    policy = place.load(profile)
    assert policy.models.judge("openai/gpt-4o").allowed is (profile != "high")
    assert policy.env.judge("LANG").allowed is (profile == "none")
    assert policy.modules.judge("json", "python").allowed is (profile in ("none", "low"))
    assert policy.modules.judge("socket", "python").allowed is (profile == "none")
    assert policy.modules.own_folder is (profile in ("none", "low"))


LIMITS = {
    "memory": (UNLIMITED, GIB, 512 * MIB, 256 * MIB),
    "cpu": (UNLIMITED, 300, 60, 30),
    "wall": (UNLIMITED, 600, 300, 60),
    "processes": (UNLIMITED, 0, 0, 0),
    "threads": (UNLIMITED, 16, 1, 1),
    "open_files": (UNLIMITED, 256, 64, 32),
    "output": (GIB, 16 * MIB, 4 * MIB, MIB),
    "calls": (UNLIMITED, 100_000, 10_000, 1_000),
    "scratch": (UNLIMITED, GIB, 256 * MIB, 16 * MIB),
    "script_size": (UNLIMITED, MIB, MIB, MIB),
    "request_body": (UNLIMITED, 10**6, 10**6, 10**6),
    "response_body": (UNLIMITED, 10**7, 10**7, 10**7),
    "request_time": (UNLIMITED, 30, 30, 30),
    "requests_at_once": (UNLIMITED, 10, 10, 10),
}


@pytest.mark.parametrize(("index", "profile"), list(enumerate(ALL)))
@pytest.mark.parametrize("limit", list(LIMITS))
def test_limits(place: Place, index: int, profile: str, limit: str) -> None:
    assert getattr(place.load(profile).limits, limit) == LIMITS[limit][index]


def test_the_audit(place: Place) -> None:
    assert place.load("high").audit == AuditRules("deny", True)
    assert place.load("medium").audit == AuditRules("deny", False)
    assert place.load("none").audit == AuditRules("warn", False)


@pytest.mark.parametrize(
    ("preset", "level"),
    [("development", "low"), ("testing", "medium"), ("production", "medium"),
     ("data_analysis", "medium")],
)  # fmt: skip
def test_SEC_003_presets(place: Place, preset: str, level: str) -> None:
    policy = place.load(preset)
    assert policy.profile == preset and policy.confinement.level == level
    assert policy.describe() and policy.to_json()["profile"] == preset


def test_SEC_003_presets_do_what_they_are_for(place: Place) -> None:
    assert place.load("data_analysis").files.judge("read", place.path("work/a.csv")).allowed is True
    assert place.load("data_analysis").files.judge("write", place.path("work/a")).allowed is False
    assert place.load("testing").models.judge("fake").allowed is True
    assert place.load("testing").models.judge("openai/gpt-4o").allowed is False
    assert place.load("production").audit.sync_each_effect is True
    assert place.load("development").net.judge_host("http", "localhost", 8000).allowed is True


@pytest.mark.parametrize("name", list(PROFILES))
def test_every_built_in_profile_has_the_form_of_a_policy_file(name: str) -> None:
    from llmspell.profiles.document import PolicyDocument

    table = {key: dict(value) if isinstance(value, dict) else value
             for key, value in PROFILES[name].items()}  # fmt: skip
    table["files"].pop("protects")
    PolicyDocument.model_validate(table)


def test_loading_shares_nothing_with_the_built_in_tables(place: Place) -> None:
    import copy

    before = copy.deepcopy(PROFILES)
    place.load("high", grants=[], limits={"memory": "1GiB"}, allow_degraded=True)
    assert before == PROFILES


def test_the_run_path_imports_nothing_heavy() -> None:
    import subprocess
    import sys

    code = (
        "import sys\n"
        "from llmspell.profiles.loader import load_policy\n"
        "from llmspell.profiles.context import PolicyContext\n"
        "from llmspell.profiles.grants import Grant\n"
        "from llmspell.config.files import load_settings\n"
        "from llmspell.policies.budget import Budget\n"
        "c = PolicyContext.of('/', own_folders=['/var/empty/x'])\n"
        "p = load_policy('high', context=c, grants=[Grant('read', 'x')])\n"
        "Budget(p.limits); load_settings('/', {'HOME': '/var/empty'})\n"
        "heavy = {'asyncio','dataclasses','pydantic','click','tomllib','inspect','subprocess',"
        "'httpx','logging','ipaddress','json','pathlib'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        capture_output=True, text=True, timeout=60, check=True, cwd=compiler.FOLDER.parents[1],
    )  # fmt: skip
    assert done.stdout.strip() == "[]"
