"""Looks at what a broker keeps for a client that is away: its session, its messages, and those that expired."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from gateway.doctor.seen import Kept, taken
from gateway.doctor.visits import Login, Visits
from gateway.mqtt.model import Version
from gateway.mqtt.probe import Greeting, Probe

MANY = 1_000
"""As many as a default Mosquitto keeps; the gateway leaves a bot with 256 signals that it has not receipted."""

_SIZE = 1_024
_EXPIRY = 1
_EXPIRED = 2.2
"""Seconds; brokers count whole ones."""

_SESSION = 120
"""Seconds after which the broker forgets what the doctor could not clear."""

_QUIET = 1.0


@dataclass(frozen=True, slots=True)
class _Absent:
    """A client that subscribes to a topic and goes away."""

    visits: Visits
    login: Login | None
    client_id: str
    topic: str

    async def leave(self) -> None:
        """Subscribe, and go away."""
        async with self._visit() as (caller, _):
            await caller.subscribe(self.topic)

    async def come_back(self, *, most: int) -> tuple[bool, int]:
        """Whether the session is still there, and how many messages came, of which there are so many at most."""
        async with self._visit() as (caller, greeting):
            heard = await caller.heard(quiet=_QUIET, most=most)
            return greeting.session_present, sum(message.topic == self.topic for message in heard)

    def _visit(self) -> AbstractAsyncContextManager[tuple[Probe, Greeting]]:
        return self.visits.visit(self.login, client_id=self.client_id, clean=False, session_expiry=_SESSION)


async def see_kept(visits: Visits, login: Login | None) -> Kept:
    """Let messages come for two clients that are away, and fetch them; nothing is left behind."""
    queue, expiring = (
        _Absent(visits, login, visits.client_id(), visits.topics.doctor(f"{visits.nobody}-{what}"))
        for what in ("queue", "expiry")
    )
    try:
        await queue.leave()
        await expiring.leave()
        async with visits.visit(login) as (speaker, _):
            await speaker.publish(expiring.topic, expiry=_EXPIRY)
            published = asyncio.get_running_loop().time()
            codes = await speaker.publish_all(queue.topic, [bytes(_SIZE)] * MANY)
        acknowledged = sum(map(taken, codes))
        present, came = await queue.come_back(most=acknowledged)
        expired_came = None
        if visits.link.version is Version.V5:
            await asyncio.sleep(published + _EXPIRED - asyncio.get_running_loop().time())
            _, expired = await expiring.come_back(most=1)
            expired_came = expired > 0
        return Kept(sent=MANY, acknowledged=acknowledged, came=came, session_present=present, expired_came=expired_came)
    finally:
        for absent in (queue, expiring):
            await visits.forget(login, absent.client_id)
