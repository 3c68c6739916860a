"""The certificates that servers are checked against."""

from __future__ import annotations

import os
import ssl

from llmspell.errors import ConfigurationError
from llmspell.records import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

FILES: Final = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE")


def make_context(environment: Mapping[str, str] | None = None) -> ssl.SSLContext:
    """TLS 1.2 or later, host names checked. Raises `ConfigurationError`.

    The supervisor's SSL_CERT_FILE, REQUESTS_CA_BUNDLE or SSL_CERT_DIR replace the usual
    authorities: the system's own and certifi's.
    """
    env = os.environ if environment is None else environment
    file = next((env[name] for name in FILES if env.get(name)), None)
    folder = env.get("SSL_CERT_DIR") or None
    if file is not None and os.path.isdir(file):
        file, folder = None, file
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if file is not None or folder is not None:
            context.load_verify_locations(cafile=file, capath=folder)
        else:
            import certifi

            context.load_verify_locations(cafile=certifi.where())
            context.load_default_certs()
    except (OSError, ssl.SSLError):
        raise ConfigurationError(
            "the certificates named by SSL_CERT_FILE, REQUESTS_CA_BUNDLE or SSL_CERT_DIR "
            "can't be loaded"
        ) from None
    return context
