"""The fake broker fails on demand."""

from __future__ import annotations

import asyncio

import pytest

from gateway.mqtt import LinkLost, Version
from gateway.mqtt.memory import MemoryBroker, MemoryLink, Published


@pytest.fixture
async def broker():
    return MemoryBroker()


@pytest.fixture
async def link(broker):
    link = MemoryLink(broker)
    task = asyncio.create_task(link.run())
    await link.wait_connected()
    yield link
    task.cancel()
    await asyncio.wait({task})


async def test_it_remembers_what_was_published_with_its_properties(broker, link):
    await link.publish("t/x", b"1", expiry=60, content_type="text/plain", properties=[("id", "7")])
    assert broker.published == [
        Published(topic="t/x", payload=b"1", expiry=60, content_type="text/plain", properties=(("id", "7"),))
    ]


async def test_a_link_of_3_1_1_leaves_properties_and_reasons_out(broker):
    broker.deny("denied")
    link = MemoryLink(broker, version=Version.V311)
    task = asyncio.create_task(link.run())
    await link.wait_connected()
    assert (await link.publish("t/x", b"1", expiry=60, properties=[("id", "7")])).reason == 0
    assert (await link.publish("denied", b"1")).reason == 0
    assert broker.published == [Published(topic="t/x", payload=b"1")]
    task.cancel()


async def test_it_hangs_up_on_a_message_that_it_was_told_to_hate(broker, link):
    broker.hang_up_on(lambda message: message.payload == b"poison")
    with pytest.raises(LinkLost) as lost:
        await link.publish("t/x", b"poison")
    await link.wait_connected()
    assert (lost.value.alone, broker.published) == (True, [])


async def test_it_holds_acknowledgements_until_they_are_released(broker, link):
    broker.hold()
    future = link.publish("t/x", b"1")
    await asyncio.sleep(0)
    assert (future.done(), len(broker.published), link.free) == (False, 1, 15)
    broker.release()
    assert (await future).denied is False


async def test_two_links_with_one_client_id_are_a_mistake_of_the_test(broker, link):
    with pytest.raises(ValueError, match="'gateway'"):
        await MemoryLink(broker).run()
    assert link.connected


async def test_it_tells_who_listens_only_where_its_tables_may_be_asked(broker, link):
    asking = MemoryLink(broker, client_id="b", tables=True)

    async def handler(topic, payload): ...

    await link.subscribe("t/+", handler)
    assert (link.heard("t/x"), asking.heard("t/x"), asking.heard("u/x")) == (None, True, False)
