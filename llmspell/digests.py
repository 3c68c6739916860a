"""SHA-256 for a few short texts, from the interpreter's own code.

`hashlib` loads OpenSSL, which takes a cold command 3 ms and is worth it from a few hundred records
or a megabyte on. Whoever hashes that much uses `hashlib`; the digest is the same.
"""

from __future__ import annotations

import sys


def sha256(data: bytes) -> str:
    """The digest as hexadecimal digits."""
    try:
        made = __import__("_sha2" if sys.version_info >= (3, 12) else "_sha256")
    except ImportError:  # a Python that was built without digests of its own
        import hashlib as made
    return str(made.sha256(data).hexdigest())
