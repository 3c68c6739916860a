"""Path text that a spell wrote: what is refused before anything touches the disk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell.errors import InvalidInput
from llmspell.policies.paths import SpellPath, parse_spell_path

NAMES = st.text(alphabet=st.sampled_from("abcXYZ019._- é漢"), min_size=1, max_size=12).filter(
    lambda name: name[-1] not in ". " and name.strip() == name
)
PARTS = st.lists(st.one_of(NAMES, st.sampled_from(["..", ".", ""])), max_size=12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a/b.txt", SpellPath("host", ("a", "b.txt"), False)),
        ("./a//b/", SpellPath("host", ("a", "b"), False)),
        ("/etc/passwd", SpellPath("host", ("etc", "passwd"), True)),
        ("a/../b", SpellPath("host", ("b",), False)),
        ("../a", SpellPath("host", ("..", "a"), False)),
        ("scratch:a/b", SpellPath("scratch", ("a", "b"), False)),
        ("scratch:/a", SpellPath("scratch", ("a",), False)),
        ("workspace:", SpellPath("workspace", (), False)),
        ("spell:lib/x.lua", SpellPath("spell", ("lib", "x.lua"), False)),
        (".", SpellPath("host", (), False)),
    ],
)
def test_the_forms_of_a_path(text: str, expected: SpellPath) -> None:
    assert parse_spell_path(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "scratch:../x",
        "scratch:a/../../x",
        "workspace:..",
        "spell:a/b/../../../c",
        "/../etc/passwd",
        "/a/../../etc",
    ],
)
def test_FS_01_dots_never_climb_out_of_a_root(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_spell_path(text)
    assert caught.value.code == 2002
    assert parse_spell_path("scratch:a/../x").parts == ("x",)


@pytest.mark.parametrize("place", ["\x00", "a\x00b", "/a\x00", "scratch:\x00", "a/\x00/b", "a\x00"])
def test_FS_02_nul_is_a_typed_error(place: str) -> None:
    with pytest.raises(InvalidInput):
        parse_spell_path(place)


@pytest.mark.parametrize(
    "text",
    [
        "C:x",
        "c:/windows",
        "C:\\x",
        "\\\\?\\C:\\x",
        "\\\\server\\share",
        "//server/share",
        "\\\\.\\pipe\\x",
        "a\\b",
        "name.",
        "name ",
        "dir./x",
        "...",
        "CON",
        "con.txt",
        "a/NUL",
        "aux.c",
        "COM1",
        "lpt9.log",
        "COM¹",
        "conin$",
        "file::$DATA",
        "file:stream",
        "PROGRA~1",
        "GIT~1",
        "a/DOCUME~1.TXT",
        "tmp:x",
        "scratch:C:x",
    ],
)
def test_FS_39_windows_forms_are_refused_on_every_os(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_spell_path(text)


@pytest.mark.parametrize("text", ["console.log", "nully", "community/x", "a~b", "aux_", ".hidden"])
def test_FS_39_ordinary_names_stay_ordinary(text: str) -> None:
    assert parse_spell_path(text).parts


def test_FS_41_long_paths_are_typed_errors() -> None:
    assert parse_spell_path("/".join(["a" * 255] * 16)).parts
    assert len(parse_spell_path("x/" * 2047 + "xy").parts) == 2048
    for text in ("x/" * 2048 + "x", "a" * 256, "é" * 128, "/" + "a" * 256 + "/b", "a" * 10_000_000):
        with pytest.raises(InvalidInput):
            parse_spell_path(text)


@pytest.mark.parametrize("text", ["", None, 3, b"a", ["a"], "\ud800", "a\udfffb", "a\nb", "a\x7f"])
def test_what_is_no_path(text: object) -> None:
    with pytest.raises(InvalidInput):
        parse_spell_path(text)


@given(PARTS, st.sampled_from(["", "/", "scratch:", "workspace:", "spell:"]))
def test_FS_01_no_accepted_path_escapes_its_root(parts: list[str], root: str) -> None:
    try:
        path = parse_spell_path(root + "/".join(parts))
    except InvalidInput:
        return
    assert "." not in path.parts and "" not in path.parts
    if path.root != "host" or path.absolute:
        assert ".." not in path.parts
        if path.root != "host":
            assert path.locate("/base/dir") == "/".join(["/base/dir", *path.parts])
    located = path.locate("/base/dir")
    assert located.startswith("/") and ".." not in located.split("/")


@given(st.text(max_size=60))
def test_parsing_never_fails_in_another_way(text: str) -> None:
    try:
        path = parse_spell_path(text)
    except InvalidInput:
        return
    assert path.root in ("host", "scratch", "workspace", "spell")
