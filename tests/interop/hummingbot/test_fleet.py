"""One webhook feeds stock Hummingbots and Hummingbots with the plugin, several of each, on one broker.

The tests share the bots and run in their order: the broker is killed last.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest

from tests.e2e.deployment import until
from tests.e2e.test_alert_to_callback import alert
from tests.interop.hummingbot.bot import Hummingbot
from tests.interop.hummingbot.conftest import MakeHome
from tests.interop.hummingbot.fleet import ASKS, PLUGIN, STOCK, Fleet

pytestmark = [pytest.mark.more, pytest.mark.timeout(240)]
BOTS = (*STOCK, *PLUGIN)
OUTAGE = 30.0
EXPIRED = {"expired", "unheard", "unanswered"}


@pytest.fixture(scope="module", params=["mosquitto", "embedded"])
def fleet(
    make_home: MakeHome, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path_factory.mktemp("fleet"), make_home, external=request.param == "mosquitto")
    try:
        fleet.start()
        yield fleet
    finally:
        fleet.close()


def test_the_same_body_makes_every_bot_trade_once_on_its_exchange(fleet: Fleet) -> None:
    """A stock bot's script is told by the external event alone; elsewhere the plugin's callback runs."""
    id_ = fleet.post("hb", alert("BTC", contracts="0.5"))
    until(lambda: all(bot.home.exchange.trades() for bot in fleet.bots.values()))

    assert {name: fleet.signals(name) for name in BOTS} == {name: [id_] for name in BOTS}
    for name, bot in fleet.bots.items():
        (trade,) = bot.home.exchange.trades()
        assert (trade["side"], Decimal(trade["amount"]), trade["price"]) == ("BUY", Decimal("0.5"), ASKS[name])
        balances = bot.home.exchange.balances()
        paid = Decimal("0.5") * Decimal(ASKS[name]) * Decimal("1.001")
        assert (balances["BTC"], balances["USDT"]) == (Decimal("10.5"), Decimal(100_000) - paid)


def test_a_stock_bot_is_told_in_the_shape_that_hummingbot_accepts(fleet: Fleet) -> None:
    """Its model takes an integer timestamp, and drops what stands beside data."""
    short = {"action": "sell", "market_position": "short", "prev_market_position": "flat"}
    id_ = fleet.post("hb", alert("BTC", contracts="0.1", **short))
    for name in STOCK:
        event = until(lambda name=name: next((one for one in fleet.events(name) if one["data"]["id"] == id_), None))
        assert set(event) == {"event", "timestamp", "sequence", "type", "data"}
        assert (event["event"], event["type"], type(event["timestamp"])) == ("order.market", "eevent", int)
        assert abs(event["timestamp"] - time.time()) < 30
        said = {key: event["data"][key] for key in ("type", "effect", "trading_pair", "amount", "source")}
        assert said == {
            "type": "sell", "effect": "open", "trading_pair": "BTC-USDT", "amount": "0.1", "source": "hb",
        }  # fmt: skip


def test_the_signals_life_shows_what_each_bot_made_of_it(fleet: Fleet) -> None:
    """The plugin's receipts name the order that the exchange has; of a stock bot no receipt is possible."""
    id_ = fleet.post("hb", alert("BTC", contracts="0.2"))
    until(lambda: all({"handled", "filled"} <= stages(fleet, id_, name) for name in PLUGIN))

    for name in PLUGIN:
        bought = fleet.bots[name].home.exchange.orders()[-1]
        assert (bought["state"], Decimal(bought["amount"])) == ("FILLED", Decimal("0.2"))
        told = [one for one in receipts(fleet, id_, name) if one["stage"] != "received"]
        assert [one["order_ids"] for one in told] == [[bought["client_id"]]] * 2
        assert all(one["received_at"] for one in told)
        assert told[-1]["reason"] == f"bought 0.2 BTC-USDT at {ASKS[name]}"
    for name in STOCK:
        (told,) = [one for one in life(fleet, id_)["deliveries"] if one["destination"] == f"hummingbot:{name}"]
        assert (told["station"], told["reason"]) == ("published", "no receipt is possible: a stock bot sends none")


def test_a_command_is_answered_by_the_bot_that_was_asked(fleet: Fleet) -> None:
    """Each has traded at its own prices, and its history has those."""
    for name, bot in fleet.bots.items():
        until(lambda name=name, bot=bot: history(fleet, name) == traded(bot))  # a bot hears of a trade a little later
        assert float(ASKS[name]) in {price for *_, price in traded(bot)}


def traded(bot: Hummingbot) -> list[tuple[str, str, float]]:
    """The trades that its exchange made: id, side and price."""
    return sorted((each["id"], each["side"], float(each["price"])) for each in bot.home.exchange.trades())


def history(fleet: Fleet, name: str) -> list[tuple[str, str, float]]:
    """The trades that a bot answers with: id, side and price."""
    answer = fleet.deployment.cli("bots", "history", name, "--json")
    assert answer["outcome"] == "done"
    return sorted((each["trade_id"], each["trade_type"], float(each["price"])) for each in answer["reply"]["trades"])


def test_no_client_takes_another_ones_place(fleet: Fleet) -> None:
    """Hummingbot's bridge is hbot.NAME; the plugin beside it has two connections of other names."""
    for name, bot in fleet.bots.items():
        assert bot.state()["bridge"], name
        assert bot.log.read_text().count("MQTT Bridge connected with success") == 1
    if (mosquitto := fleet.deployment.mosquitto) is not None:
        log = mosquitto.log.read_text()
        ids = {f"hbot.{name}" for name in BOTS} | {f"signals.{name}.{end}" for name in PLUGIN for end in ("sig", "cmd")}
        assert {id_ for id_ in ids if f" as {id_} (" not in log} == set()
        assert "already connected" not in log


def test_strategies_tick_through_30_s_without_a_broker_and_fresh_signals_arrive_afterwards(fleet: Fleet) -> None:
    """What was posted meanwhile is there, unless it has expired; the embedded broker takes the gateway with it."""
    with watched(fleet):
        brief, fresh = without_mosquitto(fleet) if fleet.deployment.mosquitto else without_gateway(fleet)

    until(lambda: all(fleet.signals(name)[-1:] == [fresh] for name in BOTS), within=30)
    assert not any(brief in fleet.signals(name) for name in BOTS)
    assert brief is None or {one["station"] for one in life(fleet, brief)["deliveries"]} <= EXPIRED
    until(lambda: all({"handled", "filled"} <= stages(fleet, fresh, name) for name in PLUGIN))


@contextmanager
def watched(fleet: Fleet) -> Iterator[None]:
    """Every strategy's clock ticks while something is done."""
    before, began = {name: bot.state()["at"] for name, bot in fleet.bots.items()}, time.monotonic()
    yield
    ticked = {name: bot.state()["at"] - before[name] for name, bot in fleet.bots.items()}
    assert min(ticked.values()) >= time.monotonic() - began - 3 >= OUTAGE - 3


def without_mosquitto(fleet: Fleet) -> tuple[str, str]:
    """A signal that expires in the outage, and one that does not."""
    fleet.deployment.mosquitto.kill()
    over = time.monotonic() + OUTAGE
    posted = fleet.post("brief", alert("BTC", contracts="0.3")), fleet.post("hb", alert("BTC", contracts="0.4"))
    until(lambda: time.monotonic() > over, within=OUTAGE + 5)
    fleet.deployment.mosquitto.start()
    return posted


def without_gateway(fleet: Fleet) -> tuple[None, str]:
    """A signal that is posted when the gateway is back, as a sender does that was not answered."""
    fleet.deployment.stop_gateway(signal.SIGKILL)
    over = time.monotonic() + OUTAGE
    until(lambda: time.monotonic() > over, within=OUTAGE + 5)
    fleet.deployment.start_gateway()
    return None, fleet.post("hb", alert("BTC", contracts="0.4"))


def life(fleet: Fleet, id_: str) -> dict[str, Any]:
    return fleet.deployment.api(f"signals/{id_}")


def receipts(fleet: Fleet, id_: str, name: str) -> list[dict[str, Any]]:
    return [one for one in life(fleet, id_)["receipts"] if one["bot"] == name]


def stages(fleet: Fleet, id_: str, name: str) -> set[str]:
    return {one["stage"] for one in receipts(fleet, id_, name)}
