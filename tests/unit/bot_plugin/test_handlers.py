"""Handlers of a running bot: what they are called with, when, and what is said of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from bot_plugin import MemoryInbox, PluginSettings, Signal, SignalListener
from bot_plugin.testing import FakeBroker, Rig, build, deliver, running
from schemas import envelope as envelopes
from schemas.alert import Withdrawal, WithdrawalSchema
from schemas.receipt import Stage
from tests.brokers import eventually
from tests.unit.bot_plugin.clock import Clock

DEMO = PluginSettings(bot="demo", grace=0.05)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def bot(clock: Clock) -> SignalListener:
    return SignalListener(DEMO, now=clock, monotonic=clock.monotonic)


@pytest.fixture
async def gate() -> AsyncIterator[asyncio.Event]:
    gate = asyncio.Event()
    yield gate
    gate.set()


def withdrawal_of(bot: SignalListener, signal: str) -> Any:
    data = envelopes.body(WithdrawalSchema, Withdrawal(signal=signal, reason="by the operator"))
    return build(bot, type=envelopes.WITHDRAW, data=data)


async def test_an_async_handler_is_awaited_and_reported_as_handled(bot: SignalListener) -> None:
    seen: list[Signal] = []

    @bot.on_trade("btc", pair="BTC-USDT")
    async def act(signal: Signal) -> None:
        seen.append(signal)

    [receipt] = await deliver(bot, source="btc", quantity="0.5")

    assert [signal.id for signal in seen] == [receipt.signal]
    assert (receipt.stage, receipt.handler, receipt.bot, receipt.reason) == (Stage.HANDLED, "act", "demo", None)
    assert receipt.duration_ms is not None
    assert receipt.received_at is not None
    assert receipt.started_at is not None
    assert receipt.received_at <= receipt.started_at <= receipt.at


async def test_a_plain_function_runs_in_a_thread(bot: SignalListener) -> None:
    threads: list[int] = []

    @bot.on_trade()
    def act(signal: Signal) -> None:
        threads.append(threading.get_ident())

    [receipt] = await deliver(bot)

    assert receipt.stage is Stage.HANDLED
    assert threads != [threading.get_ident()]


@pytest.mark.parametrize("how", ["async", "plain"])
async def test_a_callback_that_raises_is_isolated_and_reported(bot: SignalListener, how: str) -> None:
    def fail(signal: Signal) -> None:
        raise ValueError("no money\nat line 3")

    async def fail_async(signal: Signal) -> None:
        fail(signal)

    bot.on_trade(name="act")(fail if how == "plain" else fail_async)

    async with running(bot) as rig:
        for _ in range(2):
            envelope = build(bot)
            rig.send(envelope)
            [receipt] = await rig.settled(envelope.id)

            assert (receipt.stage, receipt.reason) == (Stage.FAILED, "ValueError: no money")


@pytest.mark.parametrize(
    "error", [SystemExit("bye"), asyncio.CancelledError("mine"), StopIteration("x"), GeneratorExit("y")]
)
@pytest.mark.parametrize("how", ["async", "plain"])
async def test_nothing_that_a_callback_raises_ends_the_bot(bot: SignalListener, error: BaseException, how: str) -> None:
    def fail(signal: Signal) -> None:
        raise error

    async def fail_async(signal: Signal) -> None:
        raise error

    bot.on_trade(name="act")(fail if how == "plain" else fail_async)

    [receipt] = await deliver(bot)

    assert receipt.stage is Stage.FAILED
    assert receipt.reason is not None


async def test_a_very_long_error_is_cut(bot: SignalListener) -> None:
    @bot.on_trade()
    async def act(signal: Signal) -> None:
        raise ValueError("x" * 10_000)

    [receipt] = await deliver(bot)

    assert receipt.reason is not None
    assert len(receipt.reason) == 500


async def test_an_async_handler_that_takes_too_long_is_cancelled_and_failed(bot: SignalListener) -> None:
    cancelled = asyncio.Event()

    @bot.on_trade(timeout=0.02)
    async def act(signal: Signal) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            cancelled.set()

    [receipt] = await deliver(bot)

    assert (receipt.stage, receipt.reason) == (Stage.FAILED, "timed out after 0.02 s; the callback was cancelled")
    assert cancelled.is_set()


async def test_a_plain_function_that_takes_too_long_is_reported_at_once_and_its_key_waits_for_its_end(
    bot: SignalListener,
) -> None:
    release, calls = threading.Event(), []

    @bot.on_trade(timeout=0.02)
    def act(signal: Signal) -> None:
        calls.append(signal.id)
        release.wait(5)

    async with running(bot) as rig:
        first, second = build(bot), build(bot)
        rig.send(first)
        rig.send(second)
        receipt = (await rig.settled(first.id))[-1]
        before = list(calls)
        release.set()
        await rig.settled(second.id)

    assert receipt.reason == "timed out after 0.02 s; a thread cannot be stopped and runs on"
    assert before == [first.id]
    assert calls == [first.id, second.id]
    assert len([r for r in rig.receipts(first.id) if r.stage.final]) == 1


async def test_signals_of_one_key_run_in_order_one_at_a_time(bot: SignalListener) -> None:
    seen: list[str] = []
    inside = 0

    @bot.on_trade()
    async def act(signal: Signal) -> None:
        nonlocal inside
        inside += 1
        assert inside == 1
        await asyncio.sleep(0)
        seen.append(signal.id)
        inside -= 1

    async with running(bot) as rig:
        sent = [build(bot) for _ in range(100)]
        for envelope in sent:
            rig.send(envelope)
        await rig.settled(sent[-1].id)

    assert seen == [envelope.id for envelope in sent]


@pytest.mark.parametrize("how", ["async", "plain"])
async def test_a_slow_key_does_not_delay_others(bot: SignalListener, gate: asyncio.Event, how: str) -> None:
    release = threading.Event()

    async def act(signal: Signal) -> None:
        if signal.source == "slow":
            await gate.wait()

    def act_plain(signal: Signal) -> None:
        if signal.source == "slow":
            release.wait(5)

    bot.on_trade(name="act")(act if how == "async" else act_plain)
    async with running(bot) as rig:
        for _ in range(50):
            rig.send(build(bot, source="slow"))
        others = [build(bot, source=f"s{number}") for number in range(20)]
        for envelope in others:
            rig.send(envelope)
        for envelope in others:
            await rig.settled(envelope.id)
        gate.set()
        release.set()


async def test_the_handlers_of_one_signal_each_have_their_own_receipt(bot: SignalListener) -> None:
    @bot.on_trade()
    async def good(signal: Signal) -> None: ...

    @bot.on_trade()
    async def bad(signal: Signal) -> None:
        raise ValueError

    receipts = await deliver(bot, handlers=2)

    assert {receipt.handler: receipt.stage for receipt in receipts} == {"good": Stage.HANDLED, "bad": Stage.FAILED}


async def test_a_repeated_signal_is_not_run_again_and_its_latest_receipt_is_repeated(bot: SignalListener) -> None:
    calls = []

    @bot.on_trade()
    async def act(signal: Signal) -> None:
        calls.append(signal.id)

    async with running(bot) as rig:
        envelope = build(bot)
        rig.send(envelope)
        await rig.settled(envelope.id)
        rig.send(envelope)
        await eventually(lambda: len(rig.receipts(envelope.id)) == 2)

    assert calls == [envelope.id]
    first, second = rig.receipts(envelope.id)
    assert first == second
    topic = "signals/v1/receipt/demo"
    ids = {envelopes.decode(m.payload).id for m in rig.broker.published if m.topic == topic}
    assert len(ids) == 1


async def test_a_signal_repeated_while_it_runs_is_answered_with_how_far_it_is(
    bot: SignalListener, gate: asyncio.Event
) -> None:
    calls = []

    @bot.on_trade()
    async def act(signal: Signal) -> None:
        calls.append(signal.id)
        await gate.wait()

    async with running(bot) as rig:
        envelope = build(bot)
        rig.send(envelope)
        await eventually(lambda: calls)
        rig.send(envelope)
        await eventually(lambda: rig.receipts(envelope.id))
        assert rig.receipts(envelope.id)[0].stage is Stage.STARTED
        gate.set()
        await rig.settled(envelope.id)


async def test_a_handler_that_takes_its_time_is_reported_as_started_first(
    bot: SignalListener, gate: asyncio.Event
) -> None:
    @bot.on_trade()
    async def act(signal: Signal) -> None:
        await gate.wait()

    async with running(bot) as rig:
        first, second = build(bot), build(bot)
        rig.send(first)
        rig.send(second)
        await eventually(lambda: len(rig.receipts()) == 2)
        gate.set()
        await rig.settled(first.id)
        await rig.settled(second.id)

    assert [receipt.stage for receipt in rig.receipts(first.id)] == [Stage.STARTED, Stage.HANDLED]
    assert [receipt.stage for receipt in rig.receipts(second.id)] == [Stage.RECEIVED, Stage.HANDLED]


async def test_the_expiry_is_checked_again_at_the_moment_of_the_call(
    bot: SignalListener, clock: Clock, gate: asyncio.Event
) -> None:
    calls = []

    @bot.on_trade()
    async def act(signal: Signal) -> None:
        calls.append(signal.id)
        await gate.wait()

    async with running(bot) as rig:
        first, second = build(bot), build(bot, ttl=30)
        rig.send(first)
        rig.send(second)
        await eventually(lambda: calls)
        clock.advance(31)
        gate.set()
        receipt = (await rig.settled(second.id))[-1]

    assert calls == [first.id]
    assert receipt.stage is Stage.EXPIRED
    assert receipt.reason is not None
    assert "while it waited for act" in receipt.reason


async def test_what_expires_behind_a_callback_that_hangs_is_reported_all_the_same(
    bot: SignalListener, clock: Clock, gate: asyncio.Event
) -> None:
    @bot.on_trade()
    async def act(signal: Signal) -> None:
        await gate.wait()

    async with running(bot) as rig:
        rig.send(build(bot, ttl=600))
        waiting = build(bot, ttl=30)
        rig.send(waiting)
        await eventually(lambda: rig.receipts(waiting.id))
        clock.advance(31)
        receipt = (await rig.settled(waiting.id))[-1]
        gate.set()

    assert receipt.stage is Stage.EXPIRED


async def test_a_signal_that_arrives_late_is_never_called(bot: SignalListener) -> None:
    @bot.on_trade()
    async def act(signal: Signal) -> None:
        raise AssertionError("called")

    [receipt] = await deliver(bot, ttl=1, age=2)

    assert (receipt.stage, receipt.handler) == (Stage.EXPIRED, None)


async def test_a_signal_that_no_handler_wants_is_refused(bot: SignalListener) -> None:
    @bot.on_trade(pair="BTC-USDT")
    async def act(signal: Signal) -> None: ...

    [receipt] = await deliver(bot, kind="perpetual")

    assert receipt.stage is Stage.REFUSED
    assert receipt.reason == "no handler matches trade of test for BTC-USDT-PERP (perpetual)"


async def test_a_signal_that_cannot_be_read_is_refused_with_what_is_wrong(bot: SignalListener) -> None:
    @bot.on_trade()
    async def act(signal: Signal) -> None: ...

    [receipt] = await deliver(bot, data={"action": "buy", "instrument": {}})

    assert receipt.stage is Stage.REFUSED
    assert receipt.reason is not None
    assert receipt.reason.startswith("unreadable: instrument.raw")


async def test_a_message_that_is_no_signal_changes_nothing(bot: SignalListener) -> None:
    @bot.on_trade()
    async def act(signal: Signal) -> None: ...

    async with running(bot) as rig:
        rig.broker.publish("signals/v1/trade/test/BTC-USDT", b"\xff{")
        envelope = build(bot)
        rig.send(envelope)
        await rig.settled(envelope.id)

    assert len(rig.receipts()) == 1


async def test_a_withdrawn_signal_that_waits_is_not_run(bot: SignalListener, gate: asyncio.Event) -> None:
    calls = []

    @bot.on_trade()
    async def act(signal: Signal) -> None:
        calls.append(signal.id)
        await gate.wait()

    async with running(bot) as rig:
        first, second = build(bot), build(bot)
        for envelope in (first, second, withdrawal_of(bot, second.id)):
            rig.send(envelope)
        receipt = (await rig.settled(second.id))[-1]
        gate.set()
        await rig.settled(first.id)

    assert calls == [first.id]
    assert (receipt.stage, receipt.reason) == (Stage.WITHDRAWN, "by the operator")


async def test_a_withdrawal_does_not_stop_what_was_started(bot: SignalListener, gate: asyncio.Event) -> None:
    @bot.on_trade()
    async def act(signal: Signal) -> None:
        await gate.wait()

    async with running(bot) as rig:
        envelope = build(bot)
        rig.send(envelope)
        await eventually(lambda: rig.receipts(envelope.id))
        rig.send(withdrawal_of(bot, envelope.id))
        gate.set()
        receipts = await rig.settled(envelope.id)

    assert receipts[-1].stage is Stage.HANDLED
    assert Stage.WITHDRAWN not in {receipt.stage for receipt in receipts}


async def test_a_signal_that_comes_behind_its_withdrawal_is_not_run(bot: SignalListener) -> None:
    @bot.on_trade()
    async def act(signal: Signal) -> None:
        raise AssertionError("called")

    async with running(bot) as rig:
        envelope = build(bot)
        rig.send(withdrawal_of(bot, envelope.id))
        await rig.settled(envelope.id)
        rig.send(envelope)
        await eventually(lambda: len(rig.receipts(envelope.id)) == 2)

    assert {receipt.stage for receipt in rig.receipts(envelope.id)} == {Stage.WITHDRAWN}


async def test_a_key_with_too_much_waiting_refuses_and_says_so(clock: Clock, gate: asyncio.Event) -> None:
    bot = SignalListener(PluginSettings(bot="demo", backlog=2, grace=0.05), now=clock)

    @bot.on_trade()
    async def act(signal: Signal) -> None:
        await gate.wait()

    async with running(bot) as rig:
        sent = [build(bot) for _ in range(4)]
        for envelope in sent:
            rig.send(envelope)
            await asyncio.sleep(0.001)
        receipt = (await rig.settled(sent[3].id))[-1]
        gate.set()
        await rig.settled(sent[2].id)

    assert (receipt.stage, receipt.reason) == (Stage.REFUSED, "2 signals of test/BTC-USDT wait already")


async def test_a_bot_that_is_stopped_lets_handlers_end_within_its_grace(clock: Clock) -> None:
    bot = SignalListener(PluginSettings(bot="demo", grace=5), now=clock)
    started = asyncio.Event()

    @bot.on_trade()
    async def act(signal: Signal) -> None:
        started.set()
        await asyncio.sleep(0.05)

    async with running(bot) as rig:
        rig.send(build(bot))
        await started.wait()

    assert rig.receipts()[-1].stage is Stage.HANDLED


@pytest.mark.parametrize(("rerun", "stages"), [(False, [Stage.INTERRUPTED]), (True, [])])
async def test_a_handler_that_outlasts_the_grace_is_interrupted_unless_it_may_be_rerun(
    bot: SignalListener, *, rerun: bool, stages: list[Stage]
) -> None:
    started = asyncio.Event()

    @bot.on_trade(rerun=rerun)
    async def act(signal: Signal) -> None:
        started.set()
        await asyncio.sleep(60)

    async with running(bot) as rig:
        rig.send(build(bot))
        await started.wait()

    assert [receipt.stage for receipt in rig.receipts() if receipt.stage.final] == stages


async def test_a_bot_that_is_cancelled_says_goodbye_all_the_same(bot: SignalListener) -> None:
    started = asyncio.Event()

    @bot.on_trade()
    async def act(signal: Signal) -> None:
        started.set()
        await asyncio.sleep(60)

    async with running(bot) as rig:
        rig.send(build(bot))
        await started.wait()
        [main] = [task for task in asyncio.all_tasks() if task.get_name() == "bot_plugin.testing"]
        main.cancel()
        await asyncio.wait({main})
        assert rig.receipts()[-1].stage is Stage.INTERRUPTED
        assert b'"offline"' in rig.broker.retained["signals/v1/bot/demo"]
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("bot_plugin.worker")]


async def test_a_hundred_thousand_keys_leave_no_workers_behind(bot: SignalListener) -> None:
    from bot_plugin.lanes import Lanes  # noqa: PLC0415

    ran = 0

    async def run(item: int) -> None:
        nonlocal ran
        ran += 1

    async with asyncio.TaskGroup() as group:
        lanes: Lanes[int] = Lanes(group, run, limit=10, name="test")
        for number in range(100_000):
            assert lanes.put(str(number), number)
            if number % 1000 == 0:
                await lanes.idle(timeout=5)
        await lanes.idle(timeout=5)

        assert (ran, len(lanes)) == (100_000, 0)


async def test_receipts_that_the_gateway_has_not_confirmed_come_again_after_a_reconnect(bot: SignalListener) -> None:
    @bot.on_trade()
    async def act(signal: Signal) -> None: ...

    async with running(bot) as rig:
        known, unknown = build(bot), build(bot)
        rig.send(known)
        await rig.settled(known.id)
        rig.confirm(known.id)
        await asyncio.sleep(0.01)
        rig.send(unknown)
        await rig.settled(unknown.id)
        rig.broker.drop("signals.demo.sig")
        await eventually(lambda: len(rig.receipts(unknown.id)) == 2)

    assert len(rig.receipts(known.id)) == 1


async def test_a_raw_handler_gets_topic_and_bytes_in_order_and_its_errors_end_nothing(bot: SignalListener) -> None:
    seen: list[tuple[str, bytes]] = []

    @bot.on_topic("any/+/filter")
    async def raw(topic: str, payload: bytes) -> None:
        seen.append((topic, payload))
        if payload == b"0":
            raise ValueError

    @bot.on_topic("any/#", timeout=1)
    def plain(topic: str, payload: bytes) -> None:
        seen.append(("plain", payload))

    async with running(bot) as rig:
        for number in range(3):
            rig.broker.publish("any/mqtt/filter", str(number).encode())
        await eventually(lambda: len(seen) == 6)

    assert [payload for topic, payload in seen if topic == "plain"] == [b"0", b"1", b"2"]
    assert [payload for topic, payload in seen if topic != "plain"] == [b"0", b"1", b"2"]


async def test_an_inbox_that_cannot_store_ends_the_bot_and_acknowledges_nothing(clock: Clock) -> None:
    from bot_plugin.inbox import Arrival  # noqa: PLC0415

    class Full(MemoryInbox):
        def arrive(self, arrival: Arrival) -> bool:
            raise OSError("no space left on device")

    bot = SignalListener(DEMO, inbox=Full(), now=clock)

    @bot.on_trade()
    async def act(signal: Signal) -> None: ...

    broker = FakeBroker()
    ended = asyncio.ensure_future(bot.run(connect=broker.link, claim=False))
    await bot.wait_connected()
    Rig(bot, broker).send(build(bot))

    with pytest.raises(OSError, match="no space left"):
        await ended
    assert len(broker._sessions["signals.demo.sig"].unacknowledged) >= 1


async def test_a_listener_runs_once_at_a_time_and_again_after(bot: SignalListener) -> None:
    @bot.on_trade()
    async def act(signal: Signal) -> None: ...

    async with running(bot):
        with pytest.raises(RuntimeError, match="runs already"):
            await bot.run()
    [receipt] = await deliver(bot)

    assert receipt.stage is Stage.HANDLED


async def test_raw_handlers_that_block_their_threads_delay_no_signal(clock: Clock) -> None:
    bot = SignalListener(PluginSettings(bot="demo", threads=1, grace=0.05), now=clock)
    blocked, release = threading.Event(), threading.Event()

    @bot.on_topic("noise/#")
    def noise(topic: str, payload: bytes) -> None:
        blocked.set()
        release.wait(5)

    @bot.on_trade(timeout=0.5)
    def act(signal: Signal) -> None: ...

    async with running(bot) as rig:
        rig.broker.publish("noise/x", b"")
        await eventually(blocked.is_set)
        envelope = build(bot)
        rig.send(envelope)
        receipt = (await rig.settled(envelope.id))[-1]
        release.set()

    assert (receipt.stage, receipt.reason) == (Stage.HANDLED, None)


async def test_a_signal_that_expires_before_its_thread_comes_to_it_is_not_called(
    bot: SignalListener, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(ThreadPoolExecutor):
        def submit(self, call: Callable[..., Any], /, *arguments: Any, **more: Any) -> Future[Any]:
            clock.advance(31)
            return super().submit(call, *arguments, **more)

    monkeypatch.setattr("bot_plugin.workers.ThreadPoolExecutor", Slow)
    calls: list[Signal] = []
    bot.on_trade(name="act")(calls.append)

    [receipt] = await deliver(bot, ttl=30)

    assert calls == []
    assert receipt.stage is Stage.EXPIRED
    assert receipt.reason is not None
    assert receipt.reason.endswith("while it waited for a thread")


async def test_a_signal_that_was_reported_as_timed_out_is_not_called_later(
    bot: SignalListener, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, release = threading.Event(), threading.Event()

    class Busy(ThreadPoolExecutor):
        def submit(self, call: Callable[..., Any], /, *arguments: Any, **more: Any) -> Future[Any]:
            def after() -> Any:
                held.set()
                release.wait(5)
                return call(*arguments, **more)

            return super().submit(after)

    monkeypatch.setattr("bot_plugin.workers.ThreadPoolExecutor", Busy)
    calls: list[Signal] = []
    bot.on_trade(name="act", timeout=0.02)(calls.append)

    async with running(bot) as rig:
        envelope, behind = build(bot), build(bot)
        rig.send(envelope)
        receipt = (await rig.settled(envelope.id))[-1]
        release.set()
        rig.send(behind)
        await rig.settled(behind.id)

    assert receipt.stage is Stage.FAILED
    assert [signal.id for signal in calls] == [behind.id]


async def test_what_waits_when_the_bot_stops_is_refused_before_its_farewell(
    bot: SignalListener, gate: asyncio.Event
) -> None:
    bot.queue("q", name="box")

    @bot.on_trade()
    async def act(signal: Signal) -> None:
        await gate.wait()

    async with running(bot) as rig:
        sent = [build(bot) for _ in range(4)]
        queued = build(bot, source="q")
        for envelope in (*sent, queued):
            rig.send(envelope)
        await eventually(lambda: rig.receipts(sent[0].id))

    last = {receipt.signal: receipt for receipt in rig.receipts() if receipt.handler == "act"}
    assert [last[envelope.id].stage for envelope in sent] == [Stage.INTERRUPTED, *[Stage.REFUSED] * 3]
    assert last[sent[1].id].reason == "the bot stopped before it was run"
    [box] = [receipt for receipt in rig.receipts(queued.id) if receipt.handler == "box" and receipt.stage.final]
    assert (box.stage, box.reason) == (Stage.REFUSED, "the bot stopped before it was run")
    of_signals = [message.topic for message in rig.broker.published if message.topic.startswith("signals/")]
    assert of_signals[-1] == "signals/v1/bot/demo"


async def test_what_waits_when_the_bot_is_cancelled_is_refused_too(bot: SignalListener, gate: asyncio.Event) -> None:
    @bot.on_trade()
    async def act(signal: Signal) -> None:
        await gate.wait()

    async with running(bot) as rig:
        first, second = build(bot), build(bot)
        rig.send(first)
        rig.send(second)
        await eventually(lambda: rig.receipts(first.id))
        [main] = [task for task in asyncio.all_tasks() if task.get_name() == "bot_plugin.testing"]
        main.cancel()
        await asyncio.wait({main})

    assert rig.receipts(second.id)[-1].stage is Stage.REFUSED


async def test_nothing_starts_in_the_grace_of_a_bot_that_stops(clock: Clock, gate: asyncio.Event) -> None:
    bot = SignalListener(PluginSettings(bot="demo", grace=5), now=clock)
    calls = []

    @bot.on_trade()
    async def act(signal: Signal) -> None:
        calls.append(signal.id)
        await gate.wait()

    async with running(bot) as rig:
        first, second = build(bot), build(bot)
        rig.send(first)
        rig.send(second)
        await eventually(lambda: rig.receipts(first.id))
        bot.stop()
        await rig.settled(second.id)
        gate.set()

    assert calls == [first.id]
    assert rig.receipts(first.id)[-1].stage is Stage.HANDLED


async def test_a_clock_that_is_set_back_does_not_make_a_signal_run_late(
    bot: SignalListener, clock: Clock, gate: asyncio.Event
) -> None:
    calls = []

    @bot.on_trade()
    async def act(signal: Signal) -> None:
        calls.append(signal)
        await gate.wait()

    async with running(bot) as rig:
        first, second = build(bot), build(bot, ttl=30)
        rig.send(first)
        rig.send(second)
        await eventually(lambda: rig.receipts(second.id))
        clock.step(-3600)
        clock.advance(31)
        remaining = calls[0].remaining
        gate.set()
        receipt = (await rig.settled(second.id))[-1]

    assert [signal.id for signal in calls] == [first.id]
    assert remaining < 60 - 30
    assert receipt.stage is Stage.EXPIRED
    assert receipt.reason is not None
    assert (
        "by the gateway's clock (this bot's clock is 3600.0 s behind the gateway's), while it waited" in receipt.reason
    )


async def test_a_full_inbox_refuses_new_signals_and_says_so(clock: Clock) -> None:
    bot = SignalListener(DEMO, inbox=MemoryInbox(limit=1, monotonic=clock.monotonic), now=clock)
    calls = []

    @bot.on_trade()
    async def act(signal: Signal) -> None:
        calls.append(signal.id)

    async with running(bot) as rig:
        first, second = build(bot), build(bot)
        for envelope in (first, second):
            rig.send(envelope)
        receipt = (await rig.settled(second.id))[-1]
        clock.advance(3700)
        rig.send(second)
        await eventually(lambda: len(rig.receipts(second.id)) == 2)

    assert calls == [first.id]
    assert receipt.stage is Stage.REFUSED
    assert receipt.reason == "inbox full: 1 signals are remembered, and none of them has expired"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            ValueError("https://me:hunter2hunter2@exchange.test/ refused"),
            "ValueError: https://me:[redacted]@exchange.test/ refused",
        ),
        (ValueError("api_key=AbCdEf123456 is unknown"), "ValueError: api_key=[redacted] is unknown"),
        (ValueError("lone \ud800 surrogate"), "ValueError: lone ? surrogate"),
    ],
)
async def test_the_text_of_an_error_shows_no_secret_and_can_be_written(
    bot: SignalListener, error: Exception, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot_plugin.workers.log.disabled", True)  # its traceback would not pass between test processes

    @bot.on_trade()
    async def act(signal: Signal) -> None:
        raise error

    [receipt] = await deliver(bot)

    assert (receipt.stage, receipt.reason) == (Stage.FAILED, reason)


async def test_an_error_whose_text_fails_is_told_by_its_type(bot: SignalListener) -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    @bot.on_trade()
    async def act(signal: Signal) -> None:
        raise MuteError

    [receipt] = await deliver(bot)

    assert (receipt.stage, receipt.reason) == (Stage.FAILED, "MuteError")


async def test_an_id_that_cannot_be_written_ends_nothing(bot: SignalListener) -> None:
    @bot.on_trade()
    async def act(signal: Signal) -> None: ...

    async with running(bot) as rig:
        rig.broker.publish("signals/v1/trade/test/BTC-USDT", b'{"id":"\\ud800"}')
        envelope = build(bot)
        rig.send(envelope)
        await rig.settled(envelope.id)

    assert [receipt.signal for receipt in rig.receipts()] == [envelope.id]
