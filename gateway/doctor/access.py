"""Looks at who gets in at a broker, and what the gateway's and a bot's login may do there."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from gateway.config.permissions import BODIES, gateway_permissions, permissions
from gateway.doctor.judge import LARGEST_PACKET, LARGEST_SIGNAL
from gateway.doctor.seen import BotReach, Doors, Kind, Reach, taken
from gateway.doctor.visits import Login, Persistent, Visits
from gateway.mqtt.filters import matches
from gateway.mqtt.model import LinkLost, Version
from gateway.mqtt.probe import Unanswered
from schemas.topics import VERSION, SignalTopic, TopicError, Topics

_RELEASES = {"$SYS/broker/version": Kind.MOSQUITTO, "$SYS/brokers/+/version": Kind.EMQX}
_HEARD_BY_ALL = "ML_SIGNALS"
"""A topic of Hummingbot's on which nothing may be tried: whoever listens may trade on it."""


@dataclass(frozen=True, slots=True)
class BotLogin:
    """A bot's login, and the sources that it may read; empty for all."""

    name: str
    password: str = field(repr=False)
    sources: tuple[str, ...] = ()

    @property
    def login(self) -> Login:
        """Name and password."""
        return self.name, self.password


async def see_doors(visits: Visits, login: Login | None) -> Doors:
    """Who gets in."""
    wrong = secrets.token_hex(16)
    return Doors(
        anonymous=await visits.knock(None),
        stranger=await visits.knock((visits.nobody, wrong)),
        impostor=await visits.knock((login[0], wrong)) if login else None,
    )


async def see_release(visits: Visits, login: Login | None) -> tuple[Kind, str]:
    """Which broker it says that it is; another one and nothing where it does not tell."""
    try:
        async with visits.visit(login) as (caller, _):
            await caller.subscribe(*_RELEASES, qos=0)
            for message in await caller.heard(quiet=visits.quiet):
                for where, kind in _RELEASES.items():
                    if matches(where, message.topic):
                        return kind, message.head.decode("utf-8", "replace")
    except Unanswered:
        raise
    except LinkLost:
        pass  # it closes the connection of who asks for what it may not read
    return Kind.OTHER, ""


async def see_reach(visits: Visits, login: Login | None, *, most: int | None, version: str = "") -> Reach:
    """What the gateway's login may do.

    Args:
        visits: how to get there.
        login: the gateway's.
        most: bytes of a packet that the broker takes; None for any.
        version: what the broker says of itself.
    """
    topics = visits.topics
    own = gateway_permissions(topics)
    others = f"{topics.root}-doctor/{visits.nobody}"
    async with Persistent(visits, login) as gateway:
        unpublished = [topic for topic in _harmless(own.publish, visits) if not taken(await gateway.publish(topic))]
        wanted = [one for one in own.subscribe if one != topics.doctor()]
        unsubscribed = [one for one in wanted if not taken(await gateway.subscribe(one))]
        fits = most is None or most >= LARGEST_PACKET
        largest = await gateway.publish(topics.doctor(visits.nobody), bytes(LARGEST_SIGNAL)) if fits else None
        started = asyncio.get_running_loop().time()
        allowed = taken(await gateway.publish(topics.doctor(visits.nobody)))
        took = asyncio.get_running_loop().time() - started
        beyond = await gateway.publish(others)
    return Reach(
        cannot_publish=tuple(unpublished),
        cannot_subscribe=tuple(unsubscribed),
        beyond=beyond,
        beyond_heard=taken(beyond) and bool(await _hears(visits, login, others, others, says=login)),
        hears=bool(await _hears(visits, login, topics.doctor(), topics.doctor(visits.nobody), says=login)),
        took=took,
        largest=largest if allowed else None,
        version=version,
    )


async def see_bot(visits: Visits, bot: BotLogin, gateway: Login | None) -> BotReach:
    """What a bot may do that it should not.

    Args:
        visits: how to get there.
        bot: its login.
        gateway: the gateway's, which says what the bot must not hear, and hears what it must not say.
    """
    code = await visits.knock(bot.login)
    if code != 0:
        return BotReach(name=bot.name, code=code)
    foreign = list(_foreign(visits, bot))
    hears = {one: await _hears(visits, bot.login, one, topic, says=gateway) for one, topic in foreign}
    unsaid = tuple(one for one, heard in hears.items() if heard is None)
    doctors = visits.topics.doctor(visits.nobody)
    heard = await _hears(visits, gateway, visits.topics.doctor(), doctors, says=bot.login)
    own = permissions(bot.name, bot.sources, visits.topics).subscribe
    async with Persistent(visits, bot.login) as caller:
        refused = not taken(await caller.publish(doctors))
        told = visits.link.version is Version.V5 and (heard or refused)
        tried = list(_of_others(visits)) if told else []
        writes = [topic for topic in tried if taken(await caller.publish(topic))]
        unsubscribed = [one for one in own if not taken(await caller.subscribe(one))]
    return BotReach(
        name=bot.name,
        code=code,
        reads=tuple(one for one, heard in hears.items() if heard),
        writes=(*([doctors] if heard else []), *writes),
        unsaid=unsaid,
        tried=len(hears) - len(unsaid) + 1 + len(tried),
        told_writes=told,
        cannot_subscribe=tuple(unsubscribed),
    )


async def see_retained(visits: Visits, login: Login | None, filters: Iterable[str]) -> tuple[str, ...]:
    """The topics with retained signals or commands that a new subscriber of filters gets."""
    async with Persistent(visits, login) as caller:
        granted = [one for one in filters if taken(await caller.subscribe(one))]
    if not granted:
        return ()
    async with visits.visit(login) as (whole, _):  # a refusal may have ended the other one, with what it had heard
        await whole.subscribe(*granted)
        heard = await whole.heard(quiet=visits.quiet)
    found = (message.topic for message in heard if message.retained)
    return tuple(dict.fromkeys(topic for topic in found if _is_news(topic, visits.topics)))


def every_signal(topics: Topics) -> Iterator[str]:
    """Filters for all signals."""
    for test in (False, True):
        yield from (topics.signal_filter(body, test=test) for body in BODIES)


async def _hears(
    visits: Visits, hearer: Login | None, topic_filter: str, topic: str, *, says: Login | None
) -> bool | None:
    """Whether one login hears on a filter what another says on a topic; None where the other may not say it."""
    try:
        async with visits.visit(hearer) as (caller, _):
            (code,) = await caller.subscribe(topic_filter)
            if not taken(code):
                return False
            async with Persistent(visits, says) as speaker:
                said = taken(await speaker.publish(topic))
            heard = any(message.topic == topic for message in await caller.heard(quiet=visits.quiet))
            return heard if said or heard else None
    except Unanswered:
        raise
    except LinkLost:
        return False


def _harmless(filters: Iterable[str], visits: Visits) -> Iterator[str]:
    """A topic of each filter on which nobody acts: of a bot or a body that nobody has."""
    for one in filters:
        if not one.endswith(_HEARD_BY_ALL):
            yield one.replace("+", visits.nobody).replace("#", f"doctor/{visits.nobody}")


def _foreign(visits: Visits, bot: BotLogin) -> Iterator[tuple[str, str]]:
    """Filters of others, each with a topic that it matches, on which no bot listens."""
    topics, nobody = visits.topics, visits.nobody
    yield topics.doctor(), topics.doctor(nobody)
    yield f"{topics.namespace}/{nobody}/#", topics.command(nobody, "start")
    yield topics.receipted(nobody), topics.receipted(nobody)
    if bot.sources:
        alerts = f"{topics.root}-test/{VERSION}/alert/{nobody}"
        yield f"{alerts}/#", f"{alerts}/doctor/doctor"


def _of_others(visits: Visits) -> Iterator[str]:
    """Topics to which no bot may publish, and on which none listens; a signal's has a level more than any."""
    topics, nobody = visits.topics, visits.nobody
    yield topics.command(nobody, "start")
    yield from (f"{root}/{VERSION}/trade/{nobody}/doctor/doctor" for root in (topics.root, f"{topics.root}-test"))
    yield topics.receipted(nobody)
    yield topics.reply(nobody, "doctor", "doctor")


def _is_news(topic: str, topics: Topics) -> bool:
    """Whether a bot acts on what is on a topic."""
    try:
        return isinstance(topics.parse(topic), SignalTopic)
    except TopicError:
        acted = (one for one in gateway_permissions(topics).publish if one.startswith(f"{topics.namespace}/"))
        return any(matches(one, topic) for one in acted)
