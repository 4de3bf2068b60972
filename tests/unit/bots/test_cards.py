"""Cards: whoever waits for a bot is told when one comes, and not for every card."""

from __future__ import annotations

import asyncio
from time import perf_counter

import pytest

from gateway.bots import Cards
from gateway.telemetry import NullTelemetry
from schemas.card import BotCard, BotCardSchema, Presence
from schemas.envelope import BOT_CARD, Envelope, body, encode, schema_urn
from schemas.fields import from_micros
from schemas.topics import Topics
from tests.brokers import eventually
from tests.journal_drafts import START

TOPICS = Topics()
ONLINE, OFFLINE, CLAIM = Presence.ONLINE, Presence.OFFLINE, Presence.CLAIM


class Telemetry(NullTelemetry):
    """Remembers what could not be read."""

    def __init__(self):
        self.unreadable = []

    def unreadable_card(self, *, topic, problem):
        self.unreadable.append(problem)


class Bench:
    """Cards, and when it was told that a bot is there."""

    def __init__(self, every):
        self.told, self.filters, self.telemetry = [], {}, Telemetry()
        self.cards = Cards(topics=TOPICS, telemetry=self.telemetry, on_change=self.change, every=every)

    def change(self, filters):
        self.told.append(perf_counter())
        self.filters = filters

    async def say(self, *presences, bot="demo", instance="i1", topic=None, filters=()):
        for presence in presences:
            await self.cards.take(topic or TOPICS.bot(bot), card(presence, bot, instance, filters))


def card(presence, bot, instance, filters=()):
    data = BotCard(bot=bot, presence=presence, instance=instance, subscriptions=filters)
    envelope = Envelope(
        id="1",
        source=f"/bots/{bot}",
        type=BOT_CARD,
        time=from_micros(START),
        dataschema=schema_urn(BOT_CARD),
        data=body(BotCardSchema, data),
    )
    return encode(envelope)


@pytest.fixture
async def bench():
    """Without a pause, so that each call is seen."""
    bench = Bench(every=0)

    async def say(*presences, **more):
        await Bench.say(bench, *presences, **more)
        await eventually(lambda: not bench.cards._pausing)

    bench.say = say
    return bench


async def test_a_bot_that_says_again_that_it_is_online_is_no_news(bench):
    for _ in range(100):
        await bench.say(ONLINE)
    assert len(bench.told) == 1


@pytest.mark.parametrize(
    "then",
    [{"instance": "i2"}, {"bot": "another"}, {"filters": ("x",)}],
    ids=["another process", "another bot", "other filters"],
)
async def test_a_new_process_and_a_new_bot_are_news(bench, then):
    await bench.say(ONLINE)
    await bench.say(ONLINE, **then)
    assert len(bench.told) == 2


async def test_a_bot_that_comes_or_leaves_is_news_and_one_that_asks_is_not(bench):
    await bench.say(CLAIM)
    await bench.say(OFFLINE)
    assert bench.told == []
    await bench.say(ONLINE, filters=("signals/v1/trade/+/+",))
    assert bench.filters == {"demo": ("signals/v1/trade/+/+",)}
    await bench.say(OFFLINE)
    assert bench.filters == {}
    assert len(bench.told) == 2


async def test_after_the_connection_was_lost_every_bot_is_news(bench):
    await bench.say(ONLINE)
    bench.cards.forget()
    await bench.say(ONLINE)
    assert len(bench.told) == 2


async def test_a_storm_of_cards_is_told_at_once_and_once_more_at_its_end():
    bench = Bench(every=0.2)
    for number in range(100):
        await bench.say(ONLINE, instance=f"i{number}")
    assert len(bench.told) == 1
    await eventually(lambda: len(bench.told) == 2)
    assert bench.told[1] - bench.told[0] >= 0.19
    await eventually(lambda: not bench.cards._pausing)
    assert len(bench.told) == 2


async def test_what_is_remembered_is_bounded_in_number_and_size(bench, monkeypatch):
    monkeypatch.setattr("gateway.bots.cards._MOST", 2)
    for number in range(4):
        await bench.say(ONLINE, bot=f"bot{number}", instance="x" * 10_000, filters=("a/b",) * 200)
    assert bench.filters == {"bot0": ("a/b",) * 100, "bot1": ("a/b",) * 100}
    assert {online.instance for online in bench.cards._online.values()} == {"x" * 64}


async def test_a_card_of_another_bot_is_not_believed(bench):
    await bench.say(ONLINE, topic=TOPICS.bot("victim"))
    await asyncio.sleep(0)
    assert bench.told == []
    assert "its own card only" in bench.telemetry.unreadable[0]
