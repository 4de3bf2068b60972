"""From facts to a receiver: a notification for each kind of problem, once per burst, and nobody waits for a target."""

from __future__ import annotations

import asyncio
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import pytest

from gateway.journal import Refusal, Unanswered, Unhandled
from gateway.notify import Notifier, NotifySettings, Pace, Target
from gateway.notify.problems import Kind
from gateway.telemetry import NullTelemetry, Several, Telemetry
from schemas.errors import Fault
from schemas.fields import from_micros
from schemas.receipt import Receipt, Stage
from tests.brokers import eventually, free_port
from tests.journal_drafts import START
from tests.receiver import Receiver, receiving

PACE = Pace(group_for=0.3, repeat_every=3600, limit=100)
ENTRY = Unanswered("s1", "tv", "BTC-USDT", "open", ("demo",), handled=False)
EXIT = Unanswered("s1", "tv", "BTC-USDT", "reduce", ("demo",), handled=False)
FAULT = Fault(where="order.price", problem="is not a number")


def receipt(stage: Stage) -> Unhandled:
    at = from_micros(START)
    return Unhandled(Receipt(signal="s1", bot="demo", stage=stage, at=at, reason="why"), "tv", "BTC-USDT", "open")


class Told(NullTelemetry):
    """Counts problems, and what became of notifications."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.outcomes: list[tuple[str, str, str]] = []
        self.errors: list[BaseException] = []

    def problem(self, *, kind: str) -> None:
        self.problems.append(kind)

    def notified(self, *, target: str, outcome: str, problem: str) -> None:
        self.outcomes.append((target, outcome, problem))

    def unexpected(self, *, where: str, error: BaseException) -> None:
        self.errors.append(error)


class Rig:
    """A notifier that runs, as a gateway's parts reach it."""

    def __init__(self, targets: Sequence[Target], *, pace: Pace = PACE, expected: float | None = None) -> None:
        self.told = Told()
        self.trouble: str | None = None
        self.notifier = Notifier(
            NotifySettings(targets=tuple(targets), pace=pace, broker_away_after=0.2),
            expected={"tv": expected} if expected else {},
            telemetry=self.told,
            clock=lambda: START,
        )
        self.telemetry: Telemetry = Several(self.told, *self.notifier.listeners)
        self.telemetry.broker_connected(connected=True)
        self.telemetry.watch_journal(lambda: self.trouble)


@asynccontextmanager
async def running(*targets: Target, pace: Pace = PACE, expected: float | None = None) -> AsyncIterator[Rig]:
    rig = Rig(targets, pace=pace, expected=expected)
    task = asyncio.create_task(rig.notifier.run())
    try:
        yield rig
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        assert rig.told.errors == []


def refuse(telemetry: Telemetry) -> None:
    telemetry.refused(Refusal(id="r1", source="tv", at=START, code="invalid", faults=(FAULT,), size=9))


FACTS: dict[Kind, Callable[[Telemetry], None]] = {
    Kind.REDUCE_EXPIRED: lambda telemetry: telemetry.undelivered(EXIT, station="expired", reason="why"),
    Kind.BOT_DEAD: lambda telemetry: telemetry.bot_dead(bot="demo", last_seen=START),
    Kind.INTERRUPTED: lambda telemetry: telemetry.unhandled(receipt(Stage.INTERRUPTED)),
    Kind.FAILED: lambda telemetry: telemetry.unhandled(receipt(Stage.FAILED)),
    Kind.DENIED: lambda telemetry: telemetry.undelivered(ENTRY, station="denied", reason="why"),
    Kind.DEAD: lambda telemetry: telemetry.undelivered(ENTRY, station="dead", reason="why"),
    Kind.UNANSWERED: lambda telemetry: telemetry.unanswered(ENTRY),
    Kind.REFUSED: refuse,
    Kind.RETAINED_FOUND: lambda telemetry: telemetry.retained_found(topic="t", problem=""),
    Kind.BOT_NOTIFIED: lambda telemetry: telemetry.bot_notified(bot="demo", text="why"),
}


@pytest.mark.parametrize("kind", FACTS)
async def test_what_alerts_watch_is_counted_where_nobody_is_to_be_told(kind: Kind) -> None:
    async with running() as rig:
        FACTS[kind](rig.telemetry)
        rig.trouble = "the disk is full"
        await eventually(lambda: rig.told.problems == [kind, Kind.JOURNAL_UNWRITABLE])


TITLES = {
    Kind.REDUCE_EXPIRED: "exit expired, ",
    Kind.DEAD: "signal dead, ",
    Kind.RETAINED_FOUND: "retained message found, ",
    Kind.BOT_NOTIFIED: "50 messages of bot demo",
}


@pytest.mark.parametrize("kind", FACTS)
async def test_a_burst_of_each_kind_arrives_as_one_notification(receiver: Receiver, kind: Kind) -> None:
    async with running(Target(number=1, url=receiver.url)) as rig:
        for _ in range(50):
            FACTS[kind](rig.telemetry)
        await eventually(lambda: rig.told.outcomes)
        if kind is not Kind.BOT_NOTIFIED:
            FACTS[kind](rig.telemetry)
        rig.telemetry.bot_notified(bot="other", text="the end")
        await eventually(lambda: len(rig.told.outcomes) == 2)

        burst, last = receiver.received
        assert burst["title"].startswith(f"signal-gateway: {TITLES.get(kind, kind.words)}")
        assert last["message"] == "bot other: the end"
        assert rig.told.outcomes == [("target 1, json://127.0.0.1", "sent", "")] * 2
        assert rig.told.problems[:50] == [kind.value] * 50


async def test_a_dead_bot_is_told_and_that_it_is_back(receiver: Receiver) -> None:
    async with running(Target(number=1, url=receiver.url)) as rig:
        rig.telemetry.bot_dead(bot="demo", last_seen=START)
        await eventually(lambda: receiver.about("bot demo is dead"))
        rig.telemetry.bot_back(bot="demo")
        await eventually(lambda: receiver.about("bot demo is back"))

        assert [one["type"] for one in receiver.received] == ["failure", "success"]


async def test_a_broker_that_is_away_for_too_long_is_told_and_that_it_is_back(receiver: Receiver) -> None:
    async with running(Target(number=1, url=receiver.url)) as rig:
        rig.telemetry.broker_connected(connected=False)
        await eventually(lambda: receiver.about("the broker is away"))
        rig.telemetry.broker_connected(connected=True)
        await eventually(lambda: receiver.about("the broker is back"))

        assert len(receiver.received) == 2


async def test_a_journal_that_cannot_store_is_told_and_that_it_can_again(receiver: Receiver) -> None:
    async with running(Target(number=1, url=receiver.url)) as rig:
        rig.trouble = "the disk is full"
        await eventually(lambda: receiver.about("no signal can be stored: the disk is full"))
        rig.trouble = None
        await eventually(lambda: receiver.about("signals can be stored again"))

        assert len(receiver.received) == 2


async def test_a_source_that_is_silent_for_too_long_is_told(receiver: Receiver) -> None:
    async with running(Target(number=1, url=receiver.url), expected=0.2) as rig:
        await eventually(lambda: receiver.about("no signal of source tv was accepted"))

        assert rig.told.problems == ["source_silent"]


async def test_a_target_gets_what_it_wants_and_nothing_else(receiver: Receiver) -> None:
    with receiving() as other:
        targets = [
            Target(number=1, url=receiver.url, kinds=(Kind.REFUSED,)),
            Target(number=2, url=other.url, kinds=(Kind.FAILED,), bots=("demo",)),
        ]
        async with running(*targets) as rig:
            refuse(rig.telemetry)
            rig.telemetry.unhandled(receipt(Stage.FAILED))
            await eventually(lambda: len(rig.told.outcomes) == 2)

        assert [one["title"] for one in receiver.received] == ["signal-gateway: refused, source tv"]
        assert [one["title"] for one in other.received] == ["signal-gateway: failed, bot demo"]


async def test_a_target_that_hangs_and_one_that_is_away_hold_up_neither_the_others_nor_the_loop(
    receiver: Receiver,
) -> None:
    with receiving() as hanging:
        hanging.hangs = True
        urls = [f"{hanging.url}?rto=30", f"json://127.0.0.1:{free_port()}/", receiver.url]
        targets = [Target(number=number, url=url) for number, url in enumerate(urls, start=1)]
        async with running(*targets, pace=Pace(group_for=0, repeat_every=3600, limit=3600)) as rig:
            slowest = 0.0
            for number in range(5):
                rig.telemetry.bot_notified(bot="demo", text=f"word {number}")
                began = time.perf_counter()
                await eventually(lambda number=number: receiver.about(f"word {number}"))  # type: ignore[misc]
                slowest = max(slowest, time.perf_counter() - began)

            assert slowest < 3
            assert len(hanging.received) == 1
            assert ("target 2, json://127.0.0.1", "retried") in [outcome[:2] for outcome in rig.told.outcomes]


async def test_a_flood_of_problems_for_a_target_that_never_answers_takes_bounded_memory() -> None:
    with receiving() as hanging:
        hanging.hangs = True
        target = Target(number=1, url=f"{hanging.url}?rto=30")
        async with running(target, pace=Pace(group_for=0, repeat_every=0, limit=3600)) as rig:
            rig.telemetry.bot_notified(bot="first", text="x")
            await eventually(lambda: hanging.received)
            tracemalloc.start()
            try:
                for number in range(20_000):
                    rig.telemetry.bot_dead(bot=f"bot-{number}", last_seen=START)
                    if number % 200 == 0:
                        rig.notifier._look()
                _, most = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()

        assert most < 10_000_000
        assert [outcome for _, outcome, _ in rig.told.outcomes].count("dropped") > 0


async def test_what_is_known_at_the_end_of_the_gateway_is_still_sent(receiver: Receiver) -> None:
    async with running(Target(number=1, url=receiver.url), pace=Pace(group_for=600)) as rig:
        refuse(rig.telemetry)
        await asyncio.sleep(0)
        await rig.notifier.drained()

        assert [one["title"] for one in receiver.received] == ["signal-gateway: refused, source tv"]
        assert rig.told.outcomes == [("target 1, json://127.0.0.1", "sent", "")]


async def test_the_end_of_the_gateway_waits_for_no_target_longer_than_a_few_seconds() -> None:
    with receiving() as hanging:
        hanging.hangs = True
        async with running(Target(number=1, url=f"{hanging.url}?rto=30"), pace=Pace(group_for=600)) as rig:
            refuse(rig.telemetry)
            await asyncio.sleep(0)
            began = time.perf_counter()
            await rig.notifier.drained()

            assert 2 < time.perf_counter() - began < 5


async def test_an_error_in_the_notifier_is_reported_and_does_not_end_the_gateway(receiver: Receiver) -> None:
    rig = Rig([Target(number=1, url=receiver.url)])

    def broken() -> str | None:
        raise RuntimeError("unforeseen")

    rig.telemetry.watch_journal(broken)
    task = asyncio.create_task(rig.notifier.run())
    await eventually(lambda: rig.told.errors)
    assert not task.done()
    task.cancel()


async def test_without_a_target_a_silent_source_is_reported_all_the_same() -> None:
    class Silent(Told):
        def source_silent(self, *, source: str, seconds: float) -> None:
            self.problems.append(f"{source} is silent")

    told = Silent()
    notifier = Notifier(NotifySettings(), expected={"tv": 0.1}, telemetry=told, clock=lambda: START)
    task = asyncio.create_task(notifier.run())
    await eventually(lambda: told.problems == ["tv is silent", Kind.SOURCE_SILENT])
    task.cancel()
