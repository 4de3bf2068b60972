"""How a client begins, ends, and what it says of a connection that cannot be."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest

from bot_plugin.client import (
    BotClient,
    ClientSettings,
    LinkRefused,
    Outcome,
)
from bot_plugin.errors import TakenOver
from bot_plugin.fake import FakeBroker
from bot_plugin.transport import LinkSettings
from tests.unit.bot_plugin.client.stand_in import (
    SETTINGS,
    Network,
    StandIn,
    client_on,
    done,
    eventually,
)


@pytest.fixture
def broker() -> FakeBroker:
    return FakeBroker()


async def test_a_client_that_is_not_open_or_only_watches_says_so(broker: FakeBroker) -> None:
    """Misuse is told in words."""
    with pytest.raises(RuntimeError, match="async with"):
        await client_on(broker).stop("bot1")
    async with client_on(broker, replace(SETTINGS, watch_only=True)) as client:
        with pytest.raises(RuntimeError, match="watches only"):
            await client.stop("bot1")


class _EndingLink:
    """A link that ends for good."""

    connected, free = False, 0

    def __init__(self, error: Exception) -> None:
        self._error = error

    async def run(self, *_: Any) -> None:
        raise self._error


async def test_a_login_that_the_broker_refuses_is_told_at_the_start() -> None:
    """Entering raises what nobody can mend by waiting."""
    refused = BotClient(SETTINGS, connect=lambda _: _EndingLink(LinkRefused("wrong password")))  # type: ignore[arg-type, return-value]
    with pytest.raises(LinkRefused, match="wrong password"):
        async with refused:
            pass


async def test_a_connection_that_was_taken_over_ends_calls_with_that(broker: FakeBroker) -> None:
    """A call on a connection that ended for good raises what ended it."""
    clients: list[LinkSettings] = []

    def link(settings: LinkSettings) -> Any:
        clients.append(settings)
        return broker.link(settings)

    async with BotClient(SETTINGS, connect=link) as client:
        other = broker.link(clients[0])
        running = asyncio.ensure_future(other.run(None, lambda: None))  # type: ignore[arg-type]
        await eventually(lambda: client._line._running is not None and client._line._running.done())
        with pytest.raises(TakenOver):
            await client.stop("bot1")
        running.cancel()


async def test_entering_does_not_wait_for_a_broker_that_is_away(broker: FakeBroker) -> None:
    """A program that starts before its broker goes on, and its calls are sent when the broker is there."""
    network = Network(broker)
    network.cut()
    hasty = replace(SETTINGS, connect_within=0.02)
    async with StandIn(broker, answer=done()).running(), client_on(network, hasty) as client:
        assert not client.connected
        network.mend()
        assert (await client.stop("bot1")).ok


async def test_a_client_says_goodbye(broker: FakeBroker) -> None:
    """Nothing of it stays at the broker, and none of its tasks runs on."""
    before = asyncio.all_tasks()
    async with client_on(broker) as client, client.logs():
        assert broker._links
    assert broker._links == {}
    await eventually(lambda: asyncio.all_tasks() == before)


async def test_a_password_is_in_no_repr() -> None:
    """What is printed of settings has no secret."""
    settings = ClientSettings(username="desk", password="s3cret-pass", name="desk")

    assert "s3cret" not in repr(settings)
    assert json.dumps(settings.name) == '"desk"'


async def test_a_client_that_is_closed_lets_its_calls_go(broker: FakeBroker) -> None:
    """A call does not wait for what cannot come any more."""
    async with StandIn(broker).running() as bot:
        async with client_on(broker) as client:
            call = asyncio.ensure_future(client.stop("bot1", within=60))
            await eventually(lambda: bot.requests)
        async with asyncio.timeout(2):
            result = await call

    assert (result.outcome, result.sent) == (Outcome.UNKNOWN, True)


async def test_a_client_that_is_closed_lets_calls_go_that_were_not_sent(broker: FakeBroker) -> None:
    """One that still waited for the broker was not run."""
    network = Network(broker)
    async with client_on(network) as client:
        network.cut()
        await eventually(lambda: not client.connected)
        call = asyncio.ensure_future(client.stop("bot1", within=60))
        await eventually(lambda: len(client._waitings))
    async with asyncio.timeout(2):
        result = await call

    assert (result.outcome, result.sent) == (Outcome.UNKNOWN, False)


async def test_a_client_may_be_opened_again(broker: FakeBroker) -> None:
    """The same object connects anew."""
    client = client_on(broker)
    async with StandIn(broker, answer=done()).running():
        for _ in range(2):
            async with client:
                assert client.connected
                assert (await client.stop("bot1")).ok
