"""Redelivery: who comes holds up what is new until the lanes are marked, and never for good."""

from __future__ import annotations

import asyncio

from gateway.delivery.outcomes import Outcomes
from gateway.delivery.redelivery import Redelivery
from gateway.journal import MemoryJournal
from gateway.telemetry import NullTelemetry
from tests.brokers import eventually


class Flapping(MemoryJournal):
    """A bot comes whenever it is asked what bots lack."""

    async def lanes(self, *, bots=()):
        self.redelivery.bots(["flapping"], first=True)
        await asyncio.sleep(0)
        return await super().lanes(bots=bots)


async def test_a_bot_that_comes_again_and_again_does_not_hold_up_what_is_new_for_good():
    journal, seen = Flapping(), []
    journal.redelivery = Redelivery(
        journal,
        outcomes=Outcomes(journal, telemetry=NullTelemetry()),
        wait=lambda: seen.append("wait"),
        stop=lambda _: None,
        resume=lambda *_: None,
        ready=lambda: seen.append("go"),
    )
    running = asyncio.create_task(journal.redelivery.run())
    journal.redelivery.bots(["flapping"], first=True)

    await eventually(lambda: seen.count("go") >= 2)
    running.cancel()

    assert seen[:6] == ["wait", "wait", "wait", "go", "wait", "wait"]
