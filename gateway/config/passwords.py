"""Passwords at the broker, hashed as Mosquitto's password file has them, so that one hash serves every broker."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b64decode, b64encode

_ROUNDS = 101
"""Mosquitto's own default; these passwords are 32 random bytes, which no number of rounds makes safer."""

_SALT_BYTES = 12


def hashed(password: str) -> str:
    """``$7$rounds$salt$hash``: PBKDF2 with SHA-512."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return f"$7${_ROUNDS}${b64encode(salt).decode()}${b64encode(_derive(password, salt, _ROUNDS)).decode()}"


def matches(password: str, kept: str) -> bool:
    """Whether a hash is that of a password, in constant time."""
    _, _, rounds, salt, wanted = kept.split("$")
    return hmac.compare_digest(_derive(password, b64decode(salt), int(rounds)), b64decode(wanted))


def _derive(password: str, salt: bytes, rounds: int) -> bytes:
    return hashlib.pbkdf2_hmac("sha512", password.encode("utf-8", "surrogatepass"), salt, rounds)
