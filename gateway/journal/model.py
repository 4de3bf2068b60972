"""The journal's entries, and what every journal promises: SQLite, PostgreSQL and the one in memory alike."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gateway.journal.receiving import LeftOut
from schemas.errors import Fault
from schemas.receipt import Receipt


class Station(StrEnum):
    """Where a signal is on one of its destinations. All but WAITING and PUBLISHING are final."""

    WAITING = "waiting"
    PUBLISHING = "publishing"
    PUBLISHED = "published"
    DENIED = "denied"
    UNHEARD = "unheard"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"
    DEAD = "dead"

    @property
    def final(self) -> bool:
        """Whether delivery has nothing left to do."""
        return self not in {Station.WAITING, Station.PUBLISHING}


@dataclass(frozen=True, slots=True, kw_only=True)
class JournalSettings:
    """Where the journal lives and how much it may hold.

    Args:
        path: the SQLite file.
        max_bytes: the size at which the oldest finished signals are forgotten early, and past which, when nothing is
            finished, signals are refused with 503; for receipts it is 90 % of that.
        max_age: seconds that a finished signal is kept.
        share: the part of max_bytes, 0 to 1, that unfinished signals of one source may fill.
    """

    path: str
    max_bytes: int = 1 << 30
    max_age: float = 30 * 86_400.0
    share: float = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where a signal goes.

    Args:
        name: ``signals`` for the versioned topic, ``hummingbot:{bot}`` for an external event.
        topic: the MQTT topic.
        payload: the bytes to publish; None for the envelope itself.
        once: never published a second time, as the receiver has no memory.
    """

    name: str
    topic: str
    payload: bytes | None = None
    once: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """By what a repeated signal is recognised, within one source.

    Args:
        key: the sender's idempotency key, remembered for 24 h, which alone decides; None for none.
        fingerprint: a digest of the body without what changes between resends.
        duplicate_after: microseconds of age from which an equal fingerprint is a duplicate.
        duplicate_until: microseconds of age up to which it is. Younger or older ones, up to 30 s, are only marked.
        drop: whether a duplicate by fingerprint is dropped; else it is accepted and marked. By key it always is.
    """

    key: str | None
    fingerprint: bytes
    duplicate_after: int = 0
    duplicate_until: int = 30_000_000
    drop: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A signal that intake found good; the commit gives it its place. Times are microseconds since the epoch.

    Args:
        key: the partition key, ``source/instrument``.
        body: ``trade``, ``alert`` or ``prediction``.
        effect: ``open``, ``reduce``, ``unknown``, or empty where the body has none.
        head: the envelope from ``schemas.envelope.encode_head``.
    """

    id: str
    source: str
    body: str
    mode: str
    instrument: str
    effect: str
    key: str
    accepted_at: int
    expires_at: int
    head: bytes
    identity: Identity
    destinations: tuple[Destination, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A draft that is on disk. ``position`` grows by the order of acceptance."""

    position: int
    draft: Draft
    sequence: int
    possible_duplicate_of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """A draft that was there already, as the signal with the id ``of``."""

    of: str


@dataclass(frozen=True, slots=True)
class Lane:
    """What keeps its order: one partition key on its way to one destination."""

    destination: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A row of the outbox that is not finished.

    Args:
        payload: the bytes to publish; where ``sequence`` is not None, an envelope head to complete.
        previous: the number put before it, once it was put for the first time; None before that or for none.
        put: whether it was put on its topic before.
        publishing: whether a ``once`` publish was begun and its end is not known.
    """

    position: int
    lane: Lane
    id: str
    source: str
    body: str
    effect: str
    topic: str
    payload: bytes
    sequence: int | None
    accepted_at: int
    expires_at: int
    once: bool
    possible_duplicate_of: str | None = None
    previous: int | None = None
    put: bool = False
    publishing: bool = False
    attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A step of one outbox row: its new station, when, and why.

    Args:
        position: the signal.
        destination: the destination's name.
        at: microseconds since the epoch.
        reason: for a person; empty where the station says all.
        previous: for PUBLISHED: the previous number that was put with it.
        attempts: how often it was tried so far.
    """

    position: int
    destination: str
    station: Station
    at: int
    reason: str = ""
    previous: int | None = None
    attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A request that was refused. It holds no secret, and of the body only the faults' excerpts."""

    id: str
    source: str
    at: int
    code: str
    faults: tuple[Fault, ...]
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A destination's part of a signal's life."""

    destination: str
    topic: str
    station: Station
    at: int
    reason: str
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """All that is known of a signal. ``receipts`` come in the order of arrival, with the microsecond of each."""

    id: str
    source: str
    body: str
    mode: str
    instrument: str
    effect: str
    accepted_at: int
    expires_at: int
    envelope: bytes
    deliveries: tuple[Delivered, ...]
    receipts: tuple[tuple[int, Receipt], ...]
    possible_duplicate_of: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Depth:
    """How much waits in the outbox. ``oldest`` is the acceptance of the oldest waiting row, None where none waits."""

    waiting: int
    oldest: int | None


class Journal(Protocol):
    """The commit point. When a coroutine here returns, what it was given is on disk (fsync).

    A coroutine may raise ``gateway.errors.NotStored`` (``disk``, ``share``, ``stopping``): nothing of it was stored.
    """

    async def accept(self, drafts: Sequence[Draft]) -> list[Accepted | Duplicate]:
        """Store all drafts or none, in their order; many calls share one commit.

        Raises:
            gateway.errors.Refused: an idempotency key was used for another body (KEY_REUSED).
        """

    async def refuse(self, refusal: Refusal) -> None:
        """Store a refusal."""

    async def record(self, outcomes: Iterable[Outcome]) -> None:
        """Store steps of outbox rows, by the next commit; a row that is finished does not change again."""

    async def receive(self, receipts: Iterable[Receipt], *, at: int) -> LeftOut:
        """Store the receipts that are new, and say which are left out; they meet a full journal before signals do."""

    async def lanes(self) -> list[Lane]:
        """The lanes with waiting rows, the one with the oldest first."""

    async def waiting(self, lane: Lane, *, after: int, limit: int) -> list[Waiting]:
        """Waiting rows of a lane behind a position, in order."""

    async def last_put(self, lane: Lane) -> int | None:
        """The sequence last recorded as PUBLISHED on a lane; None for none that is remembered."""

    async def life(self, id_: str) -> Life | None:
        """The life of a signal; None for an id that is not known (any more)."""

    async def lives(self, *, source: str | None = None, before: int | None = None, limit: int = 50) -> list[Life]:
        """The newest first, accepted before ``before``; more than ``limit`` where some share the last microsecond."""

    async def refusals(self, *, source: str | None = None, before: int | None = None, limit: int = 50) -> list[Refusal]:
        """The newest first, in pages like those of ``lives``."""

    def depth(self) -> Depth:
        """How much waits, from memory."""

    def trouble(self) -> str | None:
        """Why nothing can be stored now and what to do, for the operator; None while it can, as far as is known.

        ``prune`` finds out, too: it writes something.
        """

    async def prune(self, *, now: int) -> int:
        """Forget finished signals past their age, or the oldest while the size is over its budget; say how many."""

    async def close(self) -> None:
        """Commit what is pending and close."""
