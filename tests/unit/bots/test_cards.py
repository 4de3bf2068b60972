"""Cards: whoever waits for a bot is told when one comes, and not for every card."""

from __future__ import annotations

import asyncio
from time import perf_counter

import pytest

from gateway.bots import Cards
from gateway.errors import NotStored
from gateway.journal import KnownBot, MemoryJournal
from gateway.telemetry import NullTelemetry
from schemas.card import BotCard, BotCardSchema, Presence
from schemas.envelope import BOT_CARD, Envelope, body, encode, schema_urn
from schemas.fields import from_micros
from schemas.topics import Topics
from tests.brokers import eventually
from tests.journal_drafts import START, Clock

SECOND = 1_000_000
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
        self.told, self.came, self.filters, self.telemetry = [], [], {}, Telemetry()
        self.journal, self.clock, self.greeted = MemoryJournal(), Clock(), []
        self.cards = self.new(every)

    def new(self, every):
        return Cards(
            self.journal,
            topics=TOPICS,
            telemetry=self.telemetry,
            on_change=self.change,
            greet=self.greeted.append,
            clock=self.clock,
            every=every,
        )

    def change(self, bots, came):
        self.told.append(perf_counter())
        self.came.append(set(came))
        self.filters = {bot.name: bot.filters for bot in bots if bot.absent_since is None}
        self.absent = {bot.name: bot.absent_since for bot in bots if bot.absent_since is not None}

    async def say(self, *presences, bot="demo", instance="i1", topic=None, filters=(), **more):
        for presence in presences:
            await self.cards.take(topic or TOPICS.bot(bot), card(presence, bot, instance, filters, **more))


def card(presence, bot, instance, filters=(), **more):
    data = BotCard(bot=bot, presence=presence, instance=instance, subscriptions=filters, **more)
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
async def test_a_new_process_a_new_bot_and_other_filters_are_news(bench, then):
    await bench.say(ONLINE)
    await bench.say(ONLINE, **then)
    assert len(bench.told) == 2
    assert bench.came[0] == {"demo"}
    assert bench.came[1] == {then.get("bot", "demo")}


async def test_a_bot_that_asks_for_less_does_not_come(bench):
    """Nothing is sent again for a handler that went."""
    await bench.say(ONLINE, filters=("x", "y"))
    await bench.say(ONLINE, filters=("x",))
    assert bench.came == [{"demo"}, set()]


async def test_what_a_bot_asked_for_is_remembered_for_a_day_where_its_handlers_come_and_go(bench):
    """Lost and regained, through a new process of the bot and its absence; a bot whose handlers stay has none."""
    await bench.say(ONLINE, filters=("x", "y"), hosts=True)
    bench.clock.pass_(5)
    await bench.say(ONLINE, filters=("y",), hosts=True)
    assert former(bench) == {"x": START + 5 * SECOND}
    bench.clock.pass_(5)
    await bench.say(ONLINE, instance="i2", hosts=True)
    assert former(bench) == {"x": START + 5 * SECOND, "y": START + 10 * SECOND}
    await bench.say(ONLINE, instance="i2", filters=("x",), hosts=True)
    assert former(bench) == {"y": START + 10 * SECOND}
    assert bench.came[-1] == {"demo"}
    bench.clock.pass_(5)
    await bench.say(OFFLINE, instance="i2")
    bench.clock.pass_(86_397)
    await bench.say(ONLINE, instance="i3", hosts=True)
    assert former(bench) == {"x": START + 15 * SECOND}
    await bench.say(ONLINE, instance="i4", filters=("z",))
    assert former(bench) == {}


async def test_of_very_many_former_filters_the_newest_are_remembered(bench):
    """A bot cannot make the gateway remember without end."""
    for number in range(12):
        bench.clock.pass_(1)
        await bench.say(ONLINE, filters=tuple(f"f{number}/{each}" for each in range(10)), hosts=True)
    bench.clock.pass_(1)
    await bench.say(ONLINE, hosts=True)
    assert len(former(bench)) == 100
    assert not any(one.startswith(("f0/", "f1/")) for one in former(bench))


def former(bench):
    return dict(bench.cards.shown["demo"].bot.former)


async def test_a_bot_that_comes_or_leaves_is_news_and_one_that_asks_is_not(bench):
    await bench.say(CLAIM)
    await bench.say(OFFLINE)
    assert bench.told == []
    await bench.say(ONLINE, filters=("signals/v1/trade/+/+",))
    assert bench.filters == {"demo": ("signals/v1/trade/+/+",)}
    await bench.say(OFFLINE)
    assert bench.filters == {}
    assert bench.absent == {"demo": START}
    assert len(bench.told) == 2


async def test_a_bot_that_says_that_it_is_online_is_greeted_each_time(bench):
    await bench.say(ONLINE, ONLINE, OFFLINE, CLAIM)
    assert bench.greeted == ["demo", "demo"]


async def test_a_bot_that_an_earlier_process_saw_is_known_and_absent_until_it_says_that_it_is_online(bench):
    await bench.say(ONLINE, filters=("a/b",))
    saving = asyncio.create_task(bench.cards.run())
    await eventually(lambda: bench.journal._bots)
    saving.cancel()
    assert await bench.journal.known() == [KnownBot(name="demo", filters=("a/b",))]

    bench.clock.pass_(9)
    bench.cards = bench.new(0)
    await bench.cards.recall()

    assert bench.filters == {}
    assert bench.absent == {"demo": bench.clock()}


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
    assert {known.instance for known in bench.cards._known.values()} == {"x" * 64}


async def test_a_card_of_another_bot_is_not_believed(bench):
    await bench.say(ONLINE, topic=TOPICS.bot("victim"))
    await asyncio.sleep(0)
    assert bench.told == []
    assert "its own card only" in bench.telemetry.unreadable[0]


async def test_a_bot_that_is_forgotten_is_told_of_and_remembered_no_more_until_it_shows_its_card_again(bench):
    saving = asyncio.create_task(bench.cards.run())
    await bench.say(ONLINE, filters=("a/b",))
    await eventually(lambda: bench.journal._bots)

    assert await bench.cards.forget("demo")
    assert bench.filters == {}
    assert await bench.journal.known() == []
    assert not await bench.cards.forget("demo")

    await bench.say(OFFLINE)
    assert bench.absent == {}
    await bench.say(ONLINE)
    assert bench.came[-1] == {"demo"}
    saving.cancel()


async def test_that_a_bot_is_forgotten_is_told_at_once_though_another_change_was_told_just_before():
    patient_bench = Bench(every=60)
    await patient_bench.say(ONLINE)
    await patient_bench.say(ONLINE, bot="other")
    assert patient_bench.filters == {"demo": ()}
    await patient_bench.cards.forget("demo")
    assert patient_bench.filters == {"other": ()}


async def test_a_bot_that_is_forgotten_while_the_journal_cannot_store_is_not_saved_afterwards(bench):
    refused, know = asyncio.Event(), bench.journal.know

    async def refuse(bots):
        await refused.wait()
        raise NotStored("disk", "full")

    bench.journal.know = refuse
    saving = asyncio.create_task(bench.cards.run())
    await bench.say(ONLINE)
    await asyncio.sleep(0)
    await bench.cards.forget("demo")
    refused.set()
    bench.journal.know = know
    await eventually(lambda: not bench.cards._unsaved)
    assert not saving.done()
    assert await bench.journal.known() == []
    saving.cancel()


async def test_a_card_that_was_cleared_says_nothing(bench):
    await bench.say(ONLINE)
    await bench.cards.take(TOPICS.bot("demo"), b"")
    assert bench.telemetry.unreadable == []
    assert set(bench.filters) == {"demo"}


async def test_what_a_bot_shows_of_itself_is_kept_within_bounds(bench):
    await bench.say(ONLINE, plugin="1" * 100, durable=True)
    shown = bench.cards.shown["demo"]
    assert (shown.plugin, shown.durable) == ("1" * 64, True)


async def test_what_is_no_topic_filter_or_endless_is_left_out(bench):
    await bench.say(ONLINE, filters=("signals/#", "#/signals", "a+/b", "", "x" * 513))
    assert bench.filters == {"demo": ("signals/#",)}


@pytest.mark.parametrize(("durable", "remembers"), [(True, True), (False, False), (None, False)])
async def test_a_bot_remembers_the_commands_of_its_card_where_it_has_a_state_folder(durable, remembers):
    bench = Bench(every=0)
    await bench.say(ONLINE, durable=durable, commands=("stop", "command/x"))

    assert bench.cards.remembers("demo", "stop") is remembers
    assert not bench.cards.remembers("demo", "start")
    assert not bench.cards.remembers("other", "stop")
