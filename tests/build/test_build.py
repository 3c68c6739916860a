"""The build of the native parts: pinned inputs, a cache that needs nothing, equal bytes."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from build_guests import build, sources, store  # noqa: E402
from build_guests.cpython import guest as python_guest  # noqa: E402
from build_guests.cpython.files import CORE_MODULES, MODULES  # noqa: E402
from build_guests.cpython.library import modules  # noqa: E402
from build_guests.indexes import indexes  # noqa: E402
from build_guests.pins import CPYTHON, LUA  # noqa: E402
from build_guests.recipes import recipes  # noqa: E402
from build_guests.settings import BuildError, Settings, SourceMissing, settings  # noqa: E402
from build_guests.sources import unpack  # noqa: E402
from llmspell.sandboxes.engines.safe_modules import INNER_MODULES, SAFE_MODULES  # noqa: E402


@pytest.fixture
def empty(tmp_path: Path) -> Settings:
    return Settings("release", "x86_64", None, tmp_path / "cache")


def test_an_empty_cache_needs_the_compiler_and_the_finder(empty: Settings) -> None:
    needed = " ".join(build.requirements(ROOT, empty))
    assert "ziglang==0.17.0" in needed
    assert "unearth" in needed
    assert "wasmtime==50.0.1" in needed


def test_a_full_cache_needs_no_compiler_and_no_network(empty: Settings) -> None:
    for recipe in recipes(ROOT, empty):
        store.keep(store.key(recipe, ROOT, empty), b"built", empty)
    store.keep(python_guest.key(ROOT), b"built", empty)
    assert not [name for name in build.requirements(ROOT, empty) if "seccomp" not in name]


def test_given_sources_need_no_finder(empty: Settings, tmp_path: Path) -> None:
    needed = " ".join(build.requirements(ROOT, empty._replace(sources=tmp_path)))
    assert "unearth" not in needed


def test_without_cpythons_source_the_rest_is_built_and_the_reason_is_said(
    empty: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    chosen = empty._replace(sources=tmp_path)
    assert build._python(ROOT, chosen) is None
    said = capsys.readouterr().err
    assert "without its Python guest" in said
    assert CPYTHON.archive in said
    assert CPYTHON.urls[-1] in said


def test_an_archive_from_elsewhere_must_have_the_pinned_content(
    empty: Settings, tmp_path: Path
) -> None:
    served = tmp_path / "served"
    served.write_bytes(b"an archive")
    right = hashlib.sha256(b"an archive").hexdigest()
    source = CPYTHON._replace(sha256=right, urls=("file:///nowhere", served.as_uri()))
    assert sources._download(source) == b"an archive"
    with pytest.raises(SourceMissing, match="is not the pinned one"):
        sources._download(source._replace(sha256="0" * 64))


def test_the_python_guest_has_every_module_that_a_spell_may_import() -> None:
    frozen = {module.name for module in modules()}
    named = {*SAFE_MODULES, *INNER_MODULES}
    missing = named - frozen - set(MODULES) - set(CORE_MODULES)
    assert missing == set()


def test_a_change_of_the_python_guests_own_files_changes_its_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = python_guest.inputs(ROOT)
    names = {path.name for path in files}
    assert {"python_guest.c", "host.h", "pyconfig.h", "files.py", "library.py"} <= names
    before = python_guest.key(ROOT)
    changed = tmp_path / "python_guest.c"
    changed.write_text("int changed;")
    monkeypatch.setattr(python_guest, "inputs", lambda _: [*files[:-1], changed])
    assert python_guest.key(ROOT) != before


def test_minimal_builds_no_guest_but_luas(empty: Settings) -> None:
    made = {recipe.output for recipe in recipes(ROOT, empty._replace(mode="minimal"))}
    assert "lua.wasm" in made
    assert "quickjs.wasm" not in made
    assert build._python(ROOT, empty._replace(mode="minimal")) is None


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


@pytest.mark.parametrize("name", ["lua.wasm", "quickjs.wasm", "python.wasm"])
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


@pytest.mark.parametrize("name", ["lua.wasm", "quickjs.wasm", "python.wasm"])
def test_only_the_stack_pointer_of_a_guest_changes_beside_its_memory(name: str) -> None:
    """Else an image of the memory alone would not be the whole guest."""
    path = ROOT / build.OUTPUT / name
    if not path.is_file():
        pytest.skip("the native parts are not built: pip install -e .")
    assert mutable_globals(path.read_bytes()) == 1


def mutable_globals(wasm: bytes) -> int:
    """How many globals of a module can change (WebAssembly core specification, 5.5.9)."""

    def number(at: int) -> tuple[int, int]:
        value = shift = 0
        while True:
            value |= (wasm[at] & 127) << shift
            shift += 7
            at += 1
            if wasm[at - 1] < 128:
                return value, at

    at = 8
    while at < len(wasm):
        kind = wasm[at]
        size, begin = number(at + 1)
        at = begin + size
        if kind != 6:
            continue
        count, place = number(begin)
        found = 0
        for _ in range(count):
            found += wasm[place + 1]
            place += 2
            while wasm[place] != 0x0B:  # a constant and `end`; its digits are above 0x0B or skipped
                place = number(place + 1)[1]
            place += 1
        return found
    return 0


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
