"""What every Link promises, kept by the real one in both versions of MQTT and by the fake that bot authors use."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from typing import Any

import pytest

from bot_plugin.errors import LinkLost, TakenOver
from bot_plugin.reconnecting import MqttLink
from bot_plugin.testing import FakeBroker
from bot_plugin.transport import V5, V311, Link, LinkSettings, Message, Will
from tests.integration.bot_plugin.rig import Mosquitto, eventually, task

_names = itertools.count()


class World:
    """A broker of some kind, and clients of it."""

    def __init__(self, kind: str, make_broker: Callable[..., Mosquitto]) -> None:
        self.kind = kind
        self.fake = FakeBroker() if kind == "fake" else None
        self.mosquitto = None if self.fake else make_broker()

    @property
    def tells_reasons(self) -> bool:
        return self.kind != "3.1.1"

    def settings(self, **settings: Any) -> LinkSettings:
        given: dict[str, Any] = {
            "host": "127.0.0.1",
            "client_id": f"client{next(_names)}",
            "backoff": (0.01, 0.1),
            "clean": True,
            **settings,
        }
        if self.mosquitto is not None:
            given |= {"port": self.mosquitto.port, "versions": (V5,) if self.kind == "5" else (V311,)}
        return LinkSettings(**given)

    def link(self, **settings: Any) -> Link:
        given = self.settings(**settings)
        return self.fake.link(given) if self.fake else MqttLink(given)


@pytest.fixture(params=["fake", "5", "3.1.1"])
async def world(request: pytest.FixtureRequest, make_broker: Callable[..., Mosquitto]) -> World:
    return World(request.param, make_broker)


class Client:
    def __init__(self, link: Link) -> None:
        self.link = link
        self.got: list[Message] = []
        self.connections = 0

    async def receive(self, message: Message) -> None:
        self.got.append(message)

    def connected(self) -> None:
        self.connections += 1

    def run(self) -> Any:
        return task(self.link.run(self.receive, self.connected))

    async def up(self) -> None:
        await eventually(lambda: self.connections and self.link.connected)


async def test_what_is_published_arrives_in_order_and_is_acknowledged(world: World) -> None:
    reader, writer = Client(world.link(filters=("a/+",))), Client(world.link())
    async with reader.run(), writer.run():
        await reader.up()
        await writer.up()
        for number in range(200):
            await eventually(lambda: writer.link.free)
            reason = await writer.link.publish(f"a/{number % 3}", str(number).encode())
            assert reason == 0
        await eventually(lambda: len(reader.got) == 200)

    assert [message.payload for message in reader.got] == [str(number).encode() for number in range(200)]


async def test_a_publish_that_nobody_listens_to_says_so_where_the_version_can(world: World) -> None:
    writer = Client(world.link())
    async with writer.run():
        await writer.up()
        reason = await writer.link.publish("nobody/listens", b"")

    assert reason == (0x10 if world.tells_reasons else 0)


async def test_a_publish_without_an_acknowledgement_arrives_and_takes_no_place(world: World) -> None:
    reader, writer = Client(world.link(filters=("a",))), Client(world.link())
    async with reader.run(), writer.run():
        await reader.up()
        await writer.up()
        free = writer.link.free
        sent = [writer.link.publish("a", str(number).encode(), qos=0) for number in range(2 * free)]

        assert (writer.link.free, [future.result() for future in sent]) == (free, [0] * 2 * free)
        await eventually(lambda: len(reader.got) == 2 * free)


async def test_a_publish_without_an_acknowledgement_needs_a_connection_too(world: World) -> None:
    link = world.link()

    with pytest.raises(LinkLost):
        link.publish("a", b"", qos=0)


async def test_a_retained_message_is_there_for_who_comes_later_and_is_marked(world: World) -> None:
    writer, reader = Client(world.link()), Client(world.link(filters=("card",)))
    async with writer.run():
        await writer.up()
        await writer.link.publish("card", b"here", retain=True)
        async with reader.run():
            await eventually(lambda: reader.got)

    assert reader.got == [Message(topic="card", payload=b"here", retained=True)]


async def test_an_unacknowledged_message_comes_again_after_a_reconnect(world: World) -> None:
    stuck = asyncio.Event()
    got: list[bytes] = []

    async def never(message: Message) -> None:
        got.append(message.payload)
        await stuck.wait()

    name = {"client_id": "keeper", "clean": False, "filters": ("a",)}
    keeper, writer = Client(world.link(**name)), Client(world.link())
    async with writer.run():
        await writer.up()
        async with task(keeper.link.run(never, keeper.connected)):
            await keeper.up()
            await writer.link.publish("a", b"1")
            await eventually(lambda: got)
        again = Client(world.link(**name))
        async with again.run():
            await eventually(lambda: again.got)
    stuck.set()
    await asyncio.sleep(0)

    assert [message.payload for message in again.got] == [b"1"]


async def test_messages_wait_for_an_absent_session(world: World) -> None:
    name = {"client_id": "keeper", "clean": False, "filters": ("a",)}
    writer = Client(world.link())
    async with writer.run():
        await writer.up()
        first = Client(world.link(**name))
        async with first.run():
            await first.up()
        for number in range(5):
            await writer.link.publish("a", str(number).encode())
        second = Client(world.link(**name))
        async with second.run():
            await eventually(lambda: len(second.got) == 5)

    assert [message.payload for message in second.got] == [b"0", b"1", b"2", b"3", b"4"]


async def test_a_publish_without_a_connection_is_refused(world: World) -> None:
    link = world.link()

    assert link.free == 0
    with pytest.raises(LinkLost):
        link.publish("a", b"")


async def test_a_taken_over_session_is_told_where_the_version_can(world: World) -> None:
    if world.kind != "fake":
        return  # Mosquitto 2.0 closes without a reason; test_gmqtt.py has a broker that says it
    first, second = Client(world.link(client_id="same")), Client(world.link(client_id="same"))
    async with first.run() as running:
        await first.up()
        async with second.run():
            await second.up()
            await asyncio.wait({running}, timeout=5)

            with pytest.raises(TakenOver):
                running.result()


async def test_a_goodbye_publishes_no_will(world: World) -> None:
    reader = Client(world.link(filters=("will", "end")))
    leaver = Client(world.link(will=Will(topic="will", payload=b"gone")))
    async with reader.run():
        await reader.up()
        async with leaver.run():
            await leaver.up()
        writer = Client(world.link())
        async with writer.run():
            await writer.up()
            await writer.link.publish("end", b"")
        await eventually(lambda: reader.got)

    assert [message.topic for message in reader.got] == ["end"]


async def test_a_renewed_link_listens_to_other_topics_at_once_and_nobody_takes_it_for_lost(world: World) -> None:
    """The session is the same, what is not wanted is dropped from it, and neither will nor ``before`` come into it."""
    will = Will(topic="will", payload=b"lost")
    given = {"client_id": f"renewed{next(_names)}", "clean": False, "will": will}
    reader = Client(world.link(filters=("a", "b"), **given))
    writer, watch = Client(world.link()), Client(world.link(filters=("will",)))
    asked: list[int] = []

    async def before() -> None:
        asked.append(reader.connections)

    async with task(reader.link.run(reader.receive, reader.connected, before)), writer.run(), watch.run():
        for client in (reader, writer, watch):
            await client.up()
        reader.link.renew(world.settings(filters=("b", "c"), dropped=("a",), **given))
        await eventually(lambda: reader.connections == 2)
        await reader.up()
        for topic in ("a", "b", "c"):
            await writer.link.publish(topic, topic.encode())
        await eventually(lambda: len(reader.got) == 2)

    assert [message.topic for message in reader.got] == ["b", "c"]
    assert (asked, watch.got) == ([0], [])


async def test_a_link_that_is_renewed_while_much_is_on_its_way_says_goodbye_all_the_same(world: World) -> None:
    """The broker has the goodbye before the next connection, else it publishes the will of a client that lives."""
    will = Will(topic="will", payload=b"lost")
    given = {"client_id": f"renewed{next(_names)}", "clean": False, "will": will}
    busy, watch = Client(world.link(filters=("a",), **given)), Client(world.link(filters=("will",)))
    async with busy.run(), watch.run():
        await watch.up()
        for number in range(20):
            await eventually(lambda number=number: busy.connections == number + 1)
            await busy.up()
            for _ in range(min(busy.link.free, 60)):
                busy.link.publish("a", b"x")
            busy.link.renew(world.settings(filters=("a",), **given))
        await eventually(lambda: busy.connections == 21)
        await asyncio.sleep(0.05)

    assert watch.got == []


@pytest.mark.parametrize("world", ["5", "3.1.1"], indirect=True)
async def test_a_link_that_is_renewed_during_an_outage_has_what_is_wanted_at_the_next_attempt(world: World) -> None:
    """It does not sit out the pause between two attempts."""
    assert world.mosquitto is not None
    given = {"client_id": f"renewed{next(_names)}"}
    reader, writer = Client(world.link(filters=("a",), backoff=(60.0, 60.0), **given)), Client(world.link())
    async with reader.run():
        await reader.up()
        world.mosquitto.kill()
        await eventually(lambda: not reader.link.connected)
        await asyncio.sleep(0.05)
        world.mosquitto.start()
        reader.link.renew(world.settings(filters=("b",), **given))
        async with writer.run():
            await writer.up()
            await eventually(lambda: reader.connections == 2, within=5)
            await writer.link.publish("b", b"heard")
            await eventually(lambda: reader.got)
