"""The nine commands on a real Hummingbot, over MQTT: each answer is held against the application's own state.

The tests share the bot and run in their order; each leaves it stopped.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import yaml

from bot_plugin.client import Outcome, SyncBotClient
from bot_plugin.client.results import Result
from tests.brokers import Mosquitto, require
from tests.docs.markdown import ROOT
from tests.e2e.deployment import until
from tests.interop.hummingbot.bot import Hummingbot
from tests.interop.hummingbot.conftest import BOT, HERE, MakeHome, settings_of, wait_alive
from tests.interop.hummingbot.home import Home

pytestmark = pytest.mark.more

SCRIPT = "trading_script"
SECRET = "only-the-broker-knows"
MAKER = {
    "template_version": 24,
    "strategy": "pure_market_making",
    "exchange": "local_exchange",
    "market": "BTC-USDT",
    "bid_spread": 1,
    "ask_spread": 1,
    "order_refresh_time": 30,
    "order_amount": 0.1,
}


@pytest.fixture(scope="module")
def bot(make_home: MakeHome, broker: Mosquitto, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hummingbot]:
    """With the plugin, and without a strategy that runs."""
    home = make_home(tmp_path_factory.mktemp("commands") / "home")
    home.configure(BOT, broker.port, mqtt_bridge={"mqtt_username": "bot1", "mqtt_password": SECRET})
    furnish(home)
    bot = Hummingbot(home, plugin="attach")
    bot.start()
    try:
        wait_alive(bot, broker)
        with SyncBotClient(settings_of(broker)) as client:
            until(lambda: client.status(BOT).ok)  # the stock bridge beside it may beat first
        yield bot
    finally:
        bot.kill()


def furnish(home: Home) -> None:
    home.script(HERE / f"{SCRIPT}.py")
    home.script(HERE / "failing_script.py")
    home.controller(HERE / "buying_controller.py", "generic")
    shutil.copy(ROOT / "examples" / "hummingbot" / "scripts" / "signal_controllers.py", home.folder / "scripts")
    home.strategy("maker", **MAKER)
    home.strategy("wrong_maker", **MAKER | {"bid_spread": -1, "ask_spread": "wide"})
    home.strategy("empty_maker", strategy="pure_market_making", exchange="local_exchange", market="BTC-USDT")
    home.strategy("keyless_maker", **MAKER | {"exchange": "kraken"})
    home.strategy("avellaneda", strategy="avellaneda_market_making", exchange="local_exchange", market="BTC-USDT",
                  order_amount=0.1, order_refresh_time=20, execution_timeframe_mode={})  # fmt: skip
    conf(home, "scripts/wrong", script_file_name=f"{SCRIPT}.py", most=-1, colour="red")
    conf(home, "scripts/nowhere", script_file_name=f"{SCRIPT}.py", exchange="mars")
    conf(home, "scripts/keyless", script_file_name=f"{SCRIPT}.py", exchange="kraken")
    conf(home, "scripts/init", script_file_name="failing_script.py", fails="init")
    conf(home, "scripts/start", script_file_name="failing_script.py", fails="start")
    conf(home, "scripts/stop", script_file_name="failing_script.py", fails="stop")
    conf(home, "controllers/wrong_controller", id="wrong", controller_name="buying_controller",
         controller_type="generic", amount=-1)  # fmt: skip
    (home.folder / "conf" / "scripts" / "broken.yml").write_text("a: [b\nc: }\n")


def conf(home: Home, name: str, **values: Any) -> None:
    (home.folder / "conf" / f"{name}.yml").write_text(yaml.safe_dump(values))


@pytest.fixture
def client(broker: Mosquitto, bot: Hummingbot) -> Iterator[SyncBotClient]:
    with SyncBotClient(settings_of(broker)) as client:
        yield client
        client.stop(BOT)
        assert bot.state()["running"] is False


def order(broker: Mosquitto, kind: str, **data: str) -> None:
    """Let the strategy place an order, by an external event."""
    program = require("mosquitto_pub", package="mosquitto-clients")
    topic, event = f"hbot/{BOT}/external/event/order/{kind}", {"timestamp": 1, "type": "eevent", "data": data}
    target = ["-h", broker.host, "-p", str(broker.port), "-t", topic, "-m", json.dumps(event)]
    subprocess.run([program, *target], check=True)


def data_of(result: Result[Any]) -> Any:
    assert result.ok, result
    return result.more["data"]


def stored(bot: Hummingbot, name: str) -> Any:
    return yaml.safe_load((bot.home.folder / "conf" / name).read_text())


def test_before_anything_runs_it_says_so_and_tells_what_it_holds(client: SyncBotClient, bot: Hummingbot) -> None:
    """Status and history are answers, not errors; balances are asked of the exchange that has keys."""
    idle = client.status(BOT)
    assert idle.msg == "No strategy is running; nothing is imported", idle
    assert client.history(BOT).data == ()
    assert client.stop(BOT).msg == "nothing runs"
    held = client.balance(BOT).checked().data
    assert [(each.exchange, each.asset, each.total) for each in held or ()] == [
        ("local_exchange", "BTC", 10), ("local_exchange", "ETH", 100), ("local_exchange", "USDT", 100_000),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({}, "nothing is imported: import a strategy's configuration first"),
        ({"conf": "missing"}, "there is no configuration 'missing.yml': not in .*/conf/scripts/missing.yml, "),
        ({"script": "missing"}, "there is no script 'missing': no file .*/scripts/missing.py"),
        ({"conf": "wrong"}, "most: Input should be greater than 0; colour: Extra inputs are not permitted"),
        ({"conf": "nowhere"}, "Hummingbot has no exchange 'mars'"),
        ({"conf": "keyless"}, "API keys required for live trading connector 'kraken'"),
        ({"conf": "broken"}, "/conf/scripts/broken.yml cannot be read as YAML: while parsing"),
        ({"conf": "../conf_client"}, "is no configuration's name"),
        ({"script": SCRIPT, "conf": "init"}, "init.yml is the configuration of failing_script.py, not of "),
        ({"conf": "init"}, "failing_script with init.yml was not started: RuntimeError: init fails"),
        ({"conf": "start"}, "was not started: the clock has ended: RuntimeError: start fails"),
        ({"conf": "wrong_controller"}, "signal_controllers with wrong_controller.yml was not started: amount: Input "),
        ({"conf": "wrong_maker"}, "config variable bid_spread: Value must be between 0 and 100"),
        ({"script": SCRIPT, "log_level": "loud"}, "log_level 'loud' is none"),
    ],
)
def test_a_start_that_fails_says_why_and_leaves_nothing(
    client: SyncBotClient, bot: Hummingbot, wanted: dict[str, str], words: str
) -> None:
    """The field, the file or the exchange is named; no connector, clock or file is left of it."""
    confs = set((bot.home.folder / "conf").rglob("*.yml"))
    result = client.start(BOT, **wanted)

    assert (result.outcome, result.status) == (Outcome.REFUSED, 400)
    assert re.search(words, result.msg), result.msg
    state = bot.state()
    assert (state["running"], state["strategy"], state["name"], state["file"]) == (False, None, None, None)
    assert state["connectors"] == {}
    assert client.stop(BOT).msg == "nothing runs"
    assert set((bot.home.folder / "conf").rglob("*.yml")) == confs


def test_a_script_runs_when_its_start_is_answered(client: SyncBotClient, bot: Hummingbot) -> None:
    """The answer names the connectors; the status is the strategy's own, and its data the application's."""
    result = client.start(BOT, script=f"{SCRIPT}.py", conf=f"{SCRIPT}.yml")
    state = bot.state()

    assert result.msg.startswith(f"{SCRIPT} with {SCRIPT}.yml runs on local_exchange")
    assert (state["running"], state["name"], state["file"]) == (True, SCRIPT, f"{SCRIPT}.yml")
    assert client.start(BOT, conf=SCRIPT).msg == f"{SCRIPT} runs already, with {SCRIPT}.yml: stop it first"
    assert until(bot.trades)
    status = client.status(BOT)
    assert status.msg.strip() == bot.state()["status"] == "trades BTC-USDT on local_exchange, at most 5"
    told, connector = data_of(status), bot.state()["connectors"]["local_exchange"]
    assert (told["running"], told["strategy"], told["conf"]) == (True, SCRIPT, f"{SCRIPT}.yml")
    assert told["running_since"] == data_of(result)["running_since"]
    assert abs((datetime.now(UTC) - datetime.fromisoformat(told["running_since"])).total_seconds()) < 30
    shown = told["connectors"]["local_exchange"]
    assert (shown["ready"], shown["missing"], shown["trading_pairs"]) == (True, [], connector["pairs"])
    assert {asset: each["total"] for asset, each in shown["balances"].items()} == connector["balances"]


def test_trades_and_what_came_of_them_are_told_also_after_the_stop(
    client: SyncBotClient, bot: Hummingbot, broker: Mosquitto
) -> None:
    """Bought 0.5 at 100.1 and sold 0.2 at 99.9, mid price 100: fees of 0.1 %, and PnL against holding."""
    started(client, bot)
    order(broker, "market", type="buy", amount="0.5")
    until(lambda: len(bot.home.exchange.trades()) == 1)
    order(broker, "market", type="sell", amount="0.2")
    until(lambda: len(bot.home.exchange.trades()) == 2)
    until(lambda: len(client.history(BOT).data or ()) == 2)

    history = client.history(BOT, verbose=True)
    made = bot.home.exchange.trades()
    assert [(fill.side, fill.price, fill.quantity) for fill in history.data or ()] == [
        (each["side"], Decimal(each["price"]), Decimal(each["amount"])) for each in made
    ]
    (market,) = data_of(history)["markets"]
    fees = sum((Decimal(each["fee"]) for each in made), Decimal(0))
    pnl = Decimal("0.5") * (100 - Decimal("100.1")) + Decimal("0.2") * (Decimal("99.9") - 100)
    assert (market["market"], market["trading_pair"], market["num_buys"], market["num_sells"]) == (
        "local_exchange", "BTC-USDT", 1, 1,
    )  # fmt: skip
    assert Decimal(market["trade_pnl"]) == pnl
    assert Decimal(market["fee_in_quote"]) == fees == Decimal("0.07003")
    assert Decimal(market["total_pnl"]) == pnl - fees
    assert [fill["order_id"] for fill in data_of(history)["fills"]] == [
        each["client_id"] for each in bot.home.exchange.orders(state="FILLED")
    ]
    assert client.history(BOT, days=1e-6).data == ()
    (rounded,) = data_of(client.history(BOT, precision=1))["markets"]
    assert rounded["trade_pnl"] == "-0.1"

    held = {each.asset: (each.total, each.available) for each in client.balance(BOT, asset="btc").data or ()}
    assert held == {"BTC": (Decimal("10.3"), Decimal("10.3"))}
    assert client.stop(BOT).ok
    assert client.history(BOT).data == history.data
    assert Decimal(data_of(client.history(BOT))["markets"][0]["trade_pnl"]) == pnl


def test_a_stop_cancels_an_open_order_and_leaves_it_where_it_is_told_to(
    client: SyncBotClient, bot: Hummingbot, broker: Mosquitto
) -> None:
    """The answer names each order, and the exchange has it so when it comes."""
    for skip, state, words in ((False, "CANCELED", "cancelled buy 0.25"), (True, "OPEN", "left open buy 0.25")):
        started(client, bot)
        order(broker, "limit", type="buy", amount="0.25", price="50")
        (open_,) = until(lambda: bot.home.exchange.orders(state="OPEN"))
        until(lambda: bot.state()["connectors"]["local_exchange"]["orders"])
        (shown,) = data_of(client.status(BOT))["orders"]
        assert (shown["id"], shown["side"], Decimal(shown["price"])) == (open_["client_id"], "buy", 50)

        result = client.stop(BOT, skip_order_cancellation=skip)
        (now,) = [each for each in bot.home.exchange.orders() if each["client_id"] == open_["client_id"]]
        assert now["state"] == state
        assert f"{words} BTC-USDT at 50 on local_exchange ({open_['client_id']})" in result.msg
        told = data_of(result)
        assert (told["cancelled"], told["open"]) == (([], [now["client_id"]]) if skip else ([now["client_id"]], []))
        assert bot.state()["connectors"] == {}


def test_a_stop_that_could_not_do_everything_says_so_and_another_start_works(
    client: SyncBotClient, bot: Hummingbot
) -> None:
    """A strategy's own on_stop that raises keeps nothing running."""
    assert client.start(BOT, conf="stop").ok
    result = client.stop(BOT)

    assert result.msg.startswith("failing_script is stopped, but not everything was done: ")
    assert result.msg.endswith("on the way RuntimeError: stop fails")
    assert (bot.state()["running"], bot.state()["connectors"]) == (False, {})
    assert client.start(BOT, conf=SCRIPT).ok


def test_configuration_is_read_without_secrets_and_changed_all_or_nothing(
    client: SyncBotClient, bot: Hummingbot
) -> None:
    """200 exactly when every value is in memory and in the file; else every wrong key is named, and nothing changed."""
    read = client.config(BOT).checked().data
    assert read is not None
    told, own = read.config["client"], bot.state()["client"]
    assert (told["tick_size"], told["instance_id"]) == (own["tick_size"], BOT)
    assert told["mqtt_bridge.mqtt_port"] == own["mqtt_bridge"]["mqtt_port"]
    assert told["mqtt_bridge.mqtt_password"] == "[redacted]"

    changed = client.config(
        BOT, {"tick_size": 0.5, "rate_limits_share_pct": "60", "mqtt_bridge.mqtt_password": "new-secret"}
    )
    assert changed.ok, changed
    assert "tick_size" in changed.msg
    assert "mqtt_bridge.mqtt_password when Hummingbot is started" in changed.msg
    assert (changed.data and changed.data.changes[0]) == ("tick_size", 0.5)
    assert not {SECRET, "new-secret"} & set(re.findall(r"[\w-]+", json.dumps(changed.more)))
    state = bot.state()["client"]
    assert (state["tick_size"], Decimal(state["rate_limits_share_pct"])) == (0.5, 60)
    assert stored(bot, "conf_client.yml")["tick_size"] == 0.5
    assert stored(bot, "conf_client.yml")["mqtt_bridge"]["mqtt_password"] == "new-secret"

    wrong = client.config(BOT, {"tick_size": 1, "rate_limits_share_pct": 900, "mqtt_bridge.mqtt_port": "new-secret"})
    assert wrong.status == 400
    assert "rate_limits_share_pct: Input should be less than or equal to 100" in wrong.msg
    assert "mqtt_bridge.mqtt_port: Input should be a valid integer" in wrong.msg
    unknown = client.config(BOT, {"tick_size": 1, "colour": "red"})
    assert unknown.msg.startswith("Invalid param key(s): ['colour']; nothing was changed")
    assert bot.state()["client"] == state
    assert client.config(BOT, {"tick_size": 1}).ok


def test_a_file_that_cannot_be_written_changes_nothing(client: SyncBotClient, bot: Hummingbot) -> None:
    """It would be forgotten at the next start: that is no success."""
    path, before = bot.home.folder / "conf" / "conf_client.yml", bot.state()
    kept = path.read_bytes()
    path.unlink()
    path.mkdir()
    try:
        results = [
            client.config(BOT, {"tick_size": 2}),
            client.balance_limit(BOT, "local_exchange", "BTC", 1),
            client.balance_paper(BOT, "BTC", 1),
        ]
    finally:
        path.rmdir()
        path.write_bytes(kept)

    assert all(result.status == 400 and "conf_client.yml could not be written" in result.msg for result in results)
    after = bot.state()
    assert [after[part] for part in ("client", "limits", "paper")] == [
        before[part] for part in ("client", "limits", "paper")
    ]


def test_limits_hold_at_once_and_paper_balances_from_the_next_start(client: SyncBotClient, bot: Hummingbot) -> None:
    """The answer has the figures as they are then; they are in the file, and a strategy that runs keeps to a limit."""
    started(client, bot)
    limited = client.balance_limit(BOT, "local_exchange", "usdt", "500.5")
    assert data_of(limited) == {"local_exchange": {"USDT": "500.5"}}
    assert stored(bot, "conf_client.yml")["balance_asset_limit"]["local_exchange"] == {"USDT": 500.5}
    available = until(lambda: bot.state()["connectors"]["local_exchange"]["available"]["USDT"])
    assert Decimal(available) <= Decimal("500.5")
    held = {each.asset: each.available for each in client.balance(BOT, exchange="local_exchange").data or ()}
    assert held["USDT"] == Decimal(available)

    assert data_of(client.balance_limit(BOT, "local_exchange", "USDT", -1)) == {"local_exchange": {}}
    assert not bot.state()["limits"]["local_exchange"]
    assert client.balance_limit(BOT, "mars", "USDT", 1).msg.startswith("Hummingbot has no exchange 'mars'")
    assert "mars" not in bot.state()["limits"]
    assert client.balance(BOT, exchange="mars").msg.startswith("Hummingbot has no exchange 'mars'")
    assert client.balance(BOT, exchange="kraken").msg == "kraken: it has no API keys here"

    paper = data_of(client.balance_paper(BOT, "btc", "7.25"))
    assert Decimal(paper["BTC"]) == Decimal("7.25") == Decimal(str(bot.state()["paper"]["BTC"]))
    assert stored(bot, "conf_client.yml")["paper_trade"]["paper_trade_account_balance"]["BTC"] == 7.25
    assert "BTC" not in data_of(client.balance_paper(BOT, "BTC", -1))


def test_an_imported_strategy_is_configured_started_and_stopped(client: SyncBotClient, bot: Hummingbot) -> None:
    """A wrong import leaves what was imported; its values are changed as validated, in the file too."""
    for name, words in (
        ("wrong_maker", "config variable ask_spread: wide is not in decimal format"),
        ("empty_maker", "missing: bid_spread, ask_spread, order_refresh_time, order_amount"),
        ("nothing", "there is no file .*/conf/strategies/nothing.yml"),
        (SCRIPT, f"{SCRIPT}.yml is the configuration of a script: start it with"),
    ):
        refused = client.import_strategy(BOT, name)
        assert refused.status == 400
        assert re.search(words, refused.msg), refused.msg
        assert bot.state()["name"] is None
    assert client.import_strategy(BOT, "maker").msg == "maker.yml is imported: pure_market_making on local_exchange"
    assert (bot.state()["name"], bot.state()["file"]) == ("pure_market_making", "maker.yml")
    assert client.import_strategy(BOT, "wrong_maker").status == 400
    assert Decimal(bot.state()["imported"]["bid_spread"]) == 1

    wrong = client.config(BOT, {"bid_spread": 2, "ask_spread": "wide", "order_levels": 1.5})
    assert wrong.msg.startswith("nothing was changed: ask_spread: 'wide' is no valid decimal; order_levels: ")
    assert Decimal(bot.state()["imported"]["bid_spread"]) == stored(bot, "strategies/maker.yml")["bid_spread"] == 1
    assert client.config(BOT, [("bid_spread", 2), ("ask_spread", "3")]).ok
    assert Decimal(bot.state()["imported"]["bid_spread"]) == 2
    assert stored(bot, "strategies/maker.yml")["ask_spread"] == 3

    assert client.start(BOT).msg.startswith("pure_market_making with maker.yml runs on local_exchange")
    assert client.import_strategy(BOT, "maker").msg.startswith("pure_market_making runs: stop it")
    placed = until(lambda: bot.home.exchange.orders(state="OPEN")[1:], within=20)
    assert {Decimal(each["price"]) for each in placed} <= {Decimal(98), Decimal(103), Decimal(50)}
    adjusted = client.config(BOT, {"bid_spread": 5, "order_refresh_time": 60})
    assert adjusted.msg == "takes effect later: order_refresh_time when the strategy is started"
    assert "Best Bid" in client.status(BOT).msg
    result = client.stop(BOT)
    assert result.ok, result
    assert "at 103 on local_exchange" in result.msg
    assert not [each for each in bot.home.exchange.orders(state="OPEN") if Decimal(each["price"]) != 50]
    assert client.start(BOT).msg.startswith("nothing is imported")


def test_a_strategy_that_hummingbot_has_a_model_of_is_configured_by_it(client: SyncBotClient, bot: Hummingbot) -> None:
    """A mode that is chosen needs its own values too; while the strategy runs, nothing of it can be changed."""
    assert client.import_strategy(BOT, "avellaneda.yml").ok
    shown = client.config(BOT).checked().data
    assert shown is not None
    assert (shown.config["strategy"]["order_amount"], shown.config["strategy"]["execution_timeframe_mode"]) == (
        "0.1", "infinite",
    )  # fmt: skip
    wrong = client.config(BOT, {"order_amount": -1, "risk_factor": "high"})
    assert (
        wrong.msg
        == "nothing was changed: order_amount: Value must be more than 0.; risk_factor: high is not in decimal format."
    )
    mode = [("execution_timeframe_mode", "daily_between_times"), ("execution_timeframe_mode.start_time", "10:00:00")]
    lacking = client.config(BOT, mode)
    assert lacking.msg == "nothing was changed: execution_timeframe_mode.end_time: is required by what was chosen"
    assert bot.state()["imported"]["execution_timeframe_mode"] == {}
    assert client.config(BOT, [*mode, ("execution_timeframe_mode.end_time", "11:00:00"), ("order_amount", "0.2")]).ok
    in_file = stored(bot, "strategies/avellaneda.yml")
    assert (in_file["order_amount"], in_file["execution_timeframe_mode"]["end_time"]) == (0.2, "11:00:00")
    assert client.config(BOT, {"execution_timeframe_mode": "infinite"}).ok

    assert client.start(BOT).msg.startswith("avellaneda_market_making with avellaneda.yml runs on local_exchange")
    assert "Hummingbot cannot change it while the strategy runs" in client.config(BOT, {"order_amount": "0.3"}).msg


def test_a_strategy_whose_exchange_has_no_keys_is_imported_with_a_warning_and_not_started(
    client: SyncBotClient, bot: Hummingbot
) -> None:
    """Its own code swallows the error and would leave nothing that trades; what was imported stays so."""
    assert client.import_strategy(BOT, "keyless_maker").msg.endswith("on kraken; no API keys here for kraken")
    refused = client.start(BOT)

    assert refused.status == 400
    assert "was not started: API keys required for live trading connector 'kraken'" in refused.msg
    state = bot.state()
    assert (state["running"], state["name"], state["connectors"]) == (False, "pure_market_making", {})


def test_a_controllers_configuration_is_started_by_itself(client: SyncBotClient, bot: Hummingbot) -> None:
    """Its performance has known figures; what its model marks as updatable is changed while it runs, and stays so."""
    assert client.start(BOT, conf="buying_controller").msg.startswith("signal_controllers with buying_controller.yml ")
    before = len(bot.home.exchange.trades())
    until(lambda: len(bot.home.exchange.trades()) > before, within=20)
    performance = until(lambda: bought(client), within=20)
    assert Decimal(performance["volume_traded"]) == Decimal("10.01")
    assert Decimal(performance["unrealized_pnl_quote"]) == Decimal("-0.01")

    shown = client.config(BOT).data
    assert shown is not None
    assert shown.config["controllers"]["buying_controller"]["most"] == "1"
    assert client.config(BOT, {"buying_controller.most": 3}).ok
    assert stored(bot, "controllers/buying_controller.yml")["most"] == 3
    assert "Input should be greater than 0" in client.config(BOT, {"most": -3}).msg
    assert "does not mark it as updatable" in client.config(BOT, {"amount": 3}).msg
    again = client.config(BOT).data
    assert again is not None
    assert again.config["controllers"]["buying_controller"]["most"] == "3"


def test_a_status_that_fails_is_told_with_the_rest(client: SyncBotClient, bot: Hummingbot) -> None:
    """format_status is the strategy's author's; a secret of the script's configuration is masked."""
    conf(bot.home, "scripts/status", script_file_name="failing_script.py", fails="status")
    assert client.start(BOT, conf="status").ok
    ready = until(lambda: data_of(client.status(BOT))["connectors"]["local_exchange"]["ready"])
    status = client.status(BOT)

    assert status.msg == "failing_script runs; its own status failed: RuntimeError: status fails"
    assert (ready, data_of(status)["running"]) == (True, True)
    shown = client.config(BOT).data
    assert shown is not None
    assert shown.config["strategy"]["api_key"] == "[redacted]"
    assert "cannot be changed while it runs" in client.config(BOT, {"fails": ""}).msg


def started(client: SyncBotClient, bot: Hummingbot) -> None:
    """Start the script, and return when it may trade."""
    result = client.start(BOT, conf=SCRIPT)
    assert result.ok, result
    until(bot.trades, within=20)


def bought(client: SyncBotClient) -> dict[str, Any] | None:
    """How the controller did, once that has been reckoned."""
    performance = data_of(client.status(BOT))["controllers"]["buying_controller"]
    return performance if performance and Decimal(performance["volume_traded"]) else None
