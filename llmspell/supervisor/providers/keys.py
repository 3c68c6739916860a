"""Where keys come from: the user's environment, then the keyring, then a 0600 file (LLM-018).

Runs in the provider process before its fence is up. No key is in any error.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Mapping
from typing import Any, Final

from llmspell.llm.failures import ModelFailure

SERVICE: Final = "llmspell"
"""The service under which the keyring holds keys, by provider name."""

KEYRING_SECONDS: Final = 5.0
"""A keyring without a desktop may wait for ever; then there is none."""

KEY_MAX: Final = 8_192


def find_key(provider: Mapping[str, Any], variables: Mapping[str, str]) -> str:
    """The key of a provider; "" where there is none. Raises `ModelFailure` for a file that can't
    be used."""
    name = provider["api_key_env"]
    if name and variables.get(name):
        return variables[name].strip()
    if not name and not provider["api_key_file"]:
        return ""
    return _from_keyring(provider["name"]) or _from_file(provider["api_key_file"])


def _from_keyring(name: str) -> str:
    found: list[str] = []

    def ask() -> None:
        try:
            import keyring

            password = keyring.get_password(SERVICE, name)
        except Exception:
            # Not installed, no back end, locked: there simply is no key here.
            return
        if password:
            found.append(password)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(KEYRING_SECONDS)
    return found[0] if found else ""


def _from_file(path: str) -> str:
    if not path:
        return ""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except OSError as error:
        raise ModelFailure("no_key", f"{path}: it can't be read ({error.strerror})") from None
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode) or found.st_uid not in (0, os.getuid()):
            raise ModelFailure("no_key", f"{path}: it is no file of your own")
        if found.st_mode & 0o077:
            raise ModelFailure("no_key", f"{path}: others may read it", hint=f"chmod 600 {path}")
        data = os.read(handle, KEY_MAX + 1)
    finally:
        os.close(handle)
    if len(data) > KEY_MAX:
        raise ModelFailure("no_key", f"{path}: it is too long for a key")
    return data.decode("utf-8", "replace").strip()
