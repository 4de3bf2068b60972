"""Standard Webhooks: the secrets that sign what programs send, and whether one of them did."""

from __future__ import annotations

import base64
import hmac
import re
import secrets
from datetime import UTC, datetime

from standardwebhooks import Webhook

from gateway.intake.source import Signature

PREFIX = "whsec_"
TOLERANCE = 300
"""Seconds that a signature's time may lie from now, either way."""

_BYTES = 32
_LEAST_BYTES = 24
_MAX_SIGNATURES = 16
_ID = re.compile(r"[!-~]{1,255}", re.ASCII)
_TIMESTAMP = re.compile(r"[1-9][0-9]{0,10}", re.ASCII)


def new_secret() -> str:
    """A signing secret of 32 random bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def ensure_secret(text: str) -> None:
    """Make sure that a text is a signing secret.

    Raises:
        ValueError: it is none.
    """
    encoded = text.removeprefix(PREFIX)
    if encoded == text or len(base64.b64decode(encoded, validate=True)) < _LEAST_BYTES:
        raise ValueError(f"a signing secret is {PREFIX} and at least {_LEAST_BYTES} bytes in base64")


def signs(secret: str, signature: Signature, body: bytes, *, now: int) -> bool:
    """Whether a secret made one of the signatures, for this body and at about this time.

    What cannot be a signature costs as much as one.

    Args:
        secret: as its sender has it.
        signature: what the headers say; nothing in it is trusted.
        body: the bytes as they came.
        now: microseconds since the epoch.
    """
    well_formed = bool(_ID.fullmatch(signature.id) and _TIMESTAMP.fullmatch(signature.timestamp))
    at = int(signature.timestamp) if well_formed else now // 1_000_000
    timely = abs(at - now // 1_000_000) <= TOLERANCE
    expected = _signature(secret, signature.id if well_formed else "-", at if timely else now // 1_000_000, body)
    shown = signature.signatures.split(" ", _MAX_SIGNATURES)[:_MAX_SIGNATURES]
    matches = [hmac.compare_digest(expected, one.encode(errors="replace")) for one in shown]
    return well_formed and timely and any(matches)


def _signature(secret: str, id_: str, at: int, body: bytes) -> bytes:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return secrets.token_bytes(_BYTES)  # no JSON, whoever signed it
    return Webhook(secret).sign(msg_id=id_, timestamp=datetime.fromtimestamp(at, UTC), data=text).encode()
