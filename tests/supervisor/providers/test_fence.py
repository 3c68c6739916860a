"""What the provider process may reach; each refusal beside what is allowed (LLM-018)."""

from __future__ import annotations

import errno
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from llmspell.platform.linux import probe
from llmspell.supervisor.providers.fence import Fence, FenceRefusal, endpoint_of

PROGRAM = """
import asyncio, json, os, socket, subprocess, sys
from llmspell.supervisor.providers.fence import Fence, FenceRefusal
allowed, other = int(sys.argv[1]), int(sys.argv[2])
fence = Fence([f"http://127.0.0.1:{allowed}/v1", "https://api.example.com"])
fence.close()

def tried(act):
    try:
        act()
    except FenceRefusal as error:
        return str(error)
    except Exception as error:
        return type(error).__name__
    return "done"

async def streams(port):
    await asyncio.open_connection("127.0.0.1", port)

def udp():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.sendto(b"x", ("127.0.0.1", allowed + 1))

def bind():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))

def local():
    with socket.socket(socket.AF_UNIX) as one:
        one.connect("/run/dbus/system_bus_socket")

def native():
    import litellm.rust_bridge._native

def by_kernel(port):
    # A connect that no audit event shows: what the C library answers.
    import ctypes
    libc = ctypes.CDLL(None, use_errno=True)
    handle = libc.socket(2, 1, 0)
    address = (2).to_bytes(2, "little") + port.to_bytes(2, "big") + bytes([127, 0, 0, 1]) + bytes(8)
    return ctypes.get_errno() if libc.connect(handle, address, 16) else 0

print(json.dumps({
    "allowed": tried(lambda: socket.create_connection(("127.0.0.1", allowed)).close()),
    "allowed, asyncio": tried(lambda: asyncio.run(streams(allowed))),
    "other port": tried(lambda: socket.create_connection(("127.0.0.1", other)).close()),
    "other port, asyncio": tried(lambda: asyncio.run(streams(other))),
    "other name": tried(lambda: socket.getaddrinfo("evil.example", 443)),
    "other name, old": tried(lambda: socket.gethostbyname("evil.example")),
    "other address": tried(lambda: socket.create_connection(("127.0.0.2", allowed))),
    "udp": tried(udp),
    "listen": tried(bind),
    "unix": tried(local),
    "program": tried(lambda: subprocess.run(["/bin/true"])),
    "system": tried(lambda: os.system("true")),
    "spawn": tried(lambda: os.posix_spawn("/bin/true", ["true"], {})),
    "fork": tried(os.fork),
    "native": tried(native),
    "by kernel": [fence.by_kernel, by_kernel(allowed), by_kernel(other)],
}))
"""


@pytest.fixture
def ports() -> Iterator[tuple[int, int]]:
    with (
        socket.create_server(("127.0.0.1", 0)) as one,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        yield one.getsockname()[1], other.getsockname()[1]


def test_only_the_configured_hosts_and_ports_are_reached(ports: tuple[int, int]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *map(str, ports)],
        capture_output=True,
        text=True,
        timeout=30,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    assert found.pop("allowed") == "done", "the control"
    assert found.pop("allowed, asyncio") == "done", "the control"
    assert found.pop("native") == "ModuleNotFoundError"
    held, reached, refused = found.pop("by kernel")
    assert reached == 0, "the control"
    assert refused == (errno.EACCES if held else 0)
    assert held is (probe._landlock_abi() >= 4)
    for what, outcome in found.items():
        assert "provider" in outcome, f"{what}: {outcome}"


@pytest.mark.parametrize(
    ("host", "port", "reached"),
    [
        ("api.example.com", 443, True),
        ("API.example.com.", 443, True),
        ("api.example.com", 80, False),
        ("example.com", 443, False),
        ("api.example.com.evil.example", 443, False),
        ("127.0.0.1", 443, False),
    ],
)
def test_the_clients_transport_is_held_to_the_same_list(
    host: str, port: int, reached: bool
) -> None:
    fence = Fence(["https://api.example.com/v1"])
    if reached:
        fence.check(host, port)
    else:
        with pytest.raises(FenceRefusal):
            fence.check(host, port)


@pytest.mark.parametrize("url", ["ftp://a", "https://", "nothing", "http:///path"])
def test_a_url_without_an_end_is_no_end(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        endpoint_of(url)


@pytest.mark.parametrize(
    ("url", "answer", "reached"),
    [
        ("https://models.example.com", "93.184.216.34", True),
        ("https://models.example.com", "127.0.0.1", False),
        ("https://models.example.com", "169.254.169.254", False),
        ("https://models.example.com", "::ffff:10.0.0.1", False),
        ("http://localhost:8000", "127.0.0.1", True),
        ("http://10.0.0.5:8000", "10.0.0.5", True),
    ],
)
def test_NW_18_an_address_that_a_spell_chose_does_not_lead_inside(
    url: str, answer: str, reached: bool
) -> None:
    fence = Fence(["https://inside.example.com"], [url])
    host, port = endpoint_of(url)
    family = (socket.AF_INET, socket.SOCK_STREAM, 0, "")
    fence._resolve = lambda *args, **named: [(*family, (answer, port))]
    if reached:
        assert fence._looked_up(host, port)
    else:
        with pytest.raises(FenceRefusal, match="leads to"):
            fence._looked_up(host, port)
    assert fence._looked_up("inside.example.com", 443), "what the user configured may be anywhere"
