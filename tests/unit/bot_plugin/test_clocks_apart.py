"""A running bot whose clock is wrong: nothing runs late, and nothing is refused in silence."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from bot_plugin import PluginSettings, Signal, SignalListener
from bot_plugin.testing import Rig, build, running
from schemas import envelope as envelopes
from schemas.card import Receipted, ReceiptedSchema
from schemas.envelope import Envelope
from schemas.fields import from_micros
from schemas.receipt import Receipt, Stage
from tests.brokers import eventually
from tests.unit.bot_plugin.clock import Clock


class Pair:
    """A bot, and a gateway whose clock is right."""

    def __init__(self, *, ahead: float) -> None:
        self.clock, self.true = Clock(), Clock()
        self.clock.step(ahead)
        self.bot = SignalListener(
            PluginSettings(bot="demo", grace=0.05), now=self.clock, monotonic=self.clock.monotonic
        )
        self.ran: list[str] = []
        self.gate = asyncio.Event()
        self.bot.on_trade(name="act")(self._act)
        self._gateway = SignalListener(PluginSettings(bot="gateway"), now=self.true)

    async def _act(self, signal: Signal) -> None:
        self.ran.append(signal.id)
        await self.gate.wait()

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.true.advance(seconds)

    def signal(self, *, age: float = 0.0) -> Envelope:
        return build(self._gateway, age=age)

    def answer(self, rig: Rig) -> None:
        """What the gateway says to a bot's card."""
        at = from_micros(self.true())
        data = envelopes.body(ReceiptedSchema, Receipted(receipts=()))
        envelope = Envelope(id=str(uuid.uuid4()), source="/gateways/g", type=envelopes.RECEIPTED, time=at, data=data)
        rig.broker.publish("signals/v1/receipted/demo", envelopes.encode(envelope))


async def sent(pair: Pair, rig: Rig, envelope: Envelope) -> Receipt:
    rig.send(envelope)
    return (await rig.settled(envelope.id))[-1]


async def test_a_bot_whose_clock_is_behind_refuses_new_signals_and_names_the_skew(
    caplog: pytest.LogCaptureFixture,
) -> None:
    pair = Pair(ahead=-45)
    async with running(pair.bot) as rig:
        receipt = await sent(pair, rig, pair.signal())
        await eventually(lambda: "let NTP set" in caplog.text)

    assert receipt.stage is Stage.REFUSED
    assert receipt.reason is not None
    assert receipt.reason.startswith("clock: the signal's time is 45.0 s ahead of this bot's clock")
    assert "45.0 s behind the gateway's" in receipt.reason
    assert "this bot's clock is 45.0 s behind the gateway's" in caplog.text


async def test_an_empty_confirmation_tells_a_bot_that_its_clock_is_behind() -> None:
    pair = Pair(ahead=-45)
    async with running(pair.bot) as rig:
        pair.answer(rig)
        receipt = await sent(pair, rig, pair.signal(age=61))

    assert pair.ran == []
    assert receipt.stage is Stage.EXPIRED
    assert receipt.reason is not None
    assert "by the gateway's clock (this bot's clock is 45.0 s behind the gateway's)" in receipt.reason


async def test_what_waits_expires_by_the_gateways_clock_as_soon_as_that_is_known() -> None:
    pair = Pair(ahead=-45)
    first, second = pair.signal(age=50), pair.signal(age=49)
    async with running(pair.bot) as rig:
        rig.send(first)
        rig.send(second)
        await eventually(lambda: rig.receipts(second.id))
        pair.advance(12)
        pair.answer(rig)
        receipt = (await rig.settled(second.id))[-1]

    assert pair.ran == [first.id]
    assert receipt.stage is Stage.EXPIRED


async def test_a_bot_whose_clock_is_ahead_runs_what_is_true_and_names_the_skew_of_what_expires() -> None:
    pair = Pair(ahead=45)
    pair.gate.set()
    async with running(pair.bot) as rig:
        pair.answer(rig)
        handled = await sent(pair, rig, pair.signal())
        pair.advance(6)
        expired = await sent(pair, rig, pair.signal(age=20))

    assert (handled.stage, expired.stage) == (Stage.HANDLED, Stage.EXPIRED)
    assert expired.reason is not None
    assert "by this bot's clock (this bot's clock is 45.0 s ahead of the gateway's" in expired.reason


async def test_a_clock_that_is_right_is_named_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    pair = Pair(ahead=0)
    async with running(pair.bot) as rig:
        pair.answer(rig)
        receipt = await sent(pair, rig, pair.signal(age=70))

    assert receipt.reason is not None
    assert receipt.reason.endswith("by this bot's clock")
    assert "NTP" not in caplog.text
