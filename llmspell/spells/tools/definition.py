"""A spell's own tool: what it is made of, read and checked (API-067, TOOL-067, TOOL-070)."""

from __future__ import annotations

from llmspell.channel.jsontext import Callback
from llmspell.errors import InvalidInput
from llmspell.records import TYPE_CHECKING
from llmspell.spells.api.options import DATA_KEYS, normalise
from llmspell.spells.plain import encoded, without_functions
from llmspell.spells.tools.schemas import compile_schema

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, Final

    from llmspell.spells.tools.schemas import Check

NAME_MAX: Final = 64
DESCRIPTION_MAX: Final = 4_096
WORD_MAX: Final = 128
EXAMPLES_MAX: Final = 32
CAPABILITIES_MAX: Final = 32
METADATA_MAX: Final = 16_384
"""Bytes of a tool's examples and of its metadata as JSON, each."""

GUARDED: Final = ("cache", "rate_limit", "max_concurrency", "concurrency", "timeout")
_KNOWN: Final = frozenset(
    {
        *("name", "description", "category", "input_schema", "output_schema", "execute", "handler"),
        *("examples", "version", "capabilities", "metadata", "schema", "parameters", "call"),
        *("parameters_schema", "handle", "id", "security_level", "required_permissions"),
        *GUARDED,
    }
)
_KEEP: Final = DATA_KEYS | {"examples", "parameters_schema"}


class ScriptTool:
    """A tool whose work is a function of the spell's."""

    __slots__ = (
        "act",
        "capabilities",
        "category",
        "check_input",
        "check_output",
        "description",
        "examples",
        "input_schema",
        "metadata",
        "name",
        "output_schema",
        "version",
    )

    def __init__(self, name: str, config: Mapping[str, Any], function: str) -> None:
        self.name = name
        act = next((config[k] for k in ("execute", "handler", "call") if k in config), None)
        if not isinstance(act, Callback):
            raise InvalidInput(f"{function}: a tool needs a function as execute")
        self.act = act
        self.description = _text(config, "description", DESCRIPTION_MAX, function) or ""
        self.category = _text(config, "category", WORD_MAX, function) or "custom"
        self.version = _text(config, "version", WORD_MAX, function) or "1.0.0"
        self.input_schema = _schema(config, function)
        self.check_input: Check = compile_schema(self.input_schema, f"{function}: input_schema")
        output = config.get("output_schema")
        self.output_schema: Any = None if output is None else without_functions(output)
        self.check_output: Check | None = None
        if output is not None:
            self.check_output = compile_schema(self.output_schema, f"{function}: output_schema")
        self.examples = _list(config, "examples", EXAMPLES_MAX, function)
        words = _list(config, "capabilities", CAPABILITIES_MAX, function)
        if not all(type(word) is str and len(word) <= WORD_MAX for word in words):
            raise InvalidInput(f"{function}: capabilities must be a list of words")
        self.capabilities: tuple[str, ...] = tuple(words)
        extra = {key: value for key, value in config.items() if key not in _KNOWN}
        given = config.get("metadata")
        self.metadata: dict[str, Any] = without_functions(
            {**(given if isinstance(given, dict) else {}), **extra}
        )
        _bounded(self.metadata, f"{function}: metadata")

    def summary(self) -> dict[str, Any]:
        """The tool in a list."""
        return {
            "name": self.name,
            "category": self.category,
            "description": self.description,
            "security_level": "low",
            "required_permissions": [],
        }

    def describe(self) -> dict[str, Any]:
        """Everything that is needed to call it (API-055)."""
        described: dict[str, Any] = {
            **self.summary(),
            "version": self.version,
            "capabilities": list(self.capabilities),
            "parameters": self.input_schema,
            "schema": self.input_schema,
            "input_schema": self.input_schema,
            "examples": self.examples,
            "metadata": self.metadata,
            "source": "spell",
        }
        if self.output_schema is not None:
            described["output_schema"] = self.output_schema
        return described


def read_config(given: Any, function: str) -> dict[str, Any]:
    """A tool's configuration with snake_case keys. Raises `InvalidInput`."""
    if given is None or given == []:
        return {}
    if type(given) is not dict:
        raise InvalidInput(f"{function}: a tool is an object with name and execute")
    return normalise(given, _KEEP)


def unknown_keys(config: Mapping[str, Any]) -> list[str]:
    """Keys without a meaning here; they stay in the tool's metadata."""
    return sorted(key[:40] for key in config if key not in _KNOWN)


def tool_name(given: Any, function: str) -> str:
    """A name for a new tool. Raises `InvalidInput` (2005)."""
    plain = type(given) is str and given.replace("-", "a").replace(".", "a").replace("_", "a")
    if not plain or len(given) > NAME_MAX or not (plain.isascii() and plain.isalnum()):
        raise InvalidInput(
            f"{function}: a tool's name has 1 to {NAME_MAX} letters, digits, _, - or .",
            code=2005,
        )
    return str(given)


def _schema(config: Mapping[str, Any], function: str) -> dict[str, Any]:
    names = ("input_schema", "schema", "parameters_schema", "parameters")
    schema = next((config[name] for name in names if config.get(name) is not None), None)
    if schema is None or schema in ([], {}):
        return {"type": "object"}
    if type(schema) is not dict:
        raise InvalidInput(f"{function}: input_schema must be a JSON Schema object", code=2010)
    schema = without_functions(schema)
    if "type" not in schema and "properties" not in schema and _are_properties(schema):
        # Parameters by name, as many spells write them: {text = {type = "string"}}.
        return {
            "type": "object",
            "properties": {
                name: {key: value for key, value in item.items() if key != "required"}
                for name, item in schema.items()
            },
            "required": [n for n, item in schema.items() if item.get("required") is True],
        }
    if schema.get("type", "object") != "object":
        raise InvalidInput(f"{function}: input_schema must be of type object", code=2010)
    return {"type": "object", **schema}


def _are_properties(schema: Mapping[str, Any]) -> bool:
    return all(type(item) is dict and "type" in item for item in schema.values())


def _text(config: Mapping[str, Any], key: str, most: int, function: str) -> str | None:
    value = config.get(key)
    if value is not None and (type(value) is not str or len(value) > most):
        raise InvalidInput(f"{function}: {key} must be text of at most {most} characters")
    return value


def _list(config: Mapping[str, Any], key: str, most: int, function: str) -> list[Any]:
    value = config.get(key)
    if value is None or value == {}:
        return []
    if type(value) is not list or len(value) > most:
        raise InvalidInput(f"{function}: {key} must be a list of at most {most}")
    plain: list[Any] = without_functions(value)
    _bounded(plain, f"{function}: {key}")
    return plain


def _bounded(value: Any, what: str) -> None:
    if len(encoded(value, what)) > METADATA_MAX:
        raise InvalidInput(f"{what} has over {METADATA_MAX} bytes")
