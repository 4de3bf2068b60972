"""Redelivery: who comes holds up what is new until the lanes are marked, and never for good."""

from __future__ import annotations

import asyncio

from gateway.delivery.outcomes import Outcomes
from gateway.delivery.redelivery import Redelivery
from gateway.errors import NotStored
from gateway.journal import MemoryJournal
from gateway.telemetry import NullTelemetry
from tests.brokers import eventually


class Comings(MemoryJournal):
    """Whenever it is asked what bots lack, the next of those that are to come does, first or not."""

    def __init__(self, *coming: tuple[str, bool]):
        super().__init__()
        self.coming, self.seen = list(coming), []
        self.redelivery = Redelivery(
            self,
            outcomes=Outcomes(self, telemetry=NullTelemetry()),
            wait=lambda: self.seen.append("wait"),
            stop=lambda _: None,
            resume=lambda *_: None,
            ready=lambda: self.seen.append("go"),
        )

    async def lanes(self, *, bots=()):
        self.seen.append(" ".join(sorted(bots)))
        if self.coming:
            bot, first = self.coming.pop(0)
            self.redelivery.bots([bot], first=first)
        await asyncio.sleep(0)
        return await super().lanes(bots=bots)

    async def run_until(self, ends):
        running = asyncio.create_task(self.redelivery.run())
        self.redelivery.bots(["a"], first=True)
        await eventually(lambda: self.seen.count("go") >= ends)
        running.cancel()
        return self.seen


async def test_nothing_new_goes_before_all_that_came_meanwhile_are_looked_up():
    seen = await Comings(("b", True), ("c", True)).run_until(1)
    assert seen == ["wait", "a", "wait", "b", "wait", "c", "go"]


async def test_a_bot_that_comes_again_and_again_does_not_hold_up_what_is_new_for_good():
    seen = await Comings(*[("a", True)] * 10).run_until(2)
    assert seen[:4] == ["wait", "a", "wait", "go"]


async def test_a_silent_bot_holds_up_nothing_and_shortens_nobodys_hold():
    seen = await Comings(("silent", False), ("c", True)).run_until(2)
    assert seen == ["wait", "a", "go", "silent", "wait", "c", "go"]


async def test_a_journal_that_cannot_be_read_holds_up_nothing(monkeypatch):
    journal = Comings()

    async def refuse(**_):
        raise NotStored("disk", "full")

    monkeypatch.setattr(journal, "lanes", refuse)
    assert await journal.run_until(1) == ["wait", "go"]
