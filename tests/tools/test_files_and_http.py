"""The tools that act through the broker: what they ask for, and never more."""

from __future__ import annotations

from typing import Any

import pytest

from llmspell.errors import Denied, InvalidInput, LlmspellError, OperationFailed
from llmspell.tools.registry import get, list_tools
from llmspell.tools.sizes import parse_size
from tests.tools.support import MemoryHost, finish, use, use_whole

NEEDS = {"fs.read": "read", "fs.list": "read", "fs.exists": "read", "fs.write": "write",
         "fs.append": "write", "http.request": "net"}  # fmt: skip


@pytest.mark.parametrize(
    ("data", "encoding", "text", "found"),
    [
        ("größe".encode(), "auto", "größe", "utf-8"),
        (b"\xef\xbb\xbfa", "auto", "a", "utf-8-sig"),
        (b"\xef\xbb\xbfa", "utf-8", "a", "utf-8-sig"),
        ("größe".encode("utf-16"), "auto", "größe", "utf-16"),
        ("größe".encode("utf-32"), "auto", "größe", "utf-32"),
        ("plain text".encode("utf-16-be"), "auto", "plain text", "utf-16-be"),
        ("größe “x”".encode("cp1252"), "auto", "größe “x”", "cp1252"),
        (b"caf\xe9 \x81", "auto", "café \x81", "latin-1"),
        ("日本".encode("shift_jis"), "Shift-JIS", "日本", "shift_jis"),
        ("é".encode("latin-1"), "ISO-8859-1", "é", "latin-1"),
        (b"", "auto", "", "utf-8"),
    ],
)
def test_file_reader_finds_encodings(data: bytes, encoding: str, text: str, found: str) -> None:
    host = MemoryHost({"f": data})
    output = use_whole("file_reader", {"path": "f", "encoding": encoding}, host)
    assert (output["result"], output["metadata"]["encoding"]) == (text, found)


def test_file_reader_binary_parts_and_lines() -> None:
    host = MemoryHost({"b": b"\x00\x01" * 10, "t": b"1\r\n2\r\n3\r\n"})
    assert use("file_reader", {"path": "b", "binary_as": "bytes"}, host) == b"\x00\x01" * 10
    given = {"path": "b", "offset": 1, "length": 2, "encoding": "binary"}
    assert use("file_reader", given, host) == "AQA="
    output = use_whole("file_reader", {"path": "t", "first_line": 2, "max_lines": 1}, host)
    assert output["result"] == "2\r\n" and output["metadata"]["line_ending"] == "crlf"


def test_file_reader_reads_large_files_in_pieces_and_stops_above_the_bound() -> None:
    data = b"x" * (9 * 1024 * 1024)
    host = MemoryHost({"f": data})
    assert len(use("file_reader", {"path": "f"}, host)) == len(data)
    assert len(host.calls) == 3
    host = MemoryHost({"f": data})
    with pytest.raises(InvalidInput, match="over 1 MB"):
        use("file_reader", {"path": "f", "max_size": "1MB"}, host)
    assert host.calls == [("fs.read", {"path": "f", "encoding": "binary", "offset": 0,
                                       "length": 1024 * 1024 + 1})]  # fmt: skip


@pytest.mark.parametrize(
    "given",
    [{"path": ""}, {"path": "f", "encoding": "utf-9"}, {"path": "f", "max_size": "1TB"},
     {"path": "f", "max_size": "many"}, {"path": "f", "max_size": 0}, {"path": "x" * 5000},
     {"path": "f", "max_size": "12MB"}, {"path": "f", "encoding": "rot13"},
     {"path": "f", "encoding": "../../x"}],
)  # fmt: skip
def test_file_reader_refuses_before_it_asks(given: dict[str, Any]) -> None:
    host = MemoryHost({"f": b"a"})
    with pytest.raises(InvalidInput):
        use("file_reader", given, host)
    assert host.calls == []
    assert use("file_reader", {"path": "f"}, host) == "a"


def test_file_reader_says_which_byte_does_not_fit() -> None:
    with pytest.raises(InvalidInput, match="byte 1 does not fit") as caught:
        use("file_reader", {"path": "f", "encoding": "utf-8"}, MemoryHost({"f": b"a\xff"}))
    assert caught.value.code == 2009


def test_sizes() -> None:
    assert parse_size("10MB", "x", 2**40) == parse_size("10 mib", "x", 2**40) == 10 * 1024**2
    assert parse_size("1.5k", "x", 2**40) == 1536 and parse_size(7, "x", 9) == 7


def test_file_writer_writes_and_backs_up() -> None:
    host = MemoryHost({"f": b"old"})
    output = use_whole("file_writer", {"path": "f", "content": "né", "create_backup": True}, host)
    assert host.files == {"f": "né".encode(), "f.bak": b"old"}
    assert output["metadata"] == {"bytes": 3, "mode": "overwrite", "backup": "f.bak",
                                  "atomic": True}  # fmt: skip
    use("file_writer", {"path": "new", "content": "x", "create_backup": True}, host)
    assert "new.bak" not in host.files


def test_file_writer_a_failed_backup_leaves_the_file_as_it_was() -> None:
    class Refusing(MemoryHost):
        def act(self, method: str, args: dict[str, Any]) -> Any:
            if method == "fs.write" and args["path"].endswith(".bak"):
                raise Denied("denied write f.bak", rule="r")
            return super().act(method, args)

    host = Refusing({"f": b"old"})
    with pytest.raises(Denied):
        use("file_writer", {"path": "f", "content": "new", "create_backup": True}, host)
    assert host.files == {"f": b"old"}
    use("file_writer", {"path": "f", "content": "new"}, host)
    assert host.files == {"f": b"new"}


def test_file_writer_modes_and_encodings() -> None:
    host = MemoryHost({"f": b"1"})
    use("file_writer", {"path": "f", "content": "2", "mode": "append"}, host)
    assert host.files["f"] == b"12"
    with pytest.raises(InvalidInput, match="already there"):
        use("file_writer", {"path": "f", "content": "3", "mode": "create"}, host)
    use("file_writer", {"path": "g", "content": "a\nb\r\n", "line_ending": "crlf"}, host)
    use("file_writer", {"path": "h", "content": "AAE=", "encoding": "base64"}, host)
    use("file_writer", {"path": "i", "content": b"\xff"}, host)
    assert (host.files["g"], host.files["h"], host.files["i"]) == (b"a\r\nb\r\n", b"\0\x01",
                                                                    b"\xff")  # fmt: skip
    wrong: list[dict[str, Any]] = [{"encoding": "ascii"}, {"encoding": "base64"}]
    for given in (*wrong, {"mode": "append", "atomic_write": True}):
        with pytest.raises(InvalidInput):
            use("file_writer", {"path": "z", "content": "é!", **given}, host)
    assert "z" not in host.files


def test_FS_38_directory_lister_shows_invisible_characters() -> None:
    host = MemoryHost({"./d/evil\u202egpj.exe": b"", "./d/ok.txt": b"", "./d/z\u200bw": b""})
    listed = use("directory_lister", {"path": "./d"}, host)
    shown = {entry["name"]: entry.get("display") for entry in listed}
    assert shown == {
        "evil\u202egpj.exe": "./d/evil\\u{202e}gpj.exe", "ok.txt": None,
        "z\u200bw": "./d/z\\u{200b}w",
    }  # fmt: skip


def test_directory_lister_filters_orders_and_counts() -> None:
    host = MemoryHost({"./d/a.txt": b"333", "./d/b.pdf": b"1", "./d/s/c.txt": b"22",
                       "./d/.hidden": b""})  # fmt: skip

    def names(**given: Any) -> list[str]:
        return [entry["name"] for entry in use("directory_lister", {"path": "./d", **given}, host)]

    assert names() == ["a.txt", "b.pdf"]
    assert names(recursive=True, pattern="*.txt") == ["a.txt", "c.txt"]
    assert names(recursive=True, sort_by="size", order="desc") == ["a.txt", "c.txt", "b.pdf"]
    assert names(recursive=True, max_depth=1, exclude=["b*"]) == ["a.txt"]
    assert names(hidden=True)[0] == ".hidden"
    output = use_whole(
        "directory_lister",
        {"path": "./d", "recursive": True, "include_metadata": True, "limit": 1},
        host,
    )
    assert output["result"][0] == {
        "name": "a.txt", "path": "./d/a.txt", "type": "file", "size": 3,
        "modified": 1_700_000_000.0, "modified_iso": "2023-11-14T22:13:20Z", "extension": "txt",
    }  # fmt: skip
    assert output["metadata"]["total"] == 3 and output["metadata"]["truncated"] is True


def http(host: MemoryHost | None = None, **given: Any) -> Any:
    return use_whole("http_client", {"url": "https://x.example/", **given}, host)


def test_http_client_asks_exactly_once_for_what_was_given() -> None:
    host = MemoryHost()
    output = http(
        host, method="POST", url="https://x.example/${ID}", variables={"ID": "a/b", "T": "s"},
        query={"n": 1, "t": True}, json={"k": "ü"}, timeout=1500,
        auth={"type": "bearer", "token": "${T}"},
    )  # fmt: skip
    assert output["result"]["body"] == {"ok": True}
    assert host.calls == [("http.request", {
        "method": "POST", "url": "https://x.example/a%2Fb", "query": {"n": "1", "t": "true"},
        "timeout": 1.5, "follow_redirects": True, "body": '{"k": "ü"}'.encode(),
        "headers": {"Authorization": "Bearer s", "Content-Type": "application/json",
                    "Accept": "application/json, */*;q=0.8"}})]  # fmt: skip


def test_http_client_form_and_basic() -> None:
    host = MemoryHost()
    http(host, method="PUT", form={"a": "x y", "b": 2},
         auth={"type": "basic", "username": "u", "password": "p"})  # fmt: skip
    args = host.calls[0][1]
    assert args["body"] == b"a=x+y&b=2"
    assert args["headers"]["Authorization"] == "Basic dTpw"


def _answers(host: MemoryHost, *answers: Any) -> None:
    waiting = list(answers)

    def answer(args: dict[str, Any]) -> Any:
        item = waiting.pop(0)
        if isinstance(item, Exception):
            raise item
        status, headers = item
        return {"status": status, "headers": headers, "body": b"x", "url": args["url"]}

    host.answer = answer


def test_http_client_retries_with_growing_pauses() -> None:
    host = MemoryHost()
    lost = OperationFailed("lost", code=6003, kind="network")
    _answers(host, lost, (503, {}), (429, {"Retry-After": "7"}), (200, {}))
    output = http(host, retries=3, retry_delay=100)
    assert output["result"]["status"] == 200 and output["metadata"]["attempts"] == 4
    assert host.slept == [0.1, 0.2, 7.0]


def test_http_client_gives_up_and_never_retries_a_denial() -> None:
    host = MemoryHost()
    _answers(host, (503, {}), (503, {}))
    assert http(host, retries=1)["result"]["status"] == 503
    host = MemoryHost()
    _answers(host, Denied("denied net x", rule="high.net.host"), (200, {}))
    with pytest.raises(Denied):
        http(host, retries=5)
    assert len(host.calls) == 1 and host.slept == []


@pytest.mark.parametrize(
    ("headers", "body", "parse", "result"),
    [
        ({"Content-Type": "application/json"}, b'{"a": 9007199254740993}', "auto",
         {"a": "9007199254740993"}),
        ({"content-type": "application/problem+json; x=y"}, b"[1]", "auto", [1]),
        ({"content-type": "application/json"}, b"broken", "auto", "broken"),
        ({"content-type": "text/html; charset=ISO-8859-1"}, b"\xe9", "auto", "é"),
        ({"content-type": "text/html; charset=nonsense"}, "é".encode(), "auto", "é"),
        ({"content-type": "image/png"}, b"\x89PNG\0", "auto", b"\x89PNG\0"),
        ({}, b"text", "auto", "text"), ({}, b"[1]", "json", [1]), ({}, b"a", "bytes", b"a"),
        ({"content-type": "application/json"}, b"", "auto", ""),
        ({"content-type": "application/json"}, b"[" * 100_000, "auto", "[" * 100_000),
    ],
)  # fmt: skip
def test_http_client_reads_answers(
    headers: dict[str, str], body: bytes, parse: str, result: Any
) -> None:
    host = MemoryHost()
    host.answer = lambda args: {"status": 200, "headers": headers, "body": body, "url": "u"}
    assert http(host, parse=parse)["result"]["body"] == result


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"headers": {"A": "${MISSING}"}}, "no variable MISSING"),
        ({"headers": {"A": "${V}"}, "variables": {"V": "a\r\nB: c"}}, "line break"),
        ({"headers": {"A\n": "x"}}, "name of a header"), ({"headers": {"A": "x\0"}}, "line break"),
        ({"method": "GET", "json": 1}, "no body"), ({"method": "FLY"}, "one of"),
        ({"method": "POST", "json": 1, "body": "x"}, "only one"), ({"retries": 99}, "from 0 to 10"),
        ({"auth": {"type": "basic", "username": "u"}}, "password is missing"),
        ({"timeout": 0}, "from 1"), ({"url": "${A}${A}", "variables": {"A": "x", "B": 1}}, "text"),
    ],
)  # fmt: skip
def test_NW_24_http_client_refuses_before_it_asks(given: dict[str, Any], words: str) -> None:
    host = MemoryHost()
    with pytest.raises(LlmspellError, match=words) as caught:
        http(host, **given)
    assert caught.value.code == 2002 and host.calls == []


def test_http_client_what_was_filled_in_is_not_filled_in_again() -> None:
    host = MemoryHost()
    http(host, headers={"A": "${V}"}, variables={"V": "${W}", "W": "secret"})
    assert host.calls[0][1]["headers"]["A"] == "${W}"


def test_http_client_an_unknown_variable_is_named_and_no_value_is() -> None:
    with pytest.raises(InvalidInput) as caught:
        http(headers={"A": "${TOKN}"}, variables={"TOKEN": "s3cret"})
    assert "s3cret" not in caught.value.sentence() and "TOKEN" in str(caught.value.hint)


def test_http_client_status_as_error() -> None:
    host = MemoryHost()
    _answers(host, (404, {}))
    with pytest.raises(OperationFailed, match="404"):
        http(host, error_on_status=True)


@pytest.mark.parametrize("name", [entry.name for entry in list_tools()])
def test_tools_call_only_what_they_declare(name: str) -> None:
    tool = get(name)
    for example in tool.examples:
        host = MemoryHost()
        finish(tool.run(example.input, host))
        assert {NEEDS[method] for method, _ in host.calls} <= tool.needs
        if not tool.needs:
            assert host.calls == []
