"""The journal's entries: what is stored of a signal, of its way to each destination, and of the bots."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from schemas.errors import Fault
from schemas.receipt import Receipt


class Station(StrEnum):
    """Where a signal is on one of its destinations.

    WAITING, HELD and PUBLISHING come before the broker's answer. PUBLISHED is settled where no bot is awaited.
    """

    WAITING = "waiting"
    HELD = "held"
    PUBLISHING = "publishing"
    PUBLISHED = "published"
    RECEIPTED = "receipted"
    UNANSWERED = "unanswered"
    DENIED = "denied"
    UNHEARD = "unheard"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"
    WITHDRAWN = "withdrawn"
    DEAD = "dead"

    @property
    def final(self) -> bool:
        """Whether the broker's part is over: what is left are the receipts of the bots that are awaited."""
        return self not in {Station.WAITING, Station.HELD, Station.PUBLISHING}


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
    """A row of the outbox that is not settled.

    Args:
        payload: the bytes to publish; where ``sequence`` is not None, an envelope head to complete.
        previous: the number put before it, once it was put for the first time; None before that or for none.
        put: whether it was put on its topic before.
        publishing: whether a ``once`` publish was begun and its end is not known.
        awaiting: the bots whose receipts are missing, where the broker has it.
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
    awaiting: tuple[str, ...] = ()

    @property
    def instrument(self) -> str:
        """Its instrument, as its partition key has it."""
        return self.lane.key.partition("/")[2]


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
        awaiting: for PUBLISHED: the bots that must receipt it; those that did already are taken off by the journal.
    """

    position: int
    destination: str
    station: Station
    at: int
    reason: str = ""
    previous: int | None = None
    attempts: int = 0
    awaiting: tuple[str, ...] = ()


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
    """A destination's part of a signal's life.

    Args:
        published_at: when the broker acknowledged it for the first time; None before that.
        awaiting: the bots whose receipts are missing.
    """

    destination: str
    topic: str
    station: Station
    at: int
    reason: str
    attempts: int
    published_at: int | None = None
    awaiting: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """All that is known of a signal. ``receipts`` come in the order of arrival, with the microsecond of each."""

    position: int
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
    """How much is in the outbox.

    Args:
        waiting: rows that the broker does not have yet.
        oldest: the acceptance of the oldest of these; None where none waits.
        awaiting: rows that the broker has and some bot has not receipted.
    """

    waiting: int
    oldest: int | None
    awaiting: int = 0


FORMER = 86_400_000_000
"""Microseconds for which a bot is expected to receipt what it asked for before, where its handlers come and go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownBot:
    """A bot that showed its card once.

    Args:
        filters: the topic filters that it subscribes to.
        absent_since: when it was last seen to leave, microseconds since the epoch; None while it is online.
        former: the filters that it had and may have again, as its handlers come and go, each with when it lost it.
    """

    name: str
    filters: tuple[str, ...]
    absent_since: int | None = None
    former: Mapping[str, int] = field(default_factory=dict)
