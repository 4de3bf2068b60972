"""A bot that tells of itself: what is on the wire, when, in which order, and what becomes of it without a broker."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from bot_plugin import PluginSettings, SignalListener
from bot_plugin.commands import RemoteCommands
from bot_plugin.errors import LinkLost
from bot_plugin.telemetry import Telemetry, sender
from bot_plugin.telemetry.sender import Sender
from bot_plugin.testing import FakeBroker, FakeLink, Rig, running
from bot_plugin.transport import LinkSettings
from schemas.telemetry import (
    Heartbeat,
    InternalEvent,
    LogLine,
    Notification,
    Performance,
    StatusUpdate,
    read,
)
from tests.brokers import eventually

DEMO = PluginSettings(bot="demo", grace=0.05)
AT = 1_786_000_000_000_000


@pytest.fixture
def bot() -> SignalListener:
    return SignalListener(DEMO, now=lambda: AT)


def told(broker: FakeBroker, *channels: str) -> list[Any]:
    """What was told, in order; on these channels or all."""
    split = [(message.topic.rpartition("/"), message.payload) for message in broker.published]
    return [
        read(channel, payload)
        for (tree, _, channel), payload in split
        if tree == "hbot/demo" and (not channels or channel in channels)
    ]


async def connected(rig: Rig, *, times: int = 1) -> None:
    await eventually(lambda: len(told(rig.broker, "status_updates")) >= times)


async def test_a_connected_bot_is_online_and_beats_at_once_and_says_offline_last(bot: SignalListener) -> None:
    async with running(bot) as rig:
        await connected(rig)
        bot.telemetry.notify("hello")

    assert told(rig.broker) == [
        StatusUpdate(msg="online", at=AT),
        Heartbeat(at=AT),
        Notification(msg="hello", at=AT),
        StatusUpdate(msg="offline", at=AT),
    ]
    assert not [topic for topic in rig.broker.retained if topic.startswith("hbot/")]


async def test_it_beats_on_and_on(bot: SignalListener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sender, "HEARTBEAT", 0.02)
    async with running(bot) as rig:
        await eventually(lambda: len(told(rig.broker, "hb")) >= 4)


async def test_each_connection_begins_with_online_and_a_heartbeat(bot: SignalListener) -> None:
    async with running(bot) as rig:
        await connected(rig)
        rig.broker.drop("signals.demo.cmd")
        await connected(rig, times=2)
        await eventually(lambda: len(told(rig.broker, "hb")) == 2)

    assert [update.msg for update in told(rig.broker, "status_updates")] == ["online", "online", "offline"]


async def test_what_was_told_before_the_start_is_sent_when_connected(bot: SignalListener) -> None:
    bot.telemetry.notify("early")
    bot.telemetry.event("early")
    async with running(bot) as rig:
        await eventually(lambda: len(told(rig.broker, "notify", "events")) == 2)


async def test_any_thread_may_tell(bot: SignalListener) -> None:
    async with running(bot) as rig:
        await connected(rig)
        threads = [threading.Thread(target=bot.telemetry.notify, args=[f"{number}"]) for number in range(4)]
        for thread in threads:
            thread.start()
        await eventually(lambda: len(told(rig.broker, "notify")) == 4)


@dataclass
class Filled:
    timestamp: float
    order_id: str
    amount: Decimal


@pytest.mark.parametrize(
    ("data", "event"),
    [
        (None, InternalEvent(type="x", data={}, at=AT)),
        (
            Filled(timestamp=1_786_000_001.5, order_id="HBOT-1", amount=Decimal("0.01")),
            InternalEvent(type="x", data={"order_id": "HBOT-1", "amount": 0.01}, at=AT + 1_000_000),
        ),
        (
            {"timestamp": Decimal(1_786_000_002), "side": "buy"},
            InternalEvent(type="x", data={"side": "buy"}, at=AT + 2_000_000),
        ),
    ],
)
async def test_an_event_is_told_with_its_own_time(bot: SignalListener, data: Any, event: InternalEvent) -> None:
    async with running(bot) as rig:
        bot.telemetry.event("x", data)
        await eventually(lambda: told(rig.broker, "events"))

    assert told(rig.broker, "events") == [event]


async def test_snapshots_are_told_and_the_latest_wins(bot: SignalListener) -> None:
    bot.telemetry.performance({"a": {"performance": {"net_pnl_quote": Decimal(1)}}})
    bot.telemetry.performance({"a": {"performance": {"net_pnl_quote": Decimal("1.5")}}})
    async with running(bot) as rig:
        await eventually(lambda: told(rig.broker, "performance"))

    assert told(rig.broker, "performance") == [Performance(controllers={"a": {"performance": {"net_pnl_quote": 1.5}}})]


@pytest.mark.parametrize(
    "tell",
    [
        lambda telemetry: telemetry.event("x", 7),
        lambda telemetry: telemetry.event("x", {"x": object.__new__(Unprintable)}),
        lambda telemetry: telemetry.performance({"a": 7}),
        lambda telemetry: telemetry.performance(None),
        lambda telemetry: telemetry.notify(object.__new__(Unprintable)),
    ],
)
def test_what_cannot_be_told_raises_nothing_and_is_in_the_log(
    bot: SignalListener, tell: Callable[[Telemetry], None], caplog: pytest.LogCaptureFixture
) -> None:
    tell(bot.telemetry)

    assert "cannot be told" in caplog.text


class Unprintable:
    def __str__(self) -> str:
        raise ZeroDivisionError


async def test_each_switch_silences_its_own_channel(caplog: pytest.LogCaptureFixture) -> None:
    bot = SignalListener(PluginSettings(bot="demo", grace=0.05, logger=False, notifier=False, events=False))
    async with running(bot) as rig:
        await connected(rig)
        bot.telemetry.notify("x")
        bot.telemetry.event("x")
        bot.telemetry._log(LogLine(msg="x"))
        bot.telemetry.performance({"a": {}})
        await eventually(lambda: told(rig.broker, "performance"))

    assert told(rig.broker, "notify", "events", "log") == []
    assert len(told(rig.broker, "hb")) == 1


class Idle:
    """A bot with a command."""

    def status(self, given: object) -> str:
        return "idle"


@pytest.mark.parametrize(("commands", "code"), [(True, 0), (False, 0x10)])
async def test_with_commands_switched_off_none_is_listened_to_and_telemetry_goes_on(commands: Any, code: int) -> None:
    bot = SignalListener(PluginSettings(bot="demo", grace=0.05, commands=commands))
    bot.serve(RemoteCommands(Idle()))
    async with running(bot) as rig:
        await connected(rig)

        assert rig.broker.publish("hbot/demo/status", b"{}") == code


async def test_events_and_notifications_go_before_log_lines(bot: SignalListener) -> None:
    for number in range(30):
        bot.telemetry._log(LogLine(msg=f"{number}", at=1))
    bot.telemetry.notify("text")
    bot.telemetry.event("fill")
    async with running(bot) as rig:
        await eventually(lambda: len(told(rig.broker, "log")) == 30)

    kinds = [type(one) for one in told(rig.broker, "events", "notify", "log")]
    assert kinds[:3] == [InternalEvent, Notification, LogLine]


async def test_a_storm_is_sent_at_a_bounded_rate_and_what_it_lost_is_said(bot: SignalListener) -> None:
    async with running(bot) as rig:
        await connected(rig)
        began = asyncio.get_running_loop().time()
        for number in range(3_000):
            bot.telemetry._log(LogLine(msg=f"{number}", at=1))
        await eventually(lambda: len(told(rig.broker, "log")) >= 100)
        ticks = (asyncio.get_running_loop().time() - began) / sender.TICK
        assert len(told(rig.broker, "log")) <= (ticks + 2) * sender.BATCH + 1

    lines = told(rig.broker, "log")
    news = [line for line in lines if line.logger == "bot_plugin.telemetry"]
    assert news[0].msg.startswith("2,000 log lines were dropped")
    assert news[0].level_name == "WARNING"
    lost = [int(line.msg.partition(" ")[0].replace(",", "")) for line in news]
    assert sum(lost) + len(lines) - len(news) == 3_000
    assert told(rig.broker)[-1] == StatusUpdate(msg="offline", at=AT)


async def test_long_lines_take_more_of_the_time(bot: SignalListener) -> None:
    long = LogLine(msg="x" * 8_000, at=1)
    async with running(bot) as rig:
        await connected(rig)
        began = asyncio.get_running_loop().time()
        for _ in range(10):
            bot.telemetry._log(long)
        await eventually(lambda: len(told(rig.broker, "log")) == 10)

        assert asyncio.get_running_loop().time() - began > 9 * 8_000 / sender.BYTES_PER_SECOND - sender.TICK


async def test_a_channel_that_is_full_leaves_every_other_its_turn(bot: SignalListener) -> None:
    for _ in range(60):
        bot.telemetry.event("large", {"text": "x" * 8_000})
    bot.telemetry.notify("text")
    bot.telemetry._log(LogLine(msg="line", at=1))
    async with running(bot) as rig:
        await eventually(lambda: told(rig.broker, "log"))
        assert len(told(rig.broker, "events")) <= 2
        assert len(told(rig.broker, "notify")) == 1


async def test_what_the_broker_would_not_take_is_dropped_and_said(bot: SignalListener) -> None:
    async with running(bot, broker=FakeBroker(largest=500)) as rig:
        bot.telemetry.notify("x" * 500)
        bot.telemetry.performance({"a": {"text": "x" * 500}})
        bot.telemetry.notify("short")
        await eventually(lambda: told(rig.broker, "log"))

    assert [one.msg for one in told(rig.broker, "notify")] == ["short"]
    assert told(rig.broker, "log")[0].msg.startswith("1 notification and 1 snapshot were dropped")


class Slow(FakeLink):
    """A link whose network takes nothing for a while."""

    stuck = True

    def publish(self, topic: str, payload: bytes, *, retain: bool = False, qos: int = 1) -> Any:
        if self.stuck and topic.endswith(("notify", "log", "events")):
            raise LinkLost("too slow")
        return super().publish(topic, payload, retain=retain, qos=qos)


async def test_what_a_slow_network_did_not_take_is_sent_later_in_order() -> None:
    bot = SignalListener(DEMO)
    broker = FakeBroker()
    links: list[Slow] = []

    def connect(settings: Any) -> Slow:
        links.append(Slow(broker, settings))
        return links[-1]

    broker.link = connect  # type: ignore[method-assign, assignment]
    async with running(bot, broker=broker) as rig:
        await connected(rig)
        for number in range(3):
            bot.telemetry.notify(f"{number}")
        await asyncio.sleep(0.15)
        assert told(broker, "notify") == []
        for link in links:
            link.stuck = False
        await eventually(lambda: len(told(broker, "notify")) == 3)

    assert [one.msg for one in told(broker, "notify")] == ["0", "1", "2"]


class Away:
    """A link that is not connected."""

    connected = False


async def test_without_a_broker_it_ends_without_waiting(bot: SignalListener) -> None:
    part = bot.telemetry.sender()
    bot.telemetry.notify("x")
    working = asyncio.create_task(part.run())
    await asyncio.wait_for(part.farewell(Away()), 0.05)  # type: ignore[arg-type]
    working.cancel()
    await asyncio.wait({working})

    assert len(bot.telemetry._outbox) == 1


async def test_a_second_run_of_the_listener_sends_what_was_told_between(bot: SignalListener) -> None:
    async with running(bot) as rig:
        await connected(rig)
    bot.telemetry.notify("between")
    async with running(bot) as rig:
        await eventually(lambda: told(rig.broker, "notify"))


async def test_after_its_farewell_it_says_nothing_more(bot: SignalListener) -> None:
    broker = FakeBroker()
    link = broker.link(LinkSettings(host="broker", client_id="signals.demo.cmd"))
    part: Sender = bot.telemetry.sender()
    running_link = asyncio.create_task(link.run(part.receive, lambda: part.connected(link)))
    await eventually(lambda: told(broker, "hb"))
    await part.farewell(link)
    link.cut()
    await eventually(lambda: link.connected)
    running_link.cancel()
    await asyncio.wait({running_link})

    assert [update.msg for update in told(broker, "status_updates")] == ["online", "offline"]


async def test_a_function_is_asked_for_snapshots_and_its_errors_end_nothing(
    bot: SignalListener, caplog: pytest.LogCaptureFixture
) -> None:
    asked = 0

    def pnl() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        if asked < 3:
            raise ValueError("not yet") if asked == 1 else asyncio.CancelledError
        return {"plain": {"asked": asked, "thread": threading.current_thread() is not threading.main_thread()}}

    async def awaited() -> dict[str, Any]:
        return {"awaited": {}}

    bot.telemetry.performance_every(0.01, pnl)
    async with running(bot) as rig:
        bot.telemetry.performance_every(0.01, awaited)
        await eventually(
            lambda: (
                {name for one in told(rig.broker, "performance") for name in one.controllers} >= {"plain", "awaited"}
            )
        )

    assert all(one.controllers.get("plain", {}).get("thread", True) for one in told(rig.broker, "performance"))
    assert "did not say how the strategy does" in caplog.text


def test_snapshots_without_a_pause_between_them_are_refused(bot: SignalListener) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        bot.telemetry.performance_every(0, dict)


async def test_the_root_loggers_lines_are_forwarded_while_the_bot_runs(bot: SignalListener) -> None:
    handler = bot.telemetry.log_handler(level=logging.WARNING)
    logging.getLogger().addHandler(handler)
    try:
        async with running(bot) as rig:
            logging.getLogger("strategy").warning("look")
            await eventually(lambda: told(rig.broker, "log"))
    finally:
        logging.getLogger().removeHandler(handler)

    assert [line.msg for line in told(rig.broker, "log") if line.logger == "strategy"] == ["look"]
