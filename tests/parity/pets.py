"""A description of the tests' own: objects, constructors and the forms of a call."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from llmspell.errors import LlmspellError
from llmspell.spells.api import generate
from llmspell.spells.api.catalogue import API
from llmspell.spells.api.model import Class, Function, Module, Param

TEXT: Final = Param("message", ("string",), "words", required=True)
CONFIG: Final = Param("config", ("object",), "options", default={})
NAME: Final = Param("pet_name", ("string",), "its name")


def _gives_pet(name: str, *params: Param, **more: Any) -> Function:
    return Function(
        name,
        "Gives one.",
        params,
        wire=f"pet.{name}",
        after="handle",
        positional=len(params),
        **more,
    )


PETS: Final = Module(
    "pet",
    ("Pet",),
    "Objects for the tests.",
    (
        _gives_pet("create", CONFIG, spread="config", aliases=("create_from_config",)),
        _gives_pet("make", NAME, CONFIG, spread="config"),
        _gives_pet("get", NAME),
        _gives_pet("big_dog", CONFIG, spread="config"),
        Function("list", "All.", (), wire="pet.list", after="handles"),
        Function("on", "Calls.", (Param("f", ("callback",), "f"),), wire="pet.on", positional=1),
        Function("keep", "Takes one.", (CONFIG,), wire="pet.keep", positional=1),
        Function("count", "At once.", (), wire="pet.count", sync=True),
    ),
    classes=(
        Class(
            "pet",
            "An animal.",
            (
                Function(
                    "say_it",
                    "Speaks.",
                    (TEXT, CONFIG),
                    wire="pet.say",
                    positional=1,
                    spread="config",
                    aliases=("run",),
                ),
                Function("parent", "Its own.", (), wire="pet.parent", after="handle"),
                Function("age", "At once.", (), wire="pet.age", sync=True),
                Function("get_legs", "How many.", (), kind="local"),
                Function("close", "Ends it.", (), wire="pet.close"),
            ),
        ),
    ),
    construct="create",
)

REX: Final[dict[str, Any]] = {"handle": "pet", "id": "pet-1", "name": "rex", "legs": 4}


def make(args: dict[str, Any]) -> Any:
    """A pet of the given name, or the typed error."""
    config = dict(args.get("config") or {})
    name = config.get("name", args.get("pet_name", "rex"))
    if name == "bad":
        raise LlmspellError("no such pet", code=1001, kind="not_found", hint="take another")
    return {**REX, "name": name, "fur_color": {"base_tone": "red"}}


ANSWERS: Final[dict[str, Any]] = {
    **dict.fromkeys(("pet.create", "pet.make", "pet.get", "pet.big_dog"), make),
    "pet.list": lambda _args: [REX, {**REX, "id": "pet-2"}],
    "pet.say": lambda args: {**args, "word_count": [{"so_many": 1}]},
    "pet.parent": lambda _args: {**REX, "id": "pet-0"},
    "pet.keep": lambda _args: None,
    "pet.count": lambda _args: 2,
    "pet.age": lambda args: args["id"],
    "pet.close": lambda _args: None,
    "tools.get": lambda args: tool(args["name"]),
    "tools.execute": lambda args: {"result": args["input"], "tool": args["name"]},
}


def tool(name: str) -> Any:
    """A tool that has the parameters of each test; names with `missing` are none."""
    if name.startswith(("missing", "Missing")):
        raise LlmspellError(f"no tool {name}", code=2001, kind="not_found", rule="tools")
    properties: dict[str, Any] = {key: {} for key in ("path", "content", "timeout", "url", "mode")}
    schema = {"type": "object", "properties": properties, "required": ["path", "content"]}
    return {"name": name, "description": "d", "category": "c", "schema": schema}


def write_prelude(language: str, folder: Path) -> str:
    """A prelude with the pets; gives its path."""
    path = folder / f"prelude.{generate.SUFFIXES[language]}"
    path.write_text(generate.prelude(language, (*API, PETS)), "utf-8")
    return str(path)
