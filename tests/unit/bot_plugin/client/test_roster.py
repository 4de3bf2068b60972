"""Which bots are there, as a client concludes it from what they say of themselves."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import pytest

from bot_plugin.client import Profile
from bot_plugin.client.roster import ALIVE_FOR, MOST, Roster
from bot_plugin.presence import encode_card
from bot_plugin.transport import Message
from schemas import telemetry
from schemas.card import BotCard, Presence
from schemas.fields import from_micros
from schemas.topics import Topics

AT = 1_795_342_501_000_000
TOPICS = Topics()
CARD = BotCard(bot="bot1", presence=Presence.ONLINE, instance="i1", commands=("stop",))


@dataclass
class Timer:
    seconds: float = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def timer() -> Timer:
    return Timer()


@pytest.fixture
def roster(timer: Timer) -> Roster:
    return Roster(TOPICS, limit=(), now=lambda: AT, monotonic=timer)


def word(channel: str, said: telemetry.Telemetry, *, bot: str = "bot1", retained: bool = False) -> Message:
    return Message(topic=f"hbot/{bot}/{channel}", payload=telemetry.write(said), retained=retained)


def beat(bot: str = "bot1", *, at: int = AT, retained: bool = False) -> Message:
    return word("hb", telemetry.Heartbeat(at=at), bot=bot, retained=retained)


def status(msg: str) -> Message:
    return word("status_updates", telemetry.StatusUpdate(msg=msg, at=AT))


def card(presence: Presence = Presence.ONLINE, *, retained: bool = False, bot: str = "bot1") -> Message:
    payload = encode_card(replace(CARD, presence=presence), now=AT)
    return Message(topic=f"signals/v1/bot/{bot}", payload=payload, retained=retained)


def test_a_heartbeat_shows_a_stock_bot_that_is_alive(roster: Roster) -> None:
    """A bot without a card is a Hummingbot as it is."""
    roster.take(beat())

    (bot,) = roster.bots()
    assert (bot.name, bot.alive, bot.profile, bot.commands) == ("bot1", True, Profile.STOCK, ())
    assert (bot.last_seen, bot.silent_for) == (from_micros(AT), 0.0)


def test_a_bot_that_falls_silent_is_not_alive(roster: Roster, timer: Timer) -> None:
    """A sign of life counts for 30 s, by a clock that nobody sets, whatever the bot's own says."""
    roster.take(beat(at=AT * 2))
    timer.seconds += ALIVE_FOR
    assert roster.bot("bot1").alive
    timer.seconds += 0.1

    bot = roster.bot("bot1")
    assert (bot.alive, bot.gone) == (False, False)
    assert bot.silent_for == pytest.approx(ALIVE_FOR + 0.1)


def test_a_goodbye_counts_until_the_next_sign_of_life(roster: Roster) -> None:
    """Offline is gone; a heartbeat after it is back."""
    roster.take(status("online"))
    roster.take(status("offline"))
    assert (roster.bot("bot1").alive, roster.bot("bot1").gone) == (False, True)

    roster.take(beat())
    assert (roster.bot("bot1").alive, roster.bot("bot1").gone) == (True, False)


def test_a_card_shows_a_bot_with_the_plugin(roster: Roster, timer: Timer) -> None:
    """One without heartbeats is alive while its card says so: the broker takes the card back where it dies."""
    roster.take(card(retained=True))
    timer.seconds += 3_600

    bot = roster.bot("bot1")
    assert (bot.alive, bot.profile, bot.last_seen) == (True, Profile.PLUGIN, None)
    assert (bot.commands, bot.serves("stop"), bot.serves("start")) == (("stop",), True, False)
    roster.take(card(Presence.OFFLINE))
    assert (roster.bot("bot1").alive, roster.bot("bot1").gone) == (False, True)


def test_a_card_does_not_keep_a_silent_bot_alive_that_sends_heartbeats(roster: Roster, timer: Timer) -> None:
    """A process that hangs keeps its connection and its card, and sends no heartbeat."""
    roster.take(card())
    roster.take(beat())
    timer.seconds += ALIVE_FOR + 1

    assert not roster.bot("bot1").alive


@pytest.mark.parametrize(
    "message",
    [
        beat(retained=True),
        Message(topic="hbot/bot1/external/event/x", payload=b"{}"),
        Message(topic="hbot/bot1/start", payload=b'{"header":{},"data":{}}'),
        Message(topic="hbot/bot1/log", payload=b'{"msg":"x"}'),
        Message(topic="hbot/bot1/hb", payload=b"rubbish"),
        Message(topic="hbot/bot1/status_updates", payload=b"{}"),
        Message(topic="hbot/a.b/hb", payload=b"{}"),
        Message(topic="signals/v1/bot/bot1", payload=b"rubbish"),
        Message(topic="signals/v1/bot/a.b", payload=b"{}"),
        Message(topic="signals/v1/receipt/bot1", payload=b"{}"),
        Message(topic="signals/v1", payload=b""),
        card(Presence.CLAIM),
        card(bot="bot2"),
    ],
    ids=lambda message: f"{message.topic} {message.payload[:12]!r}",
)
def test_what_is_no_sign_of_life_makes_no_bot(roster: Roster, message: Message) -> None:
    """What others publish, what was retained, rubbish, and another's card show nobody."""
    roster.take(message)

    assert roster.bots() == ()


def test_a_card_that_was_cleared_is_forgotten(roster: Roster) -> None:
    """A bot that was removed from the gateway is a stock bot again, if anything."""
    roster.take(card())
    roster.take(Message(topic="signals/v1/bot/bot1", payload=b""))

    assert roster.bot("bot1").card is None


def test_nothing_is_known_of_a_bot_that_was_never_seen(roster: Roster) -> None:
    """Asking is no sign of life."""
    bot = roster.bot("ghost")

    assert (bot.alive, bot.gone, bot.last_seen, bot.silent_for) == (False, False, None, None)
    assert roster.bots() == ()


def test_memory_is_bounded(roster: Roster) -> None:
    """Whoever may publish heartbeats cannot fill a client's memory: the one silent for longest goes first."""
    for number in range(MOST):
        roster.take(beat(f"b{number}"))
    roster.take(beat("b0"))
    roster.take(beat("one-more"))

    names = {bot.name for bot in roster.bots()}
    assert len(names) == MOST
    assert {"b0", "one-more"} <= names
    assert "b1" not in names


def test_the_card_of_a_bot_that_is_gone_does_not_make_a_plugin_of_its_successor(roster: Roster) -> None:
    """A stock bot under the name of one that left its card behind is a stock bot."""
    roster.take(card(Presence.OFFLINE, retained=True))
    assert roster.bot("bot1").profile is Profile.PLUGIN

    roster.take(beat())
    assert (roster.bot("bot1").profile, roster.bot("bot1").commands) == (Profile.STOCK, ())


async def test_waiting_for_a_bot_ends_when_it_is_alive_or_the_time_is_over(roster: Roster) -> None:
    """The bot is returned either way, and says which."""
    waiting = asyncio.ensure_future(roster.alive("bot1", within=5))
    await asyncio.sleep(0)
    roster.take(beat("bot2"))
    await asyncio.sleep(0)
    roster.take(beat())

    assert (await waiting).alive
    assert not (await roster.alive("ghost", within=0.01)).alive


async def test_two_may_wait_for_bots_at_once(roster: Roster) -> None:
    """A sign of life wakes everybody."""
    waiting = [asyncio.ensure_future(roster.alive(name, within=5)) for name in ("bot1", "bot2")]
    await asyncio.sleep(0)
    for name in ("bot1", "bot2"):
        roster.take(beat(name))
        await asyncio.sleep(0)

    assert all(bot.alive for bot in await asyncio.gather(*waiting))


def test_a_client_of_some_bots_listens_to_each_of_them_by_name(timer: Timer) -> None:
    """A login that is limited to bots may subscribe to nothing else, cards included."""
    limited = Roster(TOPICS, limit=("bot1", "bot2"), now=lambda: AT, monotonic=timer)

    assert {f"signals/v1/bot/{bot}" for bot in ("bot1", "bot2")} < set(limited.filters)
    assert not [each for each in limited.filters if "+" in each]
