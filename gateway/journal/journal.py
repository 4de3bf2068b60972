"""What every journal promises: SQLite, PostgreSQL and the one in memory alike."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import Protocol

from gateway.errors import NotStored, Refused
from gateway.journal.model import Accepted, Depth, Draft, Duplicate, KnownBot, Lane, Life, Outcome, Refusal, Waiting
from gateway.journal.reception import Reception, Unanswered
from schemas.receipt import Receipt


class Journal(Protocol):
    """The commit point. When a coroutine here returns, what it was given is on disk (fsync).

    A coroutine may raise ``gateway.errors.NotStored`` (``disk``, ``share``, ``stopping``): nothing of it was stored.
    """

    async def accept(self, drafts: Sequence[Draft]) -> list[Accepted | Duplicate]:
        """Store all drafts or none, in their order; many calls share one commit.

        Raises:
            gateway.errors.Refused: an idempotency key was used for another body (KEY_REUSED).
        """

    async def accept_each(self, drafts: Sequence[Draft]) -> list[Accepted | Duplicate | Refused | NotStored]:
        """Store drafts in their order and in one commit, each on its own: one that is refused holds up nobody.

        The first NotStored is the last result: what comes behind it is not stored, so that nothing overtakes.
        """

    async def refuse(self, refusal: Refusal) -> None:
        """Store a refusal."""

    async def record(self, outcomes: Iterable[Outcome]) -> tuple[str, ...]:
        """Store steps of outbox rows, by the next commit; a row that is settled does not change again.

        Returns the sources of those that became RECEIPTED.

        A row that is PUBLISHED neither waits again nor is WITHDRAWN: the bots have it, or may. One that was PUBLISHED
        and has the receipts of all bots that it awaits becomes RECEIPTED, whichever is stored first.
        """

    async def receive(self, receipts: Iterable[Receipt], *, at: int) -> Reception:
        """Store the receipts that are new; they meet a full journal before signals do.

        A row that had ended as UNANSWERED becomes RECEIPTED all the same when the last receipt comes after all, and so
        does one that was PUBLISHED and awaited nobody, when anybody's does.
        """

    async def give_up(self, *, before: int, at: int) -> list[Unanswered]:
        """End rows that some bot has not receipted and that expired before a time, as UNANSWERED; a chunk of them."""

    async def lanes(self, *, bots: Collection[str] = ()) -> list[Lane]:
        """The lanes with rows that the broker does not have, or that one of these bots has not; the oldest first."""

    async def waiting(self, lane: Lane, *, after: int, limit: int, bots: Collection[str] = ()) -> list[Waiting]:
        """Rows of a lane behind a position that the broker does not have, or that one of these bots has not; in order.

        A row that the broker has and that only other bots have not is left out.
        """

    async def last_put(self, lane: Lane) -> dict[str, int]:
        """The sequence last recorded as PUBLISHED on each topic of a lane, as far as it is remembered."""

    async def last_reduce(self, lane: Lane) -> int:
        """The position of the newest row of a lane that the broker does not have and that reduces; 0 for none."""

    async def know(self, bots: Iterable[KnownBot]) -> None:
        """Remember bots by what their cards say now."""

    async def known(self) -> list[KnownBot]:
        """The bots that are remembered."""

    async def forget_bot(self, name: str) -> None:
        """Remember a bot no more."""

    async def life(self, id_: str) -> Life | None:
        """The life of a signal; None for an id that is not known (any more)."""

    async def lives(self, *, source: str | None = None, before: int | None = None, limit: int = 50) -> list[Life]:
        """The newest first, accepted before ``before``; more than ``limit`` where some share the last microsecond."""

    async def newest(self, source: str) -> list[Life]:
        """What a source sent last for each instrument, as far as it is remembered."""

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
