"""A name server of the test's own: what it says, and how its answer changes, is the attack."""

from __future__ import annotations

import select
import socket
import struct
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

Record = tuple[str, str]
"""Type (A, AAAA, CNAME) and what it holds."""

_NUMBERS: Final = {"A": 1, "CNAME": 5, "AAAA": 28}
_KINDS: Final = {number: kind for kind, number in _NUMBERS.items()}
_LIFE: Final = 0
"""Seconds an answer may be kept: none, as a rebinding server says."""


class NameServer:
    """Answers on a UDP socket until closed.

    `zone` gives a name's answers: one list of records a question (the last one stays). A name that
    is in no zone has the records of `others`: also an attacker's own names resolve.
    """

    def __init__(
        self,
        listening: socket.socket,
        zone: Mapping[str, Sequence[Sequence[Record]]],
        others: Sequence[Record],
    ) -> None:
        self.asked: Counter[tuple[str, str]] = Counter()
        self._zone = {name: [list(answer) for answer in given] for name, given in zone.items()}
        self._others = list(others)
        self._socket = listening
        self._open = True
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def start_again(self, name: str) -> None:
        """The next question after `name` is its first."""
        for key in [key for key in self.asked if key[0] == name]:
            del self.asked[key]

    def close(self) -> None:
        """Ends, and closes the socket."""
        self._open = False
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while self._open:
            if select.select([self._socket], [], [], 0.1)[0]:
                question, sender = self._socket.recvfrom(4096)
                self._socket.sendto(self._answer(question), sender)

    def _answer(self, question: bytes) -> bytes:
        name, end = _name(question, 12)
        number = struct.unpack_from(">H", question, end)[0]
        kind = _KINDS.get(number, str(number))
        before = self.asked[name, kind]
        self.asked[name, kind] += 1
        answers = self._zone.get(name)
        records = self._others if answers is None else answers[min(before, len(answers) - 1)]
        found: list[bytes] = []
        owner = name
        for one, content in records:
            if one == "CNAME":
                found.append(_record(owner, _NUMBERS[one], _encoded(content)))
                owner = content
            elif one == kind:
                family = socket.AF_INET if one == "A" else socket.AF_INET6
                found.append(_record(owner, number, socket.inet_pton(family, content)))
        head = question[:2] + struct.pack(">HHHHH", 0x8580, 1, len(found), 0, 0)
        return head + question[12 : end + 4] + b"".join(found)


def _name(packet: bytes, at: int) -> tuple[str, int]:
    labels = []
    while packet[at]:
        labels.append(packet[at + 1 : at + 1 + packet[at]].decode("latin-1"))
        at += 1 + packet[at]
    return ".".join(labels).lower(), at + 1


def _encoded(name: str) -> bytes:
    parts = [bytes([len(label)]) + label.encode("ascii") for label in name.split(".")]
    return b"".join(parts) + b"\0"


def _record(owner: str, number: int, content: bytes) -> bytes:
    return _encoded(owner) + struct.pack(">HHIH", number, 1, _LIFE, len(content)) + content
