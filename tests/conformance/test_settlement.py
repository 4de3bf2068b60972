"""What every journal promises of a signal that the broker has and the bots have not receipted yet."""

from __future__ import annotations

import pytest

from gateway.journal.model import Destination, KnownBot, Lane, Station
from gateway.journal.reception import Reception, Unanswered, Unhandled
from schemas.receipt import Stage
from tests.journal_drafts import SECOND, START, draft, outcome, receipt

LANE = Lane("signals", "btc/BTC-USDT")
OTHER = Lane("signals", "btc/ETH-USDT")


async def accept(journal, *drafts):
    results = await journal.accept(drafts)
    return results[0] if len(results) == 1 else results


async def delivery(journal, accepted):
    (found,) = (await journal.life(accepted.draft.id)).deliveries
    return found


async def test_a_published_row_waits_for_the_receipts_of_the_bots_that_it_awaits(journal):
    accepted = await accept(journal, draft())
    await journal.record([outcome(accepted.position, awaiting=("one", "two"))])
    depth = journal.depth()
    found = await delivery(journal, accepted)
    assert (depth.waiting, depth.awaiting, depth.oldest) == (0, 1, None)
    assert (found.station, found.awaiting, found.published_at) == (Station.PUBLISHED, ("one", "two"), START + SECOND)
    assert await journal.lanes() == []
    assert await journal.lanes(bots=["two", "three"]) == [LANE]
    assert await journal.waiting(LANE, after=0, limit=9) == []
    [row] = await journal.waiting(LANE, after=0, limit=9, bots=["one"])
    assert (row.id, row.awaiting, row.put) == (accepted.draft.id, ("one", "two"), True)


@pytest.mark.parametrize("receipts_first", [True, False])
async def test_a_row_is_receipted_when_the_last_bot_answered_whichever_is_stored_first(journal, receipts_first):
    accepted = await accept(journal, draft())
    id_, step = accepted.draft.id, outcome(accepted.position, awaiting=("one", "two"))
    if receipts_first:
        await journal.receive([receipt(id_, bot="two")], at=START)
        await journal.record([step])
    else:
        await journal.record([step])
        assert await journal.receive([receipt(id_, bot="two")], at=START) == Reception()
    assert (await delivery(journal, accepted)).awaiting == ("one",)
    assert await journal.receive([receipt(id_, bot="one")], at=START + 9) == Reception(settled=("btc",))
    found = await delivery(journal, accepted)
    assert (found.station, found.awaiting, found.at) == (Station.RECEIPTED, (), START + 9)
    assert journal.depth().awaiting == 0
    assert await journal.lanes(bots=["one", "two"]) == []


async def test_a_row_whose_bots_have_all_answered_already_is_receipted_at_once(journal):
    accepted = await accept(journal, draft())
    await journal.receive([receipt(accepted.draft.id, bot=bot) for bot in ("one", "two")], at=START)
    await journal.record([outcome(accepted.position, awaiting=("one", "two"))])
    assert (await delivery(journal, accepted)).station is Station.RECEIPTED
    assert (journal.depth().waiting, journal.depth().awaiting) == (0, 0)
    assert len(await journal.last_put(LANE)) == 1


async def test_a_second_publish_changes_neither_when_it_was_published_nor_the_last_number(journal):
    first, second = await accept(journal, draft(), draft())
    await journal.record([outcome(first.position, awaiting=("one",)), outcome(second.position, awaiting=("one",))])
    put = await journal.last_put(LANE)
    await journal.record([outcome(first.position, at=START + 9 * SECOND, attempts=2, awaiting=("one",))])
    found = await delivery(journal, first)
    assert (found.published_at, found.at, found.attempts) == (START + SECOND, START + 9 * SECOND, 2)
    assert await journal.last_put(LANE) == put
    assert journal.depth().awaiting == 2


async def test_what_expired_without_its_receipts_is_given_up_and_named(journal):
    early, late, answered = await accept(journal, draft(ttl=10), draft(ttl=20), draft(ttl=10))
    for accepted in (early, late, answered):
        await journal.record([outcome(accepted.position, awaiting=("one", "two"))])
    await journal.receive([receipt(answered.draft.id, bot=bot) for bot in ("one", "two")], at=START)
    await journal.receive([receipt(early.draft.id, bot="one")], at=START)
    before = START + 11 * SECOND
    assert await journal.give_up(before=before, at=START + 99) == [
        Unanswered(id=early.draft.id, source="btc", instrument="BTC-USDT", effect="open", bots=("two",), handled=True)
    ]
    assert await journal.give_up(before=before, at=START + 99) == []
    found = await delivery(journal, early)
    assert (found.station, found.at, found.reason) == (
        Station.UNANSWERED,
        START + 99,
        "no receipt from two by its expiry",
    )
    assert journal.depth().awaiting == 1


async def test_a_last_receipt_that_comes_after_all_makes_an_unanswered_row_receipted(journal):
    accepted = await accept(journal, draft(ttl=10))
    await journal.record([outcome(accepted.position, awaiting=("one",))])
    await journal.give_up(before=START + 11 * SECOND, at=START)
    assert await journal.receive([receipt(accepted.draft.id, bot="one")], at=START) == Reception(settled=("btc",))
    found = await delivery(journal, accepted)
    assert (found.station, found.reason, found.awaiting) == (Station.RECEIPTED, "", ())
    assert journal.depth().awaiting == 0


@pytest.mark.parametrize("receipts_first", [True, False])
async def test_a_receipt_of_a_bot_that_nobody_knew_settles_a_row_too_but_never_one_for_a_stock_bot(
    journal, receipts_first
):
    stock = Destination(name="hummingbot:demo", topic="hbot/demo/external/event/tv", payload=b"{}", once=True)
    signals = Destination(name="signals", topic="signals/v1/trade/btc/BTC-USDT")
    accepted = await accept(journal, draft(destinations=(signals, stock)))
    steps = [outcome(accepted.position, destination=to.name, reason="no bot is known") for to in (signals, stock)]
    if not receipts_first:
        await journal.record(steps)
    await journal.receive([receipt(accepted.draft.id, bot="new")], at=START)
    if receipts_first:
        await journal.record(steps)
    found = {one.destination: (one.station, one.reason) for one in (await journal.life(accepted.draft.id)).deliveries}
    assert found == {"signals": (Station.RECEIPTED, ""), stock.name: (Station.PUBLISHED, "no bot is known")}
    assert (journal.depth().waiting, journal.depth().awaiting) == (0, 0)


async def test_a_held_row_waits_as_before_and_says_why(journal):
    accepted = await accept(journal, draft())
    await journal.record([outcome(accepted.position, Station.HELD, reason="nobody listens", attempts=3)])
    assert journal.depth().waiting == 1
    [row] = await journal.waiting(LANE, after=0, limit=9)
    assert (row.put, row.awaiting) == (False, ())
    assert (await delivery(journal, accepted)).reason == "nobody listens"


async def test_a_row_that_ends_while_it_awaits_bots_awaits_them_no_more(journal):
    accepted = await accept(journal, draft())
    await journal.record([outcome(accepted.position, awaiting=("one",))])
    await journal.record([outcome(accepted.position, Station.DEAD, reason="the broker hangs up")])
    assert (journal.depth().waiting, journal.depth().awaiting) == (0, 0)
    assert (await delivery(journal, accepted)).station is Station.DEAD


async def test_the_newest_row_that_reduces_and_waits_is_found(journal):
    rows = await accept(journal, draft(), draft(effect="reduce"), draft(), draft(effect="reduce"))
    other = await accept(journal, draft(instrument="ETH-USDT"))
    assert await journal.last_reduce(LANE) == rows[3].position
    assert await journal.last_reduce(OTHER) == 0
    assert other.position > 0
    await journal.record([outcome(rows[3].position, awaiting=("one",))])
    assert await journal.last_reduce(LANE) == rows[1].position


async def test_a_row_that_awaits_a_bot_is_not_forgotten(journal):
    awaited, settled, _ = await accept(journal, draft(), draft(), draft())
    await journal.record([outcome(awaited.position, awaiting=("one",)), outcome(settled.position)])
    await journal.prune(now=START + 40 * 86_400 * SECOND)
    assert await journal.life(awaited.draft.id) is not None
    assert await journal.life(settled.draft.id) is None


async def test_bots_are_remembered_by_their_names_until_they_are_forgotten(journal):
    one, two = KnownBot(name="one", filters=("a/+", "b")), KnownBot(name="two", filters=(), absent_since=START)
    await journal.know([two, one])
    assert await journal.known() == [one, two]
    left = KnownBot(name="one", filters=("c",), absent_since=START + 1, former={"a/+": START})
    await journal.know([left])
    await journal.forget_bot("two")
    await journal.forget_bot("nobody")
    assert await journal.known() == [left]


async def test_recording_a_row_whose_receipts_came_first_names_the_source_that_is_receipted(journal):
    first, second = await accept(journal, draft()), await accept(journal, draft())
    await journal.receive([receipt(first.draft.id, bot="one")], at=START)

    steps = [outcome(accepted.position, awaiting=("one",)) for accepted in (first, second)]

    assert await journal.record(steps) == ("btc",)
    assert await journal.record(steps) == ()


async def test_what_is_given_up_says_whether_another_bot_handled_it(journal):
    accepted = await accept(journal, draft(effect="reduce"))
    await journal.record([outcome(accepted.position, awaiting=("one", "two"))])
    await journal.receive([receipt(accepted.draft.id, bot="one", stage=Stage.FAILED)], at=START)
    [ended] = await journal.give_up(before=START + 61 * SECOND, at=START)
    assert (ended.effect, ended.bots, ended.handled) == ("reduce", ("two",), False)


@pytest.mark.parametrize("stage", Stage)
async def test_a_new_receipt_of_an_undone_signal_comes_back_with_what_the_signal_is_and_a_repeated_one_does_not(
    journal, stage
):
    accepted = await accept(journal, draft(effect="reduce"))
    found = receipt(accepted.draft.id, bot="one", stage=stage)
    undone = {Stage.FAILED, Stage.INTERRUPTED, Stage.REFUSED, Stage.EXPIRED}
    expected = (Unhandled(found, "btc", "BTC-USDT", "reduce"),) if stage in undone else ()
    assert (await journal.receive([found, found], at=START)).unhandled == expected
    assert (await journal.receive([found], at=START)).unhandled == ()
    assert (await journal.receive([receipt("unknown", bot="one", stage=stage)], at=START)).unhandled == ()
