"""Queues and the latest signal: for strategies that look when they tick."""

from __future__ import annotations

import asyncio
import threading

import pytest

from bot_plugin import LinkRefused, ListenerEnded, MemoryInbox, PluginSettings, SignalListener, ThreadedListener
from bot_plugin.fake import FakeLink
from bot_plugin.inbox.model import Tell
from bot_plugin.testing import FakeBroker, build, running
from bot_plugin.transport import LinkSettings
from schemas.receipt import Stage
from tests.brokers import eventually
from tests.unit.bot_plugin.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bot(clock: Clock) -> SignalListener:
    return SignalListener(PluginSettings(bot="demo", grace=0.05), now=clock, monotonic=clock.monotonic)


async def test_a_queued_signal_is_handled_when_the_block_ends(bot: SignalListener) -> None:
    queue = bot.queue("x")
    async with running(bot) as rig:
        envelope = build(bot, source="x")
        rig.send(envelope)
        async with queue.get() as signal:
            assert signal.id == envelope.id
            assert not [receipt for receipt in rig.receipts() if receipt.stage.final]
        [receipt] = await rig.settled(envelope.id)

    assert (receipt.stage, receipt.handler) == (Stage.HANDLED, "queue:x")


async def test_a_queued_signal_is_failed_when_the_block_raises(bot: SignalListener) -> None:
    queue = bot.queue()
    async with running(bot) as rig:
        envelope = build(bot)
        rig.send(envelope)
        with pytest.raises(ValueError, match="no money"):
            async with queue.get():
                raise ValueError("no money")
        [receipt] = await rig.settled(envelope.id)

    assert (receipt.stage, receipt.reason) == (Stage.FAILED, "ValueError: no money")


async def test_a_queued_signal_says_itself_what_came_of_it_and_the_first_word_counts(bot: SignalListener) -> None:
    queue = bot.queue()
    async with running(bot) as rig:
        envelope = build(bot)
        rig.send(envelope)
        signal = await queue.get()
        signal.failed("no margin")
        signal.done()
        [receipt] = await rig.settled(envelope.id)

    assert (receipt.stage, receipt.reason) == (Stage.FAILED, "no margin")


async def test_a_full_queue_refuses_and_says_so(bot: SignalListener) -> None:
    queue = bot.queue(size=2)
    async with running(bot) as rig:
        sent = [build(bot) for _ in range(3)]
        for envelope in sent:
            rig.send(envelope)
        receipt = (await rig.settled(sent[2].id))[-1]
        taken = [signal.id for signal in iter(queue.get_nowait, None)]

    assert (receipt.stage, receipt.reason) == (Stage.REFUSED, "queue full: 2 signals wait")
    assert taken == [sent[0].id, sent[1].id]


async def test_what_expired_in_a_queue_is_reported_makes_room_and_is_never_taken(
    bot: SignalListener, clock: Clock
) -> None:
    queue = bot.queue(size=1)
    async with running(bot) as rig:
        old = build(bot, ttl=30)
        rig.send(old)
        await eventually(lambda: len(queue) == 1)
        clock.advance(31)
        assert queue.get_nowait() is None
        receipt = (await rig.settled(old.id))[-1]
        new = build(bot)
        rig.send(new)
        await eventually(lambda: len(queue) == 1)
        signal = queue.get_nowait()

    assert receipt.stage is Stage.EXPIRED
    assert signal is not None
    assert signal.id == new.id


class SlowInbox(MemoryInbox):
    """Takes a second and a half to store a start."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def start_now(self, id_: str, handler: str, *, at: int) -> None:
        super().start_now(id_, handler, at=at)
        self._clock.advance(1.5)


async def test_what_expires_while_its_start_is_stored_is_not_handed_out(clock: Clock) -> None:
    bot = SignalListener(PluginSettings(bot="demo", grace=0.05), now=clock, monotonic=clock.monotonic)
    bot.inbox = SlowInbox(clock)
    queue = bot.queue()
    async with running(bot) as rig:
        envelope = build(bot, ttl=30)
        rig.send(envelope)
        await eventually(lambda: len(queue) == 1)
        clock.advance(29)
        taken = queue.get_nowait()
        receipt = (await rig.settled(envelope.id))[-1]

    assert taken is None
    assert receipt.stage is Stage.EXPIRED


class StuckInbox(MemoryInbox):
    """Its disk takes what it is told only when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self._tell: list[Tell] = []

    def when_stored(self, tell: Tell) -> None:
        self._tell.append(tell)

    def let(self) -> None:
        for tell in self._tell:
            tell(None)


async def test_no_receipt_goes_before_the_signal_is_on_the_bots_disk(bot: SignalListener) -> None:
    inbox = bot.inbox = StuckInbox()
    queue = bot.queue()
    async with running(bot) as rig:
        envelope = build(bot)
        rig.send(envelope)
        await eventually(lambda: len(queue) == 1 and inbox._tell)
        before = rig.receipts(envelope.id)
        inbox.let()
        await eventually(lambda: rig.receipts(envelope.id))

    assert before == []
    assert rig.receipts(envelope.id)[0].stage is Stage.RECEIVED


async def test_a_queue_does_not_hold_up_its_key(bot: SignalListener) -> None:
    bot.queue(size=10)
    seen = []

    @bot.on_trade()
    async def act(signal: object) -> None:
        seen.append(signal)

    async with running(bot) as rig:
        for _ in range(3):
            rig.send(build(bot))
        await eventually(lambda: len(seen) == 3)


async def test_a_waiter_that_gives_up_does_not_swallow_a_signal(bot: SignalListener) -> None:
    queue = bot.queue()
    async with running(bot) as rig:
        for _ in range(5):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.001):
                    await queue.get()
        envelope = build(bot)
        rig.send(envelope)
        async with asyncio.timeout(5), queue.get() as signal:
            assert signal.id == envelope.id


async def test_several_waiters_get_one_signal_each(bot: SignalListener) -> None:
    queue = bot.queue()
    async with running(bot) as rig:
        waiting = [asyncio.ensure_future(take(queue)) for _ in range(3)]
        await asyncio.sleep(0)
        sent = [build(bot, source=f"s{number}") for number in range(3)]
        for envelope in sent:
            rig.send(envelope)
        taken = await asyncio.gather(*waiting)

    assert sorted(taken) == sorted(envelope.id for envelope in sent)


async def take(queue: object) -> str:
    async with queue.get() as signal:  # type: ignore[attr-defined]
        return str(signal.id)


async def test_a_strategy_in_a_thread_without_a_loop_takes_and_settles(bot: SignalListener) -> None:
    queue = bot.queue()
    stop = threading.Event()

    def strategy() -> None:
        while not stop.wait(0.001):
            signal = queue.get_nowait()
            if signal is not None:
                with signal:
                    pass

    thread = threading.Thread(target=strategy)
    async with running(bot) as rig:
        thread.start()
        sent = [build(bot) for _ in range(50)]
        for envelope in sent:
            rig.send(envelope)
        for envelope in sent:
            assert (await rig.settled(envelope.id))[-1].stage is Stage.HANDLED
        stop.set()
        thread.join()


async def test_what_is_settled_after_the_end_of_the_listener_is_logged_and_harmless(
    bot: SignalListener, caplog: pytest.LogCaptureFixture
) -> None:
    queue = bot.queue()
    async with running(bot) as rig:
        rig.send(build(bot))
        signal = await queue.get()
    signal.done()

    assert "nobody is told" in caplog.text


async def test_a_block_that_is_cancelled_is_reported_as_interrupted(bot: SignalListener) -> None:
    queue = bot.queue()
    async with running(bot) as rig:
        envelope = build(bot)
        rig.send(envelope)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05), queue.get():
                await asyncio.sleep(60)
        receipt = (await rig.settled(envelope.id))[-1]

    assert receipt.stage is Stage.INTERRUPTED


async def test_the_latest_signal_is_handled_when_first_looked_at_and_stays_until_it_expires(
    bot: SignalListener, clock: Clock
) -> None:
    latest = bot.latest("x")
    assert latest.get() is None
    async with running(bot) as rig:
        envelope = build(bot, source="x", ttl=30)
        rig.send(envelope)
        await eventually(lambda: latest.get() is not None)
        again = latest.get()
        [receipt] = await rig.settled(envelope.id)
        clock.advance(31)

        assert latest.get() is None
    assert again is not None
    assert again.id == envelope.id
    assert receipt.stage is Stage.HANDLED


async def test_a_signal_that_was_replaced_before_anybody_looked_is_refused(bot: SignalListener) -> None:
    latest = bot.latest()
    async with running(bot) as rig:
        old, new = build(bot), build(bot)
        rig.send(old)
        rig.send(new)
        receipt = (await rig.settled(old.id))[-1]
        seen = latest.get()

    assert (receipt.stage, receipt.reason) == (Stage.REFUSED, f"replaced by {new.id} before anybody looked")
    assert seen is not None
    assert seen.id == new.id


async def test_an_older_signal_does_not_replace_a_newer_one(bot: SignalListener) -> None:
    latest = bot.latest()
    async with running(bot) as rig:
        new, old = build(bot, sequence=2), build(bot, sequence=1)
        rig.send(new)
        rig.send(old)
        receipt = (await rig.settled(old.id))[-1]
        seen = latest.get()

    assert receipt.stage is Stage.OUT_OF_ORDER
    assert seen is not None
    assert seen.id == new.id


def test_a_queue_of_no_size_is_refused(bot: SignalListener) -> None:
    with pytest.raises(ValueError, match="1 signal or more"):
        bot.queue(size=0)


async def test_after_the_end_of_a_run_mailboxes_hand_nothing_out_and_say_so(bot: SignalListener) -> None:
    bot.inbox = MemoryInbox()
    queue, latest = bot.queue("x"), bot.latest("y")
    async with running(bot) as rig:
        for source in ("x", "y"):
            rig.send(build(bot, source=source))
        await eventually(lambda: len(queue) == 1)

    for look in (queue.get_nowait, latest.get):
        with pytest.raises(ListenerEnded, match="the listener was stopped"):
            look()
    with pytest.raises(ListenerEnded):
        await queue.get()
    assert {receipt.stage for receipt in rig.receipts() if receipt.stage.final} == {Stage.REFUSED}
    assert len(queue) == 0


async def test_who_waits_for_a_signal_learns_of_the_end(bot: SignalListener) -> None:
    queue = bot.queue()
    async with running(bot):
        waiting = [asyncio.ensure_future(take(queue)) for _ in range(2)]
        await asyncio.sleep(0)

    for waiter in waiting:
        with pytest.raises(ListenerEnded):
            await waiter


async def test_a_listener_that_runs_again_hands_out_again(bot: SignalListener) -> None:
    queue = bot.queue()
    async with running(bot):
        pass
    async with running(bot) as rig:
        envelope = build(bot)
        rig.send(envelope)
        async with queue.get() as signal:
            assert signal.id == envelope.id


async def test_a_signal_that_was_taken_and_not_settled_is_interrupted_at_the_end(bot: SignalListener) -> None:
    queue = bot.queue()
    async with running(bot) as rig:
        envelope = build(bot)
        rig.send(envelope)
        await queue.get()

    receipt = rig.receipts(envelope.id)[-1]
    assert (receipt.stage, receipt.reason) == (
        Stage.INTERRUPTED,
        "the bot stopped before the strategy said what came of it",
    )


async def test_a_strategy_may_settle_within_the_grace(clock: Clock) -> None:
    bot = SignalListener(PluginSettings(bot="demo", grace=5), now=clock)
    queue = bot.queue()
    async with running(bot) as rig:
        envelope = build(bot)
        rig.send(envelope)
        signal = await queue.get()
        bot.stop()
        await asyncio.sleep(0.01)
        signal.done()

    assert rig.receipts(envelope.id)[-1].stage is Stage.HANDLED


class RefusedLink(FakeLink):
    async def run(self, *arguments: object) -> None:
        raise LinkRefused("wrong password")


def test_a_strategy_in_a_thread_learns_what_ended_the_listener(bot: SignalListener) -> None:
    bot.inbox = MemoryInbox()
    queue, latest = bot.queue("x"), bot.latest("y")

    def connect(settings: LinkSettings) -> FakeLink:
        return RefusedLink(FakeBroker(), settings)

    async def run() -> None:
        await bot.run(connect=connect, claim=False)

    running = ThreadedListener(run, stop=bot.stop, up=threading.Event())
    with pytest.raises(LinkRefused):
        running.start()

    assert isinstance(running.error, LinkRefused)
    for look in (queue.get_nowait, latest.get):
        with pytest.raises(ListenerEnded, match="wrong password") as ended:
            look()
        assert isinstance(ended.value.__cause__, LinkRefused)
