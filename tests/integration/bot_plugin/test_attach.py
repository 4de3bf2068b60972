"""Handlers that come and go on a real Mosquitto, in both versions of MQTT: subscriptions, sessions, cards, outages."""

from __future__ import annotations

import asyncio
import logging
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot_plugin import Handlers, NameTaken, RemoteCommands, Signal, SignalListener
from bot_plugin.client import BotClient, ClientSettings
from bot_plugin.presence import decode_card
from bot_plugin.testing import build, topic_of
from schemas import envelope as envelopes
from schemas.card import Presence
from schemas.receipt import Stage
from tests.integration.bot_plugin.rig import Gateway, Mosquitto, connected, eventually

UNHEARD = 0x10


def strategy(name: str, source: str, seen: list[str]) -> Handlers:
    handlers = Handlers()

    @handlers.on_trade(source, name=name)
    async def act(signal: Signal) -> None:
        seen.append(signal.id)

    return handlers


async def heard(gateway: Gateway, listener: SignalListener, source: str) -> bool:
    """Whether anybody listens to a source, as the broker answers; the signal is expired."""
    envelope = build(listener, source=source, ttl=-1)
    return await gateway.link.publish(topic_of(listener, envelope), envelopes.encode(envelope)) != UNHEARD


async def until_heard(gateway: Gateway, listener: SignalListener, source: str, *, is_heard: bool = True) -> None:
    async with asyncio.timeout(8):
        while await heard(gateway, listener, source) != is_heard:
            await asyncio.sleep(0.02)


def shown(gateway: Gateway) -> list[tuple[str, tuple[str, ...]]]:
    """The cards that the bot showed, in order: their presence and their handlers."""
    found = [decode_card(message.payload) for message in gateway.messages if "/bot/" in message.topic]
    return [(card.presence, card.handlers) for card in found if card is not None]


async def test_the_brokers_subscriptions_follow_the_handlers(
    make_listener: Callable[..., SignalListener], gateway: Gateway, version: str
) -> None:
    """What is detached is unsubscribed though the session goes on for others, and the card is online throughout."""
    listener, seen = make_listener(mqtt_version=version), []
    one, two = strategy("one", "alpha", seen), strategy("two", "beta", seen)
    async with connected(listener):
        assert not await heard(gateway, listener, "alpha")
        listener.attach(one)
        listener.attach(two)
        await listener.wait_connected()
        assert await heard(gateway, listener, "alpha")
        assert await heard(gateway, listener, "beta")
        first = await gateway.send(listener, source="alpha")
        await gateway.settled(first)
        await listener.detach(one)
        await until_heard(gateway, listener, "alpha", is_heard=False)
        assert await heard(gateway, listener, "beta")
        second = await gateway.send(listener, source="beta")
        await gateway.settled(second)
        await listener.detach(two)
        await until_heard(gateway, listener, "beta", is_heard=False)
        await eventually(lambda: shown(gateway)[-1] == (Presence.ONLINE, ()))

    assert seen == [first, second]
    offline = [number for number, (presence, _) in enumerate(shown(gateway)) if presence is Presence.OFFLINE]
    assert offline in ([], [len(shown(gateway)) - 1])


async def test_the_broker_keeps_nothing_for_a_bot_that_listens_to_nothing(
    make_listener: Callable[..., SignalListener], gateway: Gateway, version: str, tmp_path: Path
) -> None:
    """A bot that is killed while a strategy is attached does not get, unattached, what its session kept."""
    listener, seen = make_listener(mqtt_version=version, state_dir=str(tmp_path / "same")), []
    handlers = strategy("one", "alpha", seen)
    listener.attach(handlers)
    async with connected(listener) as running:
        await until_heard(gateway, listener, "alpha")
        running.cancel()
        await asyncio.wait({running})
    kept = await gateway.send(listener, source="alpha")
    again = make_listener(mqtt_version=version, state_dir=str(tmp_path / "same"))
    async with connected(again):
        await until_heard(gateway, again, "alpha", is_heard=False)
        again.attach(handlers)
        await until_heard(gateway, again, "alpha")
        assert gateway.receipts(kept) == []
        fresh = await gateway.send(again, source="alpha")
        await gateway.settled(fresh)

    assert seen == [fresh]


async def test_what_a_killed_process_listened_to_is_not_listened_to_any_more(
    make_listener: Callable[..., SignalListener], gateway: Gateway, version: str, tmp_path: Path
) -> None:
    """A process that comes after a crash and wants less drops the rest from the session that the broker kept."""
    same = {"mqtt_version": version, "state_dir": str(tmp_path / "same")}
    listener, seen = make_listener(**same), []
    listener.attach(strategy("one", "alpha", seen))
    listener.attach(strategy("two", "beta", seen))
    async with connected(listener) as running:
        await until_heard(gateway, listener, "alpha")
        running.cancel()
        await asyncio.wait({running})
    again = make_listener(**same)
    again.attach(strategy("two", "beta", seen))
    async with connected(again):
        await until_heard(gateway, again, "alpha", is_heard=False)
        assert await heard(gateway, again, "beta")
        id_ = await gateway.send(again, source="beta")
        await gateway.settled(id_)

    assert seen == [id_]


async def test_strategies_that_come_and_go_all_the_time_take_nothing_from_another(
    make_listener: Callable[..., SignalListener], gateway: Gateway, version: str
) -> None:
    """Of 200 signals of a strategy that stays each runs once, in order, while others come and go fifty times."""
    listener, seen, others = make_listener(mqtt_version=version), [], []
    guests = [strategy(f"guest{number}", f"guest{number}", others) for number in range(3)]
    listener.attach(strategy("stays", "alpha", seen))
    async with connected(listener):
        await until_heard(gateway, listener, "alpha")

        async def come_and_go() -> None:
            for number in range(50):
                guest = guests[number % 3]
                listener.attach(guest)
                await asyncio.sleep(0.01)
                await listener.detach(guest)

        going = asyncio.create_task(come_and_go())
        ids = [await gateway.send(listener, source="alpha", ttl=300) for _ in range(200)]
        await going
        await eventually(lambda: len(set(seen)) == 200, within=20)

    assert Counter(seen) == Counter(ids)
    assert seen == ids
    cards = shown(gateway)
    assert [presence for presence, _ in cards][:1] == [Presence.CLAIM]
    assert {presence for presence, _ in cards[1:-1]} == {Presence.ONLINE}


async def test_commands_are_answered_while_strategies_come_and_go(
    make_listener: Callable[..., SignalListener], gateway: Gateway, broker: Mosquitto
) -> None:
    """The connection for commands stays: a client gets each answer, also from the commands that attach and detach."""
    listener, seen = make_listener(), []
    handlers = strategy("one", "alpha", seen)

    class Target:
        async def start(self, request: object) -> str:
            listener.attach(handlers)
            return "attached"

        async def stop(self, request: object) -> str:
            await listener.detach(handlers)
            return "detached"

    listener.serve(RemoteCommands(Target()))
    async with connected(listener), BotClient(ClientSettings(host="127.0.0.1", port=broker.port)) as client:
        for _ in range(10):
            assert (await client.start("demo")).msg == "attached"
            assert (await client.stop("demo")).msg == "detached"
        assert (await client.start("demo")).msg == "attached"
        await until_heard(gateway, listener, "alpha")
        id_ = await gateway.send(listener, source="alpha")
        await gateway.settled(id_)

    assert seen == [id_]


async def test_what_changes_during_an_outage_counts_when_the_broker_is_back(
    make_listener: Callable[..., SignalListener], gateway: Gateway, broker: Mosquitto, version: str
) -> None:
    """Attach and detach need no broker, and detach does not wait for one."""
    listener, seen = make_listener(mqtt_version=version), []
    one, two = strategy("one", "alpha", seen), strategy("two", "beta", seen)
    listener.attach(one)
    async with connected(listener):
        await until_heard(gateway, listener, "alpha")
        broker.kill()
        await eventually(lambda: not gateway.link.connected)
        async with asyncio.timeout(2):
            await listener.detach(one)
        listener.attach(two)
        broker.start()
        await eventually(lambda: gateway.link.connected, within=20)
        await until_heard(gateway, listener, "beta")
        assert not await heard(gateway, listener, "alpha")
        id_ = await gateway.send(listener, source="beta")
        await gateway.settled(id_)

    assert seen == [id_]


async def test_a_topic_that_the_broker_denies_one_strategy_takes_nothing_from_another(
    make_broker: Callable[..., Mosquitto],
    make_listener: Callable[..., SignalListener],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The refusal is an error in the log that names the topic; the others, and later ones, are heard."""
    acl = tmp_path / "acl"
    allowed = ("readwrite signals/v1/bot/#", "readwrite signals/v1/receipt/#", "read signals/v1/receipted/#")
    acl.write_text("\n".join(f"topic {one}" for one in (*allowed, "readwrite signals/v1/trade/alpha/#", "read hbot/#")))
    broker = make_broker(f"acl_file {acl}\n" + ("user root\n" if os.geteuid() == 0 else ""))
    gateway = Gateway(broker.port)
    running = asyncio.ensure_future(gateway.link.run(gateway.receive, lambda: None))
    listener, seen = make_listener(port=broker.port, mqtt_version="5"), []
    try:
        await eventually(lambda: gateway.link.connected)
        async with connected(listener):
            listener.attach(strategy("one", "alpha", seen))
            listener.attach(strategy("two", "forbidden", seen))
            await until_heard(gateway, listener, "alpha")
            id_ = await gateway.send(listener, source="alpha")
            await gateway.settled(id_)
    finally:
        running.cancel()
        await asyncio.wait({running})

    assert seen == [id_]
    denied = [record for record in caplog.records if "does not let" in record.message]
    assert not denied or all(record.levelno == logging.ERROR for record in denied)


async def test_nobody_else_gets_the_name_while_strategies_come_and_go(
    make_listener: Callable[..., SignalListener], gateway: Gateway
) -> None:
    """A second process that starts in between is told that the name is in use, and the first one goes on."""
    listener, seen = make_listener(), []
    guest = strategy("guest", "alpha", [])
    listener.attach(strategy("stays", "beta", seen))
    async with connected(listener) as first:
        await until_heard(gateway, listener, "beta")

        async def come_and_go() -> None:
            while True:
                listener.attach(guest)
                await asyncio.sleep(0.03)
                await listener.detach(guest)

        going = asyncio.create_task(come_and_go())
        for _ in range(3):
            with pytest.raises(NameTaken):
                await make_listener().run()
        going.cancel()
        await asyncio.wait({going})
        id_ = await gateway.send(listener, source="beta")
        await gateway.settled(id_)
        assert not first.done()

    assert seen == [id_]


async def test_orders_reach_the_gateway_after_the_callbacks_last_receipt(
    make_listener: Callable[..., SignalListener], gateway: Gateway
) -> None:
    """On the wire HANDLED comes before FILLED, and both name the order."""
    listener, handlers = make_listener(), Handlers()

    @handlers.on_trade("alpha")
    async def act(signal: Signal) -> None:
        signal.placed("HBOT-17")
        signal.filled("0.5 at 100")

    listener.attach(handlers)
    async with connected(listener):
        await until_heard(gateway, listener, "alpha")
        id_ = await gateway.send(listener, source="alpha")
        await eventually(lambda: any(receipt.stage is Stage.FILLED for receipt in gateway.receipts(id_)))

    final: list[Any] = [(each.stage, each.order_ids) for each in gateway.receipts(id_) if each.stage.final]
    assert final[:2] == [(Stage.HANDLED, ("HBOT-17",)), (Stage.FILLED, ("HBOT-17",))]
