"""The keys that sign commands, in files as bots read them too: a line ``NAME:SECRET``, the secret in base64url."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path

from schemas.fields import is_name
from schemas.signature import CommandKey

_SHAPE = "a line NAME:SECRET, the secret in base64url and of 32 bytes or more"


def read_command_key(file: Path) -> CommandKey:
    """The first key of a file; lines that begin with ``#`` are comments.

    Raises:
        ValueError: it cannot be used; the text says why, and never shows the secret.
    """
    try:
        lines = (line.strip() for line in file.read_text(encoding="ascii").splitlines())
        first = next((line for line in lines if line and not line.startswith("#")), "")
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{file} has no {_SHAPE}") from None
    name, colon, secret = (part.strip() for part in first.partition(":"))
    try:
        decoded = base64.b64decode(secret + "=" * (-len(secret) % 4), altchars=b"-_", validate=True)
    except binascii.Error:
        raise ValueError(f"{file} has no {_SHAPE}") from None
    if not colon or not is_name(name):
        raise ValueError(f"{file} has no {_SHAPE}")
    try:
        return CommandKey(kid=name, secret=decoded)
    except ValueError as error:
        raise ValueError(f"{file}: {error}") from None
