"""A webhook reaches a strategy of the real Hummingbot, and the life of the signal tells what became of it there."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT
from tests.e2e.deployment import Deployment, until
from tests.interop.hummingbot.bot import Hummingbot, tail
from tests.interop.hummingbot.conftest import BOT, HERE, STARTS_WITHIN, MakeHome
from tests.interop.hummingbot.home import EXCHANGE
from tests.interop.hummingbot.trading import Trading

pytestmark = pytest.mark.more

EXAMPLES = ROOT / "examples" / "hummingbot"
OUTAGE = 30.0
"""Seconds."""
GRACE = 10.0
"""Seconds that a callback has to end."""
TICK = 1.0
"""Seconds between two ticks of Hummingbot's clock."""


@pytest.fixture
def trading(make_home: MakeHome, tmp_path: Path) -> Iterator[Callable[..., Trading]]:
    bots: list[Hummingbot] = []
    deployments: list[Deployment] = []

    def make(*, external: bool) -> Trading:
        source = {"bots": [BOT], "ttl": {"open": "120s"}}
        deployment = Deployment(tmp_path, sources={"tradingview": source}, external=external)
        deployments.append(deployment)
        deployment.start()
        deployment.add_bot(BOT)
        login = dict(line.split("=", 1) for line in (tmp_path / f"{BOT}.env").read_text().splitlines() if "=" in line)
        home = make_home(tmp_path / "home")
        names = {"mqtt_username": "SIGNAL_GATEWAY_MQTT_USERNAME", "mqtt_password": "SIGNAL_GATEWAY_MQTT_PASSWORD"}
        bridge = {key: login[name] for key, name in names.items()}
        home.configure(BOT, deployment.broker_port, mqtt_bridge=bridge)
        return Trading(deployment, home, bots)

    yield make
    for bot in bots:
        bot.kill()
    for deployment in deployments:
        deployment.close()


@pytest.mark.parametrize(("broker", "start"), [("mosquitto", "path"), ("embedded", "launcher")])
def test_an_alert_becomes_an_order_and_its_life_tells_which_and_that_it_is_filled(
    trading: Callable[..., Trading], broker: str, start: str
) -> None:
    """The example script buys on an entry and sells on the exit; started by itself it brings the plugin along."""
    made = trading(external=broker == "mosquitto")
    script = EXAMPLES / "scripts" / "tradingview_directional.py"
    bot = made.start(made.home.script(script, exchange=EXCHANGE, amount="0.1", most="0.4"), plugin=start)

    entry = made.post(contracts="0.5")
    filled = made.told(entry, "filled")
    (bought,) = made.home.exchange.orders()
    assert filled["order_ids"] == [bought["client_id"]], tail(bot)
    assert filled["reason"] == "bought 0.4 BTC-USDT at 100.1"

    exit_ = made.post(action="sell", market_position="flat", prev_market_position="long", contracts="0.5")
    filled = made.told(exit_, "filled")
    sold = made.home.exchange.orders()[1]
    assert (filled["order_ids"], filled["reason"]) == ([sold["client_id"]], "sold 0.4 BTC-USDT at 99.9")
    assert made.home.exchange.balances()["BTC"] == Decimal(10)
    for id_, order in ((entry, bought), (exit_, sold)):
        handled = made.told(id_, "handled")
        assert handled["handler"] == "TradingViewDirectional.on_trade"
        assert handled["order_ids"] == [order["client_id"]]
        assert handled["received_at"] <= handled["started_at"] <= handled["at"]
    assert [delivery["station"] for delivery in made.deployment.api(f"signals/{entry}")["deliveries"]] == ["receipted"]

    nothing = made.post(action="sell", market_position="flat", prev_market_position="long")
    assert "nothing to sell" in made.told(nothing, "failed")["reason"]


@pytest.fixture
def recording(trading: Callable[..., Trading]) -> Trading:
    """Mosquitto, and a bot with diary_script, not started yet."""
    made = trading(external=True)
    made.home.script(HERE / "diary_script.py")
    return made


def test_a_callback_that_a_kill_cut_short_is_told_at_the_next_start_and_not_repeated(recording: Trading) -> None:
    """on_interrupted is called once the strategy runs again; what waited behind it runs then."""
    bot = recording.start("diary_script.yml")
    cut = recording.post(contracts="1", comment="wait")
    until(lambda: recording.seen("called") == [cut])
    behind = recording.post(contracts="2")
    recording.told(behind, "received")
    bot.kill()
    recording.start("diary_script.yml")

    filled = recording.told(behind, "filled", within=STARTS_WITHIN)
    assert filled["reason"] == "bought 2 BTC-USDT at 100.1"
    assert recording.told(cut, "interrupted")["handler"] == "DiaryScript.on_trade"
    assert recording.seen("called") == [cut, behind]
    assert recording.seen("interrupted") == [cut]
    assert [Decimal(order["amount"]) for order in recording.home.exchange.orders()] == [2]


def test_what_comes_while_the_strategy_is_stopped_runs_once_when_it_is_started_again(recording: Trading) -> None:
    """Its bot is there all the while, and acknowledges nothing that it has no handler for."""
    recording.start("diary_script.yml", plugin="attach")
    waits = recording.post(contracts="1", comment="limit", price="99.5")
    recording.told(waits, "handled")
    recording.home.exchange.price("BTC-USDT", bid="99.3", ask="99.5", share="0.4")
    until(lambda: Decimal(recording.home.exchange.orders()[0]["filled"]) == Decimal("0.4"))
    recording.command("stop")
    (order,) = recording.home.exchange.orders(state="CANCELED")
    cancelled = f"bought 0.4 BTC-USDT at 99.5; {order['client_id']} was cancelled"
    assert recording.told(waits, "filled")["reason"] == cancelled

    meanwhile = recording.post(contracts="2")
    recording.home.exchange.price("BTC-USDT", bid="99.3", ask="99.5")
    status = recording.command("status")
    assert status["reply"]["data"]["strategy"] is None
    recording.command("start", "--script", "diary_script.py")
    assert recording.told(meanwhile, "filled", within=40)["reason"] == "bought 2 BTC-USDT at 99.5"
    later = recording.post(contracts="3")
    recording.told(later, "filled")
    assert recording.seen("called") == [waits, meanwhile, later]


def test_a_stop_gives_a_callback_its_time_and_then_tells_that_it_was_cut_short(recording: Trading) -> None:
    """The command is answered when it is over; the signal is not run again by the next start."""
    recording.start("diary_script.yml", plugin="attach")
    cut = recording.post(contracts="1", comment="wait")
    until(lambda: recording.seen("called") == [cut])
    began = time.time()
    assert recording.command("stop")["outcome"] == "done"
    assert GRACE <= time.time() - began < 3 * GRACE
    assert "while the callback ran" in recording.told(cut, "interrupted")["reason"]

    recording.command("start", "--script", "diary_script.py")
    later = recording.post(contracts="2")
    recording.told(later, "filled")
    assert recording.seen("called") == [cut, later]


def test_the_broker_may_be_away_for_half_a_minute(recording: Trading) -> None:
    """The strategy ticks on all the while; what was accepted meanwhile arrives afterwards, each once and in order."""
    bot = recording.start("diary_script.yml")
    before = recording.post(contracts="1")
    recording.told(before, "filled")
    assert recording.deployment.mosquitto is not None
    recording.deployment.mosquitto.kill()
    began = time.time()
    until(lambda: not recording.deployment.api("status")["broker"]["connected"])
    meanwhile = [recording.post(contracts=str(number)) for number in (2, 3)]
    until(lambda: time.time() - began > OUTAGE, within=OUTAGE + 10)
    recording.deployment.mosquitto.start()

    reasons = [recording.told(id_, "filled", within=60)["reason"] for id_ in meanwhile]
    assert reasons == [f"bought {number} BTC-USDT at 100.1" for number in (2, 3)], tail(bot)
    assert recording.seen("called") == [before, *meanwhile]
    ticks = [tick for tick in recording.seen("tick") if began - 2 < tick < began + OUTAGE]
    assert max(later - tick for tick, later in itertools.pairwise(ticks)) < 2 * TICK, ticks
    assert len(ticks) > 0.9 * OUTAGE


def test_an_order_that_waits_is_told_at_once_and_filled_when_all_of_it_is(recording: Trading) -> None:
    """A limit order is in the receipt while it is open, and filled when the price comes."""
    recording.start("diary_script.yml")
    waits = recording.post(contracts="1", comment="limit", price="99.5", order_type="limit")
    handled = recording.told(waits, "handled")
    (order,) = recording.home.exchange.orders(state="OPEN")
    assert handled["order_ids"] == [order["client_id"]]
    assert "filled" not in recording.stages(waits)

    recording.home.exchange.price("BTC-USDT", bid="99.3", ask="99.5", share="0.4")
    until(lambda: Decimal(recording.home.exchange.orders()[0]["filled"]) == Decimal("0.4"))
    assert "filled" not in recording.stages(waits)
    recording.home.exchange.price("BTC-USDT", bid="99.2", ask="99.4", share="0.6")
    assert recording.told(waits, "filled")["reason"] == "bought 1 BTC-USDT at 99.5"


def test_a_controller_opens_an_executor_on_an_entry_and_closes_it_on_the_exit(trading: Callable[..., Trading]) -> None:
    """The entry is filled when the position is open, the exit when it is closed, each with its own order."""
    made = trading(external=True)
    controller = EXAMPLES / "controllers" / "directional_trading" / "signal_directional.py"
    conf = made.home.controller(
        controller,
        "directional_trading",
        connector_name=EXCHANGE,
        trading_pair="BTC-USDT",
        total_amount_quote="100",
        max_executors_per_side=1,
        leverage=1,
        cooldown_time=1,
        stop_loss="0.5",
        take_profit="0.5",
        time_limit=3600,
    )
    script = EXAMPLES / "scripts" / "signal_controllers.py"
    bot = made.start(made.home.script(script, controllers_config=[conf]))

    entry = made.post()
    filled = made.told(entry, "filled")
    opening = made.home.exchange.orders()[0]
    assert filled["handler"] == "signal_directional.on_trade"
    assert filled["order_ids"] == [opening["client_id"]], tail(bot)
    assert filled["reason"] == "bought 1 BTC-USDT at 100.1"

    again = made.post()
    assert "max_executors_per_side" in made.told(again, "failed")["reason"]
    exit_ = made.post(action="sell", market_position="flat", prev_market_position="long")
    filled = made.told(exit_, "filled", within=30)
    closing = made.home.exchange.orders()[-1]
    assert (closing["side"], closing["state"]) == ("SELL", "FILLED")
    assert filled["order_ids"] == [closing["client_id"]]
    assert filled["reason"].startswith("sold ")
    named = [made.told(id_, "handled")["order_ids"] for id_ in (entry, exit_)]
    assert named == [[opening["client_id"]], [closing["client_id"]]]


def test_what_a_controller_buys_is_followed_to_its_end(trading: Callable[..., Trading]) -> None:
    """Its own buy, and an executor that works in slices, which is filled when the last one is; a refusal is logged."""
    made = trading(external=True)
    conf = made.home.controller(HERE / "diary_controller.py", "generic", id="diary")
    script = EXAMPLES / "scripts" / "signal_controllers.py"
    bot = made.start(made.home.script(script, controllers_config=[conf]))

    buy = made.post(contracts="0.5")
    filled = made.told(buy, "filled")
    assert (filled["handler"], filled["reason"]) == ("diary.on_trade", "bought 0.5 BTC-USDT at 100.1"), tail(bot)
    slices = made.post(comment="slices")
    filled = made.told(slices, "filled", within=30)
    orders = made.home.exchange.orders()[1:]
    assert filled["order_ids"] == [order["client_id"] for order in orders]
    assert len(orders) == 2
    total = sum(Decimal(order["amount"]) for order in orders)
    assert filled["reason"] == f"bought {total.normalize():f} BTC-USDT at 100.1"

    made.home.exchange.behave(refuses="no more of you")
    refused = made.post(contracts="0.5")
    until(lambda: f"signal {refused}: nothing was filled: " in made.logs(), within=60)
    assert made.stages(refused)[-1] == "handled"
