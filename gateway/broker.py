"""The embedded broker while the gateway runs, and who may log in there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from gateway.config import BrokerLogins, Settings
from gateway.mqtt.embedded import EmbeddedBroker

_LOOK_FOR_REVOKED = 0.5


@dataclass(frozen=True, slots=True)
class Embedded:
    """The embedded broker, and who may log in there."""

    broker: EmbeddedBroker
    logins: BrokerLogins

    async def watch(self) -> None:
        """End the sessions of those whose login was taken away or changed."""
        while True:
            await asyncio.sleep(_LOOK_FOR_REVOKED)
            for name in self.logins.revoked():
                await self.broker.disconnect(name)


@asynccontextmanager
async def run_embedded(settings: Settings) -> AsyncIterator[Embedded]:
    """Run the broker that the settings describe."""
    assert settings.embedded is not None
    own = (settings.link.username or "", settings.link.password or "")
    logins = BrokerLogins(settings.folder, topics=settings.topics, gateway=own)
    broker = EmbeddedBroker(settings.embedded, logins=logins)
    await broker.start()
    try:
        yield Embedded(broker, logins)
    finally:
        await broker.stop()
