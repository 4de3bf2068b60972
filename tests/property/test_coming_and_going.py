"""Handlers that come and go in any order, while signals come: each runs once, or says why not, and none is lost."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from bot_plugin import Handlers, PluginSettings, Signal, SignalListener, SqliteInbox
from bot_plugin.testing import FakeBroker, Rig, build, running
from schemas.envelope import Envelope
from schemas.receipt import Stage
from tests.brokers import eventually

NAMES = ("one", "two", "three")
STEPS = st.sampled_from(
    [*(f"attach {name}" for name in NAMES), *(f"detach {name}" for name in NAMES), "send", "turn", "cut", "restart"]
)


class World:
    """A bot with strategies, two of which share a source, and a gateway that publishes again what has no receipt."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.broker = FakeBroker()
        self.calls: list[tuple[str, str]] = []
        self.sent: dict[str, Envelope] = {}
        self._strategies = {name: self._strategy(name) for name in NAMES}
        self.attached: set[str] = set()

    def _strategy(self, name: str) -> Handlers:
        handlers = Handlers()

        @handlers.on_trade("x" if name == "three" else "trend", name=name)
        async def act(signal: Signal) -> None:
            self.calls.append((name, signal.id))
            signal.placed(signal.id[:8])
            await asyncio.sleep(0)
            signal.filled("all")

        return handlers

    def listener(self) -> SignalListener:
        given = PluginSettings(bot="demo", grace=1.0, state_dir=str(self._folder / "state"))
        return SignalListener(given, inbox=SqliteInbox(self._folder / "inbox.db", room=0))

    async def take(self, bot: SignalListener, rig: Rig, step: str) -> None:
        match step.split():
            case ["attach", name]:
                bot.attach(self._strategies[name])
                self.attached.add(name)
            case ["detach", name]:
                await bot.detach(self._strategies[name])
                self.attached.discard(name)
            case ["send"]:
                for source in ("trend", "x"):
                    envelope = build(bot, source=source)
                    self.sent[envelope.id] = envelope
                self.publish(rig)
            case ["turn"]:
                await asyncio.sleep(0.002)
            case ["cut"]:
                if "signals.demo.sig" in self.broker._links:
                    self.broker.drop("signals.demo.sig")

    def publish(self, rig: Rig) -> None:
        """Publish in order what no receipt came for, as a gateway does."""
        received = {receipt.signal for receipt in rig.receipts()}
        for id_, envelope in self.sent.items():
            if id_ not in received:
                try:
                    rig.send(envelope)
                except LookupError:
                    continue

    async def run(self, steps: list[str]) -> Rig:
        runs: list[list[str]] = [[]]
        for step in steps:
            runs.append([]) if step == "restart" else runs[-1].append(step)
        for number, part in enumerate(runs):
            bot = self.listener()
            for name in self.attached:
                bot.attach(self._strategies[name])
            async with running(bot, broker=self.broker) as rig:
                for step in part:
                    await self.take(bot, rig, step)
                if number == len(runs) - 1:
                    await self._finish(bot, rig)
        return rig

    async def _finish(self, bot: SignalListener, rig: Rig) -> None:
        for name in NAMES:
            bot.attach(self._strategies[name])

        def settled() -> bool:
            self.publish(rig)
            done = {receipt.signal for receipt in rig.receipts() if receipt.stage.final}
            open_ = {id_ for id_ in self.sent if id_ not in done}
            return not open_ and not any(bot._runner._standing.session._lifecycle.open)

        await eventually(settled, within=10)


@settings(max_examples=60, deadline=None)
@given(steps=st.lists(STEPS, max_size=25))
def test_whoever_comes_and_goes_each_signal_runs_once_and_in_its_order(steps: list[str]) -> None:
    """No handler is called twice for a signal, the signals of a source are handled in order, and all are handled."""
    with tempfile.TemporaryDirectory() as folder:
        world = World(Path(folder))
        rig = asyncio.run(world.run(steps))

    assert len(set(world.calls)) == len(world.calls)
    handled = {id_ for _, id_ in world.calls}
    late = {receipt.signal for receipt in rig.receipts() if receipt.stage is Stage.OUT_OF_ORDER}
    assert handled | late == set(world.sent)
    order = {id_: number for number, id_ in enumerate(world.sent)}
    for name in NAMES:
        numbers = [order[id_] for called, id_ in world.calls if called == name]
        assert numbers == sorted(numbers)
    assert not late
