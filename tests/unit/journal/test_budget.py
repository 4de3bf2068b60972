"""How much the journal holds, and who has to make room."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from dataclasses import replace
from itertools import pairwise
from time import perf_counter

import pytest

from gateway.errors import NotStored
from gateway.journal import Accepted, Destination, Duplicate, Identity, Refusal, Station
from gateway.journal.forget import size
from gateway.journal.refusals import KEPT
from tests.journal_drafts import SECOND, START, draft, outcome, receipt

MB = 1 << 20


def used(journal):
    return journal._writer.read(size)


async def fill(journal, clock, *, count, source="btc", finish=True):
    for _ in range(count):
        results = await journal.accept([draft(at=clock(), source=source, filler=2000, ttl=1) for _ in range(10)])
        if finish:
            await journal.record([outcome(result.position) for result in results])
        clock.pass_(3)


async def fill_share(journal):
    """Accept until it is refused; return the positions and the error."""
    positions = []
    while True:
        try:
            [accepted] = await journal.accept([draft(filler=2000)])
        except NotStored as error:
            return positions, error
        positions.append(accepted.position)


async def test_a_source_over_its_share_gets_no_more_while_others_do(opened, clock):
    journal = opened(max_bytes=MB, share=0.1)
    _, error = await fill_share(journal)
    assert error.cause == "share"
    assert "source btc" in error.problem
    [other] = await journal.accept([draft(source="eth")])
    assert isinstance(other, Accepted)
    assert 0.05 * MB < used(journal) < 0.3 * MB


async def test_a_share_is_free_again_when_its_signals_are_finished(opened, clock):
    journal = opened(max_bytes=MB, share=0.1)
    positions, _ = await fill_share(journal)
    await journal.record([outcome(position, Station.DENIED) for position in positions])
    assert isinstance((await journal.accept([draft(filler=2000)]))[0], Accepted)


async def test_a_share_is_counted_anew_after_a_restart(opened):
    journal = opened(max_bytes=MB, share=0.1)
    await fill_share(journal)
    await journal.close()
    with pytest.raises(NotStored):
        await opened(max_bytes=MB, share=0.1).accept([draft(filler=2000)])


async def test_a_duplicate_is_answered_though_its_source_has_no_room(opened):
    journal = opened(max_bytes=MB, share=0.1)
    first = draft(body="a", filler=2000)
    await journal.accept([first])
    await fill_share(journal)
    assert await journal.accept([draft(body="a", filler=2000)]) == [Duplicate(of=first.id)]


async def test_a_call_over_the_share_stores_none_of_its_drafts(opened):
    journal = opened(max_bytes=MB, share=0.1)
    with pytest.raises(NotStored):
        await journal.accept([draft(filler=2000) for _ in range(100)])
    assert await journal.lives() == []
    assert journal.depth().waiting == 0


async def test_finished_signals_make_room_for_new_ones_by_themselves(opened, clock):
    journal = opened(max_bytes=MB)
    await fill(journal, clock, count=150)
    assert used(journal) < 1.2 * MB
    assert len(await journal.lives(limit=10_000)) < 600


async def test_a_journal_that_is_full_of_unfinished_signals_takes_no_more_until_some_are_finished(opened, clock):
    journal = opened(max_bytes=MB, share=1)
    for number in range(3):
        with contextlib.suppress(NotStored):
            await fill(journal, clock, count=12, source=f"s{number}", finish=False)
    with pytest.raises(NotStored) as caught:
        await journal.accept([draft(source="another")])
    assert caught.value.cause == "share"
    assert "nothing in it is finished" in caught.value.problem
    lives = await journal.lives(limit=10_000)
    for lane in await journal.lanes():
        rows = await journal.waiting(lane, after=0, limit=10_000)
        await journal.record([outcome(row.position, Station.EXPIRED) for row in rows])
    clock.pass_(60)
    assert isinstance((await journal.accept([draft(at=clock())]))[0], Accepted)
    assert await journal.life(lives[-1].id) is None


async def test_a_journal_that_is_over_its_budget_is_in_trouble_until_prune_finds_something_to_forget(opened, clock):
    journal = opened(share=1)
    await fill(journal, clock, count=36, finish=False)
    await journal.close()
    journal = opened(max_bytes=MB // 2, share=1)
    assert journal.trouble() is None
    await journal.prune(now=clock())
    assert "nothing in it is finished" in journal.trouble()
    for lane in await journal.lanes():
        rows = await journal.waiting(lane, after=0, limit=10_000)
        await journal.record([outcome(row.position, Station.EXPIRED) for row in rows])
    assert journal.trouble() is not None
    clock.pass_(60)
    await journal.prune(now=clock())
    assert journal.trouble() is None


async def fill_with_receipts(journal, clock):
    """Receive the largest receipts that there are, for signals that are not finished, until they are refused."""
    for number in range(20):
        [accepted] = await journal.accept([draft(at=clock())])
        large = {"reason": "x" * 2000, "order_ids": ("y" * 64,) * 100}
        for first in range(0, 64, 8):
            handlers = [f"h{number}" for number in range(first, first + 8)]
            await journal.receive([receipt(accepted.draft.id, handler=name, **large) for name in handlers], at=START)


async def test_receipts_leave_room_for_signals_however_many_one_bot_sends(opened, clock):
    journal = opened(max_bytes=MB)
    with pytest.raises(NotStored) as refused:
        await fill_with_receipts(journal, clock)
    assert refused.value.cause == "share"
    assert isinstance((await journal.accept([draft(at=clock())]))[0], Accepted)
    assert used(journal) < MB
    assert journal.trouble() is None


async def test_receipts_are_stored_again_when_finished_signals_make_room(opened, clock):
    journal = opened(max_bytes=MB)
    with contextlib.suppress(NotStored):
        await fill_with_receipts(journal, clock)
    for lane in await journal.lanes():
        rows = await journal.waiting(lane, after=0, limit=10_000)
        await journal.record([outcome(row.position, Station.EXPIRED) for row in rows])
    clock.pass_(61)
    [accepted] = await journal.accept([draft(at=clock())])
    await journal.receive([receipt(accepted.draft.id)], at=clock())
    assert len((await journal.life(accepted.draft.id)).receipts) == 1


async def test_the_highest_forgotten_number_outlives_a_restart(opened):
    journal = opened(max_age=60)
    first, second = await journal.accept([draft(at=START + 9), draft(at=START, instrument="ETH-USDT")])
    await journal.record([outcome(first.position), outcome(second.position)])
    await journal.prune(now=START + 3600 * SECOND)
    await journal.close()
    [again] = await opened(max_age=60).accept([draft(at=START - 3600 * SECOND)])
    assert again.sequence == first.sequence + 1


async def test_prune_brings_the_size_under_its_budget_and_forgets_the_oldest_first(opened, clock):
    journal = opened()
    await fill(journal, clock, count=100)
    lives = await journal.lives(limit=10_000)
    await journal.close()
    journal = opened(max_bytes=MB)
    clock.pass_(60)
    forgotten = await journal.prune(now=clock())
    assert used(journal) <= MB
    kept = {life.id for life in await journal.lives(limit=10_000)}
    assert [life.id in kept for life in lives] == [True] * len(kept) + [False] * forgotten


async def test_pruning_leaves_the_loop_its_turns(opened, clock):
    journal = opened(max_age=60)
    await fill(journal, clock, count=200)
    clock.pass_(3600)
    turns = [perf_counter()]
    pruning = asyncio.ensure_future(journal.prune(now=clock()))
    while not pruning.done():
        await asyncio.sleep(0)
        turns.append(perf_counter())
    assert pruning.result() == 1999
    assert len(turns) > 10
    assert sorted(later - earlier for earlier, later in pairwise(turns))[len(turns) // 2] < 0.02


@pytest.mark.parametrize("first", ["signal", "prune"])
async def test_a_signal_that_comes_while_its_idle_lane_is_forgotten_is_not_lost(opened, clock, first):
    journal = opened(max_age=60)
    [old] = await journal.accept([draft()])
    await journal.record([outcome(old.position)])
    clock.pass_(3600)
    new = draft(at=clock())
    calls = [journal.accept([new]), journal._commits.call(journal._forget_rest(clock()), urgent=True)]
    await asyncio.gather(*(calls if first == "signal" else reversed(calls)))
    [lane] = await journal.lanes()
    assert [row.id for row in await journal.waiting(lane, after=0, limit=10)] == [new.id]


async def test_a_lane_is_forgotten_with_its_key_and_comes_back(opened, clock):
    journal = opened(max_age=60)
    [old] = await journal.accept([draft()])
    await journal.record([outcome(old.position)])
    await journal.prune(now=START + 3600 * SECOND)
    [new] = await journal.accept([draft(at=START + 3600 * SECOND)])
    [lane] = await journal.lanes()
    assert await journal.last_put(lane) == {}
    assert [row.position for row in await journal.waiting(lane, after=0, limit=2)] == [new.position]


async def test_a_flood_of_refusals_keeps_only_the_newest_of_its_source(opened):
    journal = opened()
    quiet = Refusal(id="quiet", source="eth", at=START - 1, code="invalid", faults=(), size=1)
    await journal.refuse(quiet)
    many = [
        Refusal(id=str(n), source="btc", at=START + n, code="invalid", faults=(), size=1) for n in range(KEPT + 500)
    ]
    await asyncio.gather(*map(journal.refuse, many))
    kept = await journal.refusals(source="btc", limit=2 * KEPT)
    assert KEPT * 0.98 < len(kept) <= KEPT
    assert kept[0].id == many[-1].id
    assert await journal.refusals(source="eth") == [quiet]


async def test_the_lanes_of_a_backlog_of_100_000_rows_are_listed_at_once(opened):
    journal = opened()
    template, ids = draft(destinations=()), itertools.count()
    for number in range(100):
        topic = (Destination(name="signals", topic="t"),)
        drafts = [
            replace(
                template,
                id=str(n),
                key=f"btc/{number}",
                destinations=topic,
                identity=Identity(key=None, fingerprint=b"%d" % n),
            )
            for n in itertools.islice(ids, 1000)
        ]
        await journal.accept(drafts)
    began = perf_counter()
    lanes = await journal.lanes()
    took = perf_counter() - began
    assert len(lanes) == 100
    assert journal.depth().waiting == 100_000
    assert took < 0.2


async def test_nothing_overtakes_what_the_share_had_no_room_for(opened):
    """Of drafts stored each on its own, the first without room is the last result, and none behind it is stored."""
    journal = opened(max_bytes=MB, share=0.1)
    fit, large, small = draft(), draft(filler=200_000), draft()
    accepted, not_stored = await journal.accept_each([fit, large, small])

    assert accepted.draft is fit
    assert not_stored.cause == "share"
    assert await journal.life(small.id) is None
