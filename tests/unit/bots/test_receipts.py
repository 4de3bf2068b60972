"""Receipts: stored together, acknowledged one by one, and never before they are on disk."""

from __future__ import annotations

import asyncio
import dataclasses

import pytest

from gateway.bots import Clocks, Receipts
from gateway.errors import NotStored
from gateway.journal import Reception
from gateway.telemetry import NullTelemetry
from schemas.envelope import RECEIPT, Envelope, body, encode, schema_urn
from schemas.receipt import ReceiptSchema
from schemas.topics import Topics
from tests.brokers import eventually
from tests.journal_drafts import START, Clock, receipt

TOPICS = Topics()


class Journal:
    """Stores when it is told to."""

    def __init__(self):
        self.calls = []
        self.told = asyncio.Event()
        self.error = None
        self.poison = None
        self.left_out = Reception()

    async def receive(self, receipts, *, at):
        self.calls.append(list(receipts))
        await self.told.wait()
        if self.error:
            raise self.error
        if any(one.signal == self.poison for one in receipts):
            raise OverflowError("a number that no column takes")
        return self.left_out


class Telemetry(NullTelemetry):
    """Remembers what it is told of receipts."""

    def __init__(self):
        self.stored, self.refused, self.unreadable, self.left_out = [], [], [], []

    def receipt(self, receipt):
        self.stored.append(receipt.signal)

    def receipts_left_out(self, *, unknown, surplus):
        self.left_out.append((unknown, surplus))

    def not_stored(self, *, cause):
        self.refused.append(cause)

    def unreadable_receipt(self, *, topic, problem):
        self.unreadable.append(problem)


class Bench:
    """The receipts' way in, and what is around it."""

    def __init__(self):
        self.journal, self.telemetry = Journal(), Telemetry()
        self.received = []
        self.receipts = Receipts(
            self.journal,
            None,
            topics=TOPICS,
            instance="g",
            received=lambda bot, signal: self.received.append((bot, signal)),
            clocks=Clocks(telemetry=self.telemetry, clock=Clock()),
            telemetry=self.telemetry,
            clock=Clock(),
        )

    def come(self, *signals, bot="demo", type_=RECEIPT):
        topic = TOPICS.receipt(bot)
        return [asyncio.ensure_future(self.receipts.take(topic, message(signal, type_))) for signal in signals]


def message(signal, type_):
    envelope = Envelope(
        id=f"receipt of {signal}",
        source="/bots/demo",
        type=type_,
        time=receipt(signal).at,
        subject=signal,
        dataschema=schema_urn(RECEIPT),
        data=body(ReceiptSchema, receipt(signal)),
    )
    return encode(envelope)


@pytest.fixture
async def bench():
    return Bench()


async def test_receipts_of_one_turn_are_stored_together_and_acknowledged_after_that(bench):
    messages = bench.come("a", "b", "c")
    await eventually(lambda: bench.journal.calls)
    assert [[one.signal for one in call] for call in bench.journal.calls] == [["a", "b", "c"]]
    assert not any(one.done() for one in messages)
    assert bench.telemetry.stored == []
    bench.journal.told.set()
    await asyncio.gather(*messages)
    assert bench.telemetry.stored == ["a", "b", "c"]
    assert bench.receipts._confirmed == {"demo": ["receipt of a", "receipt of b", "receipt of c"]}


async def test_receipts_that_come_while_others_are_stored_do_not_wait_for_them(bench):
    first = bench.come("a")
    await eventually(lambda: len(bench.journal.calls) == 1)
    second = bench.come("b")
    await eventually(lambda: len(bench.journal.calls) == 2)
    bench.journal.told.set()
    await asyncio.gather(*first, *second)
    assert bench.telemetry.stored == ["a", "b"]


async def test_what_could_not_be_stored_is_not_confirmed_and_each_is_counted(bench):
    bench.journal.error = NotStored("disk", "full")
    bench.journal.told.set()
    await asyncio.gather(*bench.come("a", "b"))
    assert bench.telemetry.refused == ["disk", "disk"]
    assert bench.receipts._confirmed == {}


async def test_an_error_that_nobody_foresaw_is_raised_in_every_handler(bench):
    bench.journal.error = RuntimeError("broken")
    bench.journal.told.set()
    results = await asyncio.gather(*bench.come("a", "b"), return_exceptions=True)
    assert results == [bench.journal.error] * 2


async def test_a_receipt_that_cannot_be_stored_at_all_does_not_take_the_others_with_it(bench):
    bench.journal.poison = "b"
    bench.journal.told.set()
    results = await asyncio.gather(*bench.come("a", "b", "c"), return_exceptions=True)
    assert [type(result) for result in results] == [type(None), OverflowError, type(None)]
    assert bench.telemetry.stored == ["a", "c"]
    assert bench.receipts._confirmed == {"demo": ["receipt of a", "receipt of c"]}


async def test_a_flood_is_stored_in_calls_of_bounded_size(bench):
    bench.journal.told.set()
    await asyncio.gather(*bench.come(*map(str, range(600))))
    assert [len(call) for call in bench.journal.calls] == [256, 256, 88]
    assert len(bench.telemetry.stored) == 600


async def test_what_the_journal_left_out_is_counted_and_confirmed_so_that_it_does_not_come_again(bench):
    bench.journal.left_out = Reception(unknown=1, surplus=1)
    bench.journal.told.set()
    await asyncio.gather(*bench.come("a", "b"))
    assert bench.telemetry.left_out == [(1, 1)]
    assert bench.receipts._confirmed == {"demo": ["receipt of a", "receipt of b"]}


async def test_a_message_whose_connection_ended_does_not_take_the_others_with_it(bench):
    gone, stays = bench.come("a", "b")
    await eventually(lambda: bench.journal.calls)
    gone.cancel()
    bench.journal.told.set()
    await stays
    assert bench.telemetry.stored == ["a", "b"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [({"bot": "other"}, "its own receipts only"), ({"type_": "signal.bot.v1"}, "no receipt")],
)
async def test_what_is_no_receipt_of_the_topics_bot_is_not_stored(bench, change, problem):
    await asyncio.gather(*bench.come("a", **change))
    assert bench.journal.calls == []
    assert problem in bench.telemetry.unreadable[0]


async def test_it_is_known_when_the_last_receipt_of_a_bot_was_stored_until_the_bot_is_forgotten(bench):
    messages = bench.come("a")
    await eventually(lambda: bench.journal.calls)
    assert bench.receipts.last("demo") is None
    bench.journal.told.set()
    await asyncio.gather(*messages)
    assert bench.receipts.last("demo") == START
    bench.receipts.forget("demo")
    assert bench.receipts.last("demo") is None


async def test_what_the_clocks_make_of_a_receipt_is_what_is_stored(bench):
    explained = dataclasses.replace(receipt("a"), reason="its clock is wrong")
    bench.receipts._clocks.receipt = lambda _: explained
    bench.come("a")
    await eventually(lambda: bench.journal.calls)
    assert bench.journal.calls == [[explained]]
