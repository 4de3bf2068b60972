"""Orders that follow a signal: receipts name them, and say once that they were filled, after everything else."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bot_plugin import MemoryInbox, PluginSettings, Signal, SignalListener, SqliteInbox
from bot_plugin.following import MOST
from bot_plugin.testing import Rig, build, running
from schemas.envelope import Envelope
from schemas.receipt import Receipt, Stage
from tests.brokers import eventually


@pytest.fixture(params=["memory", "disk"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], SignalListener]:
    def make() -> SignalListener:
        inbox = MemoryInbox() if request.param == "memory" else SqliteInbox(tmp_path / "inbox.db")
        return SignalListener(PluginSettings(bot="demo", grace=0.05, state_dir=str(tmp_path / "state")), inbox=inbox)

    return make


@pytest.fixture
def bot(make: Callable[[], SignalListener]) -> SignalListener:
    return make()


async def filled(rig: Rig, envelope: Envelope, handler: str = "act") -> list[Receipt]:
    """The final receipts of a handler, when FILLED is among them; each stage once, as it was sent first."""

    def final() -> dict[Stage, Receipt]:
        found = (each for each in rig.receipts(envelope.id) if each.stage.final and each.handler == handler)
        return {each.stage: each for each in reversed(list(found))}

    await eventually(lambda: Stage.FILLED in final())
    return sorted(final().values(), key=lambda receipt: receipt.stage is Stage.FILLED)


async def test_a_callback_names_its_orders_and_says_that_they_were_filled(bot: SignalListener) -> None:
    """HANDLED and FILLED carry the ids, each once, and FILLED comes last though it was said first."""

    @bot.on_trade()
    async def act(signal: Signal) -> None:
        signal.placed("17")
        signal.placed("18")
        signal.placed("17")
        signal.filled("0.1 BTC at 100")
        signal.filled("again")

    async with running(bot) as rig:
        envelope = build(bot)
        rig.send(envelope)
        last, fill = await filled(rig, envelope)
        stages = [receipt.stage for receipt in rig.receipts(envelope.id)]

    assert (last.stage, last.order_ids) == (Stage.HANDLED, ("17", "18"))
    assert (fill.stage, fill.order_ids, fill.reason) == (Stage.FILLED, ("17", "18"), "0.1 BTC at 100")
    assert stages == [Stage.HANDLED, Stage.FILLED]
    assert fill.received_at == last.received_at
    assert fill.at >= last.at


async def test_orders_may_be_placed_and_filled_after_the_callback_and_on_any_thread(bot: SignalListener) -> None:
    """What an order watch tells later, from a thread of its own, is in FILLED."""
    kept: list[Signal] = []

    @bot.on_trade()
    def act(signal: Signal) -> None:
        signal.placed("17")
        kept.append(signal)

    def watch() -> None:
        kept[0].placed("18")
        kept[0].filled("all of it")

    async with running(bot) as rig:
        envelope = build(bot)
        rig.send(envelope)
        await rig.settled(envelope.id)
        thread = threading.Thread(target=watch)
        thread.start()
        last, fill = await filled(rig, envelope)
        thread.join()

    assert last.order_ids == ("17",)
    assert fill.order_ids == ("17", "18")


async def test_two_handlers_of_a_signal_have_their_own_orders(bot: SignalListener) -> None:
    """An order of one handler is in no receipt of the other."""

    @bot.on_trade(name="one")
    async def one(signal: Signal) -> None:
        signal.placed("1")
        signal.filled("one")

    @bot.on_trade(name="two")
    async def two(signal: Signal) -> None:
        signal.placed("2")

    async with running(bot) as rig:
        envelope = build(bot)
        rig.send(envelope)
        await filled(rig, envelope, "one")
        await rig.settled(envelope.id, handlers=3)
        receipts = rig.receipts(envelope.id)

    assert {each.order_ids for each in receipts if each.handler == "one"} == {("1",)}
    assert [(each.stage, each.order_ids) for each in receipts if each.handler == "two"] == [(Stage.HANDLED, ("2",))]


async def test_a_callback_that_failed_after_its_order_names_it_and_the_fill_is_told(bot: SignalListener) -> None:
    """An error of the strategy does not hide its order."""

    @bot.on_trade()
    async def act(signal: Signal) -> None:
        signal.placed("17")
        signal.filled("0.1")
        raise RuntimeError("after the order")

    async with running(bot) as rig:
        envelope = build(bot)
        rig.send(envelope)
        last, fill = await filled(rig, envelope)

    assert (last.stage, last.order_ids) == (Stage.FAILED, ("17",))
    assert fill.order_ids == ("17",)


async def test_a_queued_signal_names_its_orders_too(bot: SignalListener) -> None:
    """A strategy that ticks tells of its orders on what it took out of the queue."""
    queue = bot.queue(name="act")
    async with running(bot) as rig:
        envelope = build(bot)
        rig.send(envelope)
        async with queue.get() as signal:
            signal.placed("17")
        signal.filled("all")
        last, fill = await filled(rig, envelope)

    assert last.order_ids == fill.order_ids == ("17",)


@pytest.mark.parametrize(
    ("given", "shown"), [("x" * 70, "x" * 64), ("a\udcff", "a?"), (17, "17")], ids=["long", "surrogate", "number"]
)
async def test_an_id_that_no_receipt_can_carry_is_made_to_fit(bot: SignalListener, given: Any, shown: str) -> None:
    """An order must not fail for what is said of it."""

    @bot.on_trade()
    async def act(signal: Signal) -> None:
        signal.placed(given)
        signal.placed("")

    async with running(bot) as rig:
        envelope = build(bot)
        rig.send(envelope)
        [receipt] = await rig.settled(envelope.id)

    assert receipt.order_ids == (shown,)


async def test_of_more_orders_than_a_receipt_names_the_first_are_named_and_the_log_says_so(
    bot: SignalListener, caplog: pytest.LogCaptureFixture
) -> None:
    """A hundred ids fit; the receipt is readable whatever the strategy does."""

    @bot.on_trade()
    async def act(signal: Signal) -> None:
        for number in range(MOST + 1):
            signal.placed(str(number))

    async with running(bot) as rig:
        envelope = build(bot)
        rig.send(envelope)
        [receipt] = await rig.settled(envelope.id)

    assert receipt.order_ids == tuple(map(str, range(MOST)))
    assert f"order {MOST} is in no receipt" in caplog.text


async def test_a_fill_that_the_gateway_has_not_confirmed_is_told_again_after_a_restart(tmp_path: Path) -> None:
    """FILLED is on the bot's disk: the next process owes it, behind the handler's last one."""

    def make() -> SignalListener:
        settings = PluginSettings(bot="demo", grace=0.05, state_dir=str(tmp_path / "state"))
        bot = SignalListener(settings, inbox=SqliteInbox(tmp_path / "inbox.db"))

        @bot.on_trade()
        async def act(signal: Signal) -> None:
            signal.placed("17")
            signal.filled("0.1")

        return bot

    bot = make()
    async with running(bot) as rig:
        envelope = build(bot)
        rig.send(envelope)
        await filled(rig, envelope)
    async with running(make()) as again:
        await again.settled(envelope.id)
        await asyncio.sleep(0.05)
        assert [receipt.stage for receipt in again.receipts(envelope.id)] == [Stage.HANDLED]
        again.confirm(envelope.id)
        last, fill = await filled(again, envelope)
        assert last.order_ids == fill.order_ids == ("17",)
        again.confirm(envelope.id)
        await asyncio.sleep(1.1)  # the confirmations of a second are noted together
    async with running(make()) as third:
        await asyncio.sleep(0.05)

    assert third.receipts(envelope.id) == []


async def test_a_signal_that_comes_again_brings_both_receipts_again(bot: SignalListener) -> None:
    """A gateway that lost its disk hears of the fill when it publishes again."""

    @bot.on_trade()
    async def act(signal: Signal) -> None:
        signal.placed("17")
        signal.filled("0.1")

    async with running(bot) as rig:
        envelope = build(bot)
        rig.send(envelope)
        await filled(rig, envelope)
        rig.send(envelope)
        await eventually(lambda: len(rig.receipts(envelope.id)) == 4)

    assert [receipt.stage for receipt in rig.receipts(envelope.id)] == [Stage.HANDLED, Stage.FILLED] * 2


async def test_what_is_told_after_the_end_changes_nothing_and_is_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A strategy that outlives its listener gets no error for what it tells, and the log has it."""
    settings = PluginSettings(bot="demo", grace=0.05, state_dir=str(tmp_path / "state"))
    bot = SignalListener(settings, inbox=SqliteInbox(tmp_path / "inbox.db"))
    kept: list[Signal] = []

    @bot.on_trade()
    async def act(signal: Signal) -> None:
        kept.append(signal)

    async with running(bot) as rig:
        envelope = build(bot)
        rig.send(envelope)
        await rig.settled(envelope.id)
    kept[0].placed("17")
    kept[0].filled("0.1")

    assert "nobody is told of the orders of" in caplog.text


async def test_a_signal_of_no_listener_takes_what_it_is_told(bot: SignalListener) -> None:
    """A strategy's own test may build a signal and tell it of orders."""
    seen: list[Signal] = []

    @bot.on_trade()
    async def act(signal: Signal) -> None:
        seen.append(signal)

    async with running(bot) as rig:
        envelope = build(bot)
        rig.send(envelope)
        await rig.settled(envelope.id)
    alone = Signal(**{name: getattr(seen[0], name) for name in Signal.__slots__ if name != "orders"})

    alone.placed("17")
    alone.filled("0.1")

    assert alone == seen[0]
