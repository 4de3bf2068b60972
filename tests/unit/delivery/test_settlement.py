"""Settlement: a signal is published again, in order and with the same bytes, until every expected bot has it."""

from __future__ import annotations

import asyncio
import json

import pytest

from gateway.delivery import DeliverySettings
from gateway.journal import KnownBot, Station
from tests.unit.delivery.conftest import FullDisk

ALL = "signals/#"


def ids(bench) -> list[str]:
    return [json.loads(message.payload)["id"] for message in bench.published]


async def deliveries(bench, accepted):
    (delivery,) = (await bench.journal.life(accepted.draft.id)).deliveries
    return delivery


async def published(bench, *accepted):
    for one in accepted:
        await bench.until_station(one.draft.id, Station.PUBLISHED)


async def test_a_signal_is_settled_when_every_expected_bot_has_sent_a_receipt(bench):
    await bench.start()
    bench.bots(one=ALL, two=ALL, other="signals/v1/trade/another/+")
    bench.run()
    accepted = await bench.accept()
    await published(bench, accepted)
    assert (await deliveries(bench, accepted)).awaiting == ("one", "two")

    await bench.receipt("one", accepted.draft.id)
    assert (await deliveries(bench, accepted)).awaiting == ("two",)
    await bench.receipt("two", accepted.draft.id)

    assert (await bench.ended(accepted.draft.id)).station is Station.RECEIPTED


async def test_a_bot_whose_handler_is_away_is_expected_and_gets_it_when_that_is_back(bench):
    """Another bot's receipt does not settle what is for a handler that may come back; for a day, and no longer."""
    day = 86_400_000_000
    await bench.start()
    now = bench.clock()
    there = KnownBot(name="there", filters=(ALL,))
    former = {"away": now - day // 2, "long_ago": now - day, "limited": now}
    away = [KnownBot(name=name, filters=(), former={ALL: at}) for name, at in former.items()]
    bench.limited = {"limited": ("another",)}
    bench.delivery.bots([there, *away], ())
    bench.run()
    accepted = await bench.accept()
    await published(bench, accepted)
    assert (await deliveries(bench, accepted)).awaiting == ("there", "away")
    await bench.receipt("there", accepted.draft.id)
    assert (await deliveries(bench, accepted)).awaiting == ("away",)
    assert bench.sent(accepted.draft.id) == 1

    back = KnownBot(name="away", filters=(ALL,))
    bench.delivery.bots([there, back], ("away",))
    await bench.until(lambda: bench.sent(accepted.draft.id) == 2)
    await bench.receipt("away", accepted.draft.id)

    assert (await bench.ended(accepted.draft.id)).station is Station.RECEIPTED


async def test_receipts_that_come_before_the_brokers_answer_settle_it_too(bench):
    await bench.start()
    bench.bots(bot=ALL)
    bench.broker.hold()
    bench.run()
    accepted = await bench.accept()
    await bench.until(lambda: bench.heard)
    await bench.receipt("bot", accepted.draft.id)
    bench.broker.release()

    assert (await bench.ended(accepted.draft.id)).station is Station.RECEIPTED
    assert len(bench.published) == 1


async def test_the_bots_that_the_source_names_are_expected_and_no_others(bench):
    bench.named = {"src": ("named",)}
    await bench.start()
    bench.bots(named="hbot/#", other=ALL)
    bench.run()
    accepted = await bench.accept()
    await published(bench, accepted)

    assert (await deliveries(bench, accepted)).awaiting == ("named",)


async def test_a_bot_is_not_expected_for_a_source_that_its_login_may_not_read_whatever_its_card_asks_for(bench):
    bench.limited = {"limited": ("other",)}
    await bench.start()
    bench.bots(limited="#", free="#")
    bench.run()

    signal = await bench.accept()

    await published(bench, signal)
    assert (await deliveries(bench, signal)).awaiting == ("free",)


async def test_an_absent_bot_is_expected_until_it_has_been_away_for_a_week(bench):
    await bench.start()
    bench.bots(away=ALL, absent=("away",))
    bench.run()
    missed = await bench.accept()
    await published(bench, missed)
    assert (await deliveries(bench, missed)).awaiting == ("away",)

    bench.clock.pass_(seconds=7 * 86_400)
    later = await bench.accept()

    assert (await bench.ended(later.draft.id)).awaiting == ()


async def test_with_no_expected_bot_the_acknowledgement_settles_it_and_says_so(bench):
    await bench.start()
    bench.run()
    accepted = await bench.accept()

    delivery = await bench.ended(accepted.draft.id)

    assert delivery.station is Station.PUBLISHED
    assert "no bot is known that would confirm it" in delivery.reason


async def test_what_has_no_receipt_is_published_again_with_the_same_bytes(bench):
    await bench.start()
    bench.bots(bot=ALL)
    bench.run()
    accepted = await bench.accept(ttl=60)
    await published(bench, accepted)

    bench.clock.pass_(seconds=5.1)

    await bench.until(lambda: len(bench.published) == 2)
    assert bench.published[0].payload == bench.published[1].payload
    await bench.receipt("bot", accepted.draft.id)
    assert (await bench.ended(accepted.draft.id)).station is Station.RECEIPTED


async def test_a_bot_that_comes_gets_what_it_missed_in_order_and_before_what_comes_after(bench):
    await bench.start()
    bench.bots(away=ALL, absent=("away",))
    bench.run()
    missed = [await bench.accept("src/A") for _ in range(5)]
    await published(bench, *missed)
    bench.broker.published.clear()

    bench.bots(away=ALL)
    after = await bench.accept("src/A")

    await bench.until(lambda: after.draft.id in ids(bench))
    assert ids(bench) == [one.draft.id for one in (*missed, after)] or ids(bench) == [
        one.draft.id for one in (after, *missed, after)
    ]


async def test_what_is_new_waits_until_it_is_known_what_a_bot_that_came_lacks(bench, monkeypatch):
    await bench.start()
    bench.bots(bot=ALL, absent=("bot",))
    bench.run()
    missed = await bench.accept()
    await published(bench, missed)
    asked, answered, lanes = asyncio.Event(), asyncio.Event(), bench.journal.lanes

    async def slow(*, bots=()):
        if bots:
            asked.set()
            await answered.wait()
        return await lanes(bots=bots)

    monkeypatch.setattr(bench.journal, "lanes", slow)
    bench.bots(bot=ALL)
    new = await bench.accept()
    await asked.wait()
    assert ids(bench) == [missed.draft.id]

    answered.set()
    await published(bench, new)
    assert ids(bench) == [missed.draft.id, missed.draft.id, new.draft.id]


async def test_a_silent_bot_keeps_nothing_new_from_going(bench, monkeypatch):
    bench.settings = DeliverySettings(sweep=0.01, audit=0.05, redeliver_after=1.0)
    await bench.start()
    bench.bots(bot=ALL)
    bench.run()
    await published(bench, await bench.accept())
    asked, lanes = asyncio.Event(), bench.journal.lanes

    async def never(*, bots=()):
        if bots:
            asked.set()
            await asyncio.Event().wait()
        return await lanes(bots=bots)

    monkeypatch.setattr(bench.journal, "lanes", never)
    bench.clock.pass_(seconds=2)
    await asked.wait()

    await published(bench, await bench.accept("src/ETH-USDT"))


async def test_after_a_reconnect_what_has_no_receipt_goes_before_what_is_new(bench):
    await bench.start()
    bench.bots(bot=ALL)
    bench.run()
    old = [await bench.accept("src/A") for _ in range(3)]
    await published(bench, *old)
    await bench.receipt("bot", old[0].draft.id)
    bench.broker.cut()
    bench.broker.published.clear()
    new = await bench.accept("src/A")
    bench.broker.restore()

    await bench.until(lambda: new.draft.id in ids(bench))

    assert ids(bench) == [one.draft.id for one in (*old[1:], new)]


async def test_after_a_restart_what_has_no_receipt_goes_before_what_is_new(bench):
    await bench.start()
    bench.bots(bot=ALL)
    bench.run()
    old = [await bench.accept("src/A") for _ in range(3)]
    await published(bench, *old)
    await bench.crash()
    await bench.listen()
    bench.broker.published.clear()
    bench.bots(bot=ALL)
    new = await bench.accept("src/A")
    bench.run()

    await bench.until(lambda: new.draft.id in ids(bench))

    assert ids(bench) == [one.draft.id for one in (*old, new)]


async def test_an_earlier_signal_without_a_receipt_is_published_again_at_once_when_a_later_one_has_one(bench):
    await bench.start()
    bench.bots(bot=ALL)
    bench.run()
    lost, arrived = await bench.accept("src/A"), await bench.accept("src/A")
    await published(bench, lost, arrived)

    await bench.receipt("bot", arrived.draft.id)
    bench.clock.pass_(seconds=0.2)

    await bench.until(lambda: bench.sent(lost.draft.id) == 2)
    assert bench.sent(arrived.draft.id) == 1


async def test_a_signal_without_a_receipt_at_its_expiry_ends_as_unanswered_by_its_bot(bench):
    await bench.start()
    bench.bots(bot=ALL)
    bench.run()
    accepted = await bench.accept(ttl=3)
    await published(bench, accepted)

    bench.clock.pass_(seconds=9)
    delivery = await bench.ended(accepted.draft.id)

    assert delivery.station is Station.UNANSWERED
    assert delivery.reason == "no receipt from bot by its expiry"
    assert bench.sent(accepted.draft.id) == 1


async def test_a_receipt_that_comes_after_all_makes_an_unanswered_signal_receipted(bench):
    await bench.start()
    bench.bots(bot=ALL)
    bench.run()
    accepted = await bench.accept(ttl=3)
    await published(bench, accepted)
    bench.clock.pass_(seconds=9)
    await bench.until_station(accepted.draft.id, Station.UNANSWERED)

    await bench.receipt("bot", accepted.draft.id)

    assert (await deliveries(bench, accepted)).station is Station.RECEIPTED


async def test_an_absent_bot_holds_nobody_up_and_is_sent_nothing_in_vain(bench):
    bench.settings = DeliverySettings(sweep=0.01, audit=0.05, unreceived_window=4)
    await bench.start()
    bench.bots(here=ALL, away=ALL, absent=("away",))
    bench.run()
    signals = [await bench.accept("src/A") for _ in range(20)]
    for signal in signals:
        await bench.until(lambda signal=signal: bench.sent(signal.draft.id))
        await bench.receipt("here", signal.draft.id)

    bench.clock.pass_(seconds=6)
    extra = await bench.accept("src/A")
    await bench.until(lambda: bench.sent(extra.draft.id))

    assert len(bench.published) == 21


async def test_a_bot_that_missed_more_than_its_window_catches_up_within_it(bench):
    bench.settings = DeliverySettings(sweep=0.01, audit=0.05, unreceived_window=8, lane_loaded=5)
    await bench.start()
    bench.bots(away=ALL, absent=("away",))
    bench.run()
    missed = [await bench.accept(f"src/{number % 3}") for number in range(60)]
    await published(bench, *missed)
    bench.broker.published.clear()
    bench.bots(away=ALL)
    done: set[str] = set()

    while len(done) < 60:
        await bench.until(lambda: set(ids(bench)) - done)
        new = [id_ for id_ in dict.fromkeys(ids(bench)) if id_ not in done]
        assert len(new) <= 8
        await bench.receipt("away", *new)
        done.update(new)

    for key in range(3):
        own = [one.draft.id for one in missed if one.draft.key == f"src/{key}"]
        assert [id_ for id_ in dict.fromkeys(ids(bench)) if id_ in own] == own


async def test_a_bot_without_room_does_not_hold_up_one_that_has(bench):
    bench.settings = DeliverySettings(sweep=0.01, audit=0.05, unreceived_window=4)
    await bench.start()
    bench.bots(slow=ALL, quick=ALL)
    bench.answer("quick")
    bench.run()

    signals = [await bench.accept(f"src/{number}") for number in range(20)]

    await bench.until(lambda: all(bench.sent(signal.draft.id) for signal in signals))


async def test_a_silent_bot_is_tried_again_and_again_and_holds_up_no_other(bench):
    bench.settings = DeliverySettings(sweep=0.01, audit=0.05, unreceived_window=4)
    await bench.start()
    bench.bots(mute=ALL, quick=ALL)
    bench.run()
    first = await bench.accept("src/A", ttl=900)
    bench.answer("quick")
    await published(bench, first)
    for round_ in range(2, 5):
        bench.clock.pass_(seconds=5.1)
        await bench.until(lambda round_=round_: bench.sent(first.draft.id) >= round_)

    many = [await bench.accept(f"src/{number}") for number in range(12)]
    await bench.until(lambda: all(bench.sent(signal.draft.id) for signal in many))

    await bench.receipt("mute", *(one.draft.id for one in (first, *many)))
    for signal in (first, *many):
        assert (await bench.ended(signal.draft.id)).station is Station.RECEIPTED


@pytest.mark.parametrize("effect", ["open", "unknown", "reduce"])
async def test_an_accepted_reduce_supersedes_opens_of_its_key_that_were_not_published_and_nothing_else(bench, effect):
    await bench.start()
    bench.broker.cut()
    bench.run()
    waiting = await bench.accept("src/A", effect=effect)
    other = await bench.accept("src/B", effect="open")
    close = await bench.accept("src/A", effect="reduce")
    later = await bench.accept("src/A", effect="open")
    bench.broker.restore()

    for signal in (close, other, later):
        assert (await bench.ended(signal.draft.id)).station is Station.PUBLISHED
    delivery = await bench.ended(waiting.draft.id)
    assert delivery.station is (Station.SUPERSEDED if effect == "open" else Station.PUBLISHED)


async def test_opens_on_disk_are_superseded_by_a_reduce_beyond_what_is_loaded(bench):
    bench.settings = DeliverySettings(sweep=0.01, audit=0.05, lane_loaded=2)
    await bench.start()
    opens = await bench.journal.accept([bench.draft("src/A") for _ in range(9)])
    (close,) = await bench.journal.accept([bench.draft("src/A", effect="reduce")])
    bench.run()

    assert (await bench.ended(close.draft.id)).station is Station.PUBLISHED
    assert [(await bench.ended(one.draft.id)).station for one in opens] == [Station.SUPERSEDED] * 9
    assert ids(bench) == [close.draft.id]


async def test_an_open_that_may_be_at_the_broker_is_not_superseded(bench):
    await bench.start()
    bench.broker.hold()
    bench.run()
    begun = await bench.accept("src/A", effect="open")
    await bench.until(lambda: bench.published)
    bench.broker.cut()
    await bench.accept("src/A", effect="reduce")
    bench.broker.restore()

    assert (await bench.ended(begun.draft.id)).station is Station.PUBLISHED


async def test_a_held_signal_says_why(bench):
    await bench.start(listener=False)
    bench.run()
    accepted = await bench.accept(ttl=900)
    await bench.until(lambda: bench.published)
    bench.tick(seconds=0.1)

    await bench.until_station(accepted.draft.id, Station.HELD)

    assert (await deliveries(bench, accepted)).reason == "nobody listens to signals/v1/trade/src/BTC-USDT"


async def test_a_held_signal_names_the_bots_that_are_online_and_ask_for_nothing_now(bench):
    """As while a strategy is stopped; not one that is away, asks for other signals, or may not read the source."""
    await bench.start(listener=False)
    idle = [KnownBot(name=name, filters=()) for name in ("b1", "limited", "b2", "b3", "b4", "b5")]
    away = KnownBot(name="away", filters=(), absent_since=bench.clock())
    bench.limited = {"limited": ("another",)}
    bench.delivery.bots([*idle, away, KnownBot(name="other", filters=("signals/v1/trade/another/+",))], ())
    bench.run()
    accepted = await bench.accept(ttl=900)
    await bench.until(lambda: bench.published)
    bench.tick(seconds=0.1)
    await bench.until_station(accepted.draft.id, Station.HELD)

    assert (await deliveries(bench, accepted)).reason == (
        "nobody listens to signals/v1/trade/src/BTC-USDT; online, and asking for nothing now: b1, b2, b3 and 2 more"
    )


async def test_a_signal_that_was_held_when_the_gateway_died_names_the_one_put_before_it(bench):
    await bench.start()
    bench.run()
    first = await bench.accept("src/A", ttl=900)
    await bench.ended(first.draft.id)
    await bench.crash()
    bench.broker._sessions.pop("bot")
    bench.run()
    held = await bench.accept("src/A", ttl=900)
    await bench.until(lambda: bench.sent(held.draft.id))
    bench.tick(seconds=0.1)
    await bench.until_station(held.draft.id, Station.HELD)
    await bench.crash()
    await bench.listen()
    bench.broker.published.clear()
    bench.run()

    await bench.ended(held.draft.id)

    assert int(json.loads(bench.published[0].payload)["previoussequence"]) == first.sequence


async def test_a_redelivered_signal_names_the_one_that_was_put_before_it_when_it_was_new(bench):
    await bench.start()
    bench.bots(bot=ALL)
    bench.run()
    first, second, third = [await bench.accept("src/A") for _ in range(3)]
    await published(bench, first, second, third)
    await bench.receipt("bot", first.draft.id, third.draft.id)
    bench.clock.pass_(seconds=0.2)
    await bench.until(lambda: bench.sent(second.draft.id) == 2)

    payloads = {m.payload for m in bench.published if json.loads(m.payload)["id"] == second.draft.id}

    assert len(payloads) == 1
    assert int(json.loads(payloads.pop())["previoussequence"]) == first.sequence


async def test_each_topic_of_a_key_has_its_own_chain_of_numbers(bench):
    await bench.start()
    bench.run()
    for topic in ("trade", "alert", "trade", "alert"):
        await bench.accept("src/A", topic=f"signals/v1/{topic}/src/A")
    await bench.until(lambda: len(bench.published) == 4)

    chains: dict[str, list] = {"trade": [], "alert": []}
    for message in bench.published:
        document = json.loads(message.payload)
        chains[message.topic.split("/")[2]].append((document.get("previoussequence"), document["sequence"]))
    for (start, first), (previous, _) in chains.values():
        assert start is None
        assert previous == first


async def test_what_could_not_be_read_again_on_a_full_disk_is_published_again_once_there_is_room(bench, monkeypatch):
    await bench.start()
    bench.bots(bot="signals/#")
    bench.run()
    signal = await bench.accept(ttl=900)
    await bench.until_station(signal.draft.id, Station.PUBLISHED)
    disk = FullDisk(bench.journal)
    monkeypatch.setattr(bench.journal, "record", disk.record)
    other = await bench.accept("src/ETH-USDT", ttl=900)
    await bench.until(lambda: bench.sent(other.draft.id))

    bench.broker.cut()
    bench.broker.restore()
    await bench.until(lambda: bench.delivery._redelivery._owed)
    disk.full = False

    await bench.until(lambda: bench.sent(signal.draft.id) == 2)


async def cut_off_until_it_expired(bench):
    """A signal whose publish was never answered: the connection ended, and did not come back in its time."""
    bench.broker.hold()
    bench.run()
    signal = await bench.accept(ttl=60)
    await bench.until(lambda: bench.sent(signal.draft.id))
    bench.broker.cut()
    await bench.until(lambda: not bench.link.connected)
    bench.clock.pass_(seconds=61)
    return signal


async def test_a_signal_that_the_broker_may_have_is_not_told_to_be_unpublished_when_it_expires(bench, monkeypatch):
    await bench.start()
    measured = []
    monkeypatch.setattr(bench.delivery._outcomes._telemetry, "published", lambda **how: measured.append(how))
    bench.bots(bot="signals/#")
    signal = await cut_off_until_it_expired(bench)

    await bench.until_station(signal.draft.id, Station.PUBLISHED)

    await bench.receipt("bot", signal.draft.id)
    assert (await bench.ended(signal.draft.id)).station is Station.RECEIPTED
    assert measured == [], "how long the broker took is not known"


async def test_without_a_bot_to_answer_what_the_broker_may_have_ends_as_unknown_when_it_expires(bench):
    await bench.start()
    signal = await cut_off_until_it_expired(bench)

    ended = await bench.ended(signal.draft.id)

    assert ended.station is Station.UNKNOWN
    assert "before the broker answered" in ended.reason


async def test_an_error_in_an_answers_callback_ends_the_delivery(bench, monkeypatch):
    await bench.start()

    def fail(*_):
        raise ZeroDivisionError

    monkeypatch.setattr(bench.delivery._pump, "_answered", fail)
    bench.tasks.append(asyncio.create_task(bench.link.run()))
    await bench.accept()

    with pytest.raises(ExceptionGroup) as ended:
        await asyncio.wait_for(bench.delivery.run(), 5)

    assert ended.group_contains(ZeroDivisionError)
