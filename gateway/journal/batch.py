"""What one commit would change: gathered beside what is known, written at once, and forgotten when the disk refuses."""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Self

from gateway.journal.admission import Earlier, next_sequence
from gateway.journal.ledger import Ledger, name
from gateway.journal.model import Accepted, Draft

_LANE = "INSERT INTO lanes (lane, key, destination) VALUES (?, ?, ?)"
_PARTITION = """
    INSERT INTO partitions (key, sequence, accepted_at) VALUES (?, ?, ?)
    ON CONFLICT (key) DO UPDATE SET sequence = excluded.sequence, accepted_at = excluded.accepted_at
"""
_SIGNAL = """
    INSERT INTO signals (position, id, source, body, mode, instrument, effect, sequence, accepted_at, expires_at,
    fingerprint, possible_duplicate_of, head) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_OUTBOX = """
    INSERT INTO outbox (position, destination, lane, source, sequence, weight, once, at, topic, payload, expires_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_KEYED = "INSERT OR REPLACE INTO idempotency_keys (source, key, id, at, fingerprint) VALUES (?, ?, ?, ?, ?)"
_PUT = "INSERT OR REPLACE INTO puts (lane, topic, sequence) VALUES (?, ?, ?)"


class Batch:
    """Changes on top of ``base``: the ledger, or another batch when a call of several drafts is all or nothing."""

    def __init__(self, base: Ledger | Batch) -> None:
        self._base = base
        self.position: int = base.position
        self.lanes: int = base.lanes
        self.waiting = 0
        self.awaiting = 0
        self.room: bool | None = None
        self.weights: defaultdict[str, int] = defaultdict(int)
        self.puts: dict[tuple[int, str], int] = {}
        self._equals: dict[bytes, tuple[Earlier, ...]] = {}
        self._keyed: dict[tuple[str, str], Earlier] = {}
        self._sequences: dict[str, int] = {}
        self._lanes: dict[tuple[str, str], int] = {}
        self._names: list[tuple[bytes, int, int]] = []
        self._partitions: dict[str, tuple[str, int, int]] = {}
        self._signals: list[tuple[Any, ...]] = []
        self._outbox: list[tuple[Any, ...]] = []

    def equals(self, name_: bytes) -> tuple[Earlier, ...]:
        """See ``Ledger.equals``."""
        return self._equals.get(name_) or self._base.equals(name_)

    def keyed(self, source: str, key: str) -> Earlier | None:
        """See ``Ledger.keyed``."""
        return self._keyed.get((source, key)) or self._base.keyed(source, key)

    def sequence(self, key: str) -> int:
        """See ``Ledger.sequence``."""
        return self._sequences.get(key) or self._base.sequence(key)

    def lane(self, key: str, destination: str) -> int | None:
        """See ``Ledger.lane``."""
        return self._lanes.get((key, destination)) or self._base.lane(key, destination)

    def weight(self, source: str) -> int:
        """See ``Ledger.weight``."""
        return self.weights[source] + self._base.weight(source)

    def add(self, draft: Draft, *, weights: Iterable[int], first: Earlier | None) -> Accepted:
        """Give a draft its place; ``first`` is the equal signal that it may repeat, ``weights`` its destinations'."""
        self.position += 1
        sequence = next_sequence(draft, last=self.sequence(draft.key))
        self._sequences[draft.key] = sequence
        self._partitions[draft.key] = (draft.key, sequence, draft.accepted_at)
        self._remember(draft, first=first)
        mark = first.id if first else None
        self._signals.append(_signal(draft, position=self.position, sequence=sequence, mark=mark))
        self._enqueue(draft, weights=weights, sequence=sequence)
        return Accepted(position=self.position, draft=draft, sequence=sequence, possible_duplicate_of=mark)

    def _remember(self, draft: Draft, *, first: Earlier | None) -> None:
        identity = draft.identity
        this = Earlier(draft.id, draft.accepted_at, identity.fingerprint)
        if identity.key is not None:
            self._keyed[draft.source, identity.key] = this
            return
        name_ = name(draft.source, identity.fingerprint)
        self._equals[name_] = (first, this) if first else (this,)
        self._names.append((name_, self.position, draft.accepted_at))

    def _enqueue(self, draft: Draft, *, weights: Iterable[int], sequence: int) -> None:
        for to, weight in zip(draft.destinations, weights, strict=True):
            self.weights[draft.source] += weight
            self.waiting += 1
            lane = self.lane(draft.key, to.name) or self._new_lane(draft.key, to.name)
            self._outbox.append(
                (
                    self.position,
                    to.name,
                    lane,
                    draft.source,
                    sequence,
                    weight,
                    to.once,
                    draft.accepted_at,
                    to.topic,
                    to.payload,
                    draft.expires_at,
                )
            )

    def _new_lane(self, key: str, destination: str) -> int:
        self.lanes += 1
        self._lanes[key, destination] = self.lanes
        return self.lanes

    def uses(self, key: str) -> bool:
        """Whether a signal of this partition is being added."""
        return key in self._partitions

    def settle_row(self, source: str, *, weight: int) -> None:
        """Count a row of the outbox as settled."""
        self.weights[source] -= weight

    def child(self) -> Batch:
        """A batch on top of this one, to ``take`` or to drop."""
        return Batch(self)

    def take(self, child: Self) -> None:
        """Make a child's changes this batch's own."""
        self.position, self.lanes = child.position, child.lanes
        self.waiting += child.waiting
        self.awaiting += child.awaiting
        for source, weight in child.weights.items():
            self.weights[source] += weight
        for name_ in ("puts", "_equals", "_keyed", "_sequences", "_lanes", "_partitions"):
            getattr(self, name_).update(getattr(child, name_))
        for name_ in ("_names", "_signals", "_outbox"):
            getattr(self, name_).extend(getattr(child, name_))

    def write(self, database: sqlite3.Connection) -> None:
        """Write the changes, inside the transaction that is open."""
        if self._signals:
            if self._lanes:
                database.executemany(_LANE, [(lane, *place) for place, lane in self._lanes.items()])
            database.executemany(_PARTITION, self._partitions.values())
            database.executemany(_SIGNAL, self._signals)
            database.executemany(_OUTBOX, self._outbox)
        if self._keyed:
            rows = [(*place, this.id, this.at, this.fingerprint) for place, this in self._keyed.items()]
            database.executemany(_KEYED, rows)
        if self.puts:
            database.executemany(_PUT, [(*place, sequence) for place, sequence in self.puts.items()])

    def settle(self, ledger: Ledger) -> None:
        """Tell the ledger what was committed."""
        ledger.position, ledger.lanes = self.position, self.lanes
        ledger.waiting += self.waiting
        ledger.awaiting += self.awaiting
        ledger.take(equals=self._names, sequences=self._sequences, lanes=self._lanes, weights=self.weights)


def _signal(draft: Draft, *, position: int, sequence: int, mark: str | None) -> tuple[Any, ...]:
    identity = draft.identity
    fingerprint = None if identity.key is not None else identity.fingerprint
    return (
        position,
        draft.id,
        draft.source,
        draft.body,
        draft.mode,
        draft.instrument,
        draft.effect,
        sequence,
        draft.accepted_at,
        draft.expires_at,
        fingerprint,
        mark,
        draft.head,
    )
