"""Passwords at the broker, hashed as Mosquitto's password file has them, so that one hash serves every broker."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode

ROUNDS = 101
"""Mosquitto's own default; these passwords are 32 random bytes, which no number of rounds makes safer."""

_SALT_ENTROPY = 9
"""Bytes, of which base64 makes Mosquitto's 12; text, as EMQX has no other salts."""


def hashed(password: str) -> str:
    """``$7$rounds$salt$hash``: PBKDF2 with SHA-512."""
    salt = secrets.token_urlsafe(_SALT_ENTROPY).encode()
    return f"$7${ROUNDS}${b64encode(salt).decode()}${b64encode(_derive(password, salt, ROUNDS)).decode()}"


def matches(password: str, kept: str) -> bool:
    """Whether a hash is that of a password, in constant time."""
    rounds, salt, wanted = parts(kept)
    return hmac.compare_digest(_derive(password, salt, rounds), wanted)


def parts(kept: str) -> tuple[int, bytes, bytes]:
    """The rounds, the salt and the derived key of a hash."""
    _, _, rounds, salt, derived = kept.split("$")
    return int(rounds), b64decode(salt), b64decode(derived)


def _derive(password: str, salt: bytes, rounds: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", password.encode("utf-8", "surrogatepass"), salt, rounds)
