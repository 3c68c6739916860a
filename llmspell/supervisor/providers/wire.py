"""What travels between supervisor and provider process: frames as to a shard, with these meanings.

A request's number stands in each frame. Payloads are the channel's strict JSON.
"""

from __future__ import annotations

from typing import Final

from llmspell.supervisor.shards.frames import Kind

REQUEST: Final = Kind.RUN
"""To the process: `{operation, provider, …}`."""

CANCEL: Final = Kind.CANCEL
READY: Final = Kind.READY
CHUNK: Final = Kind.STDOUT
"""Home: a piece of text of an answer that is streamed."""

REPLY: Final = Kind.VALUE
FAILURE: Final = Kind.ERROR
"""Home: `{kind, message, retry_after?, hint?}`; of number 0: the process can't start."""

OPERATIONS: Final = ("complete", "embed", "count_tokens", "info")
