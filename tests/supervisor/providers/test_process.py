"""The provider process with litellm in it, against servers that speak the providers' formats.

One process serves the whole file: litellm takes seconds to import. Without the extra `llm` only
the process's own ways are tested, at the end.
"""

from __future__ import annotations

import asyncio
import base64
import importlib.util
import os
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any
from urllib.parse import quote

import pytest

from llmspell.config.provider_table import check_table
from llmspell.config.providers import ProvidersConfig
from llmspell.llm.failures import ModelFailure
from llmspell.supervisor.providers import home, remote
from llmspell.supervisor.providers.remote import RemoteProvider, Shared, starting

from .modelserver import TEXT, ModelServer

needs_litellm = pytest.mark.skipif(
    importlib.util.find_spec("litellm") is None, reason="needs the extra llm"
)

KEY = "sk-Loopback+Secret/Key=0123456789"
SPEAKERS = ("openai", "anthropic", "ollama")
USAGE = {"input_tokens": 10, "output_tokens": 15, "total_tokens": 25}
CALCULATOR = {
    "name": "calculator",
    "description": "computes",
    "parameters": {"type": "object", "properties": {"expression": {"type": "string"}}},
}
FORMS = (
    KEY,
    base64.b64encode(KEY.encode()).decode(),
    base64.b64encode(f"user:{KEY}".encode()).decode()[8:40],
    quote(KEY, safe=""),
    KEY.encode().hex(),
)


class World:
    """A server, a process that may reach it, and a loop for both."""

    def __init__(self) -> None:
        self.server = ModelServer()
        self.runner = asyncio.Runner()
        base = f"http://127.0.0.1:{self.server.port}"
        urls = {"openai": f"{base}/v1", "anthropic": base, "ollama": base}
        tables: dict[str, dict[str, Any]] = {
            name: {"type": name, "base_url": url, "api_key": "${LLMSPELL_TEST_KEY}"}
            for name, url in urls.items()
        }
        del tables["ollama"]["api_key"]
        tables["gone"] = {"type": "openai", "base_url": "http://127.0.0.1:1/v1"}
        tables["keyless"] = {"type": "groq"}
        providers = {name: check_table(name, table, "test") for name, table in tables.items()}
        self.config = ProvidersConfig(providers=providers)
        self.environ = {"LLMSPELL_TEST_KEY": KEY}
        self.shared: Shared = self.run(self._acquire())

    async def _acquire(self) -> Shared:
        return remote.acquire(self.config, self.environ)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self.runner.run(work)

    def provider(self, name: str) -> RemoteProvider:
        return RemoteProvider(self.shared, name)

    def ask(
        self,
        name: str,
        model: str,
        *,
        seconds: float = 20.0,
        on_chunk: Callable[[str], Any] | None = None,
        **more: Any,
    ) -> Any:
        messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": "hi"}]
        request = {"messages": messages, "model": model, "max_tokens": 50, **more}
        return self.run(self.provider(name).complete(request, seconds, on_chunk))

    def failure(self, name: str, model: str, **more: Any) -> ModelFailure:
        with pytest.raises(ModelFailure) as caught:
            self.ask(name, model, **more)
        return caught.value

    def close(self) -> None:
        async def end() -> None:
            remote.close_all()

        self.run(end())
        self.runner.close()
        self.server.close()


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


@needs_litellm
@pytest.mark.parametrize("name", SPEAKERS)
def test_LLM_001_a_completion_in_each_format(world: World, name: str) -> None:
    reply = world.ask(name, "ok", temperature=0.5, stop=["END"])
    assert (reply["content"], reply["usage"], reply["finish_reason"]) == (TEXT, USAGE, "stop")
    path = {"openai": "/v1/chat/completions", "anthropic": "/v1/messages", "ollama": "/api/chat"}
    assert world.server.paths[-1] == path[name]
    sent = world.server.headers[-1]
    expected = {"openai": f"Bearer {KEY}", "anthropic": KEY, "ollama": None}[name]
    found = sent.get("x-api-key") if name == "anthropic" else sent.get("authorization")
    assert found == expected or (name == "ollama" and KEY not in str(sent))


@needs_litellm
@pytest.mark.parametrize("name", SPEAKERS)
def test_LLM_014_a_stream_in_each_format(world: World, name: str) -> None:
    heard: list[str] = []

    async def hear(piece: str) -> None:
        heard.append(piece)

    reply = world.ask(name, "ok", on_chunk=hear)
    assert (reply["content"], "".join(heard), reply["usage"]) == (TEXT, TEXT, USAGE)


@needs_litellm
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("name", SPEAKERS)
def test_LLM_012_tools_are_offered_called_and_answered(
    world: World, name: str, streamed: bool
) -> None:
    async def hear(piece: str) -> None:
        pass

    listener = hear if streamed else None
    reply = world.ask(name, "ok", tools=[CALCULATOR], on_chunk=listener)
    (call,) = reply["tool_calls"]
    assert (call["name"], reply["finish_reason"]) == ("calculator", "tool_calls")
    assert "15 + 27" in call["arguments"]
    offered = world.server.requests[-1]["tools"][0]
    assert "expression" in str(offered)
    given = {**call, "arguments": {"expression": "15 + 27"}}
    messages = [
        {"role": "user", "content": "What is 15 + 27?"},
        {"role": "assistant", "content": "", "tool_calls": [given]},
        {"role": "tool", "tool_call_id": call["id"], "content": "42"},
    ]
    reply = world.ask(name, "ok", tools=[CALCULATOR], messages=messages, on_chunk=listener)
    assert reply["content"] == TEXT
    assert "42" in str(world.server.requests[-1]["messages"][-1])


@needs_litellm
def test_LLM_013_a_schema_reaches_the_provider(world: World) -> None:
    schema = {"type": "object", "properties": {"answer": {"type": "integer"}}}
    assert world.ask("openai", "ok", schema=schema)["content"] == '{"answer": 42}'
    sent = world.server.requests[-1]["response_format"]
    assert sent["json_schema"]["schema"] == schema


@needs_litellm
def test_LLM_015_an_image_reaches_the_provider(world: World) -> None:
    part = {"type": "image", "url": "data:image/png;base64,iVBORw=="}
    world.ask("openai", "ok", messages=[{"role": "user", "content": [part]}])
    assert "iVBORw==" in str(world.server.requests[-1]["messages"])


@needs_litellm
@pytest.mark.parametrize("name", SPEAKERS)
@pytest.mark.parametrize(
    ("model", "kind", "code", "after"),
    [
        ("limited", "rate_limit", 6006, 1.0),
        ("limited-long", "rate_limit", 6006, 600.0),
        ("broken", "unavailable", 6008, None),
        ("forbidden", "authentication", 6004, None),
        ("malformed", "malformed", 1009, None),
        ("redirect", "authorization", 6005, None),
    ],
)
def test_failures_in_each_format(
    world: World, name: str, model: str, kind: str, code: int, after: float | None
) -> None:
    before = world.server.counts[model]
    failure = world.failure(name, model)
    assert (failure.kind, failure.code, failure.retry_after) == (kind, code, after)
    assert world.server.counts[model] == before + 1, "tries are counted by us, not by litellm"


@needs_litellm
def test_a_server_that_is_not_there_is_the_networks_failure(world: World) -> None:
    failure = world.failure("gone", "ok")
    assert (failure.kind, failure.code, failure.recoverable) == ("network", 6003, True)


@needs_litellm
def test_LLM_024_a_slow_answer_ends_with_its_time_and_its_connection(world: World) -> None:
    world.server.broken_off.clear()
    begun = time.monotonic()
    assert world.failure("openai", "slow", seconds=0.5).kind == "timeout"
    assert time.monotonic() - begun < 5
    assert world.server.broken_off.wait(5)


@needs_litellm
def test_LLM_024_a_cancelled_call_closes_its_request(world: World) -> None:
    world.server.broken_off.clear()

    async def cancel() -> None:
        request = {"messages": [{"role": "user", "content": "hi"}], "model": "slow"}
        task = asyncio.ensure_future(world.provider("openai").complete(request, 60, None))
        await asyncio.sleep(0.5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    world.run(cancel())
    assert world.server.broken_off.wait(5)
    assert world.ask("openai", "ok")["content"] == TEXT, "the process goes on"


@needs_litellm
@pytest.mark.parametrize("name", ["openai", "anthropic"])
@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_LLM_018_a_key_that_the_server_echoes_is_masked(
    world: World, name: str, streamed: bool
) -> None:
    heard: list[str] = []

    async def hear(piece: str) -> None:
        heard.append(piece)

    reply = world.ask(name, "echo-key", on_chunk=hear if streamed else None)
    told = repr(reply) + "".join(heard)
    assert "key=" in told, "the server did echo"
    for form in FORMS:
        assert form not in told


@needs_litellm
@pytest.mark.parametrize("name", ["openai", "anthropic"])
def test_LLM_018_a_key_in_a_providers_error_is_masked_also_where_it_is_cut(
    world: World, name: str
) -> None:
    failure = world.failure(name, "echo-key-error")
    told = repr(failure.__dict__) + failure.sentence() + repr(failure.to_wire())
    assert "key=" in told, "the server did echo"
    for form in (*FORMS, KEY[:10], KEY[-10:]):
        assert form not in told


@needs_litellm
def test_embeddings_counts_and_facts(world: World) -> None:
    provider = world.provider("openai")
    reply = world.run(provider.embed("emb", ["a", "b"], 10))
    assert reply["vectors"] == [[0.5, 0.0], [0.5, 1.0]]
    assert world.run(provider.count_tokens("gpt-4o", "hello world")) == 2
    info = world.run(provider.info("gpt-4o"))
    assert info.context_length == 128_000 and info.tools and 0 < info.input_price < 1e-3
    assert world.run(provider.info("never-heard-of")).input_price is None


@needs_litellm
def test_many_requests_share_the_process(world: World) -> None:
    async def many() -> list[dict[str, Any]]:
        request = {"messages": [{"role": "user", "content": "hi"}], "model": "ok"}
        provider = world.provider("openai")
        return await asyncio.gather(*(provider.complete(request, 20, None) for _ in range(20)))

    assert [reply["content"] for reply in world.run(many())] == [TEXT] * 20


@needs_litellm
def test_a_key_that_is_missing_is_named(world: World) -> None:
    failure = world.failure("keyless", "m")
    assert (failure.kind, failure.code) == ("no_key", 6001)
    assert "GROQ_API_KEY" in str(failure.hint)


@needs_litellm
def test_the_process_holds_nothing_of_our_environment(world: World) -> None:
    world.ask("openai", "ok")
    pid = world.shared.process.pid
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        assert KEY.encode() not in file.read()
    if os.getuid() == 0:
        with open(f"/proc/{pid}/environ", "rb") as file:
            assert file.read() == b"", "keys come over the pipe, where nobody else reads"
    else:
        # Not dumpable: its memory, where keys are, is nobody's but the kernel's.
        with pytest.raises(PermissionError):
            os.close(os.open(f"/proc/{pid}/mem", os.O_RDONLY))
    assert os.stat(f"/proc/{pid}/mem").st_uid == 0


@needs_litellm
def test_a_process_that_dies_is_started_again_once_it_is_needed(world: World) -> None:
    world.ask("openai", "ok")
    first = world.shared.process.pid
    assert first is not None

    async def kill() -> None:
        request = {"messages": [{"role": "user", "content": "hi"}], "model": "slow"}
        task = asyncio.ensure_future(world.provider("openai").complete(request, 60, None))
        await asyncio.sleep(0.3)
        os.kill(first, 9)
        with pytest.raises(ModelFailure) as caught:
            await task
        assert (caught.value.code, caught.value.kind) == (6008, "unavailable")

    world.run(kill())
    assert world.ask("openai", "ok")["content"] == TEXT
    assert world.shared.process.pid not in (None, first)


# -- without litellm -----------------------------------------------------------------------------


def test_the_process_is_told_what_its_providers_name_and_nothing_else(world: World) -> None:
    environ = {**world.environ, "OTHER_SECRET": "x", "PATH": "/bin", "SSL_CERT_FILE": "/ca.pem"}
    start = starting(world.config, environ)
    assert start["variables"] == {"LLMSPELL_TEST_KEY": KEY}
    assert start["environ"] == {"SSL_CERT_FILE": "/ca.pem"}
    assert "OTHER_SECRET" not in repr(start)


def test_a_program_that_ends_at_once_is_a_typed_failure_and_rests(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    program = tmp_path / "main.py"
    program.write_text("raise SystemExit(1)")
    monkeypatch.setattr(home, "PROGRAM", program)
    process = home.ProviderProcess(lambda: starting(world.config, {}))

    async def ask() -> None:
        await process.ask({"operation": "info", "provider": "openai", "model": "m"})

    for _ in range(home.FAILURES_MAX):
        with pytest.raises(ModelFailure) as caught:
            world.run(ask())
        assert (caught.value.code, caught.value.kind) == (6008, "unavailable")
    with pytest.raises(ModelFailure, match="rests"):
        world.run(ask())


def test_without_the_package_the_hint_says_what_to_install(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    hidden = tmp_path / "litellm.py"
    hidden.write_text("raise ModuleNotFoundError('no', name='litellm')")
    monkeypatch.syspath_prepend(str(tmp_path))
    process = home.ProviderProcess(lambda: starting(world.config, {}))

    async def ask() -> None:
        await process.ask({"operation": "info", "provider": "openai", "model": "m"})

    with pytest.raises(ModelFailure) as caught:
        world.run(ask())
    assert "llmspell[llm]" in str(caught.value.hint)
    process.close()


@needs_litellm
def test_one_process_serves_a_supervisors_runs_and_ends_with_it(
    world: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    import llmspell
    from tests.e2e.program import children

    user = tmp_path / "llmspell.toml"
    user.write_text(
        f'[providers.openai]\nbase_url = "http://127.0.0.1:{world.server.port}/v1"\n'
        'api_key_env = "LLMSPELL_TEST_KEY"\ncost_per_token = 0\n'
    )
    monkeypatch.setenv("LLMSPELL_CONFIG_PATH", str(user))
    monkeypatch.setenv("LLMSPELL_TEST_KEY", KEY)
    source = 'return llm.complete({prompt="x", provider="openai", model="ok"}).content'
    spell = llmspell.Spell.from_source(source, language="lua")
    before = children(os.getpid())

    async def run() -> tuple[list[Any], set[int]]:
        async with llmspell.Supervisor(zygotes=False) as supervisor:
            results = await asyncio.gather(*(supervisor.run(spell) for _ in range(4)))
            return [result.value for result in results], children(os.getpid()) - before

    values, left = asyncio.run(run())
    assert values == [TEXT] * 4
    assert len(left) == 1, "one process for all of them, kept for the next"
    assert not children(os.getpid()) - before, "and ended with the supervisor"
