"""A bot that starts again: what waited runs, what was cut short is reported, and nothing runs twice."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot_plugin import MemoryInbox, PluginSettings, Signal, SignalListener, SqliteInbox
from bot_plugin.inbox import KEEP_AFTER_EXPIRY, Arrival, Recovered, Step, Unfinished
from bot_plugin.testing import FakeBroker, Rig, build, running, topic_of
from schemas import envelope as envelopes
from schemas.card import Receipted, ReceiptedSchema
from schemas.envelope import Envelope
from schemas.fields import to_micros
from schemas.receipt import Receipt, Stage
from tests.brokers import eventually
from tests.unit.bot_plugin.clock import Clock


class Left(MemoryInbox):
    """A durable inbox in memory, in which an earlier process left something."""

    durable = True

    def __init__(self, *unfinished: Unfinished, owed: tuple[Receipt, ...] = ()) -> None:
        super().__init__()
        self.recovered = Recovered(unfinished=unfinished, owed=owed)
        self.told: list[tuple[str, Any]] = []

    async def open(self) -> Recovered:
        for one in self.recovered.unfinished:
            super().arrive(one.arrival)
        return self.recovered

    def start(self, id_: str, handler: str, *, at: int) -> None:
        self.told.append(("start", handler))

    def finish(self, receipt: Receipt) -> None:
        self.told.append(("finish", receipt.stage))
        super().finish(receipt)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bot(clock: Clock, tmp_path: Path) -> SignalListener:
    settings = PluginSettings(bot="demo", grace=0.05, state_dir=str(tmp_path / "state"))
    return SignalListener(settings, now=clock, monotonic=clock.monotonic)


def left(
    bot: SignalListener, envelope: Envelope, *, started: dict[str, int] | None = None, **steps: Step
) -> Unfinished:
    arrival = Arrival(
        id=envelope.id,
        topic=topic_of(bot, envelope),
        payload=envelopes.encode(envelope),
        handlers=tuple(steps),
        sequence=envelope.sequence or 0,
        received_at=bot.now(),
        forget_at=to_micros(envelope.expirytime) + KEEP_AFTER_EXPIRY,
    )
    return Unfinished(arrival=arrival, steps=steps, started=started or {})


@contextlib.asynccontextmanager
async def restarted(bot: SignalListener, *unfinished: Unfinished) -> AsyncIterator[Rig]:
    bot.inbox = Left(*unfinished)
    async with running(bot) as rig:
        yield rig


async def test_what_waited_runs_in_its_order_and_before_what_comes_new(bot: SignalListener) -> None:
    seen: list[str] = []

    @bot.on_trade()
    async def act(signal: Signal) -> None:
        seen.append(signal.id)

    old = [build(bot, sequence=number) for number in (1, 2)]
    new = build(bot, sequence=3)
    async with restarted(bot, *(left(bot, envelope, act=Step.SEEN) for envelope in old)) as rig:
        rig.send(new)
        await rig.settled(new.id)

    assert seen == [*(envelope.id for envelope in old), new.id]
    assert [rig.receipts(envelope.id)[-1].stage for envelope in old] == [Stage.HANDLED] * 2


async def test_what_waited_past_its_expiry_ends_as_expired(bot: SignalListener, clock: Clock) -> None:
    @bot.on_trade()
    async def act(signal: Signal) -> None:
        raise AssertionError

    waited = left(bot, build(bot, ttl=30), act=Step.SEEN)
    clock.advance(31)
    async with restarted(bot, waited) as rig:
        [receipt] = await rig.settled(waited.arrival.id)

    assert (receipt.stage, receipt.handler) == (Stage.EXPIRED, "act")


async def test_what_was_cut_short_is_never_run_again_and_the_strategy_is_told_before_newer_ones(
    bot: SignalListener, clock: Clock
) -> None:
    story: list[tuple[str, str]] = []

    @bot.on_trade()
    async def act(signal: Signal) -> None:
        story.append(("run", signal.id))

    @bot.on_interrupted
    async def reconcile(signal: Signal) -> None:
        await asyncio.sleep(0)
        story.append(("interrupted", signal.id))

    @bot.on_interrupted
    def note(signal: Signal) -> None:
        story.append(("noted", signal.id))

    cut = left(bot, build(bot, ttl=30), act=Step.STARTED, started={"act": clock() - 1000})
    clock.advance(31)
    new = build(bot)
    async with restarted(bot, cut) as rig:
        rig.send(new)
        await rig.settled(new.id)
        [receipt] = await rig.settled(cut.arrival.id)

    old = cut.arrival.id
    assert story == [("interrupted", old), ("noted", old), ("run", new.id)]
    assert receipt.stage is Stage.INTERRUPTED
    assert receipt.reason is not None
    assert receipt.reason.startswith("the bot's process ended while act, called at 20")
    assert receipt.reason.endswith("Whether it had placed an order only the exchange knows: look there")
    assert to_micros(receipt.started_at) == cut.started["act"]


async def test_a_handler_that_may_rerun_runs_again_while_the_signal_is_true(bot: SignalListener, clock: Clock) -> None:
    seen: list[str] = []

    @bot.on_trade(rerun=True)
    async def act(signal: Signal) -> None:
        seen.append(signal.id)

    late = left(bot, build(bot, ttl=30), act=Step.STARTED)
    true = left(bot, build(bot, ttl=90), act=Step.STARTED)
    clock.advance(31)
    async with restarted(bot, late, true) as rig:
        ends = [(await rig.settled(one.arrival.id))[-1].stage for one in (late, true)]

    assert ends == [Stage.INTERRUPTED, Stage.HANDLED]
    assert seen == [true.arrival.id]


async def test_each_handler_of_a_signal_goes_on_from_its_own_step(bot: SignalListener) -> None:
    seen: list[str] = []
    for name in ("done", "cut", "waits", "again"):

        @bot.on_trade(name=name, rerun=name == "again")
        async def act(signal: Signal, name: str = name) -> None:
            seen.append(name)

    steps = {"done": Step.DONE, "cut": Step.STARTED, "waits": Step.SEEN, "again": Step.STARTED}
    one = left(bot, build(bot), **steps)
    async with restarted(bot, one) as rig:
        receipts = await rig.settled(one.arrival.id, handlers=3)

    assert seen == ["waits", "again"]
    final = {receipt.handler: receipt.stage for receipt in receipts if receipt.stage.final}
    assert final == {"cut": Stage.INTERRUPTED, "waits": Stage.HANDLED, "again": Stage.HANDLED}


async def test_handlers_that_were_renamed_end_with_that_reason(bot: SignalListener) -> None:
    told: list[str] = []

    @bot.on_trade(name="new")
    async def act(signal: Signal) -> None:
        raise AssertionError

    @bot.on_trade("other", name="moved")
    async def moved(signal: Signal) -> None:
        raise AssertionError

    @bot.on_interrupted
    async def reconcile(signal: Signal) -> None:
        told.append(signal.id)

    one = left(bot, build(bot), waited=Step.SEEN, ran=Step.STARTED, moved=Step.SEEN)
    async with restarted(bot, one) as rig:
        receipts = await rig.settled(one.arrival.id, handlers=3)

    by = {receipt.handler: receipt for receipt in receipts}
    assert by["waited"].stage is by["moved"].stage is Stage.REFUSED
    assert (
        by["waited"].reason
        == "the bot was restarted before it was run, and its handler 'waited' does not exist any more"
    )
    assert str(by["moved"].reason).endswith("its handler 'moved' no longer asks for such a signal")
    assert by["ran"].stage is Stage.INTERRUPTED
    assert told == [one.arrival.id]


async def test_what_this_version_cannot_read_ends_with_that_reason(bot: SignalListener) -> None:
    one = left(bot, build(bot), waited=Step.SEEN, ran=Step.STARTED)
    one = replace(one, arrival=replace(one.arrival, payload=b"{}"))
    async with restarted(bot, one) as rig:
        receipts = await rig.settled(one.arrival.id, handlers=2)

    assert {receipt.handler: receipt.stage for receipt in receipts} == {
        "waited": Stage.REFUSED,
        "ran": Stage.INTERRUPTED,
    }


async def test_an_on_interrupted_that_fails_is_logged_and_the_receipt_is_sent(
    bot: SignalListener, caplog: pytest.LogCaptureFixture
) -> None:
    @bot.on_interrupted
    async def reconcile(signal: Signal) -> None:
        raise LookupError("no such order")

    one = left(bot, build(bot), act=Step.STARTED)
    with caplog.at_level(logging.ERROR):
        async with restarted(bot, one) as rig:
            [receipt] = await rig.settled(one.arrival.id)

    assert receipt.stage is Stage.INTERRUPTED
    assert f"on_interrupted failed on signal {one.arrival.id}" in caplog.text


async def test_a_bot_that_stops_inside_on_interrupted_tells_it_again_at_the_next_start(bot: SignalListener) -> None:
    called = asyncio.Event()

    @bot.on_interrupted
    async def reconcile(signal: Signal) -> None:
        called.set()
        await asyncio.sleep(60)

    one = left(bot, build(bot), act=Step.STARTED)
    async with restarted(bot, one) as rig:
        await called.wait()

    assert rig.receipts() == []
    assert bot.inbox.told == []


async def test_a_queue_takes_up_what_waited_in_it(bot: SignalListener) -> None:
    queue = bot.queue(name="box")
    one = left(bot, build(bot), box=Step.SEEN)
    async with restarted(bot, one) as rig:
        async with queue.get() as signal:
            assert signal.id == one.arrival.id
        [receipt] = [end for end in await rig.settled(signal.id) if end.stage.final]

    assert receipt.stage is Stage.HANDLED


async def test_receipts_that_are_owed_are_sent_again_until_they_are_confirmed(
    bot: SignalListener, tmp_path: Path
) -> None:
    @bot.on_trade()
    async def act(signal: Signal) -> None: ...

    path = tmp_path / "inbox.db"
    confirmed = asyncio.Event()

    class Watched(SqliteInbox):
        def confirm(self, receipts: Iterable[Receipt]) -> None:
            super().confirm(receipts)
            confirmed.set()

    bot.inbox = Watched(path)
    broker = FakeBroker()
    async with running(bot, broker=broker) as rig:
        envelopes_ = [build(bot) for _ in range(2)]
        for envelope in envelopes_:
            rig.send(envelope)
        for envelope in envelopes_:
            await rig.settled(envelope.id)
        ids = [envelopes.decode(message.payload).id for message in broker.published if "/receipt/" in message.topic]
        receipted = build(
            bot,
            type=envelopes.RECEIPTED,
            data=envelopes.body(ReceiptedSchema, Receipted(receipts=(ids[0],))),
        )
        broker.publish("signals/v1/receipted/demo", envelopes.encode(receipted))
        await confirmed.wait()

    bot.inbox = SqliteInbox(path)
    async with running(bot) as again:
        await again.settled(envelopes_[1].id)

    assert [receipt.signal for receipt in again.receipts()] == [envelopes_[1].id]


async def test_what_waits_when_the_bot_stops_runs_at_its_next_start(bot: SignalListener, tmp_path: Path) -> None:
    seen: list[str] = []
    gate = asyncio.Event()

    @bot.on_trade()
    async def act(signal: Signal) -> None:
        seen.append(signal.id)
        await gate.wait()

    path = tmp_path / "inbox.db"
    bot.inbox = SqliteInbox(path)
    first, second = build(bot), build(bot)
    async with running(bot) as rig:
        rig.send(first)
        rig.send(second)
        await eventually(lambda: rig.receipts(second.id))
    gate.set()
    bot.inbox = SqliteInbox(path)
    async with running(bot) as again:
        await again.settled(second.id)

    assert seen == [first.id, second.id]
    assert rig.receipts(first.id)[-1].stage is Stage.INTERRUPTED
    assert again.receipts(second.id)[-1].stage is Stage.HANDLED


async def test_a_message_is_acknowledged_only_when_it_is_stored(bot: SignalListener, tmp_path: Path) -> None:
    class Slow(Left):
        def __init__(self) -> None:
            super().__init__()
            self.gate = asyncio.Event()

        async def stored(self) -> None:
            await self.gate.wait()

    ran: list[str] = []

    @bot.on_trade()
    async def act(signal: Signal) -> None:
        ran.append(signal.id)

    bot.inbox = slow = Slow()
    async with running(bot) as rig:
        envelope = build(bot)
        rig.send(envelope)
        await asyncio.sleep(0.02)
        session = rig.broker._sessions["signals.demo.sig"]
        unacknowledged, ran_before = len(session.unacknowledged), list(ran)
        slow.gate.set()
        await eventually(lambda: not session.unacknowledged)

    assert unacknowledged
    assert ran_before == []
    assert ran == [envelope.id]


async def test_a_disk_that_fails_ends_the_bot_with_one_clear_error(bot: SignalListener, tmp_path: Path) -> None:
    ran: list[str] = []

    @bot.on_trade()
    async def act(signal: Signal) -> None:
        ran.append(signal.id)

    bot.inbox = SqliteInbox(tmp_path / "inbox.db")
    broker = FakeBroker()
    ended = asyncio.ensure_future(bot.run(connect=broker.link, claim=False))
    await bot.wait_connected()
    bot.inbox._commits._database._database.execute("PRAGMA query_only = 1")
    rig = Rig(bot, broker)
    for source in ("a", "b"):
        rig.send(build(bot, source=source))

    with pytest.raises(OSError, match=r"inbox\.db cannot be written: .*readonly database"):
        await ended
    assert ran == []
    signals = [message for message in broker._sessions["signals.demo.sig"].unacknowledged if "trade" in message.topic]
    assert len(signals) == 2


async def test_a_bot_has_an_inbox_in_its_state_folder_by_default(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    bot = SignalListener(PluginSettings(bot="demo"))
    broker = FakeBroker()
    running_ = asyncio.ensure_future(bot.run(connect=broker.link, claim=False))
    await bot.wait_connected()
    bot.stop()
    await running_

    folder = tmp_path / "data" / "signal-gateway" / "demo"
    assert sorted(file.name for file in folder.iterdir()) == ["demo.inbox.db", "demo.lock"]


async def test_a_bot_with_a_memory_inbox_writes_nothing(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    async with running(SignalListener(PluginSettings(bot="demo"))):
        pass

    assert list(tmp_path.iterdir()) == []
