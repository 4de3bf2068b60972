"""What is told of predictions takes its turn with what is called for signals, and ends with grace as they do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest

from bot_plugin import Handlers, PluginSettings, Signal, SignalListener, Stale
from bot_plugin.testing import Rig, build, running
from tests.brokers import eventually
from tests.unit.bot_plugin.clock import Clock

LONG = {"probabilities": {"short": 0.1, "neutral": 0.2, "long": 0.7}}


@pytest.fixture
def bot(clock: Clock) -> SignalListener:
    return SignalListener(PluginSettings(bot="demo", grace=0.2), now=clock, monotonic=clock.monotonic)


class Strategy:
    """A strategy that may be held inside each of its callbacks, and notes what it enters and leaves."""

    def __init__(self, **filters: Any) -> None:
        self.handlers = Handlers()
        self.did: list[str] = []
        self.may_enter, self.may_be_flat = asyncio.Event(), asyncio.Event()
        self.handlers.on_prediction("models", name="enter")(self.enter)
        self.handlers.on_stale("models", **filters)(self.flat)

    async def enter(self, signal: Signal) -> None:
        with self._noted(f"enter {signal.pair}"):
            await self.may_enter.wait()

    async def flat(self, stale: Stale) -> None:
        with self._noted(f"flat {stale.pair}"):
            await self.may_be_flat.wait()

    @contextmanager
    def _noted(self, what: str) -> Iterator[None]:
        self.did.append(what)
        try:
            yield
        finally:
            self.did.append(f"end {what}")


@asynccontextmanager
async def attached(bot: SignalListener, strategy: Strategy) -> AsyncIterator[Rig]:
    bot.attach(strategy.handlers)
    async with running(bot) as rig:
        yield rig


def say(bot: SignalListener, rig: Rig, **more: Any) -> str:
    """A prediction comes; its id."""
    envelope = build(bot, **{"source": "models", "prediction": LONG, "ttl": 30, **more})
    rig.send(envelope)
    return envelope.id


async def in_force(bot: SignalListener, strategy: Strategy, rig: Rig) -> None:
    """A prediction came, was acted on, and was seen in force by a look."""
    strategy.may_enter.set()
    await rig.settled(say(bot, rig))
    await asyncio.sleep(1.1)
    strategy.may_enter.clear()


async def test_a_new_entry_waits_for_a_slow_going_flat_and_others_do_not(bot: SignalListener, clock: Clock) -> None:
    """A prediction that comes while on_stale runs is acted on after it; one of another instrument at once."""
    strategy = Strategy()
    async with attached(bot, strategy) as rig:
        await in_force(bot, strategy, rig)
        clock.advance(31)
        await eventually(lambda: "flat BTC-USDT" in strategy.did)
        strategy.may_enter.set()
        waits = say(bot, rig)
        await rig.settled(say(bot, rig, pair="ETH-USDT"))
        assert strategy.did[-2:] == ["enter ETH-USDT", "end enter ETH-USDT"]
        strategy.may_be_flat.set()
        receipt = (await rig.settled(waits))[-1]

    assert receipt.stage == "handled"
    assert strategy.did[-3:] == ["end flat BTC-USDT", "enter BTC-USDT", "end enter BTC-USDT"]


async def test_going_flat_waits_for_the_entry_that_runs(bot: SignalListener, clock: Clock) -> None:
    """The callback of the prediction that ran out ends first; then the strategy is told."""
    strategy = Strategy()
    strategy.may_be_flat.set()
    async with attached(bot, strategy) as rig:
        say(bot, rig)
        await eventually(lambda: strategy.did == ["enter BTC-USDT"])
        await asyncio.sleep(1.1)  # a look that finds it in force
        clock.advance(31)
        await asyncio.sleep(1.2)  # a look that finds it stale
        assert strategy.did == ["enter BTC-USDT"]
        strategy.may_enter.set()
        await eventually(lambda: len(strategy.did) == 4)

    assert strategy.did[1:] == ["end enter BTC-USDT", "flat BTC-USDT", "end flat BTC-USDT"]


async def test_what_is_in_force_again_when_its_turn_comes_is_not_told(bot: SignalListener, clock: Clock) -> None:
    """A prediction that came while on_stale waited for its turn makes it needless, and the next silence is told."""
    strategy = Strategy()
    strategy.may_be_flat.set()
    async with attached(bot, strategy) as rig:
        say(bot, rig)
        await asyncio.sleep(1.1)  # a look that finds it in force
        clock.advance(31)
        await asyncio.sleep(1.2)  # a look that finds it stale
        second = say(bot, rig)
        strategy.may_enter.set()
        await rig.settled(second)
        assert strategy.did == ["enter BTC-USDT", "end enter BTC-USDT"] * 2
        clock.advance(31)
        await eventually(lambda: strategy.did[4:] == ["flat BTC-USDT", "end flat BTC-USDT"])


async def test_before_any_prediction_going_flat_holds_every_instrument_of_its_source(
    bot: SignalListener, clock: Clock
) -> None:
    """The first prediction waits for the on_stale of a start with nothing."""
    strategy = Strategy()
    strategy.may_enter.set()
    async with attached(bot, strategy) as rig:
        clock.advance(11)
        await eventually(lambda: strategy.did == ["flat None"])
        first = say(bot, rig)
        await eventually(lambda: rig.receipts(first))
        await asyncio.sleep(0.1)
        assert strategy.did == ["flat None"]
        strategy.may_be_flat.set()
        await rig.settled(first)

    assert strategy.did == ["flat None", "end flat None", "enter BTC-USDT", "end enter BTC-USDT"]


async def test_detach_waits_for_going_flat_and_cuts_it_short_after_the_grace(bot: SignalListener, clock: Clock) -> None:
    """Detach returns when on_stale has ended: by itself within the grace, or cancelled after it."""
    strategy = Strategy()
    async with attached(bot, strategy):
        for ends in (True, False):
            strategy.did.clear()
            clock.advance(11)
            await eventually(lambda: strategy.did == ["flat None"])
            if ends:
                asyncio.get_running_loop().call_later(0.05, strategy.may_be_flat.set)
            async with asyncio.timeout(2):
                await bot.detach(strategy.handlers)
            assert strategy.did == ["flat None", "end flat None"]
            strategy.may_be_flat.clear()
            bot.attach(strategy.handlers)
            await asyncio.sleep(0)


async def test_going_flat_may_detach_its_own_strategy(bot: SignalListener, clock: Clock) -> None:
    """A strategy that stops itself in on_stale neither waits for itself nor is interrupted."""
    guest, returned = Handlers(), asyncio.Event()
    guest.on_prediction("models")(lambda signal: None)

    @guest.on_stale("models")
    async def flat(stale: Stale) -> None:
        await bot.detach(guest)
        await asyncio.sleep(0)
        returned.set()

    bot.attach(guest)
    async with running(bot):
        clock.advance(11)
        await asyncio.wait_for(returned.wait(), 5)


@pytest.mark.parametrize("grace", [5, 0.05])
async def test_a_bot_that_stops_lets_going_flat_end_within_the_grace(clock: Clock, grace: float) -> None:
    """On stop on_stale has the settings' grace, and is cancelled after it."""
    bot = SignalListener(PluginSettings(bot="demo", grace=grace), now=clock, monotonic=clock.monotonic)
    did: list[str] = []
    bot.on_prediction("models")(lambda signal: None)

    @bot.on_stale("models")
    async def flat(stale: Stale) -> None:
        did.append("begins")
        try:
            await asyncio.sleep(0.5)
        except asyncio.CancelledError:
            did.append("is cut")
            raise
        did.append("ends")

    async with running(bot):
        clock.advance(11)
        await eventually(lambda: did)

    assert did == ["begins", "ends" if grace == 5 else "is cut"]


async def test_a_thread_that_goes_flat_keeps_its_turn_after_detach(bot: SignalListener, clock: Clock) -> None:
    """A plain function cannot be stopped: detach returns after the grace, and new entries wait for its end still."""
    gate, called, guest = threading.Event(), threading.Event(), Handlers()
    seen: list[str] = []
    bot.on_prediction("models", name="other")(lambda signal: seen.append(signal.id))
    guest.on_prediction("models", name="guest")(lambda signal: None)

    @guest.on_stale("models", timeout=0.01)
    def flat(stale: Stale) -> None:
        called.set()
        gate.wait(5)

    bot.attach(guest)
    async with running(bot) as rig:
        clock.advance(11)
        await eventually(called.is_set)
        async with asyncio.timeout(2):
            await bot.detach(guest)
        entry = say(bot, rig)
        await eventually(lambda: rig.receipts(entry))
        await asyncio.sleep(0.1)
        assert seen == []
        gate.set()
        await rig.settled(entry)

    assert seen == [entry]


async def test_going_flat_that_exceeds_its_timeout_is_cancelled(
    bot: SignalListener, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    """A timeout of on_stale holds, and its turn is free then."""
    bot.on_prediction("models")(lambda signal: None)

    @bot.on_stale("models", timeout=0.05)
    async def flat(stale: Stale) -> None:
        await asyncio.Event().wait()

    async with running(bot) as rig:
        clock.advance(11)
        await eventually(lambda: "on_stale flat failed" in caplog.text)
        assert (await rig.settled(say(bot, rig)))[-1].stage == "handled"
