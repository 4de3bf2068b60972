"""A running bot: what it does with signals that come early, late or not at all, and with withdrawals."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Any

import pytest

from bot_plugin import PluginSettings, Signal, SignalListener
from bot_plugin import order as ordering
from bot_plugin.order import Place
from bot_plugin.sequencer import Sequencer
from bot_plugin.testing import Rig, build, running, topic_of
from schemas import envelope as envelopes
from schemas.alert import Withdrawal, WithdrawalSchema
from schemas.envelope import Envelope, sequence_text
from schemas.fields import to_micros
from schemas.receipt import Receipt, Stage
from tests.brokers import eventually


class Bot:
    """A bot with one handler, and the numbers that it saw."""

    def __init__(self, **settings: Any) -> None:
        self.listener = SignalListener(PluginSettings(bot="demo", grace=0.05, **settings))
        self.seen: list[int] = []
        self.listener.on_trade(name="act", pair="BTC-USDT")(self._act)
        self.base = self.listener.now()

    async def _act(self, signal: Signal) -> None:
        self.seen.append(signal.sequence - self.base)

    def build(self, number: int, previous: int | None = None, **signal: Any) -> Envelope:
        before = None if previous is None else self.base + previous
        return build(self.listener, sequence=self.base + number, previous=before, **signal)

    def withdrawal(self, number: int, of: Envelope, previous: int | None = None, **signal: Any) -> Envelope:
        data = envelopes.body(WithdrawalSchema, Withdrawal(signal=of.id, reason="by the operator"))
        return self.build(number, previous, type=envelopes.WITHDRAW, data=data, **signal)


async def ended(rig: Rig, envelope: Envelope) -> Receipt:
    return (await rig.settled(envelope.id))[-1]


@pytest.fixture
def bot() -> Bot:
    return Bot()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for 0.2 s instead of 2."""
    monkeypatch.setattr(ordering, "PATIENCE", 200_000)


async def test_a_signal_that_comes_early_is_received_and_runs_behind_the_one_before_it(bot: Bot) -> None:
    first, second, third = bot.build(1), bot.build(2, 1), bot.build(3, 2)
    async with running(bot.listener) as rig:
        rig.send(first)
        await rig.settled(first.id)
        rig.send(third)
        await eventually(lambda: rig.receipts(third.id))
        [received] = rig.receipts(third.id)
        rig.send(second)
        handled = await ended(rig, third)

    assert received.stage is Stage.RECEIVED
    assert (handled.stage, handled.reason) == (Stage.HANDLED, None)
    assert bot.seen == [1, 2, 3]


@pytest.mark.usefixtures("hasty")
async def test_a_gap_is_waited_for_and_told_in_the_log_and_on_the_receipt(
    bot: Bot, caplog: pytest.LogCaptureFixture
) -> None:
    first, third = bot.build(1), bot.build(3, 2)
    async with running(bot.listener) as rig:
        for envelope in (first, third):
            rig.send(envelope)
        receipt = await ended(rig, third)

    missing = sequence_text(bot.base + 2)
    assert receipt.stage is Stage.HANDLED
    assert receipt.reason == f"the signal before it (sequence {missing}) did not come in time"
    [warning] = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert [part in warning for part in (topic_of(bot.listener, third), sequence_text(bot.base + 3), missing)] == [
        True
    ] * 3


async def test_while_a_signal_waits_the_gateway_is_asked_again_and_again_whether_it_is_there(bot: Bot) -> None:
    first, third = bot.build(1), bot.build(3, 2)
    async with running(bot.listener) as rig:
        for envelope in (first, third):
            rig.send(envelope)
        for envelope, asked in ((first, 1), (third, 1), (third, 2)):
            await eventually(lambda envelope=envelope, asked=asked: len(rig.receipts(envelope.id)) == asked)
            rig.confirm(envelope.id)
        await eventually(lambda: len(rig.receipts(third.id)) == 3)

    assert [receipt.stage for receipt in rig.receipts(third.id)[:3]] == [Stage.RECEIVED] * 3


async def test_the_gateway_is_asked_by_another_signal_where_the_first_that_waits_was_withdrawn(bot: Bot) -> None:
    @bot.listener.on_trade(name="other", pair="ETH-USDT")
    async def other(signal: Signal) -> None: ...

    first, withdrawn = bot.build(1), bot.build(3, 2)
    begun, waiting = bot.build(1, pair="ETH-USDT"), bot.build(4, 3, pair="ETH-USDT")
    withdrawal = bot.withdrawal(5, withdrawn, 4)
    async with running(bot.listener) as rig:
        for envelope in (first, begun, withdrawn, withdrawal, waiting):
            rig.send(envelope)
        for envelope in (first, begun, withdrawn, withdrawal, waiting):
            await eventually(lambda envelope=envelope: rig.receipts(envelope.id))
            rig.confirm(envelope.id)
        rig.confirm(withdrawn.id)
        await eventually(lambda: len(rig.receipts(waiting.id)) == 2)

    assert [receipt.stage for receipt in rig.receipts(waiting.id)[:2]] == [Stage.RECEIVED] * 2


async def test_a_signal_waits_anew_when_the_gateway_is_there_again(bot: Bot, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ordering, "PATIENCE", 1_000_000)
    first, third = bot.build(1), bot.build(3, 2)
    async with running(bot.listener) as rig:

        async def gateway() -> None:
            while True:
                for envelope in (first, third):
                    if rig.receipts(envelope.id):
                        rig.confirm(envelope.id)
                await asyncio.sleep(0.02)

        confirming = asyncio.create_task(gateway())
        rig.send(first)
        await rig.settled(first.id)
        rig.send(third)
        await asyncio.sleep(0.5)  # half of its wait
        rig.confirm("none: it says that the gateway is there again")
        again = bot.listener.now()
        receipt = await ended(rig, third)
        confirming.cancel()

    assert receipt.started_at is not None
    assert to_micros(receipt.started_at) - again >= 900_000


@pytest.mark.parametrize(
    ("answer", "longer"),
    [
        ({"is_back": False, "silence": 900_000}, False),
        ({"is_back": False, "silence": 1_000_000}, True),
        ({"is_back": True, "silence": 0}, True),
    ],
)
def test_a_gateway_that_is_slow_or_back_makes_what_waits_wait_anew(answer: dict[str, Any], *, longer: bool) -> None:
    assert waits_after(answer, arrived_ago=1_500_000) is longer


@pytest.mark.parametrize(("silence", "longer"), [(1_900_000, False), (2_000_000, True)])
def test_what_has_waited_for_ten_seconds_waits_anew_for_a_gateway_that_was_away_and_not_for_a_slow_one(
    silence: int, *, longer: bool
) -> None:
    assert waits_after({"is_back": False, "silence": silence}, arrived_ago=11_000_000) is longer


def waits_after(answer: dict[str, Any], *, arrived_ago: int) -> bool:
    """Whether a signal whose time is up in half a second waits for longer than that after an answer."""
    at = 10**15
    now = at + arrived_ago
    nothing: Any = None
    sequencer = Sequencer(
        nothing,
        nothing,
        released={"t": at + 1},
        backlog=10,
        may_come=lambda: True,
        confirms=lambda: True,
        lag=lambda: 0,
        now=lambda: at,
        monotonic=lambda: now,
    )
    sequencer.close()
    order = sequencer._order
    order.connected(monotonic=at)
    order.take(Place(topic="t", sequence=at + 3, previous=at + 2), (nothing, ()), now=at, monotonic=at)
    order.heard(Place(topic="t", sequence=at + 2), monotonic=now - 1_500_000)
    sequencer.gateway_answered(**answer)
    return order.due(now=at, monotonic=now + 600_000) == []


async def test_a_signal_that_comes_after_a_later_one_is_out_of_order_and_never_run(bot: Bot) -> None:
    early, late = bot.build(2), bot.build(1)
    async with running(bot.listener) as rig:
        rig.send(early)
        await rig.settled(early.id)
        rig.send(late)
        receipt = await ended(rig, late)

    assert receipt.stage is Stage.OUT_OF_ORDER
    assert receipt.reason is not None
    assert f"(sequence {sequence_text(bot.base + 2)})" in receipt.reason
    assert bot.seen == [2]


async def test_a_known_signal_that_comes_again_repeats_its_receipt(bot: Bot) -> None:
    first, second = bot.build(1), bot.build(2, 1)
    async with running(bot.listener) as rig:
        for envelope in (first, second):
            rig.send(envelope)
            await rig.settled(envelope.id)
        rig.send(first)
        await eventually(lambda: len(rig.receipts(first.id)) == 2)

    assert {receipt.stage for receipt in rig.receipts(first.id)} == {Stage.HANDLED}
    assert bot.seen == [1, 2]


async def test_a_refused_signal_that_comes_early_keeps_its_place_for_the_one_before_it(bot: Bot) -> None:
    first, second, fourth = bot.build(1), bot.build(2, 1), bot.build(4, 3)
    third = bot.build(3, 2, mode="paper")
    async with running(bot.listener) as rig:
        for envelope in (first, third):
            rig.send(envelope)
            await rig.settled(envelope.id)
        for envelope in (second, fourth):
            rig.send(envelope)
            await rig.settled(envelope.id)

    assert [receipt.stage for receipt in rig.receipts(third.id)] == [Stage.REFUSED]
    assert bot.seen == [1, 2, 4]


async def test_an_unreadable_signal_is_waited_for_by_nobody(bot: Bot) -> None:
    first, second, third = bot.build(1), bot.build(2, 1, data={"action": "hold"}), bot.build(3, 2)
    async with running(bot.listener) as rig:
        for envelope in (first, second, third):
            rig.send(envelope)
        receipt = await ended(rig, third)

    assert (receipt.stage, receipt.reason) == (Stage.HANDLED, None)


async def test_a_bot_that_stops_refuses_what_waits_for_its_turn(bot: Bot) -> None:
    first, third = bot.build(1), bot.build(3, 2)
    async with running(bot.listener) as rig:
        for envelope in (first, third):
            rig.send(envelope)
        await eventually(lambda: rig.receipts(third.id))

    assert rig.receipts(third.id)[-1].stage is Stage.REFUSED
    assert bot.seen == [1]


@pytest.mark.usefixtures("hasty")
async def test_more_than_the_backlog_is_refused_also_where_it_waited_for_its_turn() -> None:
    bot, gate = Bot(backlog=2), asyncio.Event()

    @bot.listener.on_trade(name="slow", pair="ETH-USDT")
    async def slow(signal: Signal) -> None:
        await gate.wait()

    sent = [bot.build(1, pair="ETH-USDT"), *(bot.build(n, n - 1, pair="ETH-USDT") for n in range(3, 7))]
    async with running(bot.listener) as rig:
        rig.send(sent[0])
        await eventually(lambda: rig.receipts(sent[0].id))
        for envelope in sent[1:]:
            rig.send(envelope)
        await eventually(lambda: any(receipt.stage is Stage.REFUSED for receipt in rig.receipts()))
        gate.set()
        last = [await ended(rig, envelope) for envelope in sent]

    assert [receipt.stage for receipt in last] == [Stage.HANDLED] * 3 + [Stage.REFUSED] * 2
    assert "2 signals of test/ETH-USDT wait already" in (last[-1].reason or "")


async def test_a_withdrawal_has_a_receipt_of_its_own_and_repeats_it(bot: Bot) -> None:
    first = bot.build(1)
    withdrawal = bot.withdrawal(2, first, 1)
    async with running(bot.listener) as rig:
        rig.send(first)
        await rig.settled(first.id)
        rig.send(withdrawal)
        receipt = await ended(rig, withdrawal)
        rig.send(withdrawal)
        await eventually(lambda: len(rig.receipts(withdrawal.id)) == 2)

    assert (receipt.stage, receipt.handler) == (Stage.HANDLED, None)
    assert receipt.reason == f"signal {first.id} is not started from now on"
    assert rig.receipts(withdrawal.id) == [receipt, receipt]


async def test_a_withdrawal_acts_at_once_on_a_signal_that_waits_for_its_turn(bot: Bot) -> None:
    first, second, third = bot.build(1), bot.build(2, 1), bot.build(3, 2)
    withdrawal = bot.withdrawal(4, third, 3)
    async with running(bot.listener) as rig:
        rig.send(first)
        await rig.settled(first.id)
        rig.send(third)
        rig.send(withdrawal)
        stages = (await ended(rig, third)).stage, (await ended(rig, withdrawal)).stage
        rig.send(second)
        await rig.settled(second.id)

    assert stages == (Stage.WITHDRAWN, Stage.HANDLED)
    assert bot.seen == [1, 2]


async def test_nobody_waits_for_a_withdrawal_that_came(bot: Bot) -> None:
    first, third = bot.build(1), bot.build(3, 2)
    async with running(bot.listener) as rig:
        for envelope in (first, bot.withdrawal(2, first, 1), third):
            rig.send(envelope)
        receipt = await ended(rig, third)

    assert (receipt.stage, receipt.reason) == (Stage.HANDLED, None)


async def test_an_alert_is_withdrawn_on_its_own_topic(bot: Bot) -> None:
    @bot.listener.on_alert(name="note")
    async def note(signal: Signal) -> None:
        raise AssertionError("called")

    alert = bot.build(1, action=None, message="hello")
    withdrawal = bot.withdrawal(2, alert, 1)
    async with running(bot.listener) as rig:
        rig.broker.publish(topic_of(bot.listener, alert), envelopes.encode(withdrawal))
        await rig.settled(withdrawal.id)
        rig.send(alert)
        receipt = await ended(rig, alert)

    assert receipt.stage is Stage.WITHDRAWN


async def test_what_a_broker_lost_and_the_gateway_sends_again_runs_in_its_place(
    bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ordering, "PATIENCE", 60_000_000)
    chance = random.Random(7)
    sent = [bot.build(number, number - 1 if number > 1 else None) for number in range(1, 201)]
    lost = [envelope for envelope in sent[1:] if chance.random() < 0.2]
    async with running(bot.listener) as rig:
        for envelope in sent:
            if envelope not in lost:
                rig.send(envelope)
        await eventually(lambda: rig.receipts(sent[-1].id))
        again = sorted([*lost, *chance.sample(sent, 50)], key=lambda envelope: envelope.sequence or 0)
        for envelope in again:
            rig.send(envelope)
        await eventually(lambda: len(bot.seen) == len(sent))

    assert bot.seen == list(range(1, 201))
