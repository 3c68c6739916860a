# Messages out and in, parts included.
# A part of the prelude; tools check the whole, preludes/_generated/prelude.py.
# ruff: noqa
# mypy: ignore-errors

PART_SIZE = 87_000
"""Characters, of which each is at most three bytes (four count as two units elsewhere)."""
MESSAGE_MAX = 16_777_216


SENDING = allocate_lock()
"""Held for ever once the end was sent: a thread of the spell's says nothing after it."""


def send_text(text: str) -> None:
    """Sends one message, in parts when it is large. Threads of the spell's may print, too."""
    with SENDING:
        _send(text)


def send_end(text: str) -> None:
    """Sends the last message."""
    SENDING.acquire()
    _send(text)


def _send(text: str) -> None:
    if len(text) <= PART_SIZE // 2:
        return HOST.send(text)
    size = len(text.encode("utf-8"))
    if size <= 262_144:
        return HOST.send(text)
    if size > MESSAGE_MAX:
        raise LLMSpellError(
            "a message of over 16 MiB can't be sent",
            code=4009,
            kind="limit",
            rule="limit.message",
        )
    for start in range(0, len(text), PART_SIZE // 2):
        last = start + PART_SIZE // 2 >= len(text)
        piece = encode_basestring(text[start : start + PART_SIZE // 2])
        HOST.send(f'{{"type":"part","data":{piece},"last":{"true" if last else "false"}}}')
    return None


_parts: list[str] = []


def receive(timeout_ms: float | None) -> Any:
    """The next message, or None when none came in time."""
    while True:
        text = HOST.recv(timeout_ms)
        if text is None:
            return None
        message = decode(text)
        if message.get("type") != "part":
            return message
        _parts.append(message["data"])
        if message["last"]:
            whole = "".join(_parts)
            _parts.clear()
            return decode(whole)
