"""Where keys come from, in their order; and that a stream never shows one."""

from __future__ import annotations

import base64
import os
import sys
import types
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmspell.llm.failures import ModelFailure
from llmspell.supervisor.masking import Masker
from llmspell.supervisor.providers.keys import find_key
from llmspell.supervisor.providers.veil import StreamVeil

KEY = "sk-Very+Secret/Key=0123456789"


def provider(**fields: Any) -> dict[str, Any]:
    return {"name": "openai", "api_key_env": "OPENAI_API_KEY", "api_key_file": "", **fields}


def keyring_of(monkeypatch: pytest.MonkeyPatch, held: dict[tuple[str, str], str]) -> None:
    module = types.ModuleType("keyring")
    module.get_password = lambda service, name: held.get((service, name))  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", module)


def test_LLM_018_environment_then_keyring_then_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "key"
    path.write_text("from-file\n")
    path.chmod(0o600)
    described = provider(api_key_file=str(path))
    keyring_of(monkeypatch, {("llmspell", "openai"): "from-keyring"})
    assert find_key(described, {"OPENAI_API_KEY": "from-env\n"}) == "from-env"
    assert find_key(described, {}) == "from-keyring"
    keyring_of(monkeypatch, {})
    assert find_key(described, {}) == "from-file"
    assert find_key(provider(), {}) == ""


def test_a_keyring_that_fails_is_no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("keyring")

    def get_password(service: str, name: str) -> str:
        raise RuntimeError("no back end")

    module.get_password = get_password  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "keyring", module)
    assert find_key(provider(), {}) == ""


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_key_that_others_may_read_is_not_used(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "key"
    path.write_text(KEY)
    path.chmod(mode)
    with pytest.raises(ModelFailure, match="others may read") as caught:
        find_key(provider(api_key_env="", api_key_file=str(path)), {})
    assert caught.value.code == 6001 and KEY not in caught.value.sentence()
    path.chmod(0o600)
    assert find_key(provider(api_key_env="", api_key_file=str(path)), {}) == KEY


def test_a_key_file_that_is_none(tmp_path: Path) -> None:
    link = tmp_path / "link"
    real = tmp_path / "real"
    real.write_text(KEY)
    real.chmod(0o600)
    link.symlink_to(real)
    os.mkfifo(tmp_path / "pipe", 0o600)
    for path in (link, tmp_path / "pipe", tmp_path, tmp_path / "none"):
        with pytest.raises(ModelFailure):
            find_key(provider(api_key_env="", api_key_file=str(path)), {})


FORMS = (
    KEY,
    base64.b64encode(KEY.encode()).decode(),
    base64.b64encode(b"user:" + KEY.encode()).decode(),
    quote(KEY, safe=""),
    KEY.encode().hex(),
)


@given(
    st.lists(st.sampled_from([*FORMS, " text ", "sk-", "sk-Very", "é"]), max_size=6).map("".join),
    st.lists(st.integers(1, 12), min_size=1, max_size=40),
)
def test_a_stream_cut_anywhere_shows_what_the_whole_would(text: str, cuts: list[int]) -> None:
    masker = Masker([KEY])
    veil = StreamVeil(masker)
    shown, start = "", 0
    while start < len(text):
        for cut in cuts:
            shown += veil.pass_on(text[start : start + cut])
            start += cut
    shown += veil.rest()
    for form in FORMS:
        assert form not in shown
    assert KEY[:12] not in shown or KEY[:12] in masker.mask_text(text)
    assert masker.mask_text(shown) == shown


def test_a_stream_without_secrets_is_not_held_back() -> None:
    veil = StreamVeil(Masker([KEY]))
    assert veil.pass_on("It is a lovely day") == "It is a lovely day"
    assert veil.pass_on("as for ask") == "as for a" and veil.pass_on("ing") == "sking"
