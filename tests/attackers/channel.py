"""A worker that speaks the channel itself: `channel.py ACT ENGINE`. It has no confinement.

Only the standard library: what it does is what any program in a worker's place could do.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable
from typing import Any

from channel_frames import (  # type: ignore[import-not-found]
    EARLY,
    TOOLS,
    VIOLATIONS,
    call,
    frame,
    hello,
    part,
    text,
)

CHANNEL: socket.socket


def send(*messages: Any) -> None:
    CHANNEL.sendall(b"".join(map(text, messages)))


def read_frame() -> bytes:
    return exactly(struct.unpack("<I", exactly(4))[0])


def exactly(size: int) -> bytes:
    data = bytearray()
    while len(data) < size:
        more = CHANNEL.recv(size - len(data))
        if not more:
            sys.exit(0)
        data += more
    return bytes(data)


def read() -> dict[str, Any]:
    """The supervisor's next message; its plans for a confinement are passed over."""
    pieces = ""
    while True:
        try:
            message = json.loads(read_frame())
        except ValueError:
            continue
        if message.get("type") == "part":
            pieces += message["data"]
            if not message["last"]:
                continue
            message = json.loads(pieces)
        if "type" in message:
            return dict(message)


def ask(number: int, method: str, **args: Any) -> dict[str, Any]:
    send(call(number, method, **args))
    return read()


def done(value: Any) -> None:
    send({"type": "done", "value": value})


def linger(seconds: float = 60) -> None:
    time.sleep(seconds)


def wait_for(kind: str) -> dict[str, Any]:
    while True:
        message = read()
        if message["type"] == kind:
            return message


# -- what honest workers do, for controls ------------------------------------------------------


def honest() -> None:
    """Writes where it may, and says what it was answered."""
    good = ask(1000, "fs.write", path="honest.txt", data="x")
    done("fine" if good["ok"] else good["error"])


def honest_byte_by_byte() -> None:
    for byte in text(call(1000, "fs.write", path="bytes.txt", data="x")):
        CHANNEL.sendall(bytes([byte]))
        CHANNEL.send(b"")
    read()
    for byte in text({"type": "done", "value": "fine"}):
        CHANNEL.sendall(bytes([byte]))
    linger()


def honest_in_parts() -> None:
    whole = json.dumps(call(1000, "fs.write", path="parts.txt", data="é" * 300_000))
    pieces = [whole[start : start + 50_000] for start in range(0, len(whole), 50_000)]
    for piece in pieces:
        CHANNEL.sendall(part(piece, last=piece is pieces[-1]))
    done("fine" if read()["ok"] else "not")


def pings() -> None:
    """Calls for a second and a half; the longest that one took, in seconds."""
    longest, number = 0.0, 0
    end = time.monotonic() + 1.5
    while time.monotonic() < end:
        number += 1
        begun = time.monotonic()
        ask(number, "fs.exists", path="scratch:x")
        longest = max(longest, time.monotonic() - begun)
        time.sleep(0.002)
    done([number, longest])


# -- those that do not stop --------------------------------------------------------------------


def silent() -> None:
    linger()


def stuck_on_stop() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def never_reads() -> None:
    """Answers of 1 KiB are asked for and left lying."""
    send(call(1, "fs.write", path="scratch:k", data="x" * 1000))
    number = 1
    while True:
        number += 1
        send(call(number, "fs.read", path="scratch:k"))


def large_answers_unread() -> None:
    """One turn's worth of small calls, each with an answer of 4 MB, none of them read."""
    send(*(call(number, "fs.read", path="big.txt") for number in range(1, 50)))
    linger()


def reads_large_answers() -> None:
    """The honest twin: as many at once, all of them read."""
    send(*(call(number, "fs.read", path="big.txt") for number in range(1, 6)))
    answers = [read() for _ in range(5)]
    done([len(answers), sum(len(answer["value"]) for answer in answers)])


def floods_output() -> None:
    data = text({"type": "output", "stream": "stdout", "text": "x" * 60_000}) * 16
    while True:
        CHANNEL.sendall(data)


def floods_events() -> None:
    data = text({"type": "log", "level": "trace", "message": ""}) * 5_000
    while True:
        CHANNEL.sendall(data)


def floods_calls() -> None:
    number = 0
    while True:
        data = b"".join(text(call(number + one)) for one in range(1, 500))
        number += 499
        CHANNEL.sendall(data)


def floods_takings_back() -> None:
    """Messages that charge no budget: only their rate ends them."""
    data = text({"type": "cancel", "id": 1}) * 5_000
    while True:
        CHANNEL.sendall(data)


def floods_blanks() -> None:
    """Large frames that mean next to nothing."""
    data = frame(json.dumps({"type": "cancel", "id": 1}).encode().ljust(1_000_000))
    while True:
        CHANNEL.sendall(data)


def over_the_window() -> None:
    for number in range(1, 200):
        send(call(number, "http.request", url="http://127.0.0.1:1/"))
    refused = [read() for _ in range(199)]
    rules = {item["error"]["rule"] for item in refused if not item["ok"]}
    done(sorted(rules))


def noise() -> None:
    import random

    chaos = random.Random(7)
    while True:
        CHANNEL.sendall(frame(chaos.randbytes(chaos.randrange(1, 300))))


def raw_noise() -> None:
    import random

    CHANNEL.sendall(random.Random(11).randbytes(1 << 20))
    linger()


def out_of_band() -> None:
    """Urgent bytes (MSG_OOB), alone and within a frame; then all is as ever."""
    whole = text(call(1000, "fs.write", path="urgent.txt", data="x"))
    try:
        CHANNEL.send(b"!", socket.MSG_OOB)
    except OSError:
        done("no urgent bytes here")
        linger()
    time.sleep(0.3)
    CHANNEL.sendall(whole)
    linger(0.3)
    done("fine")
    linger()


# -- descriptors and ends ----------------------------------------------------------------------


def descriptors() -> None:
    """253 at once is the kernel's most (unix(7)); with frames, halves of frames, and alone."""
    import array

    with open("/dev/null") as null:
        many = array.array("i", [null.fileno()] * 253)
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, many)]
        log = text({"type": "log", "level": "info", "message": "gift"})
        for piece in (log, log[:3], log[3:], log[:9], log[9:], log * 20):
            CHANNEL.sendmsg([piece], rights)
        own = array.array("i", [CHANNEL.fileno()])
        CHANNEL.sendmsg([log], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, own)])
    honest()


def closes() -> None:
    CHANNEL.close()
    linger()


def shuts_down() -> None:
    CHANNEL.shutdown(socket.SHUT_WR)
    linger()


def shuts_reading() -> None:
    """Its answers have nowhere to go (EPIPE, SIGPIPE); what it says still counts."""
    CHANNEL.shutdown(socket.SHUT_RD)
    send(*(call(number, "fs.write", path="deaf.txt", data="x") for number in range(1, 20)))
    done("deaf")
    linger()


def half_a_length() -> None:
    CHANNEL.sendall(b"\x10\0")
    CHANNEL.shutdown(socket.SHUT_WR)
    linger()


def half_a_frame() -> None:
    CHANNEL.sendall(text(call(1000, "fs.write", path="half.txt", data="x"))[:-1])
    os._exit(0)


def gone_with_a_call() -> None:
    send(call(1, "http.request", url="http://127.0.0.1:1/"))
    os._exit(0)


def passes_it_on() -> None:
    """The channel goes to a child that talks; the parent leaves."""
    if os.fork() == 0:
        os.setsid()
        copy = os.dup(3)
        os.dup2(copy, 9)
        os.close(3)
        child = socket.socket(fileno=9)
        child.sendall(text(call(1000, "fs.write", path="child.txt", data="x")))
        child.recv(65536)
        time.sleep(60)
    os._exit(0)


def another_descriptor() -> None:
    """The channel under other numbers is the same worker with the same budget."""
    os.dup2(3, 50)
    other = socket.socket(fileno=50)
    for number in range(1, 8):
        (CHANNEL if number % 2 else other).sendall(
            text(call(number, "fs.write", path=f"dup-{number}.txt", data="x"))
        )
        read()
    done("all")


def dribbles() -> None:
    CHANNEL.sendall(struct.pack("<I", 1000))
    for _ in range(1000):
        CHANNEL.sendall(b" ")
        time.sleep(0.05)


# -- identity and time of calls ----------------------------------------------------------------


def writes_both() -> None:
    """Writes into the folders of two runs; the answers as it got them."""
    answers = [ask(1, "fs.write", path="../a/f.txt", data="x")]
    answers.append(ask(2, "fs.write", path="../b/f.txt", data="x"))
    done([answer.get("error", {}).get("rule", "ok") for answer in answers])


def takes_back() -> None:
    """A slow call is taken back and another made: only that one is answered."""
    slow = "http://127.0.0.1:9/" if len(sys.argv) < 4 else sys.argv[3]
    send(call(1, "http.request", url=slow), {"type": "cancel", "id": 1})
    got = [ask(2, "fs.write", path="second.txt", data="x")]
    got.append(ask(3, "fs.read", path="second.txt"))
    done([[item["id"], item["ok"], item.get("value")] for item in got])


def answers_twice() -> None:
    send(call(1, "hooks.register", point="custom:x", hook={"$callback": 77}))
    read()
    send(call(2, "hooks.execute", point="custom:x", context={}))
    asked = wait_for("invoke")
    send(*[{"type": "returned", "id": asked["id"], "ok": True, "value": {"callback": 1}}] * 2)
    linger()


def flips_what_it_sent() -> None:
    """Sends calls out of a page that another thread goes on changing (sendfile shares pages)."""
    import tempfile
    import threading

    spelled = text(call(10_000_000, "fs.write", path="../a/f.txt", data="x"))
    place = spelled.index(b"a/f.txt")
    number = spelled.index(b"10000000")
    with tempfile.TemporaryFile() as file:
        file.write(spelled)
        file.flush()
        going = True

        def flip() -> None:
            while going:
                os.pwrite(file.fileno(), b"b", place)
                os.pwrite(file.fileno(), b"a", place)

        thread = threading.Thread(target=flip)
        thread.start()
        rules: dict[str, int] = {}
        for turn in range(600):
            os.pwrite(file.fileno(), str(10_000_000 + turn).encode(), number)
            sent = 0
            while sent < len(spelled):
                sent += os.sendfile(CHANNEL.fileno(), file.fileno(), sent, len(spelled) - sent)
            rule = read().get("error", {}).get("rule", "ok")
            rules[rule] = rules.get(rule, 0) + 1
        going = False
        thread.join()
    done(rules)


def writes_many() -> None:
    """One file after the other until something says no."""
    for number in range(1, 60):
        answer = ask(number, "fs.write", path=f"many-{number}.txt", data="x")
        if not answer["ok"]:
            done([number, answer["error"]["code"]])
            return
    done([0, 0])


def calls_a_tool() -> None:
    """In the spell's place, so that a tool worker is started; how its call came out."""
    answer = ask(1, "tools.execute", name="calculator", input={"expression": "6 * 7"})
    done(answer.get("value", answer.get("error", {}).get("kind")))


def tool_asks_for_more() -> None:
    """A calculator, taken over, asks for what its tool never declared."""
    asked = wait_for("invoke")
    answer = ask(1, "fs.write", path="tool.txt", data="x")
    said = answer.get("error", {}).get("rule", "ok")
    send({"type": "returned", "id": asked["id"], "ok": True, "value": {"result": said}})
    linger()


def tool_says(data: bytes) -> Callable[[], None]:
    def act() -> None:
        wait_for("invoke")
        CHANNEL.sendall(data)
        linger()

    return act


def walks_the_api() -> None:
    """Every call of a file, one after the other; how many there were."""
    from api_walker import walk  # type: ignore[import-not-found]

    done(walk(CHANNEL, read, sys.argv[3], sys.argv[4]))
    linger()


def violates(name: str) -> Callable[[], None]:
    """The frames, and in the same breath a call that an honest worker may make."""

    def act() -> None:
        behind = text(call(100_000, "fs.write", path=f"{name}.txt", data="x"))
        CHANNEL.sendall(VIOLATIONS[name] + behind)
        linger()

    return act


def main() -> None:
    global CHANNEL
    CHANNEL = socket.socket(fileno=3)
    act, engine = sys.argv[1], sys.argv[2]
    if act in EARLY:
        CHANNEL.sendall(EARLY[act])
        linger()
    if act in TOOLS or act.startswith("tool_"):
        send(hello("tools"))
        (tool_says(TOOLS[act]) if act in TOOLS else globals()[act])()
        return
    send(hello(engine))
    wait_for("run")
    (violates(act) if act in VIOLATIONS else globals()[act])()


if __name__ == "__main__":
    main()
