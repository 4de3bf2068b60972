"""What every link promises, whatever is behind it."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress

import pytest

from gateway.mqtt import Link, LinkLost, PacketTooLarge, SubscriptionDenied, Version, Will
from tests.brokers import eventually
from tests.link_stages import LARGEST, STAGES


@pytest.fixture(params=STAGES)
async def stage(request, mosquitto):
    async with STAGES[request.param](mosquitto) as built:
        yield built


def only(*names):
    """For what some brokers, or MQTT versions, do not have."""
    return pytest.mark.parametrize("stage", names, indirect=True)


class Heard:
    """A handler that remembers."""

    def __init__(self):
        self.messages = []

    async def __call__(self, topic, payload):
        self.messages.append((topic, payload))

    def __len__(self):
        return len(self.messages)


async def interrupt(stage, *links):
    """Cut the connections of these links, and wait until they are back."""
    stage.cut()
    await eventually(lambda: not any(link.connected for link in links))
    stage.restore()
    await eventually(lambda: all(link.connected for link in links))


async def acked(future):
    return await asyncio.wait_for(future, 10)


async def test_a_publish_is_acknowledged_and_arrives(stage):
    sender, receiver, heard = await stage.connected("a"), await stage.connected("b"), Heard()
    await receiver.subscribe("t/+", heard)
    ack = await acked(sender.publish("t/x", b"hello"))
    await eventually(lambda: len(heard) == 1)
    assert (ack.denied, ack.unheard, heard.messages) == (False, False, [("t/x", b"hello")])


async def test_a_link_says_what_it_is(stage):
    link: Link = stage.link("a")
    assert (link.version, link.connected, link.free, bool(link.last_error)) == (stage.version, False, 0, True)
    stage.run(link)
    await asyncio.wait_for(link.wait_connected(), 10)
    assert (link.connected, link.free, link.last_error) == (True, 16, "")


async def test_publishes_one_at_a_time_arrive_in_order(stage):
    sender, receiver, heard = await stage.connected("a"), await stage.connected("b"), Heard()
    await receiver.subscribe("t/#", heard)
    for number in range(50):
        await acked(sender.publish("t/x", b"%d" % number))
    await eventually(lambda: len(heard) == 50)
    assert [int(payload) for _, payload in heard.messages] == list(range(50))


async def test_a_burst_goes_through_the_window_and_never_over_it(stage):
    sender, receiver, heard = await stage.connected("a"), await stage.connected("b"), Heard()
    await receiver.subscribe("t/#", heard)
    waiting, most = set(), 0
    for number in range(500):
        while sender.free == 0:
            _, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        waiting.add(sender.publish("t/x", b"%d" % number))
        most = max(most, sum(not future.done() for future in waiting))
    await asyncio.wait(waiting)
    await eventually(lambda: len(heard) == 500)
    assert most == 16


async def test_a_publish_over_the_window_is_refused_and_not_sent(stage):
    sender, receiver, heard = await stage.connected("a"), await stage.connected("b"), Heard()
    await receiver.subscribe("t/#", heard)
    sent = [sender.publish("t/x", b"in") for _ in range(sender.free)]
    with pytest.raises(LinkLost, match="window"):
        sender.publish("t/x", b"over")
    await asyncio.gather(*sent)
    await acked(sender.publish("t/x", b"last"))
    await eventually(lambda: ("t/x", b"last") in heard.messages)
    assert ("t/x", b"over") not in heard.messages


async def test_a_publish_without_a_connection_is_refused(stage):
    with pytest.raises(LinkLost, match="not connected"):
        stage.link("a").publish("t/x", b"")


async def test_a_denied_publish_says_so_where_the_version_can(stage):
    link = await stage.connected("a")
    ack = await acked(link.publish("denied/x", b""))
    assert ack.denied is (stage.version is Version.V5)


@only("memory", "mosquitto-v5", "embedded")
async def test_a_publish_that_nobody_listens_to_is_told_apart(stage):
    sender, receiver = await stage.connected("a"), await stage.connected("b")
    await receiver.subscribe("t/x", Heard())
    outcomes = []
    for topic in ("t/x", "t/y"):
        ack = await acked(sender.publish(topic, b""))
        known = sender.heard(topic)
        outcomes.append(not ack.unheard if known is None else known)
    assert outcomes == [True, False]


async def test_a_cut_connection_fails_what_is_in_flight_and_only_that(stage):
    link = await stage.connected("a")
    done = link.publish("t/x", b"before")
    await acked(done)
    stage.hold()
    futures = [link.publish("t/x", b"1"), link.publish("t/x", b"2")]
    stage.cut()
    results = await asyncio.wait_for(asyncio.gather(*futures, return_exceptions=True), 10)
    assert [(type(lost), lost.alone) for lost in results] == [(LinkLost, False)] * 2
    assert (done.exception(), link.connected, link.free, bool(link.last_error)) == (None, False, 0, True)


async def test_a_publish_lost_alone_is_known_to_have_been_alone(stage):
    link = await stage.connected("a")
    stage.hold()
    future = link.publish("t/x", b"1")
    stage.cut()
    with pytest.raises(LinkLost) as lost:
        await acked(future)
    assert lost.value.alone


async def test_after_a_cut_the_link_connects_and_subscribes_again_and_repeats_nothing(stage):
    times = []
    heard = Heard()
    receiver = await stage.connected("b", on_connected=lambda: times.append(1))
    sender = await stage.connected("a")
    await receiver.subscribe("t/#", heard)
    stage.hold()
    lost = sender.publish("t/x", b"lost")
    stage.cut()
    with suppress(LinkLost):
        await acked(lost)
    stage.restore()
    for link in (receiver, sender):
        await asyncio.wait_for(link.wait_connected(), 10)
    await acked(sender.publish("t/x", b"after"))
    await eventually(lambda: ("t/x", b"after") in heard.messages)
    assert (len(times), heard.messages.count(("t/x", b"lost")) <= 1) == (2, True)


async def test_links_come_back_after_the_broker_was_restarted(stage):
    connects, heard = [], Heard()
    sender, receiver = [await stage.connected(name, on_connected=lambda: connects.append(1)) for name in ("a", "b")]
    await receiver.subscribe("t/#", heard)
    ends = len(connects)
    await stage.restart()
    await eventually(lambda: len(connects) == ends + 2 and sender.connected and receiver.connected, within=10)
    await acked(sender.publish("t/x", b"after"))
    await eventually(lambda: ("t/x", b"after") in heard.messages)


async def test_each_message_finds_its_handler(stage):
    sender, receiver = await stage.connected("a"), await stage.connected("b")
    one, other = Heard(), Heard()
    await receiver.subscribe("t/one/+", one)
    await receiver.subscribe("t/other/#", other)
    for topic in ("t/one/x", "t/other/x/y", "t/other"):
        await acked(sender.publish(topic, topic.encode()))
    await eventually(lambda: len(one) + len(other) == 3)
    assert (one.messages, other.messages) == (
        [("t/one/x", b"t/one/x")],
        [("t/other/x/y", b"t/other/x/y"), ("t/other", b"t/other")],
    )


async def test_a_handler_that_raises_stops_nothing(stage):
    sender, receiver, heard = await stage.connected("a"), await stage.connected("b"), Heard()

    async def fragile(topic, payload):
        await heard(topic, payload)
        raise RuntimeError("broken")

    await receiver.subscribe("t/#", fragile)
    for number in range(3):
        await acked(sender.publish("t/x", b"%d" % number))
    await eventually(lambda: len(heard) == 3)
    assert receiver.connected


async def test_handlers_start_in_the_order_of_arrival_without_waiting_for_each_other(stage):
    sender, receiver, started, open_ = await stage.connected("a"), await stage.connected("b"), [], asyncio.Event()

    async def slow(_, payload):
        started.append(int(payload))
        await open_.wait()

    await receiver.subscribe("t/#", slow)
    for number in range(5):
        await acked(sender.publish("t/x", b"%d" % number))
    await eventually(lambda: len(started) == 5)
    open_.set()
    assert started == list(range(5))


@only("memory", "mosquitto-v5", "mosquitto-v311")
async def test_a_message_whose_handler_had_not_returned_comes_again(stage):
    sender, receiver, started = await stage.connected("a"), await stage.connected("b"), []

    async def stuck_at_first(_, payload):
        started.append(payload)
        if len(started) == 1:
            await asyncio.Event().wait()

    await receiver.subscribe("t/#", stuck_at_first)
    await acked(sender.publish("t/x", b"again"))
    await eventually(lambda: len(started) == 1)
    await interrupt(stage, sender, receiver)
    await eventually(lambda: len(started) == 2)
    assert started == [b"again", b"again"]


async def test_a_message_whose_handler_returned_does_not_come_again(stage):
    sender, receiver, heard = await stage.connected("a"), await stage.connected("b"), Heard()
    await receiver.subscribe("t/#", heard)
    await acked(sender.publish("t/x", b"1"))
    await eventually(lambda: len(heard) == 1)
    await acked(receiver.publish("t/x", b"2"))  # behind the first one's acknowledgement
    await eventually(lambda: len(heard) == 2)
    await interrupt(stage, sender, receiver)
    await acked(sender.publish("t/x", b"3"))
    await eventually(lambda: ("t/x", b"3") in heard.messages)
    assert [payload for _, payload in heard.messages].count(b"1") == 1


async def test_a_filter_subscribed_before_the_connection_is_subscribed_with_it(stage):
    heard, receiver = Heard(), stage.link("b")
    await receiver.subscribe("t/#", heard)
    stage.run(receiver)
    sender = await stage.connected("a")
    await asyncio.wait_for(receiver.wait_connected(), 10)
    await acked(sender.publish("t/x", b"1"))
    await eventually(lambda: len(heard) == 1)


@only("memory", "mosquitto-v5", "embedded")
async def test_a_packet_that_the_broker_does_not_accept_is_not_sent(stage):
    link = await stage.connected("a")
    with pytest.raises(PacketTooLarge) as too_large:
        link.publish("t/x", b"x" * LARGEST)
    assert link.connected
    assert (too_large.value.limit, too_large.value.size > LARGEST) == (LARGEST, True)
    assert (await acked(link.publish("t/x", b"x" * (LARGEST - 100)))).denied is False


@only("mosquitto-v311")
async def test_where_the_limit_is_not_known_a_packet_beyond_it_ends_the_connection_at_once(stage):
    link = await stage.connected("a")
    began = time.monotonic()
    with pytest.raises(LinkLost) as lost:
        await acked(link.publish("t/x", b"x" * LARGEST))
    assert (lost.value.alone, time.monotonic() - began < 1) == (True, True)
    await asyncio.wait_for(link.wait_connected(), 10)


async def test_a_will_is_left_retained_when_the_connection_is_cut(stage):
    await stage.connected("a", will=Will(topic="t/card", payload=b"offline"))
    stage.cut()
    stage.restore()
    heard = Heard()
    watcher = await stage.connected("b")
    await watcher.subscribe("t/card", heard)
    await eventually(lambda: ("t/card", b"offline") in heard.messages)


async def test_no_will_is_left_when_the_link_stops(stage):
    watcher, heard = await stage.connected("b"), Heard()
    await watcher.subscribe("t/card", heard)
    leaver = stage.link("a", will=Will(topic="t/card", payload=b"offline"))
    task = stage.run(leaver)
    await asyncio.wait_for(leaver.wait_connected(), 10)
    lost = leaver.publish("t/card", b"online")
    await acked(lost)
    task.cancel()
    await asyncio.wait({task})
    await acked(watcher.publish("t/card", b"end"))
    await eventually(lambda: ("t/card", b"end") in heard.messages)
    assert (heard.messages, leaver.connected) == ([("t/card", b"online"), ("t/card", b"end")], False)


async def test_what_is_in_flight_when_the_link_stops_is_lost(stage):
    link = stage.link("a")
    task = stage.run(link)
    await asyncio.wait_for(link.wait_connected(), 10)
    stage.hold()
    future = link.publish("t/x", b"")
    task.cancel()
    with pytest.raises(LinkLost):
        await acked(future)


async def test_a_retained_message_waits_for_who_comes_later(stage):
    sender, heard = await stage.connected("a"), Heard()
    await acked(sender.publish("t/card", b"online", retain=True))
    late = await stage.connected("b")
    await late.subscribe("t/card", heard)
    await eventually(lambda: heard.messages == [("t/card", b"online")])


async def test_what_the_broker_had_kept_is_left_out_where_it_is_not_asked_for(stage):
    sender, live, all_, again = await stage.connected("a"), Heard(), Heard(), Heard()
    await acked(sender.publish("t/live", b"old", retain=True))
    await acked(sender.publish("t/all", b"old", retain=True))
    late = await stage.connected("b")
    await late.subscribe("t/live", live, qos=0, retained=False)
    await late.subscribe("t/again", again, retained=False)
    await late.subscribe("t/all", all_)
    await eventually(lambda: all_.messages == [("t/all", b"old")])
    await acked(sender.publish("t/live", b"new", retain=True))
    await acked(sender.publish("t/again", b"new", retain=True))
    await eventually(lambda: (len(live), len(again)) == (1, 1))
    await acked(late.publish("t/said", b"so the broker has seen what was acknowledged before it"))
    await interrupt(stage, sender, late)
    await acked(sender.publish("t/all", b"end"))
    await eventually(lambda: ("t/all", b"end") in all_.messages)
    assert (live.messages, again.messages) == ([("t/live", b"new")], [("t/again", b"new")])


async def test_what_is_new_is_left_out_where_only_what_the_broker_had_kept_is_asked_for(stage):
    sender, kept, end = await stage.connected("a"), Heard(), Heard()
    await acked(sender.publish("t/kept", b"old", retain=True))
    late = await stage.connected("b")
    await late.subscribe("t/end", end)
    await late.subscribe("t/kept", kept, new=False)
    await eventually(lambda: len(kept) == 1)
    await acked(sender.publish("t/kept", b"new", retain=True))
    await acked(sender.publish("t/end", b"1"))
    await eventually(lambda: len(end) == 1)
    assert kept.messages == [("t/kept", b"old")]
    await interrupt(stage, sender, late)
    await eventually(lambda: len(kept) == 2)
    assert kept.messages[1:] == [("t/kept", b"new")]


async def test_an_empty_retained_message_takes_back_what_the_broker_had_kept(stage):
    sender, heard = await stage.connected("a"), Heard()
    for payload in (b"old", b""):
        await acked(sender.publish("t/card", payload, retain=True))
    late = await stage.connected("b")
    await late.subscribe("t/#", heard)
    await acked(sender.publish("t/end", b"1"))
    await eventually(lambda: len(heard) == 1)
    assert heard.messages == [("t/end", b"1")]


async def test_with_qos_0_messages_come_in_order_to_a_handler_that_waits_for_nothing(stage):
    sender, receiver, heard = await stage.connected("a"), await stage.connected("b"), []

    def take(_: str, payload: bytes) -> None:
        heard.append(int(payload))
        if payload == b"3":
            raise RuntimeError("broken")

    await receiver.subscribe("t/#", take, qos=0)
    for number in range(50):
        await acked(sender.publish("t/x", b"%d" % number))
    await eventually(lambda: len(heard) == 50)
    assert (heard, receiver.connected) == (list(range(50)), True)


@only("memory", "mosquitto-v5", "mosquitto-v311")
async def test_with_qos_0_the_broker_keeps_nothing_while_the_link_is_away(stage):
    sender, kept, dropped = await stage.connected("a"), Heard(), Heard()
    receiver = stage.link("b")
    await receiver.subscribe("t/kept", kept)
    await receiver.subscribe("t/dropped", dropped, qos=0)
    task = stage.run(receiver)
    await asyncio.wait_for(receiver.wait_connected(), 10)
    task.cancel()
    await asyncio.wait({task})
    for topic in ("t/dropped", "t/kept"):
        await acked(sender.publish(topic, b"away"))
    stage.run(receiver)
    await eventually(lambda: kept.messages == [("t/kept", b"away")])
    await acked(sender.publish("t/dropped", b"there"))
    await eventually(lambda: len(dropped) > 0)
    assert dropped.messages == [("t/dropped", b"there")]


@only("memory", "embedded")
async def test_a_refused_subscription_is_raised(stage):
    link = await stage.connected("a")
    with pytest.raises(SubscriptionDenied, match="denied/#"):
        await link.subscribe("denied/#", Heard())
    assert link.connected


async def test_what_is_no_filter_is_refused(stage):
    link = await stage.connected("a")
    with pytest.raises(ValueError, match="not a topic filter"):
        await link.subscribe("t/#/x", Heard())
