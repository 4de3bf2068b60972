"""Signed commands: a compact JWS (RFC 7515) over what a bot is to run, for one topic, call and deadline."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import jwt
from marshmallow import fields

from schemas.document import dump, parse_object
from schemas.errors import ContractError
from schemas.fields import Object, is_name
from schemas.record import RecordSchema, load
from schemas.times import Moment

ALGORITHM = "HS256"

AHEAD = 300_000_000
"""Microseconds that a signed command's deadline may lie ahead: for longer nobody can hold it back and send it later."""

_JWS = jwt.PyJWS()

LEAST_KEY = 32
"""Bytes of a command key, as RFC 7518, section 3.2 demands of HS256."""


KEY_SHAPE = "NAME:SECRET, the secret in base64url and of 32 bytes or more"


class SignatureRefused(ValueError):
    """The signature is missing, or does not fit the command, the topic or the time; the text says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandKey:
    """A secret that a caller and a bot share.

    Args:
        kid: its name, so that several may hold while one replaces another.
        secret: at least 32 bytes.
    """

    kid: str
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse a short secret.

        Raises:
            ValueError: it has fewer than 32 bytes.
        """
        if len(self.secret) < LEAST_KEY:
            raise ValueError(f"command key {self.kid!r} has {len(self.secret)} bytes; it needs {LEAST_KEY} or more")


def read_secret(name: str, text: str) -> bytes:
    """Read a key's secret in base64url, with or without its padding.

    Raises:
        ValueError: it is none; the text never shows it.
    """
    bare = text.rstrip("=")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise ValueError(f"the secret of the command key {name!r} is not base64url") from None


def read_key(line: str) -> CommandKey:
    """Read a key as files have it: ``NAME:SECRET``, the secret in base64url.

    Raises:
        ValueError: it is none; the text says why, and never shows the secret.
    """
    name, colon, secret = (part.strip() for part in line.partition(":"))
    if not colon or not is_name(name):
        raise ValueError(f"a key is spelled {KEY_SHAPE}")
    return CommandKey(kid=name, secret=read_secret(name, secret))


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What a signature covers. ``deadline`` is microseconds since the epoch, in whole milliseconds on the wire."""

    topic: str
    msg_id: str
    deadline: int
    reply_to: str
    data: Mapping[str, Any]


class SignedSchema(RecordSchema):
    """Loads a Signed."""

    record = Signed

    topic = fields.String(required=True)
    msg_id = fields.String(required=True)
    deadline = Moment(required=True)
    reply_to = fields.String(required=True)
    data = Object(required=True)


def sign(signed: Signed, key: CommandKey) -> str:
    """Sign a command as a compact JWS."""
    payload = {
        "topic": signed.topic,
        "msg_id": signed.msg_id,
        "deadline": signed.deadline // 1_000,
        "reply_to": signed.reply_to,
        "data": dict(signed.data),
    }
    return _JWS.encode(dump(payload), key.secret, algorithm=ALGORITHM, headers={"typ": "", "kid": key.kid})


def verify(signature: str, *, topic: str, keys: Mapping[str, CommandKey], now: int) -> Signed:
    """Read what a signature covers, if one of the keys made it for this topic and this time.

    Args:
        signature: a compact JWS.
        topic: the one that the command came on.
        keys: the keys that hold, by ``kid``.
        now: microseconds since the epoch.

    Raises:
        SignatureRefused: saying why.
    """
    if not signature:
        raise SignatureRefused("the command is not signed, and this bot runs signed ones only")
    signed = _covered(signature, keys)
    if signed.topic != topic:
        raise SignatureRefused(f"the signature is for {signed.topic[:200]!r}, not for {topic!r}")
    if signed.deadline < now:
        raise SignatureRefused("the signed deadline is over")
    if signed.deadline > now + AHEAD:
        raise SignatureRefused(f"the signed deadline is more than {AHEAD // 1_000_000} s ahead")
    return signed


def signer(signature: str) -> str:
    """The name of the key that made a signature, once ``verify`` has said that it did."""
    return str(_JWS.get_unverified_header(signature)["kid"])


def _covered(signature: str, keys: Mapping[str, CommandKey]) -> Signed:
    try:
        kid = _JWS.get_unverified_header(signature).get("kid", "")
        key = keys.get(kid) if isinstance(kid, str) else None
        if key is None:
            raise SignatureRefused(f"no key {str(kid)[:80]!r} is known here")
        signed: Signed = load(SignedSchema, parse_object(_JWS.decode(signature, key.secret, algorithms=[ALGORITHM])))
    except (jwt.PyJWTError, ContractError, RecursionError) as error:  # an older PyJWT recurses
        raise SignatureRefused(f"the signature is not valid: {error}") from None
    return signed
