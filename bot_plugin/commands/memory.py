"""The memory of commands of a bot that writes nothing: it forgets everything at exit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bot_plugin.commands.ledger import KEEP, ROWS, SIZE, Entry, LedgerFull


@dataclass(slots=True)
class _Row:
    fingerprint: bytes
    harmless: bool
    kept_until: int
    reply: bytes | None = None


class MemoryLedger:
    """A Ledger in this process.

    Args:
        monotonic: a clock that nobody sets, microseconds.
        rows: calls that are known at most.
        size: bytes of all replies that are kept at most.
    """

    def __init__(self, *, monotonic: Callable[[], int], rows: int = ROWS, size: int = SIZE) -> None:
        self._monotonic, self._most, self._most_bytes = monotonic, rows, size
        self._rows: dict[bytes, _Row] = {}

    async def open(self) -> None:
        """Nothing was left."""

    async def find(self, key: bytes) -> Entry | None:
        """What is known of a call."""
        row = self._rows.get(key)
        return None if row is None else Entry(fingerprint=row.fingerprint, reply=row.reply)

    async def begin(self, key: bytes, fingerprint: bytes, *, harmless: bool) -> None:
        """Remember that a call is about to be run."""
        now = self._monotonic()
        self._rows = {key: row for key, row in self._rows.items() if row.kept_until > now}
        if len(self._rows) >= self._most:
            ended = (key for key, row in self._rows.items() if row.harmless and row.reply is not None)
            oldest = next(ended, None)
            if oldest is None:
                raise LedgerFull(self._most)
            del self._rows[oldest]
        self._rows[key] = _Row(fingerprint, harmless, now + KEEP)

    async def finish(self, key: bytes, reply: bytes) -> None:
        """Remember a reply."""
        ended = self._rows.get(key)
        if ended is not None and ended.reply is None:
            ended.reply = reply if len(reply) <= self._most_bytes else b""
            excess = sum(len(row.reply or b"") for row in self._rows.values()) - self._most_bytes
            for row in self._rows.values():
                if excess > 0 and row.reply and row is not ended:
                    excess -= len(row.reply)
                    row.reply = b""

    async def close(self) -> None:
        """Keep it: the next run of this process may go on with it."""
