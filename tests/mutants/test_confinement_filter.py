"""The filter's rules one by one: refused with the rule, in the kernel's hands without it."""

from __future__ import annotations

import errno
import functools
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from llmspell.channel.framing import frame
from llmspell.platform.linux import bpf, seccomp
from llmspell.platform.linux import seccomp_tables as tables
from llmspell.platform.linux.plan import LAYERS
from tests.adversarial.placed import placed
from tests.adversarial.test_kernel import number, word
from tests.mutants.confinement_filter import (
    FRAME,
    GROUPS,
    LOOSE,
    RULES,
    USUAL,
    Loose,
)
from tests.platform.test_zygote import receive

pyseccomp = pytest.importorskip("pyseccomp")

MACHINE = os.uname().machine
REFUSED = 200
"""An error that the kernel has no name for: only the filter under test answers so."""
LAYERS_ON = {"seccomp", "no_new_privs", "uid", "caps"}
"""The filter; what an ordinary user needs for one; and, so that a refusal that is gone harms
nobody, no root."""


def compiled(level: str, kind: str, **changed: Any) -> bytes:
    """The program with other tables, refusing with an error of its own."""
    names = {name: getattr(tables, name) for name in ("ALLOWED", "DENIED_ALWAYS", "DENIED_WHEN")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seccomp, "_tables", lambda: SimpleNamespace(**{**names, **changed}))
        patch.setattr(seccomp, "_EPERM", REFUSED)
        return seccomp.compile_program(level, kind, MACHINE)


@functools.cache
def real(level: str, kind: str) -> bytes:
    """The program as it ships, but for that error."""
    return compiled(level, kind)


@contextmanager
def under(program: bytes, words: list[str]) -> Iterator[Any]:
    """kernel.c with this filter and nothing else that could answer for it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(seccomp, "program", lambda *_: program)
        without = frozenset(LAYERS) - LAYERS_ON
        with placed("kernel", words, "high", without=without) as given:
            yield given


def answers(program: bytes, words: list[str]) -> tuple[dict[str, int], int | None]:
    """The answers, or the signal that ended the program."""
    with under(program, words) as (process, channel, _):
        channel.sendall(frame(b'{"type":"run"}'))
        try:
            done = receive(channel)
        except ConnectionResetError:
            done = None
        status = process.wait(10)
    return (done["value"] if done else {}), status.signal


def error(program: bytes, call: str) -> int:
    """What the last of some calls comes to."""
    found, ended = answers(program, [f"a={word(call).partition('=')[2]}"])
    return -ended if ended else found["a"]


HARMLESS = {"vhangup": None, "msgget": "0x7fffffff,0", "setsid": "", "fork": "", "vfork": None}
"""Calls of the deny-list that are not tried with arguments of -1."""


@pytest.mark.parametrize("name", GROUPS)
def test_a_group_of_the_deny_list(name: str) -> None:
    calls = [call for call in tables.DENIED_GROUPS[GROUPS[name]] if number(call) < 1000]
    words = []
    for call in calls:
        arguments = HARMLESS.get(call, ",".join(["-1"] * 6))
        if arguments is not None:
            words.append(f"{call}={number(call)},{arguments}")
    rest = tuple(call for call in tables.DENIED_ALWAYS if call not in calls)
    mutant = compiled("low", "native", DENIED_ALWAYS=rest)
    assert set(answers(real("low", "native"), words)[0].values()) == {REFUSED}
    found, ended = answers(mutant, words)
    assert ended is None and len(found) == len(words) > 3
    assert REFUSED not in found.values()


@pytest.mark.parametrize("name", RULES)
def test_a_rule_of_the_deny_list(name: str) -> None:
    rule = tables.DENIED_WHEN[RULES[name]]
    values: list[Any] = list(USUAL.get(rule.call, (0, "b", "b", "b")))
    for one in rule.when:
        at = values[one.argument] if isinstance(values[one.argument], int) else 0
        values[one.argument] = at & ~one.mask | one.value
    if rule.call == "clone" and values[0] == 0:
        values[0] = signal.SIGCHLD  # the child ends at once
    call = ",".join([rule.call, *map(str, values)])
    rest = tuple(one for one in tables.DENIED_WHEN if one != rule)
    assert error(real("low", "native"), call) == REFUSED
    assert error(compiled("low", "native", DENIED_WHEN=rest), call) != REFUSED
    # With its usual arguments the call is let through: it is the argument that is refused.
    usual = ",".join([rule.call, *map(str, USUAL.get(rule.call, (0, "b", "b", "b")))])
    assert error(real("low", "native"), usual) != REFUSED


@pytest.mark.parametrize("one", LOOSE, ids=lambda one: one.name)
def test_a_condition_of_the_allow_lists(one: Loose) -> None:
    level = "high" if one.kind == "wasm" else "medium"
    call = one.call.partition(",")[0]
    rules = tables.ALLOWED[level, one.kind]
    loose = (*(rule for rule in rules if rule.call != call), tables.Rule(call))
    mutant = compiled(level, one.kind, ALLOWED={(level, one.kind): loose})
    assert error(real(level, one.kind), one.call) == REFUSED
    assert error(mutant, one.call) != REFUSED


@pytest.mark.skipif(MACHINE != "x86_64", reason="the foreign entries are those of x86-64")
@pytest.mark.parametrize("name", FRAME)
def test_the_frame_of_every_filter(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name == "foreign-entry":
        entries = (["!x=0x40000027"], ["!i=int80,20"])
        assert [answers(real("high", "wasm"), one)[1] for one in entries] == [signal.SIGSYS] * 2
        monkeypatch.setattr(pyseccomp, "KILL_PROCESS", pyseccomp.ALLOW)
        mutant = compiled("high", "wasm")
        assert answers(mutant, entries[1]) == ({"!i": 0}, None)
        # Numbers of x32 are no foreign architecture: they are refused one by one then.
        assert answers(mutant, entries[0])[1] is None
    elif name == "clone3":
        calls = ["c=435,-1,-1"]
        assert answers(real("low", "native"), calls)[0]["c"] == errno.ENOSYS
        monkeypatch.setattr(seccomp, "_ENOSYS", 201)
        assert answers(compiled("low", "native"), calls)[0]["c"] == 201, "the rule it is"
        code = without_clone3(monkeypatch)
        assert answers(code, calls)[0]["c"] not in (errno.ENOSYS, 201)
    elif name == "newer-calls":
        calls = ["n=451,-1,0,0,0"]
        assert answers(real("low", "native"), calls)[0]["n"] == errno.ENOSYS
        monkeypatch.setattr(seccomp, "_REFUSE_NEWER", b"")
        assert answers(compiled("low", "native"), calls)[0]["n"] != errno.ENOSYS
    else:
        calls = [f"{call}={number(call)},-1" for call in ("socket", "openat", "setuid", "kill")]
        assert set(answers(real("high", "wasm"), calls)[0].values()) == {REFUSED}
        assert REFUSED not in answers(allow_all(), calls)[0].values()


def without_clone3(monkeypatch: pytest.MonkeyPatch) -> bytes:
    add = seccomp._add

    def skipping(made: Any, action: int, call: str, when: tuple[Any, ...]) -> None:
        if call != "clone3":
            add(made, action, call, when)

    with monkeypatch.context() as patch:
        patch.setattr(seccomp, "_add", skipping)
        return compiled("low", "native")


def allow_all() -> bytes:
    """The same program with its last word turned: what no rule names is allowed."""
    program = bytearray(real("high", "wasm"))
    refusal = (bpf.errno(REFUSED)).to_bytes(4, "little")
    at = 0
    while at < len(program):
        if program[at] == 0x06 and bytes(program[at + 4 : at + 8]) == refusal:
            program[at + 4 : at + 8] = bpf.ALLOW.to_bytes(4, "little")
        at += 8
    return bytes(program)
