"""A bot on a real Mosquitto, in both versions of MQTT: signals in, receipts and cards out."""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot_plugin import NameTaken, Signal, SignalListener
from bot_plugin.presence import encode_card
from schemas import envelope as envelopes
from schemas.card import BotCard, BotCardSchema, Presence
from schemas.receipt import Stage
from schemas.record import load
from tests.integration.bot_plugin.rig import Gateway, Mosquitto, connected, eventually, task

ROOT = Path(__file__).parents[3]

Make = Callable[..., SignalListener]


def cards(gateway: Gateway) -> list[Any]:
    return [
        load(BotCardSchema, envelopes.decode(message.payload).data)
        for message in gateway.messages
        if message.topic == "signals/v1/bot/demo"
    ]


async def test_a_signal_reaches_the_callback_and_its_receipt_comes_back(
    make_listener: Make, gateway: Gateway, version: str
) -> None:
    listener = make_listener(mqtt_version=version)
    seen: list[Signal] = []

    @listener.on_trade("btc-breakout", pair="BTC-USDT")
    async def act(signal: Signal) -> None:
        seen.append(signal)

    async with connected(listener):
        id_ = await gateway.send(listener, source="btc-breakout", quantity="0.5")
        [receipt] = await gateway.settled(id_)

    assert [signal.id for signal in seen] == [id_]
    assert (receipt.stage, receipt.handler, receipt.bot) == (Stage.HANDLED, "act", "demo")


async def test_signals_sent_while_the_bot_was_away_arrive_when_it_comes_back_each_once_in_order(
    make_listener: Make, gateway: Gateway, version: str
) -> None:
    listener = make_listener(mqtt_version=version)
    seen: list[str] = []

    @listener.on_trade()
    async def act(signal: Signal) -> None:
        seen.append(signal.id)

    async with connected(listener):
        pass
    sent = [await gateway.send(listener) for _ in range(30)]
    async with connected(listener):
        await eventually(lambda: len(seen) >= 30)

    assert seen == sent


async def test_a_broker_that_was_killed_is_found_again(
    make_listener: Make, broker: Mosquitto, gateway: Gateway
) -> None:
    listener = make_listener()
    seen: list[str] = []

    @listener.on_trade()
    async def act(signal: Signal) -> None:
        seen.append(signal.id)

    async with connected(listener):
        broker.kill()
        broker.start()
        await eventually(lambda: gateway.link.connected)
        await eventually(lambda: len([card for card in cards(gateway) if card.presence is Presence.ONLINE]) >= 2)
        id_ = await gateway.send(listener)
        await gateway.settled(id_)

    assert seen == [id_]


async def test_the_card_shows_what_the_bot_wants_and_says_goodbye(
    make_listener: Make, gateway: Gateway, version: str
) -> None:
    listener = make_listener(mqtt_version=version, modes=("live", "test"))

    @listener.on_trade("x", name="first")
    async def act(signal: Signal) -> None: ...

    async with connected(listener):
        await eventually(lambda: any(card.presence is Presence.ONLINE for card in cards(gateway)))
    await eventually(lambda: cards(gateway)[-1].presence is Presence.OFFLINE)

    online = next(card for card in cards(gateway) if card.presence is Presence.ONLINE)
    assert online.handlers == ("first",)
    assert online.subscriptions == ("signals/v1/trade/x/+", "signals-test/v1/trade/x/+")
    assert online.modes == ("live", "test")
    assert online.durable is True
    assert online.clock is not None


async def test_the_example_prints_what_it_gets_and_a_kill_is_shown_by_the_broker(
    make_listener: Make, broker: Mosquitto, gateway: Gateway, tmp_path: Path
) -> None:
    environ = {
        "SIGNAL_GATEWAY_BOT": "demo",
        "SIGNAL_GATEWAY_MQTT_PORT": str(broker.port),
        "SIGNAL_GATEWAY_STATE_DIR": str(tmp_path / "state"),
        "PYTHONPATH": str(ROOT),
    }
    bot = await asyncio.create_subprocess_exec(
        sys.executable, str(ROOT / "examples" / "print_signals.py"), env=environ, stdout=asyncio.subprocess.PIPE
    )
    assert bot.stdout is not None
    try:
        await eventually(lambda: any(card.presence is Presence.ONLINE for card in cards(gateway)))
        id_ = await gateway.send(make_listener(), source="tv", quantity="0.5", message="\x1b[31mred")
        await gateway.settled(id_)

        assert (await bot.stdout.readline()).decode() == "bot demo listens\n"
        line = (await bot.stdout.readline()).decode()
        assert line == f"trade live tv buy BTC-USDT 0.5 \\x1b[31mred id={id_}\n"
    finally:
        bot.kill()
        await bot.wait()
    await eventually(lambda: cards(gateway)[-1].presence is Presence.OFFLINE)


PROGRAM = """
from bot_plugin import PluginSettings, SignalListener
listener = SignalListener(PluginSettings(bot="demo", port={port}, state_dir={state!r}))
@listener.on_trade("*")
async def act(signal): ...
listener.main()
"""


async def program(broker: Mosquitto, state: Path) -> asyncio.subprocess.Process:
    text = PROGRAM.format(port=broker.port, state=str(state))
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", text, env={"PYTHONPATH": str(ROOT)}, stderr=asyncio.subprocess.PIPE
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_program_says_goodbye_when_it_is_told_to_stop(
    broker: Mosquitto, gateway: Gateway, tmp_path: Path, number: signal.Signals
) -> None:
    bot = await program(broker, tmp_path)
    await eventually(lambda: any(card.presence is Presence.ONLINE for card in cards(gateway)))
    bot.send_signal(number)

    _, said = await bot.communicate()
    assert (bot.returncode, said) == (0, b"")
    assert cards(gateway)[-1].presence is Presence.OFFLINE


async def test_a_program_that_cannot_run_says_why_in_one_line(broker: Mosquitto, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    bot = await program(broker, tmp_path / "file")

    _, said = await bot.communicate()
    assert bot.returncode == 1
    assert b"Traceback" not in said
    assert b"cannot be written" in said


async def test_the_example_with_a_queue_acts_at_its_ticks(
    make_listener: Make, broker: Mosquitto, gateway: Gateway, tmp_path: Path
) -> None:
    environ = {
        "SIGNAL_GATEWAY_BOT": "demo",
        "SIGNAL_GATEWAY_MQTT_PORT": str(broker.port),
        "SIGNAL_GATEWAY_STATE_DIR": str(tmp_path / "state"),
        "PYTHONPATH": str(ROOT),
    }
    bot = await asyncio.create_subprocess_exec(
        sys.executable, str(ROOT / "examples" / "queue_strategy.py"), env={**environ, "TICK": "0.01"}
    )
    try:
        await eventually(lambda: any(card.presence is Presence.ONLINE for card in cards(gateway)))
        id_ = await gateway.send(make_listener(), source="tv")
        await eventually(lambda: len([r for r in gateway.receipts(id_) if r.stage is Stage.HANDLED]) == 2)
    finally:
        bot.kill()
        await bot.wait()


async def test_a_second_process_with_the_same_name_says_so_and_stops_while_the_first_goes_on(
    make_listener: Make, gateway: Gateway, version: str
) -> None:
    first, second = make_listener(mqtt_version=version), make_listener(mqtt_version=version)

    @first.on_trade()
    async def act(signal: Signal) -> None: ...

    async with connected(first) as running:
        with pytest.raises(NameTaken, match="bot name 'demo' is in use by another process"):
            await asyncio.wait_for(second.run(), 10)
        receipts = await gateway.settled(await gateway.send(first))

        assert not running.done()
    assert receipts[-1].stage is Stage.HANDLED
    assert sum(card.presence is Presence.OFFLINE for card in cards(gateway)) <= 1


async def test_of_two_processes_that_start_at_once_one_goes_on(make_listener: Make, version: str) -> None:
    listeners = [make_listener(mqtt_version=version) for _ in range(2)]
    runs = [asyncio.ensure_future(listener.run()) for listener in listeners]
    try:
        done, left = await asyncio.wait(runs, timeout=10, return_when=asyncio.FIRST_COMPLETED)

        assert len(done) == 1
        with pytest.raises(NameTaken):
            done.pop().result()
        survivor = listeners[runs.index(left.pop())]
        await asyncio.wait_for(survivor.wait_connected(), 5)
    finally:
        for listener in listeners:
            listener.stop()
        await asyncio.wait(runs)


async def test_a_card_left_by_a_crash_does_not_keep_the_name(make_listener: Make, gateway: Gateway) -> None:
    stale = BotCard(bot="demo", presence=Presence.ONLINE, instance="long-gone")
    await gateway.link.publish("signals/v1/bot/demo", encode_card(stale, now=0), retain=True)
    listener = make_listener()

    async with connected(listener):
        await eventually(lambda: cards(gateway)[-1].instance != "long-gone")


async def test_of_two_processes_that_fight_for_the_session_the_one_that_comes_back_yields(
    make_listener: Make, gateway: Gateway, version: str
) -> None:
    first, second = make_listener(mqtt_version=version), make_listener(mqtt_version=version)

    async with connected(first) as yielding, task(second.run(claim=False)):
        await asyncio.wait({yielding}, timeout=10)

        with pytest.raises(NameTaken):
            yielding.result()


async def test_a_listener_runs_in_a_thread_beside_another_loop(
    make_listener: Make, gateway: Gateway, version: str
) -> None:
    listener = make_listener(mqtt_version=version)
    queue = listener.queue("x")
    latest = listener.latest("x", pair="ETH-USDT")
    threads: list[int] = []

    @listener.on_alert()
    def act(signal: Signal) -> None:
        threads.append(threading.get_ident())

    with listener.in_thread():
        id_ = await gateway.send(listener, source="x")
        async with queue.get() as signal:
            assert signal.id == id_
        [receipt] = await gateway.settled(id_)
        assert (receipt.stage, receipt.handler) == (Stage.HANDLED, "queue:x")

        newest = await gateway.send(listener, source="x", pair="ETH-USDT")
        seen = await eventually(latest.get)
        assert seen.id == newest

        alert = await gateway.send(listener, action=None, pair=None, message="hello")
        await gateway.settled(alert)
        assert threads[0] != threading.get_ident()


async def test_a_raw_topic_reaches_its_handler(make_listener: Make, gateway: Gateway) -> None:
    listener = make_listener()
    seen: list[tuple[str, bytes]] = []

    @listener.on_topic("any/+/filter")
    async def raw(topic: str, payload: bytes) -> None:
        seen.append((topic, payload))

    async with connected(listener):
        await gateway.link.publish("any/mqtt/filter", b"\x00bytes")
        await eventually(lambda: seen)

    assert seen == [("any/mqtt/filter", b"\x00bytes")]
