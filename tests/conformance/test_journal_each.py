"""What every journal promises of drafts that are stored in one commit, each on its own."""

from __future__ import annotations

import asyncio

from gateway.errors import Code, Refused
from gateway.journal.model import Accepted, Duplicate, Lane
from tests.journal_drafts import START, draft

LANE = Lane("signals", "btc/BTC-USDT")


async def test_drafts_keep_their_order(journal):
    """Each draft is accepted, in the order in which they were given."""
    drafts = [draft() for _ in range(200)]
    results = await journal.accept_each(drafts)

    assert [result.draft for result in results] == drafts
    assert [result.sequence for result in results] == [START + n for n in range(200)]
    assert [row.id for row in await journal.waiting(LANE, after=0, limit=300)] == [one.id for one in drafts]


async def test_one_that_is_refused_holds_up_nobody(journal):
    """A draft whose key was used for another body is refused in its place; its neighbours are stored."""
    await journal.accept([draft(key="k", body="a")])
    before, bad, after = draft(), draft(key="k", body="b"), draft()
    first, refused, last = await journal.accept_each([before, bad, after])

    assert isinstance(first, Accepted)
    assert isinstance(refused, Refused)
    assert (refused.code, refused.faults[0].where) == (Code.KEY_REUSED, "idempotency_key")
    assert last.sequence == first.sequence + 1
    assert await journal.life(bad.id) is None


async def test_a_repeat_in_the_same_call_is_a_duplicate(journal):
    """What comes twice in one call is stored once, and both answers name it."""
    one, two = draft(key="k", body="a"), draft(key="k", body="a")
    first, second = await journal.accept_each([one, two])

    assert isinstance(first, Accepted)
    assert second == Duplicate(of=one.id)
    assert await journal.accept_each([draft(key="k", body="a")]) == [Duplicate(of=one.id)]


async def test_a_call_without_drafts_stores_nothing(journal):
    """Nothing in, nothing out."""
    assert await journal.accept_each([]) == []
    assert await journal.lives() == []


async def test_it_shares_a_commit_with_other_calls(journal):
    """Calls of both kinds that come together keep one order of positions."""
    each, whole = await asyncio.gather(
        journal.accept_each([draft(), draft(key="k", body="a")]), journal.accept([draft(), draft(key="k", body="a")])
    )

    accepted = [result for result in (*each, *whole) if isinstance(result, Accepted)]
    assert len(accepted) == 3
    assert len({result.position for result in accepted}) == 3
