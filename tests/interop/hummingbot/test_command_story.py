"""A day of remote commands to the real Hummingbot with the plugin: each answer is compared with its own state.

The same story is told by commlib-py, a client that is not ours, and by BotClient. What is true is read past the plugin:
from the probe inside the process, from the exchange, and from the files.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import yaml
from commlib.transports.mqtt import ConnectionParameters, RPCClient
from paho.mqtt import publish

from bot_plugin.client import BotClient
from bot_plugin.client.calls import Call
from tests.brokers import Mosquitto
from tests.e2e.deployment import until
from tests.interop.hummingbot.bot import Hummingbot, tail
from tests.interop.hummingbot.conftest import HERE, STARTS_WITHIN, MakeHome, settings_of
from tests.interop.hummingbot.home import EXCHANGE
from tests.interop.test_commlib import Call as CommlibCall
from tests.interop.test_commlib import close

pytestmark = [pytest.mark.more, pytest.mark.timeout(240)]

SECRET = "hush-hush"
_number = count(1)
PMM = {"exchange": EXCHANGE, "market": "BTC-USDT", "bid_spread": 1, "ask_spread": 1, "order_amount": 1}
Ask = Callable[..., Awaitable[dict[str, Any]]]
"""Ask a command with the fields of its data; the reply's data as the bot sent it."""


@asynccontextmanager
async def by_commlib(name: str, broker: Mosquitto) -> AsyncIterator[Ask]:
    clients: dict[str, RPCClient] = {}
    parameters = ConnectionParameters(host=broker.host, port=broker.port)

    def go(command: str, data: dict[str, Any]) -> dict[str, Any]:
        if command not in clients:
            clients[command] = RPCClient(
                conn_params=parameters, rpc_name=f"hbot/{name}/{command}", msg_type=CommlibCall
            )
            clients[command].run()
        return clients[command].call(CommlibCall.Request(**data), timeout=30).model_dump()

    async def ask(command: str, **data: Any) -> dict[str, Any]:
        return await asyncio.to_thread(go, command, data)

    logging.getLogger("commlib").setLevel(logging.ERROR)
    try:
        yield ask
    finally:
        for client in clients.values():
            close(client)


@asynccontextmanager
async def by_bot_client(name: str, broker: Mosquitto) -> AsyncIterator[Ask]:
    async with BotClient(settings_of(broker)) as client:

        async def ask(command: str, **data: Any) -> dict[str, Any]:
            result = await client.call(name, Call(command=command, read=lambda reply: dict(reply.more), data=data))
            return {"status": result.status, "msg": result.msg, **(result.data or {})}

        yield ask


@pytest.fixture
def bot(make_home: MakeHome, broker: Mosquitto, tmp_path: Path) -> Iterator[Hummingbot]:
    home = make_home(tmp_path / "home")
    home.configure(f"bot{next(_number)}", broker.port, mqtt_bridge={"mqtt_username": "bot", "mqtt_password": SECRET})
    home.script(HERE / "trading_script.py")
    home.script(HERE / "recording_script.py")
    home.strategy("lacking", strategy="pure_market_making", **PMM)
    home.strategy("pmm", strategy="pure_market_making", order_refresh_time=60, **PMM)
    bot = Hummingbot(home, plugin="attach")
    bot.start()
    yield bot
    bot.kill()


@pytest.mark.parametrize("client", [by_commlib, by_bot_client])
async def test_a_day_of_commands(client: Any, bot: Hummingbot, broker: Mosquitto) -> None:
    """Nothing runs; a script runs, trades and is stopped; an imported strategy runs and is left; another one runs."""
    await commands_are_there(bot, broker)
    try:
        async with client(bot.home.name, broker) as ask:
            await nothing_runs_yet(ask, bot)
            await a_script_is_started(ask, bot)
            await it_trades(bot, broker)
            await its_status_is_told(ask, bot)
            await its_history_is_told(ask, bot, running=True)
            await balances_are_told_and_bounded(ask, bot)
            await its_configuration_is_read_and_changed(ask, bot)
            await it_is_stopped_and_its_order_cancelled(ask, bot)
            await its_history_is_told(ask, bot, running=False)
            await a_strategy_is_imported_and_started(ask, bot)
            await it_is_stopped_and_its_orders_left(ask, bot)
            await another_one_is_started(ask, bot)
    except AssertionError:
        print(tail(bot))
        raise


async def commands_are_there(bot: Hummingbot, broker: Mosquitto) -> None:
    await eventually(bot.state, within=STARTS_WITHIN)
    async with BotClient(settings_of(broker)) as client:
        async with asyncio.timeout(STARTS_WITHIN):
            while (await client.status(bot.home.name)).reason:  # its card is there before its commands are
                await asyncio.sleep(0.1)


async def nothing_runs_yet(ask: Ask, bot: Hummingbot) -> None:
    status, history, start = await ask("status"), await ask("history"), await ask("start")
    state = bot.state()

    assert (state["running"], state["strategy"], state["connectors"]) == (False, None, {})
    assert (status["status"], status["data"]["running"], status["data"]["strategy"]) == (200, False, None)
    assert (history["status"], history["trades"]) == (200, [])
    assert start["status"] == 400
    assert "nothing is imported" in start["msg"]


async def a_script_is_started(ask: Ask, bot: Hummingbot) -> None:
    started = await ask("start", script="trading_script", conf="trading_script.yml")
    state = bot.state()

    assert started["status"] == 200, started
    assert (state["running"], state["name"], state["strategy"]) == (True, "trading_script", "TradingScript")
    assert (started["data"]["strategy"], started["data"]["conf"]) == (state["name"], state["file"])
    assert set(started["data"]["connectors"]) == set(state["connectors"]) == {EXCHANGE}
    second = await ask("start", script="recording_script")
    assert second["status"] == 400
    assert "trading_script" in second["msg"]


async def it_trades(bot: Hummingbot, broker: Mosquitto) -> None:
    """It buys 1 BTC at 100.1, and bids 95 for 2 more."""
    await eventually(bot.trades, within=30)
    for name, data in (("market", {"amount": "1"}), ("limit", {"amount": "2", "price": "95"})):
        topic = f"hbot/{bot.home.name}/external/event/order/{name}"
        payload = json.dumps({"data": {"type": "buy", **data}})
        await asyncio.to_thread(publish.single, topic, payload, hostname=broker.host, port=broker.port)
    exchange = bot.home.exchange
    await eventually(lambda: (len(exchange.trades()), len(exchange.orders(state="OPEN"))) == (1, 1))
    open_ = [order["client_id"] for order in exchange.orders(state="OPEN")]
    await eventually(lambda: bot.state()["connectors"][EXCHANGE]["orders"] == open_)


async def its_status_is_told(ask: Ask, bot: Hummingbot) -> None:
    status = await ask("status")
    state = bot.state()
    told, own = status["data"], state["connectors"][EXCHANGE]

    assert (status["status"], told["running"]) == (200, state["running"])
    assert (told["strategy"], told["conf"]) == (state["name"], state["file"])
    assert state["status"] in status["msg"]
    assert told["connectors"][EXCHANGE]["ready"] is own["ready"] is True
    assert told["connectors"][EXCHANGE]["trading_pairs"] == own["pairs"]
    assert totals(told["connectors"][EXCHANGE]["balances"]) == bot.home.exchange.balances()
    (order,), (open_,) = told["orders"], bot.home.exchange.orders(state="OPEN")
    assert [order["id"]] == own["orders"] == [open_["client_id"]]
    assert (order["side"], Decimal(order["price"]), Decimal(order["amount"])) == ("buy", Decimal(95), Decimal(2))


async def its_history_is_told(ask: Ask, bot: Hummingbot, *, running: bool) -> None:
    history = await ask("history", days=0, verbose=False)
    (told,), (trade,) = history["trades"], bot.home.exchange.trades()
    (market,) = history["data"]["markets"]

    assert bot.state()["running"] == running
    assert history["status"] == 200
    assert (told["market"], told["symbol"], told["trade_id"]) == (EXCHANGE, trade["pair"], trade["id"])
    assert (Decimal(told["price"]), Decimal(told["quantity"])) == (Decimal(trade["price"]), Decimal(trade["amount"]))
    assert told["raw_json"]["trade_fee"]["flat_fees"] == [{"token": "USDT", "amount": trade["fee"]}]
    assert (market["market"], market["trading_pair"], market["num_buys"], market["num_sells"]) == (
        EXCHANGE, "BTC-USDT", 1, 0,
    )  # fmt: skip
    # bought at 100.1 what is worth 100.0, with 0.1 % of fees
    figures = {name: Decimal(market[name]) for name in ("trade_pnl", "fee_in_quote", "total_pnl")}
    assert figures == {
        "trade_pnl": Decimal("-0.1"), "fee_in_quote": Decimal("0.1001"), "total_pnl": Decimal("-0.2001"),
    }  # fmt: skip


async def balances_are_told_and_bounded(ask: Ask, bot: Hummingbot) -> None:
    told = await ask("balance", exchange=EXCHANGE)
    one = await ask("balance", exchange=EXCHANGE, asset="BTC")
    own = bot.state()["connectors"][EXCHANGE]

    assert totals(told["data"][EXCHANGE]) == bot.home.exchange.balances() != {}
    available = {asset: Decimal(amount) for asset, amount in own["available"].items()}
    assert {asset: Decimal(each["available"]) for asset, each in told["data"][EXCHANGE].items()} == available
    assert available["USDT"] == Decimal("99899.7999") - 2 * 95 * Decimal("1.001")
    assert set(one["data"][EXCHANGE]) == {"BTC"}
    assert (await ask("balance", exchange="atlantis"))["status"] == 400

    limited = await ask("balance/limit", exchange=EXCHANGE, asset="BTC", amount=0.5)
    assert (limited["status"], limited["data"]) == (200, {EXCHANGE: {"BTC": "0.5"}})
    assert {asset: float(most) for asset, most in bot.state()["limits"][EXCHANGE].items()} == {"BTC": 0.5}
    assert on_disk(bot, "conf_client.yml")["balance_asset_limit"][EXCHANGE] == {"BTC": 0.5}
    free = await ask("balance/limit", exchange=EXCHANGE, asset="BTC", amount=-1)
    assert (free["status"], free["data"], bot.state()["limits"][EXCHANGE]) == (200, {EXCHANGE: {}}, {})

    paper = await ask("balance/paper", asset="BTC", amount=7)
    assert paper["status"] == 200
    own_paper = {asset: Decimal(str(amount)) for asset, amount in bot.state()["paper"].items()}
    assert {asset: Decimal(amount) for asset, amount in paper["data"].items()} == own_paper
    assert own_paper["BTC"] == 7
    assert on_disk(bot, "conf_client.yml")["paper_trade"]["paper_trade_account_balance"]["BTC"] == 7


async def its_configuration_is_read_and_changed(ask: Ask, bot: Hummingbot) -> None:
    before = bot.state()
    told = await ask("config", params=[])
    assert told["status"] == 200
    assert told["config"]["strategy"]["pair"] == before["config"]["pair"]
    assert told["config"]["client"]["mqtt_bridge.mqtt_port"] == before["client"]["mqtt_bridge"]["mqtt_port"]
    assert before["client"]["mqtt_bridge"]["mqtt_password"] == SECRET
    assert SECRET not in json.dumps(told)

    wrong = await ask("config", params=[["tick_size", 2], ["rate_limits_share_pct", "much"], ["no_such_key", 1]])
    assert wrong["status"] == 400
    assert "no_such_key" in wrong["msg"]
    wrong = await ask("config", params=[["tick_size", 2], ["rate_limits_share_pct", "much"]])
    assert wrong["status"] == 400
    assert "rate_limits_share_pct" in wrong["msg"]
    assert bot.state()["client"] == before["client"]

    changed = await ask("config", params=[["tick_size", 2], ["rate_limits_share_pct", 50]])
    after = bot.state()["client"]
    assert changed["status"] == 200
    assert [key for key, _ in changed["changes"]] == ["tick_size", "rate_limits_share_pct"]
    assert (after["tick_size"], Decimal(after["rate_limits_share_pct"])) == (2, 50)
    assert Decimal(changed["config"]["client"]["tick_size"]) == 2
    assert on_disk(bot, "conf_client.yml")["tick_size"] == 2
    assert (await ask("config", params=[["tick_size", 1]]))["status"] == 200


async def it_is_stopped_and_its_order_cancelled(ask: Ask, bot: Hummingbot) -> None:
    busy = await ask("import", strategy="pmm")
    assert (busy["status"], bot.state()["name"]) == (400, "trading_script")
    (open_,) = bot.home.exchange.orders(state="OPEN")

    stopped = await ask("stop", skip_order_cancellation=False)

    assert bot.home.exchange.orders(state="CANCELED") == [open_ | {"state": "CANCELED"}]
    assert (stopped["status"], stopped["data"]["cancelled"]) == (200, [open_["client_id"]])
    state = bot.state()
    assert (state["running"], state["strategy"], state["connectors"]) == (False, None, {})
    assert (await ask("status"))["data"]["running"] is False
    assert (await ask("stop"))["status"] == 200


async def a_strategy_is_imported_and_started(ask: Ask, bot: Hummingbot) -> None:
    missing = await ask("import", strategy="no_such")
    assert missing["status"] == 400
    assert str(bot.home.folder / "conf" / "strategies" / "no_such.yml") in missing["msg"]
    lacking = await ask("import", strategy="lacking")
    assert (lacking["status"], bot.state()["imported"]) == (400, None)
    assert "order_refresh_time" in lacking["msg"]
    imported = await ask("import", strategy="pmm")
    assert imported["status"] == 200, imported
    assert {key: bot.state()["imported"][key] for key in ("exchange", "market")} == {
        "exchange": EXCHANGE, "market": "BTC-USDT",
    }  # fmt: skip

    started = await ask("start")
    state = bot.state()
    assert started["status"] == 200, started
    assert (state["running"], state["name"], state["file"]) == (True, "pure_market_making", "pmm.yml")
    assert (started["data"]["strategy"], started["data"]["conf"]) == (state["name"], state["file"])
    await eventually(lambda: len(bot.home.exchange.orders(state="OPEN")) == 2, within=30)


async def it_is_stopped_and_its_orders_left(ask: Ask, bot: Hummingbot) -> None:
    left = bot.home.exchange.orders(state="OPEN")

    stopped = await ask("stop", skip_order_cancellation=True)

    assert stopped["status"] == 200
    assert sorted(stopped["data"]["open"]) == sorted(order["client_id"] for order in left)
    assert stopped["data"]["cancelled"] == []
    assert bot.state()["running"] is False
    assert bot.home.exchange.orders(state="OPEN") == left


async def another_one_is_started(ask: Ask, bot: Hummingbot) -> None:
    started = await ask("start", conf="recording_script.yml")
    state = bot.state()

    assert (started["status"], started["data"]["strategy"]) == (200, "recording_script")
    assert (state["running"], state["name"], state["strategy"]) == (True, "recording_script", "RecordingScript")
    await eventually(lambda: bot.state()["at"] > state["at"], within=10)


def totals(held: dict[str, Any]) -> dict[str, Decimal]:
    return {asset: Decimal(each["total"]) for asset, each in held.items()}


def on_disk(bot: Hummingbot, name: str) -> dict[str, Any]:
    return yaml.safe_load((bot.home.folder / "conf" / name).read_text())


async def eventually(condition: Callable[[], object], *, within: float = 20.0) -> None:
    await asyncio.to_thread(until, condition, within=within)
