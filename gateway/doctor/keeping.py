"""Looks at what a broker keeps for a client that is away: its session, its messages, and those that expired."""

from __future__ import annotations

import asyncio

from gateway.doctor.seen import Kept, taken
from gateway.doctor.visits import Login, Visits
from gateway.mqtt.model import Version

MANY = 1_000
"""As many as a default Mosquitto keeps; the gateway leaves a bot with 256 signals that it has not receipted."""

_QUEUE, _EXPIRING = "-queue", "-expiry"
"""What the topics end in; on the doctor's others, something else is tried meanwhile."""

_SIZE = 1_024
_EXPIRY = 1
_EXPIRED = 2.2
"""Seconds; brokers count whole ones."""

_SESSION = 120
"""Seconds after which the broker forgets what the doctor could not clear."""

_QUIET = 1.0


async def see_kept(visits: Visits, login: Login | None) -> Kept:
    """Let messages come for two clients that are away, and fetch them; nothing is left behind."""
    expires = visits.link.version is Version.V5
    away = {
        suffix: (visits.client_id(), visits.topics.doctor(f"{visits.nobody}{suffix}")) for suffix in (_QUEUE, _EXPIRING)
    }
    try:
        for client_id, topic in away.values():
            await _leave(visits, login, client_id, topic)
        async with visits.visit(login) as (speaker, _):
            if expires:
                await speaker.publish(away[_EXPIRING][1], expiry=_EXPIRY)
            published = asyncio.get_running_loop().time()
            codes = await speaker.publish_all(away[_QUEUE][1], [bytes(_SIZE)] * MANY)
        acknowledged = sum(map(taken, codes))
        present, came = await _return(visits, login, *away[_QUEUE], most=acknowledged)
        if expires:
            await asyncio.sleep(published + _EXPIRED - asyncio.get_running_loop().time())
        expired = await _return(visits, login, *away[_EXPIRING], most=1) if expires else None
        return Kept(
            sent=MANY,
            acknowledged=acknowledged,
            came=came,
            session_present=present,
            expired_came=bool(expired[1]) if expired else None,
        )
    finally:
        for client_id, _ in away.values():
            await visits.forget(login, client_id)


async def _leave(visits: Visits, login: Login | None, client_id: str, topic: str) -> None:
    """Subscribe, and go away."""
    staying = visits.visit(login, client_id=client_id, clean=False, session_expiry=_SESSION)
    async with staying as (caller, _):
        await caller.subscribe(topic)


async def _return(visits: Visits, login: Login | None, client_id: str, topic: str, *, most: int) -> tuple[bool, int]:
    """Whether the session is still there, and how many messages came, of which there are so many at most."""
    staying = visits.visit(login, client_id=client_id, clean=False, session_expiry=_SESSION)
    async with staying as (caller, greeting):
        heard = await caller.heard(quiet=_QUIET, most=most)
        return greeting.session_present, sum(message.topic == topic for message in heard)
