"""TLS to an external broker."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from pathlib import Path


def tls_context(files: Mapping[str, Path | None]) -> ssl.SSLContext:
    """Make the context of a ``tls`` section; without ``ca``, this machine's authorities are trusted.

    Raises:
        OSError: a file is missing or holds no certificate or key.
    """
    context = ssl.create_default_context(cafile=files["ca"])
    certificate = files["cert"]
    if certificate:
        context.load_cert_chain(certificate, files["key"])
    return context
