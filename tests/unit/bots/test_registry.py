"""The registry: alive is who says so himself, in time; what is hostile, old or said by others counts for nothing."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot_plugin.presence import encode_card
from gateway.bots import Clocks, Registry
from gateway.bots.liveness import Sign, State
from gateway.mqtt.memory import MemoryBroker, MemoryLink
from gateway.telemetry import NullTelemetry
from schemas.card import BotCard, Presence
from schemas.fields import from_micros
from schemas.telemetry import Heartbeat, InternalEvent, LogLine, Notification, Performance, StatusUpdate, write
from schemas.topics import TELEMETRY, Topics
from tests.brokers import eventually
from tests.journal_drafts import START

TOPICS = Topics()
CHANNELS = {Heartbeat: "hb", StatusUpdate: "status_updates", InternalEvent: "events", LogLine: "log"}
CHANNELS |= {Notification: "notify", Performance: "performance"}
OFFLINE, ONLINE = StatusUpdate(msg="offline"), StatusUpdate(msg="online")
HB = Heartbeat(at=START)


class Telemetry(NullTelemetry):
    """Remembers what it is told of bots."""

    def __init__(self):
        self.facts, self.unreadable, self.messages = [], [], []

    def bot_dead(self, *, bot, last_seen):
        self.facts.append(("dead", bot, last_seen))

    def bot_back(self, *, bot):
        self.facts.append(("back", bot))

    def bot_left(self, *, bot):
        self.facts.append(("left", bot))

    def bot_forgotten(self, *, bot):
        self.facts.append(("forgotten", bot))

    def bot_notified(self, *, bot, text):
        self.facts.append(("notified", bot, text))

    def unreadable_telemetry(self, *, topic, problem):
        self.unreadable.append((topic, problem))

    def bot_message(self, *, channel):
        self.messages.append(channel)


class Bench:
    """A registry, and a clock and a timer that the test sets each by itself."""

    def __init__(self):
        self.clock, self.timer, self.came, self.telemetry = START, 1000.0, [], Telemetry()
        self.clocks = Clocks(telemetry=self.telemetry, clock=lambda: self.clock, timer=lambda: self.timer)
        self.registry = Registry(
            topics=TOPICS,
            telemetry=self.telemetry,
            clocks=self.clocks,
            came=self.came.append,
            clock=lambda: self.clock,
            timer=lambda: self.timer,
        )
        self.registry.connected()

    def tell(self, *told, bot="b1"):
        for one in told:
            channel = CHANNELS[type(one)]
            self.put(channel, write(one), bot=bot)

    def put(self, channel, payload, *, bot="b1"):
        self.registry._take(channel, f"hbot/{bot}/{channel}", payload)

    def show(self, presence, *, at=0.0, bot="b1", retained=False):
        """Let a bot show its card, made so many seconds after the start by its clock."""
        card = BotCard(bot=bot, presence=presence, instance="i", clock=from_micros(START) + timedelta(seconds=at))
        topic, payload = TOPICS.bot(bot), encode_card(card, now=START + int(at * 1e6))
        self.registry._learn_card(topic, payload)
        if not retained:
            self.registry._take_card(topic, payload)

    def pass_(self, seconds):
        """Let time pass, looking every second."""
        for _ in range(int(seconds)):
            self.timer += 1
            self.clock += 1_000_000
            self.registry.look()

    def state(self, bot="b1"):
        heard = self.registry.heard(bot)
        return None if heard is None else heard.state


@pytest.fixture
def bench():
    return Bench()


def test_a_bot_that_falls_silent_is_told_dead_once_within_35_s_and_back_when_it_beats(bench):
    bench.tell(HB)
    bench.pass_(29)
    assert (bench.state(), bench.telemetry.facts) == (State.ALIVE, [])
    bench.pass_(3)
    assert (bench.state(), bench.telemetry.facts) == (State.DEAD, [("dead", "b1", START)])
    bench.pass_(1000)
    bench.tell(HB)
    assert bench.telemetry.facts[1:] == [("back", "b1")]


def test_a_thousand_bots_that_beat_are_never_dead_and_the_hundred_that_stop_are(bench):
    for second in range(120):
        for number in range(1000):
            if number % 10 == second % 10 and (number >= 100 or second < 60):
                bench.tell(HB, bot=f"bot{number}")
        bench.pass_(1)
    assert {bot for fact, bot, *_ in bench.telemetry.facts if fact == "dead"} == {f"bot{n}" for n in range(100)}
    assert len(bench.telemetry.facts) == 100


@pytest.mark.parametrize("told", [LogLine(msg="x"), Notification(msg="x"), Performance(controllers={})])
def test_what_may_be_sent_late_is_kept_and_is_no_sign_of_life(bench, told):
    bench.tell(told)
    assert bench.state() is State.UNKNOWN
    assert len(bench.registry.told("b1", CHANNELS[type(told)], limit=9)) == 1


@pytest.mark.parametrize("jump", [-86_400, 86_400])
@pytest.mark.parametrize("clock", [0, 1, START * 3])
def test_neither_a_clock_that_is_set_nor_the_bots_own_makes_a_bot_die_or_live(bench, jump, clock):
    bench.tell(Heartbeat(at=clock))
    bench.pass_(2)
    bench.clock += jump * 1_000_000
    bench.registry.look()
    assert (bench.state(), bench.telemetry.facts, bench.registry.present("b1")) == (State.ALIVE, [], True)
    bench.timer += 40
    bench.registry.look()
    assert (bench.state(), bench.registry.present("b1")) == (State.DEAD, False)


def test_nobody_dies_while_the_gateway_is_deaf_or_before_everybody_had_the_time_to_be_heard(bench):
    bench.tell(HB)
    bench.pass_(25)
    bench.registry.disconnected()
    bench.pass_(500)
    bench.registry.connected()
    bench.pass_(29)
    assert (bench.state(), bench.telemetry.facts) == (State.ALIVE, [])
    bench.pass_(2)
    assert bench.state() is State.DEAD


def test_what_the_broker_kept_while_the_gateway_was_away_is_no_sign_of_life_but_a_goodbye_counts(bench):
    bench.tell(HB, bot="a")
    bench.tell(HB, bot="b")
    bench.pass_(2)
    bench.registry.disconnected()
    bench.timer += 1
    bench.tell(HB, ONLINE, bot="a")
    bench.tell(OFFLINE, bot="b")
    bench.timer += 1
    bench.registry.connected()
    assert [bench.registry.present(bot) for bot in "ab"] == [False, False]
    assert (bench.state("a"), bench.state("b")) == (State.ALIVE, State.LEFT)
    bench.pass_(5)
    assert bench.came == ["a", "b"]
    bench.tell(HB, bot="a")
    bench.pass_(2)
    assert bench.came == ["a", "b", "a"]


def test_whoever_waits_for_a_bot_is_told_when_it_is_there_and_not_for_each_heartbeat(bench):
    bench.tell(HB, ONLINE)
    assert not bench.registry.present("b1")
    bench.pass_(2)
    assert (bench.came, bench.registry.present("b1")) == (["b1"], True)
    bench.pass_(8)
    bench.tell(HB, StatusUpdate(msg="online", type="hbapp"))
    assert (bench.came, bench.registry.present("b1")) == (["b1"], True)
    bench.pass_(13)
    assert not bench.registry.present("b1")
    bench.tell(HB)
    bench.pass_(2)
    bench.tell(OFFLINE)
    assert not bench.registry.present("b1")
    bench.tell(HB)
    bench.pass_(2)
    assert bench.came == ["b1", "b1", "b1"]
    assert not bench.registry.present("another")


def test_a_death_that_was_told_is_over_when_the_bot_says_goodbye_and_nobody_worries_any_more(bench):
    bench.tell(HB)
    bench.pass_(31)
    bench.tell(OFFLINE, OFFLINE)
    bench.pass_(100)
    assert (bench.state(), bench.telemetry.facts[1:]) == (State.LEFT, [("left", "b1")])
    bench.tell(HB)
    bench.registry.forget("b1")
    assert bench.telemetry.facts[2:] == []


def test_a_bot_that_says_offline_left(bench):
    bench.tell(HB, OFFLINE)
    bench.pass_(100)
    assert (bench.state(), bench.telemetry.facts) == (State.LEFT, [])


def test_a_card_that_the_bot_wrote_when_it_went_is_a_goodbye_and_one_from_before_it_came_is_its_last_will(bench):
    for bot in ("goes", "dies"):
        bench.show(Presence.ONLINE, at=5, bot=bot)
        bench.tell(HB, bot=bot)
    bench.pass_(2)
    assert [bench.registry.present(bot) for bot in ("goes", "dies")] == [True, True]
    bench.show(Presence.OFFLINE, at=60, bot="goes")
    bench.show(Presence.OFFLINE, at=5, bot="dies")
    assert (bench.state("goes"), bench.state("dies")) == (State.LEFT, State.DEAD)
    assert [bench.registry.present(bot) for bot in ("goes", "dies")] == [False, False]
    assert bench.telemetry.facts == []
    bench.pass_(35)
    assert [(fact, bot) for fact, bot, _ in bench.telemetry.facts] == [("dead", "dies")]


def test_a_retained_card_is_no_sign_of_life_and_tells_a_goodbye_from_a_last_will(bench):
    bench.show(Presence.ONLINE, at=5, retained=True)
    assert bench.state() is State.UNKNOWN
    bench.show(Presence.OFFLINE, at=4)
    assert bench.state() is State.DEAD


def test_a_heartbeat_tells_of_the_bots_clock(bench):
    bench.tell(Heartbeat(at=START + 45_500_000))
    assert bench.registry.heard("b1").ahead == 45_500_000
    assert bench.clocks.offset("b1").problem == "clock is 44.7 s ahead of the gateway's"
    bench.put("hb", b'{"ts":"-1"}')
    assert bench.registry.heard("b1").ahead is None


def test_what_a_bot_tells_its_owner_is_passed_on(bench):
    bench.tell(Notification(msg="filled"))
    assert bench.telemetry.facts == [("notified", "b1", "filled")]


HOSTILE = {
    "empty": b"",
    "binary": bytes(range(256)),
    "no object": b"[]",
    "nested": b"[" * 100_000,
    "nested objects": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "long": b'{"msg":"' + b"x" * 70_000 + b'"}',
    "infinite": b'{"ts":1e999}',
    "twice": b'{"ts":1,"ts":2}',
    "surrogate": b'{"msg":"\\ud800"}',
}


@pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("channel", TELEMETRY)
def test_what_cannot_be_read_is_counted_and_makes_nobody_alive(bench, channel, payload):
    bench.put(channel, payload)
    assert len(bench.telemetry.unreadable) == 1
    assert bench.registry.heard("b1") is None


@pytest.mark.parametrize("topic", ["hbot//hb", "hbot/a.b/hb", "hbot/" + "x" * 129 + "/hb", "other/a/hb", "hbot/ä/hb"])
def test_who_cannot_be_a_bot_is_none(bench, topic):
    bench.registry._take("hb", topic, b"{}")
    assert (len(bench.telemetry.unreadable), list(bench.registry.names)) == (1, [])


@given(channel=st.sampled_from(TELEMETRY), payload=st.binary(max_size=200))
def test_no_bytes_raise(channel, payload):
    Bench().put(channel, payload)


@given(
    channel=st.sampled_from(TELEMETRY),
    document=st.dictionaries(
        st.sampled_from(["ts", "timestamp", "type", "msg", "level_no", "level_name", "logger_name", "data"]),
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"]))
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers()),
    ),
)
def test_no_document_raises_and_what_is_kept_can_be_read(channel, document):
    from schemas.document import dump  # noqa: PLC0415

    bench = Bench()
    bench.put(channel, dump(document))
    bench.registry.told("b1", channel, limit=9)
    bench.pass_(1)


@pytest.mark.parametrize(
    "told",
    [
        LogLine(msg="é" * 20_000, level=10**30, level_name="L" * 9_000, logger="x" * 9_000),
        Notification(msg="\0" * 9_000),
        InternalEvent(type="t" * 9_000, data={"x": "y" * 20_000}),
    ],
    ids=["log", "notify", "events"],
)
def test_of_what_is_endless_the_beginning_is_kept(bench, told):
    bench.tell(told)
    channel = CHANNELS[type(told)]
    (entry,) = bench.registry._diary.told("b1", channel, limit=9)
    assert len(entry.payload) < 8_192
    ((_, kept),) = bench.registry.told("b1", channel, limit=9)
    assert type(kept) is type(told)
    assert getattr(kept, "msg", "") in getattr(told, "msg", "")


def test_no_more_than_so_many_bots_are_known_and_who_is_gone_makes_room_for_who_comes(bench, monkeypatch):
    monkeypatch.setattr("gateway.bots.registry._MOST", 32)
    for number in range(40):
        bench.tell(HB, LogLine(msg="x"), bot=f"bot{number}")
    assert len(list(bench.registry.names)) == 32
    bench.tell(OFFLINE, bot="bot7")
    bench.pass_(1)
    bench.tell(HB, bot="late")
    assert bench.state("late") is State.ALIVE
    assert bench.registry.heard("bot7") is None
    assert bench.registry.told("bot7", "log", limit=1) == []


def test_who_has_not_been_alive_for_a_week_is_forgotten_and_who_is_alive_never(bench):
    bench.tell(HB, OFFLINE, bot="left")
    bench.tell(HB, bot="here")
    bench.show(Presence.ONLINE, retained=True, bot="expected")
    bench.clock += 8 * 86_400_000_000
    bench.registry.look()
    assert set(bench.registry.names) == {"here", "expected"}


def test_a_bot_that_is_forgotten_is_known_no_more_and_nobody_worries_about_it(bench):
    bench.tell(HB, LogLine(msg="x"))
    bench.pass_(35)
    bench.registry.forget("b1")
    bench.registry.forget("b1")
    assert bench.telemetry.facts[1:] == [("forgotten", "b1")]
    assert bench.registry.heard("b1") is None
    assert bench.registry.told("b1", "log", limit=1) == []


async def test_a_gateway_that_stood_still_itself_takes_nobody_for_dead(bench, monkeypatch):
    bench.tell(HB)
    slept = 0

    async def sleep(_):
        nonlocal slept
        slept += 1
        bench.timer += 60 if slept == 1 else 1
        if slept > 20:
            raise asyncio.CancelledError

    monkeypatch.setattr("gateway.bots.registry.asyncio.sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await bench.registry.run()
    assert bench.telemetry.facts == []


async def test_over_a_broker_only_what_bots_publish_themselves_and_now_makes_them_alive(bench):
    broker = MemoryBroker()
    stranger, link = MemoryLink(broker, client_id="stranger"), MemoryLink(broker, client_id="gateway")
    running = [asyncio.create_task(stranger.run())]
    await stranger.wait_connected()
    await stranger.publish("hbot/retained/hb", write(HB), retain=True)
    await bench.registry.listen(link)
    running.append(asyncio.create_task(link.run()))
    await link.wait_connected()

    for topic in ("hbot/commanded/stop", "hbot/commanded/external/event/x", "hbot/commanded/balance/limit"):
        await stranger.publish(topic, b"{}")
    await stranger.publish("hbot/alive/hb", write(HB))
    await eventually(lambda: bench.state("alive") is State.ALIVE)

    assert list(bench.registry.names) == ["alive"]
    assert bench.registry.heard("alive").seen_by is Sign.HEARTBEAT
    assert bench.telemetry.messages == ["hb"]
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
