"""Every bound of the channel, each with its reason. The worker's bytes are hostile."""

from __future__ import annotations

from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Final

FRAME_MAX: Final = 1_048_576
"""Bytes in one frame. A guest copies a frame twice; 1 MiB keeps that below a millisecond."""

PART_SIZE: Final = 262_144
"""Bytes of JSON text above which a message travels as `part` frames of half as many characters.
JSON text holds no control characters, so a character has at most four bytes, escaped two: a part
frame is never over half of FRAME_MAX."""

MESSAGE_MAX: Final = 16_777_216
"""Bytes of one assembled message: the 10 MiB response of SEC-033 in base64, with room."""

DEPTH_MAX: Final = 48
"""Nesting of a message, envelope included. Far under the decoder's own recursion limit (IP-07)."""

NODES_MAX: Final = 250_000
"""Values in one message: bounds the decoded form at about 20 MB however dense the text (IP-08)."""

KEYS_MAX: Final = 20_000
"""Keys of one object: bounds what colliding hashes can cost (IP-09)."""

INTEGER_MAX: Final = 2**53
"""Largest integer (as magnitude) that all three languages carry exactly."""

OUTSTANDING_MAX: Final = 64
"""Calls a worker may have in flight; one more is answered with a typed error (IP-29)."""

INVOKES_MAX: Final = 64
"""Invokes the supervisor may have in flight to one worker."""

FRAME_SECONDS: Final = 10.0
"""Time a worker may take from the first to the last byte of one message (IP-02)."""

OUTBOX_MAX: Final = 33_554_432
"""Bytes waiting for a worker that does not read before it is ended (IP-16): two messages."""

OUTBOX_PAUSE: Final = 1_048_576
"""Bytes waiting for a worker above which nothing more is read from it."""

EVENTS_PER_SECOND: Final = 50_000
"""Frames per second (averaged over a second) before a worker counts as flooding (IP-14)."""

BYTES_PER_SECOND: Final = 268_435_456
"""Bytes per second (averaged over a second): above any honest spell, below what starves others."""

METHOD_MAX: Final = 64
"""Characters of a method name."""

LOG_FIELDS_MAX: Final = 32
"""Fields of one log record."""
