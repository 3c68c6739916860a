"""What a tool is: its declaration and the one function that does its work.

Sources: inventory TOOL-067 … 074 (creation, registry, conventions), SEC-019 … 023, API-058.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NamedTuple, Protocol

from llmspell.tools.checking import compile_check
from llmspell.tools.schema import Schema

MIB: Final = 1024 * 1024

NEEDS: Final = frozenset({"read", "write", "net"})
"""Effects a tool may ask the broker for; a tool that needs none is pure."""


class Host(Protocol):
    """What a tool may do beyond computing."""

    async def call(self, method: str, args: dict[str, Any]) -> Any:
        """A brokered call, judged under the spell's own policy. Raises the broker's error."""

    async def sleep(self, seconds: float) -> None:
        """Lets other tools run for so long."""


class Limits(NamedTuple):
    """What one execution may take (TOOL-055 … 057); the supervisor holds it from outside."""

    seconds: float
    data_bytes: int
    memory_bytes: int
    calls_per_minute: int | None = None


class Category(NamedTuple):
    """A folder of tools, its policy class (SEC-022) and limits."""

    name: str
    policy: str
    limits: Limits


CATEGORIES: Final = {
    "util": Category("util", "DataProcessing", Limits(10.0, 10 * MIB, 128 * MIB)),
    "data": Category("data", "DataProcessing", Limits(60.0, 100 * MIB, 256 * MIB)),
    "filesystem": Category("filesystem", "FileSystemAccess", Limits(120.0, 1024 * MIB, 512 * MIB)),
    "web": Category("web", "NetworkAccess", Limits(30.0, 50 * MIB, 128 * MIB)),
}
"""The categories of the built-in tools. Utilities have no row in the inventory: they are small."""

SECURITY_LEVELS: Final = ("low", "medium", "high")


class Example(NamedTuple):
    """A documented use. `result` is what comes back, or `VARIES` when it can't be known."""

    title: str
    input: dict[str, Any]
    result: Any


VARIES: Final = object()
"""The result of an example that depends on time or chance, or on the machine."""

Run = Callable[[dict[str, Any], Host], Awaitable[dict[str, Any]]]


class Tool:
    """One built-in tool. `run` checks the input and gives `{"result": …, "metadata": {…}}`."""

    __slots__ = (
        "_check",
        "_run",
        "capabilities",
        "category",
        "description",
        "examples",
        "limits",
        "name",
        "needs",
        "output",
        "parameters",
        "preload",
        "security_level",
        "version",
    )  # fmt: skip

    def __init__(
        self,
        *,
        name: str,
        category: str,
        description: str,
        security_level: str,
        parameters: Schema,
        output: Schema,
        run: Run,
        examples: Sequence[Example],
        needs: frozenset[str] = frozenset(),
        limits: Limits | None = None,
        capabilities: Sequence[str] = (),
        version: str = "1.0.0",
        preload: Callable[[], object] | None = None,
    ) -> None:
        if not needs <= NEEDS or security_level not in SECURITY_LEVELS:
            raise ValueError(f"the declaration of {name} is wrong")
        self.name = name
        self.category = category
        self.description = description
        self.security_level = security_level
        self.needs = needs
        self.parameters = parameters
        self.output = output
        self.examples = tuple(examples)
        self.limits = CATEGORIES[category].limits if limits is None else limits
        self.version = version
        self.capabilities = tuple(capabilities)
        self.preload = preload
        self._run = run
        self._check = compile_check(parameters)

    def check(self, given: Any) -> dict[str, Any]:
        """`given` with defaults filled in. Raises `InvalidInput` naming the parameter."""
        checked: dict[str, Any] = self._check(given, "")
        return checked

    async def run(self, given: Any, host: Host) -> dict[str, Any]:
        """Does the work. Raises `LlmspellError`s; every effect goes through `host`."""
        return await self._run(self.check(given), host)

    def describe(self) -> dict[str, Any]:
        """Everything a person or a model needs to call this tool (JSON-able; API-055)."""
        return {
            "name": self.name,
            "category": self.category,
            "description": self.description,
            "version": self.version,
            "capabilities": list(self.capabilities),
            "security_level": self.security_level,
            "security_policy": CATEGORIES[self.category].policy,
            "required_permissions": sorted(self.needs),
            "parameters": self.parameters.to_json_schema(),
            "output": {
                "type": "object",
                "properties": {
                    "result": self.output.to_json_schema(),
                    "metadata": {"type": "object"},
                },
                "required": ["result"],
            },
            "limits": self.limits._asdict(),
            "examples": [_example(example) for example in self.examples],
        }


def _example(example: Example) -> dict[str, Any]:
    shown: dict[str, Any] = {"title": example.title, "input": example.input}
    if example.result is not VARIES:
        shown["result"] = example.result
    return shown
