"""Audit files by name, and the one that is made before a worker is started."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmspell.errors import ConfigurationError
from llmspell.supervisor.audit import places
from llmspell.supervisor.audit.opening import new_session, open_file

NAME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{6}Z-[A-Za-z0-9_-]{1,64}\.jsonl")


@given(
    st.one_of(
        st.from_regex(NAME, fullmatch=True),
        st.from_regex(NAME),
        st.text(alphabet="0123456789-TZ.jsonlAz_", max_size=40),
    )
)
@example("2026-01-02T030405Z-.jsonl")
@example("2026-01-02T030405Z-a.jsonl\n")
@example("\u0662026-01-02T030405Z-a.jsonl")
def test_a_name_is_ours_as_the_pattern_says(name: str) -> None:
    assert places.is_ours(name) == (NAME.fullmatch(name) is not None)


def test_a_file_of_its_own_locked_and_private(tmp_path: Path) -> None:
    opened = open_file(None, new_session(), str(tmp_path / "audit"))
    try:
        assert places.is_ours(os.path.basename(opened.path))
        assert os.stat(opened.path).st_mode & 0o777 == 0o600
        folder = os.open(tmp_path / "audit", os.O_RDONLY)
        assert not places._finished(folder, opened.path)
        os.close(folder)
    finally:
        opened.close()


def test_a_file_that_is_there_is_the_callers_mistake(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("")
    with pytest.raises(ConfigurationError):
        open_file(str(tmp_path / "there"), new_session())
    open_file(str(tmp_path / "new"), new_session()).close()
    assert (tmp_path / "new").is_file()
