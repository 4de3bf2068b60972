"""What every memory of commands promises: a call is known for a day from before it is run, its reply from after."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

KEEP = 86_400_000_000
"""Microseconds that a call is known, by a clock that only passes while the memory is open."""

ROWS = 100_000
"""Calls that are known at most: more than one each second for a day."""

SIZE = 67_108_864
"""Bytes of all replies that are kept at most."""


class LedgerFull(RuntimeError):
    """As many calls are remembered as can be, and none of them may be forgotten yet."""

    def __init__(self, rows: int) -> None:
        super().__init__(f"not run: {rows} commands of the last 24 hours are remembered, and no more can be")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is known of a call.

    Args:
        fingerprint: of its parameters.
        reply: its reply; None where it has none yet, empty where it is not kept any more.
    """

    fingerprint: bytes
    reply: bytes | None = field(default=None, repr=False)


class Ledger(Protocol):
    """The memory of commands."""

    async def open(self) -> None:
        """Make it ready.

        Raises:
            SettingsError: it cannot be used; it names the path, and what to do.
        """
        ...

    async def find(self, key: bytes) -> Entry | None:
        """What is known of a call.

        Raises:
            OSError: it cannot be read.
        """
        ...

    async def begin(self, key: bytes, fingerprint: bytes, *, harmless: bool) -> None:
        """A call that is not known is about to be run; stored when this returns.

        Args:
            key: of the call.
            fingerprint: of its parameters.
            harmless: whether it may be forgotten before its day is over, where there is no room for others.

        Raises:
            LedgerFull: no call may be forgotten for it; nothing was changed.
            OSError: it cannot be stored; nothing was changed.
        """
        ...

    async def finish(self, key: bytes, reply: bytes) -> None:
        """A call that began has its reply; stored when this returns. The oldest replies go where there are too many.

        What did not begin, or has its reply, stays as it is.

        Raises:
            OSError: it cannot be stored.
        """
        ...

    async def close(self) -> None:
        """Close it."""
        ...
