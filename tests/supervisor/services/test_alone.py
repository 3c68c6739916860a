"""Checks that others overlap, each shown on its own: by the words of its own refusal."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

from llmspell.errors import Denied, InvalidInput
from llmspell.policies.hosts import NetRules
from llmspell.policies.paths import FileRules, Roots
from llmspell.policies.verdict import Verdict
from llmspell.supervisor.services.files import READING, open_regular
from llmspell.supervisor.services.walk import Walker
from llmspell.supervisor.services.weburl import parse_url
from tests.supervisor.services.web_kit import NAME, Names, desk_for
from tests.supervisor.services.webserver import reply, serving


def refuse(verdict: Verdict) -> NoReturn:
    raise AssertionError(verdict)


def test_an_unknown_right_and_an_unknown_mode_are_named() -> None:
    roots = Roots("/work", "/work", None, scratch=True)
    rules = FileRules("test", (), roots)
    assert rules.judge("execute", "/work/a").rule == "test.files.operation"
    assert rules.judge("read", "/work/a").rule == "test.files.read"
    net = NetRules("test", "everything")
    assert net.judge_host("https", "example.com").rule == "test.net.mode"
    assert net._replace(mode="none").judge_host("https", "example.com").rule == "test.net.host"


def test_a_user_name_in_a_url_is_named() -> None:
    with pytest.raises(InvalidInput, match="user name"):
        parse_url("https://user@example.com/")
    assert parse_url("https://example.com/@user").target == "/@user"


@pytest.mark.parametrize("looking", [True, False])
def test_the_end_of_every_walk_is_judged(tmp_path: Path, looking: bool) -> None:
    (tmp_path / "f").write_text("x")
    walker = Walker([str(tmp_path)])
    judged: list[str] = []
    with walker.walk(f"{tmp_path}/f", judged.append, refuse, looking=looking):
        assert judged == [f"{tmp_path.resolve()}/f"]
    walker.close()


def test_FS_26_what_became_something_else_is_not_opened(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    walker = Walker([str(tmp_path)])
    with walker.walk(f"{tmp_path}/f", lambda path: None, refuse) as place:
        os.close(open_regular(place, READING))
        (tmp_path / "f").unlink()
        os.mkfifo(tmp_path / "f")
        with pytest.raises(OSError, match="changed"):
            open_regular(place, READING)
    walker.close()


def test_NW_21_a_redirect_is_judged_by_its_name_too(tmp_path: Path) -> None:
    """The other name leads to the very address and port that the first was granted with."""
    with serving({}) as server:
        there = f"http://other.test:{server.port}/"
        server.answers["/"] = reply(b"", 302, location=there)
        server.answers["/end"] = reply(b"end")
        answers = [["127.0.0.1"]] * 5
        desk = desk_for(tmp_path, server, names=Names(app_test=answers, other_test=answers))
        base = f"http://{NAME}:{server.port}"
        assert desk.call("http.request", url=f"{base}/end")["status"] == 200
        with pytest.raises(Denied) as caught:
            desk.call("http.request", url=base)
        assert caught.value.rule == "medium.net.host"
        assert len(server.visits) == 2
