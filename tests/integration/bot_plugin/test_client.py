"""BotClient and a bot with the plugin, on a real Mosquitto: every command, once each, signed, and through outages."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bot_plugin import Answer, CommandFailed, PluginSettings, RemoteCommands, SignalListener
from bot_plugin.client import (
    BotClient,
    ClientSettings,
    CommandKey,
    Configuration,
    Holding,
    LinkRefused,
    Outcome,
    Profile,
    SyncBotClient,
)
from tests.brokers import Mosquitto, MosquittoFactory, Proxy, eventually
from tests.integration.bot_plugin.rig import connected

SECRET = b"0123456789abcdef0123456789abcdef"
ACL = """
user bot1
topic readwrite #
user desk
topic write hbot/bot1/#
topic read signals/v1/reply/+/desk/+
topic read signals/v1/bot/+
user guest
topic read signals/v1/reply/+/guest/+
"""


class Target:
    """A bot that does all that it is asked to, and counts."""

    def __init__(self) -> None:
        self.started = self.stopped = 0
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def start(self, _: Any) -> str:
        self.started += 1
        await self.go_on.wait()
        return f"started {self.started}"

    def stop(self, _: Any) -> str:
        self.stopped += 1
        return "stopped"

    def import_strategy(self, asked: Any) -> None:
        if asked.strategy != "grid":
            raise CommandFailed(f"there is no strategy {asked.strategy}")

    def config(self, asked: Any) -> Answer:
        return Answer(more={"changes": list(asked.params), "config": {"bid": 1}})

    def status(self, _: Any) -> dict[str, Any]:
        return {"pnl": 1}

    def history(self, _: Any) -> list[dict[str, str]]:
        return [{"symbol": "BTC-USDT", "price": "65000.5", "quantity": "0.01", "trade_type": "BUY"}]

    def balance(self, _: Any) -> dict[str, dict[str, Decimal]]:
        return {"binance": {"BTC": Decimal("0.5")}}

    def balance_limit(self, asked: Any) -> str:
        return f"{asked.exchange} {asked.asset} {asked.amount}"

    def balance_paper(self, _: Any) -> None:
        return None


@pytest.fixture
def broker(mosquitto: MosquittoFactory) -> Mosquitto:
    return mosquitto()


@pytest.fixture
def settings(broker: Mosquitto) -> ClientSettings:
    return ClientSettings(host=broker.host, port=broker.port, name="desk", timeout=5)


@pytest.fixture
def target() -> Target:
    return Target()


@pytest.fixture
def make_bot(broker: Mosquitto, target: Target, tmp_path: Path) -> Callable[..., SignalListener]:
    """A bot with every command; each has the same state folder, as a restarted one does."""

    def make(**more: Any) -> SignalListener:
        given = {"bot": "bot1", "host": broker.host, "port": broker.port, "grace": 0.2, "state_dir": str(tmp_path)}
        commands = RemoteCommands(target)
        commands.handles("rebalance")(lambda data: {"to": data["to"]})
        listener = SignalListener(PluginSettings(**{**given, **more}))
        listener.serve(commands)
        return listener

    return make


async def answering(client: BotClient, *, within: float = 15.0) -> None:
    """Return when the bot answers: its second connection comes after the first."""
    async with asyncio.timeout(within):
        while not (await client.status("bot1", within=0.5)).ok:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_every_command_is_done_and_confirmed(
    settings: ClientSettings, make_bot: Callable[..., SignalListener], version: str
) -> None:
    """A bot with the plugin answers all of them, typed, and its word counts for each."""
    async with connected(make_bot()), BotClient(replace(settings, mqtt_version=version)) as client:
        await answering(client)
        results = {
            "start": await client.start("bot1", script="s.py"),
            "stop": await client.stop("bot1"),
            "import": await client.import_strategy("bot1", "grid"),
            "config": await client.config("bot1", {"bid": 1}),
            "status": await client.status("bot1"),
            "history": await client.history("bot1", days=1),
            "balance": await client.balance("bot1"),
            "balance/limit": await client.balance_limit("bot1", "binance", "BTC", "0.5"),
            "balance/paper": await client.balance_paper("bot1", "BTC", 1),
            "command/rebalance": await client.command("bot1", "rebalance", {"to": 0.5}),
        }
        refused = await client.import_strategy("bot1", "no-such")
        unknown = await client.command("bot1", "no-such", within=0.5)

    assert [name for name, result in results.items() if not (result.ok and result.confirmed)] == []
    assert results["config"].data == Configuration(config={"bid": 1}, changes=(("bid", 1),))
    assert results["history"].checked().data[0].price == Decimal("65000.5")
    assert results["balance"].data == (Holding(exchange="binance", asset="BTC", total=Decimal("0.5")),)
    assert results["command/rebalance"].data == {"to": 0.5}
    assert (results["status"].data, results["balance/limit"].msg) == ({"pnl": 1}, "binance BTC 0.5")
    assert (refused.outcome, refused.msg) == (Outcome.REFUSED, "there is no strategy no-such")
    assert not unknown.ok


async def test_discovery_shows_what_a_bot_with_the_plugin_takes(
    settings: ClientSettings, make_bot: Callable[..., SignalListener]
) -> None:
    """Its card, which is retained, names its commands; when it goes, it is gone."""
    async with BotClient(settings) as client:
        async with connected(make_bot()):
            await eventually(lambda: client.bots() and client.bots()[0].alive)
            (bot,) = client.bots()
            assert (bot.name, bot.profile) == ("bot1", Profile.PLUGIN)
            assert {"start", "balance/paper", "command/rebalance"} <= set(bot.commands)
        await eventually(lambda: client.bot("bot1").gone)
        result = await client.stop("bot1")

    assert (result.outcome, result.sent) == (Outcome.UNKNOWN, False)
    assert "bot 'bot1' has gone offline" in result.reason


async def test_a_repeated_call_is_run_once_also_after_the_bots_restart(
    settings: ClientSettings, make_bot: Callable[..., SignalListener], target: Target
) -> None:
    """``idempotency_key`` makes a retry safe: it gets the first answer again."""
    async with BotClient(settings) as client:
        async with connected(make_bot()):
            await answering(client)
            first = await client.start("bot1", idempotency_key="monday")
            again = await client.start("bot1", idempotency_key="monday")
        async with connected(make_bot()):
            await answering(client)
            after = await client.start("bot1", idempotency_key="monday")
            other = await client.start("bot1")

    assert [result.msg for result in (first, again, after, other)] == ["started 1"] * 3 + ["started 2"]
    assert target.started == 2


async def test_an_answer_that_was_lost_is_fetched_by_repeating_the_call(
    settings: ClientSettings, broker: Mosquitto, make_bot: Callable[..., SignalListener], target: Target
) -> None:
    """The connection ends in mid call: unknown; the same id brings what the bot said meanwhile."""
    proxy = Proxy(broker.port)
    await proxy.start()
    target.go_on.clear()
    try:
        async with connected(make_bot()), BotClient(replace(settings, host=proxy.host, port=proxy.port)) as client:
            await answering(client)
            call = asyncio.ensure_future(client.start("bot1", within=1.0))
            await eventually(lambda: target.started)
            proxy.cut()
            target.go_on.set()
            lost = await call
            proxy.restore()
            found = await client.start("bot1", idempotency_key=lost.msg_id)
    finally:
        await proxy.stop()

    assert (lost.outcome, lost.sent) == (Outcome.UNKNOWN, True)
    assert "lost meanwhile" in lost.reason
    assert (found.msg, target.started) == ("started 1", 1)


async def test_a_broker_that_restarts_in_mid_call_delays_no_later_one(
    settings: ClientSettings, broker: Mosquitto, make_bot: Callable[..., SignalListener], target: Target
) -> None:
    """What ran when the broker went is unknown, or answered after it is back; the next call is as any other."""
    target.go_on.clear()
    async with connected(make_bot()), BotClient(settings) as client:
        await answering(client)
        call = asyncio.ensure_future(client.start("bot1", within=2.0))
        await eventually(lambda: target.started)
        broker.kill()
        await eventually(lambda: not client.connected)
        assert (await client.stop("bot1", within=0.1)).sent is False
        broker.start()
        target.go_on.set()
        assert (await call).outcome in {Outcome.UNKNOWN, Outcome.DONE}
        await answering(client)

        assert (await client.stop("bot1")).ok
    assert (target.started, target.stopped) == (1, 1)


async def test_signed_commands_are_run_and_others_are_not(
    settings: ClientSettings, make_bot: Callable[..., SignalListener], target: Target
) -> None:
    """A bot with a command key obeys who has it."""
    bot = make_bot(command_keys={"k1": SECRET})
    keys = {
        "good": CommandKey(kid="k1", secret=SECRET),
        "wrong": CommandKey(kid="k1", secret=SECRET[::-1]),
        "strange": CommandKey(kid="k2", secret=SECRET),
        "none": None,
    }
    outcomes = {}
    async with connected(bot):
        async with BotClient(replace(settings, command_key=keys["good"])) as client:
            await answering(client)
        for name, key in keys.items():
            async with BotClient(replace(settings, command_key=key)) as client:
                outcomes[name] = (await client.stop("bot1")).outcome

    refused = Outcome.REFUSED
    assert outcomes == {"good": Outcome.DONE, "wrong": refused, "strange": refused, "none": refused}
    assert target.stopped == 1


async def test_a_program_without_a_loop_commands_it(
    settings: ClientSettings, make_bot: Callable[..., SignalListener]
) -> None:
    """SyncBotClient does the same in a thread of its own."""

    def program() -> list[Any]:
        with SyncBotClient(settings) as client:
            while not client.status("bot1", within=0.5).ok:
                pass
            return [client.stop("bot1").outcome, client.balance("bot1").data]

    async with connected(make_bot()):
        outcome, held = await asyncio.to_thread(program)

    assert (outcome, held[0].asset) == (Outcome.DONE, "BTC")


@pytest.mark.parametrize("version", ["5", "3.1.1"])
async def test_a_login_reaches_what_the_broker_allows(
    mosquitto: MosquittoFactory, make_bot: Callable[..., SignalListener], version: str
) -> None:
    """One that may command does; one that may not is refused, or, where MQTT 3.1.1 cannot tell, unknown."""
    broker = mosquitto(users={"bot1": "b", "desk": "d", "guest": "g"}, acl=ACL)
    shared = {"host": broker.host, "port": broker.port, "mqtt_version": version}
    async with (
        connected(make_bot(**shared, username="bot1", password="b")),
        BotClient(ClientSettings(**shared, username="desk", password="d")) as desk,
        BotClient(ClientSettings(**shared, username="guest", password="g")) as guest,
    ):
        await answering(desk)
        done, denied = await desk.stop("bot1"), await guest.stop("bot1", within=0.5)

    assert (desk.settings.name, done.outcome) == ("desk", Outcome.DONE)
    assert denied.outcome is (Outcome.REFUSED if version == "5" else Outcome.UNKNOWN)


async def test_a_wrong_password_is_said_at_the_start(mosquitto: MosquittoFactory) -> None:
    """Nobody waits for what cannot be."""
    broker = mosquitto(users={"desk": "d"})
    with pytest.raises(LinkRefused, match="user name, password"):
        async with BotClient(ClientSettings(host=broker.host, port=broker.port, username="desk", password="x")):
            pass
