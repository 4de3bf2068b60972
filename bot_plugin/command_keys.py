"""The keys that commands are signed with: ``name:base64url``, in the environment, in a file, or in code."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from schemas.fields import is_name
from schemas.signature import KEY_SHAPE, CommandKey, read_secret

SHAPE = f"{KEY_SHAPE}; several are joined by commas"


class KeyRefused(ValueError):
    """A key cannot be used; the text never shows it."""


def split_keys(text: str) -> dict[str, str]:
    """Read ``name:secret`` pairs, joined by commas.

    Raises:
        KeyRefused: it has another shape, or a name twice.
    """
    return _pairs(text.split(","))


def command_keys(given: Mapping[str, str | bytes], file: str | None) -> dict[str, CommandKey]:
    """The keys that hold, by name: those that were given, and those of a file with one ``name:secret`` a line.

    Args:
        given: secrets by name: bytes as they are, texts in base64url.
        file: its path; lines that begin with ``#`` are comments.

    Raises:
        KeyRefused: saying which key, or the file, cannot be used and why.
    """
    secrets = dict(given)
    for name, secret in ({} if file is None else _read(file)).items():
        if secrets.setdefault(name, secret) != secret:
            raise KeyRefused(f"the key {name!r} is in {file} and given otherwise, and they differ: keep one")
    return {name: _key(name, secret) for name, secret in secrets.items()}


def in_texts(keys: Iterable[CommandKey]) -> Iterator[str]:
    """What keys look like where a text holds them: in base64url, and as they are where they are text themselves."""
    for key in keys:
        yield base64.urlsafe_b64encode(key.secret).decode().rstrip("=")
        if key.secret.isascii():
            yield key.secret.decode()


def _read(file: str) -> dict[str, str]:
    try:
        lines = Path(file).read_text(encoding="ascii").splitlines()
    except OSError as error:
        raise KeyRefused(f"{file} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise KeyRefused(f"{file} is no text") from None
    try:
        pairs = _pairs(line for line in lines if not line.lstrip().startswith("#"))
    except KeyRefused as error:
        raise KeyRefused(f"{file}: {error}") from None
    if not pairs:
        raise KeyRefused(f"{file} holds no key, and without one every command would be run: a key is spelled {SHAPE}")
    return pairs


def _pairs(texts: Iterable[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for name, secret in _split(texts):
        if name in pairs:
            raise KeyRefused(f"the key {name!r} stands there twice")
        pairs[name] = secret
    return pairs


def _split(texts: Iterable[str]) -> Iterator[tuple[str, str]]:
    for text in texts:
        if text.strip():
            name, colon, secret = (part.strip() for part in text.partition(":"))
            if not colon or not is_name(name):
                raise KeyRefused(f"a key is spelled {SHAPE}")
            yield name, secret


def _key(name: str, secret: str | bytes) -> CommandKey:
    if not is_name(name):
        raise KeyRefused(f"a command key's name has only A-Z a-z 0-9 _ and -; it is {name!r}")
    try:
        return CommandKey(kid=name, secret=secret if isinstance(secret, bytes) else read_secret(name, secret))
    except ValueError as error:
        raise KeyRefused(str(error)) from None
