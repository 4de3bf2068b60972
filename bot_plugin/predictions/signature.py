"""Signs requests as Standard Webhooks 1.0 says: HMAC-SHA256 over the id, the time and the body."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping

PREFIX = "whsec_"
LENGTHS = range(24, 65)
"""Bytes of a secret."""


def secret_bytes(secret: str) -> bytes:
    """Read a secret as it is handed out, ``whsec_`` and base64.

    Raises:
        ValueError: it is none; the message does not show it.
    """
    text = secret.removeprefix(PREFIX)
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or len(key) not in LENGTHS:
        raise ValueError(f"is {PREFIX} and then base64 of {LENGTHS.start} to {LENGTHS.stop - 1} bytes")
    return key


def signed(body: bytes, *, key: bytes, now: int) -> Mapping[str, str]:
    """The headers that sign a body.

    The id is a digest of the body, so that a request which is sent again as it was has the same one.

    Args:
        body: the request's body.
        key: as ``secret_bytes`` reads it.
        now: seconds since the epoch; the gateway takes what is at most five minutes off.
    """
    id_ = f"msg_{hashlib.sha256(body).hexdigest()[:32]}"
    digest = hmac.digest(key, b"%s.%d.%s" % (id_.encode(), now, body), "sha256")
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(now),
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
