"""Native code in the worker's place: FS, NW, PR, RS and KX by effect, each with its control."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.adversarial.conftest import ATTACKERS, Impostor
from tests.adversarial.proof import Control
from tests.adversarial.targets import Targets
from tests.attackers import build
from tests.e2e.program import Place, Program

ALL = {"tcp", "unix", "file", "victim"}
MACHINES = {
    "as it is": "",
    "docker": "unshare=EPERM,mount=EPERM",
    "no landlock": "landlock_create_ruleset=ENOSYS",
}
ROOT = os.geteuid() == 0


@pytest.fixture
def start(both_starts: str) -> str:
    return both_starts


@pytest.fixture(scope="module")
def free(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """What works of the same program outside: the positive control of every case below."""
    with Targets(tmp_path_factory.mktemp("free") / "targets") as targets:
        words = [build.program("hostile"), "free", *targets.words(str(os.getpid()))]
        done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=True)
        answers = json.loads(done.stdout)
        failed = {act for act, error in answers.items() if error}
        # A datagram to a closed port, and what a hardened kernel keeps even from the same uid.
        allowed = {"NW_send_udp"} | (
            set() if ROOT else {"PR_trace_victim", "PR_peek_victim", "PR_steal_descriptor"}
        )
        assert failed <= allowed, failed
        targets.victim.wait(5)
        assert targets.effects() == ALL
    return set(answers) - failed


SHOWN = {
    "FS-14": "FS_proc_root",
    "FS-17": "FS_17_mountinfo",
    "NW-01": "NW_connect_loopback",
    "NW-04": "NW_connect_unix",
    "PR-08": "PR_see_victim",
    "PR-09": "PR_read_environ",
    "PR-16": "PR_memory_program",
}
"""Case -> its act in hostile.c; others of these areas have attackers of their own."""


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize("profile", ["medium", "high"])
def test_FS_14_FS_17_NW_01_NW_04_PR_08_PR_09_PR_16_a_program_in_the_workers_place(
    impostor: Impostor,
    targets: Targets,
    free: set[str],
    profile: str,
    machine: str,
    control: Control,
) -> None:
    control(set(SHOWN.values()) <= free)
    hostile = [build.program("hostile"), "@plan", "@lib", "@engine", *targets.words("@supervisor")]
    result = impostor(hostile, MACHINES[machine], profile=profile)
    assert result["status"] == "done", result
    works = {act for act, error in result["value"].items() if not error}
    assert works == set(), (works, result["isolation"])
    assert len(result["value"]) == 26
    assert targets.effects() == set()
    assert all(result["isolation"]["effects"].values()) and not result["isolation"]["missing"]
    if machine == "docker":
        assert not {"pidns", "netns", "mntns"} & set(result["isolation"]["layers"])


@pytest.mark.profile("high")
def test_EN_02_the_program_gets_further_where_the_filter_is_missing(
    impostor: Impostor, targets: Targets, control: Control
) -> None:
    """The control of the control: what holds the acts above is the confinement."""
    hostile = [build.program("hostile"), "@plan", "@lib", "@engine", *targets.words("@supervisor")]
    refused = impostor(hostile, "seccomp=EPERM", profile="high")
    assert refused["status"] == "isolation_refused"
    assert refused["value"] is None and targets.effects() == set()
    low = impostor(hostile, "seccomp=EPERM", profile="low")
    assert low["status"] == "done" and low["isolation"]["missing"]
    control(low["value"]["PR_fork"] == 0)


RAW = """
import sys
def graph():
    # No import: from a plain tuple to every module the process has loaded.
    for kind in ().__class__.__base__.__subclasses__():
        names = getattr(getattr(kind, '__init__', None), '__globals__', None)
        if names and 'sys' in names and hasattr(names['sys'], 'modules'):
            return names['sys'].modules
modules = graph()
%s
libc = ctypes.CDLL(None, use_errno=True)
answers = {}
def call(name, *words):
    result = libc.syscall(*[ctypes.c_long(w) if isinstance(w, int) else w for w in words])
    answers[name] = ctypes.get_errno() if result < 0 else 0
    return result
N = params['numbers']
path = params['secret'].encode()
call('control_getpid', N['getpid'])
call('open', N['openat'], -100, path, 0)
call('create', N['openat'], -100, params['created'].encode(), 0o101, 0o600)
call('stat', N['faccessat'], -100, path, 0)
call('proc', N['openat'], -100, b'/proc/1/environ', 0)
call('socket', N['socket'], 2, 1, 0)
call('unix', N['socket'], 1, 1, 0)
call('kill', N['kill'], params['victim'], 9)
call('see', N['kill'], params['victim'], 0)
call('all', N['kill'], -1, 0)
call('ptrace', N['ptrace'], 0x4206, params['victim'], 0, 0)
call('pidfd', 434, params['victim'], 0)
call('clone', N['clone'], 17, 0, 0, 0, 0)
call('clone3', 435, 0, 0)
call('exec', N['execve'], b'/bin/true', 0, 0)
call('memfd', N['memfd_create'], b'x', 0)
call('unshare', N['unshare'], 0x10000000)
call('io_uring', 425, 1, 0)
call('setuid', N['setuid'], 0)
call('bpf', N['bpf'], 0, 0, 0)
call('prctl', N['prctl'], 1, 0)
result = answers
"""
WAYS = {
    "ctypes": "import ctypes",
    "graph": "ctypes = modules.get('ctypes') or modules['sys'].modules['ctypes']",
}
NUMBERS: dict[str, dict[str, int]] = {
    "x86_64": {
        "getpid": 39, "openat": 257, "faccessat": 269, "socket": 41, "kill": 62, "ptrace": 101,
        "clone": 56, "execve": 59, "memfd_create": 319, "unshare": 272, "setuid": 105, "bpf": 321,
        "prctl": 157,
    },
    "aarch64": {
        "getpid": 172, "openat": 56, "faccessat": 48, "socket": 198, "kill": 129, "ptrace": 117,
        "clone": 220, "execve": 221, "memfd_create": 279, "unshare": 97, "setuid": 146, "bpf": 280,
        "prctl": 167,
    },
}  # fmt: skip


def params(targets: Targets) -> list[str]:
    """What RAW is told, as words of the command line."""
    given = {
        "numbers": NUMBERS[os.uname().machine],
        "secret": str(targets.secret),
        "created": str(targets.created),
        "victim": targets.victim.pid,
    }
    return [
        word for name, value in given.items() for word in ("--param", f"{name}={json.dumps(value)}")
    ]


def raw_result(
    program: Program, targets: Targets, way: str, *flags: str, wrapper: tuple[str, ...] = ()
) -> dict[str, Any]:
    source = RAW % WAYS[way]
    return program.result(source, ".py", *params(targets), *flags, wrapper=wrapper)


@pytest.fixture(scope="module")
def works_at_none(place: Place, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """Which of the raw calls work where nothing is confined, with their effects."""
    # What would end or double the unconfined worker is left out.
    acts = RAW.replace("call('exec'", "0 and call('exec'").replace("call('clone", "0 and call('c")
    acts = acts.replace("call('all'", "0 and call('all'")
    folder = tmp_path_factory.mktemp("none")
    with Targets(folder / "targets") as targets:
        words = params(targets)
        program = Program(place, folder)
        result = program.result(acts % WAYS["ctypes"], ".py", *words, "--profile", "none")
        assert result["status"] == "done", result
        targets.victim.wait(5)
        assert {"file", "victim"} <= targets.effects()
    return {act for act, error in result["value"].items() if not error}


@pytest.mark.profile("medium")
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("machine", MACHINES)
def test_PY_01_PY_04_PY_06_raw_system_calls_reach_nothing(
    program: Program,
    targets: Targets,
    machine: str,
    way: str,
    works_at_none: set[str],
    control: Control,
) -> None:
    control({"open", "create", "stat", "socket", "unix", "kill", "memfd"} <= works_at_none)
    refused = MACHINES[machine]
    wrapper = (sys.executable, str(ATTACKERS / "refusing.py"), refused, "--") if refused else ()
    flags = ("--profile", "medium", *(("--allow-module", "ctypes") if way == "ctypes" else ()))
    result = raw_result(program, targets, way, *flags, wrapper=wrapper)
    assert result["status"] == "done", result
    works = {act for act, error in result["value"].items() if not error}
    assert works == {"control_getpid"}, result
    assert targets.effects() == set()


GUEST = """
found = {}
def graph():
    for kind in ().__class__.__base__.__subclasses__():
        names = getattr(getattr(kind, '__init__', None), '__globals__', None)
        if names and 'sys' in names and hasattr(names['sys'], 'modules'):
            return names['sys'].modules
modules = graph()
def attempt(name, act):
    try:
        found[name] = repr(act())[:200]
    except BaseException as error:
        found[name] = ''
posix = modules.get('posix') or modules['os']
attempt('control', lambda: posix.getcwd and 'here')
attempt('open', lambda: posix.open(params['secret'], 0))
attempt('list', lambda: [n for n in posix.listdir('/') if n in ('etc', 'proc', 'root')] or 1/0)
attempt('stat', lambda: posix.stat(params['secret']))
attempt('environ', lambda: posix.environ[b'HOME'])
for name in ('fork', 'execv', 'kill', 'posix_spawn', 'system', 'setuid', 'socketpair', 'pipe'):
    attempt(name, lambda: getattr(posix, name)(*params['args'][name]))
attempt('_socket', lambda: __import__('_socket').socket())
attempt('ctypes', lambda: __import__('_ctypes').dlopen(None, 2))
attempt('import', lambda: modules['builtins'].__import__('_posixsubprocess'))
for fd in range(1, 64):
    attempt('write_%d' % fd, lambda: posix.write(fd, b'') if fd > 2 else 1/0)
result = {name: text for name, text in found.items() if text}
"""


@pytest.mark.profile("high")
def test_PY_01_PY_03_PY_04_in_the_guest_there_is_nothing_to_reach(
    program: Program, targets: Targets, control: Control
) -> None:
    arguments = {
        "fork": [], "execv": ["/bin/true", ["x"]], "kill": [targets.victim.pid, 9],
        "posix_spawn": ["/bin/true", ["x"], {}], "system": [f"touch {targets.created}"],
        "setuid": [0], "socketpair": [], "pipe": [],
    }  # fmt: skip
    words = (
        "--param", f"secret={json.dumps(str(targets.secret))}",
        "--param", f"args={json.dumps(arguments)}",
    )  # fmt: skip
    result = program.result(GUEST, ".py", *words, "--profile", "high")
    assert result["status"] == "done", result
    assert set(result["value"]) == {"control"}, result["value"]
    assert targets.effects() == set()
    a, _, b = GUEST.partition("'fork', 'execv', 'kill', ")
    b = b.replace("'system', 'setuid', ", "").replace("'posix_spawn', ", "")
    loose = program.result(a + b, ".py", *words, "--profile", "none")["value"]
    control({"open", "list", "stat", "_socket", "ctypes", "import", "pipe"} <= set(loose))
