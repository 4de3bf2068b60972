"""BotClient drives the real Hummingbot over a real Mosquitto: what works there works, and what is broken says so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from bot_plugin.client import BotClient, ClientSettings, Outcome, Profile, SyncBotClient
from bot_plugin.client.calls import Call
from bot_plugin.client.payloads import read_data
from schemas.telemetry import StatusUpdate
from tests.interop.hummingbot.bot import Hummingbot
from tests.interop.hummingbot.conftest import BOT, STARTS_WITHIN

pytestmark = pytest.mark.more

AT_ONCE = 5.0
"""Seconds that an answer may take; a hang would be 35."""


@pytest.fixture(params=["5", "3.1.1"])
async def client(settings: ClientSettings, request: pytest.FixtureRequest) -> AsyncIterator[BotClient]:
    async with BotClient(replace(settings, mqtt_version=request.param)) as client:
        yield client


async def test_discovery_finds_it_as_a_stock_bot(client: BotClient) -> None:
    """Its heartbeat is enough to find it; it shows no card, and names no commands."""
    await client.wait_alive(BOT, within=15)
    (bot,) = client.bots()

    assert (bot.name, bot.alive, bot.gone, bot.profile, bot.commands) == (BOT, True, False, Profile.STOCK, ())


async def test_what_works_there_is_done(client: BotClient) -> None:
    """Stop, history and both balances succeed; only those are called confirmed of which its word is proof."""
    stop, at_once = await client.stop(BOT), await client.stop(BOT, skip_order_cancellation=True)
    history = await client.history(BOT, days=1)
    limit = await client.balance_limit(BOT, "binance", "BTC", "0.5")
    no_limit, paper = await client.balance_limit(BOT, "binance", "BTC", -1), await client.balance_paper(BOT, "BTC", 10)

    results = [stop, at_once, history, limit, no_limit, paper]
    assert [(result.outcome, result.status) for result in results] == [(Outcome.DONE, 200)] * 6
    assert [result.confirmed for result in results] == [True, False, True, False, False, False]
    assert history.data == ()
    assert max(result.took for result in results) < AT_ONCE


@pytest.mark.parametrize(
    ("method", "arguments", "options", "words"),
    [
        ("start", (), {}, "Strategy check: Please import or create a strategy."),
        (
            "start",
            (),
            {"script": "s.py", "conf": "c.yml"},
            "'HummingbotApplication' object has no attribute 'strategy'",
        ),
        ("status", (), {}, "'HummingbotApplication' object has no attribute 'strategy'"),
        ("config", (), {}, "'NoneType' object has no attribute 'clear_input'"),
        ("config", ({"no_such_key": 1},), {}, "Invalid param key(s): ['no_such_key']"),
        ("import_strategy", ("grid",), {}, "'NoneType' object has no attribute 'clear_input'"),
    ],
)
async def test_what_is_broken_there_is_refused_in_its_own_words(
    client: BotClient, method: str, arguments: Any, options: Any, words: str
) -> None:
    """Each comes back as an error, at once, and none as a hang."""
    result = await getattr(client, method)(BOT, *arguments, **options)

    assert (result.outcome, result.status, result.msg, result.confirmed) == (Outcome.REFUSED, 400, words, False)
    assert result.took < AT_ONCE


async def test_commands_that_it_does_not_know_are_unknown(client: BotClient) -> None:
    """Where the broker can tell (MQTT 5), that is known at once, and that it was not run."""
    await client.wait_alive(BOT, within=15)
    results = await asyncio.gather(client.balance(BOT, within=1), client.command(BOT, "rebalance", within=1))

    tells = client.settings.mqtt_version == "5"
    assert [(result.outcome, result.sent) for result in results] == [(Outcome.UNKNOWN, not tells)] * 2
    assert all(("does not take this command" in result.reason) is tells for result in results)
    assert all((result.took < 1) is tells for result in results)


async def test_a_request_that_it_cannot_read_is_unknown_in_time(client: BotClient) -> None:
    """It says nothing to one that lacks a parameter; the wait ends when it was told to."""
    await client.wait_alive(BOT, within=15)
    result = await client.call(BOT, Call(command="balance/limit", read=read_data, data={}), within=0.5)

    assert (result.outcome, result.sent) == (Outcome.UNKNOWN, True)
    assert "is alive, and busy, or cannot read the request" in result.reason


async def test_many_calls_at_once_get_each_their_own_answer(client: BotClient) -> None:
    """It runs commands in threads, in any order; no answer goes astray."""
    calls = [client.status(BOT) if number % 2 else client.history(BOT) for number in range(20)]
    results = await asyncio.gather(*calls)

    assert [result.outcome for result in results] == [Outcome.DONE, Outcome.REFUSED] * 10
    assert client.strays == 0


async def test_heartbeats_and_logs_stream(client: BotClient) -> None:
    """What it tells of itself comes typed; a command shows in its log."""
    async with client.heartbeats(BOT) as heartbeats, client.logs(BOT) as logs:
        await client.stop(BOT)
        lines = [told.said async for told in _until(logs, "Hummingbot stopped.")]
        beat = await heartbeats.next(within=15)

    assert any(line.msg == "stop command initiated." and line.level_name == "INFO" for line in lines)
    assert all(line.logger.startswith("hummingbot.") and line.at for line in lines)
    assert beat is not None
    assert beat.said.at
    assert (heartbeats.unreadable, logs.unreadable, logs.dropped) == (0, 0, 0)


async def _until(logs: Any, last: str) -> AsyncIterator[Any]:
    while (told := await logs.next(within=AT_ONCE)) is not None:
        yield told
        if told.said.msg == last:
            return
    pytest.fail(f"no log line {last!r}")


def test_a_program_without_a_loop_drives_it_too(settings: ClientSettings) -> None:
    """The same bot, the same results, and no await."""
    with SyncBotClient(settings) as client:
        assert (client.stop(BOT).outcome, client.start(BOT).outcome) == (Outcome.DONE, Outcome.REFUSED)


async def test_a_bot_that_was_killed_is_unknown_at_once_and_back_when_it_is_back(
    settings: ClientSettings, hummingbot: Hummingbot
) -> None:
    """The broker has nobody for the command; a restarted bot is found again, online."""
    async with BotClient(settings) as client, client.statuses() as statuses:
        hummingbot.kill()
        result = await client.stop(BOT)
        assert (result.outcome, result.sent) == (Outcome.UNKNOWN, False)
        assert "nobody listens" in result.reason
        assert result.took < AT_ONCE

        while await statuses.next(within=0.1):
            pass
        hummingbot.start()
        told = await statuses.next(within=STARTS_WITHIN)
        assert told is not None
        assert (told.bot, told.said.msg, type(told.said)) == (BOT, "online", StatusUpdate)
        assert (await client.stop(BOT)).ok
