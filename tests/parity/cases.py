"""What the parity tests share: one behaviour in three spells, and canned answers."""

from __future__ import annotations

from typing import Any, NamedTuple

from llmspell.errors import InvalidInput


class Case(NamedTuple):
    """What three spells have in common. `value` and `stdout` are what each must end with."""

    lua: str
    javascript: str
    python: str
    value: Any = None
    stdout: str = ""


def echo(args: dict[str, Any]) -> Any:
    return args


def refuse(_args: dict[str, Any]) -> Any:
    raise InvalidInput("fs.list: limit must be at most 10000", hint="ask for fewer")


ANSWERS = {
    "fs.read": lambda args: b"\x00\xff" if args.get("encoding") == "binary" else args["path"] * 2,
    "fs.write": echo,
    "fs.list": refuse,
    "storage.get": lambda args: {"n": 2**53, "f": 0.5, "none": None, "list": [1, None], "s": "é😀"},
    "storage.set": lambda args: args["value"],
    "http.request": lambda args: {
        "status": 404 if "missing" in args["url"] else 200,
        "headers": {},
        "body": '{"a": [1, 2]}',
        "url": args["url"],
        "redirects": 0,
    },
    "tools.get": lambda args: {"name": args["name"], "description": "d", "schema": {}},
    "tools.execute": lambda args: {"result": args["input"]},
}
