"""Withdrawal: what nobody has yet ends at once; after what bots may have, a withdrawal goes on its topic."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import count

import pytest

from gateway.delivery import DeliverySettings
from gateway.delivery.lane import Place
from gateway.errors import NotStored
from gateway.journal import Lane, Station
from gateway.withdrawal import NothingToWithdraw, Withdrawals
from schemas.envelope import WITHDRAW, decode
from schemas.receipt import Stage
from tests.journal_drafts import draft, receipt
from tests.unit.delivery.conftest import FullDisk

_ids = count(1)


async def accept(bench, **more):
    """Commit one signal with a whole envelope, and offer it."""
    (accepted,) = await bench.journal.accept([draft(at=bench.clock(), **more)])
    bench.delivery.offer([accepted])
    return accepted.draft.id


def withdrawals(bench) -> Withdrawals:
    return Withdrawals(
        bench.journal,
        stop=bench.delivery.withdraw,
        offer=bench.delivery.offer,
        clock=bench.clock,
        new_id=lambda: f"withdrawal-{next(_ids)}",
    )


async def station(bench, id_):
    (delivery,) = (await bench.journal.life(id_)).deliveries
    return delivery.station


async def test_a_signal_that_waits_for_the_broker_is_withdrawn_at_once_and_never_published(bench):
    await bench.start()
    bench.broker.cut()
    bench.run()
    stopped, other = await accept(bench), await accept(bench)

    result = await withdrawals(bench).withdraw(stopped, reason="fat finger")

    assert result.message is None
    (delivery,) = (await bench.journal.life(stopped)).deliveries
    assert (delivery.station, delivery.reason) == (Station.WITHDRAWN, "fat finger")
    bench.broker.restore()
    await bench.ended(other)
    assert bench.sent(stopped) == 0


async def test_a_signal_of_a_backlog_that_is_not_in_memory_is_withdrawn_too(bench):
    bench.settings = DeliverySettings(sweep=0.01, audit=0.05, lane_loaded=2)
    await bench.start()
    bench.broker.cut()
    bench.run()
    ids = [await accept(bench) for _ in range(9)]

    await withdrawals(bench).withdraw(ids[7], reason="no")

    bench.broker.restore()
    await bench.ended(ids[8])
    assert await station(bench, ids[7]) is Station.WITHDRAWN
    assert bench.sent(ids[7]) == 0


async def test_after_a_signal_that_the_broker_has_a_withdrawal_goes_on_its_topic_and_lives_as_long(bench):
    await bench.start()
    bench.bots(bot="signals/#")
    bench.run()
    id_ = await accept(bench)
    await bench.until_station(id_, Station.PUBLISHED)

    result = await withdrawals(bench).withdraw(id_, reason="no")

    await bench.until(lambda: bench.sent(result.message))
    signal, withdrawal = (decode(message.payload) for message in bench.published)
    assert bench.published[0].topic == bench.published[1].topic
    assert (withdrawal.type, withdrawal.data) == (WITHDRAW, {"signal": id_, "reason": "no"})
    assert (withdrawal.expirytime, withdrawal.mode) == (signal.expirytime, signal.mode)
    assert (withdrawal.partitionkey, withdrawal.previoussequence) == (signal.partitionkey, signal.sequence)
    await bench.receipt("bot", id_, result.message)
    assert (await bench.ended(result.message)).station is Station.RECEIPTED


async def test_a_signal_that_is_in_flight_counts_as_one_that_the_broker_has(bench):
    await bench.start()
    bench.broker.hold()
    bench.run()
    id_ = await accept(bench)
    await bench.until(lambda: bench.published)

    result = await withdrawals(bench).withdraw(id_, reason="no")

    bench.broker.release()
    assert await station(bench, id_) is not Station.WITHDRAWN
    await bench.until(lambda: bench.sent(result.message))


async def test_withdrawing_twice_sends_one_withdrawal(bench):
    await bench.start()
    bench.bots(bot="signals/#")
    bench.run()
    id_ = await accept(bench)
    await bench.until_station(id_, Station.PUBLISHED)

    first = await withdrawals(bench).withdraw(id_, reason="no")

    assert await withdrawals(bench).withdraw(id_, reason="no") == first


async def test_a_signal_that_a_bot_has_and_has_not_started_can_be_withdrawn(bench):
    await bench.start()
    bench.bots(bot="signals/#")
    bench.run()
    id_ = await accept(bench)
    await bench.until(lambda: bench.sent(id_))
    await bench.journal.receive([receipt(id_, Stage.RECEIVED, bot="bot")], at=bench.clock())
    await bench.until_station(id_, Station.RECEIPTED)

    assert (await withdrawals(bench).withdraw(id_, reason="no")).message is not None


async def test_what_has_ended_cannot_be_withdrawn_and_the_answer_says_how_it_ended(bench):
    await bench.start()
    bench.bots(bot="signals/#")
    bench.run()
    handled = await accept(bench)
    await bench.until(lambda: bench.sent(handled))
    await bench.receipt("bot", handled)
    await bench.until_station(handled, Station.RECEIPTED)
    expired = await accept(bench, ttl=3)
    await bench.until(lambda: bench.sent(expired))
    bench.clock.pass_(seconds=4)

    with pytest.raises(NothingToWithdraw, match="bot bot says handled"):
        await withdrawals(bench).withdraw(handled, reason="no")
    with pytest.raises(NothingToWithdraw, match="expired"):
        await withdrawals(bench).withdraw(expired, reason="no")


async def test_a_prediction_can_be_withdrawn_until_it_expires_though_every_handler_returned(bench):
    """It is in force until then: bots ask for the latest one, and stock bots are told again and again."""
    await bench.start()
    bench.bots(bot="signals/#")
    bench.run()
    (accepted,) = await bench.journal.accept([replace(draft(at=bench.clock(), ttl=60), body="prediction", effect="")])
    bench.delivery.offer([accepted])
    handled = accepted.draft.id
    await bench.until(lambda: bench.sent(handled))
    await bench.receipt("bot", handled)
    await bench.until_station(handled, Station.RECEIPTED)

    result = await withdrawals(bench).withdraw(handled, reason="the model is broken")

    await bench.until(lambda: bench.sent(result.message))
    bench.clock.pass_(seconds=60)
    with pytest.raises(NothingToWithdraw, match="bot bot says handled"):
        await withdrawals(bench).withdraw(handled, reason="no")


async def test_an_unknown_signal_and_a_withdrawal_cannot_be_withdrawn(bench):
    await bench.start()
    bench.run()
    id_ = await accept(bench)
    await bench.ended(id_)
    sent = await withdrawals(bench).withdraw(id_, reason="no")

    with pytest.raises(LookupError):
        await withdrawals(bench).withdraw("nobody", reason="no")
    with pytest.raises(NothingToWithdraw, match="a withdrawal itself"):
        await withdrawals(bench).withdraw(sent.message, reason="no")


async def test_a_published_row_never_becomes_withdrawn(bench):
    await bench.start()
    bench.bots(bot="signals/#")
    bench.run()
    id_ = await accept(bench)
    await bench.until_station(id_, Station.PUBLISHED)
    life = await bench.journal.life(id_)

    lane = Lane("signals", json.loads(life.envelope)["partitionkey"])
    await bench.delivery.withdraw(lane, position=life.position, id_=id_, reason="no")

    assert await station(bench, id_) is Station.PUBLISHED


async def test_a_signal_that_nobody_heard_is_not_published_to_a_bot_that_comes_after_its_withdrawal(bench):
    await bench.start(listener=False, tables=True)
    bench.run()
    stopped, other = await accept(bench), await accept(bench)
    await bench.until(lambda: [queue.place for queue in bench.delivery._queues.values()] == [Place.PAUSED])

    result = await withdrawals(bench).withdraw(stopped, reason="no")

    assert result.message is None
    await bench.listen()
    bench.bots(bot="signals/#")
    await bench.until(lambda: bench.sent(other))
    assert bench.sent(stopped) == 0
    assert await station(bench, stopped) is Station.WITHDRAWN


async def test_a_signal_behind_the_head_of_its_lane_is_withdrawn_from_the_memory_too(bench):
    await bench.start()
    bench.broker.hold()
    bench.run()
    first, stopped, last = await accept(bench), await accept(bench), await accept(bench)
    await bench.until(lambda: bench.sent(first))

    assert (await withdrawals(bench).withdraw(stopped, reason="no")).message is None

    bench.broker.release()
    await bench.ended(last)
    assert bench.sent(stopped) == 0


async def test_where_the_journal_cannot_store_nothing_is_withdrawn_and_the_lane_keeps_its_order(bench, monkeypatch):
    await bench.start()
    bench.broker.cut()
    bench.run()
    first, second = await accept(bench), await accept(bench)
    disk = FullDisk(bench.journal)
    monkeypatch.setattr(bench.journal, "record", disk.record)

    with pytest.raises(NotStored):
        await withdrawals(bench).withdraw(first, reason="no")

    disk.full = False
    bench.broker.restore()
    await bench.ended(second)
    assert [json.loads(message.payload)["id"] for message in bench.published] == [first, second]
