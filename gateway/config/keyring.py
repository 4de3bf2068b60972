"""The sources' tokens, of which only hashes are kept, and signing secrets: several while one replaces another."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from gateway.config.signing import ensure_secret, new_secret, signs
from gateway.config.store import Watched, locked, read_json, write_json
from gateway.errors import Misconfigured
from gateway.intake.source import Signature
from schemas.fields import from_micros, instant, instant_text, to_micros

PREFIX = "sg_"
_BYTES = 32
_LEAST = 4
_LEAST_SECRETS = 2
"""Comparisons per check at least, so that one source's second key does not show in the time."""


def new_token() -> str:
    """A token of 32 random bytes."""
    return PREFIX + secrets.token_urlsafe(_BYTES)


def digest(token: str) -> bytes:
    """What is kept of a token; it is random enough to need no salt."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """What opens a source. Times are microseconds since the epoch.

    Args:
        digest: the hash of a token; empty for a signing secret.
        created: when it was made.
        expires: None for a lasting one.
        signing: the secret that signs what the source sends, as its sender has it; None for a token.
    """

    digest: bytes
    created: int
    expires: int | None = None
    signing: str | None = field(default=None, repr=False)

    def live(self, now: int) -> bool:
        """Whether it opens at that time."""
        return self.expires is None or now < self.expires


_DECOY = Key(digest=secrets.token_bytes(32), created=0, expires=0)
_DECOY_SECRET = Key(digest=b"", created=0, expires=0, signing=new_secret())

Ring = Mapping[str, tuple[Key, ...]]


def read_keys(path: Path) -> Ring:
    """The keys of every source.

    Raises:
        Misconfigured: the file is damaged.
    """
    try:
        return {source: tuple(map(_key, kept)) for source, kept in read_json(path).get("sources", {}).items()}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Misconfigured(f"{path}: is damaged ({error}): restore it, or remove it and run keys rotate") from None


def rotate(path: Path, source: str, *, now: int, keep: float = 0.0, signing: bool = False) -> str:
    """Give a source a new token, or a new signing secret, and return it, the only time that it is seen.

    Args:
        path: the file of keys.
        source: the source's name.
        now: microseconds since the epoch.
        keep: seconds that its older ones still open it.
        signing: whether it is a secret that signs; the source's tokens stay then, and its secrets otherwise.
    """
    new = new_secret() if signing else new_token()
    end = now + int(keep * 1_000_000)
    with locked(path):
        ring = dict(read_keys(path))
        older = [
            key if (key.signing is not None) is not signing else replace(key, expires=min(end, key.expires or end))
            for key in ring.get(source, ())
            if key.live(now) and (keep > 0 or (key.signing is not None) is not signing)
        ]
        made = Key(digest=b"", created=now, signing=new) if signing else Key(digest=digest(new), created=now)
        ring[source] = (*older, made)
        write_json(path, {"version": 1, "sources": {name: list(map(_wire, keys)) for name, keys in ring.items()}})
    return new


def _key(kept: Mapping[str, str | None]) -> Key:
    expires, signing = kept.get("expires"), kept.get("signing")
    if signing is not None:
        ensure_secret(signing)
    return Key(
        digest=b"" if signing else bytes.fromhex(str(kept["sha256"])),
        signing=signing,
        created=to_micros(instant(str(kept["created"]))),
        expires=to_micros(instant(expires)) if expires else None,
    )


def _wire(key: Key) -> dict[str, str]:
    times = {"created": key.created, "expires": key.expires}
    what = {"sha256": key.digest.hex()} if key.signing is None else {"signing": key.signing}
    return what | {name: instant_text(from_micros(at)) for name, at in times.items() if at is not None}


class KeyRing:
    """Says whether a secret or a signature opens a source, by the file as it is now: a rotation acts at once.

    Args:
        path: the file.
        now: microseconds since the epoch.
        look_every: seconds for which what was read is trusted.
    """

    def __init__(self, path: Path, *, now: Callable[[], int], look_every: float = 0.0) -> None:
        self._file = Watched(path, read=read_keys, take=self._take, every=look_every)
        self._now = now
        self._ring: Ring = {}
        self._decoys = (_DECOY,) * _LEAST
        self._signers: Ring = {}
        self._decoy_signers = (_DECOY_SECRET,) * _LEAST_SECRETS
        self._minted: dict[bytes, tuple[str, int]] = {}

    def holds(self, source: str, secret: str) -> bool:
        """Whether the secret opens the source; the work is the same for any source and any secret.

        A minted token opens its source once.
        """
        shown, now = digest(secret), self._now()
        return self._kept(source, shown, now) | self._spend(source, shown, now)

    def lasts(self, source: str, secret: str) -> bool:
        """Whether the secret opens the source now, and for more than one request."""
        return self._kept(source, digest(secret), self._now())

    def signed(self, source: str, signature: Signature, body: bytes) -> bool:
        """Whether a signing secret of the source made the signature; the work is the same for any source."""
        self._file.look()
        now, signed = self._now(), False
        for key in self._signers.get(source, self._decoy_signers):
            signed |= signs(key.signing or "", signature, body, now=now) & key.live(now)
        return signed

    def mint(self, source: str, *, seconds: float = 60.0) -> str:
        """Make a token that opens a source once, soon, in this process only."""
        now = self._now()
        self._minted = {kept: entry for kept, entry in self._minted.items() if entry[1] > now}
        token = new_token()
        self._minted[digest(token)] = (source, now + int(seconds * 1_000_000))
        return token

    def _kept(self, source: str, shown: bytes, now: int) -> bool:
        self._file.look()
        held = False
        for key in self._ring.get(source, self._decoys):
            held |= hmac.compare_digest(shown, key.digest) & key.live(now)
        return held

    def _spend(self, source: str, shown: bytes, now: int) -> bool:
        minted_for, until = self._minted.get(shown, ("", 0))
        if minted_for != source or now >= until:
            return False
        del self._minted[shown]
        return True

    def _take(self, ring: Ring) -> None:
        tokens = {source: tuple(key for key in keys if key.signing is None) for source, keys in ring.items()}
        signers = {source: tuple(key for key in keys if key.signing is not None) for source, keys in ring.items()}
        self._decoys = (_DECOY,) * max([_LEAST, *map(len, tokens.values())])
        self._decoy_signers = (_DECOY_SECRET,) * max([_LEAST_SECRETS, *map(len, signers.values())])
        self._ring = {source: (*keys, *self._decoys[len(keys) :]) for source, keys in tokens.items()}
        self._signers = {source: (*keys, *self._decoy_signers[len(keys) :]) for source, keys in signers.items()}
