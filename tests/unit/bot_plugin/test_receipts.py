"""Receipts on their way: none is lost while the broker or the gateway is away, and none is sent for nothing."""

from __future__ import annotations

import asyncio
import logging
from asyncio import Future
from collections.abc import Callable
from dataclasses import replace
from itertools import count

import pytest

from bot_plugin.errors import LinkLost
from bot_plugin.receipts import Receipts, encode, receipt_id
from bot_plugin.transport import Before, Receive, at_once
from schemas import envelope as envelopes
from schemas.fields import from_micros
from schemas.receipt import Receipt, ReceiptSchema, Stage
from schemas.record import load


class HandLink:
    """A link whose acknowledgements are given by hand."""

    def __init__(self, *, window: int = 4) -> None:
        self.window = window
        self.connected = True
        self.sent: list[tuple[Receipt, Future[int]]] = []

    @property
    def free(self) -> int:
        return self.window - sum(not future.done() for _, future in self.sent) if self.connected else 0

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> Future[int]:
        if not self.free:
            raise LinkLost("none")
        future: Future[int] = asyncio.get_running_loop().create_future()
        self.sent.append((load(ReceiptSchema, envelopes.decode(payload).data), future))
        return future

    async def run(self, receive: Receive, on_connect: Callable[[], None], before: Before = at_once) -> None:
        raise NotImplementedError

    def acknowledge(self, reason: int = 0) -> None:
        for _, future in self.sent:
            if not future.done():
                future.set_result(reason)

    def lose(self) -> None:
        self.connected = False
        for _, future in self.sent:
            if not future.done():
                future.set_exception(LinkLost("gone"))

    @property
    def signals(self) -> list[str]:
        return [receipt.signal for receipt, _ in self.sent]


def receipt(signal: str, stage: Stage = Stage.HANDLED) -> Receipt:
    return Receipt(signal=signal, bot="demo", handler="act", stage=stage, at=from_micros(1))


@pytest.fixture
async def link() -> HandLink:
    return HandLink()


@pytest.fixture
async def receipts(link: HandLink) -> Receipts:
    return Receipts(link, "t", retry_after=0)


async def settle() -> None:
    for _ in range(4):
        await asyncio.sleep(0)


def test_the_same_stage_of_the_same_handler_has_the_same_id_whenever_it_was_reached() -> None:
    first = receipt("a")

    assert receipt_id(first) == receipt_id(replace(first, at=from_micros(9), reason="again"))
    others = [
        replace(first, signal="b"),
        replace(first, bot="other"),
        replace(first, handler=None),
        replace(first, stage=Stage.FAILED),
    ]
    assert len({receipt_id(other) for other in [first, *others]}) == 5


def test_a_receipts_envelope_names_bot_and_signal() -> None:
    envelope = envelopes.decode(encode(receipt("a"), "id"))

    assert (envelope.id, envelope.source, envelope.type) == ("id", "/bots/demo", "signal.receipt.v1")
    assert (envelope.subject, envelope.causationid) == ("a", "a")


async def test_no_more_are_in_flight_than_the_window_and_all_go(receipts: Receipts, link: HandLink) -> None:
    for number in range(10):
        receipts.send(receipt(str(number)))
    await settle()
    assert len(link.sent) == 4
    for _ in range(3):
        link.acknowledge()
        await settle()

    assert link.signals == [str(number) for number in range(10)]
    assert receipts.unsent == 0


async def test_a_later_stage_replaces_an_earlier_one_that_waits(receipts: Receipts, link: HandLink) -> None:
    link.connected = False
    for stage in (Stage.RECEIVED, Stage.STARTED, Stage.HANDLED, Stage.FILLED):
        receipts.send(receipt("a", stage))
    link.connected = True
    receipts.retry()
    await settle()
    link.acknowledge()
    await settle()

    assert [sent.stage for sent, _ in link.sent] == [Stage.HANDLED, Stage.FILLED]


async def test_that_orders_were_filled_is_sent_when_the_gateway_has_the_handlers_last_receipt(
    receipts: Receipts, link: HandLink
) -> None:
    """A gateway that confirms has HANDLED before FILLED is sent, whatever is lost and sent again between."""
    receipts.shown = True
    receipts.send(receipt("a", Stage.HANDLED))
    receipts.send(receipt("a", Stage.FILLED))
    receipts.send(receipt("b", Stage.FILLED))
    await settle()
    link.lose()
    await settle()
    link.connected = True
    receipts.retry()
    await settle()
    link.acknowledge()
    await settle()
    assert [(sent.signal, sent.stage) for sent, _ in link.sent if sent.signal == "a"] == [("a", Stage.HANDLED)] * 2
    assert len(receipts) == 3

    receipts.receipted([receipt_id(receipt("a"))])
    await settle()

    assert [sent.stage for sent, _ in link.sent if sent.signal == "a"][-1] is Stage.FILLED
    assert "b" in link.signals


async def test_a_stage_that_is_not_the_last_lets_nothing_follow(receipts: Receipts, link: HandLink) -> None:
    """FILLED does not overtake HANDLED when an earlier stage of its handler is confirmed."""
    receipts.shown = True
    receipts.send(receipt("a", Stage.STARTED))
    await settle()
    link.acknowledge()
    await settle()
    receipts.send(receipt("a", Stage.HANDLED))
    receipts.send(receipt("a", Stage.FILLED))
    await settle()

    receipts.receipted([receipt_id(receipt("a", Stage.STARTED))])
    await settle()

    assert Stage.FILLED not in [sent.stage for sent, _ in link.sent]


async def test_at_the_end_nothing_is_held_back(receipts: Receipts, link: HandLink) -> None:
    """A bot that stops sends FILLED behind HANDLED without waiting for the gateway."""
    receipts.shown = True
    receipts.send(receipt("a", Stage.HANDLED))
    receipts.send(receipt("a", Stage.FILLED))
    draining = asyncio.create_task(receipts.drained(timeout=1))
    await settle()
    link.acknowledge()
    await draining

    assert [sent.stage for sent, _ in link.sent] == [Stage.HANDLED, Stage.FILLED]


async def test_what_was_in_flight_when_the_link_was_lost_is_sent_again(receipts: Receipts, link: HandLink) -> None:
    receipts.send(receipt("a"))
    await settle()
    link.lose()
    await settle()
    assert receipts.unsent == 1
    link.connected = True
    receipts.reconnected()
    await settle()
    link.acknowledge()
    await settle()

    assert link.signals == ["a", "a"]
    assert receipts.unsent == 0


@pytest.mark.parametrize("reason", [0, 0x10])
async def test_a_receipt_is_sent_again_until_the_gateway_confirms_it(
    receipts: Receipts, link: HandLink, reason: int
) -> None:
    receipts.send(receipt("a"))
    for _ in range(3):
        await settle()
        link.acknowledge(reason)
        await settle()
        receipts.retry()
    await settle()
    receipts.receipted([receipt_id(receipt("a"))])
    link.acknowledge(reason)
    await settle()
    receipts.retry()
    await settle()

    assert link.signals == ["a"] * 4
    assert len(receipts) == 0
    assert [confirmed.signal for confirmed in receipts.take_confirmed()] == ["a"]
    assert receipts.take_confirmed() == []


async def test_a_receipt_that_is_never_confirmed_is_given_up_in_the_end(
    link: HandLink, caplog: pytest.LogCaptureFixture
) -> None:
    receipts = Receipts(link, "t", keep_for=0)
    receipts.send(receipt("a"))
    await settle()
    link.acknowledge()
    await settle()
    receipts.retry()

    assert len(receipts) == 0
    assert "never confirmed by the gateway" in caplog.text
    assert [confirmed.signal for confirmed in receipts.take_confirmed()] == ["a"]


async def test_a_refusal_is_logged_once_and_the_receipt_kept(
    receipts: Receipts, link: HandLink, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        receipts.send(receipt(str(number)))
    await settle()
    with caplog.at_level(logging.ERROR):
        link.acknowledge(0x87)
        await settle()

    assert [record.message for record in caplog.records] == [
        "the broker refuses receipts on t (reason 0x87): this bot may not publish there"
    ]
    assert len(receipts) == 3


async def test_past_the_limit_the_oldest_is_dropped_and_said(link: HandLink, caplog: pytest.LogCaptureFixture) -> None:
    link.connected = False
    receipts = Receipts(link, "t", limit=5)
    for number in range(8):
        receipts.send(receipt(str(number)))

    assert len(receipts) == 5
    assert "dropped 1 so far" in caplog.text


async def test_a_confirmation_of_nothing_makes_it_send_again_what_was_not_sent_just_now(
    link: HandLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipts = Receipts(link, "t")
    receipts.send(receipt("a"))
    await settle()
    link.acknowledge()
    await settle()

    receipts.receipted([])
    await settle()
    assert link.signals == ["a"]
    monkeypatch.setattr("bot_plugin.receipts._JUST_SENT", 0.0)
    receipts.receipted([])
    await settle()

    assert link.signals == ["a", "a"]


async def test_a_gateway_that_has_confirmed_something_once_is_missed_when_it_confirms_nothing_promptly(
    link: HandLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipts = Receipts(link, "t")
    receipts.send(receipt("a"))
    await settle()
    link.acknowledge()
    await settle()
    monkeypatch.setattr("bot_plugin.receipts._PROMPT", 0.0)
    assert not receipts.unanswered, "there may be no gateway at all"

    receipts.receipted([receipt_id(receipt("b"))])
    assert receipts.unanswered
    receipts.receipted([receipt_id(receipt("a"))])
    assert not receipts.unanswered


async def test_a_gateway_that_confirms_late_but_again_and_again_is_not_away(
    link: HandLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipts = Receipts(link, "t")
    passed = count()
    monkeypatch.setattr(receipts._loop, "time", lambda: next(passed) * 0.1)
    unanswered, silences = [], []
    for number in range(30):
        receipts.send(receipt(f"s{number}"))
        silences.append(receipts.receipted([receipt_id(receipt(f"s{number - 8}"))]))
        unanswered.append(receipts.unanswered)

    assert not any(unanswered)
    assert max(silences[1:]) < 0.5


async def test_a_gateway_that_was_silent_says_by_its_answer_for_how_long(
    link: HandLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipts = Receipts(link, "t")
    now = 100.0
    monkeypatch.setattr(receipts._loop, "time", lambda: now)
    receipts.receipted([])
    now = 200.0
    receipts.send(receipt("a"))
    now = 203.0

    assert receipts.unanswered
    assert receipts.receipted([]) == 3.0
    assert not receipts.unanswered


async def test_a_receipt_that_is_sent_again_counts_from_when_it_was_sent_first(
    link: HandLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    receipts = Receipts(link, "t")
    now = 100.0
    monkeypatch.setattr(receipts._loop, "time", lambda: now)
    receipts.send(receipt("a"))
    receipts._flush()
    link.acknowledge()
    await settle()
    now = 110.0
    receipts.send(receipt("b"))
    receipts.reconnected()

    assert receipts.lag == 10.0
