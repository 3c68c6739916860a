"""WA: a hostile module in the guest's place, in the real worker under the real supervisor.

No tenant brings a module: this is what a guest could do that a spell has taken over wholly.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from llmspell.errors import IsolationRefused
from llmspell.supervisor import guest_cache, guests
from tests.adversarial.conftest import Impostor
from tests.adversarial.proof import Control
from tests.attackers.guests import build
from tests.e2e.program import Program

PLAIN = "(call $seven)"
LOOP = "(loop $again (br $again))"


def run(impostor: Impostor, folder: Path, act: str, **parts: Any) -> dict[str, Any]:
    """What the supervisor says of a guest that does this."""
    order = {name: parts.pop(name) for name in ("driver", "limits") if name in parts}
    return impostor(build(folder, act, **parts), profile="high", **order)


@pytest.fixture
def plain(impostor: Impostor, tmp_path: Path, known: list[bool]) -> bool:
    """The module without its attack does what a guest does."""
    if not known:
        folder = tmp_path / "plain"
        folder.mkdir()
        result = run(impostor, folder, PLAIN)
        known.append((result["status"], result["value"]) == ("done", 7))
    return known[0]


@pytest.fixture(scope="module")
def known() -> list[bool]:
    """What `plain` came to, once it was run."""
    return []


@pytest.mark.alone
@pytest.mark.profile("high")
@pytest.mark.parametrize(
    ("act", "boot", "driver"),
    [(LOOP, "", "blocking"), (LOOP, "", "asyncio"), (PLAIN, LOOP, "blocking")],
)
def test_WA_01_a_loop_without_fuel_or_epochs_is_killed_on_time(
    impostor: Impostor,
    control: Control,
    tmp_path: Path,
    plain: bool,
    act: str,
    boot: str,
    driver: str,
) -> None:
    """Nothing in the worker counts: its only thread is in the loop. The supervisor kills it."""
    limits = {"wall": "500ms"}
    result = run(impostor, tmp_path, act, boot=boot, driver=driver, limits=limits)
    control(plain)
    assert (result["status"], result["reason"]) == ("limit", "wall"), result
    assert (result["error"]["code"], result["error"]["rule"]) == (4004, "limit.wall")
    assert 0.5 <= result["usage"]["wall"] < 0.8 and result["usage"]["cpu"] > 0.05


GROWS = "(if (i32.eq (memory.grow (i32.const {})) (i32.const -1)) (then {}) (else {}))"
FILLS = """
(block $full (loop $more
  (br_if $full (i32.eq (memory.grow (i32.const 16)) (i32.const -1)))
  (memory.fill (i32.shl (i32.sub (memory.size) (i32.const 16)) (i32.const 16))
    (i32.const 1) (i32.const 1048576))
  (br $more)))
(call $seven)
"""
TABLES = """
(if (i32.eq (table.grow $t (ref.null func) (i32.const {})) (i32.const -1)) (then {}) (else {}))
"""
TABLE = "(table $t 1 funcref)"
REFUSED_GROWTH = {
    "memory to 4 GiB": (GROWS.format(65472, "(call $seven)", "(call $nine)"), ""),
    "memory in steps": (FILLS, ""),
    "table": (TABLES.format(100_000, "(call $seven)", "(call $nine)"), TABLE),
}
REFUSED_MODULES: dict[str, dict[str, Any]] = {
    "declared 4 GiB": {"pages": 65536},
    "long table": {"more": "(table $t 100001 funcref)"},
    "many tables": {"more": "(table 1 funcref)" * 50},
    "second memory": {"more": "(memory 1)"},
    "data beyond memory": {"more": '(data (i32.const 4194300) "too long")'},
}


@pytest.mark.profile("high")
@pytest.mark.parametrize("what", REFUSED_GROWTH)
def test_WA_02_what_grows_is_refused_and_the_run_goes_on(
    impostor: Impostor, control: Control, tmp_path: Path, what: str
) -> None:
    act, more = REFUSED_GROWTH[what]
    result = run(impostor, tmp_path, act, more=more)
    assert (result["status"], result["value"]) == ("done", 7), result
    assert result["usage"]["peak_memory"] < 256 << 20
    small = TABLES if more else GROWS
    within = small.format(16, "(call $nine)", "(call $seven)")
    control(run(impostor, tmp_path, within, more=more)["value"] == 7)


@pytest.mark.profile("high")
@pytest.mark.parametrize("what", REFUSED_MODULES)
def test_WA_02_what_a_module_declares_is_refused_before_it_runs(
    impostor: Impostor, control: Control, tmp_path: Path, plain: bool, what: str
) -> None:
    parts = REFUSED_MODULES[what]
    control(plain)
    result = run(impostor, tmp_path, PLAIN, **parts)
    assert result["status"] in ("isolation_refused", "internal"), result
    assert result["value"] is None and result["error"]["code"] >= 1000, result


@pytest.mark.profile("high")
def test_WA_02_no_module_but_our_own_is_ever_compiled(control: Control, tmp_path: Path) -> None:
    """A bomb for the compiler would have to be one of our guests."""
    ours = guests.guest("lua")
    bomb = tmp_path / "lua.wasm"
    bomb.write_bytes(b"\0asm\1\0\0\0" + b"\0" * (8 << 20))
    own = hashlib.sha256((guests.BUILT / "lua.wasm").read_bytes()).hexdigest()
    worker = guests.BUILT / "llmspell-worker"
    with (tmp_path / "output").open("wb") as output:
        order = guest_cache.Order("lua", bomb, own, worker, ours.wasmtime, "bomb")
        with pytest.raises(IsolationRefused, match="is not the guest this llmspell was made with"):
            guest_cache._compile(order, output.fileno())
        assert output.tell() == 0 and (tmp_path / "output").stat().st_size == 0
    with (guests.BUILT / "lua.wasm").open("rb") as real:
        guest_cache._check_content(order, real.fileno())
        control(real.tell() == real.seek(0, 2))


HOSTILE = {
    "beyond memory": "(drop (call $send (i32.const 0x7ffffff0) (i32.const 100)))",
    "around the end": "(drop (call $send (i32.const -16) (i32.const 32)))",
    "one too far": "(drop (call $send (i32.const 4194303) (i32.const 2)))",
    "negative length": "(drop (call $send (i32.const 64) (i32.const -1)))",
    "random beyond": "(call $random (i32.const 4194300) (i32.const 64))",
    "random of all": "(call $random (i32.const 0) (i32.const -1))",
}


@pytest.mark.profile("high")
@pytest.mark.parametrize("what", HOSTILE)
def test_WA_03_memory_that_is_not_the_guests_is_a_trap(
    impostor: Impostor, control: Control, tmp_path: Path, what: str
) -> None:
    result = run(impostor, tmp_path, HOSTILE[what] + PLAIN)
    assert (result["status"], result["value"]) == ("spell_error", None), result
    assert (result["error"]["code"], result["error"]["kind"]) == (4002, "trap")
    if what == next(iter(HOSTILE)):
        edge = (
            "(call $random (i32.const 4194240) (i32.const 64)) (drop (call $clock (i32.const 99)))"
        )
        within = run(impostor, tmp_path, edge + PLAIN)
        plain = (within["status"], within["value"]) == ("done", 7)
    else:
        plain = True
    control(plain)


@pytest.mark.profile("high")
def test_WA_03_bytes_that_are_no_text_end_the_worker(
    impostor: Impostor, control: Control, tmp_path: Path, plain: bool
) -> None:
    control(plain)
    result = run(impostor, tmp_path, "(drop (call $send (i32.const 192) (i32.const 8)))" + PLAIN)
    assert (result["status"], result["reason"]) == ("violation", "protocol"), result
    assert (result["error"]["code"], result["value"]) == (4006, None)


@pytest.mark.parametrize("profile", ["low", "medium", "high"])
def test_WA_04_machine_code_that_a_tenant_brings_is_refused(
    program: Program, control: Control, profile: str, tmp_path: Path
) -> None:
    build(tmp_path, PLAIN)
    for name in ("hostile.cwasm", "hostile.wasm"):
        program.write(name, (tmp_path / name).read_bytes())
        for flags in ((), ("--engine", "lua")):
            ended = program("run", "--profile", profile, *flags, name)
            assert ended.code == 2 and ended.out == "", ended
    # Nor can a spell put it where ours lies, though it may write everything around.
    cache = Path(program.place.environ["XDG_CACHE_HOME"])
    source = """
    local told = {}
    for _, path in ipairs(params.paths) do
      local ok, e = pcall(fs.write, path, "\\0asm")
      told[#told + 1] = ok and "written" or tostring(e.code) .. " " .. e.rule
    end
    return told
    """
    cache.joinpath("llmspell", "guests").mkdir(mode=0o700, parents=True, exist_ok=True)
    beside = cache / f"beside-{profile}"
    paths = [str(cache / "llmspell" / "guests" / "lua-x.cwasm"), str(beside)]
    result = program.result(
        source, ".lua", "--profile", profile, "--allow-write", str(cache),
        "--param", f"paths={paths}".replace("'", '"'),
    )  # fmt: skip
    refused, written = result["value"]
    control(written == "written" and beside.read_bytes() == b"\0asm")
    beside.unlink()
    assert refused.startswith("4008 "), result
    assert [denial["target"] for denial in result["denials"]] == [paths[0]], result
    assert not Path(paths[0]).exists()
