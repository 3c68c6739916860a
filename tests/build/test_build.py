"""The build of the native parts: pinned inputs, a cache that needs nothing, equal bytes."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from build_guests import build, store  # noqa: E402
from build_guests.indexes import indexes  # noqa: E402
from build_guests.pins import LUA  # noqa: E402
from build_guests.recipes import recipes  # noqa: E402
from build_guests.settings import BuildError, Settings, settings  # noqa: E402
from build_guests.sources import unpack  # noqa: E402


@pytest.fixture
def empty(tmp_path: Path) -> Settings:
    return Settings("release", "x86_64", None, tmp_path / "cache")


def test_an_empty_cache_needs_the_compiler_and_the_finder(empty: Settings) -> None:
    needed = " ".join(build.requirements(ROOT, empty))
    assert "ziglang==0.17.0" in needed
    assert "unearth" in needed


def test_a_full_cache_needs_no_compiler_and_no_network(empty: Settings) -> None:
    for recipe in recipes(ROOT, empty):
        store.keep(store.key(recipe, ROOT, empty), b"built", empty)
    assert not [name for name in build.requirements(ROOT, empty) if "seccomp" not in name]


def test_given_sources_need_no_finder(empty: Settings, tmp_path: Path) -> None:
    needed = " ".join(build.requirements(ROOT, empty._replace(sources=tmp_path)))
    assert "unearth" not in needed


def test_minimal_builds_no_guest_but_luas(empty: Settings) -> None:
    made = {recipe.output for recipe in recipes(ROOT, empty._replace(mode="minimal"))}
    assert "lua.wasm" in made
    assert "quickjs.wasm" not in made


def test_mode_and_machine_change_the_key(empty: Settings) -> None:
    keys = set()
    for chosen in (empty, empty._replace(mode="debug"), empty._replace(architecture="aarch64")):
        worker = next(r for r in recipes(ROOT, chosen) if r.output == "llmspell-worker")
        keys.add(store.key(worker, ROOT, chosen))
    assert len(keys) == 3


def test_a_source_with_other_content_is_refused(empty: Settings, tmp_path: Path) -> None:
    (tmp_path / LUA.archive).write_bytes(b"something else")
    with pytest.raises(BuildError, match="expected " + LUA.sha256):
        unpack(LUA, empty._replace(sources=tmp_path), tmp_path / "out")


def test_a_missing_source_is_told_how_to_get(empty: Settings, tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"pip download .* lupa==2\.8"):
        unpack(LUA, empty._replace(sources=tmp_path), tmp_path / "out")


@pytest.mark.parametrize(("name", "value"), [("LLMSPELL_BUILD", "fast"), ("LLMSPELL_ARCH", "z80")])
def test_an_unknown_choice_is_refused(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(BuildError, match=value):
        settings()


def test_the_users_index_settings_are_honoured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("INDEX_URL", "EXTRA_INDEX_URL", "FIND_LINKS", "CERT", "NO_INDEX", "TRUSTED_HOST"):
        monkeypatch.delenv("PIP_" + name, raising=False)
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://mine/simple\nfind-links = /wheels\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://b/simple https://c/simple")
    monkeypatch.setenv("PIP_CERT", "/ca.pem")
    found = indexes()
    assert found.index_urls == ("https://mine/simple", "https://b/simple", "https://c/simple")
    assert found.find_links == ("/wheels",)
    assert found.certificate == "/ca.pem"
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    assert indexes().index_urls == ()


@pytest.mark.parametrize("name", ["lua.wasm", "quickjs.wasm"])
def test_a_guest_imports_six_functions_and_nothing_of_wasi(name: str) -> None:
    wasmtime = pytest.importorskip("wasmtime")
    path = ROOT / build.OUTPUT / name
    if not path.is_file():
        pytest.skip("the native parts are not built: pip install -e .")
    configuration = wasmtime.Config()
    configuration.wasm_exceptions = True
    module = wasmtime.Module.from_file(wasmtime.Engine(configuration), str(path))
    assert {(item.module, item.name) for item in module.imports} == {
        ("llmspell", call) for call in ("send", "recv", "read", "clock", "random", "exit")
    }
    exported = {item.name for item in module.exports}
    functions = {"guest_alloc", "guest_boot", "guest_run", "guest_stack"}
    assert exported == {"memory", "_initialize", *functions}


def test_native_parts_are_the_same_bytes_twice_and_cross_compile(empty: Settings) -> None:
    """The guests take minutes from a cold compiler; the same recipe code makes the programs."""
    pytest.importorskip("ziglang")
    from build_guests.compiler import build as compile_one

    def library(chosen: Settings) -> bytes:
        recipe = next(r for r in recipes(ROOT, chosen) if r.output == "libconfine.so")
        return compile_one(recipe, ROOT, chosen)

    first = library(empty)
    assert library(empty) == first
    foreign = library(empty._replace(architecture="aarch64"))
    machine = slice(18, 20)  # e_machine of an ELF header
    assert (first[machine], foreign[machine]) == (b"\x3e\0", b"\xb7\0")
