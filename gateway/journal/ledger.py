"""What the journal knows without asking its disk twice: equal bodies, last numbers, lanes, what is unsettled."""

from __future__ import annotations

import sqlite3
from collections import defaultdict, deque
from collections.abc import Iterable, Mapping

from gateway.journal.admission import EQUAL_MEMORY, Earlier

_GENERATION = 10_000_000
"""Microseconds of acceptances that are forgotten together."""

_MOST_EQUALS = 1 << 17
_MOST_CACHED = 10_000

_RECENT = """
    SELECT source, fingerprint, accepted_at, position FROM signals
    WHERE accepted_at >= ? AND fingerprint IS NOT NULL ORDER BY position
"""
_EQUALS = """
    SELECT first.id, first.accepted_at FROM signals AS latest JOIN signals AS first
    ON first.id = latest.possible_duplicate_of WHERE latest.position = :position
    UNION ALL SELECT id, accepted_at FROM signals WHERE position = :position
"""
_KEYED = "SELECT id, at, fingerprint FROM idempotency_keys WHERE source = ? AND key = ?"
_SEQUENCE = "SELECT sequence FROM partitions WHERE key IN (?, '') ORDER BY key DESC LIMIT 1"
_LANE = "SELECT lane FROM lanes WHERE key = ? AND destination = ?"
_UNSETTLED = """
    SELECT source, sum(weight), sum(station != 'published'), sum(station = 'published') FROM outbox
    WHERE settled = 0 GROUP BY source
"""


class Equals:
    """Where the latest signal with a fingerprint stands, for those of the last 30 s.

    In memory, as an index on disk would write a random page for each signal.
    """

    def __init__(self) -> None:
        self._generations: deque[tuple[int, dict[bytes, int]]] = deque([(0, {})])

    def find(self, name: bytes) -> int | None:
        """The position of the latest signal of this name."""
        for _, generation in self._generations:
            if name in generation:
                return generation[name]
        return None

    def add(self, name: bytes, *, position: int, at: int) -> None:
        """Remember a signal, and forget those that are too old to matter."""
        began, generation = self._generations[0]
        if abs(at - began) >= _GENERATION or len(generation) >= _MOST_EQUALS // 4:
            self._forget(before=at - EQUAL_MEMORY - _GENERATION)
            generation = {}
            self._generations.appendleft((at, generation))
        generation[name] = position

    def _forget(self, *, before: int) -> None:
        while len(self._generations) > 1 and (
            self._generations[-1][0] < before
            or sum(len(generation) for _, generation in self._generations) > _MOST_EQUALS
        ):
            self._generations.pop()


class Ledger:
    """What is on disk, as the commits need it.

    Args:
        database: the open database.
        now: microseconds since the epoch.
    """

    def __init__(self, database: sqlite3.Connection, *, now: int) -> None:
        self._database = database
        self._equals = Equals()
        self._sequences: dict[str, int] = {}
        self._lanes: dict[tuple[str, str], int] = {}
        self.position: int = database.execute("SELECT ifnull(max(position), 0) FROM signals").fetchone()[0]
        self.lanes: int = database.execute("SELECT ifnull(max(lane), 0) FROM lanes").fetchone()[0]
        self.weights: defaultdict[str, int] = defaultdict(int)
        self.waiting = 0
        self.awaiting = 0
        for source, fingerprint, at, position in database.execute(_RECENT, (now - EQUAL_MEMORY,)):
            self._equals.add(name(source, fingerprint), position=position, at=at)
        for source, weight, waiting, awaiting in database.execute(_UNSETTLED):
            self.weights[source] = weight
            self.waiting += waiting
            self.awaiting += awaiting

    def equals(self, name_: bytes) -> tuple[Earlier, ...]:
        """The first and the latest signal of this name, as far as they may be younger than 30 s."""
        position = self._equals.find(name_)
        if position is None:
            return ()
        return tuple(Earlier(*row) for row in self._database.execute(_EQUALS, {"position": position}))

    def keyed(self, source: str, key: str) -> Earlier | None:
        """The signal that has an idempotency key."""
        row = self._database.execute(_KEYED, (source, key)).fetchone()
        return row and Earlier(*row)

    def sequence(self, key: str) -> int:
        """The last number of a partition key; of one that is not known, the highest that was forgotten, or 0."""
        last = self._sequences.get(key)
        if last is None:
            row = self._database.execute(_SEQUENCE, (key,)).fetchone()
            last = self._sequences[key] = row[0] if row else 0
        return last

    def lane(self, key: str, destination: str) -> int | None:
        """The number of a lane; None for one that was never used."""
        lane = self._lanes.get((key, destination))
        if lane is None:
            row = self._database.execute(_LANE, (key, destination)).fetchone()
            if row is None:
                return None
            lane = self._lanes[key, destination] = row[0]
        return lane

    def weight(self, source: str) -> int:
        """The bytes of a source that are unsettled."""
        return self.weights[source]

    def take(
        self,
        *,
        equals: Iterable[tuple[bytes, int, int]],
        sequences: dict[str, int],
        lanes: dict[tuple[str, str], int],
        weights: Mapping[str, int],
    ) -> None:
        """Remember what a commit brought; ``equals`` are name, position and time of acceptance."""
        if len(self._sequences) > _MOST_CACHED or len(self._lanes) > _MOST_CACHED:
            self.forget()
        for name_, position, at in equals:
            self._equals.add(name_, position=position, at=at)
        self._sequences.update(sequences)
        self._lanes.update(lanes)
        for source, weight in weights.items():
            self.weights[source] += weight

    def forget(self) -> None:
        """Read last numbers and lanes from the disk again."""
        self._sequences.clear()
        self._lanes.clear()


def name(source: str, fingerprint: bytes) -> bytes:
    """What equal bodies of one source share."""
    return b"%b/%b" % (source.encode(), fingerprint)
