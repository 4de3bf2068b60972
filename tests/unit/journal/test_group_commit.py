"""Many calls, one commit."""

from __future__ import annotations

import asyncio

import pytest

from gateway.errors import NotStored
from gateway.journal.group_commit import MOST, GroupCommit


class Store:
    """Records the batches it is given, and answers each call with itself."""

    def __init__(self):
        self.batches = []

    def __call__(self, calls):
        self.batches.append(list(calls))
        return [call if isinstance(call, Exception) else call * 2 for call in calls]


async def test_calls_of_one_turn_share_one_commit():
    store = Store()
    commits = GroupCommit(store)
    assert await asyncio.gather(*(commits.call(n, urgent=True) for n in range(9))) == [n * 2 for n in range(9)]
    assert store.batches == [list(range(9))]


async def test_calls_that_come_in_the_following_turn_share_the_commit():
    store = Store()
    commits = GroupCommit(store)

    async def late(n):
        for _ in range(n):
            await asyncio.sleep(0)
        await commits.call(n, urgent=True)

    await asyncio.gather(late(0), late(1))
    assert store.batches == [[0, 1]]


async def test_what_is_not_urgent_rides_along_with_what_is():
    store = Store()
    commits = GroupCommit(store)
    calm = asyncio.ensure_future(commits.call(1, urgent=False))
    await asyncio.sleep(0)
    assert store.batches == []
    await commits.call(2, urgent=True)
    assert store.batches == [[1, 2]]
    assert calm.done()


async def test_what_is_not_urgent_is_stored_after_a_moment_all_the_same():
    store = Store()
    async with asyncio.timeout(1):
        assert await GroupCommit(store).call(1, urgent=False) == 2


async def test_a_flood_is_stored_in_batches_of_bounded_size():
    store = Store()
    commits = GroupCommit(store)
    await asyncio.gather(*(commits.call(n, urgent=n % 2 == 0) for n in range(3 * MOST + 1)))
    assert [n for batch in store.batches for n in batch] == list(range(3 * MOST + 1))
    assert max(map(len, store.batches)) == MOST


async def test_each_call_gets_its_own_error():
    commits = GroupCommit(Store())
    error = NotStored("disk", "full")
    results = await asyncio.gather(
        commits.call(error, urgent=True), commits.call(1, urgent=True), return_exceptions=True
    )
    assert results == [error, 2]


async def test_a_caller_that_goes_away_does_not_take_the_others_with_it():
    store = Store()
    commits = GroupCommit(store)
    gone = asyncio.ensure_future(commits.call(1, urgent=True))
    stays = asyncio.ensure_future(commits.call(2, urgent=True))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == 4
    assert store.batches == [[1, 2]]


async def test_closing_stores_what_is_pending_and_takes_no_more():
    store = Store()
    commits = GroupCommit(store)
    calls = [asyncio.ensure_future(commits.call(n, urgent=False)) for n in range(MOST + 1)]
    await asyncio.sleep(0)
    commits.close()
    assert await asyncio.gather(*calls) == [n * 2 for n in range(MOST + 1)]
    with pytest.raises(NotStored):
        await commits.call(1, urgent=True)
