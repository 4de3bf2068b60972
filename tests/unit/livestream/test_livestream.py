"""What is said of each pair, and what becomes of it when a withdrawal, a stop or a start comes between."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import pytest

from gateway.journal import JournalSettings, Station, open_journal
from gateway.journal.copying import adopt_copy, copy_journal
from gateway.livestream import livestream
from gateway.mqtt import LinkLost
from gateway.mqtt.memory import MemoryBroker, MemoryLink
from tests.brokers import eventually
from tests.journal_drafts import outcome
from tests.livestream_stage import LONG, NEUTRAL, TOPICS, LivestreamStage, at, probabilities

BTC = TOPICS.ml_signals("BTC-USDT")
SAID_LONG = [LONG.short, LONG.neutral, LONG.long]


class Bench(LivestreamStage):
    """A livestream at a broker in memory."""

    def __init__(self, **more):
        super().__init__(**more)
        self.broker = MemoryBroker()

    def said(self, topic=BTC):
        return [probabilities(one.payload) for one in self.broker.published if one.topic == topic and one.payload]

    @asynccontextmanager
    async def running(self):
        """From a start to a kill."""
        made = self.put(MemoryLink(self.broker, on_connected=self.connected))
        await made.recall()
        await made.listen()
        tasks = [asyncio.create_task(work()) for work in (self.link.run, made.run)]
        await self.link.wait_connected()
        try:
            yield made
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


async def test_a_prediction_is_said_at_once_and_again_every_5_s():
    """Nothing is retained, and a broker keeps it for 10 s."""
    bench = Bench()
    async with bench.running():
        await bench.accept()
        await eventually(lambda: bench.said() == [SAID_LONG])
        bench.elapsed += 4.9
        await asyncio.sleep(2 * livestream._LOOK)
        assert bench.said() == [SAID_LONG]
        bench.elapsed += 0.2
        await eventually(lambda: bench.said() == [SAID_LONG] * 2)
    assert {(one.retain, one.expiry) for one in bench.broker.published} == {(False, 10)}
    assert (bench.told.outcomes, bench.told.changes) == (["prediction"] * 2, [("BTC-USDT", "")])


async def test_a_pair_is_neutral_by_itself_when_its_prediction_expires():
    """Nobody posts."""
    bench = Bench()
    async with bench.running():
        await bench.accept(ttl=60)
        await eventually(lambda: bench.said() == [SAID_LONG])
        bench.clock.pass_(60)
        await eventually(lambda: bench.said() == [SAID_LONG, NEUTRAL])
    assert bench.told.changes[-1] == ("BTC-USDT", "the prediction expired")


async def test_a_prediction_of_a_restored_backup_is_not_said_though_it_is_not_expired(tmp_path):
    """The backup does not know which ones came after it."""
    bench = Bench()
    bench.journal = open_journal(JournalSettings(path=str(tmp_path / "journal.db")), clock=bench.clock)
    async with bench.running():
        await bench.accept(ttl=3600)
        await eventually(lambda: bench.said() == [SAID_LONG])
    copy_journal(tmp_path / "journal.db", tmp_path / "copy.db")
    await bench.journal.close()
    bench.clock.pass_(5)
    adopt_copy(tmp_path / "copy.db", reason="restored", now=bench.clock())
    bench.journal = open_journal(JournalSettings(path=str(tmp_path / "copy.db")), clock=bench.clock)
    bench.elapsed += 5
    async with bench.running():
        await eventually(lambda: bench.said() == [SAID_LONG, NEUTRAL])
        await bench.accept(ttl=3600)
        await eventually(lambda: bench.said() == [SAID_LONG, NEUTRAL, SAID_LONG])
    await bench.journal.close()


async def test_a_clock_that_is_set_back_keeps_no_prediction_in_force():
    """The time that has passed counts, whatever the clock says now."""
    bench = Bench()
    async with bench.running():
        await bench.accept(ttl=60)
        await eventually(lambda: bench.said() == [SAID_LONG])
        bench.clock.pass_(-3600)
        bench.elapsed += 60
        await eventually(lambda: bench.said()[-1:] == [NEUTRAL])
    assert bench.told.changes[-1] == ("BTC-USDT", "the prediction expired")


async def test_a_word_that_waits_for_a_place_in_the_window_is_said_as_it_is_then():
    """A broker that is slow does not make a prediction late."""
    bench = Bench(pairs=tuple(f"C{number}-USDT" for number in range(16)))
    bench.broker.hold()
    async with bench.running():
        await eventually(lambda: len(bench.broker.published) == 8)
        assert bench.link.free == 8, "the other places are for signals"
        await bench.accept(ttl=60)
        await asyncio.sleep(2 * livestream._LOOK)
        bench.clock.pass_(60)
        bench.broker.release()
        await eventually(bench.said)
        assert bench.said() == [NEUTRAL]


async def test_everything_is_said_again_at_a_connection():
    """Nobody knows who heard it before."""
    bench = Bench(pairs=("BTC-USDT", "ETH-USDT"))
    eth = TOPICS.ml_signals("ETH-USDT")
    async with bench.running():
        await eventually(lambda: bench.said() and bench.said(eth))
        bench.broker.cut()
        bench.broker.restore()
        await eventually(lambda: (bench.said(), bench.said(eth)) == ([NEUTRAL] * 2, [NEUTRAL] * 2))


async def test_a_late_retry_of_an_older_candle_replaces_nothing_also_after_a_restart():
    """The journal's last one is the retry."""
    bench = Bench()
    async with bench.running():
        newer = await bench.accept(candle=at(-10))
        await bench.accept(candle=at(-20))
        await eventually(bench.said)
    async with bench.running() as made:
        assert made._word(BTC).id == newer


async def test_a_withdrawal_makes_its_pair_neutral_also_after_a_restart():
    """One that a bot may have had is withdrawn by a message of its own."""
    bench = Bench()
    async with bench.running():
        await bench.withdraw(await bench.accept())
        await eventually(lambda: bench.said()[-1:] == [NEUTRAL])
    bench.broker.published.clear()
    async with bench.running():
        await eventually(bench.said)
    assert bench.said() == [NEUTRAL]
    assert bench.told.changes[-1] == ("BTC-USDT", "the prediction was withdrawn")


async def test_a_withdrawal_before_the_publish_is_recalled():
    """One that no bot can have had is withdrawn in its row."""
    bench = Bench()
    async with bench.running():
        id_ = await bench.accept()
    position = (await bench.journal.life(id_)).position
    await bench.journal.record([outcome(position, Station.WITHDRAWN, attempts=0)])
    bench.broker.published.clear()
    async with bench.running():
        await eventually(bench.said)
    assert bench.said() == [NEUTRAL]


async def test_a_prediction_after_a_withdrawn_one_is_in_force():
    """A withdrawal is of one prediction, and not of its pair."""
    bench = Bench()
    async with bench.running():
        await bench.withdraw(await bench.accept())
        await eventually(lambda: bench.said()[-1:] == [NEUTRAL])
        await bench.accept()
        await eventually(lambda: bench.said()[-1:] == [SAID_LONG])


async def test_the_last_word_of_every_pair_is_neutral_and_nothing_follows():
    """Nobody says any more when a prediction is over; a pair that is neutral needs no word."""
    bench = Bench(pairs=("ETH-USDT",))
    sol = TOPICS.ml_signals("SOL-USDT")
    async with bench.running() as made:
        await bench.accept("BTC-USDT")
        await bench.accept("SOL-USDT")
        await eventually(lambda: bench.said() and bench.said(sol))
        bench.broker.published.clear()
        await made.leave()
        bench.elapsed += 60
        await bench.accept("BTC-USDT")
        await asyncio.sleep(2 * livestream._LOOK)
    assert [(one.topic, probabilities(one.payload)) for one in bench.broker.published] == [
        (BTC, NEUTRAL),
        (sol, NEUTRAL),
    ]


async def test_last_words_wait_for_no_answer_and_for_a_full_window_only_so_long(monkeypatch):
    """All are sent before any is answered; a broker that answers no more leaves the rest of the time to others."""
    bench = Bench()
    pairs = [f"C{number}-USDT" for number in range(20)]
    monkeypatch.setattr(livestream, "_LAST", 0.3)
    async with bench.running() as made:
        for pair in pairs:
            await bench.accept(pair)
        await eventually(lambda: len(bench.told.outcomes) == len(pairs))
        bench.broker.published.clear()
        bench.broker.hold()
        async with asyncio.timeout(2):
            await made.leave()
        assert len(bench.broker.published) == 16
        bench.broker.release()


async def test_a_connection_that_ends_ends_the_last_words():
    """Whoever stops need not wait for it."""
    bench = Bench()
    async with bench.running() as made:
        await bench.accept()
        await eventually(bench.said)
        bench.broker.cut()
        with pytest.raises(LinkLost):
            await made.leave()


async def test_what_the_broker_denies_is_counted():
    """The login may lack the topic."""
    bench = Bench(pairs=("BTC-USDT",))
    bench.broker.deny("t/predictions/+/ML_SIGNALS")
    async with bench.running():
        await eventually(lambda: bench.told.outcomes == ["denied"])


async def test_words_do_not_wait_for_the_answers_to_what_is_cleared():
    """However many messages others retained, and however slow the broker is."""
    bench = Bench(pairs=("BTC-USDT", "ETH-USDT"))
    other = MemoryLink(bench.broker, client_id="other")
    task = asyncio.create_task(other.run())
    await other.wait_connected()
    await other.publish(BTC, b"long", retain=True)
    task.cancel()
    bench.broker.published.clear()
    bench.broker.hold()
    async with bench.running():
        await eventually(
            lambda: [one.retain for one in bench.broker.published if one.topic == BTC][-2:] == [True, False]
        )
        assert bench.told.found == []
        bench.broker.release()
        await eventually(lambda: bench.told.found == [(BTC, "")])


async def test_a_retained_message_that_may_not_be_cleared_is_reported_with_the_reason():
    """The operator has to clear it."""
    bench = Bench(pairs=("BTC-USDT",))
    other = MemoryLink(bench.broker, client_id="other")
    task = asyncio.create_task(other.run())
    await other.wait_connected()
    await other.publish(BTC, b"long", retain=True)
    bench.broker.deny(BTC)
    async with bench.running():
        await eventually(lambda: bench.told.found)
    task.cancel()
    [(topic, problem)] = bench.told.found
    assert (topic, "not authorised" in problem.lower()) == (BTC, True), problem
