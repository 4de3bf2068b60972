"""Delivery: every accepted signal ends at a station with a reason, in the order of its lane."""

from __future__ import annotations

import asyncio
import json

import pytest

from gateway.delivery import DeliverySettings
from gateway.journal import Station
from gateway.mqtt.model import Version


def sequences(payloads: list[bytes]) -> list[tuple[int, int | None]]:
    documents = [json.loads(payload) for payload in payloads]
    return [(int(d["sequence"]), int(d["previoussequence"]) if "previoussequence" in d else None) for d in documents]


async def test_a_signal_is_published_and_its_outcome_recorded(bench):
    await bench.start()
    bench.run()
    accepted = await bench.accept()

    delivery = await bench.ended(accepted.draft.id)

    assert delivery.station is Station.PUBLISHED
    assert json.loads(bench.heard[0])["id"] == accepted.draft.id


async def test_each_signal_names_the_one_put_before_it_on_its_key(bench):
    await bench.start()
    bench.run()
    for key in ("src/A", "src/B", "src/A", "src/A"):
        await bench.accept(key)

    await bench.until(lambda: len(bench.heard) == 4)

    on_a = [payload for payload in bench.published if payload.topic.endswith("/A")]
    numbers = sequences([message.payload for message in on_a])
    assert numbers[0][1] is None
    assert [previous for _, previous in numbers[1:]] == [sequence for sequence, _ in numbers[:-1]]


async def test_at_most_one_signal_of_a_key_is_in_flight(bench):
    await bench.start()
    bench.broker.hold()
    bench.run()
    for _ in range(3):
        await bench.accept("src/A")
    await bench.accept("src/B")

    await bench.until(lambda: len(bench.published) == 2)
    assert {message.topic[-1] for message in bench.published} == {"A", "B"}

    bench.broker.release()
    await bench.until(lambda: len(bench.heard) == 4)


@pytest.mark.parametrize(("window", "sent"), [(16, 14), (3, 2), (2, 1), (1, 1)])
async def test_a_backlog_leaves_places_of_the_window_to_what_cannot_wait(bench, window, sent):
    """Commands, and what is in force of a prediction, go on at once; where the window is small delivery goes on too."""
    await bench.start(window=window)
    bench.run()
    await bench.until(lambda: bench.link.free == window)
    bench.broker.hold()
    for number in range(20):
        await bench.accept(f"src/{number}")

    await bench.until(lambda: len(bench.published) == sent)
    await asyncio.sleep(0.05)
    assert (len(bench.published), bench.link.free) == (sent, window - sent)

    bench.broker.release()
    await bench.until(lambda: len(bench.heard) == 20)


async def test_a_window_that_others_filled_holds_a_signal_up_no_longer_than_they_do(bench):
    """Nobody tells the delivery that their places are free again: it looks by itself."""
    await bench.start()
    bench.run()
    await bench.until(lambda: bench.link.free == 16)
    bench.broker.hold()
    for _ in range(16):
        bench.link.publish("card", b"word")
    await bench.accept("src/A")
    await asyncio.sleep(0.05)
    assert not bench.published
    bench.broker.release()
    await bench.until(lambda: bench.heard)


async def test_a_denied_publish_ends_as_denied_and_the_key_goes_on(bench):
    await bench.start()
    bench.broker.deny("signals/v1/trade/src/NO")
    bench.run()
    denied = await bench.accept("src/NO")
    allowed = await bench.accept("src/YES")

    delivery = await bench.ended(denied.draft.id)

    assert delivery.station is Station.DENIED
    assert "not authorised (0x87)" in delivery.reason
    assert (await bench.ended(allowed.draft.id)).station is Station.PUBLISHED


async def test_a_signal_that_nobody_hears_is_tried_until_it_expires(bench):
    await bench.start(listener=False)
    bench.run()
    accepted = await bench.accept(ttl=10)
    await bench.until(lambda: bench.published)
    bench.clock.pass_(seconds=1)
    await bench.until(lambda: len(bench.published) > 1)
    bench.clock.pass_(seconds=20)

    delivery = await bench.ended(accepted.draft.id)

    assert delivery.station is Station.UNHEARD
    assert len({message.payload for message in bench.published}) == 1


async def test_a_listener_that_comes_hears_at_once_what_waited(bench):
    await bench.start(listener=False)
    bench.run()
    accepted = await bench.accept()
    await bench.until(lambda: bench.published)
    await bench.listen()

    bench.bots(bot="signals/#")
    await bench.until(lambda: len(bench.heard) == 1)
    await bench.receipt("bot", accepted.draft.id)

    assert (await bench.ended(accepted.draft.id)).station is Station.RECEIPTED
    assert len(bench.heard) == 1


async def test_a_signal_past_its_expiry_is_not_published(bench):
    await bench.start()
    accepted = await bench.accept(ttl=5)
    bench.clock.pass_(seconds=6)
    bench.run()

    delivery = await bench.ended(accepted.draft.id)

    assert delivery.station is Station.EXPIRED
    assert bench.published == []


async def test_a_signal_expires_while_the_broker_is_away(bench):
    await bench.start()
    bench.broker.cut()
    bench.run()
    accepted = await bench.accept(ttl=5)
    bench.clock.pass_(seconds=6)

    assert (await bench.ended(accepted.draft.id)).station is Station.EXPIRED


async def test_what_was_in_flight_when_the_connection_ended_is_published_again_with_the_same_bytes(bench):
    await bench.start()
    bench.broker.hold()
    bench.run()
    first = await bench.accept("src/A")
    second = await bench.accept("src/A")
    await bench.until(lambda: len(bench.published) == 1)
    bench.broker.cut()
    bench.broker.restore()

    assert (await bench.ended(second.draft.id)).station is Station.PUBLISHED
    assert (await bench.ended(first.draft.id)).station is Station.PUBLISHED
    again, once_more, last = bench.published
    assert again.payload == once_more.payload
    assert json.loads(last.payload)["id"] == second.draft.id


async def test_a_message_that_makes_the_broker_hang_up_ends_as_dead_and_the_rest_go_on(bench):
    await bench.start()
    bench.broker.hang_up_on(lambda message: message.topic.endswith("/POISON"))
    bench.run()
    poison = await bench.accept("src/POISON", ttl=9000)
    others = [await bench.accept(f"src/{number}") for number in range(20)]
    for other in others:
        assert (await bench.ended(other.draft.id)).station is Station.PUBLISHED
    bench.tick(seconds=0.2)

    delivery = await bench.ended(poison.draft.id)

    assert delivery.station is Station.DEAD
    assert "3 times" in delivery.reason


async def test_a_message_too_large_for_the_broker_ends_as_dead(bench):
    bench.broker.max_packet_size = 60
    await bench.start()
    bench.run()
    accepted = await bench.accept()

    delivery = await bench.ended(accepted.draft.id)

    assert delivery.station is Station.DEAD
    assert bench.published == []


async def test_a_backlog_on_disk_is_delivered_in_order_with_little_of_it_in_memory(bench):
    bench.settings = DeliverySettings(loaded=50, lane_loaded=8, sweep=0.01)
    await bench.start()
    drafts = [bench.draft(f"src/{number % 7}") for number in range(700)]
    await bench.journal.accept(drafts)
    bench.run()
    await bench.until(lambda: len(bench.heard) == 700)

    by_key: dict[str, list[int]] = {}
    for message in bench.published:
        by_key.setdefault(message.topic, []).append(int(json.loads(message.payload)["sequence"]))
    assert len(by_key) == 7
    assert all(numbers == sorted(numbers) for numbers in by_key.values())


async def test_signals_offered_beyond_the_memory_are_fetched_from_the_journal(bench):
    bench.settings = DeliverySettings(loaded=10, lane_loaded=4, sweep=0.01)
    await bench.start()
    bench.broker.cut()
    bench.run()
    ids = [(await bench.accept(f"src/{number % 3}")).draft.id for number in range(60)]
    bench.broker.restore()

    await bench.until(lambda: len(bench.heard) == 60)

    assert sorted(json.loads(payload)["id"] for payload in bench.heard) == sorted(ids)


async def test_a_once_only_message_is_marked_before_it_is_sent_and_not_sent_again(bench):
    await bench.start()
    bench.broker.hold()
    bench.run()
    bench.present.add("b1")
    accepted = await bench.accept(name="hummingbot:b1", topic="hbot/b1/external/event/x", payload=b"{}", once=True)
    await bench.until(lambda: bench.published)
    (delivery,) = (await bench.journal.life(accepted.draft.id)).deliveries
    assert delivery.station is Station.PUBLISHING
    bench.broker.cut()
    bench.broker.restore()

    delivery = await bench.ended(accepted.draft.id)

    assert delivery.station is Station.UNKNOWN
    assert len(bench.published) == 1


async def test_a_once_only_message_that_was_begun_before_a_restart_ends_as_unknown(bench):
    await bench.start()
    bench.broker.hold()
    bench.run()
    bench.present.add("b1")
    accepted = await bench.accept(name="hummingbot:b1", topic="hbot/b1/external/event/x", payload=b"{}", once=True)
    await bench.until(lambda: bench.published)
    await bench.crash()

    bench.run()

    assert (await bench.ended(accepted.draft.id)).station is Station.UNKNOWN
    assert len(bench.published) == 1


async def test_on_mqtt_3_1_1_the_life_says_that_it_is_unknown_whether_anyone_listens(bench):
    await bench.start(version=Version.V311)
    bench.run()
    accepted = await bench.accept()

    delivery = await bench.ended(accepted.draft.id)

    assert delivery.station is Station.PUBLISHED
    assert "unknown" in delivery.reason


async def test_drained_returns_when_nothing_waits(bench):
    await bench.start()
    bench.run()
    accepted = await bench.accept()

    await bench.delivery.drained()

    (delivery,) = (await bench.journal.life(accepted.draft.id)).deliveries
    assert delivery.station is Station.PUBLISHED


async def test_a_network_that_fails_again_and_again_kills_no_message(bench):
    await bench.start()
    bench.broker.hold()
    bench.run()
    accepted = await bench.accept(ttl=900)
    for _ in range(5):
        bench.clock.pass_(seconds=10)
        bench.broker.cut()
        bench.broker.restore()
        bench.broker.hold()
    bench.broker.release()
    bench.tick(seconds=0.2)

    assert (await bench.ended(accepted.draft.id)).station is Station.PUBLISHED


async def test_a_clock_that_is_set_back_holds_nothing_up_and_makes_nothing_young_again(bench):
    await bench.start(listener=False)
    bench.run()
    waiting = await bench.accept("src/A", ttl=60)
    await bench.until(lambda: len(bench.published) == 1)
    bench.clock.set_back(seconds=3600)
    bench.clock.pass_(seconds=6)
    await bench.until(lambda: len(bench.published) == 2)
    bench.clock.pass_(seconds=60)

    assert (await bench.ended(waiting.draft.id)).station is Station.UNHEARD


async def test_a_commit_that_failed_and_yet_held_is_taken_up(bench):
    bench.settings = DeliverySettings(sweep=0.01, audit=0.05)
    await bench.start()
    bench.run()
    first = await bench.accept("src/A")
    assert (await bench.ended(first.draft.id)).station is Station.PUBLISHED
    (forgotten,) = await bench.journal.accept([bench.draft("src/A")])
    after = await bench.accept("src/A")

    assert (await bench.ended(forgotten.draft.id)).station is Station.PUBLISHED
    assert (await bench.ended(after.draft.id)).station is Station.PUBLISHED


async def test_a_once_only_message_that_expired_while_it_was_marked_is_not_sent(bench):
    await bench.start()
    bench.run()
    gate = asyncio.Event()
    record = bench.journal.record

    async def slow(outcomes):
        receipted = await record(outcomes)
        await gate.wait()
        return receipted

    bench.journal.record = slow
    bench.present.add("b1")
    accepted = await bench.accept(
        name="hummingbot:b1", topic="hbot/b1/external/event/x", payload=b"{}", once=True, ttl=5
    )
    await bench.until_station(accepted.draft.id, Station.PUBLISHING)
    bench.clock.pass_(seconds=6)
    gate.set()

    assert (await bench.ended(accepted.draft.id)).station is Station.EXPIRED
    assert bench.published == []


async def test_a_slow_bot_is_never_sent_more_than_its_window(bench):
    bench.settings = DeliverySettings(sweep=0.01, unreceived_window=8)
    await bench.start()
    bench.bots(slow="signals/v1/trade/slow/+", quick="signals/v1/trade/quick/+")
    bench.run()
    slow = [await bench.accept(f"slow/{number % 5}") for number in range(40)]
    quick = [await bench.accept(f"quick/{number}") for number in range(8)]
    await bench.until(lambda: all(bench.sent(signal.draft.id) for signal in quick))
    await bench.until(lambda: sum("/slow/" in message.topic for message in bench.published) == 8)
    assert bench.delivery.unreceived("slow") == 8
    assert bench.delivery.unreceived("nobody") == 0

    for _ in range(40):
        await bench.receipt("slow", *(json.loads(message.payload)["id"] for message in bench.published))
        await asyncio.sleep(0.001)
        assert len(bench.published) <= 48
    for signal in slow:
        assert (await bench.ended(signal.draft.id)).station is Station.RECEIPTED


async def test_a_bot_that_never_sends_receipts_holds_up_nobody_for_long(bench):
    bench.settings = DeliverySettings(sweep=0.01, unreceived_window=4)
    await bench.start()
    bench.bots(mute="signals/#")
    bench.run()
    signals = [await bench.accept(f"src/{number}") for number in range(20)]
    await bench.until(lambda: len(bench.published) == 4)

    bench.clock.pass_(seconds=6)

    await bench.until(lambda: all(bench.sent(signal.draft.id) for signal in signals))
